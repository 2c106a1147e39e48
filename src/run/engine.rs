//! The engine: the one loop and the one writer of the journal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::error::Error;
use crate::model::Entry;
use crate::model::Event;
use crate::model::IntegrationName;
use crate::model::Problem;
use crate::model::Rotation;
use crate::model::RotationId;
use crate::model::State;
use crate::plan::Observed;
use crate::plan::Plan;
use crate::plan::PlanInput;
use crate::policy::Mode;
use crate::policy::Policy;
use crate::ports::Commit;
use crate::ports::Fence;
use crate::rotation;
use crate::rotation::Next;
use crate::rotation::Waiting;
use crate::rotation::guard::Clocks;
use crate::rotation::numbers::BACKOFF_MAX;
use crate::rotation::numbers::EMERGENCY_BACKOFF_MAX;
use crate::rotation::numbers::backoff;
use crate::run::issuers;
use crate::run::limits;
use crate::run::look::Around;
use crate::run::observe;
use crate::run::observe::Target;
use crate::run::places;
use crate::run::progress::Progress;
use crate::run::setup::Concerned;
use crate::run::setup::EngineOptions;
use crate::run::setup::FarClock;
use crate::run::setup::Ports;
use crate::run::setup::RunError;
use crate::run::setup::Tick;
use crate::run::upload::Uploads;
use crate::run::words;

// The large steps are boxed: nested in one future, they would fill the stack of a thread.

/// Steps one rotation may take in one tick: a bound, so that no mistake can spin.
const STEPS_PER_TICK: usize = 200;

/// The engine of one tenant.
pub struct Engine {
    pub(super) actor: String,
    pub(super) around: Around,
    pub(super) far: FarClock,
    pub(super) fence: Fence,
    pub(super) options: EngineOptions,
    pub(super) people: BTreeMap<IntegrationName, Concerned>,
    pub(super) ports: Ports,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) stop: Arc<AtomicBool>,
    /// Shared stores as the policies describe them now.
    pub(super) stores: places::Stores,
    /// Issuers that are asked with a request, as the policies describe them now.
    pub(super) signers: issuers::Signers,
    pub(super) uploads: Uploads,
}

impl Engine {
    /// An engine that holds the store. `stop` makes it end at the next safe point.
    pub fn new(
        ports: Ports,
        fence: Fence,
        options: EngineOptions,
        progress: Arc<dyn Progress>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            actor: options.actor.clone(),
            around: Around::default(),
            far: FarClock::default(),
            fence,
            options,
            people: BTreeMap::new(),
            ports,
            progress,
            stop,
            stores: BTreeMap::new(),
            signers: BTreeMap::new(),
            uploads: Uploads::default(),
        }
    }

    /// Tells the engine whom the integrations concern; to be repeated when the policies change.
    #[must_use]
    pub fn concerning(mut self, policies: &[Policy]) -> Self {
        self.people = concerned(policies);
        self.stores = places::stores(policies);
        self.signers = issuers::signers(policies);
        self
    }

    /// Goes on under another right to write, with all that it knows (a daemon takes one for each cycle).
    pub fn hold(&mut self, fence: Fence) {
        self.fence = fence;
    }

    /// Goes on with other adapters, settings and policies.
    pub fn reconfigure(&mut self, ports: Ports, options: EngineOptions, policies: &[Policy]) {
        self.actor.clone_from(&options.actor);
        self.ports = ports;
        self.options = options;
        self.people = concerned(policies);
        self.stores = places::stores(policies);
        self.signers = issuers::signers(policies);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    pub(super) fn clocks(&self) -> Clocks {
        let local = self.now();
        Clocks { local, far: self.far.now(local) }
    }

    /// The later of the two clocks: what is counted from now on must not have begun earlier by either.
    pub(super) fn later(&self) -> Timestamp {
        let clocks = self.clocks();
        clocks.far.map_or(clocks.local, |far| far.max(clocks.local))
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A fence-checked round trip, made before every external call (I6), and the safe point of a signal.
    pub(super) async fn ready(&self) -> Result<(), RunError> {
        if self.is_stopping() {
            return Err(RunError::Stopped);
        }
        self.fenced().await
    }

    /// The same where stopping would leave an intent behind that was never sent, and that the next life must take
    /// for one that was: once the intent is committed, the call is made and its answer recorded.
    pub(super) async fn fenced(&self) -> Result<(), RunError> {
        self.far.at(self.now());
        Ok(self.ports.store.check_fence(self.fence).await?)
    }

    /// Looks at everything `policies` speak of.
    pub async fn observe(&self, policies: &[Policy]) -> Result<Observed, RunError> {
        self.far.at(self.now());
        let targets: Vec<Target> = policies
            .iter()
            .map(|policy| Target { name: policy.name.clone(), client_id: policy.app.client_id.clone() })
            .collect();
        observe::observe(self.ports.store.as_ref(), self.ports.directory.as_ref(), &self.far, &targets).await
    }

    /// The same for a tick: where one look fails, each integration is looked at alone, so that an application that
    /// cannot be read stops nobody else. When none can be read, Graph itself is the matter.
    async fn observe_each(&self, policies: &[Policy], tick: &mut Tick) -> Result<Observed, RunError> {
        let whole = match self.observe(policies).await {
            Err(RunError::Said(error)) if policies.len() > 1 => error,
            other => return other,
        };
        let mut observed = Observed::default();
        for policy in policies {
            match self.observe(std::slice::from_ref(policy)).await {
                Ok(one) => {
                    observed.integrations.extend(one.integrations);
                    observed.requests += one.requests;
                }
                Err(RunError::Said(error)) => self.set_aside(&policy.name, error, tick),
                Err(stop) => return Err(stop),
            }
        }
        if observed.integrations.is_empty() { Err(whole.into()) } else { Ok(observed) }
    }

    /// Reports a failing integration, to be tried again later.
    pub(super) fn set_aside(&self, integration: &IntegrationName, error: Error, tick: &mut Tick) {
        tick.due(Some(self.now() + backoff(3)));
        if !tick.failed.iter().any(|(failed, _)| failed == integration) {
            tick.failed.push((integration.clone(), error));
        }
    }

    /// What the policies and what was seen come to.
    pub(super) fn draft(&self, policies: &[Policy], observed: &Observed, asked: &[IntegrationName]) -> Plan {
        crate::plan::plan(&PlanInput {
            now: self.now(),
            tenant: &self.options.tenant,
            login_url: &self.options.login_url,
            permissions_allowed: &self.options.permissions_allowed,
            instance: &self.ports.store.instance(),
            policies,
            observed,
            asked,
        })
    }

    /// Does everything that is due: unfinished rotations, a fresh plan, the sweep, alerts, mail. Only what stands under
    /// `mode = "rotate"` is acted on; of the others people are told.
    ///
    /// # Errors
    /// Only what stops the whole run; a failing integration is reported in [`Tick::failed`] and retried later.
    pub async fn tick(&self, policies: &[Policy], asked: &[IntegrationName]) -> Result<Tick, RunError> {
        let mut tick = Tick::default();
        let acting: Vec<Policy> = policies.iter().filter(|policy| policy.mode == Mode::Rotate).cloned().collect();
        let observed = match self.observe_each(policies, &mut tick).await {
            // Nothing can be seen; what the journal knows is told all the same.
            Err(RunError::Said(error)) => {
                self.tell(policies, Vec::new(), &mut tick).await?;
                return Err(error.into());
            }
            observed => observed?,
        };
        tick.applications = observed.integrations.len();
        tick.requests = observed.requests;
        tick.due(Box::pin(self.sweep(&acting, &observed)).await?);
        Box::pin(self.sweep_drills()).await?;
        Box::pin(self.sweep_sandboxes()).await?;
        let restored = Box::pin(self.restore_lost(&acting, &observed)).await?;
        self.advance_all(&acting, &mut tick, &observed, |r| r.state != State::Planned).await?;
        let observed = if tick.changed.is_empty() && !restored {
            observed
        } else {
            self.observe_each(policies, &mut tick).await?
        };
        // What could not be looked at is not planned for: it would seem to have nothing yet.
        let seen: Vec<Policy> =
            policies.iter().filter(|policy| observed.integrations.contains_key(&policy.name)).cloned().collect();
        let plan = self.plan(&seen, &observed, asked).await;
        Box::pin(self.execute(&plan, &observed, &mut tick)).await?;
        // New and waiting ones together, so that the daily limit goes to the soonest to stop.
        self.advance_all(&acting, &mut tick, &observed, |r| r.state == State::Planned).await?;
        for policy in &acting {
            tick.due(self.next_rotation_date(policy).await?);
        }
        tick.plan = Some(plan);
        let others = Box::pin(self.look_around(policies, &observed, &mut tick)).await?;
        self.tell(policies, others, &mut tick).await?;
        Ok(tick)
    }

    /// Advances those that `which` names, as far as their integration was seen.
    async fn advance_all(
        &self,
        policies: &[Policy],
        tick: &mut Tick,
        observed: &Observed,
        which: fn(&Rotation) -> bool,
    ) -> Result<(), RunError> {
        let mut unfinished = self.ports.store.unfinished().await?;
        unfinished.retain(which);
        // Emergencies first, then the soonest to stop.
        unfinished.sort_by_key(|r| (r.emergency.is_none(), r.old_end().unwrap_or(Timestamp::MAX), r.id));
        for rotation in unfinished {
            if observed.integrations.contains_key(&rotation.integration) {
                match Box::pin(self.advance(rotation.id, policies, tick)).await {
                    Ok(()) => {}
                    Err(RunError::Said(error)) => self.set_aside(&rotation.integration, error, tick),
                    Err(stop) => return Err(stop),
                }
            }
        }
        Ok(())
    }

    /// Takes one rotation as far as it goes now; nowhere unless its policy is there and says `mode = "rotate"`.
    pub async fn advance(&self, id: RotationId, policies: &[Policy], tick: &mut Tick) -> Result<(), RunError> {
        for _ in 0..STEPS_PER_TICK {
            let Some(rotation) = self.ports.store.rotation(id).await? else { return Ok(()) };
            let rotates = |policy: &Policy| policy.name == rotation.integration && policy.mode == Mode::Rotate;
            if !policies.iter().any(rotates) {
                return Ok(());
            }
            if self.is_stopping() && !self.uploads.is_in_flight(&rotation) {
                return Err(RunError::Stopped);
            }
            let next = match limits::respecified(&rotation, policies) {
                Some(event) => Next::Record(event),
                None => Box::pin(self.next(&rotation, policies)).await?,
            };
            match next {
                Next::Finished => return Ok(()),
                Next::Wait(until, why) => {
                    self.progress.waiting(&rotation, until, &why);
                    tick.due(until);
                    return Ok(());
                }
                Next::Record(event) => {
                    if let Event::RetireIntended { key_ids } = &event
                        && rotation.emergency.is_none()
                        && let Some(wait) = self.held_retirement(key_ids.len()).await?
                    {
                        tick.due(Some(wait));
                        return Ok(());
                    }
                    let extra = self.beside(&rotation, &event).await?;
                    self.commit(&rotation, &event, extra).await?;
                }
                Next::RecordThen(event, action) => {
                    let extra = self.beside(&rotation, &event).await?;
                    let rotation = self.commit(&rotation, &event, extra).await?;
                    if let Some(wait) = Box::pin(self.act(&rotation, &action)).await? {
                        self.rest(id, wait, tick).await?;
                        return Ok(());
                    }
                }
                Next::Do(action) => {
                    if let Some(wait) = Box::pin(self.act(&rotation, &action)).await? {
                        self.rest(id, wait, tick).await?;
                        return Ok(());
                    }
                }
            }
            if !tick.changed.contains(&rotation.integration) {
                tick.changed.push(rotation.integration.clone());
            }
        }
        // Out of steps: go on at once in the next tick.
        tick.due(Some(self.now() + SignedDuration::from_secs(1)));
        Ok(())
    }

    /// Says that an action wants to go on later; a failure says so itself.
    async fn rest(&self, id: RotationId, until: Timestamp, tick: &mut Tick) -> Result<(), RunError> {
        tick.due(Some(until));
        if let Some(rotation) = self.ports.store.rotation(id).await?
            && rotation.failure.is_none()
        {
            self.progress.waiting(&rotation, Some(until), &Waiting::Settling);
        }
        Ok(())
    }

    /// Commits `event` with what goes beside it, in one transaction; returns the new record.
    pub(super) async fn commit(
        &self,
        rotation: &Rotation,
        event: &Event,
        mut commit: Commit,
    ) -> Result<Rotation, RunError> {
        let at = self.now();
        let forgetful = self.forgets_removal(rotation, event);
        let after = rotation::after(forgetful.as_ref().unwrap_or(rotation), event, at).map_err(|impossible| {
            Error::new(crate::error::Class::Failed, "R010", impossible.to_string())
                .help("this is a defect of everkey or a damaged store; nothing was changed. Please report it")
        })?;
        commit.at = at;
        commit.entries.push(Entry {
            integration: Some(after.integration.clone()),
            rotation: Some(after.id),
            kind: "rotation".into(),
            text: words::event(&after, event),
            body: serde_json::to_value(event).unwrap_or_default(),
        });
        commit.rotation = Some(after.clone());
        self.ports.store.commit(self.fence, commit).await?;
        self.progress.committed(&after, event);
        Ok(after)
    }

    /// Records that the present step failed, with a growing pause.
    pub(super) async fn fail(
        &self,
        rotation: &Rotation,
        problem: Problem,
        blocked: bool,
    ) -> Result<Option<Timestamp>, RunError> {
        let count = rotation.failed_in_a_row().saturating_add(1);
        let longest = if rotation.emergency.is_some() { EMERGENCY_BACKOFF_MAX } else { BACKOFF_MAX };
        let retry_at = self.now() + backoff(count).min(longest);
        let event = Event::Failed { problem, retry_at, blocked };
        self.commit(rotation, &event, Commit::new(self.now(), &self.actor)).await?;
        Ok(Some(retry_at))
    }

    /// An empty commit of this engine.
    pub(super) fn blank(&self) -> Commit {
        Commit::new(self.now(), &self.actor)
    }
}

fn concerned(policies: &[Policy]) -> BTreeMap<IntegrationName, Concerned> {
    let concerned = |policy: &Policy| Concerned {
        calendar: policy.calendar.clone(),
        impact: policy.impact.clone(),
        people: policy.people.clone(),
        retain: policy.credentials.iter().flat_map(|spec| spec.retain.clone()).collect(),
    };
    policies.iter().map(|policy| (policy.name.clone(), concerned(policy))).collect()
}

//! One group of integrations from beginning to end: an engine with its journal, its far side, its people and consumers,
//! under one clock. Whatever happens, the consumers look one second before and after it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::clock::Clock as _;
use crate::clock::ManualClock;
use crate::config;
use crate::emulator::TokenKey;
use crate::error::Class;
use crate::error::Error;
use crate::error::Result;
use crate::model::Handoff;
use crate::policy::Policy;
use crate::ports::Fence;
use crate::ports::Store;
use crate::run::Engine;
use crate::run::EngineOptions;
use crate::run::Pace;
use crate::run::Ports;
use crate::run::RunError;
use crate::run::explain;
use crate::store::Memory;

use super::SimulateOptions;
use super::cannot;
use super::consumers::Consumers;
use super::far::Far;
use super::limits::TenantLimits;
use super::people::People;
use super::places::Places;
use super::record::Book;
use super::record::Happening;
use super::record::Record;
use super::record::What;
use super::report::Stop;
use super::subject::Joining;
use super::subject::Subject;
use super::subject::permissions;
use super::tools::Tools;
use super::weather::Sky;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// After a cycle that could not see anything, the next one; the pause doubles up to [`AGAIN_MAX`].
const AGAIN: SignedDuration = SignedDuration::from_mins(5);
const AGAIN_MAX: SignedDuration = SignedDuration::from_hours(1);

/// More instants than an integration can need in a year: time that does not move ends here.
const INSTANTS_A_YEAR: i64 = 60_000;

/// What a group is played with.
pub(super) struct Stage<'a> {
    pub subject: &'a Subject,
    pub group: &'a [Joining],
    pub key: &'a TokenKey,
    pub tools: &'a Tools,
    pub number: usize,
}

/// What came of a group.
pub(super) struct Played {
    pub book: Book,
    pub handoffs: Vec<Handoff>,
    pub instants: u64,
    pub sign_ins: u64,
    pub stops: Vec<Stop>,
}

impl Played {
    /// Without the path of the temporary directory in what was said: a user's path stands alone, the same in every run.
    fn without(mut self, dir: &Path) -> Self {
        let dir = dir.display().to_string();
        let clear = |text: &mut String| *text = text.replace(&dir, "");
        self.book.happened.iter_mut().for_each(|one| clear(&mut one.text));
        self.stops.iter_mut().for_each(|one| clear(&mut one.reason));
        self
    }
}

/// Plays one group.
///
/// # Errors
/// `D022`, or what stops the engine.
pub(super) async fn play(stage: &Stage<'_>, options: &SimulateOptions, hear: &dyn Fn(f64)) -> Result<Played> {
    let dir = tempfile::tempdir().map_err(|error| {
        Error::new(Class::Failed, "F010", "cannot make a temporary directory").why(error).help("set TMPDIR to another")
    })?;
    let mut cohort = Cohort::begin(stage, options, dir.path()).await?;
    let whole = options.until.duration_since(options.from).as_secs_f64().max(1.0);
    let years = options.until.duration_since(options.from).as_hours() / (24 * 365) + 1;
    for _ in 0..INSTANTS_A_YEAR * years * i64::try_from(stage.group.len()).unwrap_or(1) {
        if cohort.now() >= options.until {
            return cohort.end(options).await.map(|played| played.without(dir.path()));
        }
        cohort.next_instant(options.until).await?;
        hear(cohort.now().duration_since(options.from).as_secs_f64() / whole);
    }
    Err(cannot(format!("time does not move on: it is {}", cohort.now())))
}

/// A group under way.
pub(super) struct Cohort<'a> {
    /// The pause after a cycle that could not see anything.
    pub(super) again: SignedDuration,
    pub(super) clock: ManualClock,
    pub(super) consumers: Consumers,
    pub(super) engine: Engine,
    pub(super) far: Far,
    pub(super) fence: Fence,
    pub(super) limits: Option<TenantLimits>,
    pub(super) next_due: Option<Timestamp>,
    pub(super) people: People,
    pub(super) places: Arc<Places>,
    /// Those that have begun.
    pub(super) policies: Vec<Policy>,
    pub(super) ports: Ports,
    pub(super) record: Arc<Record>,
    pub(super) settings: EngineOptions,
    pub(super) sky: Sky,
    pub(super) stage: &'a Stage<'a>,
    pub(super) stops: Vec<Stop>,
    pub(super) store: Arc<dyn Store>,
    pub(super) waiting: std::slice::Iter<'a, Joining>,
}

impl<'a> Cohort<'a> {
    async fn begin(stage: &'a Stage<'a>, options: &SimulateOptions, dir: &Path) -> Result<Self> {
        let clock = ManualClock::new(options.from);
        let seed = super::dice::dice(options.seed, &["tenant", &stage.number.to_string()]);
        let far = Far::new(&clock, seed, stage.key)?;
        let sky = Sky::of(options, stage.number)?;
        if let Some(plan) = sky.plan() {
            far.emulator.follow(plan);
        }
        let record = Arc::new(Record::new(&clock, stage.subject.limits, stage.group.iter().map(|one| &one.policy)));
        let places = Arc::new(Places::below(dir));
        // One instance for all groups: nothing of it outlives this run.
        let store: Arc<dyn Store> = Arc::new(Memory::new("simula"));
        let ports = Ports {
            certs: stage.tools.certs.clone(),
            clock: Arc::new(clock.clone()),
            directory: far.graph.clone(),
            issuers: stage.tools.issuers.clone(),
            notifier: Some(record.clone()),
            sinks: places.clone(),
            store: store.clone(),
            tokens: far.entra.clone(),
        };
        let settings = EngineOptions {
            actor: "everkey".to_owned(),
            alerts: stage.subject.alerts.clone(),
            login_url: far.emulator.url(),
            os_user: None,
            pace: Pace::Scheduled(stage.subject.limits),
            permissions_allowed: permissions(stage.group),
            rules: options.rules,
            tenant: stage.subject.tenant.clone(),
        };
        let fence = acquire(&store).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let engine = Engine::new(ports.clone(), fence, settings.clone(), record.clone(), stop);
        let consumers = Consumers::under(sky.lag());
        Ok(Self {
            again: AGAIN,
            clock,
            consumers,
            engine,
            far,
            fence,
            limits: options.limits.clone(),
            next_due: None,
            people: People::new(options),
            places,
            policies: Vec::new(),
            ports,
            record,
            settings,
            sky,
            stage,
            stops: Vec::new(),
            store,
            waiting: stage.group.iter(),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves to the next instant at which anything happens, and lets it happen.
    async fn next_instant(&mut self, end: Timestamp) -> Result<()> {
        let now = self.now();
        let joins = self.waiting.as_slice().first().map(|one| one.at);
        let ends = self.record.book().ends.range(now + SECOND..).next().copied();
        let next = [self.next_due, self.people.next(), self.sky.next(), joins, ends].into_iter().flatten().min();
        let next = next.unwrap_or(end).clamp(now, end);
        if next - SECOND > now {
            self.clock.advance_to(next - SECOND);
            self.look().await?;
        }
        self.clock.advance_to(next);
        if ends == Some(next) {
            self.look().await?;
        }
        self.weather().await?;
        self.join()?;
        for act in self.people.due(self.now()) {
            self.act(&act).await?;
        }
        self.tick().await?;
        self.clock.advance_to(self.now() + SECOND);
        self.look().await
    }

    /// Integrations whose time has come begin.
    fn join(&mut self) -> Result<()> {
        let mut joined = false;
        while let Some(one) = self.waiting.as_slice().first().filter(|one| one.at <= self.now()) {
            self.waiting.next();
            let mut policy = one.policy.clone();
            if let Some(named) = &policy.app.client_id {
                policy.app.client_id = Some(self.application(named.as_str(), &policy)?);
            }
            for sink in policy.credentials.iter().flat_map(|credential| &credential.sinks) {
                self.places.furnish(sink)?;
            }
            self.consumers.join(&policy, &self.places);
            self.policies.push(policy);
            joined = true;
        }
        if joined {
            self.engine.reconfigure(self.ports.clone(), self.settings.clone(), &self.policies);
        }
        Ok(())
    }

    async fn tick(&mut self) -> Result<()> {
        let now = self.now();
        match self.engine.tick(&self.policies, &[]).await {
            Ok(tick) => {
                for (name, error) in tick.failed {
                    self.record.book().failures.entry(name).or_insert_with(|| explain::recorded(error));
                }
                self.next_due = tick.next_due.map(|due| due.max(now));
                self.again = AGAIN;
            }
            // Nothing could be seen: a daemon comes back.
            Err(RunError::Said(error)) => {
                let problem = explain::recorded(error);
                for policy in &self.policies {
                    self.record.book().failures.insert(policy.name.clone(), problem.clone());
                }
                self.next_due = Some(now + self.again);
                self.again = (self.again * 2).min(AGAIN_MAX);
            }
            Err(stopped) => return Err(stopped.into_error()),
        }
        for one in self.store.integrations().await.map_err(|error| explain::store(&error))? {
            self.consumers.configure(&one.name, one.app.client_id.as_str());
        }
        self.deliver_mail().await
    }

    /// People read what came.
    async fn deliver_mail(&mut self) -> Result<()> {
        let unread = std::mem::take(&mut self.record.book().unread);
        if unread.is_empty() {
            return Ok(());
        }
        let all = self.store.handoffs().await.map_err(|error| explain::store(&error))?;
        let waiting: Vec<&Handoff> = all.iter().filter(|handoff| handoff.is_waiting()).collect();
        for notice in &unread {
            let inner = if notice.merged.is_empty() { std::slice::from_ref(notice) } else { &notice.merged };
            for notice in inner {
                if let Some(calendar) = self.record.calendar(&notice.integration) {
                    self.people.read(notice, &waiting, calendar, self.clock.now());
                }
            }
        }
        Ok(())
    }

    /// The consumers sign in with all they hold.
    async fn look(&mut self) -> Result<()> {
        let now = self.now();
        for change in self.consumers.check(&self.far.emulator, now) {
            let slot = change.slot.to_string();
            let (what, text) = match change.refused {
                Some(refused) => {
                    let stop = super::reason::stop(self.store.as_ref(), &self.record, &change, refused, now).await?;
                    let text = stop.reason.clone();
                    self.stops.push(stop);
                    (What::Stopped, text)
                }
                None => {
                    let name = change.integration.as_str();
                    let mut open = self.stops.iter_mut().rev();
                    let open =
                        open.find(|stop| stop.integration == name && stop.credential == slot && stop.until.is_none());
                    if let Some(stop) = open {
                        stop.until = Some(now);
                    }
                    (What::Working, "works again".to_owned())
                }
            };
            let mut happening = Happening::new(now, change.integration.as_str(), what, text);
            happening.credential = Some(slot);
            self.record.note(happening);
        }
        Ok(())
    }

    async fn end(mut self, options: &SimulateOptions) -> Result<Played> {
        // Once for each credential, however many places it goes to.
        let without: std::collections::BTreeSet<_> = self.consumers.without().collect();
        for (integration, slot) in without {
            let joined = self.stage.group.iter().find(|one| one.policy.name == *integration);
            let at = joined.map_or(options.from, |one| one.at);
            let book = self.record.book();
            let problem = book.failures.get(integration);
            self.stops.push(super::reason::never_started(integration, slot, at, problem));
        }
        let handoffs = self.store.handoffs().await.map_err(|error| explain::store(&error))?;
        self.store.release(self.fence).await.map_err(|error| explain::store(&error))?;
        let book = std::mem::take(&mut *self.record.book());
        let (instants, sign_ins) = (self.consumers.instants, self.consumers.sign_ins);
        Ok(Played { book, handoffs, instants, sign_ins, stops: self.stops })
    }
}

pub(super) async fn acquire(store: &Arc<dyn Store>) -> Result<Fence> {
    store.acquire(&config::holder(), config::real_now()).await.map_err(|error| explain::store(&error))
}

//! Alerts and mail: what stands in the journal becomes what people watch, what is due is committed to the
//! outbox, and the outbox is sent.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::alert;
use crate::alert::AlertInput;
use crate::alert::Situation;
use crate::alert::Watched;
use crate::model::CredentialSpec;
use crate::model::CredentialStatus;
use crate::model::Handoff;
use crate::model::HandoffSpec;
use crate::model::HandoffStatus;
use crate::model::IntegrationRecord;
use crate::model::Notice;
use crate::model::NoticeIds;
use crate::model::OwnCredential;
use crate::model::Problem;
use crate::model::Rotation;
use crate::model::State;
use crate::model::StepLine;
use crate::policy::Mode;
use crate::policy::Policy;
use crate::policy::times_a_year;
use crate::rotation;
use crate::rotation::numbers::backoff;
use crate::run::engine::Engine;
use crate::run::setup::RunError;
use crate::run::setup::Tick;

/// So long after its confirmation a renewal is news; then the credential is simply healthy.
const NEWS: SignedDuration = SignedDuration::from_hours(24 * 30);

/// A successor whose date is nearer than this is as good as started.
const IMMINENT: SignedDuration = SignedDuration::from_hours(48);

/// A successor that has not started so long after its date (a freeze) is overdue: people hear by the ladder.
const OVERDUE: SignedDuration = SignedDuration::from_hours(24 * 7);

/// A failure that repeats this often, or blocks, is told.
const TELL_AFTER: u32 = 4;

/// The five steps, in order.
const STEPS: [&str; 5] = ["stage", "prove", "deliver", "confirm", "retire"];

impl Engine {
    /// Commits the notices that are due, sends what waits, and says when the next is due.
    /// `others` are the credentials that everkey did not make.
    pub(super) async fn tell(
        &self,
        policies: &[Policy],
        others: Vec<Watched>,
        tick: &mut Tick,
    ) -> Result<(), RunError> {
        let store = &self.ports.store;
        let mut sent = BTreeMap::new();
        for outgoing in store.outbox().await? {
            for key in alert::keys_of(&outgoing.notice) {
                sent.insert(key.to_owned(), outgoing.created);
            }
        }
        let acknowledgements = store.acknowledgements().await?;
        let mut watched = self.watched(policies).await?;
        watched.extend(others);
        let rules = &self.options.alerts;
        let now = self.now();
        let input = AlertInput { now, rules, watched: &watched, sent: &sent, acknowledgements: &acknowledgements };
        let mut look = alert::look(&input);
        let due = std::mem::take(&mut look.due);
        if !due.is_empty() {
            let mut commit = self.blank();
            for notice in &due {
                for key in alert::keys_of(notice) {
                    sent.insert(key.to_owned(), now);
                }
            }
            commit.notices = due;
            store.commit(self.fence, commit).await?;
            let input = AlertInput { now, rules, watched: &watched, sent: &sent, acknowledgements: &acknowledgements };
            look = alert::look(&input);
        }
        tick.due(look.next);
        self.send(tick).await
    }

    /// Commits a notice about everkey itself to whoever looks after it, and sends what waits.
    ///
    /// # Errors
    /// What stops the run; mail that cannot be sent is no error.
    pub async fn tell_operator(&self, stage: &str, problem: Problem) -> Result<(), RunError> {
        let rules = &self.options.alerts;
        let owners = self.people.values().map(|concerned| &concerned.people.owner).filter(|owner| !owner.is_empty());
        let mut to: Vec<String> = rules.fallback_to.iter().cloned().collect();
        if to.is_empty() {
            to.extend(owners.cloned());
            to.sort();
            to.dedup();
        }
        let notice = |to: &String| alert::operation(stage, to, problem.clone(), rules, self.now());
        let mut commit = self.blank();
        commit.notices = to.iter().map(notice).collect();
        self.ports.store.commit(self.fence, commit).await?;
        self.send(&mut Tick::default()).await
    }

    /// Sends the outbox. What cannot be sent stays there.
    pub async fn send(&self, tick: &mut Tick) -> Result<(), RunError> {
        let Some(notifier) = &self.ports.notifier else { return Ok(()) };
        for outgoing in self.ports.store.unsent().await? {
            self.ready().await?;
            match notifier.notify(&outgoing.notice).await {
                Ok(()) => self.ports.store.mark_sent(self.fence, &outgoing.notice.key, self.now()).await?,
                Err(error) => {
                    self.ports.store.mark_failed(self.fence, &outgoing.notice.key, &error.to_string()).await?;
                    tick.due(Some(self.now() + backoff(outgoing.tries + 2)));
                    tick.mail_failed.get_or_insert_with(|| crate::run::explain::mail(&error));
                    // The server is the same for the others: they wait as well.
                    break;
                }
            }
        }
        Ok(())
    }

    /// Every slot of every policy as people see it.
    pub async fn watched(&self, policies: &[Policy]) -> Result<Vec<Watched>, RunError> {
        let store = &self.ports.store;
        let records = store.integrations().await?;
        let handoffs = store.handoffs().await?;
        let mut watched = Vec::new();
        for policy in policies.iter().filter(|policy| policy.mode != Mode::Watch) {
            let Some(record) = records.iter().find(|record| record.name == policy.name) else { continue };
            let rotations = store.rotations(&policy.name).await?;
            let own = store.credentials(Some(&policy.name)).await?;
            for spec in &policy.credentials {
                let mine: Vec<&Rotation> = rotations.iter().filter(|r| r.spec.slot == spec.slot).collect();
                let current = own.iter().find(|own| own.slot == spec.slot && own.status == CredentialStatus::Current);
                watched.extend(watch(policy, spec, record, &mine, current, &handoffs, self.now()));
            }
        }
        Ok(watched)
    }

    /// `r` as people see it while it is under way.
    pub(super) fn watched_now(&self, r: &Rotation) -> Option<Watched> {
        let people = self.people.get(&r.integration)?;
        Some(Watched {
            integration: r.integration.clone(),
            title: r.title.clone(),
            impact: people.impact.clone(),
            slot: r.spec.slot.clone(),
            word: r.spec.kind.word().to_owned(),
            people: people.people.clone(),
            calendar: people.calendar.clone(),
            ids: ids(r, r.old.first().map(|old| old.key_id.clone())),
            needs_person: true,
            times_a_year: times_a_year(&r.spec),
            ends: r.old_end(),
            new_until: None,
            situation: Situation::Rotating { since: r.planned },
            thread: thread(r),
            adopt: None,
        })
    }

    /// That an emergency began.
    pub(super) fn emergency_begun(&self, r: &Rotation) -> Vec<Notice> {
        let (Some(watched), Some(emergency)) = (self.watched_now(r), &r.emergency) else { return Vec::new() };
        alert::emergency_begun(&watched, &r.id.to_string(), &emergency.reason, &self.options.alerts, self.now())
    }

    /// The first mail about a hand-off just sealed.
    pub(super) fn handoff_ready(&self, r: &Rotation, handoff: &Handoff) -> Option<Notice> {
        if let Some(emergency) = &r.emergency {
            let situation = Situation::Urgent {
                handoffs: vec![handoff.clone()],
                since: handoff.created,
                reason: emergency.reason.clone(),
            };
            let ends = emergency.now.then_some(handoff.created);
            let watched = Watched { ends, new_until: Some(handoff.new_end), situation, ..self.watched_now(r)? };
            return Some(alert::urgent_handoff_ready(&watched, handoff, &self.options.alerts, self.now()));
        }
        let watched = Watched {
            new_until: Some(handoff.new_end),
            situation: Situation::Waiting { handoffs: vec![handoff.clone()] },
            ..self.watched_now(r)?
        };
        Some(alert::handoff_ready(&watched, handoff, &self.options.alerts, self.now()))
    }

    /// When a hand-off made now is due.
    pub(super) fn handoff_due(&self, r: &Rotation, spec: &HandoffSpec, now: Timestamp) -> Timestamp {
        match self.people.get(&r.integration) {
            Some(people) => alert::due_date(now, spec.lead, r.old_end(), r.spec.overlap, &people.calendar).0,
            None => now.checked_add(spec.lead).unwrap_or(now),
        }
    }
}

fn thread(r: &Rotation) -> String {
    format!("{}.{}.{}", r.integration, r.spec.slot, r.id)
}

fn ids(r: &Rotation, key_id: Option<crate::model::KeyId>) -> NoticeIds {
    NoticeIds {
        tenant_id: r.app.tenant_id.clone(),
        client_id: r.app.client_id.clone(),
        object_id: r.app.object_id.clone(),
        key_id,
        run: Some(r.id.to_string()),
    }
}

fn watch(
    policy: &Policy,
    spec: &CredentialSpec,
    record: &IntegrationRecord,
    rotations: &[&Rotation],
    current: Option<&OwnCredential>,
    handoffs: &[Handoff],
    now: Timestamp,
) -> Option<Watched> {
    let latest = rotations.last().copied();
    if latest.is_none() && current.is_none() {
        return None;
    }
    let mine: Vec<Handoff> =
        latest.map(|r| handoffs.iter().filter(|h| h.rotation == r.id).cloned().collect()).unwrap_or_default();
    let (mut situation, ends) = situation(latest, current, &mine, now);
    if policy.mode != Mode::Rotate {
        situation = standing_still(situation, ends, now);
    }
    if matches!(situation, Situation::Healthy) && is_about_to_rotate(policy, spec, current, now) {
        // The key comes within days, and with it the mail that says what to do: no mail before that one.
        situation = Situation::Rotating { since: now };
    }
    let fresh = latest.and_then(|r| r.fresh.as_ref());
    let key_id = match latest {
        Some(r) if r.is_open() => r.old.first().map(|old| old.key_id.clone()),
        _ => current.map(|current| current.key_id.clone()),
    };
    Some(Watched {
        integration: policy.name.clone(),
        title: policy.title.clone(),
        impact: policy.impact.clone(),
        slot: spec.slot.clone(),
        word: spec.kind.word().to_owned(),
        people: policy.people.clone(),
        calendar: policy.calendar.clone(),
        ids: NoticeIds {
            tenant_id: record.app.tenant_id.clone(),
            client_id: record.app.client_id.clone(),
            object_id: record.app.object_id.clone(),
            key_id,
            run: latest.map(|r| r.id.to_string()),
        },
        // Where everkey changes nothing, somebody has to.
        needs_person: spec.needs_person() || policy.mode != Mode::Rotate,
        times_a_year: times_a_year(spec),
        ends,
        new_until: fresh.map(|fresh| fresh.end),
        situation,
        thread: latest.map_or_else(|| format!("{}.{}", policy.name, spec.slot), thread),
        adopt: None,
    })
}

/// Whether the successor's date has come, or comes within a day, and is not yet overdue.
fn is_about_to_rotate(policy: &Policy, spec: &CredentialSpec, current: Option<&OwnCredential>, now: Timestamp) -> bool {
    let due = current.and_then(|current| current.end.checked_sub(spec.rotate_before).ok());
    policy.mode == Mode::Rotate
        && due.is_some_and(|due| due.duration_since(now) < IMMINENT && now.duration_since(due) < OVERDUE)
}

/// Where a slot stands whose rotations everkey does not carry on: an open one is no reason to be calm.
fn standing_still(situation: Situation, ends: Option<Timestamp>, now: Timestamp) -> Situation {
    match situation {
        Situation::Failed { .. } | Situation::Healthy | Situation::Rotating { .. } => {
            if ends.is_some_and(|end| end <= now) { Situation::Expired } else { Situation::Healthy }
        }
        other => other,
    }
}

/// Where a slot stands, and when its consumers stop if nobody acts.
fn situation(
    latest: Option<&Rotation>,
    current: Option<&OwnCredential>,
    handoffs: &[Handoff],
    now: Timestamp,
) -> (Situation, Option<Timestamp>) {
    let in_use = current.map(|current| current.end);
    let Some(r) = latest else { return (Situation::Healthy, in_use) };
    let fresh_end = r.fresh.as_ref().map(|fresh| fresh.end);
    if let Some(failure) = r.failure.as_ref().filter(|f| f.blocked || f.count >= TELL_AFTER)
        && r.is_open()
        && !matches!(r.state, State::Confirmed | State::RetireIntent)
    {
        let situation = Situation::Failed {
            problem: failure.problem.clone(),
            since: failure.since,
            step: r.state.step().to_owned(),
            steps: steps(r),
        };
        // Of an emergency people hear at once, however long the old one would live.
        return (situation, if r.emergency.is_some() { None } else { r.old_end() });
    }
    if let Some(urgent) = urgent(r, handoffs) {
        return urgent;
    }
    match r.state {
        _ if r.waits_for_certificate() && rotation::certificate_due(r).is_some_and(|due| due <= now) => {
            (overdue_request(r, now), r.old_end())
        }
        // The old one has ended this instant; the engine says so itself with its next step.
        State::Verified | State::Delivered if r.old_end().is_some_and(|end| end <= now) => {
            (Situation::Superseded { at: now }, r.old_end())
        }
        State::Verified | State::Delivered if handoffs.iter().any(Handoff::is_waiting) => {
            (Situation::Waiting { handoffs: handoffs.to_vec() }, r.old_end())
        }
        State::SupersededUnconfirmed => {
            let said = handoffs.iter().find_map(|h| match &h.status {
                HandoffStatus::Confirmed { at, .. } => Some((*at, h.id.to_string())),
                HandoffStatus::Closed | HandoffStatus::Void { .. } | HandoffStatus::Waiting => None,
            });
            match (said, r.old_end()) {
                (Some((at, id)), _) if now.duration_since(at) < NEWS => (Situation::Done { at, id }, in_use),
                (Some(_), _) => (Situation::Healthy, in_use),
                // Nothing stopped at a first issuance nobody confirmed: its hand-off simply stays open.
                (None, None) => (Situation::Waiting { handoffs: handoffs.to_vec() }, None),
                (None, Some(end)) => (Situation::Superseded { at: end.max(r.finished.unwrap_or(end)) }, Some(end)),
            }
        }
        State::Confirmed | State::RetireIntent | State::Trailing | State::Done => {
            let at = r.confirmed_at().unwrap_or(r.planned);
            if in_use.is_some_and(|end| end <= now) {
                return (Situation::Expired, in_use);
            }
            if now.duration_since(at) < NEWS {
                return (Situation::Done { at, id: r.id.to_string() }, fresh_end);
            }
            (Situation::Healthy, fresh_end)
        }
        _ => (Situation::Rotating { since: r.planned }, r.old_end()),
    }
}

/// A hand-off of an emergency waits: the old one is still there, or people are without access.
fn urgent(r: &Rotation, handoffs: &[Handoff]) -> Option<(Situation, Option<Timestamp>)> {
    let emergency = r.emergency.as_ref()?;
    let waiting: Vec<Handoff> = handoffs.iter().filter(|h| h.is_waiting()).cloned().collect();
    let since = waiting.iter().map(|handoff| handoff.created).min()?;
    let stopped = r.removals.iter().filter_map(|removal| removal.sent).min();
    Some((Situation::Urgent { handoffs: waiting, since, reason: emergency.reason.clone() }, stopped))
}

/// An outside CA has not answered in time: people hear as they do of a failure.
fn overdue_request(r: &Rotation, now: Timestamp) -> Situation {
    let problem = Problem {
        code: "R051".into(),
        summary: "the certificate for the request has not come back".into(),
        fix: Some(format!("everkey cert answer {} FILE", r.integration)),
        request_id: None,
    };
    let since = rotation::certificate_due(r).unwrap_or(now);
    Situation::Failed { problem, since, step: r.state.step().to_owned(), steps: steps(r) }
}

/// The five steps of a rotation, for the technical mail.
pub fn steps(r: &Rotation) -> Vec<StepLine> {
    let at_step = r.state.step();
    let failed = r.failure.as_ref();
    let position = STEPS.iter().position(|step| *step == at_step).unwrap_or(STEPS.len());
    STEPS
        .iter()
        .enumerate()
        .map(|(index, step)| {
            let (outcome, detail) = match (index.cmp(&position), failed) {
                (std::cmp::Ordering::Less, _) => ("ok", String::new()),
                (std::cmp::Ordering::Equal, Some(failure)) => ("FAILED", failure.problem.summary.clone()),
                (std::cmp::Ordering::Equal, None) => ("waiting", String::new()),
                (std::cmp::Ordering::Greater, _) => ("not started", String::new()),
            };
            let at = match (*step, index.cmp(&position)) {
                ("deliver", std::cmp::Ordering::Less) => r.delivered_at(),
                ("confirm", std::cmp::Ordering::Less) => r.confirmed_at(),
                (_, std::cmp::Ordering::Equal) => failed.map(|failure| failure.since),
                _ => None,
            };
            StepLine { step: (*step).to_owned(), outcome: outcome.to_owned(), detail, at }
        })
        .collect()
}

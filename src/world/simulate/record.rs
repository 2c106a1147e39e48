//! What happened, as it happens: the engine's steps and the notices it sends. No secret fits in it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use crate::clock::Clock as _;
use crate::clock::ManualClock;
use crate::model::Calendar;
use crate::model::Event;
use crate::model::HandoffId;
use crate::model::IntegrationName;
use crate::model::Notice;
use crate::model::NoticeKind;
use crate::model::Problem;
use crate::model::Proof;
use crate::model::Retire;
use crate::model::Rotation;
use crate::model::RotationId;
use crate::notifiers::templates;
use crate::policy::Policy;
use crate::policy::gate;
use crate::ports::Notifier;
use crate::ports::PortError;
use crate::rotation::Waiting;
use crate::run::Limits;
use crate::run::Progress;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A credential was made and attached.
    Staged,
    /// Every place has it.
    Delivered,
    /// A key waits for a person.
    Handoff,
    /// A person opened a hand-off and passed it on.
    Opened,
    /// A person said that it is in use.
    Confirmed,
    /// A person brought back a certificate.
    Answered,
    /// A mail.
    Mail,
    /// A mail to whoever must make others act.
    Escalation,
    /// An old credential left.
    Retired,
    /// The old one ended before anybody confirmed.
    Superseded,
    /// A step failed and is tried again.
    Failed,
    /// A freeze put something off.
    FreezeMoved,
    /// Waiting longer would have cost the overlap: it went on in a freeze.
    FreezeForced,
    /// A consumer has no working credential.
    Stopped,
    /// It works again.
    Working,
    /// Graph and the token endpoint cannot be reached.
    OutageBegins,
    /// They can be reached again.
    OutageEnds,
    /// everkey ended without warning, and goes on from its journal.
    Crash,
    /// Another administrator added a credential of their own.
    Foreign,
    /// The tenant's policy caps lifetimes from now on.
    TenantLimits,
}

impl What {
    /// The word of the JSON form.
    pub fn word(self) -> String {
        serde_json::to_value(self).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// One thing that happened.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// Integration; empty for what concerns all.
    pub integration: String,
    /// What.
    pub what: What,
    /// Credential within the integration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The integration's how-manieth rotation, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<u32>,
    /// The integration's how-manieth hand-off, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handoff: Option<u32>,
    /// Who is asked, told, or acted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
    /// One line.
    pub text: String,
}

impl Happening {
    /// One that concerns an integration, or all where `integration` is empty.
    pub(super) fn new(at: Timestamp, integration: &str, what: What, text: impl Into<String>) -> Self {
        Self {
            at,
            integration: integration.to_owned(),
            what,
            credential: None,
            rotation: None,
            handoff: None,
            people: Vec::new(),
            text: text.into(),
        }
    }
}

/// The life of one credential, as far as it has come.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    pub integration: IntegrationName,
    pub slot: String,
    pub word: &'static str,
    pub rotation: u32,
    pub staged: Option<Timestamp>,
    pub delivered: Option<Timestamp>,
    pub confirmed: Option<Timestamp>,
    pub end: Option<Timestamp>,
    /// When what it replaced left, or ended.
    pub old_gone: Option<Timestamp>,
    pub old_end: Option<Timestamp>,
    pub superseded: bool,
}

/// One freeze that got in the way.
#[derive(Clone, Debug)]
pub(super) struct Hindrance {
    pub integration: IntegrationName,
    pub rotation: u32,
    pub step: &'static str,
    pub freeze: (jiff::civil::Date, jiff::civil::Date),
    pub wanted: Timestamp,
    pub actual: Timestamp,
    pub forced: bool,
}

#[derive(Default)]
pub(super) struct Book {
    pub happened: Vec<Happening>,
    pub traces: BTreeMap<RotationId, Trace>,
    pub hindrances: Vec<Hindrance>,
    /// Ends of credentials that lie ahead.
    pub ends: BTreeSet<Timestamp>,
    /// Notices that nobody has read yet.
    pub unread: Vec<Notice>,
    /// The last failure of an integration, until something works.
    pub failures: BTreeMap<IntegrationName, Problem>,
    handoffs: BTreeMap<HandoffId, u32>,
    counts: BTreeMap<IntegrationName, (u32, u32)>,
}

/// Writes everything down.
pub(super) struct Record {
    book: Mutex<Book>,
    calendars: BTreeMap<IntegrationName, Calendar>,
    clock: ManualClock,
    limits: Limits,
}

impl Record {
    pub(super) fn new<'a>(clock: &ManualClock, limits: Limits, policies: impl Iterator<Item = &'a Policy>) -> Self {
        let calendars = policies.map(|policy| (policy.name.clone(), policy.calendar.clone())).collect();
        Self { book: Mutex::default(), calendars, clock: clock.clone(), limits }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn calendar(&self, integration: &IntegrationName) -> Option<&Calendar> {
        self.calendars.get(integration)
    }

    /// Notes something.
    pub(super) fn note(&self, happening: Happening) {
        self.book().happened.push(happening);
    }

    /// The how-manieth hand-off of its integration one is.
    pub(super) fn handoff(&self, id: &HandoffId) -> Option<u32> {
        self.book().handoffs.get(id).copied()
    }

    /// Whether a freeze got in the way of what was `due` and happens now.
    fn hindered(&self, rotation: &Rotation, due: Timestamp, now: Timestamp, spread: bool) -> Option<(Timestamp, bool)> {
        let calendar = self.calendars.get(&rotation.integration)?;
        if calendar.freeze.is_empty() {
            return None;
        }
        let free = Calendar { freeze: Vec::new(), ..calendar.clone() };
        let most = self.limits.jitter;
        let name = rotation.integration.as_str();
        let moved = |day| if spread { gate::spread(name, day, most) } else { jiff::SignedDuration::ZERO };
        let wanted = gate::start(&free, due, due, moved);
        let frozen = |at: Timestamp| calendar.is_frozen(at.to_zoned(calendar.zone()).date());
        let forced = frozen(now);
        (forced || (frozen(wanted) && wanted < now)).then_some((wanted, forced))
    }

    /// Notes what a freeze did to a step.
    fn hinder(&self, book: &mut Book, rotation: &Rotation, step: &'static str, due: Timestamp, spread: bool) {
        let now = self.clock.now();
        let Some((wanted, forced)) = self.hindered(rotation, due, now, spread) else { return };
        let Some(calendar) = self.calendars.get(&rotation.integration) else { return };
        let day = |at: Timestamp| at.to_zoned(calendar.zone()).date();
        let inside =
            |at: Timestamp| calendar.freeze.iter().find(|(from, to)| (*from..=*to).contains(&day(at))).copied();
        let Some(freeze) = inside(if forced { now } else { wanted }) else { return };
        let number = book.traces.get(&rotation.id).map_or(0, |trace| trace.rotation);
        let (from, to) = freeze;
        let (what, text) = if forced {
            (What::FreezeForced, format!("{step} went on in the freeze {from} to {to}: waiting would cost the overlap"))
        } else {
            (
                What::FreezeMoved,
                format!("{step} of {} put off to {} by the freeze {from} to {to}", day(wanted), day(now)),
            )
        };
        let mut happening = Happening::new(now, rotation.integration.as_str(), what, text);
        happening.rotation = Some(number);
        happening.credential = Some(rotation.spec.slot.to_string());
        book.happened.push(happening);
        let integration = rotation.integration.clone();
        book.hindrances.push(Hindrance { integration, rotation: number, step, freeze, wanted, actual: now, forced });
    }
}

impl Book {
    /// The trace of a rotation, begun when it is heard of first.
    fn trace(&mut self, rotation: &Rotation) -> &mut Trace {
        let counts = &mut self.counts;
        self.traces.entry(rotation.id).or_insert_with(|| {
            let (rotations, _) = counts.entry(rotation.integration.clone()).or_default();
            *rotations += 1;
            Trace {
                integration: rotation.integration.clone(),
                slot: rotation.spec.slot.to_string(),
                word: rotation.spec.kind.word(),
                rotation: *rotations,
                staged: None,
                delivered: None,
                confirmed: None,
                end: None,
                old_gone: None,
                old_end: rotation.old_end(),
                superseded: false,
            }
        })
    }

    fn number(&mut self, integration: &IntegrationName, id: &HandoffId) -> u32 {
        let counts = &mut self.counts;
        *self.handoffs.entry(id.clone()).or_insert_with(|| {
            let (_, handoffs) = counts.entry(integration.clone()).or_default();
            *handoffs += 1;
            *handoffs
        })
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

impl Progress for Record {
    fn provisioned(&self, _integration: &str, _what: &str) {}

    fn committed(&self, rotation: &Rotation, event: &Event) {
        let now = self.clock.now();
        let mut book = self.book();
        let number = book.trace(rotation).rotation;
        let name = rotation.integration.as_str();
        let told = |what, text: String| Happening {
            rotation: Some(number),
            credential: Some(rotation.spec.slot.to_string()),
            ..Happening::new(now, name, what, text)
        };
        let word = rotation.spec.kind.word();
        match event {
            Event::AttemptStarted { number: 1, .. } => {
                if let Some(end) = rotation.old_end() {
                    let due = end.checked_sub(rotation.spec.rotate_before).unwrap_or(rotation.planned);
                    self.hinder(&mut book, rotation, "stage", due.min(rotation.planned), true);
                }
            }
            Event::Attached { fresh } => {
                book.ends.insert(fresh.end);
                let trace = book.trace(rotation);
                trace.staged.get_or_insert(now);
                trace.end = Some(fresh.end);
                book.happened.push(told(What::Staged, format!("{word} to {}", day(fresh.end))));
            }
            Event::Delivered { delivery } => {
                if let Proof::Sealed(id) = &delivery.proof {
                    let handoff = book.number(&rotation.integration, id);
                    let sink = rotation.spec.sinks.iter().find(|sink| sink.id == delivery.sink);
                    let spec = sink.and_then(|sink| sink.handoff());
                    let mut happening = told(
                        What::Handoff,
                        format!("sealed for {}", spec.map_or("nobody", |spec| spec.recipient_name.as_str())),
                    );
                    happening.people = spec.map(|spec| spec.doer.clone()).into_iter().collect();
                    happening.handoff = Some(handoff);
                    book.happened.push(happening);
                }
            }
            Event::AllDelivered => {
                book.failures.remove(&rotation.integration);
                book.trace(rotation).delivered = Some(now);
                book.happened.push(told(What::Delivered, "every place has it".into()));
            }
            Event::Confirmed => book.trace(rotation).confirmed = Some(now),
            Event::RetireIntended { .. } => {
                let due = match rotation.spec.retire {
                    Retire::AfterOverlap => {
                        rotation.delivered_at().max(rotation.confirmed_at()).map(|at| at + rotation.spec.overlap)
                    }
                    Retire::AtExpiry => rotation.old_end(),
                };
                if let Some(due) = due {
                    self.hinder(&mut book, rotation, "retire", due, false);
                }
            }
            Event::RemovalSent { key_id } if rotation.old.iter().any(|old| old.key_id == *key_id) => {
                book.trace(rotation).old_gone.get_or_insert(now);
                book.happened.push(told(What::Retired, format!("the old {word} was removed")));
            }
            Event::Superseded => {
                book.trace(rotation).superseded = true;
                // At a first issuance nothing has ended.
                if !rotation.old.is_empty() {
                    let text = "the old one ended, nobody had confirmed; the new one is current".to_owned();
                    book.happened.push(told(What::Superseded, text));
                }
            }
            Event::Failed { problem, .. } => {
                let text = format!("{}: {} [{}]", rotation.state.step(), problem.summary, problem.code);
                let problem =
                    Problem { summary: format!("{}: {}", rotation.state.step(), problem.summary), ..problem.clone() };
                book.failures.insert(rotation.integration.clone(), problem);
                if rotation.failure.as_ref().is_none_or(|failure| failure.count <= 1) {
                    book.happened.push(told(What::Failed, text));
                }
            }
            _ => {}
        }
    }

    fn waiting(&self, _rotation: &Rotation, _until: Option<Timestamp>, _why: &Waiting) {}
}

#[async_trait]
impl Notifier for Record {
    async fn notify(&self, notice: &Notice) -> Result<(), PortError> {
        // The real templates write it, so that what cannot be written is found.
        let mail = templates::render(notice, "everkey@contoso.example");
        let what = if notice.kind == NoticeKind::Escalation { What::Escalation } else { What::Mail };
        let mut book = self.book();
        let mut happening = Happening::new(self.clock.now(), notice.integration.as_str(), what, mail.subject);
        happening.people.clone_from(&notice.to);
        happening.handoff = notice.handoff.as_ref().map(|handoff| book.number(&notice.integration, &handoff.id));
        book.happened.push(happening);
        book.unread.push(notice.clone());
        Ok(())
    }
}

//! What the engine is made of, and how a run ends: ports, settings, the second clock, errors, the tick's report.

use std::sync::Arc;
use std::sync::Mutex;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::error::Error;
use crate::model::Calendar;
use crate::model::IntegrationName;
use crate::model::KeyId;
use crate::model::People;
use crate::plan::Plan;
use crate::ports::CertTool;
use crate::ports::Directory;
use crate::ports::Issuers;
use crate::ports::Notifier;
use crate::ports::PortError;
use crate::ports::Sinks;
use crate::ports::Store;
use crate::ports::StoreError;
use crate::ports::TokenEndpoint;
use crate::rotation::Rules;
use crate::rotation::numbers::SKEW;
use crate::run::explain;

/// Everything outside, as the engine sees it.
#[derive(Clone)]
pub struct Ports {
    /// Key tools.
    pub certs: Arc<dyn CertTool>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Graph.
    pub directory: Arc<dyn Directory>,
    /// Who signs certificates that are not self-signed.
    pub issuers: Arc<dyn Issuers>,
    /// Mail; `None` when none is configured.
    pub notifier: Option<Arc<dyn Notifier>>,
    /// Sinks.
    pub sinks: Arc<dyn Sinks>,
    /// The journal.
    pub store: Arc<dyn Store>,
    /// The token endpoint.
    pub tokens: Arc<dyn TokenEndpoint>,
}

/// Whether a rotation waits for its schedule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// A person asked for it now; freezes hold all the same.
    Now,
    /// The policy's schedule, window and freezes decide (`serve`, `demo`), within these limits.
    Scheduled(Limits),
}

/// What keeps many starts apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Spread of the starts of one fire.
    pub jitter: SignedDuration,
    /// Successors that may start on one local day, unless a lapse is near.
    pub new_per_day: u32,
}

/// Settings of an engine.
#[derive(Clone)]
pub struct EngineOptions {
    /// Who acts, for the history.
    pub actor: String,
    /// What alerts follow.
    pub alerts: crate::alert::Rules,
    /// Base of the sign-in pages, for consent links.
    pub login_url: String,
    /// The user of the operating system who started this, for the history.
    pub os_user: Option<String>,
    /// Whether rotations wait for their schedule.
    pub pace: Pace,
    /// Names everkey may grant by itself.
    pub permissions_allowed: Vec<String>,
    /// The switches of test builds.
    pub rules: Rules,
    /// Name of the tenant in `everkey.toml`.
    pub tenant: String,
}

/// How a run ends early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An error for the user.
    #[error(transparent)]
    Said(#[from] Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody asked to stop; the journal is consistent.
    #[error("stopped")]
    Stopped,
}

impl RunError {
    /// Makes a port's failure an error for the user.
    pub fn port(what: &str) -> impl FnOnce(PortError) -> Self + '_ {
        move |error| Self::Said(explain::explain(&error, what))
    }

    /// The error as shown.
    pub fn into_error(self) -> Error {
        match self {
            Self::Said(error) => error,
            Self::Store(error) => explain::store(&error),
            Self::Stopped => Error::new(crate::error::Class::Failed, "R001", "stopped by a signal")
                .help("the journal is consistent; run the same command again to go on"),
        }
    }
}

/// Graph's own time, carried on by the local clock since its last answer; not far, because a local clock that jumps
/// meanwhile would take it along, and the two would agree on an instant that has not come.
#[derive(Debug, Default)]
pub struct FarClock {
    /// Graph's time, and the local one beside it.
    noted: Mutex<Option<(Timestamp, Timestamp)>>,
    local: Mutex<Option<Timestamp>>,
}

impl FarClock {
    /// Notes the local time of the answer to come; `Date` has whole seconds.
    pub(super) fn at(&self, now: Timestamp) {
        if let Ok(mut local) = self.local.lock() {
            *local = Some(now);
        }
    }

    /// Notes what Graph said its time is.
    pub fn note(&self, date: Option<Timestamp>) {
        let local = self.local.lock().ok().and_then(|local| *local);
        if let (Some(date), Some(local), Ok(mut noted)) = (date, local, self.noted.lock()) {
            *noted = Some((date, local));
        }
    }

    /// Graph's time at `now`; `None` when its last answer is further away than the two clocks may be.
    pub(super) fn now(&self, now: Timestamp) -> Option<Timestamp> {
        let (date, local) = self.noted.lock().ok().and_then(|noted| *noted)?;
        let passed = now.duration_since(local);
        if passed.abs() > SKEW {
            return None;
        }
        date.checked_add(passed).ok()
    }
}

/// What one tick did.
#[derive(Clone, Debug, Default)]
pub struct Tick {
    /// Integrations that were looked at.
    pub applications: usize,
    /// The plan it started from.
    pub plan: Option<Plan>,
    /// Requests to Graph for looking.
    pub requests: u64,
    /// When the next tick is due.
    pub next_due: Option<Timestamp>,
    /// Failures, for `apply`.
    pub failed: Vec<(IntegrationName, Error)>,
    /// Integrations that changed.
    pub changed: Vec<IntegrationName>,
    /// Why mail could not be sent; it stays in the outbox.
    pub mail_failed: Option<Error>,
}

impl Tick {
    pub(super) fn due(&mut self, at: Option<Timestamp>) {
        self.next_due = match (self.next_due, at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// Whom an integration concerns, for mails that are committed beside a step, and what is never removed of it.
#[derive(Clone, Debug)]
pub(super) struct Concerned {
    pub(super) calendar: Calendar,
    pub(super) impact: String,
    pub(super) people: People,
    pub(super) retain: Vec<KeyId>,
}

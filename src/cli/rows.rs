//! Where every slot stands, from the journal: what `status` shows and `check` judges.

use jiff::SignedDuration;
use jiff::Timestamp;

use super::context::Context;
use crate::error::Class;
use crate::error::Error;
use crate::model::CredentialStatus;
use crate::model::DisabledSignIn;
use crate::model::Handoff;
use crate::model::KeyId;
use crate::model::OwnCredential;
use crate::model::Rotation;
use crate::model::State;
use crate::model::Thumbprint;
use crate::policy::Policy;
use crate::run::RunError;
use crate::run::emergency::sign_in;
use crate::run::explain;

/// From how little time left on a row is a warning, and critical.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Critical.
    pub critical: SignedDuration,
    /// Warning.
    pub warning: SignedDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { critical: SignedDuration::from_hours(24 * 7), warning: SignedDuration::from_hours(24 * 30) }
    }
}

/// One slot of one policy.
pub struct Row {
    /// Its policy.
    pub policy: Policy,
    /// Its slot.
    pub slot: String,
    /// `secret` or `certificate`.
    pub word: &'static str,
    /// The current credential.
    pub key_id: Option<String>,
    /// What consumers sign in with, which must therefore be in Entra.
    pub in_use: Option<(KeyId, Option<Thumbprint>)>,
    /// The successor, while there is one.
    pub replaced_by: Option<String>,
    /// When it stops.
    pub ends: Option<Timestamp>,
    /// For people.
    pub state: String,
    /// For machines.
    pub code: &'static str,
    /// `ok`, `warning`, `critical`, `expired`.
    pub severity: &'static str,
    /// Sign-in of the application, if an emergency disabled it.
    pub sign_in: Option<DisabledSignIn>,
}

impl Row {
    /// Whole days until it stops.
    pub fn days_left(&self, now: Timestamp) -> Option<i64> {
        self.ends.map(|ends| ends.duration_since(now).as_hours() / 24)
    }

    /// Whether a person or a repair is waited for, however far the end is.
    pub fn is_waiting(&self) -> bool {
        !matches!(self.code, "current" | "confirmed")
    }

    /// Judges it anew.
    pub fn judge(&mut self, now: Timestamp, limits: Limits) {
        self.severity = severity(self, now, limits);
    }
}

/// The rows of `policies`, soonest to stop first, and all hand-offs.
pub async fn rows(context: &Context, policies: &[Policy], limits: Limits) -> Result<(Vec<Row>, Vec<Handoff>), Error> {
    let store = &context.assembled.ports.store;
    let now = context.assembled.ports.clock.now();
    let handoffs = store.handoffs().await.map_err(|error| explain::store(&error))?;
    let records = store.integrations().await.map_err(|error| explain::store(&error))?;
    let mut rows = Vec::new();
    for policy in policies {
        let rotations = store.rotations(&policy.name).await.map_err(|error| explain::store(&error))?;
        let own = store.credentials(Some(&policy.name)).await.map_err(|error| explain::store(&error))?;
        let app = records.iter().find(|record| record.name == policy.name).map(|record| &record.app);
        let sign_in = match app {
            Some(app) => sign_in::disabled(store.as_ref(), app).await.map_err(RunError::into_error)?,
            None => None,
        };
        for spec in &policy.credentials {
            let latest = rotations.iter().rfind(|r| r.spec.slot == spec.slot);
            let current = own.iter().find(|own| own.slot == spec.slot && own.status == CredentialStatus::Current);
            let mut row = row(policy, spec.slot.as_str(), spec.kind.word(), latest, current, &handoffs);
            if let Some(disabled) = &sign_in {
                let since = disabled.at.map_or_else(String::new, |at| format!(" on {}", at.strftime("%-d %b %Y")));
                row.state = format!("SIGN-IN DISABLED by {}{since}", disabled.by);
                row.code = "sign_in_disabled";
            }
            row.sign_in.clone_from(&sign_in);
            row.judge(now, limits);
            rows.push(row);
        }
    }
    sort(&mut rows);
    Ok((rows, handoffs))
}

/// Soonest to stop first; what has no end stands last.
pub fn sort(rows: &mut [Row]) {
    rows.sort_by_key(|row| row.ends.unwrap_or(Timestamp::MAX));
}

fn row(
    policy: &Policy,
    slot: &str,
    word: &'static str,
    latest: Option<&Rotation>,
    current: Option<&OwnCredential>,
    handoffs: &[Handoff],
) -> Row {
    let fresh = latest.and_then(|r| r.fresh.as_ref());
    let mut row = Row {
        policy: policy.clone(),
        slot: slot.to_owned(),
        word,
        key_id: current.map(|current| current.key_id.to_string()),
        in_use: current.map(|current| (current.key_id.clone(), current.thumbprint.clone())),
        replaced_by: None,
        ends: current.map(|current| current.end),
        state: "no credential yet".to_owned(),
        code: "none",
        severity: "ok",
        sign_in: None,
    };
    let waiting = latest.and_then(|r| handoffs.iter().find(|h| h.rotation == r.id && h.is_waiting()));
    if let (Some(r), Some(handoff)) = (latest.filter(|r| r.emergency.is_some()), waiting) {
        let gone = r.removals.iter().any(|removal| removal.sent.is_some());
        row.replaced_by = fresh.map(|fresh| fresh.key_id.to_string());
        (row.state, row.code) = if gone {
            (format!("STOPPED until hand-off {}", handoff.id), "stopped")
        } else {
            (format!("EMERGENCY, awaiting hand-off {}", handoff.id), "awaiting_handoff")
        };
        return row;
    }
    match latest {
        Some(r) if r.is_open() => {
            let is_confirmed = matches!(r.state, State::Confirmed | State::RetireIntent);
            // At a first issuance nothing else can stop than what is about to be used.
            let is_first = r.old.is_empty() && matches!(r.state, State::Verified | State::Delivered);
            let ending = fresh.filter(|_| is_confirmed || is_first);
            row.ends = match ending {
                Some(fresh) => Some(fresh.end),
                None => r.old_end(),
            };
            row.in_use = match (ending, r.old.iter().max_by_key(|old| old.end)) {
                (Some(fresh), _) => Some((fresh.key_id.clone(), fresh.thumbprint.clone())),
                (None, Some(old)) => Some((old.key_id.clone(), old.thumbprint.clone())),
                (None, None) => None,
            };
            row.replaced_by = fresh.filter(|_| !r.old.is_empty()).map(|fresh| fresh.key_id.to_string());
            (row.state, row.code) = match (&r.failure, r.state, waiting) {
                (Some(failure), ..) if failure.count > 1 || failure.blocked => {
                    (format!("FAILED at {} ({})", r.state.step(), failure.problem.code), "failed")
                }
                (_, State::Verified | State::Delivered, Some(handoff)) => {
                    (format!("awaiting hand-off {}", handoff.id), "awaiting_handoff")
                }
                (_, State::Confirmed | State::RetireIntent, _) => (confirmed(r), "confirmed"),
                _ if r.waits_for_certificate() => {
                    ("awaiting certificate of your CA".to_owned(), "awaiting_certificate")
                }
                (_, state, _) => (format!("{} under way", state.step()), "rotating"),
            };
        }
        Some(r) if r.state == State::SupersededUnconfirmed && waiting.is_some() => {
            let (word, code) = if r.old.is_empty() {
                ("never confirmed", "unconfirmed")
            } else {
                ("STOPPED unless already changed", "stopped")
            };
            row.state = waiting.map_or_else(|| word.to_owned(), |h| format!("{word}, hand-off {}", h.id));
            row.code = code;
        }
        _ if current.is_some() => (row.state, row.code) = ("current".to_owned(), "current"),
        _ => {}
    }
    row
}

fn confirmed(r: &Rotation) -> String {
    // In an emergency the old one is gone, or goes at once.
    match r.old_end().filter(|_| r.emergency.is_none()) {
        Some(end) => format!("confirmed, old one to {}", end.strftime("%-d %b")),
        None => "confirmed".to_owned(),
    }
}

fn severity(row: &Row, now: Timestamp, limits: Limits) -> &'static str {
    if row.code == "stopped" {
        return "expired";
    }
    if row.code == "sign_in_disabled" {
        return if row.ends.is_some_and(|ends| ends <= now) { "expired" } else { "critical" };
    }
    let Some(ends) = row.ends else { return if row.code == "failed" { "warning" } else { "ok" } };
    // Whole days count: what has 7 days and some hours left has 7.
    let within = |limit: SignedDuration| {
        let days = limit.as_hours().div_euclid(24);
        if limit == SignedDuration::from_hours(24 * days) {
            row.days_left(now).is_some_and(|left| left <= days)
        } else {
            ends.duration_since(now) <= limit
        }
    };
    match () {
        () if ends <= now => "expired",
        () if within(limits.critical) => "critical",
        () if within(limits.warning) || row.code == "failed" => "warning",
        () => "ok",
    }
}

/// `60d`, `12h`, an ISO 8601 duration.
pub fn duration(text: &str) -> Result<SignedDuration, Error> {
    let parsed = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok())
        .filter(|days| (0..=36_500).contains(days))
        .map(|days| SignedDuration::from_hours(24 * days))
        .or_else(|| text.parse::<SignedDuration>().ok());
    parsed.ok_or_else(|| Error::new(Class::Usage, "U005", format!("{text:?} is no duration")).help("write 60d or 12h"))
}

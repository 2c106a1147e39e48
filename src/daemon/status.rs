//! How the daemon is, for whoever asks: a few words that cost nothing to give.

use std::sync::Arc;
use std::sync::Mutex;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::clock::Clock;

/// Without a look at the tenant for this long a silent expiry is possible (`mail.md` rule 10).
pub(super) const BLIND_AFTER: SignedDuration = SignedDuration::from_hours(26);
/// A mail that waits for this long means that nobody is told (expectation 37).
const MUTE_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What the last cycles showed.
pub struct Status {
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    synced: Option<Timestamp>,
    store_failed: bool,
    mail_waits_since: Option<Timestamp>,
    /// While another one leads: whether the store answers.
    standby: Option<bool>,
}

impl Status {
    /// Nothing seen yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, seen: Mutex::default() }
    }

    /// Why it does not do its work, in words without any detail of the inside; `None` when it does.
    pub fn problem(&self) -> Option<String> {
        let now = self.clock.now();
        let Ok(seen) = self.seen.lock() else { return Some("the daemon is in disorder".to_owned()) };
        let minute = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC");
        if seen.store_failed {
            return Some("the store cannot be written".to_owned());
        }
        match seen.synced {
            None => return Some("no successful sync yet".to_owned()),
            Some(at) if now.duration_since(at) > BLIND_AFTER => {
                return Some(format!("no successful sync since {}", minute(at)));
            }
            Some(_) => {}
        }
        let waits = seen.mail_waits_since.filter(|since| now.duration_since(*since) > MUTE_AFTER)?;
        Some(format!("mail has not been accepted since {}", minute(waits)))
    }

    /// What it is ready for, or why it is not. One that stands by does what it is there for: an upgrade waits for the new
    /// ones to be ready before it ends the old ones.
    ///
    /// # Errors
    /// Why it is not.
    pub fn ready(&self) -> Result<&'static str, String> {
        let standby = self.seen.lock().map_or(None, |seen| seen.standby);
        match (standby, self.problem()) {
            (Some(true), _) => Ok("standby"),
            (Some(false), _) => Err("stands by, and the store does not answer".to_owned()),
            (None, None) => Ok("ok"),
            (None, Some(why)) => Err(why),
        }
    }

    /// Another one leads; whether the store answers.
    pub fn stands_by(&self, answers: bool) {
        self.note(|seen| seen.standby = Some(answers));
    }

    /// This one leads.
    pub fn leads(&self) {
        self.note(|seen| seen.standby = None);
    }

    pub(super) fn synced(&self, at: Timestamp) {
        self.note(|seen| seen.synced = Some(at));
    }

    pub(super) fn store(&self, works: bool) {
        self.note(|seen| seen.store_failed = !works);
    }

    /// `since`: when the oldest mail was written that nobody has accepted.
    pub(super) fn mail(&self, since: Option<Timestamp>) {
        self.note(|seen| seen.mail_waits_since = since);
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        if let Ok(mut seen) = self.seen.lock() {
            change(&mut seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn each_problem_is_named_when_it_is_one() {
        let start: Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
        let clock = ManualClock::new(start);
        let status = Status::new(Arc::new(clock.clone()));
        let hours = SignedDuration::from_hours;
        assert_eq!(status.problem().unwrap(), "no successful sync yet");
        status.synced(start);
        assert_eq!(status.problem(), None);
        clock.advance_to(start + hours(26));
        assert_eq!(status.problem(), None, "26 hours are allowed");
        clock.advance_to(start + hours(26) + SignedDuration::from_secs(1));
        assert_eq!(status.problem().unwrap(), "no successful sync since 2026-11-20 09:00 UTC");
        status.synced(clock.now());
        status.mail(Some(clock.now()));
        clock.advance_to(clock.now() + hours(24));
        assert_eq!(status.problem(), None);
        clock.advance_to(clock.now() + SignedDuration::from_secs(1));
        assert_eq!(status.problem().unwrap(), "mail has not been accepted since 2026-11-21 11:00 UTC");
        status.mail(None);
        assert_eq!(status.problem(), None);
        status.store(false);
        assert_eq!(status.problem().unwrap(), "the store cannot be written");
    }
}

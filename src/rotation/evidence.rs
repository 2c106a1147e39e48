//! Evidence from the sign-in report (`rotation.md`): what others did with a key, told apart from what everkey
//! did itself. A report that cannot be read is "unknown", never "quiet".

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;

use super::numbers::SKEW;
use crate::model::KeyId;
use crate::model::Rotation;

/// A use of a key this long after everkey's own last use of it cannot be everkey's: the report lags and rounds.
pub const OWN_USE_BLUR: SignedDuration = SignedDuration::from_hours(48);

/// The report's line on one key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Activity {
    /// Last sign-in with it, across all flows, everkey's own included.
    pub last: Timestamp,
    /// Request id of that sign-in.
    pub request_id: Option<String>,
}

/// The report, and everkey's own sign-ins beside it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// By key id. A key without a line was never used as far as the report knows.
    pub activities: BTreeMap<KeyId, Activity>,
    /// everkey's own sign-ins by key id: when, request id.
    pub own: BTreeMap<KeyId, Vec<(Timestamp, Option<String>)>>,
}

/// What the report says of a rotation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The new key was used and every old key has been quiet for long enough.
    Confirmed,
    /// Nobody but everkey has used the new key so far.
    NewUnused,
    /// Somebody used an old key after the delivery, lately; quiet enough at this instant at the earliest.
    OldInUse(KeyId, Timestamp),
    /// Quiet so far, not for long enough: at this instant at the earliest.
    TooEarly(Timestamp),
}

impl Report {
    /// The last use of `key` by somebody else; `None` when there was none that can be told from everkey's own.
    pub fn foreign_use(&self, key: &KeyId) -> Option<Timestamp> {
        self.foreign_use_by(key, Timestamp::MAX)
    }

    /// The same, where everkey's own sign-ins count up to `now` only.
    fn foreign_use_by(&self, key: &KeyId, now: Timestamp) -> Option<Timestamp> {
        let activity = self.activities.get(key)?;
        let own = self.own.get(key).map_or(&[][..], Vec::as_slice);
        let ours = activity
            .request_id
            .as_ref()
            .is_some_and(|id| own.iter().any(|(_, own)| own.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(id))));
        if ours {
            return None;
        }
        match own.iter().map(|(at, _)| *at).filter(|at| *at <= now).max() {
            Some(last_own) if activity.last <= last_own + OWN_USE_BLUR => None,
            _ => Some(activity.last),
        }
    }

    /// How long an old key must have been quiet.
    fn quiet_time(rotation: &Rotation) -> SignedDuration {
        rotation.spec.confirm.consumer_use_interval.unwrap_or(OWN_USE_BLUR).max(OWN_USE_BLUR)
    }

    /// The old key that somebody used after the delivery and that is not quiet yet, and until when to wait at least.
    pub fn old_in_use(&self, rotation: &Rotation, now: Timestamp) -> Option<(KeyId, Timestamp)> {
        let delivered = rotation.delivered_at()?;
        let quiet = Self::quiet_time(rotation);
        // What a clock that was ahead dated after today would hide every use of the old one until then.
        let today = now.checked_add(SKEW).unwrap_or(Timestamp::MAX);
        rotation.old.iter().find_map(|old| {
            let used = self.foreign_use_by(&old.key_id, today).filter(|used| *used > delivered)?;
            let until = used.checked_add(quiet).ok()?;
            (until > now).then(|| (old.key_id.clone(), until))
        })
    }

    /// Whether the report confirms `rotation` at `now`. Never while it is not delivered everywhere.
    pub fn verdict(&self, rotation: &Rotation, now: Timestamp) -> Option<Verdict> {
        let delivered = rotation.delivered_at()?;
        let fresh = rotation.fresh.as_ref()?;
        if self.foreign_use(&fresh.key_id).is_none_or(|used| used <= delivered) {
            return Some(Verdict::NewUnused);
        }
        if let Some((key_id, until)) = self.old_in_use(rotation, now) {
            return Some(Verdict::OldInUse(key_id, until));
        }
        let covered = delivered.checked_add(Self::quiet_time(rotation)).ok()?;
        Some(if now < covered { Verdict::TooEarly(covered) } else { Verdict::Confirmed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "new";

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_hours(hours)
    }

    fn report(lines: &[(&str, i64, Option<&str>)], own: &[(&str, i64, Option<&str>)]) -> Report {
        let mut report = Report::default();
        for (key, hours, id) in lines {
            let activity = Activity { last: at(*hours), request_id: id.map(str::to_owned) };
            report.activities.insert(KeyId::from(*key), activity);
        }
        for (key, hours, id) in own {
            report.own.entry(KeyId::from(*key)).or_default().push((at(*hours), id.map(str::to_owned)));
        }
        report
    }

    #[test]
    fn an_own_sign_in_is_no_use() {
        let key = KeyId::from(NEW);
        assert_eq!(report(&[(NEW, 5, None)], &[(NEW, 4, None)]).foreign_use(&key), None, "within the blur");
        assert_eq!(report(&[(NEW, 99, Some("A"))], &[(NEW, 1, Some("a"))]).foreign_use(&key), None, "our request id");
        assert_eq!(report(&[(NEW, 60, Some("b"))], &[(NEW, 1, Some("a"))]).foreign_use(&key), Some(at(60)));
        assert_eq!(report(&[(NEW, 5, None)], &[]).foreign_use(&key), Some(at(5)), "never signed in with it");
        assert_eq!(report(&[], &[]).foreign_use(&key), None);
    }
}

//! Single rungs and their instants: so many days before the end, and every day after it.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::NoticeKind;
use crate::model::Reader;

use super::days;
use super::input::Rules;
use super::input::Watched;
use super::key;
use super::track::Pace;
use super::track::Rung;

/// "Has stopped" is repeated daily, this often in all.
const STOPPED_MAILS: i32 = 14;
/// From this many days on, a person hears daily.
pub(super) const DAILY_FROM_DAYS: u32 = 3;
/// From this many days on, notices keep their day and a snooze ends.
pub(super) const LAST_WEEK_DAYS: u32 = 7;
/// From this many days on, the backup gets a copy.
pub(super) const BACKUP_FROM_DAYS: u32 = 14;

/// Whom the rungs of a ladder speak to.
pub(super) struct Person<'p> {
    pub(super) reader: Reader,
    pub(super) address: &'p str,
    pub(super) kind: NoticeKind,
}

impl Person<'_> {
    /// The rung at so many days left.
    pub(super) fn rung(&self, rules: &Rules, watched: &Watched, anchor: &str, ends: Timestamp, left: u32) -> Rung {
        let repeats = left == DAILY_FROM_DAYS - 1 && !rules.before_days.contains(&left);
        let pace = match left {
            _ if left > LAST_WEEK_DAYS => Pace::Calm,
            _ if repeats => Pace::Daily,
            _ => Pace::Prompt,
        };
        Rung {
            at: rung_instant(rules, watched, ends, left),
            key: key::key(watched, anchor, &left.to_string(), self.reader, self.address),
            stage: left.to_string(),
            kind: self.kind,
            pace,
            with_backup: left <= BACKUP_FROM_DAYS,
        }
    }
}

/// "Has stopped": at the end itself or at the hour of sending of that day, whichever is later, then daily.
pub(super) fn stop_rungs(
    rules: &Rules,
    watched: &Watched,
    ends: Timestamp,
    reader: Reader,
    address: &str,
) -> impl Iterator<Item = Rung> {
    let day = days::local_date(&watched.calendar, ends);
    let anchor = format!("end-{day}");
    (0..STOPPED_MAILS).map(move |after| {
        let stage = if after == 0 { "0".to_owned() } else { format!("-{after}") };
        Rung {
            at: days::instant(&watched.calendar, days::shift(day, after), rules.send_at).max(ends),
            key: key::key(watched, &anchor, &stage, reader, address),
            stage,
            kind: NoticeKind::Stopped,
            pace: Pace::Unstoppable,
            with_backup: true,
        }
    })
}

/// "Has stopped" where nobody knows since when: once, at the first look.
pub(super) fn stop_rung_without_date(watched: &Watched, reader: Reader, address: &str) -> Rung {
    Rung {
        at: Timestamp::MIN,
        key: key::key(watched, "end-unknown", "0", reader, address),
        stage: "0".to_owned(),
        kind: NoticeKind::Stopped,
        pace: Pace::Unstoppable,
        with_backup: true,
    }
}

/// Days left at which a person hears, most first.
pub(super) fn person_days(rules: &Rules) -> Vec<u32> {
    let mut days: Vec<u32> = rules.before_days.iter().copied().chain(1..=DAILY_FROM_DAYS).filter(|d| *d > 0).collect();
    days.sort_unstable_by(|a, b| b.cmp(a));
    days.dedup();
    days
}

pub(super) fn failed_days(rules: &Rules) -> impl Iterator<Item = u32> {
    person_days(rules).into_iter().filter(|left| *left <= BACKUP_FROM_DAYS)
}

/// When a notice leaves that belongs to so many days before the end.
pub(super) fn rung_instant(rules: &Rules, watched: &Watched, ends: Timestamp, left: u32) -> Timestamp {
    let back = i32::try_from(left).unwrap_or(i32::MAX);
    let day = days::shift(days::local_date(&watched.calendar, ends), -back);
    if left > LAST_WEEK_DAYS {
        calm_instant(rules, watched, day)
    } else {
        days::instant(&watched.calendar, day, rules.send_at)
    }
}

/// The hour of sending on `day`, or on the working day before it.
pub(super) fn calm_instant(rules: &Rules, watched: &Watched, day: Date) -> Timestamp {
    let calendar = &watched.calendar;
    let day = if rules.working_days_only { days::working_on_or_before(calendar, day) } else { day };
    days::instant(calendar, day, rules.send_at)
}

pub(super) fn week_before(rules: &Rules, watched: &Watched, ends: Option<Timestamp>) -> Option<Timestamp> {
    ends.map(|ends| rung_instant(rules, watched, ends, LAST_WEEK_DAYS))
}

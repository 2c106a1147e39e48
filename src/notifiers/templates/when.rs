//! Dates as people write them, in the zone of the notice.

use jiff::Timestamp;
use jiff::Zoned;
use jiff::civil::Date;
use jiff::civil::Time;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::model::Notice;

/// Something that stops before this hour is stopped when people arrive; then the time is said.
const MORNING: Time = Time::constant(9, 0, 0, 0);

pub(super) fn local(notice: &Notice, at: Timestamp) -> Zoned {
    at.to_zoned(TimeZone::get(&notice.timezone).unwrap_or(TimeZone::UTC))
}

pub(super) fn today(notice: &Notice) -> Date {
    local(notice, notice.at).date()
}

/// `4 Dec`.
pub(super) fn short(date: Date) -> String {
    format!("{} {}", date.day(), date.strftime("%b"))
}

/// `20 December`; with the year when it is not that of `today`.
pub(super) fn medium(date: Date, today: Date) -> String {
    let text = format!("{} {}", date.day(), date.strftime("%B"));
    // December's mail about January needs no year to be understood.
    if days_between(today, date).abs() < 300 { text } else { format!("{text} {}", date.year()) }
}

/// `19 May 2027`.
pub(super) fn full(date: Date) -> String {
    format!("{} {}", date.day(), date.strftime("%B %Y"))
}

/// `Friday 4 December`.
pub(super) fn weekday(date: Date) -> String {
    format!("{} {} {}", date.strftime("%A"), date.day(), date.strftime("%B"))
}

/// `Sunday 20 December 2026 (30 days from today)`, with the time when it is before 09:00.
pub(super) fn stop(notice: &Notice, at: Timestamp) -> String {
    let local = local(notice, at);
    let time = if local.time() < MORNING { format!(" at {}", local.strftime("%H:%M")) } else { String::new() };
    let day = format!("{} {}", local.strftime("%A"), full(local.date()));
    format!("{day}{time} ({})", distance(days_between(today(notice), local.date())))
}

/// `7 days left`, counted in local dates.
pub(super) fn days_left(notice: &Notice, at: Timestamp) -> i32 {
    days_between(today(notice), local(notice, at).date())
}

/// `today`, `tomorrow`, `30 days from today`, `yesterday`, `3 days ago`.
pub(super) fn distance(days: i32) -> String {
    match days {
        -1 => "yesterday".to_owned(),
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        ..0 => format!("{} days ago", -days),
        _ => format!("{days} days from today"),
    }
}

/// `in 7 days`, `tomorrow`, `today`.
pub(super) fn soon(days: i32) -> String {
    match days {
        ..=0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        _ => format!("in {days} days"),
    }
}

/// `5 days`, `1 day`.
pub(super) fn days(count: i32) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}

/// The last weekday before `stop`, but not before `today`: by when somebody must have acted where no hand-off says.
pub(super) fn act_by(stop: Date, today: Date) -> Date {
    let mut day = stop.yesterday().unwrap_or(stop);
    while matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
        day = day.yesterday().unwrap_or(stop);
    }
    day.max(today)
}

fn days_between(from: Date, to: Date) -> i32 {
    // Dates a few years apart at most: days always fit.
    (to - from).get_days()
}

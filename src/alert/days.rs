//! Working days and local dates: when a deadline falls, and at which instant a mail leaves.

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::civil::Time;
use jiff::civil::Weekday;

use crate::model::Calendar;

/// How far a search for a working day goes; a calendar without one in a year is a mistake, and then any day will do.
const SEARCH_DAYS: i32 = 366;

/// The working day ends at this hour, local time; a deadline is the end of its day.
const END_OF_DAY_HOUR: i8 = 17;

/// Whether people work on `day`: not on Saturday and Sunday, holidays, or in a freeze.
pub(super) fn is_working(calendar: &Calendar, day: Date) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
        && !calendar.holidays.contains(&day)
        && !calendar.is_frozen(day)
}

/// The last working day on or before `day`.
pub(super) fn working_on_or_before(calendar: &Calendar, day: Date) -> Date {
    search(calendar, day, -1)
}

/// The first working day on or after `day`.
pub(super) fn working_on_or_after(calendar: &Calendar, day: Date) -> Date {
    search(calendar, day, 1)
}

/// The working day `count` working days after `day`.
pub(super) fn add_working(calendar: &Calendar, day: Date, count: u32) -> Date {
    (0..count).fold(day, |day, _| working_on_or_after(calendar, shift(day, 1)))
}

fn search(calendar: &Calendar, day: Date, step: i32) -> Date {
    (0..=SEARCH_DAYS).map(|n| shift(day, n * step)).find(|day| is_working(calendar, *day)).unwrap_or(day)
}

/// `day` moved by whole days; stays where it is at the ends of the calendar's range.
pub(super) fn shift(day: Date, days: i32) -> Date {
    day.checked_add(days.days()).unwrap_or(day)
}

/// The local date of an instant.
pub(super) fn local_date(calendar: &Calendar, at: Timestamp) -> Date {
    at.to_zoned(calendar.zone()).date()
}

/// The local time of day of an instant.
pub(super) fn local_time(calendar: &Calendar, at: Timestamp) -> Time {
    at.to_zoned(calendar.zone()).time()
}

/// The instant at which clocks in the zone show `time` on `day` (the later side of a gap, the first of two).
pub(super) fn instant(calendar: &Calendar, day: Date, time: Time) -> Timestamp {
    day.to_datetime(time).to_zoned(calendar.zone()).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// The deadline of a hand-off (`mail.md` rule 11): the last working day on or before `old_end - overlap`; at first
/// issuance the last on or before `created + lead`. Never before `created` + 1 day: then the first working day from
/// there on. Returns the end of that working day (17:00 local) and its local date.
pub fn due_date(
    created: Timestamp,
    lead: SignedDuration,
    old_end: Option<Timestamp>,
    overlap: SignedDuration,
    calendar: &Calendar,
) -> (Timestamp, Date) {
    let limit = match old_end {
        Some(end) => end.saturating_sub(overlap),
        None => created.saturating_add(lead),
    };
    // Both are durations of days at most; saturation can only fail for calendar units.
    let limit = limit.unwrap_or(created);
    let earliest = shift(local_date(calendar, created), 1);
    let wanted = working_on_or_before(calendar, local_date(calendar, limit));
    let day = if wanted < earliest { working_on_or_after(calendar, earliest) } else { wanted };
    (instant(calendar, day, Time::constant(END_OF_DAY_HOUR, 0, 0, 0)), day)
}

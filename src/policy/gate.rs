//! When a rotation may start: the schedule fires, the local time lies in the window, the local date is not frozen.
//! This gates stage and retire only (`rotation.md`, schedule and freeze); when a freeze yields is the engine's matter.

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::Zoned;
use jiff::civil::Date;

use crate::model::Calendar;

use super::Schedule;
use super::fires::is_within;

const TICK: SignedDuration = SignedDuration::from_nanos(1);

/// The first instant at or after `after` at which a rotation may start; [`Timestamp::MAX`] when none comes
/// (the schedule ends with the year 2100). A checked calendar always fires inside its window.
pub fn next_start(calendar: &Calendar, after: Timestamp) -> Timestamp {
    let Ok(schedule) = Schedule::parse(&calendar.schedule) else { return next_unfrozen(calendar, after) };
    let zone = calendar.zone();
    let mut from = after;
    loop {
        let before = from.saturating_sub(TICK).unwrap_or(from);
        let Some(fire) = schedule.next_after(before, &zone) else { return Timestamp::MAX };
        let open = next_open(calendar, fire);
        if open == fire {
            return fire;
        }
        from = open;
    }
}

/// When something whose date came at `due` starts, seen from `now`: at the first fire after its date, moved on by
/// what `spread` says for that local day. A fire that has passed while nobody looked (downtime, suspend) is made up
/// for once, at the next instant that is open.
pub fn start(
    calendar: &Calendar,
    due: Timestamp,
    now: Timestamp,
    spread: impl Fn(Date) -> SignedDuration,
) -> Timestamp {
    let fire = next_start(calendar, due);
    let day = fire.to_zoned(calendar.zone()).date();
    let moved = fire.saturating_add(spread(day)).unwrap_or(fire);
    // The spread never leads out of the window or into a freeze.
    let start = if next_open(calendar, moved) == moved { moved } else { fire };
    if start > now { start } else { next_open(calendar, now) }
}

/// How far the start of `name` moves on a local day: the same on every look, anywhere below `most`.
pub fn spread(name: &str, day: Date, most: SignedDuration) -> SignedDuration {
    let digest = super::read::digest(&format!("{name} {day}"));
    let number = u64::from_str_radix(digest.get(..15).unwrap_or_default(), 16).unwrap_or_default();
    let seconds = u64::try_from(most.as_secs()).unwrap_or_default().max(1);
    SignedDuration::from_secs(i64::try_from(number % seconds).unwrap_or_default())
}

/// The first instant at or after `after` whose local date is not frozen; [`Timestamp::MAX`] when the freeze
/// outlasts the calendar.
pub fn next_unfrozen(calendar: &Calendar, after: Timestamp) -> Timestamp {
    let mut local = after.to_zoned(calendar.zone());
    while let Some((_, last)) = calendar.freeze.iter().find(|(from, to)| (*from..=*to).contains(&local.date())) {
        match last.tomorrow().and_then(|day| day.to_zoned(calendar.zone())) {
            Ok(next) => local = next,
            Err(_) => return Timestamp::MAX,
        }
    }
    local.timestamp()
}

/// The first instant at or after `after` that is neither frozen nor outside the window.
pub fn next_open(calendar: &Calendar, after: Timestamp) -> Timestamp {
    let unfrozen = next_unfrozen(calendar, after);
    let Some(window) = calendar.window else { return unfrozen };
    let local = unfrozen.to_zoned(calendar.zone());
    if is_within(local.time(), window) {
        return unfrozen;
    }
    let (from, _) = window;
    let day = if local.time() < from { Ok(local.date()) } else { local.date().tomorrow() };
    // The window's begin may be frozen, or skipped by the clocks: look again from there.
    day.map_or(Timestamp::MAX, |day| next_open(calendar, at(&local, day, from)))
}

/// `time` on `day` in the zone of `local`, and later than `local`: where the clock shows a time twice, the
/// first of the two that still lies ahead.
fn at(local: &Zoned, day: Date, time: jiff::civil::Time) -> Timestamp {
    let ambiguous = local.time_zone().to_ambiguous_timestamp(day.to_datetime(time));
    let passes = [ambiguous.earlier(), ambiguous.later()];
    let ahead = passes.into_iter().filter_map(Result::ok).find(|pass| *pass > local.timestamp());
    ahead.unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::civil::time;

    use super::*;

    fn calendar() -> Calendar {
        Calendar {
            schedule: "0 6 * * MON-FRI".into(),
            timezone: "Europe/London".into(),
            freeze: vec![(date(2026, 12, 18), date(2027, 1, 4))],
            window: None,
            holidays: Vec::new(),
        }
    }

    fn start(calendar: &Calendar, after: &str) -> String {
        next_start(calendar, after.parse().unwrap()).to_string()
    }

    #[test]
    fn the_instant_itself_counts() {
        assert_eq!(start(&calendar(), "2026-11-20T06:00:00Z"), "2026-11-20T06:00:00Z");
        assert_eq!(start(&calendar(), "2026-11-20T06:00:00.000000001Z"), "2026-11-23T06:00:00Z");
        assert_eq!(start(&calendar(), "2026-07-01T00:00:00Z"), "2026-07-01T05:00:00Z", "summer time");
    }

    #[test]
    fn a_freeze_holds_both_of_its_days() {
        assert_eq!(start(&calendar(), "2026-12-17T06:00:01Z"), "2027-01-05T06:00:00Z");
        let unfrozen = next_unfrozen(&calendar(), "2026-12-18T00:00:00Z".parse().unwrap());
        assert_eq!(unfrozen.to_string(), "2027-01-05T00:00:00Z");
        let touching =
            Calendar { freeze: vec![(date(2027, 1, 5), date(2027, 1, 6)), calendar().freeze[0]], ..calendar() };
        assert_eq!(start(&touching, "2026-12-18T00:00:00Z"), "2027-01-07T06:00:00Z");
    }

    #[test]
    fn a_window_bounds_a_frequent_schedule() {
        let window = Some((time(6, 0, 0, 0), time(10, 0, 0, 0)));
        let often = Calendar { schedule: "*/15 * * * *".into(), window, ..calendar() };
        assert_eq!(start(&often, "2026-11-20T09:45:01Z"), "2026-11-21T06:00:00Z");
        assert_eq!(start(&often, "2026-11-20T03:00:00Z"), "2026-11-20T06:00:00Z");
        assert_eq!(start(&often, "2026-11-20T09:40:00Z"), "2026-11-20T09:45:00Z");
    }

    #[test]
    fn a_window_never_leads_back_in_time() {
        // London, 25 October 2026: 01:00 to 02:00 happens twice, from 00:00Z and from 01:00Z.
        let window = Some((time(1, 30, 0, 0), time(3, 0, 0, 0)));
        let often = Calendar { schedule: "*/15 * * * *".into(), window, ..calendar() };
        assert_eq!(start(&often, "2026-10-25T00:10:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(start(&often, "2026-10-25T01:10:00Z"), "2026-10-25T01:30:00Z");
        // 28 March 2027: there is no 01:30; at 01:00Z it is 02:00 already.
        assert_eq!(start(&often, "2027-03-28T00:50:00Z"), "2027-03-28T01:00:00Z");
    }

    #[test]
    fn a_window_may_pass_midnight() {
        let night = Some((time(22, 0, 0, 0), time(2, 0, 0, 0)));
        let often = Calendar { schedule: "*/15 * * * *".into(), window: night, ..calendar() };
        assert_eq!(start(&often, "2026-11-20T12:00:00Z"), "2026-11-20T22:00:00Z");
        assert_eq!(start(&often, "2026-11-20T23:50:00Z"), "2026-11-21T00:00:00Z");
        assert_eq!(start(&often, "2026-11-21T01:46:00Z"), "2026-11-21T22:00:00Z", "two o'clock is outside");
        // The freeze begins with the local date, in the middle of that window.
        assert_eq!(start(&often, "2026-12-17T23:50:00Z"), "2027-01-05T00:00:00Z");
        let once = Calendar { schedule: "0 1 * * *".into(), ..often };
        assert_eq!(start(&once, "2026-11-20T12:00:00Z"), "2026-11-21T01:00:00Z");
        assert!(Schedule::parse("0 1 * * *").unwrap().meets((time(22, 0, 0, 0), time(2, 0, 0, 0))));
        assert!(!Schedule::parse("0 12 * * *").unwrap().meets((time(22, 0, 0, 0), time(2, 0, 0, 0))));
    }

    /// [`super::start`] without a spread.
    fn caught_up(calendar: &Calendar, due: &str, now: &str) -> String {
        let none = |_| SignedDuration::ZERO;
        super::start(calendar, due.parse().unwrap(), now.parse().unwrap(), none).to_string()
    }

    #[test]
    fn a_missed_fire_is_made_up_for_at_the_next_open_instant() {
        let window = Some((time(6, 0, 0, 0), time(10, 0, 0, 0)));
        let gated = Calendar { window, ..calendar() };
        let due = "2026-11-19T14:32:00Z";
        assert_eq!(caught_up(&gated, due, "2026-11-19T15:00:00Z"), "2026-11-20T06:00:00Z", "not yet");
        assert_eq!(caught_up(&gated, due, "2026-11-20T06:00:00Z"), "2026-11-20T06:00:00Z", "on time");
        assert_eq!(caught_up(&gated, due, "2026-11-20T08:13:00Z"), "2026-11-20T08:13:00Z", "late, the window is open");
        assert_eq!(caught_up(&gated, due, "2026-11-20T11:00:00Z"), "2026-11-21T06:00:00Z", "the window has closed");
        assert_eq!(caught_up(&calendar(), due, "2026-11-20T11:00:00Z"), "2026-11-20T11:00:00Z", "no window");
        // Missed on the 17th, back in the middle of the freeze: nothing starts before it ends.
        let due = "2026-12-16T14:00:00Z";
        assert_eq!(caught_up(&gated, due, "2026-12-20T07:00:00Z"), "2027-01-05T06:00:00Z");
        assert_eq!(caught_up(&calendar(), due, "2026-12-20T07:00:00Z"), "2027-01-05T00:00:00Z");
    }

    #[test]
    fn the_spread_is_the_same_on_every_look_and_stays_inside_the_window() {
        let most = SignedDuration::from_mins(15);
        let day = date(2026, 11, 20);
        let moved: Vec<SignedDuration> = (0..200).map(|n| spread(&format!("integration-{n}"), day, most)).collect();
        assert!(moved.iter().all(|by| (SignedDuration::ZERO..most).contains(by)));
        let again: Vec<SignedDuration> = (0..200).map(|n| spread(&format!("integration-{n}"), day, most)).collect();
        assert_eq!(moved, again);
        let early = moved.iter().filter(|by| **by < most / 2).count();
        assert!((60..140).contains(&early), "{early} of 200 in the first half");
        assert_ne!(spread("integration-1", day, most), spread("integration-1", date(2026, 11, 23), most));
        assert_eq!(spread("integration-1", day, SignedDuration::ZERO), SignedDuration::ZERO);

        let due = "2026-11-19T14:32:00Z".parse().unwrap();
        let by = |minutes| move |_| SignedDuration::from_mins(minutes);
        assert_eq!(super::start(&calendar(), due, due, by(9)).to_string(), "2026-11-20T06:09:00Z");
        let narrow = Calendar { window: Some((time(6, 0, 0, 0), time(6, 5, 0, 0))), ..calendar() };
        assert_eq!(super::start(&narrow, due, due, by(9)).to_string(), "2026-11-20T06:00:00Z");
    }

    #[test]
    fn no_start_beyond_the_calendar() {
        assert_eq!(next_start(&calendar(), "2101-01-01T00:00:00Z".parse().unwrap()), Timestamp::MAX);
    }
}

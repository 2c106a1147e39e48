//! When a rotation may start: the schedule fires, the local time lies in the window, the local date is not frozen.
//! This gates stage and retire only (`rotation.md`, schedule and freeze); when a freeze yields is the plan's matter.

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::Zoned;

use crate::model::Calendar;

use super::Schedule;

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
fn next_open(calendar: &Calendar, after: Timestamp) -> Timestamp {
    let unfrozen = next_unfrozen(calendar, after);
    let Some((from, to)) = calendar.window else { return unfrozen };
    let local = unfrozen.to_zoned(calendar.zone());
    if local.time() < from {
        at(&local, local.date(), from)
    } else if local.time() < to {
        unfrozen
    } else {
        local.date().tomorrow().map_or(Timestamp::MAX, |day| at(&local, day, from))
    }
}

/// `time` on `day` in the zone of `local`, and later than `local`: where the clock shows a time twice, the
/// first of the two that still lies ahead.
fn at(local: &Zoned, day: jiff::civil::Date, time: jiff::civil::Time) -> Timestamp {
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
    fn no_start_beyond_the_calendar() {
        assert_eq!(next_start(&calendar(), "2101-01-01T00:00:00Z".parse().unwrap()), Timestamp::MAX);
    }
}

//! When a schedule fires. The `cron` crate walks civil (wall-clock) time only; jiff maps it to instants, by
//! two rules of crontab(5):
//!
//! - *Fixed* jobs (neither minute nor hour starts with `*`): in a gap one run at the first valid instant, in
//!   an overlap the first pass only.
//! - *Wildcard* jobs: by elapsed time, so a gap is skipped and both passes of an overlap run. Hence
//!   `*/30 2 * * *` does not run on the day that has no two o'clock.

use chrono::DateTime;
use chrono::Utc;
use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::AmbiguousOffset;
use jiff::tz::TimeZone;

use super::schedule::Schedule;

impl Schedule {
    /// The first instant strictly later than `after` at which it fires; `None` beyond the year 2100.
    /// Stateless: stepping from stored instants never skips and never repeats.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.minute.star || self.hour.star { self.next_elapsed(after, zone) } else { self.next_fixed(after, zone) }
    }

    /// Whether it ever fires within a window of local time.
    pub(crate) fn meets(&self, window: (civil::Time, civil::Time)) -> bool {
        self.hour.values().any(|hour| {
            self.minute.values().any(|minute| {
                let time = civil::Time::new(hour as i8, minute as i8, 0, 0);
                time.is_ok_and(|time| is_within(time, window))
            })
        })
    }

    /// Civil times map to instants without ever running backwards (a gap to its end, an overlap to its
    /// first pass), so the first civil time whose instant is later is the answer.
    fn next_fixed(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut civil = zone.to_datetime(after);
        loop {
            civil = self.next_civil(civil)?;
            let instant = first_valid(civil, zone)?;
            if instant > after {
                return Some(instant);
            }
        }
    }

    /// Between two transitions the offset is constant: a candidate counts when it comes before the next one.
    fn next_elapsed(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut from = after;
        // What `from` is on the wall clock; at a transition, one second before it by the new offset.
        let mut civil = zone.to_datetime(from);
        let mut offset = zone.to_offset(from);
        loop {
            let transition = zone.following(from).next().map(|next| next.timestamp());
            let candidate = self.next_civil(civil).and_then(|next| offset.to_timestamp(next).ok());
            match (candidate, transition) {
                (Some(instant), Some(transition)) if instant < transition => return Some(instant),
                (Some(instant), None) => return Some(instant),
                (_, Some(transition)) if civil.year() <= LAST_YEAR => {
                    from = transition;
                    offset = zone.to_offset(transition);
                    civil = offset.to_datetime(transition).checked_sub(SignedDuration::from_secs(1)).ok()?;
                }
                _ => return None,
            }
        }
    }

    /// The first civil time strictly later than the minute of `after`.
    fn next_civil(&self, after: civil::DateTime) -> Option<civil::DateTime> {
        let seconds = after.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
        let after: DateTime<Utc> = DateTime::from_timestamp(seconds, 0)?;
        let next = self.civil.iter().filter_map(|rule| rule.after(&after).next()).min()?;
        let next = Timestamp::from_second(next.timestamp()).ok()?;
        Some(TimeZone::UTC.to_datetime(next))
    }
}

/// Whether `time` lies in `[from, to)`; a window whose end comes first passes midnight.
pub(super) fn is_within(time: civil::Time, (from, to): (civil::Time, civil::Time)) -> bool {
    if from <= to { from <= time && time < to } else { from <= time || time < to }
}

/// The `cron` crate knows no later year.
const LAST_YEAR: i16 = 2100;

/// The instant of a civil time; in a gap the gap's end, in an overlap the first pass.
fn first_valid(civil: civil::DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    match ambiguous.offset() {
        // Read by the later offset, a civil time of the gap lies before the transition.
        AmbiguousOffset::Gap { after, .. } => {
            let before = after.to_timestamp(civil).ok()?;
            zone.following(before).next().map(|transition| transition.timestamp())
        }
        AmbiguousOffset::Fold { .. } | AmbiguousOffset::Unambiguous { .. } => ambiguous.earlier().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first `count` instants after `from`, in local time with offset.
    fn fires(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let schedule = Schedule::parse(expression).unwrap();
        let first = from.parse::<Timestamp>().unwrap();
        std::iter::successors(schedule.next_after(first, &zone), |at| schedule.next_after(*at, &zone))
            .take(count)
            .map(|at| at.to_zoned(zone.clone()).strftime("%m-%d %H:%M%:z").to_string())
            .collect()
    }

    #[test]
    fn a_fixed_job_in_the_gap_runs_once_at_its_end() {
        // Berlin, 28 March 2027: 02:00 becomes 03:00.
        let runs = fires("0,30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", 3);
        assert_eq!(runs, ["03-28 03:00+02:00", "03-29 02:00+02:00", "03-29 02:30+02:00"]);
    }

    #[test]
    fn a_fixed_job_in_the_overlap_runs_in_the_first_pass_only() {
        let runs = fires("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert_eq!(runs, ["10-25 02:30+02:00", "10-26 02:30+01:00"]);
    }

    #[test]
    fn a_wildcard_job_runs_in_both_passes_and_skips_the_gap() {
        let runs = fires("*/30 2 * * *", "Europe/Berlin", "2026-10-24T23:00:00Z", 5);
        assert_eq!(
            runs,
            ["10-25 02:00+02:00", "10-25 02:30+02:00", "10-25 02:00+01:00", "10-25 02:30+01:00", "10-26 02:00+01:00"]
        );
        assert_eq!(fires("*/30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", 1), ["03-29 02:00+02:00"]);
    }

    #[test]
    fn a_day_that_a_zone_skipped_does_not_end_the_walk() {
        // Apia had no 30 December 2011.
        let runs = fires("0 6 * * *", "Pacific/Apia", "2011-12-29T20:00:00Z", 3);
        assert_eq!(runs, ["12-31 00:00+14:00", "12-31 06:00+14:00", "01-01 06:00+14:00"]);
    }

    #[test]
    fn midnight_and_half_hour_gaps() {
        assert_eq!(fires("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 1), ["11-04 01:00-02:00"]);
        assert_eq!(fires("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 1), ["10-04 02:30+11:00"]);
    }

    #[test]
    fn both_day_fields_restricted_mean_or_and_a_star_means_and() {
        let days = |expression| fires(expression, "UTC", "2026-11-01T00:00:00Z", 3);
        assert_eq!(days("0 6 13 * FRI"), ["11-06 06:00+00:00", "11-13 06:00+00:00", "11-20 06:00+00:00"]);
        assert_eq!(days("0 6 */2 * FRI"), ["11-13 06:00+00:00", "11-27 06:00+00:00", "12-11 06:00+00:00"]);
    }
}

//! Working days: Monday to Friday, no holiday, no freeze. Deadlines of people live on them (`mail.md` 11).

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::civil::Weekday;

use crate::model::Calendar;

/// A calendar without a working day for this long has no answer; the day asked about is then as good as any.
const SEARCH_DAYS: usize = 3 * 366;

/// Whether people work on `day`.
pub fn is_working_day(day: Date, calendar: &Calendar) -> bool {
    let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
    !weekend && !calendar.holidays.contains(&day) && !calendar.is_frozen(day)
}

/// The last working day on or before `day`; `day` itself when three years hold none.
pub fn last_working_day_on_or_before(day: Date, calendar: &Calendar) -> Date {
    let back = std::iter::successors(Some(day), |day| day.yesterday().ok()).take(SEARCH_DAYS);
    back.into_iter().find(|day| is_working_day(*day, calendar)).unwrap_or(day)
}

/// The `count`th working day after `day`; `day` itself for 0. A calendar with too few working days counts
/// plain days instead, so that a deadline always exists.
pub fn add_working_days(day: Date, count: usize, calendar: &Calendar) -> Date {
    if count == 0 {
        return day;
    }
    let forward = std::iter::successors(day.tomorrow().ok(), |day| day.tomorrow().ok()).take(SEARCH_DAYS);
    let found = forward.filter(|day| is_working_day(*day, calendar)).nth(count - 1);
    found.unwrap_or_else(|| day.saturating_add(i64::try_from(count).unwrap_or(i64::MAX).min(36_600).days()))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn calendar() -> Calendar {
        Calendar {
            schedule: "0 6 * * MON-FRI".into(),
            timezone: "Europe/London".into(),
            freeze: vec![(date(2026, 12, 18), date(2027, 1, 4))],
            window: None,
            holidays: vec![date(2026, 12, 4)],
        }
    }

    #[test]
    fn deadlines_avoid_weekends_holidays_and_freezes() {
        let last = |day| last_working_day_on_or_before(day, &calendar());
        assert_eq!(last(date(2026, 12, 2)), date(2026, 12, 2));
        assert_eq!(last(date(2026, 12, 6)), date(2026, 12, 3), "Sunday, then Saturday, then a holiday");
        assert_eq!(last(date(2027, 1, 4)), date(2026, 12, 17), "both ends of a freeze belong to it");
    }

    #[test]
    fn two_working_days_later() {
        let add = |day, count| add_working_days(day, count, &calendar());
        assert_eq!(add(date(2026, 12, 2), 2), date(2026, 12, 7), "Thursday, not Friday the holiday, Monday");
        assert_eq!(add(date(2026, 12, 17), 1), date(2027, 1, 5));
        assert_eq!(add(date(2026, 12, 6), 0), date(2026, 12, 6));
    }

    #[test]
    fn a_calendar_without_working_days_still_answers() {
        let mut never = calendar();
        never.freeze = vec![(date(2000, 1, 1), date(9000, 1, 1))];
        assert_eq!(last_working_day_on_or_before(date(2026, 12, 6), &never), date(2026, 12, 6));
        assert_eq!(add_working_days(date(2026, 12, 6), 2, &never), date(2026, 12, 8));
    }
}

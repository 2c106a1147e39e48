//! Small values inside strings: durations, dates, times of day, addresses. Each returns a reason when refused.

use jiff::SignedDuration;
use jiff::Span;
use jiff::SpanRelativeTo;
use jiff::civil::Date;
use jiff::civil::Time;
use jiff::civil::Weekday;

/// `30d`, `12h`, or ISO 8601 (`P30D`); a day has 24 hours here. Never negative.
///
/// # Errors
/// Months and years, which have no fixed length, and everything else, with a reason.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    let span: Span = text.trim().parse().map_err(|_| "write `30d`, `12h` or ISO 8601 such as `P30D`".to_owned())?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err("months and years have no fixed length: write days".into());
    }
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| "this is longer than time itself".to_owned())?;
    if duration.is_negative() { Err("a duration cannot be negative".into()) } else { Ok(duration) }
}

/// A duration in the policy's own form: `14 d`, `36 h`, `90 min`, `45 s`.
pub fn show(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        _ if seconds % 86_400 == 0 => format!("{} d", seconds / 86_400),
        _ if seconds % 3_600 == 0 => format!("{} h", seconds / 3_600),
        _ if seconds % 60 == 0 => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

/// Whole days.
pub(crate) fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(days * 24)
}

/// `2026-12-18/2027-01-04`, or one day `2026-12-25`; both ends belong to it.
pub(crate) fn date_range(text: &str) -> Result<(Date, Date), String> {
    let (from, to) = text.split_once('/').unwrap_or((text, text));
    let date = |text: &str| text.trim().parse::<Date>().map_err(|_| format!("`{}` is not a date", text.trim()));
    let (from, to) = (date(from)?, date(to)?);
    if from > to { Err(format!("it ends on {to}, before it begins on {from}")) } else { Ok((from, to)) }
}

/// `09:00`.
pub(crate) fn time_of_day(text: &str) -> Result<Time, String> {
    text.trim().parse().map_err(|_| format!("`{}` is not a time of day", text.trim()))
}

/// `06:00/10:00`; the end does not belong to it. `22:00/02:00` passes midnight.
pub(crate) fn window(text: &str) -> Result<(Time, Time), String> {
    let (from, to) = text.split_once('/').ok_or("write two times, `06:00/10:00`")?;
    let (from, to) = (time_of_day(from)?, time_of_day(to)?);
    if from == to { Err("a window that ends when it begins is empty".into()) } else { Ok((from, to)) }
}

/// `Mon 08:30`.
pub(crate) fn weekly(text: &str) -> Result<(Weekday, Time), String> {
    let (day, time) = text.trim().split_once(' ').ok_or("write a weekday and a time, `Mon 08:30`")?;
    const DAYS: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    let named = DAYS.into_iter().find(|name| {
        let name = format!("{name:?}").to_lowercase();
        day.len() >= 3 && name.starts_with(&day.to_lowercase())
    });
    Ok((named.ok_or_else(|| format!("`{day}` is not a weekday"))?, time_of_day(time)?))
}

/// Whether `text` can be an e-mail address: one `@`, a dotted domain, no spaces, brackets or control characters.
pub(crate) fn is_address(text: &str) -> bool {
    let plain = |part: &str, extra: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.contains("..")
            && part.chars().all(|c| c.is_alphanumeric() || extra.contains(c))
    };
    text.split_once('@').is_some_and(|(local, domain)| {
        plain(local, "!#$%&'*+/=?^_`{|}~.-") && plain(domain, ".-") && domain.contains('.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_both_forms() {
        assert_eq!(duration("30d").unwrap(), days(30));
        assert_eq!(duration("P30D").unwrap(), days(30));
        assert_eq!(duration("12h").unwrap(), SignedDuration::from_hours(12));
        assert_eq!(duration("PT36H").unwrap(), SignedDuration::from_hours(36));
        assert_eq!(duration("2w").unwrap(), days(14));
        for bad in ["6mo", "1y", "P1Y", "-3d", "30", "", "soon", "99999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(show(days(14)), "14 d");
        assert_eq!(show(SignedDuration::from_mins(90)), "90 min");
    }

    #[test]
    fn ranges_include_both_ends_and_have_an_order() {
        assert!(date_range("2026-12-18/2027-01-04").is_ok());
        assert_eq!(date_range("2026-12-25").unwrap().0, date_range("2026-12-25").unwrap().1);
        assert!(date_range("2027-01-04/2026-12-18").is_err());
        assert!(window("22:00/02:00").is_ok(), "across midnight");
        assert!(window("10:00/10:00").is_err());
        assert_eq!(weekly("Mon 08:30").unwrap().0, Weekday::Monday);
        assert!(weekly("Funday 08:30").is_err());
    }

    #[test]
    fn addresses() {
        assert!(is_address("priya.shah@contoso.example"));
        for bad in ["priya", "a@b", "a b@contoso.example", "a@contoso.example\r\nBcc", "<a@contoso.example>"] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}

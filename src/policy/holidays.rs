//! Days on which nobody works, from an iCalendar file (RFC 5545): the dates of its events. Only what holiday
//! calendars use: all-day events, one or several days, no repetition rules.

use jiff::civil::Date;

/// Days of one event at most; a longer one is a mistake in the file.
const LONGEST_EVENT: usize = 62;

/// The dates of every event, sorted, without repeats.
///
/// # Errors
/// A sentence naming the line: no date, an end before the start, or a repetition rule, which would be wrong
/// to ignore silently.
pub fn holidays(ics: &str) -> Result<Vec<Date>, String> {
    let mut dates = Vec::new();
    let mut event: Option<(Option<Date>, Option<Date>)> = None;
    for (number, line) in unfold(ics) {
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let property = name.split(';').next().unwrap_or_default().to_ascii_uppercase();
        match (property.as_str(), &mut event) {
            ("BEGIN", _) if value.eq_ignore_ascii_case("VEVENT") => event = Some((None, None)),
            ("END", Some((start, end))) if value.eq_ignore_ascii_case("VEVENT") => {
                let start = start.ok_or_else(|| format!("line {number}: an event without DTSTART"))?;
                dates.extend(days(start, *end).map_err(|why| format!("line {number}: {why}"))?);
                event = None;
            }
            ("DTSTART", Some((start, _))) => *start = Some(date(value, number)?),
            ("DTEND", Some((_, end))) => *end = Some(date(value, number)?),
            ("RRULE" | "RDATE" | "DURATION", Some(_)) => {
                return Err(format!("line {number}: {property} is not read; list every date as an event of its own"));
            }
            _ => {}
        }
    }
    dates.sort_unstable();
    dates.dedup();
    Ok(dates)
}

/// Logical lines with the number of their first physical line (RFC 5545 3.1).
fn unfold(ics: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in ics.lines().enumerate() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some((_, last))) => last.push_str(rest),
            _ => lines.push((index + 1, line.trim_end().to_owned())),
        }
    }
    lines
}

/// `20261225`, also the date of `20261225T000000Z`.
fn date(value: &str, number: usize) -> Result<Date, String> {
    let digits = value.get(..8).unwrap_or(value);
    Date::strptime("%Y%m%d", digits).map_err(|_| format!("line {number}: `{digits}` is not a date"))
}

/// DTEND of an all-day event is exclusive.
fn days(start: Date, end: Option<Date>) -> Result<Vec<Date>, String> {
    let end = end.unwrap_or(start);
    if end < start {
        return Err("an event ends before it begins".into());
    }
    let all = start.series(jiff::Span::new().days(1)).take_while(|day| *day < end || *day == start);
    let days: Vec<Date> = all.take(LONGEST_EVENT + 1).collect();
    if days.len() > LONGEST_EVENT { Err("an event of more than two months".into()) } else { Ok(days) }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn all_day_events_and_their_exclusive_end() {
        let ics = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261227\r\n\
                   SUMMARY:Christ\r\n mas\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260101\r\nEND:VEVENT\r\n\
                   END:VCALENDAR\r\n";
        assert_eq!(holidays(ics).unwrap(), [date(2026, 1, 1), date(2026, 12, 25), date(2026, 12, 26)]);
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_line() {
        let repeated = "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20261225\nRRULE:FREQ=YEARLY\nEND:VEVENT";
        assert!(holidays(repeated).unwrap_err().starts_with("line 3: RRULE"));
        assert!(holidays("BEGIN:VEVENT\nDTSTART:soon\nEND:VEVENT").unwrap_err().starts_with("line 2"));
        assert!(holidays("BEGIN:VEVENT\nEND:VEVENT").unwrap_err().contains("DTSTART"));
        let eternal = "BEGIN:VEVENT\nDTSTART:20260101\nDTEND:99991231\nEND:VEVENT";
        assert!(holidays(eternal).unwrap_err().contains("two months"));
    }
}

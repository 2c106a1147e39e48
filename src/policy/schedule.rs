//! Five-field cron expressions as crontab(5) means them, with the place of every mistake. What fires when is
//! walked in `fires.rs`; this file only reads.

use std::fmt;

use super::tree::Span;

/// One field: the values it allows, and whether it was written with a leading `*`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Field {
    /// Bit `n` is set when the value `n` is allowed.
    pub bits: u64,
    /// Starts with `*` (also `*/2`): crontab(5) then combines the two day fields with AND.
    pub star: bool,
}

impl Field {
    pub fn values(self) -> impl Iterator<Item = u32> {
        (0..60).filter(move |value| self.bits & (1 << value) != 0)
    }
}

/// A checked schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub(crate) minute: Field,
    pub(crate) hour: Field,
    pub(crate) day: Field,
    pub(crate) month: Field,
    pub(crate) weekday: Field,
    /// The same as civil time: one rule, or two where day of month OR weekday counts.
    pub(crate) civil: Vec<cron::Schedule>,
}

/// Why an expression was refused, and which part of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScheduleError {
    /// Byte range within the expression.
    pub span: Span,
    /// Reason.
    pub reason: String,
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for ScheduleError {}

struct Kind {
    name: &'static str,
    least: u32,
    most: u32,
    words: &'static [&'static str],
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Kind; 5] = [
    Kind { name: "minute", least: 0, most: 59, words: &[] },
    Kind { name: "hour", least: 0, most: 23, words: &[] },
    Kind { name: "day of month", least: 1, most: 31, words: &[] },
    Kind { name: "month", least: 1, most: 12, words: MONTHS },
    Kind { name: "weekday", least: 0, most: 7, words: WEEKDAYS },
];

const NICKNAMES: [(&str, &str); 7] = [
    ("@annually", "0 0 1 1 *"),
    ("@daily", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
    ("@midnight", "0 0 * * *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@yearly", "0 0 1 1 *"),
];

impl Schedule {
    /// Reads an expression; whether it ever fires is asked of [`Schedule::can_fire`].
    ///
    /// # Errors
    /// Anything crontab(5) does not know, with its place within `text`.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let trimmed = text.trim();
        if trimmed.starts_with('@') {
            let plain = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(trimmed));
            let known = NICKNAMES.map(|(name, _)| name).join(", ");
            let (_, plain) = plain.ok_or_else(|| refuse(0..text.len(), format!("unknown nickname; one of {known}")))?;
            return Self::parse(plain);
        }
        let parts = words(text);
        if parts.len() != FIELDS.len() {
            let reason =
                format!("a schedule has five fields (minute hour day month weekday), this has {}", parts.len());
            return Err(refuse(0..text.len(), reason));
        }
        let field = |index: usize| parse_field(&FIELDS[index], &text[parts[index].clone()], parts[index].start);
        let mut weekday = field(4)?;
        if weekday.bits & (1 << 7) != 0 {
            // 7 is Sunday as well.
            weekday.bits = (weekday.bits & !(1 << 7)) | 1;
        }
        let (minute, hour, day, month) = (field(0)?, field(1)?, field(2)?, field(3)?);
        let civil = civil_rules(minute, hour, day, month, weekday)
            .map_err(|reason| refuse(0..text.len(), format!("this schedule cannot be walked: {reason}")))?;
        Ok(Self { minute, hour, day, month, weekday, civil })
    }

    /// Whether any date of the calendar fits (30 February never comes).
    pub fn can_fire(&self) -> bool {
        // With OR the weekday alone suffices; with AND every date meets every weekday within 400 years.
        let weekday_or = !self.day.star && !self.weekday.star;
        let longest = |month: u32| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        weekday_or || self.month.values().any(|month| self.day.values().any(|day| day <= longest(month)))
    }
}

/// Plain lists for the `cron` crate, whose own syntax is Quartz's: seconds first, weekdays by name.
fn civil_rules(
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
) -> Result<Vec<cron::Schedule>, cron::error::Error> {
    let list = |field: Field| field.values().map(|value| value.to_string()).collect::<Vec<_>>().join(",");
    let weekdays = weekday.values().map(|value| WEEKDAYS[value as usize]).collect::<Vec<_>>().join(",");
    let rule = |days: &str, weekdays: &str| {
        format!("0 {} {} {days} {} {weekdays}", list(minute), list(hour), list(month)).parse()
    };
    if day.star || weekday.star {
        Ok(vec![rule(&list(day), &weekdays)?])
    } else {
        Ok(vec![rule(&list(day), "*")?, rule("*", &weekdays)?])
    }
}

fn refuse(span: Span, reason: impl Into<String>) -> ScheduleError {
    ScheduleError { span, reason: reason.into() }
}

/// Byte ranges of the words of `text`.
fn words(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, letter) in text.char_indices().chain([(text.len(), ' ')]) {
        match (letter.is_whitespace(), start) {
            (false, None) => start = Some(at),
            (true, Some(from)) => {
                found.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    found
}

fn parse_field(kind: &Kind, text: &str, offset: usize) -> Result<Field, ScheduleError> {
    let mut bits = 0;
    let mut at = offset;
    for item in text.split(',') {
        bits |= parse_item(kind, item, at)?;
        at += item.len() + 1;
    }
    Ok(Field { bits, star: text.starts_with('*') })
}

/// `*`, `a`, `a-b`, `*/n`, `a-b/n`.
fn parse_item(kind: &Kind, item: &str, at: usize) -> Result<u64, ScheduleError> {
    let whole = || at..at + item.len();
    if item.is_empty() {
        return Err(refuse(at..at, format!("an empty item in {}", kind.name)));
    }
    if item.contains(['?', '#']) || item.eq_ignore_ascii_case("l") || item.to_ascii_lowercase().ends_with('w') {
        return Err(refuse(whole(), "`?`, `L`, `W` and `#` are not part of crontab(5)"));
    }
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some((step, at + range.len() + 1))),
        None => (item, None),
    };
    let (from, to) = if range == "*" {
        (kind.least, kind.most.min(if kind.name == "weekday" { 6 } else { kind.most }))
    } else if let Some((from, to)) = range.split_once('-') {
        (parse_value(kind, from, at)?, parse_value(kind, to, at + from.len() + 1)?)
    } else if step.is_some() {
        return Err(refuse(whole(), "a step needs a range: `*/n` or `a-b/n`"));
    } else {
        let value = parse_value(kind, range, at)?;
        (value, value)
    };
    if from > to {
        return Err(refuse(whole(), format!("the range runs backwards in {}", kind.name)));
    }
    let step = match step {
        Some((text, at)) => parse_step(kind, text, at)?,
        None => 1,
    };
    Ok((from..=to).step_by(step as usize).fold(0, |bits, value| bits | 1 << value))
}

fn parse_step(kind: &Kind, text: &str, at: usize) -> Result<u32, ScheduleError> {
    match number(text) {
        Some(step) if step >= 1 && step <= kind.most => Ok(step),
        _ => Err(refuse(at..at + text.len(), format!("the step must be 1 to {}", kind.most))),
    }
}

fn parse_value(kind: &Kind, text: &str, at: usize) -> Result<u32, ScheduleError> {
    let lower = text.to_ascii_lowercase();
    if let Some(index) = kind.words.iter().position(|word| *word == lower) {
        return Ok(kind.least + index as u32);
    }
    match number(text) {
        Some(value) if (kind.least..=kind.most).contains(&value) => Ok(value),
        _ => {
            let reason = format!("{} is {} to {}, not `{text}`", kind.name, kind.least, kind.most);
            Err(refuse(at..at + text.len(), reason))
        }
    }
}

/// Digits only: no sign, no space, at most two of them.
fn number(text: &str) -> Option<u32> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_with_the_place() {
        let place = |text: &str| Schedule::parse(text).map(|_| ()).unwrap_err().span;
        assert_eq!(place("0 25 * * *"), 2..4);
        assert_eq!(place("5/10 * * * *"), 0..4);
        assert_eq!(place("/5 * * * *"), 0..2);
        assert_eq!(place("0 6 ? * *"), 4..5);
        assert_eq!(place("0 6 L * *"), 4..5);
        assert_eq!(place("0 6 15W * *"), 4..7);
        assert_eq!(place("0 6 * * MON#2"), 8..13);
        assert_eq!(place("0,,5 * * * *"), 2..2);
        assert_eq!(place("*/0 * * * *"), 2..3);
        assert_eq!(place("*/60 * * * *"), 2..4);
        assert_eq!(place("0 0 6 * * MON"), 0..13);
        assert_eq!(place("@reboot"), 0..7);
        assert_eq!(place("0 6 * * FRI-MON"), 8..15);
    }

    #[test]
    fn sunday_is_0_and_7_and_names_have_no_case() {
        let zero = Schedule::parse("0 6 * * 0").unwrap();
        assert_eq!(zero.weekday, Schedule::parse("0 6 * * 7").unwrap().weekday);
        assert_eq!(zero.weekday, Schedule::parse("0 6 * * sUn").unwrap().weekday);
        assert_eq!(Schedule::parse("@weekly").unwrap().weekday, zero.weekday);
        assert_eq!(Schedule::parse("0 6 * JAN-MAR *").unwrap().month.bits, 0b1110);
        assert_eq!(Schedule::parse("0 6 * * 5-7").unwrap().weekday.bits, 0b110_0001);
    }

    #[test]
    fn thirtieth_of_february_never_fires() {
        assert!(!Schedule::parse("0 6 30 2 *").unwrap().can_fire());
        assert!(Schedule::parse("0 6 29 2 *").unwrap().can_fire());
        assert!(Schedule::parse("0 6 30 2 MON").unwrap().can_fire(), "day of month OR weekday");
    }
}

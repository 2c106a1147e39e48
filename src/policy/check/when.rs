//! Schedule, time zone, freeze and window, of a policy and of `[defaults]`.

use jiff::civil::Date;
use jiff::civil::Time;

use crate::policy::Schedule;
use crate::policy::diagnostics::Report;
use crate::policy::suggest;
use crate::policy::tree::At;
use crate::policy::values;

/// Reports a schedule that cannot be read or never fires; returns it as written.
pub(crate) fn schedule(text: &str, at: At<'_>, report: &mut Report<'_>) -> Option<Schedule> {
    match Schedule::parse(text) {
        Ok(schedule) if schedule.can_fire() => return Some(schedule),
        Ok(_) => {
            report
                .error("P017", at.span(), "this schedule never fires")
                .help("no month has that day; for instance `0 6 * * MON-FRI`");
        }
        Err(error) => {
            let mut span = at.span();
            // The place inside the string, one byte after its quote; escapes in a schedule are not expected.
            if span.len() == text.len() + 2 {
                span = span.start + 1 + error.span.start..span.start + 1 + error.span.end;
            }
            report
                .error("P011", span, "this schedule cannot be read")
                .label(error.reason)
                .help("minute hour day month weekday, for instance `0 6 * * MON-FRI`");
        }
    }
    None
}

/// Reports an unknown IANA name.
pub(crate) fn timezone(name: &str, at: At<'_>, report: &mut Report<'_>) {
    if jiff::tz::TimeZone::get(name).is_err() {
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        report
            .error("P018", at.span(), format!("unknown time zone \"{name}\""))
            .suggest(suggest::did_you_mean(name, names.iter().map(String::as_str)))
            .help("an IANA name such as `Europe/London`");
    }
}

/// The ranges that can be read.
pub(crate) fn freeze(ranges: &[String], at: At<'_>, report: &mut Report<'_>) -> Vec<(Date, Date)> {
    let mut read = Vec::new();
    for (index, text) in ranges.iter().enumerate() {
        match values::date_range(text) {
            Ok(range) => read.push(range),
            Err(reason) => {
                report
                    .error("P019", at.item(index).span(), "this freeze cannot be read")
                    .label(reason)
                    .help("two dates, both frozen: `2026-12-18/2027-01-04`");
            }
        }
    }
    read
}

/// The window, when it can be read.
pub(crate) fn window(text: Option<&str>, at: At<'_>, report: &mut Report<'_>) -> Option<(Time, Time)> {
    match values::window(text?) {
        Ok(window) => Some(window),
        Err(reason) => {
            report
                .error("P019", at.span(), "this window cannot be read")
                .label(reason)
                .help("two local times: `06:00/10:00`");
            None
        }
    }
}

/// Reports a schedule that fires at no time inside the window; both could be fine alone.
pub(crate) fn fits_window(
    schedule: Option<&Schedule>,
    window: Option<(Time, Time)>,
    at: At<'_>,
    report: &mut Report<'_>,
) {
    let (Some(schedule), Some(window)) = (schedule, window) else { return };
    if !schedule.meets(window) {
        report
            .error("P017", at.span(), "the schedule never fires inside the window, so nothing would ever start")
            .help("move one of them");
    }
}

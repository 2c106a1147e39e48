//! The calendar entry (RFC 5545): published with the day by which to act, cancelled when the renewal is over.

use crate::model::Notice;
use crate::model::NoticeKind;
use crate::model::Reader;
use crate::secret::Fingerprint;

use super::when;

/// A `text/calendar` part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CalendarPart {
    /// `PUBLISH` or `CANCEL`, also a parameter of the content type.
    pub method: &'static str,
    /// The whole calendar, CRLF line ends, folded at 75 octets.
    pub body: String,
}

/// The entry of a notice to somebody who carries a key; others have none.
pub(super) fn entry(notice: &Notice, organizer: &str) -> Option<CalendarPart> {
    if notice.reader != Reader::Pm {
        return None;
    }
    let method = match notice.kind {
        NoticeKind::HandoffReady | NoticeKind::Reminder => "PUBLISH",
        NoticeKind::Done | NoticeKind::Resolved => "CANCEL",
        _ => return None,
    };
    let cancelled = method == "CANCEL";
    let today = when::today(notice);
    let day = match &notice.handoff {
        Some(handoff) => handoff.due,
        // The end is told without the hand-off; what counts there is the identifier.
        None if cancelled => today,
        None => return None,
    };
    let mut lines = vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//everkey//EN".to_owned(),
        format!("METHOD:{method}"),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}", uid(notice, organizer)),
        format!("SEQUENCE:{}", notice.calendar_sequence),
        format!("ORGANIZER:mailto:{organizer}"),
        format!("DTSTAMP:{}", notice.at.strftime("%Y%m%dT%H%M%SZ")),
        format!("DTSTART;VALUE=DATE:{}", day.strftime("%Y%m%d")),
        format!("SUMMARY:{}", escape(&summary(notice))),
    ];
    if cancelled {
        lines.push("STATUS:CANCELLED".to_owned());
    } else {
        lines.push(format!("DESCRIPTION:{}", escape(&description(notice))));
    }
    lines.push("TRANSP:TRANSPARENT".to_owned());
    if let (false, Some(handoff)) = (cancelled, &notice.handoff) {
        let reminder = format!("{} hand-off in 3 days", handoff.recipient_name);
        lines.extend(["BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-P3D"].map(str::to_owned));
        lines.push(format!("DESCRIPTION:{}", escape(&reminder)));
        lines.push("END:VALARM".to_owned());
    }
    lines.extend(["END:VEVENT", "END:VCALENDAR"].map(str::to_owned));
    Some(CalendarPart { method, body: lines.iter().map(|line| fold(line)).collect() })
}

/// The same for all mails to one person about one renewal, so that the later one replaces the earlier.
fn uid(notice: &Notice, organizer: &str) -> String {
    let doer = notice.to.first().map(|to| to.to_ascii_lowercase()).unwrap_or_default();
    let digest = Fingerprint::of(format!("{}\n{doer}", notice.thread).as_bytes()).0;
    let domain = organizer.rsplit('@').next().unwrap_or("localhost");
    format!("{}.{}@everkey.{domain}", notice.integration, &digest[..8])
}

fn summary(notice: &Notice) -> String {
    let stop = notice.stops_at.map(|at| when::short(when::local(notice, at).date()));
    match (&notice.handoff, stop) {
        (Some(handoff), Some(stop)) => {
            let verb = super::names::verb(&notice.title, "stop");
            format!("Give the new key to {} ({} {verb} on {stop})", handoff.recipient_name, notice.title)
        }
        (Some(handoff), None) => format!("Give the new key to {} ({})", handoff.recipient_name, notice.title),
        (None, _) => format!("Done: {}", notice.title),
    }
}

fn description(notice: &Notice) -> String {
    match (&notice.link, &notice.handoff) {
        (Some(link), _) => format!("Hand-off page: {link}"),
        (None, Some(handoff)) => format!("Ask {} and quote {}", notice.contact, handoff.id),
        (None, None) => String::new(),
    }
}

/// Escapes a TEXT value (RFC 5545, 3.3.11); line ends were removed before.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,")
}

/// Folds a content line at 75 octets (RFC 5545, 3.1), never inside a character.
fn fold(line: &str) -> String {
    const OCTETS: usize = 75;
    let mut out = String::new();
    let mut used = 0;
    for c in line.chars() {
        if used + c.len_utf8() > OCTETS {
            out.push_str("\r\n ");
            used = 1;
        }
        out.push(c);
        used += c.len_utf8();
    }
    out + "\r\n"
}

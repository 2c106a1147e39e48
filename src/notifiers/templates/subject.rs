//! Subjects: what, when and by when, under 75 characters, the same prefix per stage (`mail.md` rule 1).

use crate::model::Notice;
use crate::model::NoticeKind;
use crate::model::Reader;

use super::names;
use super::when;

/// The longest subject, in characters.
pub const MAX_SUBJECT_CHARS: usize = 74;

/// Writes the subject; a long title is cut, never the dates.
pub(super) fn subject(notice: &Notice) -> String {
    let technical = notice.reader == Reader::Engineer;
    // Of what everkey does not manage the application's own name says more than the policy's.
    let technical = technical && notice.adopt.is_none();
    let what = if technical { notice.integration.as_str() } else { notice.title.as_str() };
    let (before, after) = match notice.kind {
        NoticeKind::CertificateRequest => request(notice),
        NoticeKind::Appeared => {
            return fit(&format!("[New {}] ", notice.word), &notice.title, ": everkey did not make it");
        }
        NoticeKind::Vanished => {
            return fit(&format!("[Gone {}] ", notice.word), &notice.title, ": everkey may be the reason");
        }
        NoticeKind::Done => ("[Done] ".into(), format!(": renewed{}", until(notice))),
        NoticeKind::Emergency => ("[EMERGENCY] ".into(), emergency(notice)),
        NoticeKind::Escalation => ("[Escalation] ".into(), escalation(notice)),
        NoticeKind::Failed => failed(notice),
        NoticeKind::HandoffReady | NoticeKind::Reminder => reminder(notice),
        NoticeKind::Operation => {
            let summary = notice.problem.as_ref().map_or("it needs you", |problem| &problem.summary);
            return fit("[everkey] ", summary, "");
        }
        NoticeKind::Resolved => ("[Resolved] ".into(), resolved(notice)),
        NoticeKind::Stopped => ("[STOPPED] ".into(), stopped(notice)),
        NoticeKind::Summary => return fit("", &format!("{} things need you", notice.merged.len()), &worst(notice)),
        NoticeKind::Test => return "[Test] everkey can send you mail; nothing to do".into(),
        NoticeKind::Welcome => ("[Welcome] You are named for ".into(), String::new()),
    };
    fit(&before, what, &after)
}

fn fit(before: &str, what: &str, after: &str) -> String {
    let room = MAX_SUBJECT_CHARS.saturating_sub(before.chars().count() + after.chars().count());
    let what = if what.chars().count() > room {
        let cut: String = what.chars().take(room.saturating_sub(1)).collect();
        format!("{}…", cut.trim_end())
    } else {
        what.to_owned()
    };
    let whole = format!("{before}{what}{after}");
    // Only when the tail alone is too long (a vendor with a very long name).
    if whole.chars().count() <= MAX_SUBJECT_CHARS { whole } else { whole.chars().take(MAX_SUBJECT_CHARS).collect() }
}

fn request(notice: &Notice) -> (String, String) {
    let due = notice.request.as_ref().and_then(|request| request.due);
    let prefix = due.map_or_else(|| "[Action] ".into(), |due| format!("[Action by {}] ", when::short(due)));
    (prefix, ": have its certificate request signed".into())
}

fn reminder(notice: &Notice) -> (String, String) {
    let today = when::today(notice);
    let stop = notice.stops_at.map(|at| when::local(notice, at).date());
    if let Some(problem) = &notice.problem {
        return ("[Check] ".into(), format!(": {}", problem.summary));
    }
    let due = notice.handoff.as_ref().map(|handoff| handoff.due).or(stop.map(|stop| when::act_by(stop, today)));
    let prefix = match due {
        Some(due) if due < today => format!("[Overdue since {}] ", when::short(due)),
        Some(due) => format!("[Action by {}] ", when::short(due)),
        None => "[Action] ".into(),
    };
    let tail = match (stop, &notice.handoff) {
        (Some(stop), _) => format!(" would stop on {}", when::medium(stop, today)),
        (None, Some(handoff)) => format!(": a new key for {}", handoff.recipient_name),
        (None, None) => ": a new key is needed".into(),
    };
    (prefix, tail)
}

fn failed(notice: &Notice) -> (String, String) {
    let left = notice.stops_at.map(|at| when::days_left(notice, at));
    let left = left.map(|left| format!(", {} left", when::days(left.max(0)))).unwrap_or_default();
    match (&notice.problem, notice.stops_at) {
        (Some(problem), _) => (format!("[FAILED{left}] "), format!(": {}", clip(&problem.summary, 36))),
        (None, Some(at)) => {
            let stop = when::medium(when::local(notice, at).date(), when::today(notice));
            (format!("[At risk{left}] "), format!(" would stop on {stop}"))
        }
        (None, None) => ("[At risk] ".into(), String::new()),
    }
}

fn emergency(notice: &Notice) -> String {
    match (&notice.handoff, notice.reader) {
        (Some(_), Reader::Pm) => ": hand the new key over now".into(),
        (Some(_), _) => ": the new key is still not handed over".into(),
        (None, _) => ": its key is replaced now".into(),
    }
}

fn escalation(notice: &Notice) -> String {
    let nobody = "nobody has confirmed";
    match notice.stops_at {
        Some(at) => {
            let verb = names::verb(&notice.title, "stop");
            let soon = when::soon(when::days_left(notice, at));
            let tails = [format!(" {verb} {soon}, {nobody}"), format!(" {verb} {soon}, unconfirmed")];
            first_that_fits("[Escalation] ", &notice.title, tails)
        }
        None => format!(": the new key waits, {nobody}"),
    }
}

fn resolved(notice: &Notice) -> String {
    let by_name = notice
        .handoff
        .as_ref()
        .map(|handoff| format!(": {} uses the new key{}", handoff.recipient_name, until(notice)));
    // The title is worth more than the vendor's name, and than the length of the sentence.
    let until = until(notice);
    let tails = by_name.into_iter().chain([
        format!(": the new key is in use{until}"),
        format!(": new key in use{until}"),
        format!(": renewed{until}"),
    ]);
    let what = if notice.reader == Reader::Engineer { notice.integration.as_str() } else { &notice.title };
    first_that_fits("[Resolved] ", what, tails)
}

/// The first of `tails` with which the subject need not be cut; the last when none fits.
fn first_that_fits(before: &str, what: &str, tails: impl IntoIterator<Item = String>) -> String {
    let mut last = String::new();
    for tail in tails {
        if before.chars().count() + what.chars().count() + tail.chars().count() <= MAX_SUBJECT_CHARS {
            return tail;
        }
        last = tail;
    }
    last
}

fn stopped(notice: &Notice) -> String {
    let day = notice.stops_at.map(|at| when::short(when::local(notice, at).date()));
    let since = day.as_ref().map(|day| format!(" (since {day})")).unwrap_or_default();
    let technical = notice.reader == Reader::Engineer;
    let verb = names::verb(if technical { "one" } else { &notice.title }, "work");
    let unless = if notice.problem.is_some() { ", unless changed" } else { "" };
    let what = if technical { notice.integration.as_str() } else { &notice.title };
    let short = format!("{}{unless}", day.map(|day| format!(" since {day}")).unwrap_or_default());
    first_that_fits("[STOPPED] ", what, [format!(" no longer {verb}{since}{unless}"), short])
}

fn worst(notice: &Notice) -> String {
    let next = notice.merged.iter().filter_map(|one| Some((one.stops_at?, one))).min_by_key(|(at, _)| *at);
    match next {
        Some((at, one)) if at > notice.at => {
            format!(", the first by {}: {}", when::short(when::local(notice, at).date()), clip(&one.title, 30))
        }
        Some((_, one)) => format!(", stopped: {}", clip(&one.title, 30)),
        None => String::new(),
    }
}

fn until(notice: &Notice) -> String {
    notice.new_until.map(|at| format!(" until {}", when::full(when::local(notice, at).date()))).unwrap_or_default()
}

fn clip(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let cut: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

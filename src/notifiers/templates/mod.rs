//! From a notice to the mail: subject, text, HTML and calendar entry.
//!
//! The words stand in one place, as a [`letter::Letter`] of labelled paragraphs; text and HTML are two renderings
//! of it, so neither can say what the other does not. Everything a notice carries is outside input: it is cleaned
//! at the door ([`clean`]), escaped in HTML, and never gets into a header unfolded.

mod calendar;
mod clean;
mod emergency;
mod engineer;
mod html;
mod lead;
mod letter;
mod names;
mod plain;
mod short;
mod subject;
#[cfg(test)]
mod tests;
mod text;
mod when;

use crate::model::Notice;
use crate::model::NoticeKind;
use crate::model::Reader;

pub use calendar::CalendarPart;
pub(super) use clean::line;
pub use names::display_name;
pub use subject::MAX_SUBJECT_CHARS;

/// What is sent, without headers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mail {
    /// One line, under 75 characters.
    pub subject: String,
    /// Complete by itself; lines of at most 76 characters unless a link is longer.
    pub text: String,
    /// The same words as HTML, nothing loaded from anywhere.
    pub html: String,
    /// The calendar entry.
    pub calendar: Option<CalendarPart>,
}

/// Writes the mail. `organizer` is the bare address mails come from; it names the calendar entry.
pub fn render(notice: &Notice, organizer: &str) -> Mail {
    let notice = &clean::notice(notice);
    let letter = match (notice.kind, notice.reader) {
        (NoticeKind::Emergency, _) => emergency::letter(notice),
        (NoticeKind::Operation, _) => short::operation(notice),
        (NoticeKind::Appeared, _) => short::appeared(notice),
        (NoticeKind::Vanished, _) => short::vanished(notice),
        (NoticeKind::Summary, _) => short::summary(notice),
        (NoticeKind::Test, _) => short::test(notice),
        (NoticeKind::Welcome, _) => short::welcome(notice),
        (_, Reader::Engineer) => engineer::letter(notice),
        (_, Reader::Lead) => lead::letter(notice),
        (_, Reader::Pm) => plain::letter(notice),
    };
    let subject = subject::subject(notice);
    Mail {
        text: text::render(&letter),
        html: html::render(&subject, &letter),
        calendar: calendar::entry(notice, organizer),
        subject,
    }
}

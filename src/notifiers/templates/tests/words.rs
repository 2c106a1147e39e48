//! The texts themselves, word for word: a change of a sentence is a decision.

use super::super::render;
use super::fixture::*;
use crate::model::Notice;
use crate::model::NoticeKind;
use crate::model::Reader;

/// Subject, text and calendar entry (unfolded) as one readable file.
fn sheet(notice: &Notice) -> String {
    let mail = render(notice, FROM);
    let calendar =
        mail.calendar.map(|calendar| format!("\n{}", calendar.body.replace("\r\n ", "").replace("\r\n", "\n")));
    format!("Subject: {}\n\n{}{}", mail.subject, mail.text, calendar.unwrap_or_default())
}

#[test]
fn mails_read_as_designed() {
    for (notice, expected) in [
        (handoff_ready(), include_str!("golden/handoff_ready.txt")),
        (failed(), include_str!("golden/failed_engineer.txt")),
        (escalation(), include_str!("golden/escalation.txt")),
        (of_stopped(), include_str!("golden/stopped.txt")),
        (of(NoticeKind::Resolved, Reader::Pm), include_str!("golden/resolved.txt")),
        (of(NoticeKind::Summary, Reader::Pm), include_str!("golden/summary.txt")),
        (of(NoticeKind::Welcome, Reader::Pm), include_str!("golden/welcome.txt")),
        (of(NoticeKind::Failed, Reader::Pm), include_str!("golden/failed_pm.txt")),
        (vanished(), include_str!("golden/vanished.txt")),
    ] {
        let sheet = sheet(&notice);
        assert_eq!(sheet, expected, "\n{sheet}");
    }
}

//! Titles, names and messages are outside input.

use super::super::render;
use super::fixture::*;
use crate::model::Notice;

const EVIL: &str = "<script>alert(1)</script>\"onload=x' &amp;\r\nBcc: a@b\u{202e}\u{200b}\u{2066}\u{0}\u{7}";

/// The notice with every text replaced.
fn poisoned(notice: &Notice) -> Notice {
    let mut notice = notice.clone();
    let evil = || EVIL.to_owned();
    notice.title = evil();
    notice.impact = evil();
    notice.contact = evil();
    notice.to = vec![evil()];
    notice.backup = notice.backup.map(|_| evil());
    notice.integration = evil().into();
    notice.link = notice.link.map(|_| "javascript:alert(1)".to_owned());
    if let Some(handoff) = &mut notice.handoff {
        handoff.id = evil().into();
        handoff.recipient_name = evil();
        handoff.place = evil();
    }
    if let Some(problem) = &mut notice.problem {
        problem.code = evil();
        problem.summary = evil();
        problem.fix = Some(evil());
        problem.request_id = Some(evil());
    }
    notice.steps.iter_mut().for_each(|step| step.detail = evil());
    notice.told.iter_mut().for_each(|told| told.person = evil());
    notice.merged = notice.merged.iter().map(poisoned).collect();
    notice
}

#[test]
fn nothing_from_outside_becomes_markup_a_line_or_an_order_of_text() {
    for notice in all() {
        let mail = render(&poisoned(&notice), FROM);
        let calendar = mail.calendar.as_ref().map(|calendar| calendar.body.clone()).unwrap_or_default();
        for text in [&mail.subject, &mail.text, &mail.html, &calendar] {
            assert!(!text.contains(['\u{202e}', '\u{200b}', '\u{2066}', '\0', '\u{7}']), "{text:?}");
        }
        assert!(!mail.subject.contains(['\r', '\n']));
        assert!(!calendar.lines().any(|line| line.starts_with("Bcc:")), "{calendar}");
        assert!(!mail.html.contains("<script"), "{}", mail.html);
        assert!(!mail.html.contains("href=\"javascript"), "{}", mail.html);
        assert!(!mail.html.contains("\"onload"), "{}", mail.html);
    }
}

#[test]
fn a_calendar_line_is_never_longer_than_75_octets_and_values_are_escaped() {
    let mut notice = handoff_ready();
    let handoff = notice.handoff.as_mut().unwrap();
    handoff.recipient_name = "Zürich, Süd; \\ Kundendienst für außergewöhnlich lange Bezeichnungen 東京都".to_owned();
    let body = render(&notice, FROM).calendar.unwrap().body;
    assert!(body.split("\r\n").all(|line| line.len() <= 75 && !line.contains(['\r', '\n'])), "{body}");
    let unfolded = body.replace("\r\n ", "");
    assert!(unfolded.contains("Zürich\\, Süd\\; \\\\ Kundendienst für außergewöhnlich"), "{unfolded}");
    assert!(unfolded.contains("Bezeichnungen 東京都"), "{unfolded}");
}

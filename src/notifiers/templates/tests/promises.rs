//! Expectations 32 to 36, for every kind of notice and every reader.

use super::super::MAX_SUBJECT_CHARS;
use super::super::display_name;
use super::super::render;
use super::fixture::*;
use crate::model::Notice;
use crate::model::NoticeKind;
use crate::model::Reader;

/// 8-4-4-4-12 hexadecimal digits.
fn holds_guid(text: &str) -> bool {
    let is_guid = |window: &[u8]| {
        window.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    text.as_bytes().windows(36).any(is_guid)
}

#[test]
fn plain_mails_hold_no_id_and_no_jargon() {
    for mut notice in all() {
        if notice.reader == Reader::Engineer {
            continue;
        }
        // Even when the caller gives them away.
        notice.ids = failed().ids;
        let mail = render(&notice, FROM);
        for text in [&mail.subject, &mail.text, &mail.html] {
            assert!(!holds_guid(text), "{text}");
            let lower = text.to_lowercase();
            for word in ["secret", "thumbprint", "token", "oauth", "tenant", "certificate", "aadsts"] {
                // A summary of technical mails is read by whoever got those.
                assert!(!lower.contains(word), "{word} in {:?} {:?}:\n{text}", notice.kind, notice.reader);
            }
        }
    }
    assert!(holds_guid(&render(&failed(), FROM).text));
}

#[test]
fn subjects_are_short_and_keep_their_dates() {
    for mut notice in all() {
        notice.title = "An integration whose title is much longer than any mail client will ever show".to_owned();
        notice.integration = "an-integration-whose-name-is-much-longer-than-any-mail-client-shows".into();
        if let Some(handoff) = &mut notice.handoff {
            handoff.recipient_name = "The customer service of a vendor with a very long name indeed Ltd".to_owned();
        }
        let subject = render(&notice, FROM).subject;
        assert!(subject.chars().count() <= MAX_SUBJECT_CHARS, "{subject}");
        if notice.kind == NoticeKind::HandoffReady && notice.stops_at.is_some() && notice.reader == Reader::Pm {
            assert!(subject.contains("would stop on 20 December"), "{subject}");
        }
    }
}

#[test]
fn the_text_part_says_all_that_the_html_says_in_short_lines() {
    for notice in all() {
        let mail = render(&notice, FROM);
        assert!(mail.text.lines().all(|line| line.chars().count() <= 76 || line.contains("://")), "{}", mail.text);
        let words = |text: &str| -> Vec<String> {
            let mut plain = String::new();
            let mut inside = false;
            for c in text.replace("&#34;", "\"").replace("&#39;", "'").replace("&#38;", "&").chars() {
                match c {
                    '<' => inside = true,
                    '>' => {
                        inside = false;
                        plain.push(' ');
                    }
                    c if !inside => plain.push(c),
                    _ => {}
                }
            }
            plain.split_whitespace().map(str::to_owned).collect()
        };
        let body = mail.html.split("<body").nth(1).unwrap();
        let body = words(body.split_once('>').unwrap().1);
        let text: Vec<String> = mail
            .text
            .split_whitespace()
            .filter(|word| !["1.", "2.", "3."].contains(word) && !word.starts_with("-----"))
            .map(str::to_owned)
            .collect();
        assert_eq!(text, body);
    }
}

#[test]
fn html_loads_nothing_and_leaves_colours_to_the_reader() {
    for notice in all() {
        let html = render(&notice, FROM).html;
        for word in ["<img", "src=", "url(", "<link", "<style", "<script", "background", "@import"] {
            assert!(!html.contains(word), "{word} in {html}");
        }
        assert!(html.contains("color-scheme"));
    }
}

#[test]
fn without_a_link_people_are_told_whom_to_ask() {
    let notice = Notice { link: None, ..handoff_ready() };
    let mail = render(&notice, FROM);
    assert!(mail.text.contains("Ask platform@contoso.example and quote h-0192."), "{}", mail.text);
    assert!(!mail.text.contains("http") && !mail.html.contains("href"));
    let lead = Notice { link: None, ..escalation() };
    assert!(render(&lead, FROM).text.contains("quote h-0192"));
}

#[test]
fn dates_are_local_and_the_same_everywhere() {
    // 23:30Z on the 19th is 08:30 on the 20th in Tokyo, before people come to work.
    let mut notice = handoff_ready();
    notice.timezone = "Asia/Tokyo".to_owned();
    notice.stops_at = Some("2026-12-19T23:30:00Z".parse().unwrap());
    let mail = render(&notice, FROM);
    assert!(mail.text.contains("Sunday 20 December 2026 at 08:30 (30 days from today)."), "{}", mail.text);
    assert!(mail.subject.ends_with("would stop on 20 December"), "{}", mail.subject);
    assert!(mail.calendar.unwrap().body.contains("DTSTART;VALUE=DATE:20261204"));
    assert!(mail.text.contains("Friday 4 December"));
}

#[test]
fn the_calendar_entry_is_one_and_the_same_until_it_is_taken_back() {
    let line = |notice: &Notice, name: &str| {
        let body = render(notice, FROM).calendar.unwrap().body.replace("\r\n ", "");
        body.lines().find(|line| line.starts_with(name)).unwrap().to_owned()
    };
    let ready = handoff_ready();
    let later = Notice { kind: NoticeKind::Reminder, key: "another".into(), calendar_sequence: 9, ..handoff_ready() };
    let over = Notice { kind: NoticeKind::Resolved, handoff: None, calendar_sequence: 12, ..handoff_ready() };
    assert!(line(&ready, "UID:").starts_with("UID:reapit-lead-imports."));
    assert_eq!(line(&ready, "UID:"), line(&later, "UID:"));
    assert_eq!(line(&ready, "UID:"), line(&over, "UID:"));
    assert_eq!(line(&later, "SEQUENCE:"), "SEQUENCE:9");
    assert_eq!(line(&ready, "METHOD:"), "METHOD:PUBLISH");
    assert_eq!(line(&over, "METHOD:"), "METHOD:CANCEL");
    assert_eq!(line(&over, "STATUS:"), "STATUS:CANCELLED");
    for (kind, reader) in [(NoticeKind::Stopped, Reader::Pm), (NoticeKind::Failed, Reader::Engineer)] {
        assert_eq!(render(&of(kind, reader), FROM).calendar, None);
    }
}

#[test]
fn stopped_is_said_with_a_doubt_where_nobody_knows() {
    let mut notice = of_stopped();
    assert!(render(&notice, FROM).text.contains("Reapit lead imports no longer work.\n"));
    notice.problem = Some(crate::model::Problem {
        code: "A011".to_owned(),
        summary: "unless the new key is in use already".to_owned(),
        fix: None,
        request_id: None,
    });
    let mail = render(&notice, FROM);
    assert!(mail.text.contains("no longer work, unless the new key is in use already."), "{}", mail.text);
    assert_eq!(mail.subject, "[STOPPED] Reapit lead imports since 20 Dec, unless changed");
}

#[test]
fn people_get_a_name_from_their_address() {
    for (address, name) in [
        ("priya.shah@contoso.example", "Priya Shah"),
        ("d.okoro@contoso.example", "D. Okoro"),
        ("it-lead@contoso.example", "It-lead"),
        ("Ana Lima <ana@contoso.example>", "Ana Lima"),
        ("<ana@contoso.example>", "Ana"),
    ] {
        assert_eq!(display_name(address), name);
    }
}

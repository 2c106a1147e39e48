//! From a rung to the notice: the facts that the templates need, and nothing the reader must not see.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::Calendar;
use crate::model::Handoff;
use crate::model::IntegrationName;
use crate::model::Notice;
use crate::model::NoticeHandoff;
use crate::model::NoticeKind;
use crate::model::NoticeRequest;
use crate::model::Problem;
use crate::model::Reader;
use crate::model::StepLine;
use crate::model::Told;

use super::after;
use super::days;
use super::input::AlertInput;
use super::input::Rules;
use super::input::Situation;
use super::input::Watched;
use super::key;
use super::ladder;
use super::silence;
use super::track::Rung;
use super::track::Track;

/// The notice of a rung.
pub(super) fn notice(input: &AlertInput, watched: &Watched, track: &Track, rung: &Rung) -> Notice {
    let (rules, calendar) = (input.rules, &watched.calendar);
    let technical = track.reader == Reader::Engineer;
    let (problem, steps) = match &watched.situation {
        Situation::Urgent { reason, .. } => (super::emergency::problem(track.reader, reason), Vec::new()),
        _ => failure(watched, technical),
    };
    Notice {
        key: rung.key.clone(),
        kind: rung.kind,
        reader: track.reader,
        stage: rung.stage.clone(),
        at: input.now,
        timezone: calendar.timezone.clone(),
        integration: watched.integration.clone(),
        title: watched.title.clone(),
        impact: watched.impact.clone(),
        to: track.to.clone(),
        cc: copies(watched, track, rung),
        backup: watched.people.backup.clone(),
        contact: ladder::owner(rules, watched),
        word: watched.word.clone(),
        stops_at: watched.ends.or(track.handoff.and_then(|handoff| handoff.old_end)),
        new_until: watched.new_until.or(track.handoff.map(|handoff| handoff.new_end)),
        times_a_year: watched.times_a_year,
        handoff: track.handoff.map(|handoff| handoff_facts(handoff, calendar)),
        next_reminder: next_reminder(input, track, calendar),
        told: if track.reader == Reader::Lead { told(input, watched, track.handoff) } else { Vec::new() },
        problem,
        steps,
        ids: technical.then(|| watched.ids.clone()),
        thread: watched.thread.clone(),
        calendar_sequence: sequence(input.now),
        link: link(rules, watched, track.handoff),
        request: None,
        merged: Vec::new(),
        adopt: watched.adopt.clone(),
    }
}

/// The one mail to a person who is named for the first time (rule 14). `watched` is one they are named in.
pub fn welcome(person: &str, watched: &Watched, rules: &Rules, now: Timestamp) -> Notice {
    let key = format!("welcome/{}", person.to_ascii_lowercase());
    let mut notice = bare(key, NoticeKind::Welcome, person, rules, now);
    notice.integration = watched.integration.clone();
    notice.title = watched.title.clone();
    notice.impact = watched.impact.clone();
    notice.timezone = watched.calendar.timezone.clone();
    notice.contact = ladder::owner(rules, watched);
    notice.backup = watched.people.backup.clone();
    notice.word = watched.word.clone();
    notice.times_a_year = watched.times_a_year;
    notice
}

/// The one mail that brings a certificate request to the owner.
pub(super) fn request_ready(watched: &Watched, request: NoticeRequest, rules: &Rules, now: Timestamp) -> Notice {
    let owner = ladder::owner(rules, watched);
    let run = watched.ids.run.clone().unwrap_or_default();
    let key = key::key(watched, &run, "request", Reader::Engineer, &owner);
    let mut notice = bare(key, NoticeKind::CertificateRequest, &owner, rules, now);
    notice.reader = Reader::Engineer;
    notice.stage = "request".to_owned();
    notice.timezone = watched.calendar.timezone.clone();
    notice.integration = watched.integration.clone();
    notice.title = watched.title.clone();
    notice.impact = watched.impact.clone();
    notice.cc = watched.people.backup.iter().filter(|backup| !backup.eq_ignore_ascii_case(&owner)).cloned().collect();
    notice.contact = owner;
    notice.word = watched.word.clone();
    notice.stops_at = watched.ends;
    notice.ids = Some(watched.ids.clone());
    notice.thread = watched.thread.clone();
    notice.request = Some(request);
    notice
}

/// The mail of `everkey mail test`; every call makes another one.
pub fn test_notice(to: &str, rules: &Rules, now: Timestamp) -> Notice {
    bare(format!("test/{}/{now}", to.to_ascii_lowercase()), NoticeKind::Test, to, rules, now)
}

/// everkey itself needs its owner: `problem` tells what is the matter and what to do. Once a day for each `stage`.
pub fn operation(stage: &str, to: &str, problem: Problem, rules: &Rules, now: Timestamp) -> Notice {
    let key = format!("operation/{stage}/{}/{}", to.to_ascii_lowercase(), now.strftime("%Y-%m-%d"));
    let notice = bare(key, NoticeKind::Operation, to, rules, now);
    Notice { reader: Reader::Engineer, stage: stage.to_owned(), problem: Some(problem), ..notice }
}

pub(super) fn bare(key: String, kind: NoticeKind, to: &str, rules: &Rules, now: Timestamp) -> Notice {
    let stage = if kind == NoticeKind::Test { "test" } else { "welcome" };
    Notice {
        thread: key.clone(),
        key,
        kind,
        reader: Reader::Pm,
        stage: stage.to_owned(),
        at: now,
        timezone: "UTC".to_owned(),
        integration: IntegrationName::from("everkey"),
        title: "everkey".to_owned(),
        impact: String::new(),
        to: vec![to.to_owned()],
        cc: Vec::new(),
        backup: None,
        contact: rules.fallback_to.clone().unwrap_or_default(),
        word: "secret".to_owned(),
        stops_at: None,
        new_until: None,
        times_a_year: 0,
        handoff: None,
        next_reminder: None,
        told: Vec::new(),
        problem: None,
        steps: Vec::new(),
        ids: None,
        calendar_sequence: sequence(now),
        link: rules.public_url.clone(),
        request: None,
        merged: Vec::new(),
        adopt: None,
    }
}

/// Grows with time, so that a calendar takes every later entry for the newer one without our keeping a counter.
fn sequence(now: Timestamp) -> u32 {
    /// 2026-01-01T00:00:00Z.
    const EPOCH_SECOND: i64 = 1_767_225_600;
    u32::try_from((now.as_second() - EPOCH_SECOND).max(0) / 60).unwrap_or(u32::MAX)
}

fn copies(watched: &Watched, track: &Track, rung: &Rung) -> Vec<String> {
    // Once it has stopped, the owner gets a technical mail of their own.
    let stopped = rung.kind == NoticeKind::Stopped && track.reader == Reader::Pm;
    let copies = if stopped { Vec::new() } else { track.cc.clone() };
    let backup = rung.with_backup.then(|| watched.people.backup.clone()).flatten();
    let backup = backup.filter(|_| track.reader != Reader::Engineer);
    let mut cc: Vec<String> = Vec::new();
    for address in copies.into_iter().chain(backup) {
        let known = |other: &String| other.eq_ignore_ascii_case(&address);
        if !address.is_empty() && !track.to.iter().any(known) && !cc.iter().any(known) {
            cc.push(address);
        }
    }
    cc
}

/// The problem and the five steps; the step that failed is marked even when the caller brings no table.
fn failure(watched: &Watched, technical: bool) -> (Option<Problem>, Vec<StepLine>) {
    match &watched.situation {
        Situation::Failed { problem, since, step, steps } if technical => {
            let mut steps = steps.clone();
            if !steps.iter().any(|line| line.outcome == "FAILED") {
                let failed = StepLine {
                    step: step.clone(),
                    outcome: "FAILED".to_owned(),
                    detail: problem.summary.clone(),
                    at: Some(*since),
                };
                match steps.iter_mut().find(|line| line.step == *step) {
                    Some(line) => *line = failed,
                    None => steps.push(failed),
                }
            }
            (Some(problem.clone()), steps)
        }
        Situation::Replaced { made_by, made } => {
            let day = days::local_date(&watched.calendar, *made);
            let problem = Problem {
                code: "A012".to_owned(),
                summary: format!("our key expired; another one, made by {made_by} on {day}, is in use"),
                fix: Some(format!("everkey adopt {}", watched.integration)),
                request_id: None,
            };
            (Some(problem), Vec::new())
        }
        Situation::Superseded { .. } => (Some(unless_changed()), Vec::new()),
        _ => (None, Vec::new()),
    }
}

/// What must be said instead of a plain "has stopped" while nobody knows whether the new key is in use.
fn unless_changed() -> Problem {
    Problem {
        code: "A011".to_owned(),
        summary: "unless the new key is in use already without anybody having said so".to_owned(),
        fix: None,
        request_id: None,
    }
}

fn handoff_facts(handoff: &Handoff, calendar: &Calendar) -> NoticeHandoff {
    NoticeHandoff {
        id: handoff.id.clone(),
        doer: handoff.doer.clone(),
        recipient_name: handoff.recipient_name.clone(),
        place: handoff.place.clone(),
        due: days::local_date(calendar, handoff.due),
        opened: handoff.opened.is_some(),
    }
}

fn next_reminder(input: &AlertInput, track: &Track, calendar: &Calendar) -> Option<Date> {
    let next = track.rungs.iter().find(|rung| rung.at > input.now)?;
    Some(days::local_date(calendar, next.at))
}

/// Who was written to before in this renewal, and what came of it.
fn told(input: &AlertInput, watched: &Watched, handoff: Option<&Handoff>) -> Vec<Told> {
    let sent = key::told(input, watched, None);
    let day = |sent: &key::Sent| days::local_date(&watched.calendar, sent.at);
    let mut rows: Vec<(String, Vec<Date>)> = Vec::new();
    for person in after::told_addresses(input, watched, Reader::Pm, None) {
        let dates = sent.iter().filter(|s| s.reader == Reader::Pm && s.address == person).map(day).collect();
        rows.push((person, dates));
    }
    if let Some(backup) = &watched.people.backup {
        let copied =
            sent.iter().filter(|s| s.reader == Reader::Pm && after::backup_hears(s.stage) && s.address != backup);
        rows.push((backup.clone(), copied.map(day).collect()));
    }
    rows.into_iter()
        .filter(|(_, dates)| !dates.is_empty())
        .map(|(person, mut dates)| {
            dates.dedup();
            let answer = answer(input, watched, handoff, &person).to_owned();
            Told { person, dates, answer }
        })
        .collect()
}

fn answer(input: &AlertInput, watched: &Watched, handoff: Option<&Handoff>, person: &str) -> &'static str {
    let since = handoff.map_or(Timestamp::MIN, |handoff| handoff.created);
    let said = input.acknowledgements.iter().any(|word| {
        word.integration == watched.integration
            && silence::concerns(word, handoff)
            && word.by.eq_ignore_ascii_case(person)
            && since <= word.at
            && word.at <= input.now
    });
    let opened = handoff.and_then(|handoff| handoff.opened.as_ref());
    match opened {
        _ if said => "acknowledged",
        Some((_, by)) if by.eq_ignore_ascii_case(person) => "opened, no answer",
        _ if handoff.is_some() => "not opened",
        _ => "no answer",
    }
}

/// The hand-off's page, or the integration's; only where the web face answers (rule 13).
fn link(rules: &Rules, watched: &Watched, handoff: Option<&Handoff>) -> Option<String> {
    let base = rules.public_url.as_deref()?.trim_end_matches('/');
    Some(match handoff {
        Some(handoff) => format!("{base}/h/{}", handoff.id.as_str().trim_start_matches("h-")),
        None => format!("{base}/i/{}", watched.integration),
    })
}

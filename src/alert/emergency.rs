//! Mails of an emergency: that it began, and every hour to whoever still has to act. Nothing silences them.

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::Handoff;
use crate::model::Notice;
use crate::model::NoticeKind;
use crate::model::Problem;
use crate::model::Reader;

use super::build;
use super::input::AlertInput;
use super::input::Rules;
use super::input::Watched;
use super::key;
use super::ladder;
use super::track::Pace;
use super::track::Rung;
use super::track::Track;

/// After so many hourly mails the next one comes a day later.
const HOURS: i64 = 48;
/// So many daily ones follow: longer than any credential lives.
const DAYS: i64 = 800;

/// That a key is replaced at once: to security and the owner with every id, to those above, and to the people of the
/// integration in plain words. `id` is the emergency's number.
pub fn begun(watched: &Watched, id: &str, reason: &str, rules: &Rules, now: Timestamp) -> Vec<Notice> {
    let owner = ladder::owner(rules, watched);
    let mut told: Vec<String> = Vec::new();
    let mut notices = Vec::new();
    let technical = rules.security_to.iter().chain([&owner]).map(|to| (Reader::Engineer, to.clone()));
    let leads = rules.escalate_to.iter().map(|to| (Reader::Lead, to.clone()));
    let plain = watched.people.pm.iter().chain(&watched.people.backup).map(|to| (Reader::Pm, to.clone()));
    for (reader, to) in technical.chain(leads).chain(plain) {
        if to.is_empty() || told.iter().any(|known| known.eq_ignore_ascii_case(&to)) {
            continue;
        }
        told.push(to.clone());
        // The leads' keys name nobody; each of them is a person all the same.
        let key = format!("{}/{}/{id}/begun/{}:{to}", watched.integration, watched.slot, role(reader));
        let mut notice = build::bare(key, NoticeKind::Emergency, &to, rules, now);
        notice.reader = reader;
        notice.stage = "begun".to_owned();
        notice.timezone = watched.calendar.timezone.clone();
        notice.integration = watched.integration.clone();
        notice.title = watched.title.clone();
        notice.impact = watched.impact.clone();
        notice.backup = watched.people.backup.clone();
        notice.contact.clone_from(&owner);
        notice.word = watched.word.clone();
        notice.thread = watched.thread.clone();
        notice.problem = problem(reader, reason);
        notice.ids = (reader == Reader::Engineer).then(|| watched.ids.clone());
        notices.push(notice);
    }
    notices
}

fn role(reader: Reader) -> &'static str {
    match reader {
        Reader::Engineer => "engineer",
        Reader::Lead => "lead",
        Reader::Pm => "pm",
    }
}

/// Why, for those who may read it as it was typed.
pub(super) fn problem(reader: Reader, reason: &str) -> Option<Problem> {
    (reader != Reader::Pm).then(|| Problem {
        code: "R080".to_owned(),
        summary: reason.to_owned(),
        fix: None,
        request_id: None,
    })
}

/// The doer and those above, at once and then hourly, until the doer confirms.
pub(super) fn tracks<'a>(
    input: &AlertInput<'a>,
    watched: &'a Watched,
    handoffs: &'a [Handoff],
    since: Timestamp,
) -> Vec<Track<'a>> {
    let waiting = handoffs.iter().filter(|handoff| handoff.is_waiting());
    waiting
        .flat_map(|handoff| [doer(input.rules, watched, handoff, since), above(input.rules, watched, handoff, since)])
        .collect()
}

fn doer<'a>(rules: &Rules, watched: &'a Watched, handoff: &'a Handoff, since: Timestamp) -> Track<'a> {
    let ready = ladder::ready_rung(watched, handoff);
    let ready = Rung { kind: NoticeKind::Emergency, pace: Pace::Unstoppable, with_backup: true, ..ready };
    let mut rungs: Vec<Rung> = hourly(watched, handoff, since, Reader::Pm, &handoff.doer).collect();
    rungs.push(ready);
    let mut cc = vec![ladder::owner(rules, watched)];
    cc.extend(rules.security_to.clone());
    cc.extend(watched.people.pm.clone());
    ladder::track(watched, Reader::Pm, vec![handoff.doer.clone()], cc, Some(handoff), rungs)
}

fn above<'a>(rules: &Rules, watched: &'a Watched, handoff: &'a Handoff, since: Timestamp) -> Track<'a> {
    let owner = ladder::owner(rules, watched);
    let to = if rules.escalate_to.is_empty() { vec![owner] } else { rules.escalate_to.clone() };
    let rungs = hourly(watched, handoff, since, Reader::Lead, "").collect();
    ladder::track(watched, Reader::Lead, to, Vec::new(), Some(handoff), rungs)
}

fn hourly<'a>(
    watched: &'a Watched,
    handoff: &'a Handoff,
    since: Timestamp,
    reader: Reader,
    address: &'a str,
) -> impl Iterator<Item = Rung> {
    let hours = (1..=HOURS).chain((1..=DAYS).map(|days| HOURS + days * 24));
    hours.map(move |hour| {
        let stage = format!("hour-{hour}");
        Rung {
            at: since + SignedDuration::from_hours(hour),
            key: key::key(watched, handoff.id.as_str(), &stage, reader, address),
            stage,
            kind: NoticeKind::Emergency,
            pace: Pace::Unstoppable,
            with_backup: true,
        }
    })
}

/// The first mail about a hand-off of an emergency, committed in the transaction of its delivery.
pub fn handoff_ready(watched: &Watched, handoff: &Handoff, rules: &Rules, now: Timestamp) -> Notice {
    let nothing = std::collections::BTreeMap::new();
    let input = AlertInput { now, rules, watched: &[], sent: &nothing, acknowledgements: &[] };
    let track = doer(rules, watched, handoff, now);
    let ready = track.rungs.iter().find(|rung| rung.stage == "ready").cloned();
    let rung = ready.unwrap_or_else(|| ladder::ready_rung(watched, handoff));
    build::notice(&input, watched, &track, &rung)
}

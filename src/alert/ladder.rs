//! The table of `mail.md` rules 7 and 11: which tracks a situation has, and which rungs stand on them.

use jiff::Timestamp;

use crate::model::Handoff;
use crate::model::NoticeKind;
use crate::model::Reader;

use super::days;
use super::input::AlertInput;
use super::input::Rules;
use super::input::Situation;
use super::input::Watched;
use super::key;
use super::rungs::DAILY_FROM_DAYS;
use super::rungs::LAST_WEEK_DAYS;
use super::rungs::Person;
use super::rungs::calm_instant;
use super::rungs::failed_days;
use super::rungs::person_days;
use super::rungs::rung_instant;
use super::rungs::stop_rung_without_date;
use super::rungs::stop_rungs;
use super::rungs::week_before;
use super::silence;
use super::track::Pace;
use super::track::Rung;
use super::track::Track;

/// A failed rotation with more days left is left to its retries and the digest.
const FAILED_FROM_DAYS: u32 = 30;
/// Nobody confirmed: the next level hears so many working days after the deadline.
const GRACE_WORKING_DAYS: u32 = 2;

/// All tracks of a credential at this instant.
pub(super) fn tracks<'a>(input: &AlertInput<'a>, watched: &'a Watched) -> Vec<Track<'a>> {
    match &watched.situation {
        Situation::Done { at, id } => super::after::tracks(input, watched, *at, id),
        Situation::Expired => stopped_tracks(input, watched, watched.ends),
        Situation::Failed { since, .. } => failed_tracks(input, watched, *since),
        Situation::Healthy | Situation::Rotating { .. } if watched.needs_person => plain_tracks(input, watched),
        Situation::Healthy | Situation::Rotating { .. } => Vec::new(),
        Situation::Replaced { .. } => super::after::replaced_tracks(input, watched),
        Situation::Superseded { at } => stopped_tracks(input, watched, Some(watched.ends.unwrap_or(*at))),
        Situation::Urgent { handoffs, since, .. } => super::emergency::tracks(input, watched, handoffs, *since),
        Situation::Waiting { handoffs } => handoffs
            .iter()
            .filter(|handoff| handoff.is_waiting())
            .flat_map(|handoff| {
                let week = week_before(input.rules, watched, watched.ends.or(handoff.old_end));
                let mut doer = handoff_track(input, watched, handoff);
                silence::postpone(&mut doer, input, week);
                let mut tracks = vec![doer, handoff_lead_track(input, watched, handoff)];
                tracks.extend(engineer_stop_track(input, watched, watched.ends.or(handoff.old_end)));
                tracks
            })
            .collect(),
    }
}

/// What the doer of a hand-off hears: ready, half, deadline, then the last week.
pub(super) fn handoff_track<'a>(input: &AlertInput<'a>, watched: &'a Watched, handoff: &'a Handoff) -> Track<'a> {
    let (rules, calendar) = (input.rules, &watched.calendar);
    let due = days::local_date(calendar, handoff.due);
    let half = handoff.created + handoff.due.duration_since(handoff.created) / 2;
    let anchor = handoff.id.as_str();
    let rung = |at, stage: &str, with_backup| Rung {
        at,
        key: key::key(watched, anchor, stage, Reader::Pm, &handoff.doer),
        stage: stage.to_owned(),
        kind: NoticeKind::Reminder,
        pace: Pace::Calm,
        with_backup,
    };
    let mut rungs = vec![
        rung(calm_instant(rules, watched, days::local_date(calendar, half)), "half", false),
        rung(calm_instant(rules, watched, due), "deadline", true),
    ];
    if let Some(ends) = watched.ends.or(handoff.old_end) {
        let last = |days: &u32| *days <= LAST_WEEK_DAYS;
        rungs.extend(person_days(rules).into_iter().filter(last).map(|left| {
            let person = Person { reader: Reader::Pm, address: &handoff.doer, kind: NoticeKind::Reminder };
            person.rung(rules, watched, anchor, ends, left)
        }));
        rungs.extend(stop_rungs(rules, watched, ends, Reader::Pm, &handoff.doer));
    }
    // Last, so that nothing of the same instant takes its place.
    rungs.push(ready_rung(watched, handoff));
    let mut cc = vec![owner(rules, watched)];
    cc.extend(watched.people.pm.clone());
    track(watched, Reader::Pm, vec![handoff.doer.clone()], cc, Some(handoff), rungs)
}

/// The first mail about a hand-off; at once, because it is part of the delivery.
pub(super) fn ready_rung(watched: &Watched, handoff: &Handoff) -> Rung {
    Rung {
        at: handoff.created,
        key: key::key(watched, handoff.id.as_str(), "ready", Reader::Pm, &handoff.doer),
        stage: "ready".to_owned(),
        kind: NoticeKind::HandoffReady,
        pace: Pace::Prompt,
        with_backup: false,
    }
}

fn handoff_lead_track<'a>(input: &AlertInput<'a>, watched: &'a Watched, handoff: &'a Handoff) -> Track<'a> {
    let (rules, calendar) = (input.rules, &watched.calendar);
    let due = days::local_date(calendar, handoff.due);
    let late = days::add_working(calendar, due, GRACE_WORKING_DAYS);
    let ends = watched.ends.or(handoff.old_end);
    let at = days::instant(calendar, late, rules.send_at);
    let mut rungs = Vec::new();
    if ends.is_none_or(|ends| at < ends) {
        rungs.push(Rung {
            at,
            key: key::key(watched, handoff.id.as_str(), "escalation", Reader::Lead, ""),
            stage: "escalation".to_owned(),
            kind: NoticeKind::Escalation,
            pace: Pace::Calm,
            with_backup: true,
        });
    }
    rungs.extend(lead_rungs(input, watched, handoff.id.as_str(), ends, Some(handoff), handoff.created));
    lead_track(rules, watched, Some(handoff), rungs)
}

/// Nobody carries anything yet, but somebody will have to: the whole ladder.
fn plain_tracks<'a>(input: &AlertInput<'a>, watched: &'a Watched) -> Vec<Track<'a>> {
    let (rules, Some(ends)) = (input.rules, watched.ends) else { return Vec::new() };
    let owner = owner(rules, watched);
    let (reader, address, cc) = match &watched.people.pm {
        Some(pm) => (Reader::Pm, pm.clone(), vec![owner]),
        None => (Reader::Engineer, owner, Vec::new()),
    };
    let person = Person { reader, address: &address, kind: NoticeKind::Reminder };
    let ladder = person_days(rules);
    let first = ladder.first().map_or(ends, |left| rung_instant(rules, watched, ends, *left));
    let mut rungs: Vec<Rung> =
        ladder.into_iter().map(|left| person.rung(rules, watched, anchor(watched), ends, left)).collect();
    rungs.extend(stop_rungs(rules, watched, ends, reader, &address));
    let mut told = track(watched, reader, vec![address.clone()], cc, None, rungs);
    silence::postpone(&mut told, input, week_before(rules, watched, Some(ends)));
    let lead = lead_rungs(input, watched, anchor(watched), Some(ends), None, first);
    let mut tracks = vec![told, lead_track(rules, watched, None, lead)];
    if reader == Reader::Pm {
        tracks.extend(engineer_stop_track(input, watched, Some(ends)));
    }
    tracks
}

fn failed_tracks<'a>(input: &AlertInput<'a>, watched: &'a Watched, since: Timestamp) -> Vec<Track<'a>> {
    let rules = input.rules;
    let owner = owner(rules, watched);
    let engineer = Person { reader: Reader::Engineer, address: &owner, kind: NoticeKind::Failed };
    let ends = watched.ends;
    let at_once = ends.map_or(since, |ends| rung_instant(rules, watched, ends, FAILED_FROM_DAYS).max(since));
    let mut rungs = Vec::new();
    if let Some(ends) = ends {
        rungs.extend(failed_days(rules).map(|left| engineer.rung(rules, watched, anchor(watched), ends, left)));
        rungs.extend(stop_rungs(rules, watched, ends, Reader::Engineer, &owner));
    }
    rungs.push(Rung {
        at: at_once,
        key: key::key(watched, anchor(watched), "failed", Reader::Engineer, &owner),
        stage: "failed".to_owned(),
        kind: NoticeKind::Failed,
        pace: Pace::Prompt,
        with_backup: false,
    });
    let week = week_before(rules, watched, ends);
    let mut technical = track(watched, Reader::Engineer, vec![owner.clone()], Vec::new(), None, rungs);
    silence::postpone(&mut technical, input, week);
    let mut tracks = vec![technical];
    let Some(ends) = ends else { return tracks };
    if let Some(pm) = &watched.people.pm {
        let person = Person { reader: Reader::Pm, address: pm, kind: NoticeKind::Failed };
        let mut rungs: Vec<Rung> =
            failed_days(rules).map(|left| person.rung(rules, watched, anchor(watched), ends, left)).collect();
        rungs.extend(stop_rungs(rules, watched, ends, Reader::Pm, pm));
        let mut plain = track(watched, Reader::Pm, vec![pm.clone()], Vec::new(), None, rungs);
        silence::postpone(&mut plain, input, week);
        tracks.push(plain);
    }
    let lead = lead_rungs(input, watched, anchor(watched), Some(ends), None, since);
    tracks.push(lead_track(rules, watched, None, lead));
    tracks
}

/// It has stopped, and no hand-off says who was to act: those who were told hear, else those who are named.
fn stopped_tracks<'a>(input: &AlertInput<'a>, watched: &'a Watched, ends: Option<Timestamp>) -> Vec<Track<'a>> {
    let rules = input.rules;
    let rungs = |reader, address: &str| match ends {
        Some(ends) => stop_rungs(rules, watched, ends, reader, address).collect(),
        None => vec![stop_rung_without_date(watched, reader, address)],
    };
    let mut people: Vec<String> = super::after::told_addresses(input, watched, Reader::Pm, None);
    if people.is_empty() {
        people.extend(watched.people.pm.clone());
    }
    let owner = owner(rules, watched);
    let technical = (Reader::Engineer, owner);
    let told = people.into_iter().map(|person| (Reader::Pm, person)).chain([technical]);
    let mut tracks: Vec<Track> = told
        .map(|(reader, person)| {
            let rungs = rungs(reader, &person);
            track(watched, reader, vec![person], Vec::new(), None, rungs)
        })
        .collect();
    tracks.push(lead_track(rules, watched, None, rungs(Reader::Lead, "")));
    tracks
}

fn engineer_stop_track<'a>(input: &AlertInput<'a>, watched: &'a Watched, ends: Option<Timestamp>) -> Option<Track<'a>> {
    let owner = owner(input.rules, watched);
    let rungs = stop_rungs(input.rules, watched, ends?, Reader::Engineer, &owner).collect();
    Some(track(watched, Reader::Engineer, vec![owner], Vec::new(), None, rungs))
}

fn lead_track<'a>(rules: &Rules, watched: &'a Watched, handoff: Option<&'a Handoff>, rungs: Vec<Rung>) -> Track<'a> {
    let owner = owner(rules, watched);
    let to = if rules.escalate_to.is_empty() { vec![owner.clone()] } else { rules.escalate_to.clone() };
    let doer = handoff.map(|handoff| handoff.doer.clone()).or_else(|| watched.people.pm.clone());
    let cc = doer.into_iter().chain(watched.people.backup.clone()).chain([owner]).collect();
    track(watched, Reader::Lead, to, cc, handoff, rungs)
}

/// 7 days unless acknowledged, 3, 1, and "has stopped".
fn lead_rungs(
    input: &AlertInput,
    watched: &Watched,
    anchor: &str,
    ends: Option<Timestamp>,
    handoff: Option<&Handoff>,
    since: Timestamp,
) -> Vec<Rung> {
    let (rules, Some(ends)) = (input.rules, ends) else { return Vec::new() };
    let lead = Person { reader: Reader::Lead, address: "", kind: NoticeKind::Escalation };
    let seen = silence::is_acknowledged(input, watched, handoff, since);
    let stages = if seen { &[DAILY_FROM_DAYS, 1][..] } else { &[LAST_WEEK_DAYS, DAILY_FROM_DAYS, 1] };
    let rungs = stages.iter().map(|left| lead.rung(rules, watched, anchor, ends, *left));
    rungs.chain(stop_rungs(rules, watched, ends, Reader::Lead, "")).collect()
}

fn anchor(watched: &Watched) -> &str {
    watched.ids.key_id.as_ref().map_or("first", |key_id| key_id.as_str())
}

/// Who gets the technical mail: the owner, else whoever stands in.
pub(super) fn owner(rules: &Rules, watched: &Watched) -> String {
    let named = Some(&watched.people.owner).filter(|owner| !owner.is_empty());
    named.or(rules.fallback_to.as_ref()).or(rules.escalate_to.first()).cloned().unwrap_or_default()
}

pub(super) fn track<'a>(
    watched: &'a Watched,
    reader: Reader,
    to: Vec<String>,
    cc: Vec<String>,
    handoff: Option<&'a Handoff>,
    rungs: Vec<Rung>,
) -> Track<'a> {
    Track { integration: &watched.integration, reader, to, cc, handoff, rungs }.sorted()
}

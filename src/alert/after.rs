//! The last mail of a renewal: to those who were told, or the one "done" mail where nobody had to be; and the
//! notice that somebody else's credential took over.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::NoticeKind;
use crate::model::Reader;

use super::days;
use super::input::AlertInput;
use super::input::Watched;
use super::key;
use super::ladder;
use super::rungs::BACKUP_FROM_DAYS;
use super::track::Pace;
use super::track::Rung;
use super::track::Track;

/// "Done" is news for so long; a daemon that starts later does not tell old news.
const NEWS: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Whom to tell that a renewal confirmed at `at` under `id` is over.
pub(super) fn tracks<'a>(input: &AlertInput<'a>, watched: &'a Watched, at: Timestamp, id: &str) -> Vec<Track<'a>> {
    let told = |reader| told_addresses(input, watched, reader, Some(id));
    let (engineers, leads, people) = (told(Reader::Engineer), told(Reader::Lead), told(Reader::Pm));
    if engineers.is_empty() && leads.is_empty() && people.is_empty() {
        return done_track(input, watched, at, id).into_iter().collect();
    }
    let owner = ladder::owner(input.rules, watched);
    let rung = |reader, address: &str| Rung {
        at,
        key: key::key(watched, id, key::RESOLVED, reader, address),
        stage: key::RESOLVED.to_owned(),
        kind: NoticeKind::Resolved,
        pace: Pace::Unstoppable,
        with_backup: reader == Reader::Pm && backup_was_told(input, watched, id),
    };
    let copy = if engineers.is_empty() { vec![owner.clone()] } else { Vec::new() };
    let mut tracks = Vec::new();
    for (reader, addresses) in [(Reader::Pm, people), (Reader::Engineer, engineers)] {
        for address in addresses {
            let rungs = vec![rung(reader, &address)];
            tracks.push(ladder::track(watched, reader, vec![address], copy.clone(), None, rungs));
        }
    }
    if !leads.is_empty() {
        let to = if input.rules.escalate_to.is_empty() { vec![owner] } else { input.rules.escalate_to.clone() };
        tracks.push(ladder::track(watched, Reader::Lead, to, Vec::new(), None, vec![rung(Reader::Lead, "")]));
    }
    tracks
}

/// Nobody had to be told before: the owner hears once, in working hours.
fn done_track<'a>(input: &AlertInput<'a>, watched: &'a Watched, at: Timestamp, id: &str) -> Option<Track<'a>> {
    if input.now.duration_since(at) > NEWS {
        return None;
    }
    let owner = ladder::owner(input.rules, watched);
    let rung = Rung {
        at,
        key: key::key(watched, id, key::DONE, Reader::Engineer, &owner),
        stage: key::DONE.to_owned(),
        kind: NoticeKind::Done,
        pace: Pace::Calm,
        with_backup: false,
    };
    Some(ladder::track(watched, Reader::Engineer, vec![owner], Vec::new(), None, vec![rung]))
}

/// Ours ended, another one is in use: the owner hears once and may adopt it; nothing has stopped (rule 12).
pub(super) fn replaced_tracks<'a>(input: &AlertInput<'a>, watched: &'a Watched) -> Vec<Track<'a>> {
    let Some(ends) = watched.ends else { return Vec::new() };
    let owner = ladder::owner(input.rules, watched);
    let anchor = format!("end-{}", days::local_date(&watched.calendar, ends));
    let rung = Rung {
        at: ends,
        key: key::key(watched, &anchor, "replaced", Reader::Engineer, &owner),
        stage: "replaced".to_owned(),
        kind: NoticeKind::Reminder,
        pace: Pace::Calm,
        with_backup: false,
    };
    vec![ladder::track(watched, Reader::Engineer, vec![owner], Vec::new(), None, vec![rung])]
}

/// To which addresses one kind of reader was written in the present renewal; leads are one nameless group.
pub(super) fn told_addresses(
    input: &AlertInput,
    watched: &Watched,
    reader: Reader,
    current: Option<&str>,
) -> Vec<String> {
    let addresses: BTreeSet<String> = key::told(input, watched, current)
        .into_iter()
        .filter(|sent| sent.reader == reader)
        .map(|sent| sent.address.to_owned())
        .collect();
    addresses.into_iter().collect()
}

/// Whether a mail of this stage went to the backup as well.
pub(super) fn backup_hears(stage: &str) -> bool {
    stage == "deadline" || stage.parse::<i64>().is_ok_and(|left| left <= i64::from(BACKUP_FROM_DAYS))
}

fn backup_was_told(input: &AlertInput, watched: &Watched, id: &str) -> bool {
    key::told(input, watched, Some(id)).iter().any(|sent| sent.reader == Reader::Pm && backup_hears(sent.stage))
}

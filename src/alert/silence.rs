//! What people's words stop (rule 8): an acknowledgement until the next stage, a snooze until its end or 7 days
//! before the end. Neither stops an escalation or "has stopped".

use jiff::Timestamp;

use crate::model::Acknowledgement;
use crate::model::Handoff;
use crate::model::Reader;

use super::input::AlertInput;
use super::input::Watched;
use super::track::Pace;
use super::track::Rung;
use super::track::Track;

/// Whether the reader has acknowledged the stage that rung `position` belongs to.
pub(super) fn silences(track: &Track, position: usize, input: &AlertInput) -> bool {
    if track.reader == Reader::Lead || track.rungs[position].pace == Pace::Unstoppable {
        return false;
    }
    let stage = track.rungs[..=position].iter().rev().find(|rung| rung.pace != Pace::Daily);
    let Some(stage) = stage else { return false };
    words(input, track).any(|word| word.until.is_none() && word.at >= stage.at)
}

/// Moves what falls into a snooze of the reader to its end.
pub(super) fn postpone(track: &mut Track, input: &AlertInput, week_before_end: Option<Timestamp>) {
    let ends: Vec<Timestamp> = words(input, track)
        .filter_map(|word| word.until)
        .map(|until| week_before_end.map_or(until, |week| until.min(week)))
        .collect();
    let Some(end) = ends.into_iter().max() else { return };
    let postponable = |rung: &&mut Rung| rung.pace != Pace::Unstoppable && rung.at < end;
    track.rungs.iter_mut().filter(postponable).for_each(|rung| rung.at = end);
}

/// Whether somebody said "seen" about this since `since`; a snooze does not count.
pub(super) fn is_acknowledged(
    input: &AlertInput,
    watched: &Watched,
    handoff: Option<&Handoff>,
    since: Timestamp,
) -> bool {
    input.acknowledgements.iter().any(|word| {
        word.integration == watched.integration
            && word.until.is_none()
            && concerns(word, handoff)
            && since <= word.at
            && word.at <= input.now
    })
}

/// Whether a word is about this hand-off, or about the integration as a whole.
pub(super) fn concerns(word: &Acknowledgement, handoff: Option<&Handoff>) -> bool {
    word.handoff.is_none() || word.handoff.as_ref() == handoff.map(|handoff| &handoff.id)
}

fn words<'t>(input: &'t AlertInput<'t>, track: &'t Track<'t>) -> impl Iterator<Item = &'t Acknowledgement> {
    input.acknowledgements.iter().filter(|word| {
        word.at <= input.now
            && word.integration == *track.integration
            && track.to.first().is_some_and(|person| person.eq_ignore_ascii_case(&word.by))
            && concerns(word, track.handoff)
    })
}

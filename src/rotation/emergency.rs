//! The emergency (`rotation.md`): it waives confirmation, overlap and the hand-off's delivery; never the proof (that is
//! what `force` does), the delivery to machines, nor the drain where a sink cannot compare or a PATCH is under way.

use jiff::Timestamp;

use super::Mutation;
use super::Rules;
use super::fold;
use super::fold::may_still_land;
use super::guard;
use super::guard::Clocks;
use super::guard::ReadBacks;
use super::guard::Unmet;
use super::next;
use super::next::Action;
use super::next::Next;
use super::next::View;
use super::next::Waiting;
use super::numbers::DRAIN;
use super::numbers::FORCE_AFTER;
use super::numbers::PROBE_PAUSE;
use super::numbers::PROBE_RETRY;
use super::numbers::PROBE_RETRY_LATE;
use super::numbers::PROBE_SPAN;
use super::numbers::PROBE_SUCCESSES;
use super::numbers::PROBE_WINDOW;
use super::numbers::SETTLE;
use crate::model::AmbiguousCall;
use crate::model::Confirmation;
use crate::model::CredentialKind;
use crate::model::Emergency;
use crate::model::Event;
use crate::model::Handoff;
use crate::model::KeyId;
use crate::model::OldCredential;
use crate::model::Outcome;
use crate::model::Refused;
use crate::model::Removal;
use crate::model::Rotation;
use crate::model::State;

/// What an emergency does in its own way; `None` where it does what every rotation does.
pub(super) fn step(r: &Rotation, emergency: &Emergency, view: &View<'_>) -> Option<Next> {
    let broken =
        |mutation| view.rules.breaks(mutation).then(|| leaving(r).collect()).filter(|k: &Vec<_>| !k.is_empty());
    match r.state {
        State::Planned => room(r, emergency, view),
        State::Attached => {
            if let Some(key_ids) = broken(Mutation::EmergencyBeforeProof) {
                return Some(Next::Record(Event::ExpiredIntended { key_ids }));
            }
            if is_sign_in_left(emergency) && view.rules.breaks(Mutation::EmergencyDisabledBeforeProof) {
                return Some(Next::Do(Action::DisableSignIn));
            }
            let since = r.attempt().and_then(|attempt| attempt.closed)?;
            let gives_up = emergency.force && view.clocks.local.duration_since(since) >= FORCE_AFTER;
            (gives_up && r.probes.successes.is_none()).then_some(Next::Record(Event::Unproven))
        }
        State::Verified => {
            broken(Mutation::EmergencyBeforeDelivery).map(|key_ids| Next::Record(Event::ExpiredIntended { key_ids }))
        }
        State::Delivered => Some(delivered(r, emergency, view)),
        State::Confirmed if leaving(r).next().is_some() => Some(Next::Do(Action::PassGuard)),
        State::Confirmed | State::RetireIntent => Some(retired(r, emergency, view)),
        _ => None,
    }
}

/// What leaves with the emergency and is not intended yet.
pub fn leaving(r: &Rotation) -> impl Iterator<Item = KeyId> {
    let targets = r.emergency.as_ref().map_or(&[][..], |emergency| &emergency.targets);
    guard::removable(r).filter(|old| targets.contains(&old.key_id)).map(|old| old.key_id.clone())
}

/// Both slots of a capped audience are taken: what nobody can have leaves first; with `now`, an old one does.
fn room(r: &Rotation, emergency: &Emergency, view: &View<'_>) -> Option<Next> {
    if view.stage_from > view.clocks.local {
        return Some(Next::Wait(Some(view.stage_from), Waiting::Settling));
    }
    if let Some(next) = next::make_room(r, view) {
        return Some(next);
    }
    let full = r.capped && view.secrets_present.is_some_and(|present| present >= super::numbers::CAPPED_SLOTS);
    // One at a time: a read that still shows it must not cost a second one.
    if !full || !r.removals.is_empty() {
        return None;
    }
    let replaced = |key_id: &KeyId| r.old.iter().any(|old| old.key_id == *key_id && old.replaced);
    let unused = leaving(r).find(|key_id| emergency.unused.contains(key_id));
    let old = || leaving(r).find(replaced).or_else(|| leaving(r).next());
    let first = unused.or_else(|| emergency.now.then(old).flatten())?;
    Some(Next::Record(Event::RoomIntended { key_ids: vec![first] }))
}

/// S4/C6: machines need no more than their read-back; people's word is waited for unless their outage was accepted.
fn delivered(r: &Rotation, emergency: &Emergency, view: &View<'_>) -> Next {
    let unconfirmed = r.spec.sinks.iter().filter(|sink| !guard::is_confirmed(r, &sink.id, view.handoffs, view.rules));
    let (people, machines): (Vec<_>, Vec<_>) = unconfirmed.partition(|sink| sink.handoff().is_some());
    match (machines.first(), people.is_empty()) {
        (Some(sink), _) => Next::Record(Event::EvidenceSeen {
            confirmation: Confirmation {
                sink: Some(sink.id.clone()),
                handoff: None,
                at: view.clocks.local,
                evidence: "read back as delivered; an emergency waits for no more".to_owned(),
            },
        }),
        (None, true) => Next::Record(Event::Confirmed),
        (None, false) if emergency.now => Next::Do(Action::PassGuard),
        (None, false) => Next::Wait(next::supersede_at(r), Waiting::Person),
    }
}

/// S5/C7 and after: looks at the application as always, and between them sign-ins with what was removed.
fn retired(r: &Rotation, emergency: &Emergency, view: &View<'_>) -> Next {
    // Last of all: once it is disabled, nothing is proven any more, and no refusal says anything of a credential.
    if is_sign_in_left(emergency) && are_gone(r, emergency) {
        return Next::Do(Action::DisableSignIn);
    }
    let settling = next::settling(r, view);
    match (refusal(r, view.clocks.local), settling) {
        (Some(Next::Wait(Some(one), why)), Next::Wait(Some(other), _)) => Next::Wait(Some(one.min(other)), why),
        // A look that is due comes first: the ring as it is after the removal is evidence.
        (_, look @ Next::Do(_)) => look,
        (Some(refusal), _) => refusal,
        (None, settling) => settling,
    }
}

/// The next sign-in with a removed credential; `None` once all were refused, or will never be seen refused.
fn refusal(r: &Rotation, now: Timestamp) -> Option<Next> {
    let emergency = r.emergency.as_ref()?;
    let mut earliest: Option<Timestamp> = None;
    for removal in r.removals.iter().filter(|removal| emergency.targets.contains(&removal.key_id)) {
        let seen = emergency.refused.iter().find(|refused| refused.key_id == removal.key_id);
        if seen.is_some_and(is_settled) {
            continue;
        }
        let due = match seen {
            None => now,
            Some(Refused { span: Some((_, latest)), .. }) => *latest + PROBE_PAUSE,
            Some(Refused { tries: Some((first, latest)), .. }) => {
                let tried = latest.duration_since(*first);
                *latest
                    + match () {
                        () if tried < PROBE_SPAN => PROBE_RETRY,
                        () if tried < PROBE_WINDOW => PROBE_RETRY_LATE,
                        () => SETTLE,
                    }
            }
            Some(_) => now,
        };
        if due <= now {
            return Some(Next::Do(Action::ProbeOld(removal.key_id.clone())));
        }
        earliest = Some(earliest.map_or(due, |so_far| so_far.min(due)));
    }
    earliest.map(|at| Next::Wait(Some(at), Waiting::Propagation))
}

/// Whether no more sign-ins with it are needed.
pub fn is_settled(refused: &Refused) -> bool {
    refused.unseen.is_some() || refused.is_seen(PROBE_SUCCESSES, PROBE_SPAN)
}

/// Whether a sign-in's no with this code says that Entra knows the credential no more. Any other says nothing of it.
pub fn is_refusal(code: &str) -> bool {
    matches!(code, "AADSTS7000215" | "AADSTS7000222" | "AADSTS700027")
}

/// Whether everything that leaves has left and was seen refused, where that can be seen, and sign-in is disabled where
/// that was asked for.
pub fn is_over(r: &Rotation) -> bool {
    r.emergency.as_ref().is_some_and(|emergency| are_gone(r, emergency) && !is_sign_in_left(emergency))
}

/// Whether sign-in is still to be disabled.
fn is_sign_in_left(emergency: &Emergency) -> bool {
    emergency.disable_sign_in && emergency.disabled.is_none()
}

fn are_gone(r: &Rotation, emergency: &Emergency) -> bool {
    // An answer alone is no proof that it left: a read must not show it.
    let has_left = |one: &Removal| one.sent.is_some() && one.absent.is_some();
    let gone = |key_id: &KeyId| r.removals.iter().any(|removal| removal.key_id == *key_id && has_left(removal));
    let seen = |key_id: &KeyId| emergency.refused.iter().any(|one| one.key_id == *key_id && is_settled(one));
    let kept = |key_id: &KeyId| r.spec.retain.contains(key_id) || !r.old.iter().any(|old| old.key_id == *key_id);
    matches!(r.state, State::RetireIntent | State::Trailing | State::Done | State::Confirmed)
        && emergency.targets.iter().all(|key_id| kept(key_id) || gone(key_id) && seen(key_id))
}

/// Everything that still forbids the removals of an emergency. Empty means that RETIRE_INTENT may be committed.
///
/// - `read_backs`: every readable sink, read just now;
/// - `plain`: whether any of them cannot compare before it writes;
/// - `patch_in_flight`: when the youngest ambiguous PATCH on the application was sent, by any rotation.
pub fn unmet(
    r: &Rotation,
    clocks: Clocks,
    read_backs: &ReadBacks,
    handoffs: &[Handoff],
    plain: bool,
    patch_in_flight: Option<Timestamp>,
    rules: Rules,
) -> Vec<Unmet> {
    let proven = matches!(r.state, State::Delivered | State::Confirmed);
    let (Some(emergency), Some(fresh), true) = (&r.emergency, &r.fresh, proven) else {
        return vec![Unmet::NotVerified];
    };
    let mut unmet = Vec::new();
    for sink in &r.spec.sinks {
        if sink.handoff().is_none() {
            if !guard::is_delivered(r, &sink.id, read_backs) {
                unmet.push(Unmet::NotDelivered(sink.id.clone()));
            }
        } else if !emergency.now && !guard::is_confirmed(r, &sink.id, handoffs, rules) {
            unmet.push(Unmet::NotConfirmed(sink.id.clone()));
        }
    }
    if !clocks.agree() {
        unmet.push(Unmet::ClocksDisagree);
    }
    // Another rotation's PATCH was built without the new one just as well.
    let may_land = patch_in_flight.is_some_and(|at| clocks.local.duration_since(at) < DRAIN);
    if may_land || may_still_land(r, AmbiguousCall::Patch, clocks.local) {
        unmet.push(Unmet::CallMayLand);
    }
    let drained = emergency.written + DRAIN;
    if plain && clocks.local < drained && !rules.breaks(Mutation::EmergencyWithoutDrain) {
        unmet.push(Unmet::Drain(drained));
    }
    if fresh.end.duration_since(clocks.local) <= r.spec.min_life {
        unmet.push(Unmet::NewTooShort);
    }
    unmet
}

/// A rotation that an emergency closed: its intended removals go on, and its unknown attempts are looked for.
pub(super) fn closed(r: &Rotation, view: &View<'_>) -> Next {
    let now = view.clocks.local;
    if let Some(next) = next::look_for_attempts(r, view) {
        return next;
    }
    if r.attempts.iter().any(|attempt| next::is_unsettled(r, attempt, now)) {
        return Next::Wait(Some(now + SETTLE), Waiting::Settling);
    }
    next::finish_or_settle(r, view)
}

/// SUPERSEDED_BY_EMERGENCY: what was intended counts as unknown; what was saved stays on record.
pub(super) fn close(r: &mut Rotation, at: Timestamp) -> Option<()> {
    if !r.is_open() {
        return None;
    }
    if r.attempts.last().is_some_and(|attempt| attempt.outcome == Outcome::Open) {
        let sent = match r.state {
            State::Intent => Some(AmbiguousCall::Add),
            State::UploadIntent if r.accepted.is_none() => Some(AmbiguousCall::Patch),
            _ => None,
        };
        r.ambiguous.extend(sent.map(|call| (call, at)));
        // Before the call nothing was made.
        let known = !matches!(r.state, State::Intent | State::UploadIntent);
        fold::close_attempt(r, if known { Outcome::Refused } else { Outcome::Unknown }, at)?;
        r.fresh = None;
    }
    r.state = State::SupersededByEmergency;
    Some(())
}

/// More is asked for; nothing is ever taken back.
pub(super) fn widen(
    r: &mut Rotation,
    now: bool,
    force: bool,
    disable_sign_in: bool,
    also: &[OldCredential],
) -> Option<()> {
    let open = r.is_open();
    let fresh = r.fresh.as_ref().map(|fresh| fresh.key_id.clone());
    let emergency = r.emergency.as_mut().filter(|_| open)?;
    emergency.now |= now;
    emergency.force |= force;
    emergency.disable_sign_in |= disable_sign_in;
    for old in also {
        if fresh.as_ref() == Some(&old.key_id) {
            return None;
        }
        if !r.old.iter().any(|known| known.key_id == old.key_id) {
            r.old.push(old.clone());
        }
        if !emergency.targets.contains(&old.key_id) {
            emergency.targets.push(old.key_id.clone());
        }
    }
    // Those that come late pass the guard as well.
    if r.state == State::RetireIntent && !also.is_empty() {
        r.state = State::Delivered;
    }
    Some(())
}

pub(super) fn disabled(r: &mut Rotation, at: Timestamp) -> Option<()> {
    let emergency = r.emergency.as_mut().filter(|emergency| is_sign_in_left(emergency))?;
    emergency.disabled = Some(at);
    Some(())
}

fn seen<'a>(r: &'a mut Rotation, key_id: &KeyId) -> Option<&'a mut Refused> {
    r.removals.iter().find(|removal| removal.key_id == *key_id)?.sent?;
    let emergency = r.emergency.as_mut()?;
    let known = emergency.refused.iter().position(|refused| refused.key_id == *key_id);
    let at = known.unwrap_or_else(|| {
        emergency.refused.push(Refused::of(key_id.clone()));
        emergency.refused.len() - 1
    });
    emergency.refused.get_mut(at)
}

fn tried(refused: &mut Refused, at: Timestamp) {
    refused.tries = Some((refused.tries.map_or(at, |(first, _)| first), at));
}

pub(super) fn refused(r: &mut Rotation, key_id: &KeyId, at: Timestamp) -> Option<()> {
    let refused = seen(r, key_id)?;
    tried(refused, at);
    refused.span = Some((refused.span.map_or(at, |(first, _)| first), at));
    refused.count += 1;
    Some(())
}

pub(super) fn accepted(r: &mut Rotation, key_id: &KeyId, at: Timestamp) -> Option<()> {
    let refused = seen(r, key_id)?;
    tried(refused, at);
    refused.span = None;
    refused.count = 0;
    Some(())
}

pub(super) fn unseen(r: &mut Rotation, key_id: &KeyId, why: &str) -> Option<()> {
    seen(r, key_id)?.unseen = Some(why.to_owned());
    Some(())
}

/// Whether a credential of `r` is removed as a certificate. What it is decides, and never what the slot holds now: the
/// policy may ask for another kind since, and what was adopted may be of another one. Every certificate of ours has a
/// thumbprint.
pub fn is_certificate(r: &Rotation, key_id: &KeyId) -> bool {
    match r.old.iter().find(|old| old.key_id == *key_id) {
        Some(old) => old.thumbprint.is_some(),
        None => matches!(r.spec.kind, CredentialKind::Certificate(_)),
    }
}

//! What an event makes of a rotation's record; impossible histories mean a damaged journal or a broken engine.

use jiff::Timestamp;

use super::dates;
use super::emergency;
use super::numbers::DRAIN;
use super::numbers::SETTLE;
use super::probes;
use super::removals;
use crate::model::AmbiguousCall;
use crate::model::Attempt;
use crate::model::Confirmation;
use crate::model::Delivery;
use crate::model::Event;
use crate::model::Failure;
use crate::model::Fresh;
use crate::model::HandoffId;
use crate::model::OldCredential;
use crate::model::Outcome;
use crate::model::Probes;
use crate::model::Proof;
use crate::model::Rotation;
use crate::model::SinkId;
use crate::model::State;

/// An event that cannot follow on a state.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("rotation {rotation} in state {state:?} cannot take the event {event}")]
pub struct Impossible {
    /// The rotation.
    pub rotation: String,
    /// Its state.
    pub state: State,
    /// The event.
    pub event: String,
}

/// The record after `event` at `at`; its version is one greater.
///
/// # Errors
/// [`Impossible`] when the protocol knows no such step.
pub fn after(rotation: &Rotation, event: &Event, at: Timestamp) -> Result<Rotation, Impossible> {
    let mut next = rotation.clone();
    next.version += 1;
    let allowed = apply(&mut next, event, at);
    // A step that succeeded ends the run of failures; looking around does not.
    if !matches!(
        event,
        Event::Failed { .. }
            | Event::AttemptSeen { .. }
            | Event::AttemptSwept { .. }
            | Event::AttemptsForgotten { .. }
            | Event::Retains { .. }
            | Event::AdoptionEnded { .. }
            | Event::CallAmbiguous { .. }
            | Event::CallSent { .. }
            | Event::CallAnswered { .. }
            | Event::ProbeRefused { .. }
            | Event::ProbeInconclusive { .. }
            | Event::Unlisted
            | Event::Redated
            | Event::AttemptStarted { .. }
            | Event::AttemptRefused
            | Event::AttemptUnknown
            | Event::OldAccepted { .. }
    ) {
        next.failure = None;
    }
    allowed.map(|()| next).ok_or_else(|| Impossible {
        rotation: rotation.id.to_string(),
        state: rotation.state,
        event: event_name(event),
    })
}

/// The name of an event as the journal writes it.
pub fn event_name(event: &Event) -> String {
    serde_json::to_value(event)
        .ok()
        .and_then(|value| value.get("event").and_then(|name| name.as_str()).map(str::to_owned))
        .unwrap_or_default()
}

/// `None` where the event is impossible.
fn apply(r: &mut Rotation, event: &Event, at: Timestamp) -> Option<()> {
    match event {
        Event::PreflightPassed => step(r, &[State::Planned], State::Ready),
        Event::Respecified { spec } => {
            r.spec = (**spec).clone();
            let untouched = r.attempts.iter().all(|attempt| attempt.outcome == Outcome::Refused);
            step(r, if untouched { &[State::Planned] } else { &[] }, State::Planned)
        }
        Event::Retains { retain } => {
            r.spec.retain.clone_from(retain);
            Some(())
        }
        Event::AttemptStarted { number, tag, start, end } => start_attempt(r, *number, tag, *start, *end, at),
        Event::AttemptRefused => {
            close_attempt(r, Outcome::Refused, at)?;
            r.fresh = None;
            step(r, &[State::Intent, State::Ready, State::Keyed, State::UploadIntent], State::Planned)
        }
        Event::AttemptUnknown => {
            close_attempt(r, Outcome::Unknown, at)?;
            let started = r.attempts.last()?.started;
            r.ambiguous.push((AmbiguousCall::Add, started.max(at)));
            step(r, &[State::Intent], State::Unknown)
        }
        Event::AttemptSeen { number, present } => attempt_seen(r, *number, *present, at),
        Event::AttemptSwept { number, .. } => {
            r.attempts.iter_mut().find(|attempt| attempt.number == *number)?.swept = true;
            Some(())
        }
        Event::AttemptsForgotten { up_to } => {
            r.forgotten = r.forgotten.max(*up_to);
            // They stay where they are: nothing is waited for any more.
            for attempt in r.attempts.iter_mut().filter(|a| a.number <= *up_to && a.outcome == Outcome::Unknown) {
                attempt.swept = true;
            }
            Some(())
        }
        Event::KeySealed { .. } => {
            r.request = None;
            step(r, &[State::Ready], State::Keyed)
        }
        Event::Requested { request } => {
            // One request for one key: what was handed out stays the one that is answered.
            if r.request.is_some() {
                return None;
            }
            r.request = Some(request.clone());
            step(r, &[State::Keyed], State::Keyed)
        }
        Event::CertificateMade { fresh } => {
            r.fresh = Some(fresh.clone());
            step(r, &[State::Keyed], State::Certified)
        }
        Event::UploadIntended { pre_image } => {
            r.pre_image.clone_from(pre_image);
            r.accepted = None;
            step(r, &[State::Certified, State::UploadIntent], State::UploadIntent)
        }
        Event::UploadAccepted => {
            r.accepted = Some(at);
            step(r, &[State::UploadIntent], State::UploadIntent)
        }
        Event::CallAmbiguous { call } | Event::CallSent { call } => {
            r.ambiguous.push((*call, at));
            Some(())
        }
        Event::CallAnswered { call } => {
            let sent = r.ambiguous.iter().rposition(|(kind, _)| kind == call)?;
            r.ambiguous.remove(sent);
            Some(())
        }
        Event::Attached { fresh } => attached(r, fresh, at),
        Event::ProbeAccepted { .. } => probes::accepted(r, at),
        Event::ProbeRefused { code, listed } => probes::refused(r, code, *listed, at),
        Event::ProbeInconclusive { code } => probes::inconclusive(r, code, at),
        Event::Verified => step(r, &[State::Attached], State::Verified),
        Event::Abandoned => {
            close_attempt(r, Outcome::Abandoned, at)?;
            r.fresh = None;
            r.probes = Probes::default();
            step(r, &[State::Attached], State::Ready)
        }
        Event::Delivered { delivery } => delivered(r, delivery),
        Event::SinkDrifted { sink } => drifted(r, sink),
        Event::Unlisted => unlisted(r, at),
        Event::Redated => dates::redated(r, at),
        Event::AllDelivered => {
            r.delivered_at()?;
            step(r, &[State::Verified], State::Delivered)
        }
        Event::EvidenceSeen { confirmation } => evidence(r, confirmation),
        Event::Confirmed => step(r, &[State::Delivered], State::Confirmed),
        Event::ReceiptVoided { handoff, delivery } => voided(r, handoff, delivery),
        Event::Renewed => renewed(r),
        Event::AdoptionEnded { key_id } => removals::adoption_ended(r, key_id),
        Event::OwnGone => step(r, &[State::Confirmed, State::RetireIntent], State::Trailing),
        Event::RetireIntended { key_ids } => {
            removals::intend(r, key_ids)?;
            step(r, &[State::Confirmed, State::Delivered, State::Verified], State::RetireIntent)
        }
        Event::ExpiredIntended { key_ids } => removals::intend(r, key_ids),
        Event::RemovalSent { key_id } => removals::removal(r, key_id).map(|removal| removal.sent = Some(at)),
        Event::RemovalSeen { key_id, present } => removals::removal_seen(r, key_id, *present, at),
        Event::Superseded => step(r, &[State::Verified, State::Delivered], State::SupersededUnconfirmed),
        Event::SupersededByEmergency { .. } => emergency::close(r, at),
        Event::EmergencyWidened { now, force, also, disable_sign_in } => {
            emergency::widen(r, *now, *force, *disable_sign_in, also)
        }
        Event::SignInDisabled => emergency::disabled(r, at),
        Event::Unproven => {
            r.emergency.as_mut().filter(|emergency| emergency.force)?.unproven = true;
            step(r, &[State::Attached], State::Verified)
        }
        Event::RoomIntended { key_ids } => {
            removals::intend(r, key_ids)?;
            step(r, &[State::Planned], State::Planned)
        }
        Event::OldRefused { key_id, .. } => emergency::refused(r, key_id, at),
        Event::OldAccepted { key_id, .. } => emergency::accepted(r, key_id, at),
        Event::RefusalUnseen { key_id, why } => emergency::unseen(r, key_id, why),
        Event::Finished => finish(r, at),
        Event::Failed { problem, retry_at, blocked } => {
            let (since, count) = r.failure.as_ref().map_or((at, 0), |f| (f.since, f.count));
            r.failure = Some(Failure {
                problem: problem.clone(),
                since,
                count: count + 1,
                retry_at: *retry_at,
                blocked: *blocked,
            });
            Some(())
        }
    }
}

fn step(r: &mut Rotation, from: &[State], to: State) -> Option<()> {
    if !from.contains(&r.state) {
        return None;
    }
    r.state = to;
    Some(())
}

fn start_attempt(
    r: &mut Rotation,
    number: u32,
    tag: &str,
    start: Timestamp,
    end: Timestamp,
    at: Timestamp,
) -> Option<()> {
    // D2: a new attempt has a new number; I4: not while one is under way.
    if r.attempts.iter().any(|a| a.number >= number || a.outcome == Outcome::Open) {
        return None;
    }
    r.attempts.push(Attempt {
        number,
        tag: tag.to_owned(),
        started: at,
        start,
        end,
        outcome: Outcome::Open,
        closed: None,
        unseen: None,
        looked: None,
        swept: false,
    });
    r.probes = Probes::default();
    match r.spec.kind {
        crate::model::CredentialKind::ClientSecret => step(r, &[State::Ready, State::Unknown], State::Intent),
        crate::model::CredentialKind::Certificate(_) => step(r, &[State::Ready], State::Ready),
    }
}

pub(super) fn close_attempt(r: &mut Rotation, outcome: Outcome, at: Timestamp) -> Option<()> {
    let attempt = r.attempts.last_mut()?;
    let expected = match outcome {
        Outcome::Abandoned => Outcome::Saved,
        Outcome::Open | Outcome::Refused | Outcome::Saved | Outcome::Unknown => Outcome::Open,
    };
    if attempt.outcome != expected {
        return None;
    }
    attempt.outcome = outcome;
    attempt.closed = Some(at);
    Some(())
}

fn attempt_seen(r: &mut Rotation, number: u32, present: bool, at: Timestamp) -> Option<()> {
    let attempt = r.attempts.iter_mut().find(|attempt| attempt.number == number)?;
    // What a read before Z did not show may land yet: the two that count come after it.
    let drained = attempt.closed.unwrap_or(attempt.started).checked_add(DRAIN).ok()?;
    let so_far = attempt.unseen.filter(|(first, _)| *first >= drained);
    attempt.unseen = absence(present, so_far, at);
    attempt.looked = Some(at);
    Some(())
}

/// First and latest of the reads in a row that did not show it.
pub(super) fn absence(
    present: bool,
    so_far: Option<(Timestamp, Timestamp)>,
    at: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    if present { None } else { Some((so_far.map_or(at, |(first, _)| first), at)) }
}

fn attached(r: &mut Rotation, fresh: &Fresh, at: Timestamp) -> Option<()> {
    close_attempt(r, Outcome::Saved, at)?;
    r.fresh = Some(fresh.clone());
    r.probes = Probes::default();
    step(r, &[State::Intent, State::UploadIntent], State::Attached)
}

fn delivered(r: &mut Rotation, delivery: &Delivery) -> Option<()> {
    if r.state != State::Verified || !r.spec.sinks.iter().any(|sink| sink.id == delivery.sink) {
        return None;
    }
    r.deliveries.retain(|d| d.sink != delivery.sink);
    r.deliveries.push(delivery.clone());
    r.probes.absent_since = None;
    Some(())
}

fn drifted(r: &mut Rotation, sink: &SinkId) -> Option<()> {
    r.deliveries.retain(|d| d.sink != *sink);
    // What a drifted sink's consumer showed before counts for nothing.
    r.confirmations.retain(|c| c.sink.as_ref().is_some_and(|confirmed| confirmed != sink));
    step(r, &[State::Verified, State::Delivered, State::Confirmed], State::Verified)
}

/// A read may be stale: what two reads, settle apart, do not list is proven again, and given up if it is gone.
fn unlisted(r: &mut Rotation, at: Timestamp) -> Option<()> {
    let absent = *r.probes.absent_since.get_or_insert(at);
    let mut to = r.state;
    if at.duration_since(absent) > SETTLE {
        to = State::Attached;
        r.former.append(&mut r.deliveries);
        r.confirmations.clear();
        r.probes = Probes::default();
    }
    step(r, &[State::Verified, State::Delivered], to)
}

fn evidence(r: &mut Rotation, confirmation: &Confirmation) -> Option<()> {
    if !matches!(r.state, State::Verified | State::Delivered) {
        return None;
    }
    r.confirmations.push(confirmation.clone());
    Some(())
}

fn voided(r: &mut Rotation, handoff: &HandoffId, delivery: &Delivery) -> Option<()> {
    if !matches!(r.state, State::Verified | State::Delivered | State::Confirmed) {
        return None;
    }
    let known = r.deliveries.iter().any(|d| d.proof == Proof::Sealed(handoff.clone()));
    if !known {
        return None;
    }
    r.deliveries.retain(|d| d.sink != delivery.sink);
    r.deliveries.push(delivery.clone());
    r.confirmations.retain(|c| c.handoff.as_ref() != Some(handoff));
    if r.state == State::Confirmed {
        r.state = State::Delivered;
    }
    Some(())
}

fn renewed(r: &mut Rotation) -> Option<()> {
    if !matches!(r.state, State::Verified | State::Delivered | State::Confirmed) {
        return None;
    }
    let fresh = r.fresh.take()?;
    r.old.push(OldCredential {
        key_id: fresh.key_id,
        end: fresh.end,
        thumbprint: fresh.thumbprint,
        hint: fresh.hint,
        replaced: true,
        adopted: false,
    });
    r.former.append(&mut r.deliveries);
    r.confirmations.clear();
    r.probes = Probes::default();
    r.state = State::Planned;
    Some(())
}

fn finish(r: &mut Rotation, at: Timestamp) -> Option<()> {
    let settled = r.removals.iter().all(|removal| removal.sent.is_some() && removal.is_settled(SETTLE));
    let drained = r.attempts.iter().all(|a| a.outcome != Outcome::Open);
    if !settled || !drained || r.finished.is_some() {
        return None;
    }
    if !matches!(r.state, State::SupersededByEmergency | State::SupersededUnconfirmed) {
        step(r, &[State::Confirmed, State::RetireIntent, State::Trailing], State::Done)?;
    }
    r.finished = Some(at);
    Some(())
}

/// Whether an ambiguous call of this kind may still land at `now`.
pub fn may_still_land(rotation: &Rotation, call: AmbiguousCall, now: Timestamp) -> bool {
    rotation.ambiguous.iter().any(|(kind, at)| *kind == call && now.duration_since(*at) < DRAIN)
}

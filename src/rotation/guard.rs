//! The delete guard (I2): the one gate in front of every removal. It answers with everything that is unmet,
//! so that plan, status and history can say what a removal waits for.

use jiff::SignedDuration;
use jiff::Timestamp;

use super::Mutation;
use super::Rules;
use super::fold::may_still_land;
use super::numbers::MARGIN;
use super::numbers::SKEW;
use crate::model::AmbiguousCall;
use crate::model::ConfirmMethod;
use crate::model::Confirmation;
use crate::model::Handoff;
use crate::model::HandoffStatus;
use crate::model::KeyId;
use crate::model::OldCredential;
use crate::model::Proof;
use crate::model::Retire;
use crate::model::Rotation;
use crate::model::SinkId;
use crate::model::State;

/// The two clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// The local one.
    pub local: Timestamp,
    /// Graph's `Date`, carried on to now; `None` before the first answer.
    pub far: Option<Timestamp>,
}

impl Clocks {
    /// Whether both clocks show `instant` as passed. The mutant asks the local clock alone.
    pub fn both_past(self, instant: Timestamp, rules: Rules) -> bool {
        let far_past = self.far.is_some_and(|far| far > instant);
        self.local > instant && (far_past || rules.breaks(Mutation::LocalClockAlone))
    }

    /// Whether they agree well enough for anything to be removed.
    pub fn agree(self) -> bool {
        self.far.is_some_and(|far| far.duration_since(self.local).abs() <= SKEW)
    }
}

/// What must still come true before the old credentials may go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unmet {
    /// A call that was sent may still land.
    CallMayLand,
    /// The clocks disagree: removals are frozen.
    ClocksDisagree,
    /// A sink has no delivery, or shows something else.
    NotDelivered(SinkId),
    /// There is no evidence that the consumer of this sink uses the new one.
    NotConfirmed(SinkId),
    /// The overlap runs until then.
    Overlap(Timestamp),
    /// An old value that was written to a sink that cannot compare may still land there, until then.
    Drain(Timestamp),
    /// It leaves at its own end, which is then.
    OwnEnd(Timestamp),
    /// The new one was not proven.
    NotVerified,
    /// The new one lives less than `min_life`.
    NewTooShort,
}

/// Sinks read back afresh: id and whether they show what was delivered.
pub type ReadBacks = Vec<(SinkId, bool)>;

/// The instant from which the overlap counts as elapsed, by one clock; `None` while unconfirmed.
pub fn overlap_end(rotation: &Rotation) -> Option<Timestamp> {
    let from = rotation.delivered_at()?.max(rotation.confirmed_at()?);
    let overlap = rotation.spec.overlap.max(rotation.spec.consumer_refresh + SKEW);
    from.checked_add(overlap).ok()
}

/// Own or adopted credentials of this rotation that ended by both clocks (I2, second form).
pub fn expired(rotation: &Rotation, clocks: Clocks, rules: Rules) -> Vec<KeyId> {
    removable(rotation)
        .filter(|old| old.end.checked_add(MARGIN).is_ok_and(|end| clocks.both_past(end, rules)))
        .map(|old| old.key_id.clone())
        .collect()
}

/// The credentials that a removal may ever name: replaced by this rotation, not retained, not yet intended.
pub fn removable(rotation: &Rotation) -> impl Iterator<Item = &OldCredential> {
    rotation.old.iter().filter(|old| {
        !rotation.spec.retain.contains(&old.key_id)
            && !rotation.removals.iter().any(|removal| removal.key_id == old.key_id)
            && rotation.fresh.as_ref().is_none_or(|fresh| fresh.key_id != old.key_id)
    })
}

/// Whether `old` leaves when it ends and not before. What was adopted may have consumers that nobody listed: only a
/// sign-in report, which sees them all, lets it leave earlier.
pub fn leaves_at_own_end(rotation: &Rotation, old: &OldCredential) -> bool {
    rotation.spec.retire == Retire::AtExpiry
        || (old.adopted && rotation.spec.confirm.method != ConfirmMethod::SignInReport)
}

/// Whether nothing but adopted ones is left to leave: they may take months, and the slot goes on without them.
pub fn is_own_gone(rotation: &Rotation) -> bool {
    let mut left = removable(rotation).filter(|old| !old.replaced).peekable();
    left.peek().is_some() && left.all(|old| old.adopted && leaves_at_own_end(rotation, old))
}

/// When the next of those that leave at their own end has ended, by its own date.
pub fn next_own_end(rotation: &Rotation) -> Option<Timestamp> {
    removable(rotation)
        .filter(|old| !old.replaced && leaves_at_own_end(rotation, old))
        .filter_map(|old| old.end.checked_add(MARGIN).ok())
        .min()
}

/// Everything of I2's first form that is not yet true. Empty means that RETIRE_INTENT may be committed.
///
/// - `read_backs`: every readable sink, read just now;
/// - `handoffs`: the hand-offs of this rotation as they stand.
pub fn unmet(
    rotation: &Rotation,
    clocks: Clocks,
    read_backs: &ReadBacks,
    handoffs: &[Handoff],
    rules: Rules,
) -> Vec<Unmet> {
    if rules.breaks(Mutation::RetireEarly) {
        return Vec::new();
    }
    let mut unmet = Vec::new();
    let Some(fresh) = rotation.fresh.as_ref().filter(|_| rotation.state == State::Confirmed) else {
        return vec![Unmet::NotVerified];
    };
    for sink in &rotation.spec.sinks {
        if !is_delivered(rotation, &sink.id, read_backs) && !rules.breaks(Mutation::PlainSinkNoDrain) {
            unmet.push(Unmet::NotDelivered(sink.id.clone()));
        }
        if !is_confirmed(rotation, &sink.id, handoffs, rules) {
            unmet.push(Unmet::NotConfirmed(sink.id.clone()));
        }
    }
    if !clocks.agree() {
        unmet.push(Unmet::ClocksDisagree);
    }
    let waits = |call: &AmbiguousCall| *call != AmbiguousCall::Patch || !rules.breaks(Mutation::PatchWithoutDrain);
    if AmbiguousCall::ALL.iter().filter(|call| waits(call)).any(|call| may_still_land(rotation, *call, clocks.local)) {
        unmet.push(Unmet::CallMayLand);
    }
    let overlap_end = match overlap_end(rotation) {
        // The mutant waits until the consumer has read again, and no longer.
        Some(_) if rules.breaks(Mutation::PlainSinkNoDrain) => {
            rotation.delivered_at().map(|at| at + rotation.spec.consumer_refresh)
        }
        end => end,
    };
    match overlap_end {
        Some(end) if clocks.both_past(end, rules) => {}
        Some(end) => unmet.push(Unmet::Overlap(end)),
        None => unmet.push(Unmet::NotVerified),
    }
    if rotation.spec.retire == Retire::AtExpiry {
        let latest = removable(rotation).filter(|old| !old.replaced).map(|old| old.end).max();
        if let Some(end) = latest.and_then(|end| end.checked_add(MARGIN).ok())
            && !clocks.both_past(end, rules)
        {
            unmet.push(Unmet::OwnEnd(end));
        }
    }
    if fresh.end.duration_since(clocks.local) <= rotation.spec.min_life {
        unmet.push(Unmet::NewTooShort);
    }
    unmet
}

pub(super) fn is_delivered(rotation: &Rotation, sink: &SinkId, read_backs: &ReadBacks) -> bool {
    rotation.deliveries.iter().any(|delivery| {
        delivery.sink == *sink
            && match &delivery.proof {
                Proof::Sealed(_) => true,
                Proof::ReadBack(_) => read_backs.iter().any(|(id, same)| id == sink && *same),
            }
    })
}

/// Whether there is evidence for `sink`. A hand-off needs the receipt of the hand-off that is in force now.
pub fn is_confirmed(rotation: &Rotation, sink: &SinkId, handoffs: &[Handoff], rules: Rules) -> bool {
    let sealed = rotation.deliveries.iter().find_map(|delivery| match &delivery.proof {
        Proof::Sealed(id) if delivery.sink == *sink => Some(id),
        Proof::Sealed(_) | Proof::ReadBack(_) => None,
    });
    let covers = |confirmation: &Confirmation| confirmation.sink.as_ref().is_none_or(|covered| covered == sink);
    match sealed {
        None => rotation.confirmations.iter().any(covers),
        Some(_) if rules.breaks(Mutation::ReceiptUnbound) => {
            handoffs.iter().any(|h| matches!(h.status, HandoffStatus::Confirmed { .. }) || h.opened.is_some())
        }
        Some(id) => {
            rotation.confirmations.iter().any(|c| covers(c) && c.handoff.as_ref() == Some(id))
                && handoffs.iter().any(|h| h.id == *id && matches!(h.status, HandoffStatus::Confirmed { .. }))
        }
    }
}

/// How long at least until the unmet conditions that time alone cures are met; `None` when time does not help.
pub fn earliest(unmet: &[Unmet], now: Timestamp) -> Option<Timestamp> {
    let mut latest = None;
    for condition in unmet {
        let at = match condition {
            Unmet::Drain(at) | Unmet::Overlap(at) | Unmet::OwnEnd(at) => *at + SignedDuration::from_secs(1),
            Unmet::CallMayLand => now + SignedDuration::from_mins(1),
            Unmet::ClocksDisagree => now + SignedDuration::from_mins(10),
            Unmet::NotDelivered(_) | Unmet::NotConfirmed(_) | Unmet::NotVerified | Unmet::NewTooShort => continue,
        };
        latest = Some(latest.map_or(at, |so_far: Timestamp| so_far.max(at)));
    }
    latest
}

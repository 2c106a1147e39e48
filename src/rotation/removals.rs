//! What an event makes of the credentials that a rotation removes.

use jiff::Timestamp;

use super::fold::absence;
use super::numbers::SETTLE;
use crate::model::KeyId;
use crate::model::Removal;
use crate::model::Rotation;

pub(super) fn intend(r: &mut Rotation, key_ids: &[KeyId]) -> Option<()> {
    for key_id in key_ids {
        if r.fresh.as_ref().is_some_and(|fresh| fresh.key_id == *key_id) || r.spec.retain.contains(key_id) {
            return None;
        }
        if !r.removals.iter().any(|removal| removal.key_id == *key_id) {
            r.removals.push(Removal { key_id: key_id.clone(), sent: None, looked: None, absent: None });
        }
    }
    Some(())
}

/// D5: what is intended is decided.
pub(super) fn adoption_ended(r: &mut Rotation, key_id: &KeyId) -> Option<()> {
    let free = removal(r, key_id).is_none();
    let at = r.old.iter().position(|old| old.adopted && old.key_id == *key_id).filter(|_| free)?;
    r.old.remove(at);
    Some(())
}

pub(super) fn removal<'a>(r: &'a mut Rotation, key_id: &KeyId) -> Option<&'a mut Removal> {
    r.removals.iter_mut().find(|removal| removal.key_id == *key_id)
}

pub(super) fn removal_seen(r: &mut Rotation, key_id: &KeyId, present: bool, at: Timestamp) -> Option<()> {
    let removal = removal(r, key_id)?;
    let sent = removal.sent?;
    removal.looked = Some(at);
    removal.absent = absence(present, removal.absent, at);
    // Still listed long after it was removed: no stale read any more. Send it again.
    if present && at.duration_since(sent) >= SETTLE {
        removal.sent = None;
    }
    Some(())
}

//! What the sign-ins of a proof add up to.

use jiff::Timestamp;

use crate::model::Rotation;
use crate::model::State;

pub(super) fn accepted(r: &mut Rotation, at: Timestamp) -> Option<()> {
    if r.state != State::Attached {
        return None;
    }
    let probes = &mut r.probes;
    probes.successes = Some(probes.successes.map_or((at, at), |(first, _)| (first, at)));
    probes.count += 1;
    probes.tries += 1;
    probes.first_try.get_or_insert(at);
    probes.last_try = Some(at);
    probes.absent_since = None;
    probes.inconclusive = false;
    Some(())
}

pub(super) fn refused(r: &mut Rotation, code: &str, listed: bool, at: Timestamp) -> Option<()> {
    if r.state != State::Attached {
        return None;
    }
    let probes = &mut r.probes;
    probes.successes = None;
    probes.count = 0;
    probes.tries += 1;
    probes.first_try.get_or_insert(at);
    probes.last_try = Some(at);
    probes.last_refusal = Some(code.to_owned());
    probes.inconclusive = false;
    if listed {
        probes.absent_since = None;
    } else {
        probes.absent_since.get_or_insert(at);
    }
    Some(())
}

pub(super) fn inconclusive(r: &mut Rotation, code: &str, at: Timestamp) -> Option<()> {
    if r.state != State::Attached {
        return None;
    }
    r.probes.inconclusive = true;
    r.probes.tries += 1;
    r.probes.last_try = Some(at);
    r.probes.last_refusal = Some(code.to_owned());
    Some(())
}

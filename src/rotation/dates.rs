//! Instants that a wrong clock wrote down. A clock that stood a year ahead dates a delivery, a lost answer, a removal a year
//! ahead; whatever counts from there would wait a year when the clock is right again. Once both clocks agree that an
//! instant lies ahead, it becomes the present one: what happened, happened no later, so everything waits long enough.

use jiff::Timestamp;

use super::guard::Clocks;
use super::numbers::BACKOFF_MAX;
use super::numbers::SKEW;
use crate::model::Rotation;

/// Whether both clocks agree that something of `r` happened in the future.
pub(super) fn is_ahead(r: &Rotation, clocks: Clocks) -> bool {
    let limit = clocks.local + SKEW;
    let attempts = r.attempts.iter().flat_map(|one| [one.closed, Some(one.started)]).flatten();
    let removals = r.removals.iter().flat_map(|one| [one.sent, one.looked]).flatten();
    let delivered = r.deliveries.iter().map(|one| one.at).chain(r.confirmations.iter().map(|one| one.at));
    let calls = r.ambiguous.iter().map(|(_, at)| *at);
    let probes = [r.probes.last_try, r.probes.absent_since, r.accepted].into_iter().flatten();
    let mut all = attempts.chain(removals).chain(delivered).chain(calls).chain(probes);
    let retries = r.failure.as_ref().is_some_and(|failure| failure.retry_at > limit + BACKOFF_MAX);
    clocks.agree() && (retries || all.any(|at| at > limit))
}

/// What lies after `at` happened at `at`.
pub(super) fn redated(r: &mut Rotation, at: Timestamp) -> Option<()> {
    let one = |instant: &mut Timestamp| *instant = at.min(*instant);
    let both = |(first, latest): &mut (Timestamp, Timestamp)| {
        one(first);
        one(latest);
    };
    for attempt in &mut r.attempts {
        one(&mut attempt.started);
        attempt.closed.iter_mut().chain(&mut attempt.looked).for_each(one);
        attempt.unseen.iter_mut().for_each(both);
    }
    for removal in &mut r.removals {
        removal.sent.iter_mut().chain(&mut removal.looked).for_each(one);
        removal.absent.iter_mut().for_each(both);
    }
    r.deliveries.iter_mut().chain(&mut r.former).for_each(|delivery| one(&mut delivery.at));
    r.confirmations.iter_mut().for_each(|confirmation| one(&mut confirmation.at));
    r.ambiguous.iter_mut().for_each(|(_, sent)| one(sent));
    let probes = &mut r.probes;
    probes.successes.iter_mut().for_each(both);
    let tries = probes.first_try.iter_mut().chain(&mut probes.last_try).chain(&mut probes.absent_since);
    tries.chain(&mut r.accepted).for_each(one);
    if let Some(failure) = &mut r.failure {
        one(&mut failure.since);
        one(&mut failure.retry_at);
    }
    Some(())
}

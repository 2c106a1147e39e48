//! What to do next with a rotation: a pure function of its record and of what is known right now.

use jiff::SignedDuration;
use jiff::Timestamp;

use super::Mutation;
use super::Rules;
use super::dates;
use super::emergency;
use super::guard;
use super::guard::Clocks;
use super::numbers::AMBIGUOUS_PAUSE;
use super::numbers::DRAIN;
use super::numbers::FUSE;
use super::numbers::LOOK_PAUSE;
use super::numbers::MARGIN;
use super::numbers::PROBE_BLOCKED_RETRY;
use super::numbers::PROBE_PAUSE;
use super::numbers::PROBE_RETRY;
use super::numbers::PROBE_RETRY_LATE;
use super::numbers::PROBE_SPAN;
use super::numbers::PROBE_SUCCESSES;
use super::numbers::PROBE_WINDOW;
use super::numbers::SETTLE;
use super::numbers::emergency_pause;
use super::tag;
use super::union;
use crate::model::ConfirmMethod;
use crate::model::Confirmation;
use crate::model::CredentialKind;
use crate::model::Event;
use crate::model::Handoff;
use crate::model::IssuerKind;
use crate::model::KeyId;
use crate::model::OldCredential;
use crate::model::Outcome;
use crate::model::Prove;
use crate::model::Rotation;
use crate::model::SinkId;
use crate::model::State;

/// Everything a decision may see.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// Six characters that name the store, for tags.
    pub instance: &'a str,
    /// Both clocks.
    pub clocks: Clocks,
    /// Client secrets that the application shows, all counted; `None` when it was not read.
    pub secrets_present: Option<usize>,
    /// The hand-offs of this rotation.
    pub handoffs: &'a [Handoff],
    /// What is adopted right now on this application; ADOPT is read again before every removal (S5).
    pub adopted: &'a [KeyId],
    /// When the youngest ambiguous PATCH on this application was sent, by any rotation.
    pub patch_in_flight: Option<Timestamp>,
    /// Earliest instant at which the calendar allows staging.
    pub stage_from: Timestamp,
    /// Earliest instant at which the calendar allows a retirement.
    pub retire_from: Timestamp,
    /// The switches of test builds.
    pub rules: Rules,
}

/// Something that reaches outside, or needs secrets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// addPassword for the attempt just recorded. Its intent must be committed, and never be sent twice (D4).
    AddPassword,
    /// Ask the sign-in report (method `sign-in-report`).
    AskReport,
    /// Look whether a PATCH that was late dropped what the upload had settled (C4), put it back, and prove then.
    CheckDropped,
    /// Look whether the upload arrived (C3), and send it when it did not.
    CheckUpload,
    /// Disable sign-in of the application, at the end of an emergency.
    DisableSignIn,
    /// Look whether removed credentials are gone, and whether orphans of open attempts show.
    LookAgain,
    /// Make the certificate from the sealed key, or get it from its issuer (C2).
    MakeCertificate,
    /// Make and seal the private key (C1).
    MakeKey,
    /// Make the request for the certificate, and tell whoever carries it.
    MakeRequest,
    /// Read everything the guard asks for, and commit RETIRE_INTENT if nothing is unmet.
    PassGuard,
    /// Sinks, store, slots.
    Preflight,
    /// Sign in once with the new credential.
    Probe,
    /// Sign in once with a credential that was removed, to see it refused.
    ProbeOld(KeyId),
    /// removePassword or removeKey of one credential that is intended.
    Remove(KeyId),
    /// Record the pre-image, then upload the certificate.
    Upload,
    /// Write one sink and read it back, or seal a hand-off.
    Deliver(SinkId),
    /// Sign in with what the sinks now hold (method `token-request`).
    ProbeDelivered,
}

/// Why a rotation waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Waiting {
    /// The present step failed and is tried again later.
    Backoff,
    /// The calendar (schedule, window, freeze) or the daily cap.
    Calendar,
    /// Three ambiguous attempts are open.
    Fuse,
    /// Both slots of a capped audience are taken.
    NoSlot,
    /// The overlap, or the old one's own end.
    Overlap,
    /// A person.
    Person,
    /// The next sign-in of the proof.
    Propagation,
    /// Reads must agree, or a call that was sent may still land.
    Settling,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Commit this event.
    Record(Event),
    /// Commit this event, then do this without asking again.
    RecordThen(Event, Action),
    /// Do this; it reports events.
    Do(Action),
    /// Nothing until then; `None` when no instant is known (a person must act).
    Wait(Option<Timestamp>, Waiting),
    /// Nothing, ever.
    Finished,
}

/// What to do next with `r`.
pub fn next(r: &Rotation, view: &View<'_>) -> Next {
    let now = view.clocks.local;
    if r.is_finished() {
        return Next::Finished;
    }
    if dates::is_ahead(r, view.clocks) {
        return Next::Record(Event::Redated);
    }
    let late = view.rules.breaks(Mutation::UnadoptLate);
    let leaving = |old: &&OldCredential| late && !is_removed(r, old);
    let mut free = guard::removable(r).chain(r.old.iter().filter(leaving));
    if let Some(old) = free.find(|old| old.adopted && !view.adopted.contains(&old.key_id)) {
        return Next::Record(Event::AdoptionEnded { key_id: old.key_id.clone() });
    }
    if let Some(superseded) = superseded(r, view) {
        return superseded;
    }
    if r.capped && r.failure.as_ref().is_some_and(|it| it.blocked) && view.rules.breaks(Mutation::CappedBlockedSticky) {
        return Next::Wait(None, Waiting::NoSlot);
    }
    if let Some(failure) = &r.failure
        && failure.retry_at > now
    {
        let until = supersede_at(r).map_or(failure.retry_at, |at| at.min(failure.retry_at));
        return Next::Wait(Some(until.max(now + SignedDuration::from_secs(1))), Waiting::Backoff);
    }
    // Removals that are intended come first, in every state: they are already decided.
    if let Some(removal) = r.removals.iter().find(|removal| removal.sent.is_none()) {
        return Next::Do(Action::Remove(removal.key_id.clone()));
    }
    if let Some(next) = r.emergency.as_ref().and_then(|emergency| emergency::step(r, emergency, view)) {
        return next;
    }
    match r.state {
        State::Planned => planned(r, view),
        State::Ready => ready(r, view),
        State::Keyed => keyed(r),
        State::Certified => Next::Do(Action::Upload),
        // D4: an intent without a result is never sent again.
        State::Intent => Next::Record(Event::AttemptUnknown),
        State::Unknown => unknown(r, view),
        State::UploadIntent => Next::Do(Action::CheckUpload),
        State::Attached => attached(r, view),
        State::Verified => verified(r, view),
        State::Delivered => delivered(r, view),
        State::Confirmed => confirmed(r, view),
        State::RetireIntent => settling(r, view),
        State::SupersededByEmergency => emergency::closed(r, view),
        State::SupersededUnconfirmed | State::Trailing => tail(r, view),
        State::Done => Next::Finished,
    }
}

/// Whether Entra said that it is gone (the mutant's bound: it would end an adoption again and again).
fn is_removed(r: &Rotation, old: &OldCredential) -> bool {
    r.removals.iter().any(|removal| removal.key_id == old.key_id && removal.sent.is_some())
}

/// When nobody confirmed: the old one ended by both clocks in S4. What still has to be delivered is delivered first,
/// whatever has ended meanwhile: a sink that got nothing would wait for the next rotation.
fn superseded(r: &Rotation, view: &View<'_>) -> Option<Next> {
    if view.rules.breaks(Mutation::NoSuperseded) {
        return None;
    }
    let passed = view.clocks.both_past(supersede_at(r)?, view.rules);
    (passed && !is_evidence_at_hand(r, view)).then_some(Next::Record(Event::Superseded))
}

/// The end of the old one. At first issuance there is none, and in S3 it counts no more; then the new one's own date
/// for its successor ends the wait, so that it never lapses as well. That date may also come first: somebody asked for
/// the rotation when the old one was young. In an emergency the old one leaves on a person's word.
pub(super) fn supersede_at(r: &Rotation) -> Option<Timestamp> {
    match (r.state, r.old_end()) {
        (State::Delivered, Some(end)) if r.emergency.is_none() => {
            Some(successor_due(r).map_or(end, |due| end.min(due)))
        }
        (State::Verified | State::Delivered, _) => successor_due(r),
        _ => None,
    }
}

/// When the new one's own successor is due.
fn successor_due(r: &Rotation) -> Option<Timestamp> {
    r.fresh.as_ref()?.end.checked_sub(r.spec.rotate_before).ok()
}

/// Whether what is left leaves at its own end and the slot goes on without it: only adopted ones are left, or the next
/// rotation is due.
fn is_over_for_its_slot(r: &Rotation, now: Timestamp) -> bool {
    guard::is_own_gone(r) || (guard::next_own_end(r).is_some() && successor_due(r).is_some_and(|due| due <= now))
}

/// When to look again while what is left leaves at its own end, the next of which is `end`.
fn until_own_end(r: &Rotation, end: Timestamp, now: Timestamp) -> Next {
    let until = successor_due(r).filter(|due| *due > now).map_or(end, |due| end.min(due));
    Next::Wait(Some(later(until, now)), Waiting::Overlap)
}

/// Whether the next look confirms it without a person or a report: then there is nobody to be waited for.
fn is_evidence_at_hand(r: &Rotation, view: &View<'_>) -> bool {
    r.state == State::Delivered
        && r.failure.is_none()
        && r.spec.confirm.method != ConfirmMethod::SignInReport
        && r.spec
            .sinks
            .iter()
            .all(|sink| sink.handoff().is_none() || guard::is_confirmed(r, &sink.id, view.handoffs, view.rules))
}

fn planned(r: &Rotation, view: &View<'_>) -> Next {
    if view.stage_from > view.clocks.local {
        return Next::Wait(Some(view.stage_from), Waiting::Calendar);
    }
    if let Some(next) = make_room(r, view) {
        return next;
    }
    Next::Do(Action::Preflight)
}

/// Capped audiences: expired own secrets leave first; with no slot free it is blocked, and looked at again.
pub(super) fn make_room(r: &Rotation, view: &View<'_>) -> Option<Next> {
    if !r.capped || view.secrets_present? < super::numbers::CAPPED_SLOTS {
        return None;
    }
    if let Some(look) = r.removals.iter().filter(|removal| removal.absent.is_none()).map(look_at).min() {
        let now = view.clocks.local;
        let due = look.unwrap_or(now);
        return Some(if due <= now { Next::Do(Action::LookAgain) } else { Next::Wait(Some(due), Waiting::Settling) });
    }
    let expired = guard::expired(r, view.clocks, view.rules);
    if !expired.is_empty() && !view.rules.breaks(Mutation::CappedExpiredStays) {
        return Some(Next::Record(Event::ExpiredIntended { key_ids: expired }));
    }
    None
}

fn ready(r: &Rotation, view: &View<'_>) -> Next {
    if let Some(next) = look_for_attempts(r, view) {
        return next;
    }
    let attempts_open = r.attempts.last().is_some_and(|attempt| attempt.outcome == Outcome::Open);
    match (&r.spec.kind, attempts_open) {
        (CredentialKind::Certificate(_), true) => Next::Do(Action::MakeKey),
        (CredentialKind::Certificate(_), false) => Next::RecordThen(start(r, view), Action::MakeKey),
        (CredentialKind::ClientSecret, _) => Next::RecordThen(start(r, view), Action::AddPassword),
    }
}

/// C1: an issuer is asked with a request that is journalled first, so that asking again asks for the same thing.
fn keyed(r: &Rotation) -> Next {
    let CredentialKind::Certificate(spec) = &r.spec.kind else { return Next::Do(Action::MakeCertificate) };
    match spec.issuer {
        IssuerKind::SelfSigned => Next::Do(Action::MakeCertificate),
        _ if r.request.is_none() => Next::Do(Action::MakeRequest),
        IssuerKind::Ca(_) | IssuerKind::Command(_) | IssuerKind::VaultPki(_) => Next::Do(Action::MakeCertificate),
        IssuerKind::Csr => Next::Wait(None, Waiting::Person),
    }
}

/// When the certificate for the request of `r` should be back, so that the overlap and the retries still fit before
/// the old one ends; `None` at first issuance.
pub fn certificate_due(r: &Rotation) -> Option<Timestamp> {
    r.old_end()?.checked_sub(r.spec.overlap).ok()?.checked_sub(r.spec.retry_budget).ok()
}

/// The event that starts the next attempt. Dates are whole seconds, by the clock that is behind: by a clock that is ahead
/// the new one would not be valid yet.
fn start(r: &Rotation, view: &View<'_>) -> Event {
    let number = r.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0).max(r.forgotten) + 1;
    let now = view.clocks.far.map_or(view.clocks.local, |far| far.min(view.clocks.local));
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    Event::AttemptStarted {
        number,
        tag: tag::tag(view.instance, r.id, number),
        start: now,
        end: now.checked_add(r.spec.lifetime).unwrap_or(Timestamp::MAX),
    }
}

/// S1u: a new attempt under a new tag (D2), unless the fuse, the pause or a capped audience forbids it.
fn unknown(r: &Rotation, view: &View<'_>) -> Next {
    let now = view.clocks.local;
    if let Some(hasty) = hasty(r, view) {
        return hasty;
    }
    if let Some(next) = look_for_attempts(r, view) {
        return next;
    }
    let open = r.attempts.iter().filter(|attempt| is_unsettled(r, attempt, now)).count();
    if open >= FUSE {
        return Next::Wait(Some(now + SETTLE), Waiting::Fuse);
    }
    let closed = || r.attempts.iter().filter(|a| a.outcome == Outcome::Unknown).filter_map(|a| a.closed);
    // Nobody waits an hour while the old one ends.
    let is_urgent = r.emergency.is_some() || r.old_end().is_some_and(|end| end < now + r.spec.min_life);
    let pause = if is_urgent { emergency_pause(closed().count()) } else { AMBIGUOUS_PAUSE };
    if let Some(until) = closed().max().map(|at| at + pause)
        && until > now
    {
        return Next::Wait(Some(until.min(now + SETTLE)), Waiting::Settling);
    }
    if r.capped && open > 0 {
        return Next::Wait(Some(now + SETTLE), Waiting::Settling);
    }
    if r.capped && view.secrets_present.is_some_and(|present| present >= super::numbers::CAPPED_SLOTS) {
        return Next::Wait(Some(now + SignedDuration::from_hours(1)), Waiting::NoSlot);
    }
    Next::RecordThen(start(r, view), Action::AddPassword)
}

/// The mutants on capped audiences: each takes an attempt for settled too early.
fn hasty(r: &Rotation, view: &View<'_>) -> Option<Next> {
    let unknown = || r.attempts.iter().filter(|attempt| attempt.outcome == Outcome::Unknown && !attempt.swept);
    let age =
        |attempt: &crate::model::Attempt| view.clocks.local.duration_since(attempt.closed.unwrap_or(attempt.started));
    let hasty = view.rules.breaks(Mutation::CappedRetryAtOnce)
        || (view.rules.breaks(Mutation::CappedNoDrain)
            && unknown().all(|attempt| age(attempt) >= SETTLE && attempt.unseen.is_some()))
        || (view.rules.breaks(Mutation::CappedOneRead)
            && unknown().all(|attempt| age(attempt) >= DRAIN && attempt.unseen.is_some()));
    (r.capped && hasty).then(|| Next::RecordThen(start(r, view), Action::AddPassword))
}

/// An ambiguous attempt is settled once swept, or when Z has passed and two reads, `SETTLE` apart, do not show
/// its tag. Its sweep obligation stays all the same. What is left alone for ever is not waited for: the slot that it
/// takes is counted where slots are.
pub fn is_unsettled(r: &Rotation, attempt: &crate::model::Attempt, now: Timestamp) -> bool {
    if attempt.outcome != Outcome::Unknown || attempt.swept || attempt.number <= r.forgotten {
        return false;
    }
    let drained = now.duration_since(attempt.closed.unwrap_or(attempt.started)) >= DRAIN;
    let unseen = attempt.unseen.is_some_and(|(first, latest)| {
        let after_drain = first.duration_since(attempt.closed.unwrap_or(attempt.started)) >= DRAIN;
        after_drain && latest.duration_since(first) >= SETTLE
    });
    !(drained && unseen)
}

/// A look at the application when an unsettled attempt has not been looked for in the last `SETTLE`.
pub(super) fn look_for_attempts(r: &Rotation, view: &View<'_>) -> Option<Next> {
    let now = view.clocks.local;
    r.attempts
        .iter()
        .filter(|attempt| is_unsettled(r, attempt, now))
        .map(|attempt| attempt.looked.or(attempt.unseen.map(|(_, latest)| latest)))
        .any(|looked| looked.is_none_or(|looked| now.duration_since(looked) >= SETTLE))
        .then_some(Next::Do(Action::LookAgain))
}

/// A PATCH that may still land could drop the new certificate: it is proven after that, and delivered after the proof.
fn drains(view: &View<'_>) -> Option<Next> {
    let until = view.patch_in_flight.map(|at| at + DRAIN).filter(|until| *until > view.clocks.local)?;
    let waits = !view.rules.breaks(Mutation::PatchWithoutDrain);
    waits.then_some(Next::Wait(Some(until), Waiting::Settling))
}

/// S2/C4: three sign-ins in a row over at least a minute.
fn attached(r: &Rotation, view: &View<'_>) -> Next {
    let now = view.clocks.local;
    let probes = &r.probes;
    if view.rules.breaks(Mutation::DeliverWithoutProbe) {
        return Next::Record(Event::Verified);
    }
    if let Some(wait) = drains(view) {
        return wait;
    }
    if let Some((first, latest)) = probes.successes {
        if probes.count >= PROBE_SUCCESSES && latest.duration_since(first) >= PROBE_SPAN {
            return Next::Record(Event::Verified);
        }
        return probe_at(latest + PROBE_PAUSE, now);
    }
    if probes.inconclusive {
        if r.spec.prove == Prove::AcceptBlocked {
            return Next::Record(Event::Verified);
        }
        return probe_at(probes.last_try.unwrap_or(now) + PROBE_BLOCKED_RETRY, now);
    }
    let Some(first_try) = probes.first_try else {
        let late = union::may_have_dropped(r, view.patch_in_flight);
        return Next::Do(if late { Action::CheckDropped } else { Action::Probe });
    };
    let last_try = probes.last_try.unwrap_or(first_try);
    let absent = probes.absent_since.is_some_and(|since| last_try.duration_since(since) > SETTLE);
    if last_try.duration_since(first_try) >= PROBE_WINDOW || absent {
        return Next::Record(Event::Abandoned);
    }
    let pause = if last_try.duration_since(first_try) < PROBE_SPAN { PROBE_RETRY } else { PROBE_RETRY_LATE };
    probe_at(last_try + pause, now)
}

fn probe_at(at: Timestamp, now: Timestamp) -> Next {
    if at > now { Next::Wait(Some(at), Waiting::Propagation) } else { Next::Do(Action::Probe) }
}

/// S3/C5: every sink, any order.
fn verified(r: &Rotation, view: &View<'_>) -> Next {
    if let Some(wait) = drains(view) {
        return wait;
    }
    let missing = || r.spec.sinks.iter().filter(|sink| !r.deliveries.iter().any(|d| d.sink == sink.id));
    // In an emergency machines come first: what a person does takes longer.
    let machine = missing().find(|sink| r.emergency.is_some() && sink.handoff().is_none());
    match machine.or_else(|| missing().next()) {
        Some(sink) => Next::Do(Action::Deliver(sink.id.clone())),
        None => Next::Record(Event::AllDelivered),
    }
}

/// S4/C6: evidence by the policy's method.
fn delivered(r: &Rotation, view: &View<'_>) -> Next {
    if view.rules.breaks(Mutation::RetireEarly) && !r.old.is_empty() {
        return Next::Do(Action::PassGuard);
    }
    let now = view.clocks.local;
    let unconfirmed = r.spec.sinks.iter().filter(|sink| !guard::is_confirmed(r, &sink.id, view.handoffs, view.rules));
    let (people, machines): (Vec<_>, Vec<_>) = unconfirmed.partition(|sink| sink.handoff().is_some());
    if let Some(sink) = machines.first() {
        let evidence = match r.spec.confirm.method {
            ConfirmMethod::TokenRequest => return Next::Do(Action::ProbeDelivered),
            ConfirmMethod::SignInReport => return Next::Do(Action::AskReport),
            ConfirmMethod::Overlap => "the overlap alone, as the policy says".to_owned(),
            // A machine's sink beside a person's: its read-back, and the overlap on top of it.
            ConfirmMethod::Person => "read back as delivered".to_owned(),
        };
        let confirmation = Confirmation { sink: Some(sink.id.clone()), handoff: None, at: now, evidence };
        return Next::Record(Event::EvidenceSeen { confirmation });
    }
    if people.is_empty() {
        return Next::Record(Event::Confirmed);
    }
    if r.spec.confirm.method == ConfirmMethod::SignInReport {
        return Next::Do(Action::AskReport);
    }
    Next::Wait(supersede_at(r), Waiting::Person)
}

/// S4c/C6c: the overlap, or the old one's own end; then the guard.
fn confirmed(r: &Rotation, view: &View<'_>) -> Next {
    let now = view.clocks.local;
    let rules = view.rules;
    if guard::removable(r).next().is_none() {
        return finish_or_settle(r, view);
    }
    let expired = guard::expired(r, view.clocks, rules);
    // What has ended needs no other condition (I2, second form); else a successor that ended as well, in a long
    // downtime, would hold this rotation open for ever.
    let all_expired = guard::removable(r).all(|old| expired.contains(&old.key_id));
    let by_overlap = guard::removable(r).any(|old| !guard::leaves_at_own_end(r, old));
    if !expired.is_empty() && (!by_overlap || all_expired) {
        if view.retire_from > now {
            return Next::Wait(Some(view.retire_from), Waiting::Calendar);
        }
        return Next::Record(Event::RetireIntended { key_ids: expired });
    }
    if !by_overlap {
        if is_over_for_its_slot(r, now) {
            return Next::Record(Event::OwnGone);
        }
        return match guard::next_own_end(r) {
            Some(end) => until_own_end(r, end, now),
            // Only values that were replaced before anybody confirmed are left: carried over to the next rotation.
            None => finish_or_settle(r, view),
        };
    }
    if let Some(end) = guard::overlap_end(r)
        && end >= now
    {
        return Next::Wait(Some(later(end.max(view.retire_from), now)), Waiting::Overlap);
    }
    if view.retire_from > now {
        return Next::Wait(Some(view.retire_from), Waiting::Calendar);
    }
    Next::Do(Action::PassGuard)
}

/// One second after `at`, and always after `now`.
fn later(at: Timestamp, now: Timestamp) -> Timestamp {
    let second = SignedDuration::from_secs(1);
    if at >= now { at + second } else { now + SETTLE }
}

/// S5/C7 after the removals were sent: two reads, `SETTLE` apart, do not show them.
pub(super) fn settling(r: &Rotation, view: &View<'_>) -> Next {
    // At expiry, several old ones may end one after the other.
    let expired = guard::expired(r, view.clocks, view.rules);
    if !expired.is_empty() {
        return Next::Record(Event::ExpiredIntended { key_ids: expired });
    }
    if let Some(end) = guard::next_own_end(r)
        && r.removals.iter().all(|removal| removal.is_settled(SETTLE))
    {
        if is_over_for_its_slot(r, view.clocks.local) {
            return Next::Record(Event::OwnGone);
        }
        return until_own_end(r, end, view.clocks.local);
    }
    finish_or_settle(r, view)
}

/// The tail of a rotation that is over for its slot: what ended by both clocks leaves, and nothing else.
fn tail(r: &Rotation, view: &View<'_>) -> Next {
    let expired = guard::expired(r, view.clocks, view.rules);
    if !expired.is_empty() {
        return Next::Record(Event::ExpiredIntended { key_ids: expired });
    }
    let next_end = guard::removable(r).filter(|old| !old.replaced).map(|old| old.end + MARGIN).min();
    match next_end {
        Some(end) => Next::Wait(Some(later(end, view.clocks.local)), Waiting::Overlap),
        None => finish_or_settle(r, view),
    }
}

pub(super) fn finish_or_settle(r: &Rotation, view: &View<'_>) -> Next {
    let now = view.clocks.local;
    let due = r
        .removals
        .iter()
        .filter(|removal| !removal.is_settled(SETTLE))
        .map(|removal| look_at(removal).unwrap_or(now))
        .min();
    match due {
        None => Next::Record(Event::Finished),
        Some(at) if at <= now => Next::Do(Action::LookAgain),
        Some(at) => Next::Wait(Some(at), Waiting::Settling),
    }
}

/// When a removal is next looked for; `None` is at once.
fn look_at(removal: &crate::model::Removal) -> Option<Timestamp> {
    match removal.absent {
        Some((_, latest)) => Some(latest + SETTLE),
        None => removal.looked.map(|looked| looked + LOOK_PAUSE),
    }
}

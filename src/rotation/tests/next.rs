//! What is done next, at the points where the protocol forbids something.

use jiff::SignedDuration;
use jiff::Timestamp;

use super::sample::*;
use crate::model::*;
use crate::rotation::Action;
use crate::rotation::Mutation;
use crate::rotation::Next;
use crate::rotation::Rules;
use crate::rotation::View;
use crate::rotation::Waiting;
use crate::rotation::certificate_due;
use crate::rotation::guard::Clocks;
use crate::rotation::guard::leaves_at_own_end;
use crate::rotation::next;
use crate::rotation::numbers::MARGIN;

fn mins(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// After an answer that was lost at `closed`, with two looks that did not show it at these minutes after.
fn unknown(closed: Timestamp, looks: Option<(i64, i64)>) -> Rotation {
    let mut lost = attempt(1, closed, Outcome::Unknown);
    lost.unseen = looks.map(|(first, latest)| (closed + mins(first), closed + mins(latest)));
    Rotation { state: State::Unknown, attempts: vec![lost], ..planned() }
}

#[track_caller]
fn starts(next: Next, wanted: u32) {
    match next {
        Next::RecordThen(Event::AttemptStarted { number, .. }, Action::AddPassword) => assert_eq!(number, wanted),
        other => panic!("no attempt starts: {other:?}"),
    }
}

#[test]
fn an_intent_found_at_start_is_never_sent_again() {
    let r = Rotation { state: State::Intent, attempts: vec![attempt(1, at(0), Outcome::Open)], ..planned() };
    assert_eq!(next(&r, &view(at(1))), Next::Record(Event::AttemptUnknown));
}

#[test]
fn a_ready_one_starts_its_first_attempt() {
    starts(next(&Rotation { state: State::Ready, ..planned() }, &view(at(1))), 1);
    starts(next(&Rotation { state: State::Ready, forgotten: 1000, ..planned() }, &view(at(1))), 1001);
}

#[test]
fn after_a_lost_answer_it_looks_then_waits_an_hour_then_tries_under_a_new_number() {
    let lost = at(0);
    assert_eq!(next(&unknown(lost, None), &view(lost + mins(1))), Next::Do(Action::LookAgain));
    let looked = unknown(lost, Some((1, 1)));
    assert_eq!(next(&looked, &view(lost + mins(2))), Next::Wait(Some(lost + mins(7)), Waiting::Settling));
    starts(next(&unknown(lost, Some((50, 58))), &view(lost + mins(60))), 2);
}

#[test]
fn three_open_ambiguous_attempts_blow_the_fuse() {
    let now = at(10);
    let open = |number| Attempt {
        unseen: Some((now, now)),
        looked: Some(now),
        ..attempt(number, now - mins(5), Outcome::Unknown)
    };
    let r = Rotation { state: State::Unknown, attempts: vec![open(1), open(2), open(3)], ..planned() };
    assert_eq!(next(&r, &view(now)), Next::Wait(Some(now + mins(5)), Waiting::Fuse));
}

#[test]
fn a_capped_audience_waits_until_the_lost_one_cannot_appear_any_more() {
    let lost = at(0);
    let capped = |looks| Rotation { capped: true, ..unknown(lost, Some(looks)) };
    // An hour later, but the two looks were both before the drain: the attempt is still open.
    let early = next(&capped((1, 58)), &view(lost + mins(61)));
    assert_eq!(early, Next::Wait(Some(lost + mins(66)), Waiting::Settling));
    // Two looks after the drain, but too close together to be two opinions.
    let close = next(&capped((57, 59)), &view(lost + mins(61)));
    assert_eq!(close, Next::Wait(Some(lost + mins(66)), Waiting::Settling));
    starts(next(&capped((16, 58)), &View { secrets_present: Some(1), ..view(lost + mins(61)) }), 2);
    let full = next(&capped((16, 58)), &View { secrets_present: Some(2), ..view(lost + mins(61)) });
    assert_eq!(full, Next::Wait(Some(lost + mins(121)), Waiting::NoSlot));
}

#[test]
fn on_a_capped_audience_what_expired_leaves_first() {
    let mut r = Rotation { capped: true, ..planned() };
    r.old[0].end = at(0);
    let full = View { secrets_present: Some(2), ..view(at(1)) };
    assert_eq!(next(&r, &full), Next::Record(Event::ExpiredIntended { key_ids: vec!["old".into()] }));
    let free = View { secrets_present: Some(1), ..view(at(1)) };
    assert_eq!(next(&r, &free), Next::Do(Action::Preflight));
}

fn proven(first: i64, latest: i64, count: u32) -> Rotation {
    let seconds = |s| at(0) + SignedDuration::from_secs(s);
    let probes = Probes {
        successes: Some((seconds(first), seconds(latest))),
        count,
        tries: count,
        first_try: Some(seconds(first)),
        last_try: Some(seconds(latest)),
        ..Probes::default()
    };
    Rotation { probes, ..attached() }
}

#[test]
fn three_sign_ins_over_a_minute_prove_and_nothing_less() {
    let now = view(at(0) + SignedDuration::from_secs(60));
    assert_eq!(next(&proven(0, 60, 3), &now), Next::Record(Event::Verified));
    assert_eq!(
        next(&proven(1, 60, 3), &now),
        Next::Wait(Some(at(0) + SignedDuration::from_secs(90)), Waiting::Propagation)
    );
    assert_ne!(next(&proven(0, 60, 2), &now), Next::Record(Event::Verified));
    let without = View { rules: Rules::without(Mutation::DeliverWithoutProbe), ..now };
    assert_eq!(next(&attached(), &without), Next::Record(Event::Verified), "the mutant asks for no proof");
}

#[test]
fn a_credential_that_is_never_accepted_is_abandoned_and_one_that_cannot_be_judged_is_not() {
    let tried = |minutes: i64, inconclusive| Rotation {
        probes: Probes {
            tries: 9,
            first_try: Some(at(0)),
            last_try: Some(at(0) + mins(minutes)),
            inconclusive,
            ..Probes::default()
        },
        ..attached()
    };
    assert_eq!(next(&tried(15, false), &view(at(1))), Next::Record(Event::Abandoned));
    assert_eq!(
        next(&tried(15, true), &view(at(0) + mins(20))),
        Next::Wait(Some(at(0) + mins(45)), Waiting::Propagation)
    );
    let mut accepting = tried(15, true);
    accepting.spec.prove = Prove::AcceptBlocked;
    assert_eq!(next(&accepting, &view(at(1))), Next::Record(Event::Verified));
}

#[test]
fn nothing_is_delivered_while_a_patch_may_still_land() {
    let r = Rotation { state: State::Verified, ..attached() };
    let sent = at(1) - mins(14);
    let in_flight = View { patch_in_flight: Some(sent), ..view(at(1)) };
    assert_eq!(next(&r, &in_flight), Next::Wait(Some(sent + mins(15)), Waiting::Settling));
    assert_eq!(next(&r, &view(at(1))), Next::Do(Action::Deliver("file".into())));
}

#[test]
fn before_the_proof_it_is_looked_whether_a_late_patch_dropped_anything() {
    let seen = Rotation { pre_image: vec![certificate("theirs", "T1")], ..attached() };
    let began = seen.attempt().unwrap().started;
    let late = |sent| View { patch_in_flight: Some(sent), ..view(at(1)) };
    assert_eq!(next(&seen, &late(began - mins(14))), Next::Do(Action::CheckDropped));
    assert_eq!(next(&seen, &late(began - mins(15))), Next::Do(Action::Probe), "it had landed before the pre-image");
    assert_eq!(next(&seen, &view(at(1))), Next::Do(Action::Probe), "nothing was in flight");
    assert_eq!(next(&attached(), &late(began - mins(14))), Next::Do(Action::Probe), "nobody else was there");
}

/// Delivered to a person, who says nothing.
fn carried() -> Rotation {
    let mut r = delivered();
    r.spec.sinks = vec![person_sink("person")];
    r.deliveries = vec![Delivery { sink: "person".into(), at: at(1), proof: Proof::Sealed("h-1".into()) }];
    r
}

#[test]
fn nobody_confirmed_and_the_old_one_ended_by_both_clocks() {
    let end = at(24 * 30);
    let superseded = Next::Record(Event::Superseded);
    assert_ne!(next(&carried(), &view(end)), superseded, "at its very end");
    assert_eq!(next(&carried(), &view(end + mins(1))), superseded);
    let behind = Clocks { local: end + mins(1), far: Some(end - mins(1)) };
    let disagreeing = View { clocks: behind, ..view(end + mins(1)) };
    assert_ne!(next(&carried(), &disagreeing), superseded, "Graph says it still lives");
    let alone = View { rules: Rules::without(Mutation::LocalClockAlone), ..disagreeing };
    assert_eq!(next(&carried(), &alone), superseded, "the mutant believes the local clock");
    // A machine's evidence is one look away, and what is not delivered yet is delivered first.
    assert_eq!(next(&delivered(), &view(end + mins(1))), Next::Do(Action::ProbeDelivered));
    let undelivered = Rotation { state: State::Verified, ..attached() };
    assert_eq!(next(&undelivered, &view(end + mins(1))), Next::Do(Action::Deliver("file".into())));
    // Until the new one's own successor is due.
    assert_eq!(next(&undelivered, &view(at(24 * 120) + mins(1))), superseded);
    assert_ne!(next(&confirmed(), &view(end + mins(1))), superseded, "confirmed: retire as usual");
}

#[test]
fn the_calendar_gates_stage_and_retire_and_nothing_between() {
    let later = at(500);
    let closed = View { stage_from: later, retire_from: later, ..view(at(171)) };
    assert_eq!(next(&planned(), &closed), Next::Wait(Some(later), Waiting::Calendar));
    assert_eq!(next(&confirmed(), &closed), Next::Wait(Some(later), Waiting::Calendar));
    assert_eq!(next(&attached(), &closed), Next::Do(Action::Probe));
    assert_eq!(
        next(&Rotation { state: State::Verified, ..attached() }, &closed),
        Next::Do(Action::Deliver("file".into()))
    );
    assert_eq!(next(&delivered(), &closed), Next::Do(Action::ProbeDelivered));
}

#[test]
fn the_overlap_is_waited_for_and_then_the_guard_is_asked() {
    let end = at(170);
    assert_eq!(
        next(&confirmed(), &view(at(3))),
        Next::Wait(Some(end + SignedDuration::from_secs(1)), Waiting::Overlap)
    );
    assert_eq!(next(&confirmed(), &view(at(171))), Next::Do(Action::PassGuard));
    let early = View { rules: Rules::without(Mutation::RetireEarly), ..view(at(1)) };
    assert_eq!(next(&delivered(), &early), Next::Do(Action::PassGuard), "the mutant does not wait for a confirmation");
}

#[test]
fn a_failed_step_waits_for_its_pause_but_never_beyond_the_end_of_what_people_use() {
    let problem = Problem { code: "T010".into(), summary: "no".into(), fix: None, request_id: None };
    let retry_at = at(24 * 30 + 5);
    let failure = Failure { problem, since: at(3), count: 9, retry_at, blocked: false };
    let staged = Rotation { failure: Some(failure.clone()), ..planned() };
    assert_eq!(next(&staged, &view(at(24 * 30 - 1))), Next::Wait(Some(retry_at), Waiting::Backoff));
    let waiting = Rotation { failure: Some(failure), ..carried() };
    assert_eq!(next(&waiting, &view(at(24 * 30 - 1))), Next::Wait(Some(at(24 * 30)), Waiting::Backoff));
}

/// A clock that stood a year ahead: when both agree again, what it dated counts from now, and not before.
#[test]
fn dates_of_a_clock_that_was_ahead_count_from_now() {
    let year = 24 * 365;
    let mut r = confirmed();
    r.confirmations[0].at = at(year);
    r.attempts[0].closed = Some(at(year));
    assert_eq!(next(&r, &view(at(3))), Next::Record(Event::Redated));
    let redated = crate::rotation::fold::after(&r, &Event::Redated, at(3)).unwrap();
    assert_eq!((redated.confirmed_at(), redated.attempts[0].closed), (Some(at(3)), Some(at(3))));
    assert_eq!(redated.delivered_at(), r.delivered_at(), "what lies in the past stays");
    let end = at(171);
    assert_eq!(next(&redated, &view(at(3))), Next::Wait(Some(end + SignedDuration::from_secs(1)), Waiting::Overlap));
    let alone = View { clocks: Clocks { local: at(3), far: Some(at(year)) }, ..view(at(3)) };
    assert_ne!(next(&r, &alone), Next::Record(Event::Redated), "the other clock may be the right one");
}

#[test]
fn at_first_issuance_a_person_has_until_the_new_ones_own_successor() {
    let r = Rotation { old: Vec::new(), ..carried() };
    let until = at(24 * 120);
    assert_eq!(next(&r, &view(at(2))), Next::Wait(Some(until), Waiting::Person));
    assert_eq!(next(&r, &view(until + mins(1))), Next::Record(Event::Superseded));
}

#[test]
fn an_issuer_is_asked_only_with_a_request_that_is_journalled() {
    let now = view(at(1));
    assert_eq!(next(&keyed(IssuerKind::SelfSigned), &now), Next::Do(Action::MakeCertificate));
    for issuer in [IssuerKind::Ca("team-ca".into()), IssuerKind::Command(vec!["sign".into()])] {
        assert_eq!(next(&keyed(issuer.clone()), &now), Next::Do(Action::MakeRequest), "{issuer:?}");
        let asked = Rotation { request: Some("CSR".into()), ..keyed(issuer) };
        assert_eq!(next(&asked, &now), Next::Do(Action::MakeCertificate));
    }
    assert_eq!(next(&keyed(IssuerKind::Csr), &now), Next::Do(Action::MakeRequest));
    let carried = Rotation { request: Some("CSR".into()), ..keyed(IssuerKind::Csr) };
    assert_eq!(next(&carried, &now), Next::Wait(None, Waiting::Person), "a person brings it back");
}

#[test]
fn the_certificate_is_due_before_overlap_and_retries_run_short() {
    assert_eq!(certificate_due(&keyed(IssuerKind::Csr)), Some(at(24 * (30 - 14))));
    let first = Rotation { old: Vec::new(), ..keyed(IssuerKind::Csr) };
    assert_eq!(certificate_due(&first), None);
}

/// [`confirmed`], which also replaces what somebody adopted; that one ends at hour 1000.
fn adopting(method: ConfirmMethod) -> Rotation {
    let mut r = confirmed();
    r.spec.confirm.method = method;
    r.old.push(OldCredential { key_id: "theirs".into(), end: at(1000), adopted: true, ..r.old[0].clone() });
    r
}

#[test]
fn what_was_adopted_leaves_at_its_own_end_and_not_with_the_overlap() {
    let theirs = [KeyId::from("theirs")];
    let see = |now| View { adopted: &theirs, ..view(now) };
    let r = adopting(ConfirmMethod::TokenRequest);
    // Ours goes with the overlap; the guard names who.
    assert_eq!(next(&r, &see(at(171))), Next::Do(Action::PassGuard));
    assert!(!leaves_at_own_end(&r, &r.old[0]) && leaves_at_own_end(&r, &r.old[1]));
    let mut gone = Rotation { state: State::RetireIntent, ..r.clone() };
    let removal =
        Removal { key_id: "old".into(), sent: Some(at(171)), looked: Some(at(172)), absent: Some((at(171), at(172))) };
    gone.removals = vec![removal];
    let end = at(1000) + MARGIN;
    assert_eq!(next(&gone, &see(at(200))), Next::Record(Event::OwnGone), "the slot goes on without it");
    let gone = Rotation { state: State::Trailing, ..gone };
    assert!(!gone.is_open());
    assert_eq!(next(&gone, &see(at(200))), Next::Wait(Some(end + SignedDuration::from_secs(1)), Waiting::Overlap));
    let expired = Next::Record(Event::ExpiredIntended { key_ids: theirs.to_vec() });
    assert_ne!(next(&gone, &see(end)), expired, "at the very end of the margin");
    assert_eq!(next(&gone, &see(end + mins(1))), expired);

    // Alone, it is all that the rotation waits for.
    let mut alone = r;
    alone.old.remove(0);
    assert_eq!(next(&alone, &see(at(171))), Next::Record(Event::OwnGone));
    let intended = Next::Record(Event::RetireIntended { key_ids: theirs.to_vec() });
    assert_eq!(next(&alone, &see(end + mins(1))), intended);

    // The report sees every consumer: on its evidence it may go with the others.
    let r = adopting(ConfirmMethod::SignInReport);
    assert!(!leaves_at_own_end(&r, &r.old[1]));
}

#[test]
fn an_adoption_that_was_taken_back_is_noticed_before_anything_else_happens() {
    let r = adopting(ConfirmMethod::TokenRequest);
    let ended = Next::Record(Event::AdoptionEnded { key_id: "theirs".into() });
    for now in [at(3), at(171), at(1000) + MARGIN + mins(1)] {
        assert_eq!(next(&r, &view(now)), ended);
    }
    let mut intended = Rotation { state: State::RetireIntent, ..r };
    intended.removals = vec![Removal { key_id: "theirs".into(), sent: None, looked: None, absent: None }];
    let remove = Next::Do(Action::Remove("theirs".into()));
    assert_eq!(next(&intended, &view(at(1002))), remove, "too late: it is decided");
}

#[test]
fn the_first_end_is_the_one_that_counts() {
    let mut r = planned();
    let own = r.old[0].end;
    let with = |end, r: &mut Rotation| {
        r.old.push(OldCredential { key_id: "theirs".into(), end, adopted: true, ..planned().old[0].clone() });
    };
    with(at(24 * 200), &mut r);
    assert_eq!(r.old_end(), Some(own), "ours first");
    with(at(24 * 10), &mut r);
    assert_eq!(r.old_end(), Some(at(24 * 10)), "theirs first: a freeze must yield to it");
    with(at(-24), &mut r);
    assert_eq!(r.old_end(), Some(at(24 * 10)), "what had ended stops nobody any more");
    r.old.retain(|old| old.end < at(0));
    assert_eq!(r.old_end(), Some(at(-24)));
}

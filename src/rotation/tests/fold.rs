//! The protocol's table: which event may follow on which state, and where it leads. What is not in the table is
//! refused, so that a damaged journal or a mistake of the engine is found and never acted on.

use jiff::SignedDuration;

use super::sample::*;
use crate::model::*;
use crate::rotation::after;
use crate::rotation::fold::event_name;

const ALL: [State; 15] = [
    State::Planned,
    State::Ready,
    State::Keyed,
    State::Certified,
    State::Intent,
    State::Unknown,
    State::UploadIntent,
    State::Attached,
    State::Verified,
    State::Delivered,
    State::Confirmed,
    State::RetireIntent,
    State::Done,
    State::SupersededUnconfirmed,
    State::Trailing,
];

/// A record as it stands in `state`.
fn standing(state: State) -> Rotation {
    let outcome = match state {
        State::Planned | State::Ready => None,
        State::Keyed | State::Certified | State::Intent | State::UploadIntent => Some(Outcome::Open),
        State::Unknown => Some(Outcome::Unknown),
        _ => Some(Outcome::Saved),
    };
    let gone =
        Removal { key_id: "old".into(), sent: Some(at(200)), looked: Some(at(202)), absent: Some((at(201), at(202))) };
    let over = matches!(state, State::Trailing | State::SupersededUnconfirmed | State::Done);
    let leaves = over || state == State::RetireIntent;
    let begun = matches!(outcome, Some(Outcome::Saved) | Some(Outcome::Open)) && state != State::Intent;
    Rotation {
        state,
        attempts: outcome.map(|outcome| attempt(1, at(0), outcome)).into_iter().collect(),
        fresh: begun.then(fresh),
        removals: if leaves { vec![gone] } else { Vec::new() },
        finished: (state == State::Done).then(|| at(203)),
        old: vec![
            OldCredential { key_id: "theirs".into(), adopted: true, ..confirmed().old[0].clone() },
            confirmed().old[0].clone(),
        ],
        ..confirmed()
    }
}

/// Every event, and the steps it may take.
fn table() -> Vec<(Event, Vec<(State, State)>)> {
    use State::*;
    let stay = |states: &[State]| states.iter().map(|state| (*state, *state)).collect::<Vec<_>>();
    let to = |from: &[State], to: State| from.iter().map(|state| (*state, to)).collect::<Vec<_>>();
    let anywhere = stay(&ALL);
    let tried = [
        Keyed,
        Certified,
        Intent,
        Unknown,
        UploadIntent,
        Attached,
        Verified,
        Delivered,
        Confirmed,
        RetireIntent,
        Done,
        SupersededUnconfirmed,
        Trailing,
    ];
    let problem = Problem { code: "G010".into(), summary: "no".into(), fix: None, request_id: None };
    let old = || vec![KeyId::from("old")];
    let start = Event::AttemptStarted { number: 2, tag: "t".into(), start: at(0), end: at(9) };
    vec![
        (Event::PreflightPassed, to(&[Planned], Ready)),
        (Event::Respecified { spec: Box::new(standing(Planned).spec) }, stay(&[Planned])),
        (start, to(&[Ready, Unknown], Intent)),
        (Event::AttemptRefused, to(&[Keyed, Intent, UploadIntent], Planned)),
        (Event::AttemptUnknown, to(&[Intent], Unknown)),
        (Event::AttemptSeen { number: 1, present: false }, stay(&tried)),
        (Event::AttemptSwept { number: 1, key_id: "x".into() }, stay(&tried)),
        (Event::AttemptsForgotten { up_to: 2 }, anywhere.clone()),
        (Event::KeySealed { seals: Vec::new() }, to(&[Ready], Keyed)),
        (Event::Requested { request: "CSR".into() }, stay(&[Keyed])),
        (Event::CertificateMade { fresh: fresh() }, to(&[Keyed], Certified)),
        (Event::UploadIntended { pre_image: Vec::new() }, to(&[Certified, UploadIntent], UploadIntent)),
        (Event::UploadAccepted, stay(&[UploadIntent])),
        (Event::CallAmbiguous { call: AmbiguousCall::Patch }, anywhere.clone()),
        (Event::CallSent { call: AmbiguousCall::Patch }, anywhere.clone()),
        // Only what was sent is answered.
        (Event::CallAnswered { call: AmbiguousCall::Patch }, Vec::new()),
        (Event::Attached { fresh: fresh() }, to(&[Intent, UploadIntent], Attached)),
        (Event::ProbeAccepted { request_id: None }, stay(&[Attached])),
        (Event::ProbeRefused { code: "7000215".into(), listed: true }, stay(&[Attached])),
        (Event::ProbeInconclusive { code: "53003".into() }, stay(&[Attached])),
        (Event::Verified, to(&[Attached], Verified)),
        (Event::Abandoned, to(&[Attached], Ready)),
        (Event::Delivered { delivery: delivery("file", at(3)) }, stay(&[Verified])),
        (Event::Delivered { delivery: delivery("no such sink", at(3)) }, Vec::new()),
        (Event::SinkDrifted { sink: "file".into() }, to(&[Verified, Delivered, Confirmed], Verified)),
        (Event::Redated, anywhere.clone()),
        (Event::Unlisted, stay(&[Verified, Delivered])),
        (Event::AllDelivered, to(&[Verified], Delivered)),
        (Event::EvidenceSeen { confirmation: confirmation("file", None, at(3)) }, stay(&[Verified, Delivered])),
        (Event::Confirmed, to(&[Delivered], Confirmed)),
        (Event::ReceiptVoided { handoff: "h-1".into(), delivery: delivery("file", at(3)) }, Vec::new()),
        (Event::Renewed, to(&[Verified, Delivered, Confirmed], Planned)),
        (Event::AdoptionEnded { key_id: "theirs".into() }, anywhere.clone()),
        (Event::OwnGone, to(&[Confirmed, RetireIntent], Trailing)),
        // What everkey made is nobody's to take back.
        (Event::AdoptionEnded { key_id: "old".into() }, Vec::new()),
        (Event::RetireIntended { key_ids: old() }, to(&[Verified, Delivered, Confirmed], RetireIntent)),
        (Event::ExpiredIntended { key_ids: old() }, anywhere.clone()),
        (Event::RemovalSent { key_id: "old".into() }, stay(&[RetireIntent, Done, SupersededUnconfirmed, Trailing])),
        (
            Event::RemovalSeen { key_id: "old".into(), present: false },
            stay(&[RetireIntent, Done, SupersededUnconfirmed, Trailing]),
        ),
        (Event::Superseded, to(&[Verified, Delivered], SupersededUnconfirmed)),
        (
            Event::Finished,
            vec![
                (Confirmed, Done),
                (RetireIntent, Done),
                (SupersededUnconfirmed, SupersededUnconfirmed),
                (Trailing, Done),
            ],
        ),
        (Event::Failed { problem, retry_at: at(9), blocked: false }, anywhere),
    ]
}

#[test]
fn every_event_follows_only_on_the_states_of_the_table() {
    for (event, steps) in table() {
        for state in ALL {
            let before = standing(state);
            let expected = steps.iter().find(|(from, _)| *from == state).map(|(_, to)| *to);
            let got = after(&before, &event, at(300));
            let name = event_name(&event);
            match (expected, &got) {
                (Some(to), Ok(record)) => {
                    assert_eq!(record.state, to, "{name} on {state:?}");
                    assert_eq!(record.version, before.version + 1, "{name} on {state:?}");
                }
                (None, Err(_)) => {}
                _ => panic!("{name} on {state:?}: expected {expected:?}, got {:?}", got.map(|r| r.state)),
            }
        }
    }
}

#[test]
fn a_call_counts_from_before_it_is_sent_until_it_is_answered() {
    let call = AmbiguousCall::Patch;
    let lost = after(&standing(State::Done), &Event::CallAmbiguous { call }, at(300)).unwrap();
    let sent = after(&lost, &Event::CallSent { call }, at(301)).unwrap();
    assert_eq!(sent.ambiguous.last(), Some(&(call, at(301))), "a crash now forgets nothing");
    let answered = after(&sent, &Event::CallAnswered { call }, at(302)).unwrap();
    assert_eq!(answered.ambiguous, lost.ambiguous, "what was lost before stays");
}

#[test]
fn a_new_one_and_a_retained_one_can_never_be_intended() {
    let mut r = standing(State::Confirmed);
    r.spec.retain = vec!["kept".into()];
    for key_id in ["new", "kept"] {
        let key_ids = vec![KeyId::from("old"), KeyId::from(key_id)];
        for event in [Event::RetireIntended { key_ids: key_ids.clone() }, Event::ExpiredIntended { key_ids }] {
            assert!(after(&r, &event, at(300)).is_err(), "{key_id} by {}", event_name(&event));
        }
    }
}

#[test]
fn an_attempt_has_a_new_number_and_waits_for_the_one_under_way() {
    let start = |number| Event::AttemptStarted { number, tag: "t".into(), start: at(0), end: at(9) };
    let unknown = standing(State::Unknown);
    assert!(after(&unknown, &start(1), at(2)).is_err(), "the same tag again");
    let again = after(&unknown, &start(2), at(2)).unwrap();
    assert_eq!((again.state, again.attempts.len()), (State::Intent, 2));
    assert!(after(&again, &start(3), at(2)).is_err(), "one is open");
}

#[test]
fn a_key_has_one_request_and_a_new_key_a_new_one() {
    let ask = |text: &str| Event::Requested { request: text.into() };
    let asked = after(&keyed(IssuerKind::Csr), &ask("CSR"), at(1)).unwrap();
    assert!(after(&asked, &ask("another"), at(2)).is_err(), "somebody may be on the way with the first");
    let ready = Rotation { state: State::Ready, ..asked };
    let again = after(&ready, &Event::KeySealed { seals: Vec::new() }, at(3)).unwrap();
    assert_eq!(again.request, None);
}

#[test]
fn a_refusal_starts_the_proof_over() {
    let accepted = |r: &Rotation, hours| after(r, &Event::ProbeAccepted { request_id: None }, at(hours)).unwrap();
    let twice = accepted(&accepted(&attached(), 1), 2);
    assert_eq!((twice.probes.count, twice.probes.successes), (2, Some((at(1), at(2)))));
    let refused = Event::ProbeRefused { code: "7000215".into(), listed: false };
    let over = after(&twice, &refused, at(3)).unwrap();
    assert_eq!((over.probes.count, over.probes.successes, over.probes.absent_since), (0, None, Some(at(3))));
}

#[test]
fn a_drifted_sink_takes_its_evidence_along() {
    let back = after(&confirmed(), &Event::SinkDrifted { sink: "file".into() }, at(3)).unwrap();
    assert_eq!((back.deliveries, back.confirmations, back.state), (Vec::new(), Vec::new(), State::Verified));
}

#[test]
fn a_voided_receipt_takes_its_confirmation_along() {
    let mut r = confirmed();
    r.deliveries = vec![Delivery { sink: "file".into(), at: at(1), proof: Proof::Sealed("h-1".into()) }];
    r.confirmations = vec![confirmation("file", Some("h-1"), at(2))];
    let delivery = Delivery { sink: "file".into(), at: at(3), proof: Proof::Sealed("h-2".into()) };
    let voided = after(&r, &Event::ReceiptVoided { handoff: "h-1".into(), delivery }, at(3)).unwrap();
    assert_eq!((voided.state, voided.confirmations.len()), (State::Delivered, 0));
}

#[test]
fn a_renewed_value_joins_the_old_ones() {
    let renewed = after(&delivered(), &Event::Renewed, at(3)).unwrap();
    let old: Vec<(&str, bool)> = renewed.old.iter().map(|old| (old.key_id.as_str(), old.replaced)).collect();
    assert_eq!(old, [("old", false), ("new", true)]);
    assert!(renewed.fresh.is_none() && renewed.deliveries.is_empty());
}

#[test]
fn a_removal_that_shows_again_is_sent_again_once_reads_have_settled() {
    let r = after(&confirmed(), &Event::RetireIntended { key_ids: vec!["old".into()] }, at(200)).unwrap();
    let sent = after(&r, &Event::RemovalSent { key_id: "old".into() }, at(200)).unwrap();
    let present = Event::RemovalSeen { key_id: "old".into(), present: true };
    let soon = after(&sent, &present, at(200) + SignedDuration::from_mins(4)).unwrap();
    assert!(soon.removals[0].sent.is_some(), "a stale read");
    let late = after(&soon, &present, at(200) + SignedDuration::from_mins(5)).unwrap();
    assert!(late.removals[0].sent.is_none(), "it is still there");
    assert!(after(&sent, &Event::Finished, at(300)).is_err(), "never seen gone");
}

#[test]
fn a_step_that_succeeds_ends_the_failures_and_looking_around_does_not() {
    let problem = Problem { code: "G010".into(), summary: "no".into(), fix: None, request_id: None };
    let failed = Event::Failed { problem, retry_at: at(2), blocked: false };
    let twice = after(&after(&attached(), &failed, at(1)).unwrap(), &failed, at(2)).unwrap();
    let failure = twice.failure.as_ref().unwrap();
    assert_eq!((failure.count, failure.since), (2, at(1)));
    assert!(after(&twice, &Event::AttemptSeen { number: 1, present: true }, at(3)).unwrap().failure.is_some());
    assert!(after(&twice, &Event::ProbeAccepted { request_id: None }, at(3)).unwrap().failure.is_none());
}

#[test]
fn an_adoption_ends_before_its_removal_is_intended_or_never() {
    let ended = Event::AdoptionEnded { key_id: "theirs".into() };
    let r = standing(State::Confirmed);
    let left = after(&r, &ended, at(300)).unwrap();
    assert_eq!(left.old.iter().map(|old| old.key_id.as_str()).collect::<Vec<_>>(), ["old"]);
    let intended = after(&r, &Event::ExpiredIntended { key_ids: vec!["theirs".into()] }, at(300)).unwrap();
    assert!(after(&intended, &ended, at(301)).is_err(), "a removal that was sent may still land");
}

/// An attempt that is refused is followed by a new one, which clears the failure: the pause grows all the same.
#[test]
fn attempts_that_are_refused_one_after_another_are_failures_in_a_row() {
    let problem = Problem { code: "G041".into(), summary: "no".into(), fix: None, request_id: None };
    let mut r = planned();
    for number in 1..=4 {
        let start = Event::AttemptStarted { number, tag: "t".into(), start: at(0), end: at(9) };
        for event in [Event::PreflightPassed, start, Event::AttemptRefused] {
            r = after(&r, &event, at(1)).unwrap();
        }
        assert_eq!(r.failed_in_a_row(), number - 1, "what the next pause counts from");
        r = after(&r, &Event::Failed { problem: problem.clone(), retry_at: at(2), blocked: true }, at(1)).unwrap();
    }
    r.attempts[3].outcome = Outcome::Saved;
    assert_eq!(r.failed_in_a_row(), 1, "only the present one");
}

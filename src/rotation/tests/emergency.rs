//! What an emergency waives, and what it does not.

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
use crate::rotation::after;
use crate::rotation::emergency::is_certificate;
use crate::rotation::emergency::is_over;
use crate::rotation::emergency::is_refusal;
use crate::rotation::emergency::leaving;
use crate::rotation::emergency::unmet;
use crate::rotation::guard::Clocks;
use crate::rotation::guard::Unmet;
use crate::rotation::next;
use crate::rotation::next::is_unsettled;

fn mins(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn emergency(now: bool) -> Box<Emergency> {
    Box::new(Emergency {
        reason: "pasted in a ticket".into(),
        by: "dana".into(),
        closed: None,
        targets: vec!["old".into()],
        unused: Vec::new(),
        written: at(0),
        now,
        force: false,
        unproven: false,
        refused: Vec::new(),
        disable_sign_in: false,
        disabled: None,
    })
}

/// `r` as an emergency.
fn urgent(r: Rotation) -> Rotation {
    Rotation { emergency: Some(emergency(false)), ..r }
}

/// The same, carried by a person.
fn by_person(now: bool) -> Rotation {
    let mut r = urgent(delivered());
    r.emergency = Some(emergency(now));
    r.spec.sinks = vec![person_sink("person")];
    r.deliveries = vec![Delivery { sink: "person".into(), at: at(1), proof: Proof::Sealed("h-0002".into()) }];
    r
}

fn seen(r: &Rotation, clocks: Clocks, same: bool, plain: bool, rules: Rules) -> Vec<Unmet> {
    unmet(r, clocks, &vec![("file".into(), same)], &[], plain, None, rules)
}

#[test]
fn the_overlap_the_schedule_and_the_confirmation_are_waived() {
    let later = at(100);
    let now = View { stage_from: later, retire_from: later, ..view(at(2)) };
    let confirmed = urgent(delivered());
    let Next::Record(Event::EvidenceSeen { confirmation }) = next(&confirmed, &now) else { panic!("waits") };
    assert!(confirmation.evidence.contains("emergency"));
    let confirmed = urgent(super::sample::confirmed());
    assert_eq!(next(&confirmed, &now), Next::Do(Action::PassGuard), "no overlap, no schedule");
    assert_eq!(seen(&confirmed, clocks(at(2)), true, false, Rules::default()), []);
    let ordinary = super::sample::confirmed();
    assert_ne!(next(&ordinary, &now), Next::Do(Action::PassGuard));
}

#[test]
fn the_proof_is_never_waived() {
    for state in [State::Planned, State::Attached, State::Verified, State::UploadIntent] {
        let r = Rotation { state, ..urgent(super::sample::confirmed()) };
        assert_eq!(seen(&r, clocks(at(2)), true, false, Rules::default()), [Unmet::NotVerified], "{state:?}");
    }
    let waits = urgent(attached());
    assert!(!matches!(next(&waits, &view(at(1))), Next::Record(Event::Verified | Event::Unproven)));
    let broken = View { rules: Rules::without(Mutation::EmergencyBeforeProof), ..view(at(1)) };
    assert!(matches!(next(&waits, &broken), Next::Record(Event::ExpiredIntended { .. })), "the mutant removes at once");
}

#[test]
fn force_alone_goes_on_without_a_proof_and_says_so() {
    let mut forced = urgent(attached());
    forced.emergency.as_mut().unwrap().force = true;
    assert_ne!(next(&forced, &view(at(0) + SignedDuration::from_secs(89))), Next::Record(Event::Unproven));
    let after_90 = at(0) + SignedDuration::from_secs(90);
    assert_eq!(next(&forced, &view(after_90)), Next::Record(Event::Unproven));
    let gone_on = after(&forced, &Event::Unproven, after_90).unwrap();
    assert!(gone_on.state == State::Verified && gone_on.emergency.as_ref().unwrap().unproven);
    assert!(after(&urgent(attached()), &Event::Unproven, after_90).is_err(), "not without --force");
    let mut proving = forced;
    proving.probes = Probes { successes: Some((after_90, after_90)), count: 1, ..Probes::default() };
    assert_ne!(next(&proving, &view(after_90)), Next::Record(Event::Unproven), "a proof under way is waited for");
}

#[test]
fn machines_must_show_the_new_one() {
    let r = urgent(super::sample::confirmed());
    assert_eq!(seen(&r, clocks(at(2)), false, false, Rules::default()), [Unmet::NotDelivered("file".into())]);
    let mut none = r;
    none.deliveries.clear();
    assert_eq!(seen(&none, clocks(at(2)), true, false, Rules::default()), [Unmet::NotDelivered("file".into())]);
    let verified = Rotation { state: State::Verified, deliveries: Vec::new(), ..urgent(attached()) };
    assert_eq!(next(&verified, &view(at(2))), Next::Do(Action::Deliver("file".into())));
    let broken = View { rules: Rules::without(Mutation::EmergencyBeforeDelivery), ..view(at(2)) };
    assert!(matches!(next(&verified, &broken), Next::Record(Event::ExpiredIntended { .. })));
}

#[test]
fn machines_come_before_people() {
    let mut r = Rotation { state: State::Verified, deliveries: Vec::new(), ..urgent(attached()) };
    r.spec.sinks.insert(0, person_sink("person"));
    assert_eq!(next(&r, &view(at(2))), Next::Do(Action::Deliver("file".into())));
}

#[test]
fn the_drain_of_a_plain_sink_is_never_waived() {
    let mut r = urgent(super::sample::confirmed());
    r.emergency.as_mut().unwrap().written = at(2) - mins(14);
    let drained = at(2) + mins(1);
    assert_eq!(seen(&r, clocks(at(2)), true, true, Rules::default()), [Unmet::Drain(drained)]);
    assert_eq!(seen(&r, clocks(at(2)), true, false, Rules::default()), [], "a sink that compares needs none");
    assert_eq!(seen(&r, clocks(drained), true, true, Rules::default()), []);
    let broken = Rules::without(Mutation::EmergencyWithoutDrain);
    assert_eq!(seen(&r, clocks(at(2)), true, true, broken), [], "the mutant does not wait");
}

#[test]
fn neither_are_a_patch_under_way_the_clocks_and_the_least_life() {
    let mut r = urgent(super::sample::confirmed());
    r.ambiguous = vec![(AmbiguousCall::Patch, at(2) - mins(14))];
    assert_eq!(seen(&r, clocks(at(2)), true, false, Rules::default()), [Unmet::CallMayLand]);
    r.ambiguous = vec![(AmbiguousCall::Add, at(2) - mins(14))];
    assert_eq!(
        seen(&r, clocks(at(2)), true, false, Rules::default()),
        [],
        "an add that lands late costs nobody access"
    );
    let apart = Clocks { local: at(2), far: Some(at(2) + mins(11)) };
    assert_eq!(seen(&r, apart, true, false, Rules::default()), [Unmet::ClocksDisagree]);
    r.fresh.as_mut().unwrap().end = at(2 + 24);
    assert_eq!(seen(&r, clocks(at(2)), true, false, Rules::default()), [Unmet::NewTooShort]);
}

/// The sweep's, or that of the rotation that the emergency closed: sent before the new one was there.
#[test]
fn a_patch_of_another_rotation_under_way_is_waited_for_as_well() {
    let r = urgent(super::sample::confirmed());
    let asked = |sent| unmet(&r, clocks(at(2)), &vec![("file".into(), true)], &[], false, Some(sent), Rules::default());
    assert_eq!(asked(at(2) - mins(14)), [Unmet::CallMayLand]);
    assert_eq!(asked(at(2) - mins(15)), []);
}

#[test]
fn a_person_is_waited_for_unless_their_outage_was_accepted() {
    let waiting = [handoff("h-0002", HandoffStatus::Waiting)];
    let now = View { handoffs: &waiting, ..view(at(2)) };
    assert!(matches!(next(&by_person(false), &now), Next::Wait(_, Waiting::Person)));
    assert_eq!(next(&by_person(true), &now), Next::Do(Action::PassGuard));
    let asked = |r: &Rotation| unmet(r, clocks(at(2)), &Vec::new(), &waiting, false, None, Rules::default());
    assert_eq!(asked(&by_person(false)), [Unmet::NotConfirmed("person".into())]);
    assert_eq!(asked(&by_person(true)), []);
    // The old one's own end is no reason to give up waiting: it may be in the wrong hands until then.
    let past = View { handoffs: &waiting, ..view(at(24 * 30 + 1)) };
    assert!(matches!(next(&by_person(false), &past), Next::Wait(_, Waiting::Person)));
}

#[test]
fn only_what_was_named_leaves() {
    let mut r = urgent(super::sample::confirmed());
    r.old.push(OldCredential { key_id: "adopted".into(), adopted: true, ..r.old[0].clone() });
    r.spec.retain = vec!["kept".into()];
    r.emergency.as_mut().unwrap().targets.push("kept".into());
    r.old.push(OldCredential { key_id: "kept".into(), ..r.old[0].clone() });
    assert_eq!(leaving(&r).collect::<Vec<_>>(), [KeyId::from("old")]);
}

fn removed(hours: i64) -> Rotation {
    let mut r = urgent(super::sample::confirmed());
    r = after(&r, &Event::RetireIntended { key_ids: vec!["old".into()] }, at(hours)).unwrap();
    after(&r, &Event::RemovalSent { key_id: "old".into() }, at(hours)).unwrap()
}

#[test]
fn the_old_one_is_seen_refused_three_times_over_a_minute() {
    let old = || KeyId::from("old");
    let look = after(&removed(2), &Event::RemovalSeen { key_id: old(), present: false }, at(2)).unwrap();
    assert_eq!(next(&removed(2), &view(at(2))), Next::Do(Action::LookAgain), "the ring is looked at first");
    assert_eq!(next(&look, &view(at(2))), Next::Do(Action::ProbeOld(old())));
    let refused = Event::OldRefused { key_id: old(), code: "AADSTS7000215".into(), request_id: Some("r".into()) };
    let secs = SignedDuration::from_secs;
    let mut r = look;
    for (tick, over) in [(0, false), (30, false), (60, true)] {
        r = after(&r, &refused, at(2) + secs(tick)).unwrap();
        assert_eq!(is_over(&r), over, "{tick}");
    }
    // Still accepted somewhere: the row begins anew.
    let accepted = Event::OldAccepted { key_id: old(), request_id: None };
    let again = after(&r, &accepted, at(2) + secs(70)).unwrap();
    assert!(!is_over(&again));
    assert!(matches!(next(&again, &view(at(2) + secs(71))), Next::Wait(Some(_), _)));
    // A value that nobody keeps is never seen refused; that is said, and ends the waiting.
    let unseen = Event::RefusalUnseen { key_id: old(), why: "not kept".into() };
    assert!(is_over(&after(&again, &unseen, at(2) + secs(80)).unwrap()));
    assert!(after(&urgent(super::sample::confirmed()), &refused, at(2)).is_err(), "not before it was removed");
}

/// A disabled principal proves nothing: neither that the new one works nor that the old one does not.
#[test]
fn sign_in_is_disabled_last() {
    let old = || KeyId::from("old");
    let disable = |r: &Rotation| next(r, &view(at(2))) == Next::Do(Action::DisableSignIn);
    let asked = Event::EmergencyWidened { now: false, force: false, also: Vec::new(), disable_sign_in: true };
    let unseen = Event::RefusalUnseen { key_id: old(), why: "not kept".into() };
    let gone = |r: &Rotation| {
        let look = after(r, &Event::RemovalSeen { key_id: old(), present: false }, at(2)).unwrap();
        after(&look, &unseen, at(2)).unwrap()
    };
    let attached = urgent(super::sample::attached());
    for r in [&attached, &urgent(super::sample::confirmed()), &removed(2)] {
        assert!(!disable(&after(r, &asked, at(2)).unwrap()), "{:?}", r.state);
    }
    assert!(!disable(&gone(&removed(2))), "nobody asked for it");
    let r = gone(&after(&removed(2), &asked, at(2)).unwrap());
    assert!(disable(&r) && !is_over(&r), "{r:?}");
    let r = after(&r, &Event::SignInDisabled, at(2)).unwrap();
    assert!(!disable(&r) && is_over(&r));
    assert!(after(&r, &Event::SignInDisabled, at(3)).is_err(), "once");
    assert!(after(&gone(&removed(2)), &Event::SignInDisabled, at(3)).is_err(), "not unasked");
}

/// The policy may ask for another kind than the one that leaves.
#[test]
fn what_leaves_is_removed_as_what_it_is() {
    let mut to_certificate = Rotation { state: State::Planned, ..keyed(IssuerKind::SelfSigned) };
    assert!(!is_certificate(&to_certificate, &"old".into()), "a secret, whatever comes after it");
    to_certificate.old[0].thumbprint = Some("AB".into());
    assert!(is_certificate(&to_certificate, &"old".into()));
    let mut to_secret = planned();
    to_secret.old[0].thumbprint = Some("AB".into());
    assert!(is_certificate(&to_secret, &"old".into()), "a certificate, whatever comes after it");
}

#[test]
fn it_is_not_over_before_a_read_shows_that_it_left() {
    let unseen = Event::RefusalUnseen { key_id: "old".into(), why: "not kept".into() };
    let said = after(&removed(2), &unseen, at(2)).unwrap();
    assert!(!is_over(&said), "Entra said that it is gone, and nobody looked");
    let seen = |present| after(&said, &Event::RemovalSeen { key_id: "old".into(), present }, at(2)).unwrap();
    assert!(!is_over(&seen(true)));
    assert!(is_over(&seen(false)));
}

#[test]
fn only_a_no_to_the_credential_itself_shows_that_it_is_refused() {
    for code in ["AADSTS7000215", "AADSTS7000222", "AADSTS700027"] {
        assert!(is_refusal(code), "{code}");
    }
    for code in ["AADSTS700016", "AADSTS7000229", "AADSTS90002", "AADSTS700024", "invalid_request", ""] {
        assert!(!is_refusal(code), "{code}");
    }
}

#[test]
fn what_is_left_alone_for_ever_is_not_waited_for() {
    let mut r = Rotation { state: State::Unknown, capped: true, ..planned() };
    r.attempts = vec![attempt(1, at(0), Outcome::Unknown)];
    assert!(is_unsettled(&r, &r.attempts[0], at(9)));
    r.forgotten = 1;
    assert!(!is_unsettled(&r, &r.attempts[0], at(9)));
    let full = View { secrets_present: Some(2), ..view(at(9)) };
    assert!(matches!(next(&r, &full), Next::Wait(_, Waiting::NoSlot)), "its slot counts");
}

#[test]
fn a_full_application_is_freed_of_what_nobody_can_have_first() {
    let mut r = urgent(planned());
    r.capped = true;
    let full = View { secrets_present: Some(2), ..view(at(1)) };
    assert_eq!(next(&r, &full), Next::Do(Action::Preflight), "which says BLOCKED");
    let mut unused = r.clone();
    unused.old.push(OldCredential { key_id: "unused".into(), replaced: true, ..r.old[0].clone() });
    let emergency = unused.emergency.as_mut().unwrap();
    emergency.targets.push("unused".into());
    emergency.unused = vec!["unused".into()];
    let room = Next::Record(Event::RoomIntended { key_ids: vec!["unused".into()] });
    assert_eq!(next(&unused, &full), room);
    r.emergency.as_mut().unwrap().now = true;
    assert_eq!(next(&r, &full), Next::Record(Event::RoomIntended { key_ids: vec!["old".into()] }));
    // One only, however stale the next read is.
    let mut gone = after(&r, &Event::RoomIntended { key_ids: vec!["old".into()] }, at(1)).unwrap();
    gone = after(&gone, &Event::RemovalSent { key_id: "old".into() }, at(1)).unwrap();
    gone = after(&gone, &Event::RemovalSeen { key_id: "old".into(), present: false }, at(1)).unwrap();
    gone.old.push(OldCredential { key_id: "other".into(), ..gone.old[0].clone() });
    gone.emergency.as_mut().unwrap().targets.push("other".into());
    assert_eq!(next(&gone, &full), Next::Do(Action::Preflight));
    // An attempt elsewhere that may still show up is waited for.
    let waits = View { stage_from: at(2), ..full };
    assert_eq!(next(&r, &waits), Next::Wait(Some(at(2)), Waiting::Settling));
}

fn closed(r: &Rotation) -> Rotation {
    after(r, &Event::SupersededByEmergency { by: RotationId(8) }, at(1)).unwrap()
}

#[test]
fn a_closed_rotation_counts_as_over_and_settles_what_it_left_outside() {
    let mut intent = Rotation { state: State::Intent, ..planned() };
    intent.attempts = vec![attempt(1, at(0), Outcome::Open)];
    let lost = closed(&intent);
    assert!(!lost.is_open() && !lost.is_finished());
    assert_eq!(lost.attempts[0].outcome, Outcome::Unknown, "D4: never sent again, always looked for");
    assert_eq!(lost.ambiguous, [(AmbiguousCall::Add, at(1))]);
    assert_eq!(next(&lost, &view(at(1))), Next::Do(Action::LookAgain));
    assert!(after(&lost, &Event::SupersededByEmergency { by: RotationId(9) }, at(2)).is_err(), "once");

    let spec = CertificateSpec { subject: "CN=r".into(), key: KeyType::Rsa2048, issuer: IssuerKind::SelfSigned };
    let mut upload = Rotation { state: State::UploadIntent, fresh: Some(fresh()), ..intent.clone() };
    upload.spec.kind = CredentialKind::Certificate(spec);
    let sent = closed(&upload);
    assert_eq!((sent.ambiguous.as_slice(), sent.fresh.is_none()), (&[(AmbiguousCall::Patch, at(1))][..], true));
    let keyed = closed(&Rotation { state: State::Keyed, ..upload });
    assert_eq!((keyed.attempts[0].outcome, keyed.ambiguous.len()), (Outcome::Refused, 0), "nothing was sent");

    let saved = closed(&attached());
    assert!(saved.fresh.is_some(), "on record: it is no orphan");
    assert_eq!(next(&saved, &view(at(1))), Next::Record(Event::Finished));
    let mut retiring = super::sample::confirmed();
    retiring = after(&retiring, &Event::RetireIntended { key_ids: vec!["old".into()] }, at(3)).unwrap();
    assert_eq!(
        next(&closed(&retiring), &view(at(3))),
        Next::Do(Action::Remove("old".into())),
        "D5: decided is decided"
    );
}

#[test]
fn more_may_be_asked_for_and_nothing_is_taken_back() {
    let other = OldCredential { key_id: "theirs".into(), adopted: true, ..planned().old[0].clone() };
    let widened = Event::EmergencyWidened { now: true, force: false, also: vec![other], disable_sign_in: false };
    let r = after(&removed(2), &widened, at(3)).unwrap();
    let emergency = r.emergency.as_ref().unwrap();
    assert!(emergency.now && !emergency.force && emergency.targets.len() == 2);
    assert_eq!(leaving(&r).collect::<Vec<_>>(), [KeyId::from("theirs")], "and passes the guard as well");
    let nothing = Event::EmergencyWidened { now: false, force: false, also: Vec::new(), disable_sign_in: false };
    assert!(after(&r, &nothing, at(3)).unwrap().emergency.unwrap().now);
    assert!(after(&super::sample::confirmed(), &nothing, at(3)).is_err(), "not of an ordinary rotation");
}

/// Reads while the lost call may still land say nothing; two after that, apart, settle it.
#[test]
fn an_attempt_that_never_shows_is_settled_in_the_end() {
    let mut r = Rotation { state: State::Unknown, ..planned() };
    r.attempts = vec![attempt(1, at(0), Outcome::Unknown)];
    let mut settled: Option<Timestamp> = None;
    for look in 0..8 {
        let now = at(0) + mins(look * 5);
        r = after(&r, &Event::AttemptSeen { number: 1, present: false }, now).unwrap();
        if settled.is_none() && !is_unsettled(&r, &r.attempts[0], now) {
            settled = Some(now);
        }
    }
    assert_eq!(settled, Some(at(0) + mins(20)));
}

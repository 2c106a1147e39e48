//! The delete guard: each of its conditions by itself forbids the removal, and each broken rule lets one through.

use jiff::SignedDuration;

use super::sample::*;
use crate::model::*;
use crate::rotation::Mutation;
use crate::rotation::Rules;
use crate::rotation::guard::Clocks;
use crate::rotation::guard::Unmet;
use crate::rotation::guard::expired;
use crate::rotation::guard::removable;
use crate::rotation::guard::unmet;

/// One hour after the overlap of [`confirmed`] ended.
const PAST_OVERLAP: i64 = 171;

fn asked(r: &Rotation, hours: i64) -> Vec<Unmet> {
    unmet(r, clocks(at(hours)), &vec![("file".into(), true)], &[], Rules::default())
}

#[test]
fn a_rotation_in_order_passes() {
    assert_eq!(asked(&confirmed(), PAST_OVERLAP), []);
}

#[test]
fn only_a_confirmed_one_is_asked_at_all() {
    for state in [State::Attached, State::Verified, State::Delivered, State::RetireIntent, State::Done] {
        assert_eq!(asked(&Rotation { state, ..confirmed() }, PAST_OVERLAP), [Unmet::NotVerified], "{state:?}");
    }
    assert_eq!(asked(&Rotation { fresh: None, ..confirmed() }, PAST_OVERLAP), [Unmet::NotVerified]);
}

#[test]
fn every_sink_must_show_it_now() {
    let r = confirmed();
    let drifted = unmet(&r, clocks(at(PAST_OVERLAP)), &vec![("file".into(), false)], &[], Rules::default());
    assert_eq!(drifted, [Unmet::NotDelivered("file".into())]);
    let unread = unmet(&r, clocks(at(PAST_OVERLAP)), &Vec::new(), &[], Rules::default());
    assert_eq!(unread, [Unmet::NotDelivered("file".into())]);

    let mut two = confirmed();
    two.spec.sinks.push(json_sink("second"));
    let found = asked(&two, PAST_OVERLAP);
    assert!(found.contains(&Unmet::NotDelivered("second".into())), "{found:?}");
    assert!(found.contains(&Unmet::NotConfirmed("second".into())), "{found:?}");
}

#[test]
fn the_overlap_runs_from_the_later_of_delivery_and_confirmation_by_both_clocks() {
    let end = at(170);
    assert_eq!(asked(&confirmed(), 170), [Unmet::Overlap(end)], "at the very instant it still runs");
    let late = Rotation { deliveries: vec![delivery("file", at(50))], ..confirmed() };
    assert_eq!(asked(&late, PAST_OVERLAP), [Unmet::Overlap(at(218))]);

    let read_backs = vec![("file".into(), true)];
    let graph_behind = Clocks { local: at(170) + SignedDuration::from_mins(5), far: Some(at(170)) };
    assert_eq!(unmet(&confirmed(), graph_behind, &read_backs, &[], Rules::default()), [Unmet::Overlap(end)]);
    let alone = Rules::without(Mutation::LocalClockAlone);
    assert_eq!(unmet(&confirmed(), graph_behind, &read_backs, &[], alone), [], "the mutant lets it through");
}

#[test]
fn a_short_overlap_still_waits_for_the_slowest_consumer() {
    let mut r = confirmed();
    r.spec.overlap = SignedDuration::ZERO;
    r.spec.consumer_refresh = SignedDuration::from_hours(12);
    let end = at(14) + SignedDuration::from_mins(10);
    assert_eq!(asked(&r, 14), [Unmet::Overlap(end)]);
    assert_eq!(asked(&r, 15), []);
}

#[test]
fn clocks_that_disagree_or_are_unknown_freeze_removals() {
    let read_backs = vec![("file".into(), true)];
    let ahead = Clocks { local: at(PAST_OVERLAP), far: Some(at(PAST_OVERLAP) + SignedDuration::from_mins(11)) };
    assert_eq!(unmet(&confirmed(), ahead, &read_backs, &[], Rules::default()), [Unmet::ClocksDisagree]);
    let unknown = Clocks { local: at(PAST_OVERLAP), far: None };
    let found = unmet(&confirmed(), unknown, &read_backs, &[], Rules::default());
    assert!(found.contains(&Unmet::ClocksDisagree), "{found:?}");
}

#[test]
fn a_call_that_may_still_land_forbids_it_for_fifteen_minutes() {
    for call in AmbiguousCall::ALL {
        let sent = at(PAST_OVERLAP) - SignedDuration::from_mins(14);
        let r = Rotation { ambiguous: vec![(call, sent)], ..confirmed() };
        assert_eq!(asked(&r, PAST_OVERLAP), [Unmet::CallMayLand], "{call:?}");
        let r = Rotation { ambiguous: vec![(call, sent - SignedDuration::from_mins(1))], ..confirmed() };
        assert_eq!(asked(&r, PAST_OVERLAP), [], "{call:?}");
    }
}

#[test]
fn a_new_one_that_ends_soon_replaces_nothing() {
    let mut r = confirmed();
    r.fresh.as_mut().unwrap().end = at(PAST_OVERLAP + 24);
    assert_eq!(asked(&r, PAST_OVERLAP), [Unmet::NewTooShort]);
}

#[test]
fn what_people_carry_leaves_at_its_own_end() {
    let mut r = confirmed();
    r.spec.retire = Retire::AtExpiry;
    let end = at(24 * 30) + SignedDuration::from_mins(10);
    assert_eq!(asked(&r, PAST_OVERLAP), [Unmet::OwnEnd(end)]);
    assert_eq!(asked(&r, 24 * 30 + 1), []);
}

fn carried(status: HandoffStatus, receipt: Option<&str>) -> (Rotation, Vec<Handoff>) {
    let mut r = confirmed();
    r.spec.sinks = vec![person_sink("person")];
    r.deliveries = vec![Delivery { sink: "person".into(), at: at(1), proof: Proof::Sealed("h-0002".into()) }];
    r.confirmations = receipt.map(|id| confirmation("person", Some(id), at(2))).into_iter().collect();
    (r, vec![handoff("h-0002", status)])
}

#[test]
fn a_receipt_counts_only_for_the_handoff_in_force() {
    let done = HandoffStatus::Confirmed { at: at(2), by: "priya.shah@contoso.example".into() };
    let missing = Unmet::NotConfirmed("person".into());
    let ask = |(r, handoffs): &(Rotation, Vec<Handoff>), rules| {
        unmet(r, clocks(at(PAST_OVERLAP)), &Vec::new(), handoffs, rules)
    };
    let rules = Rules::default();
    assert_eq!(ask(&carried(done.clone(), Some("h-0002")), rules), []);
    // Given for the hand-off before it.
    let other = carried(HandoffStatus::Waiting, Some("h-0001"));
    assert!(ask(&other, rules).contains(&missing));
    // In the journal, but the hand-off was voided since.
    let void = carried(HandoffStatus::Void { by: "h-0003".into() }, Some("h-0002"));
    assert!(ask(&void, rules).contains(&missing));
    // Opened is not confirmed.
    let (r, mut handoffs) = carried(HandoffStatus::Waiting, None);
    handoffs[0].opened = Some((at(2), "priya.shah@contoso.example".into()));
    let opened = (r, handoffs);
    assert!(ask(&opened, rules).contains(&missing));

    let unbound = Rules::without(Mutation::ReceiptUnbound);
    assert!(!ask(&opened, unbound).contains(&missing), "the mutant takes an opened one for a receipt");
    let mut mixed = other;
    mixed.1.push(handoff("h-0001", done));
    assert!(ask(&mixed, rules).contains(&missing));
    assert!(!ask(&mixed, unbound).contains(&missing), "the mutant takes another hand-off's receipt");
}

#[test]
fn retiring_early_skips_the_guard() {
    let early = Rules::without(Mutation::RetireEarly);
    assert_eq!(unmet(&delivered(), clocks(at(1)), &Vec::new(), &[], early), []);
}

#[test]
fn retained_new_and_intended_ones_are_never_removable() {
    let mut r = confirmed();
    r.old.push(OldCredential { key_id: "kept".into(), ..r.old[0].clone() });
    r.old.push(OldCredential { key_id: "new".into(), ..r.old[0].clone() });
    r.old.push(OldCredential { key_id: "leaving".into(), ..r.old[0].clone() });
    r.spec.retain = vec!["kept".into()];
    r.removals = vec![Removal { key_id: "leaving".into(), sent: None, looked: None, absent: None }];
    let names: Vec<&str> = removable(&r).map(|old| old.key_id.as_str()).collect();
    assert_eq!(names, ["old"]);
}

#[test]
fn an_expired_one_leaves_ten_minutes_after_its_end_by_both_clocks() {
    let end = at(24 * 30);
    let margin = SignedDuration::from_mins(10);
    let second = SignedDuration::from_secs(1);
    let rules = Rules::default();
    assert!(expired(&confirmed(), clocks(end + margin), rules).is_empty());
    assert_eq!(expired(&confirmed(), clocks(end + margin + second), rules), [KeyId::from("old")]);
    let behind = Clocks { local: end + margin + second, far: Some(end) };
    assert!(expired(&confirmed(), behind, rules).is_empty());
    assert_eq!(expired(&confirmed(), behind, Rules::without(Mutation::LocalClockAlone)), [KeyId::from("old")]);
}

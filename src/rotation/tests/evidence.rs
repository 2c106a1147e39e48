//! The sign-in report confirms only when the new key was used by others, and every old one was quiet for long
//! enough, all of that after the delivery.

use jiff::SignedDuration;

use super::sample::*;
use crate::model::*;
use crate::rotation::evidence::Activity;
use crate::rotation::evidence::Report;
use crate::rotation::evidence::Verdict;

fn report(lines: &[(&str, i64)]) -> Report {
    let mut report = Report::default();
    for (key, hours) in lines {
        report.activities.insert(KeyId::from(*key), Activity { last: at(*hours), request_id: None });
    }
    report
}

#[test]
fn nothing_is_said_before_the_delivery() {
    assert_eq!(report(&[("new", 5)]).verdict(&attached(), at(100)), None);
}

#[test]
fn the_new_key_must_have_been_used_by_somebody_else_after_the_delivery() {
    let r = delivered();
    assert_eq!(report(&[]).verdict(&r, at(100)), Some(Verdict::NewUnused));
    assert_eq!(report(&[("new", 1)]).verdict(&r, at(100)), Some(Verdict::NewUnused), "at the delivery itself");
    let mut own_alone = report(&[("new", 30)]);
    own_alone.own.insert("new".into(), vec![(at(20), None)]);
    assert_eq!(own_alone.verdict(&r, at(100)), Some(Verdict::NewUnused), "everkey's own sign-in");
}

#[test]
fn the_old_key_must_be_quiet_for_the_use_interval_and_at_least_two_days() {
    let mut r = delivered();
    let used = report(&[("new", 5), ("old", 10)]);
    assert_eq!(used.verdict(&r, at(57)), Some(Verdict::OldInUse("old".into(), at(58))));
    assert_eq!(used.verdict(&r, at(58)), Some(Verdict::Confirmed));
    r.spec.confirm.consumer_use_interval = Some(SignedDuration::from_hours(24 * 7));
    assert_eq!(used.verdict(&r, at(100)), Some(Verdict::OldInUse("old".into(), at(10 + 24 * 7))));
    assert_eq!(used.verdict(&r, at(10 + 24 * 7)), Some(Verdict::Confirmed));
}

#[test]
fn quiet_counts_from_the_delivery() {
    let r = delivered();
    let before = report(&[("new", 5), ("old", 0)]);
    assert_eq!(before.verdict(&r, at(48)), Some(Verdict::TooEarly(at(49))));
    assert_eq!(before.verdict(&r, at(49)), Some(Verdict::Confirmed));
}

/// A clock that stood ahead when everkey signed in with the old key: that sign-in hides nobody else's.
#[test]
fn an_own_sign_in_of_a_later_day_hides_no_use_of_the_old_key() {
    let mut used = report(&[("new", 5), ("old", 10)]);
    used.own.insert("old".into(), vec![(at(24 * 30), None)]);
    assert_eq!(used.verdict(&delivered(), at(57)), Some(Verdict::OldInUse("old".into(), at(58))));
    used.own.insert("old".into(), vec![(at(9), None)]);
    assert_eq!(used.verdict(&delivered(), at(57)), Some(Verdict::Confirmed), "that one was everkey's own");
}

//! The sweep takes what an attempt of ours made and nobody can use; everything else stays.

use super::sample::*;
use crate::model::*;
use crate::rotation::Mutation;
use crate::rotation::Rules;
use crate::rotation::orphan::beyond;
use crate::rotation::orphan::current_gone;
use crate::rotation::orphan::orphans;
use crate::rotation::tag;

fn secret(key_id: &str, display_name: Option<String>) -> SecretEntry {
    SecretEntry { key_id: key_id.into(), display_name, hint: None, start: at(0), end: at(24 * 180) }
}

fn ours(rotation: u64, attempt: u32) -> Option<String> {
    Some(tag::display_name("Reapit", &tag::tag(INSTANCE, RotationId(rotation), attempt)))
}

fn shows(secrets: Vec<SecretEntry>) -> AppObserved {
    AppObserved {
        object_id: "o".into(),
        client_id: "c".into(),
        display_name: "Reapit".into(),
        audience: "AzureADMyOrg".into(),
        redirect_uris: Vec::new(),
        permissions: Vec::new(),
        secrets,
        certificates: Vec::new(),
    }
}

fn found(outcome: Outcome, app: &AppObserved, rules: Rules) -> Vec<String> {
    let mut r = attached();
    r.attempts[0].outcome = outcome;
    orphans(INSTANCE, &[r], app, rules).into_iter().map(|orphan| orphan.key_id.to_string()).collect()
}

#[test]
fn only_attempts_whose_value_nobody_has_are_swept() {
    let app = shows(vec![secret("stray", ours(7, 1))]);
    for outcome in [Outcome::Unknown, Outcome::Refused, Outcome::Abandoned, Outcome::Saved] {
        assert_eq!(found(outcome, &app, Rules::default()), ["stray"], "{outcome:?}");
    }
    assert!(found(Outcome::Open, &app, Rules::default()).is_empty(), "its answer may be on the way");
    let app = shows(vec![secret("new", ours(7, 1))]);
    assert!(found(Outcome::Saved, &app, Rules::default()).is_empty(), "it is the recorded one");
}

#[test]
fn what_others_made_stays_whatever_its_name() {
    let foreign = |name: Option<&str>| secret("theirs", name.map(str::to_owned));
    let other_store = tag::display_name("Reapit", &tag::tag("zzzzzz", RotationId(7), 1));
    for name in [None, Some("made by hand"), Some("[ek1 broken"), Some(other_store.as_str())] {
        assert!(found(Outcome::Unknown, &shows(vec![foreign(name)]), Rules::default()).is_empty(), "{name:?}");
    }
    // Our tag, but of an attempt that the journal does not know: unknown credentials are never removed.
    for unknown in [ours(7, 2), ours(8, 1)] {
        assert!(found(Outcome::Unknown, &shows(vec![secret("x", unknown)]), Rules::default()).is_empty());
    }
}

#[test]
fn what_is_to_be_kept_is_not_swept() {
    let app = shows(vec![secret("stray", ours(7, 1)), secret("kept", ours(7, 1))]);
    let mut r = attached();
    r.attempts[0].outcome = Outcome::Unknown;
    r.spec.retain = vec!["kept".into()];
    let found = orphans(INSTANCE, &[r], &app, Rules::default());
    assert_eq!(found.iter().map(|orphan| orphan.key_id.as_str()).collect::<Vec<_>>(), ["stray"]);
}

#[test]
fn after_a_restore_what_the_lost_journal_may_have_delivered_stays() {
    let stray = SecretEntry { start: at(1), end: at(1 + 24 * 180), ..secret("stray", ours(7, 1001)) };
    let app = shows(vec![secret("in-use", ours(7, 1)), stray]);
    let mut r = attached();
    r.attempts[0].outcome = Outcome::Unknown;
    r.attempts.push(attempt(1001, at(1), Outcome::Unknown));
    r.forgotten = 1000;
    let found = orphans(INSTANCE, &[r], &app, Rules::default());
    let found: Vec<&str> = found.iter().map(|orphan| orphan.key_id.as_str()).collect();
    assert_eq!(found, ["stray"]);
}

/// Its number was given twice: by a journal that is lost, and by this one.
#[test]
fn what_has_other_dates_than_the_attempt_asked_for_stays() {
    let dated = |start, end| shows(vec![SecretEntry { start, end, ..secret("stray", ours(7, 1)) }]);
    let (start, end) = (at(0), at(24 * 180));
    let second = jiff::SignedDuration::from_secs(1);
    for outcome in [Outcome::Unknown, Outcome::Refused, Outcome::Abandoned, Outcome::Saved] {
        assert_eq!(found(outcome, &dated(start + second, end - second), Rules::default()), ["stray"], "rounded");
        for other in [dated(start + second * 3, end), dated(start, end + second * 3)] {
            assert!(found(outcome, &other, Rules::default()).is_empty(), "{outcome:?}");
        }
    }
}

/// Where Graph gives other dates than it was asked for, they tell nothing.
#[test]
fn where_graph_changes_the_dates_they_do_not_count() {
    let app = shows(vec![SecretEntry { start: at(5), ..secret("stray", ours(7, 1)) }]);
    let mut changed = attached();
    changed.fresh = Some(Fresh { start: at(5), ..fresh() });
    let found = |r: &Rotation| orphans(INSTANCE, std::slice::from_ref(r), &app, Rules::default()).len();
    assert_eq!((found(&attached()), found(&changed)), (0, 1));
}

#[test]
fn each_broken_rule_sweeps_too_much_or_nothing() {
    let app = shows(vec![secret("theirs", None), secret("new", ours(7, 1)), secret("old", None)]);
    let broken = |mutation| found(Outcome::Saved, &app, Rules::without(mutation));
    assert_eq!(found(Outcome::Saved, &app, Rules::default()), Vec::<String>::new());
    assert_eq!(broken(Mutation::SweepEverything), ["theirs", "old"]);
    assert_eq!(broken(Mutation::SweepForeign), ["theirs"]);
    let stray = shows(vec![secret("stray", ours(7, 1))]);
    assert_eq!(found(Outcome::Unknown, &stray, Rules::without(Mutation::NoSweep)), Vec::<String>::new());
}

#[test]
fn a_tag_beyond_the_journal_proves_that_it_was_rolled_back() {
    let app = shows(vec![secret("x", ours(8, 1))]);
    let rotation = |instance, newest| beyond(instance, newest, &[], &app).rotation;
    assert_eq!(rotation(INSTANCE, Some(RotationId(7))), Some(RotationId(8)));
    assert_eq!(rotation(INSTANCE, None), Some(RotationId(8)));
    assert_eq!(rotation(INSTANCE, Some(RotationId(8))), None);
    assert_eq!(rotation("zzzzzz", Some(RotationId(7))), None);
}

#[test]
fn an_attempt_beyond_the_last_one_proves_the_same() {
    let app = shows(vec![secret("x", ours(7, 2)), secret("y", ours(7, 4)), secret("z", ours(7, 3))]);
    let mut r = attached();
    let attempts = |r: &Rotation| beyond(INSTANCE, Some(r.id), std::slice::from_ref(r), &app).attempts;
    assert_eq!(attempts(&r), [(r.id, 4)]);
    r.forgotten = 3;
    assert_eq!(attempts(&r), [(r.id, 4)]);
    r.forgotten = 4;
    assert_eq!(attempts(&r), []);
}

#[test]
fn a_current_credential_that_is_gone_shows() {
    let own = |key_id: &str, status| {
        let credential = own(key_id, "");
        let app = AppRef { object_id: "o".into(), ..credential.app.clone() };
        OwnCredential { thumbprint: None, status, app, ..credential }
    };
    let app = shows(vec![secret("here", None)]);
    let all = [own("here", CredentialStatus::Current), own("gone", CredentialStatus::Old)];
    assert_eq!(current_gone(&all, &[], &app).count(), 0);
    let current = [own("gone", CredentialStatus::Current)];
    assert_eq!(current_gone(&current, &[], &app).count(), 1);
    // A removal of our own, to make room, explains it.
    let mut r = planned();
    r.removals = vec![Removal { key_id: "gone".into(), sent: Some(at(1)), looked: None, absent: None }];
    assert_eq!(current_gone(&current, &[r], &app).count(), 0);
}

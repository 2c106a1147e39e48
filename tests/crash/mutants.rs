//! The rules are needed: each is broken under a schedule that shows it, and the same schedule passes unbroken.

use everkey::clock::Clock as _;
use everkey::clock::ManualClock;
use everkey::emulator::Quirks;
use everkey::rotation::Mutation;
use everkey::rotation::Rules;
use jiff::SignedDuration;

use crate::campaign::issued;
use crate::faults::settle;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::world::World;

/// What the harness found wrong.
type Violations = Vec<String>;

/// The schedule finds nothing under all rules, and something that says `sign` without this one.
pub fn judge(mutation: Mutation, sign: &str, kept: &Violations, broken: &Violations) {
    assert!(kept.is_empty(), "{mutation:?} is not broken, and yet:\n{}", kept.join("\n"));
    assert!(broken.iter().any(|one| one.contains(sign)), "{mutation:?} went unseen: {broken:#?}");
}

async fn finish(world: &World, rules: Rules, wanted: usize) -> Violations {
    world.recover(rules, wanted).await;
    settle(world).await;
    world.verdict().await
}

/// Killed between the answer of addPassword and the commit of its value.
async fn crash_after_the_answer(rules: Rules) -> Violations {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    let (_, passed) = world.live(None, Rules::default(), 2).await;
    let point = passed.iter().position(|at| at.starts_with("before commit attached")).unwrap();
    let again = issued(&lab, Kind::Secret).await;
    // The mutant writes a sink in between, so that its boundary comes later.
    let extra = if rules.breaks(Mutation::DeliverBeforePersist) { 2 } else { 0 };
    again.live(Some(point + 1 + extra), rules, 2).await;
    finish(&again, rules, 2).await
}

#[tokio::test]
async fn delivering_before_saving_is_caught() {
    let mutation = Mutation::DeliverBeforePersist;
    let kept = crash_after_the_answer(Rules::default()).await;
    // The sink shows what the journal does not know, so the sweep leaves it alone; but nobody has saved it.
    judge(mutation, "SECRET LOST", &kept, &crash_after_the_answer(Rules::without(mutation)).await);
}

async fn sign_ins_lag(rules: Rules) -> Violations {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    lab.emulator.set_quirks(Quirks { token_lag: SignedDuration::from_secs(45), ..Quirks::default() });
    world.outside.seen().lag = SignedDuration::from_secs(45);
    finish(&world, rules, 2).await
}

#[tokio::test]
async fn delivering_without_a_proof_is_caught() {
    let mutation = Mutation::DeliverWithoutProbe;
    let kept = sign_ins_lag(Rules::default()).await;
    judge(mutation, "ACCESS LOST", &kept, &sign_ins_lag(Rules::without(mutation)).await);
}

async fn plain_rotation(kind: Kind, rules: Rules) -> Violations {
    let lab = Lab::start().await;
    let world = issued(&lab, kind).await;
    finish(&world, rules, 2).await
}

#[tokio::test]
async fn retiring_early_is_caught() {
    let mutation = Mutation::RetireEarly;
    let kept = plain_rotation(Kind::Secret, Rules::default()).await;
    judge(mutation, "ACCESS LOST", &kept, &plain_rotation(Kind::Secret, Rules::without(mutation)).await);
}

#[tokio::test]
async fn sweeping_what_is_not_current_is_caught() {
    let mutation = Mutation::SweepEverything;
    for kind in [Kind::Secret, Kind::AddKey] {
        let kept = plain_rotation(kind, Rules::default()).await;
        let broken = plain_rotation(kind, Rules::without(mutation)).await;
        judge(mutation, "FOREIGN", &kept, &broken);
    }
}

/// Everkey's own clock runs ahead, to beyond the end of the present secret, in the middle of a rotation that
/// a person has not confirmed; Graph's stays.
async fn local_clock_ahead(rules: Rules) -> Violations {
    let lab = Lab::start().await;
    let mut world = issued(&lab, Kind::Handoff).await;
    world.jump(world.clock.now() + SignedDuration::from_hours(24 * 70));
    world.idle_person(true);
    // Delivered to the doer, who does nothing yet.
    world.live_until_waiting(rules).await;
    let ahead = world.clock.now() + SignedDuration::from_hours(24 * 80);
    world.clock = ManualClock::new(ahead);
    for _ in 0..6 {
        world.visit_under(rules).await;
        world.jump(world.clock.now() + SignedDuration::from_mins(6));
    }
    std::mem::take(&mut world.outside.seen().violations)
}

#[tokio::test]
async fn trusting_the_local_clock_alone_is_caught() {
    let mutation = Mutation::LocalClockAlone;
    let kept = local_clock_ahead(Rules::default()).await;
    judge(mutation, "ACCESS LOST", &kept, &local_clock_ahead(Rules::without(mutation)).await);
}

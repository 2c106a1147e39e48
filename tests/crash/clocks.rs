//! Clocks that are wrong: while everkey's own and Graph's disagree nothing is removed and everything else goes on; a
//! clock that jumps in the middle of a rotation removes nothing early; and dates that programs get wrong.

use everkey::clock::Clock as _;
use everkey::clock::ManualClock;
use everkey::model::State;
use everkey::rotation::Mutation;
use everkey::rotation::Rules;
use jiff::SignedDuration;

use crate::campaign::first;
use crate::campaign::issued;
use crate::campaign_ledger;
use crate::campaign_ledger::Part;
use crate::faults::settle;
use crate::foreign;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::lost::ours;
use crate::world::Ended;
use crate::world::World;

const HOUR: i64 = 1;
const DAY: i64 = 24;
const YEAR: i64 = 24 * 365;

/// Everkey's own clock is off by so many hours from now on; Graph's is right.
fn wrong(world: &mut World, hours: i64) {
    world.clock = ManualClock::new(world.lab.clock.now() + SignedDuration::from_hours(hours));
}

fn right(world: &mut World) {
    world.clock = world.lab.clock.clone();
}

fn is_listed(world: &World, key_id: &str) -> bool {
    foreign::listed(&world.lab.emulator, &world.app()).contains_key(key_id)
}

#[tokio::test]
async fn while_the_clocks_disagree_nothing_is_removed_and_the_rest_goes_on() {
    for hours in [HOUR, -HOUR, 3 * DAY] {
        let lab = Lab::start().await;
        let mut world = issued(&lab, Kind::Secret).await;
        let (old, _) = ours(&world, &[]);
        wrong(&mut world, hours);
        let ended = world.live(None, Rules::default(), 2).await.0;
        assert_eq!(ended, Ended::Open, "{hours} h: its overlap is over, and nothing is removed");
        let rotation = world.rotations().await.pop().unwrap();
        assert_eq!(rotation.state, State::Confirmed, "{hours} h: made, proven, delivered and confirmed");
        assert!(is_listed(&world, &old), "{hours} h");
        right(&mut world);
        // Delivered under a clock that was ahead, it waits until that time has come by both.
        world.jump(world.clock.now() + SignedDuration::from_hours(hours.max(0)));
        world.recover(Rules::default(), 2).await;
        settle(&world).await;
        assert!(!is_listed(&world, &old), "{hours} h: the clocks agree, and it leaves");
        assert_eq!(world.verdict().await, Vec::<String>::new(), "{hours} h");
    }
}

/// Everkey's clock jumps at `point` of a rotation, a few looks follow, and it is put right.
async fn jump(kind: Kind, point: usize, hours: i64, rules: Rules) -> Option<Vec<String>> {
    let lab = Lab::start().await;
    let mut world = issued(&lab, kind).await;
    let (old, _) = ours(&world, &[]);
    if world.live(Some(point), Rules::default(), 2).await.0 != Ended::Died {
        return None;
    }
    let intended = world.rotations().await.iter().any(|rotation| !rotation.removals.is_empty());
    wrong(&mut world, hours);
    for _ in 0..5 {
        world.visit_under(rules).await;
        world.jump(world.clock.now() + SignedDuration::from_mins(6));
    }
    let mut violations = Vec::new();
    if !intended && !is_listed(&world, &old) {
        violations.push("EARLY: the old one was removed while the clocks disagreed".to_owned());
    }
    right(&mut world);
    // What was written under a wrong clock may wait for its own time; access must hold all the same.
    let mut ended = Ended::Open;
    for _ in 0..3 {
        if ended != Ended::Converged {
            ended = world.live(None, rules, 2).await.0;
        }
    }
    // A year ahead, that time is the end of everything that was made: a year without everkey is another matter.
    if ended != Ended::Converged && hours == DAY {
        world.jump(world.clock.now() + SignedDuration::from_hours(hours));
        world.recover(rules, 2).await;
        ended = Ended::Converged;
    }
    if hours == YEAR {
        violations.append(&mut world.outside.seen().violations);
        return Some(violations);
    }
    if ended != Ended::Converged {
        violations.push(format!("NOT CONVERGED: {:?}", world.rotations().await.pop().map(|r| (r.state, r.failure))));
    }
    settle(&world).await;
    violations.extend(world.verdict().await);
    violations.append(&mut world.outside.seen().violations);
    Some(violations)
}

async fn jumps(kind: Kind) {
    let step = campaign_ledger::depth(47, 3);
    let (mut tried, mut early) = (0, Vec::new());
    for hours in [DAY, -DAY, YEAR, -YEAR] {
        for point in (1 + (hours.unsigned_abs() as usize) % step..).step_by(step) {
            let Some(violations) = jump(kind, point, hours, Rules::default()).await else { break };
            tried += 1;
            early.extend(violations.into_iter().map(|one| format!("{kind:?}, {hours} h at {point}: {one}")));
        }
    }
    assert!(early.is_empty(), "{}", early.join("\n"));
    let promise = format!("{kind:?}: everkey's clock jumps by ±1 day or ±1 year in the middle of a rotation");
    let mut part = Part::new(format!("clocks-{}", kind.name()), promise);
    part.count("jumps", tried);
    part.done();
}

#[tokio::test]
async fn jumps_remove_no_secret_early() {
    jumps(Kind::Secret).await;
}

#[tokio::test]
async fn jumps_remove_no_certificate_early_by_add_key() {
    jumps(Kind::AddKey).await;
}

#[tokio::test]
async fn jumps_remove_no_certificate_early_by_patch() {
    jumps(Kind::Patch).await;
}

#[tokio::test]
async fn dates_that_programs_get_wrong_are_dates_like_others() {
    let mut tried = 0;
    for start in ["2038-01-19T01:00:00Z", "2028-02-28T22:30:00Z", "2027-12-31T22:30:00Z", "2100-02-28T22:30:00Z"] {
        for kind in [Kind::Secret, Kind::AddKey, Kind::Patch] {
            let lab = Lab::starting(start, 1).await;
            let world = first(World::new(&lab, kind)).await;
            world.recover(Rules::default(), 2).await;
            settle(&world).await;
            assert_eq!(world.verdict().await, Vec::<String>::new(), "{kind:?} {start}");
            tried += 1;
        }
    }
    let mut part = Part::new("clocks-dates", "rotations across 2038, leap days, the turn of the year, and in 2100");
    part.count("rotations", tried);
    part.done();
}

/// The jumps see what they look for.
#[tokio::test]
async fn retiring_early_shows() {
    let violations = jump(Kind::Secret, 60, DAY, Rules::without(Mutation::RetireEarly)).await.unwrap();
    assert!(!violations.is_empty());
}

//! What a policy names in `retain` is never removed, whatever else would be due.

use everkey::clock::Clock as _;
use everkey::model::KeyId;
use everkey::model::State;
use everkey::rotation::Rules;
use jiff::SignedDuration;

use crate::adopted::adopt;
use crate::adopted::listed;
use crate::adopted::made_by_hand;
use crate::campaign::issued;
use crate::campaign_ledger::Part;
use crate::caps::left;
use crate::caps::littered;
use crate::drilled;
use crate::faults::settle;
use crate::foreign;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::lost::ours;
use crate::process::Process;
use crate::world::Ended;

/// Whoever writes `retain` is heard at once, also in the middle of the rotation that would remove it.
#[tokio::test]
async fn what_the_policy_retains_in_the_overlap_stays() {
    let mut part = Part::new(
        "retained-late",
        "a credential that the policy retains late: in the overlap, adopted, a drill's, an orphan",
    );
    for kind in [Kind::Secret, Kind::AddKey, Kind::Patch] {
        let lab = Lab::start().await;
        let mut world = issued(&lab, kind).await;
        let (kept, _) = ours(&world, &[]);
        {
            let process = Process::start(&world, None, Rules::default()).await;
            let mut asked = vec![world.name()];
            for _ in 0..100 {
                let due = process.step(&asked).await.unwrap().unwrap();
                asked.clear();
                if process.store.unfinished().await.unwrap().iter().any(|r| r.state == State::Confirmed) {
                    break;
                }
                world.jump(due);
            }
        }
        world.policies[0].credentials[0].retain = vec![KeyId(kept.clone())];
        assert_eq!(world.live(None, Rules::default(), 2).await.0, Ended::Converged, "{kind:?}");
        settle(&world).await;
        assert!(listed(&world, &KeyId(kept)), "{kind:?}");
    }
    part.count("kinds", 3);
    part.done();
}

#[tokio::test]
async fn what_was_adopted_and_is_retained_outlives_its_own_end() {
    let lab = Lab::start().await;
    let mut world = issued(&lab, Kind::Secret).await;
    let (adopted, end) = made_by_hand(&world, "adopted");
    adopt(&world, &adopted, Some(end)).await;
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    let _ = world.live(None, Rules::default(), 2).await;
    let r = world.rotations().await.pop().unwrap();
    assert!(!r.is_finished() && r.old.len() == 2, "it waits for the adopted one's end: {r:?}");
    world.policies[0].credentials[0].retain = vec![adopted.clone()];
    world.jump(end + SignedDuration::from_mins(11));
    for _ in 0..3 {
        world.visit().await;
        settle(&world).await;
    }
    assert!(listed(&world, &adopted));
    assert!(world.rotations().await.pop().unwrap().is_finished(), "it is waited for no more");
}

/// What a drill could not remove, and what an attempt without an answer left, until the policy says otherwise.
#[tokio::test]
async fn litter_that_is_retained_stays_until_it_is_not() {
    let lab = Lab::start().await;
    let mut world = issued(&lab, Kind::Secret).await;
    let orphans = littered(&world, 1).await;
    let started = world.clock.now();
    let tag = drilled::intended(&world, started).await;
    let all = [made_by_hand(&world, &tag).0, orphans[0].clone()];
    world.policies[0].credentials[0].retain = all.to_vec();
    for _ in 0..3 {
        settle(&world).await;
    }
    assert_eq!(left(&world, &all), 2);
    world.policies[0].credentials[0].retain.clear();
    settle(&world).await;
    assert_eq!(left(&world, &all), 0, "a check that cannot fail shows nothing");
}

#[tokio::test]
async fn what_is_to_be_kept_outlives_its_rotation_and_its_own_end() {
    let mut part = Part::new("retained", "a credential that the policy retains: retired, expired");
    for kind in [Kind::Secret, Kind::AddKey, Kind::Patch, Kind::Handoff] {
        let lab = Lab::start().await;
        let mut world = issued(&lab, kind).await;
        let (kept, entry) = ours(&world, &[]);
        world.policies[0].credentials[0].retain = vec![KeyId(kept.clone())];
        if kind == Kind::Handoff {
            world.jump(world.clock.now() + SignedDuration::from_hours(24 * 70));
        }
        let listed = || foreign::listed(&lab.emulator, &world.app()).contains_key(&kept);
        let ended = world.live(None, Rules::default(), 2).await.0;
        assert_eq!(ended, Ended::Converged, "{kind:?}");
        settle(&world).await;
        assert!(listed(), "{kind:?}: retired");
        world.idle_person(true);
        world.jump(entry.end + SignedDuration::from_mins(30));
        for _ in 0..4 {
            world.visit().await;
            settle(&world).await;
        }
        assert!(listed(), "{kind:?}: expired");
    }
    part.count("kinds", 4);
    part.done();
}

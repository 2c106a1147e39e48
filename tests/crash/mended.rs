//! Defects that were found and mended: they stay mended.

use everkey::clock::Clock as _;
use everkey::model::Audience;
use everkey::model::RotationId;
use everkey::rotation::Rules;
use everkey::rotation::tag;
use jiff::SignedDuration;

use crate::adopted::made_by_hand;
use crate::campaign::first;
use crate::campaign::issued;
use crate::emergency;
use crate::faults::settle;
use crate::foreign;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::process::Process;
use crate::world::Ended;
use crate::world::World;

/// Personal accounts: two client secrets at most. A certificate takes no slot of them.
#[tokio::test]
async fn a_certificate_needs_no_slot_of_a_capped_application() {
    let lab = Lab::start().await;
    let mut world = World::new(&lab, Kind::AddKey);
    world.policies[0].app.audience = Audience::MultiAndPersonal;
    let world = first(world).await;
    // Beside the one that is there from the start.
    let (by_hand, _) = made_by_hand(&world, "the second one");
    let all = foreign::listed(&lab.emulator, &world.app());
    world.outside.seen().foreign.extend(all.into_iter().filter(|(key_id, _)| *key_id == by_hand.0));
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    world.recover(Rules::default(), 2).await;
    settle(&world).await;
    assert_eq!(world.verdict().await, Vec::<String>::new(), "a rotation");
    let asked = emergency::asked(false);
    emergency::excuse(&world, Kind::AddKey, Some(&asked));
    let (ended, _) = emergency::life(&world, None, Rules::default(), &asked, 1).await;
    let wrong = emergency::verdict(&world, &asked, 1, ended).await;
    assert_eq!((ended, wrong), (Ended::Converged, Vec::new()), "an emergency");
}

/// A tag of this store far beyond its counters is somebody's joke: it costs no numbers and is not removed; a near one is
/// what a lost journal made, and its numbers are not given again.
#[tokio::test]
async fn numbers_are_skipped_up_to_a_bound() {
    for (rotation, attempt, forgotten) in [(1, 4_000_000_000, 0), (4_000_000_000, 1, 0), (1, 7, 7)] {
        let lab = Lab::start().await;
        let world = issued(&lab, Kind::Secret).await;
        let instance = Process::start(&world, None, Rules::default()).await.store.instance();
        let (by_hand, _) = made_by_hand(&world, &tag::tag(&instance, RotationId(rotation), attempt));
        let all = foreign::listed(&lab.emulator, &world.app());
        world.outside.seen().foreign.extend(all.into_iter().filter(|(key_id, _)| *key_id == by_hand.0));
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
        world.visit().await;
        settle(&world).await;
        let what = format!("{rotation}.{attempt}");
        assert_eq!(world.rotations().await[0].forgotten, forgotten, "{what}");
        world.recover(Rules::default(), 2).await;
        settle(&world).await;
        let latest = world.rotations().await.pop().unwrap();
        assert!(latest.id.0 < 100 && latest.attempts.iter().all(|one| one.number < 100), "{what}: {latest:?}");
        assert_eq!(world.verdict().await, Vec::<String>::new(), "{what}");
    }
}

//! A person's word about a hand-off that others have overtaken, and what becomes of those.

use std::sync::Arc;

use everkey::clock::Clock as _;
use everkey::model::Handoff;
use everkey::model::HandoffId;
use everkey::model::HandoffStatus;
use everkey::model::Rotation;
use everkey::model::State;
use everkey::ports::Commit;
use everkey::rotation::Rules;
use everkey::run::emergency::Asked;
use jiff::SignedDuration;

use crate::campaign::issued;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::process::Process;
use crate::world::World;

const PERSON: &str = "priya.shah@contoso.example";

/// More ticks than any state is away.
const MOST_TICKS: usize = 100;

/// A world in which nobody acts on a hand-off by himself, with an emergency in it.
async fn emergency_begun(world: &World) -> Process<'_> {
    world.idle_person(true);
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    let process = Process::start(world, None, Rules::default()).await;
    let asked = Asked { reason: "secret pasted in a ticket".into(), ..Asked::default() };
    let draft = process.engine.emergency_draft(&world.policies[0], &asked).await.unwrap();
    process.engine.begin_emergency(&world.policies[0], &draft, &asked).await.unwrap();
    process
}

/// Goes on until the last rotation has come to what is `wanted`.
async fn until(process: &Process<'_>, wanted: impl Fn(&Rotation) -> bool) -> Rotation {
    let world = process.world;
    for _ in 0..MOST_TICKS {
        let r = process.store.rotations(&world.name()).await.unwrap().pop().unwrap();
        if wanted(&r) {
            return r;
        }
        let due = process.step(&[]).await.unwrap();
        let second = world.clock.now() + SignedDuration::from_secs(1);
        world.jump(due.map_or(second, |due| due.max(second)));
    }
    panic!("it never came so far");
}

async fn handoff(process: &Process<'_>, id: &HandoffId) -> Handoff {
    process.store.handoffs().await.unwrap().into_iter().find(|one| one.id == *id).unwrap()
}

async fn waiting(process: &Process<'_>) -> Vec<HandoffId> {
    let all = process.store.handoffs().await.unwrap();
    all.into_iter().filter(Handoff::is_waiting).map(|one| one.id).collect()
}

/// The word about a value that was lost takes nothing from the one made in its place.
#[tokio::test]
async fn a_closed_handoff_that_is_confirmed_leaves_the_fresh_value_alone() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Handoff).await;
    let process = emergency_begun(&world).await;
    until(&process, |r| r.state == State::Delivered).await;
    let lost = waiting(&process).await.pop().unwrap();
    process.engine.open_handoff(&lost, PERSON).await.unwrap();
    process.engine.renew_handoff(&lost, PERSON).await.unwrap();
    until(&process, |r| r.state == State::Attached).await;
    assert_eq!(handoff(&process, &lost).await.status, HandoffStatus::Closed);
    process.engine.confirm_handoff(&lost, PERSON).await.unwrap();
    until(&process, |r| r.state == State::Delivered).await;
    let fresh = waiting(&process).await.pop().unwrap();
    assert_ne!(fresh, lost);
    process.engine.open_handoff(&fresh, PERSON).await.unwrap();
}

/// A value that is gone, for whatever reason, stops its rotation and says so; the engine goes on.
#[tokio::test]
async fn a_value_that_is_gone_stops_its_own_rotation_only() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Handoff).await;
    let process = emergency_begun(&world).await;
    let r = until(&process, |r| r.state == State::Attached).await;
    let mut commit = Commit::new(world.clock.now(), "test");
    commit.destroy = r.fresh.unwrap().seals;
    process.store.commit(process.fence, commit).await.unwrap();
    let r = until(&process, |r| r.failure.is_some()).await;
    assert_eq!(r.state, State::Attached);
}

/// A world whose person did nothing until the old one had ended: the rotation is over, its hand-off waits on.
async fn superseded(lab: &Arc<Lab>) -> (World, HandoffId) {
    let world = issued(lab, Kind::Handoff).await;
    world.idle_person(true);
    world.live_until_waiting(Rules::default()).await;
    let r = world.rotations().await.pop().unwrap();
    // What the consumer has ends, and nobody is to blame for that but the person.
    world.outside.seen().held.clear();
    world.jump(r.old_end().unwrap() + SignedDuration::from_hours(1));
    let process = Process::start(&world, None, Rules::default()).await;
    // The tick that sees it begins the next one.
    until(&process, |last| last.id != r.id || last.state == State::SupersededUnconfirmed).await;
    let over = process.store.rotation(r.id).await.unwrap().unwrap();
    assert_eq!(over.state, State::SupersededUnconfirmed);
    let [id] = <[HandoffId; 1]>::try_from(waiting(&process).await).unwrap();
    assert_eq!(handoff(&process, &id).await.rotation, r.id);
    drop(process);
    (world, id)
}

/// Two values for one place at once: the doer would type in one that is about to be removed.
#[tokio::test]
async fn what_was_never_handed_over_closes_when_its_successor_is_sealed() {
    let lab = Lab::start().await;
    let (world, id) = superseded(&lab).await;
    let process = Process::start(&world, None, Rules::default()).await;
    process.step(&[world.name()]).await.unwrap();
    until(&process, |r| r.state == State::Attached).await;
    assert_eq!(waiting(&process).await, std::slice::from_ref(&id), "it stays until its successor is there");
    let r = until(&process, |r| r.state == State::Delivered).await;
    let [successor] = &waiting(&process).await[..] else { panic!("{:?}", waiting(&process).await) };
    assert_eq!(handoff(&process, successor).await.rotation, r.id);
    assert_eq!(handoff(&process, &id).await.status, HandoffStatus::Closed);
    assert!(process.engine.open_handoff(&id, PERSON).await.is_err());
}

#[tokio::test]
async fn what_was_never_handed_over_closes_when_an_emergency_begins() {
    let lab = Lab::start().await;
    let (world, id) = superseded(&lab).await;
    let process = emergency_begun(&world).await;
    assert_eq!(handoff(&process, &id).await.status, HandoffStatus::Closed);
    assert!(process.engine.open_handoff(&id, PERSON).await.is_err());
}

//! What everkey takes away in a day has limits of their own: retirements (`lost.rs`) and sweeps.

use std::collections::BTreeMap;

use everkey::clock::Clock as _;
use everkey::emulator::Effect;
use everkey::emulator::Fault;
use everkey::model::KeyId;
use everkey::model::Outcome;
use everkey::rotation::Rules;
use jiff::SignedDuration;
use jiff::Timestamp;

use crate::adopted::listed;
use crate::adopted::made_as;
use crate::campaign::issued;
use crate::campaign_ledger::Part;
use crate::emergency;
use crate::faults::late;
use crate::faults::settle;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::lost::limits_told;
use crate::world::Ended;
use crate::world::World;

/// So many orphans: what carries the tag and the dates of an attempt without an answer is one.
pub async fn littered(world: &World, count: usize) -> Vec<KeyId> {
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    world.lab.emulator.inject(late("/addPassword"));
    world.recover(Rules::default(), 2).await;
    settle(world).await;
    let r = world.rotations().await.pop().unwrap();
    let attempt = r.attempts.iter().find(|one| one.outcome == Outcome::Unknown).unwrap();
    // Nothing that was swept before counts.
    world.jump(world.clock.now() + SignedDuration::from_hours(30));
    (0..count).map(|_| made_as(world, &attempt.tag, Some(attempt.start), attempt.end)).collect()
}

pub fn left(world: &World, orphans: &[KeyId]) -> usize {
    orphans.iter().filter(|key_id| listed(world, key_id)).count()
}

/// Each look is a process of its own: the limit is counted in the journal.
#[tokio::test]
async fn sweeps_have_a_daily_cap_of_their_own() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    let orphans = littered(&world, 23).await;
    let mut gone: BTreeMap<&KeyId, Timestamp> = BTreeMap::new();
    for _ in 0..64 {
        world.visit().await;
        let now = world.clock.now();
        for key_id in orphans.iter().filter(|key_id| !listed(&world, key_id)) {
            gone.entry(key_id).or_insert(now);
        }
        world.jump(now + SignedDuration::from_hours(1));
    }
    assert_eq!(gone.len(), orphans.len(), "what waits goes on when the window has moved");
    let day = SignedDuration::from_hours(24);
    let busiest = |start: &Timestamp| gone.values().filter(|at| *at >= start && **at < *start + day).count();
    let most = gone.values().map(busiest).max();
    assert_eq!(most, Some(10), "{gone:?}");

    // Once for as long as the limit holds; it held twice.
    assert_eq!(limits_told(&world).await, 2);
    assert_eq!(world.verdict().await, Vec::<String>::new());
    let mut part = Part::new("cap-sweeps", "23 orphans at once: at most ten sweeps in 24 hours");
    part.count("orphans", orphans.len());
    part.count("of them in the busiest 24 hours", most.unwrap_or_default());
    part.done();
}

/// A removal that Entra refuses again and again is tried again and again, and is one sweep.
#[tokio::test]
async fn a_second_try_is_no_second_sweep() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    let orphans = littered(&world, 1).await;
    lab.emulator.inject(Fault {
        count: 60,
        effect: Effect::Status { body: None, code: 500, retry_after: None },
        method: Some("POST".to_owned()),
        path_contains: "/removePassword".to_owned(),
    });
    let mut looks = 0;
    while left(&world, &orphans) == 1 {
        looks += 1;
        assert!(looks < 100, "it is never removed");
        world.visit().await;
        world.jump(world.clock.now() + SignedDuration::from_mins(10));
    }
    assert!(looks > 11, "{looks} looks are no more than the limit allows");
    assert_eq!(limits_told(&world).await, 0);
}

#[tokio::test]
async fn an_emergency_waits_for_no_cap_of_sweeps() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    let orphans = littered(&world, 14).await;
    world.visit().await;
    assert_eq!(left(&world, &orphans), 4);
    let asked = emergency::asked(false);
    emergency::excuse(&world, Kind::Secret, Some(&asked));
    let (ended, _) = emergency::life(&world, None, Rules::default(), &asked, 1).await;
    assert_eq!((ended, left(&world, &orphans)), (Ended::Converged, 0));
}

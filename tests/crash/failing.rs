//! The journal's disk fails (EIO) at every one of its writes, before it and after it: the process is told that nothing is
//! certain, and goes on. A secret that was received is saved or its credential removed; nobody loses access.

use everkey::clock::Clock as _;
use everkey::rotation::Rules;
use jiff::SignedDuration;

use crate::campaign::ROTATIONS_PER_WORLD;
use crate::campaign::issued;
use crate::campaign_ledger::Part;
use crate::faults::settle;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::world::World;

/// Whether `point` is a boundary of the journal among those that were passed.
fn is_journal(passed: &[String], point: usize) -> bool {
    let what = passed.get(point - 1).map(String::as_str).unwrap_or_default();
    ["commit ", "store preflight", "next_", "mark_"].iter().any(|word| what.contains(word))
}

/// One life whose journal fails at `point`, another one if that ended open; the boundaries it passed.
async fn failing(world: &World, point: usize, wanted: usize) -> Vec<String> {
    world.fail_at(Some(point));
    let (_, passed) = world.live(None, Rules::default(), wanted).await;
    world.fail_at(None);
    world.recover(Rules::default(), wanted).await;
    settle(world).await;
    passed
}

fn close(kind: Kind, what: &str, failed: usize) {
    let promise = format!("{what}, {kind:?}: the journal fails at each of its writes, before it and after it");
    let mut part = Part::new(format!("journal-{}-{}", kind.name(), what.replace(' ', "-")), promise);
    part.count("failures", failed);
    part.done();
}

async fn first_issuance(kind: Kind) {
    let lab = Lab::start().await;
    let mut failed = 0;
    for point in 1.. {
        let world = World::new(&lab, kind);
        let passed = failing(&world, point, 1).await;
        let violations = world.verdict().await;
        assert!(
            violations.is_empty(),
            "{kind:?}, failed at {point} ({:?}):\n{}",
            passed.get(point - 1),
            violations.join("\n")
        );
        failed += usize::from(is_journal(&passed, point));
        if passed.len() < point {
            break;
        }
    }
    assert!(failed > 20, "{kind:?}: {failed} failures of the journal");
    close(kind, "first issuance", failed);
}

#[tokio::test]
async fn first_issuance_of_a_secret_survives_a_failing_journal() {
    first_issuance(Kind::Secret).await;
}

#[tokio::test]
async fn first_issuance_of_a_handoff_survives_a_failing_journal() {
    first_issuance(Kind::Handoff).await;
}

#[tokio::test]
async fn rotation_of_a_certificate_survives_a_failing_journal() {
    let lab = Lab::start().await;
    let mut world = issued(&lab, Kind::AddKey).await;
    let (mut done, mut failed) = (1, 0);
    for point in 1.. {
        if done > ROTATIONS_PER_WORLD {
            world = issued(&lab, Kind::AddKey).await;
            done = 1;
        }
        let passed = failing(&world, point, done + 1).await;
        let violations = world.verdict().await;
        assert!(violations.is_empty(), "failed at {point} ({:?}):\n{}", passed.get(point - 1), violations.join("\n"));
        failed += usize::from(is_journal(&passed, point));
        if passed.len() < point {
            break;
        }
        done += 1;
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
    }
    assert!(failed > 40, "{failed} failures of the journal");
    close(Kind::AddKey, "rotation", failed);
}

//! Kills the process at every boundary of a first issuance and of a rotation, of every kind.

use std::sync::Arc;

use everkey::clock::Clock as _;
use everkey::rotation::Rules;
use jiff::SignedDuration;

use crate::kinds::Kind;
use crate::lab::Lab;
use crate::world::Ended;
use crate::world::World;

/// A world grows older with every rotation; after so many a new one takes its place.
pub const ROTATIONS_PER_WORLD: usize = 20;

/// The violations at one point, or nothing.
fn check(kind: Kind, what: &str, point: usize, at: Option<&String>, violations: &[String]) {
    assert!(violations.is_empty(), "{kind:?}, {what}, killed at {point} ({at:?}):\n{}", violations.join("\n"));
}

/// A world in which the first credential is in place.
pub async fn issued(lab: &Arc<Lab>, kind: Kind) -> World {
    let world = World::new(lab, kind);
    assert_eq!(world.live(None, Rules::default(), 1).await.0, Ended::Converged, "{kind:?}");
    let violations = world.verdict().await;
    check(kind, "first issuance", 0, None, &violations);
    world
}

#[expect(clippy::print_stdout, reason = "the counts are what a reader of the test wants to see")]
fn told(kind: Kind, what: &str, points: usize, looks: u64) {
    println!("{kind:?}, {what}: {points} crash points, {looks} looks from outside, 0 violations");
}

async fn first_issuance(kind: Kind) {
    let lab = Lab::start().await;
    let mut looks = 0;
    for point in 1.. {
        let world = World::new(&lab, kind);
        let (ended, passed) = world.live(Some(point), Rules::default(), 1).await;
        if ended == Ended::Died {
            world.recover(Rules::default(), 1).await;
        }
        check(kind, "first issuance", point, passed.last(), &world.verdict().await);
        looks += world.outside.seen().looks;
        if ended == Ended::Converged {
            told(kind, "first issuance", passed.len(), looks);
            assert!(passed.len() > 40, "{passed:#?}");
            return;
        }
        assert_eq!(ended, Ended::Died, "{passed:#?}");
    }
}

/// Kills at the points of one half: the two halves run side by side.
async fn rotation(kind: Kind, half: usize) {
    let lab = Lab::start().await;
    let mut world = issued(&lab, kind).await;
    let (mut looks, mut done, mut points) = (0, 1, 0);
    for point in (1..).filter(|point| point % 2 == half) {
        if done > ROTATIONS_PER_WORLD {
            looks += world.outside.seen().looks;
            world = issued(&lab, kind).await;
            done = 1;
        }
        let (ended, passed) = world.live(Some(point), Rules::default(), done + 1).await;
        if ended == Ended::Died {
            world.recover(Rules::default(), done + 1).await;
        }
        check(kind, "rotation", point, passed.last(), &world.verdict().await);
        done += 1;
        // Retirements have a daily cap.
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
        if ended == Ended::Converged {
            looks += world.outside.seen().looks;
            told(kind, "rotation", points, looks);
            assert!(passed.len() > 40, "{passed:#?}");
            return;
        }
        assert_eq!(ended, Ended::Died, "{passed:#?}");
        points += 1;
    }
}

#[tokio::test]
async fn first_issuance_of_a_secret_survives_every_crash() {
    first_issuance(Kind::Secret).await;
}

#[tokio::test]
async fn first_issuance_of_a_certificate_by_patch_survives_every_crash() {
    first_issuance(Kind::AddKey).await;
}

#[tokio::test]
async fn first_issuance_of_a_certificate_from_a_ca_survives_every_crash() {
    first_issuance(Kind::Ca).await;
}

#[tokio::test]
async fn first_issuance_of_a_handoff_survives_every_crash() {
    first_issuance(Kind::Handoff).await;
}

#[tokio::test]
async fn rotation_of_a_secret_survives_every_crash_odd() {
    rotation(Kind::Secret, 1).await;
}

#[tokio::test]
async fn rotation_of_a_secret_survives_every_crash_even() {
    rotation(Kind::Secret, 0).await;
}

#[tokio::test]
async fn rotation_of_a_certificate_by_add_key_survives_every_crash_odd() {
    rotation(Kind::AddKey, 1).await;
}

#[tokio::test]
async fn rotation_of_a_certificate_by_add_key_survives_every_crash_even() {
    rotation(Kind::AddKey, 0).await;
}

#[tokio::test]
async fn rotation_of_a_certificate_by_patch_survives_every_crash_odd() {
    rotation(Kind::Patch, 1).await;
}

#[tokio::test]
async fn rotation_of_a_certificate_by_patch_survives_every_crash_even() {
    rotation(Kind::Patch, 0).await;
}

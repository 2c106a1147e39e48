//! Kills the process at every boundary of a first issuance and of a rotation, of every kind.

use std::sync::Arc;

use everkey::clock::Clock as _;
use everkey::rotation::Rules;
use jiff::SignedDuration;

use crate::campaign_ledger;
use crate::campaign_ledger::Part;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::world::Ended;
use crate::world::Place;
use crate::world::World;

/// A world grows older with every rotation; after so many a new one takes its place.
pub const ROTATIONS_PER_WORLD: usize = 20;

/// So long before its own end what a person carries is rotated.
const BEFORE_THE_END: SignedDuration = SignedDuration::from_hours(24 * 52);

/// The violations at one point, or nothing.
fn check(kind: Kind, what: &str, point: usize, at: Option<&String>, violations: &[String]) {
    assert!(violations.is_empty(), "{kind:?}, {what}, killed at {point} ({at:?}):\n{}", violations.join("\n"));
}

/// A world in which the first credential is in place.
pub async fn issued(lab: &Arc<Lab>, kind: Kind) -> World {
    first(World::new(lab, kind)).await
}

/// The same in a world that is there.
pub async fn first(world: World) -> World {
    let kind = world.kind;
    assert_eq!(world.live(None, Rules::default(), 1).await.0, Ended::Converged, "{kind:?}");
    let violations = world.verdict().await;
    check(kind, "first issuance", 0, None, &violations);
    world
}

#[expect(clippy::print_stdout, reason = "the counts are what a reader of the test wants to see")]
fn told(kind: Kind, what: &str, points: usize, looks: u64) {
    println!("{kind:?}, {what}: {points} crash points, {looks} looks from outside, 0 violations");
}

/// Which points of one kind, and where the journal is.
#[derive(Clone, Copy)]
struct Points {
    kind: Kind,
    is_server: bool,
    first: usize,
    step: usize,
}

impl Points {
    /// Every one of them, of a journal in a file.
    fn all(kind: Kind) -> Self {
        Self { kind, is_server: false, first: 1, step: 1 }
    }

    /// One half: the two halves run side by side.
    fn half(kind: Kind, first: usize) -> Self {
        Self { kind, is_server: false, first, step: 2 }
    }

    /// A journal in PostgreSQL: all in the campaign, a few otherwise, elsewhere for each kind.
    fn server(kind: Kind) -> Self {
        let step = campaign_ledger::depth(19, 1);
        Self { kind, is_server: true, first: 1 + (5 * kind as usize) % step, step }
    }

    async fn world(self, lab: &Arc<Lab>) -> World {
        let place = if self.is_server { Place::postgres().await } else { Place::Sqlite };
        World::on(lab, self.kind, place)
    }

    fn part(self, what: &str) -> Part {
        let kind = match self.kind {
            Kind::Secret => "client secret",
            Kind::AddKey => "certificate by addKey",
            Kind::Ca => "certificate from a CA",
            Kind::Patch => "certificate by PATCH",
            Kind::Handoff => "client secret by hand",
        };
        let place = if self.is_server { "PostgreSQL" } else { "SQLite" };
        let name = format!("{}-{what}-{place}-{}", self.kind.name(), self.first).to_lowercase().replace(' ', "-");
        Part::new(name, format!("{what}, {kind}, {place}: killed before and after every commit and every call"))
    }

    fn close(self, mut part: Part, what: &str, points: usize, looks: u64) {
        told(self.kind, what, points, looks);
        part.count("crash points", points);
        part.count("looks from outside", looks);
        part.done();
    }
}

async fn first_issuance(points: Points) {
    let part = points.part("first issuance");
    let lab = Lab::start().await;
    let (mut looks, mut killed) = (0, 0);
    for point in (points.first..).step_by(points.step) {
        let world = points.world(&lab).await;
        let (ended, passed) = world.live(Some(point), Rules::default(), 1).await;
        if ended == Ended::Died {
            world.recover(Rules::default(), 1).await;
        }
        check(points.kind, "first issuance", point, passed.last(), &world.verdict().await);
        looks += world.outside.seen().looks;
        if ended == Ended::Converged {
            assert!(passed.len() > 40, "{passed:#?}");
            return points.close(part, "first issuance", killed, looks);
        }
        assert_eq!(ended, Ended::Died, "{passed:#?}");
        killed += 1;
    }
}

async fn rotation(points: Points) {
    let part = points.part("rotation");
    let kind = points.kind;
    let mut lab = Lab::start().await;
    let mut world = first(points.world(&lab).await).await;
    let (mut looks, mut done, mut killed) = (0, 1, 0);
    for point in (points.first..).step_by(points.step) {
        if done > ROTATIONS_PER_WORLD {
            looks += world.outside.seen().looks;
            // A hand-off's rotation takes a good part of a year, and everkey's own secret lives for ten.
            lab = Lab::start().await;
            world = first(points.world(&lab).await).await;
            done = 1;
        }
        if kind == Kind::Handoff {
            // The old one leaves at its own end, which is within the horizon of a life then. A recovery that had little to
            // do has not come so far.
            world.jump(world.current_end().await - BEFORE_THE_END);
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
            assert!(passed.len() > 40, "{passed:#?}");
            return points.close(part, "rotation", killed, looks);
        }
        assert_eq!(ended, Ended::Died, "{passed:#?}");
        killed += 1;
    }
}

#[tokio::test]
async fn first_issuance_of_a_secret_survives_every_crash() {
    first_issuance(Points::all(Kind::Secret)).await;
}

#[tokio::test]
async fn first_issuance_of_a_certificate_by_patch_survives_every_crash() {
    first_issuance(Points::all(Kind::AddKey)).await;
}

#[tokio::test]
async fn first_issuance_of_a_certificate_from_a_ca_survives_every_crash() {
    first_issuance(Points::all(Kind::Ca)).await;
}

#[tokio::test]
async fn first_issuance_of_a_handoff_survives_every_crash() {
    first_issuance(Points::all(Kind::Handoff)).await;
}

#[tokio::test]
async fn rotation_of_a_secret_survives_every_crash_odd() {
    rotation(Points::half(Kind::Secret, 1)).await;
}

#[tokio::test]
async fn rotation_of_a_secret_survives_every_crash_even() {
    rotation(Points::half(Kind::Secret, 2)).await;
}

#[tokio::test]
async fn rotation_of_a_certificate_by_add_key_survives_every_crash_odd() {
    rotation(Points::half(Kind::AddKey, 1)).await;
}

#[tokio::test]
async fn rotation_of_a_certificate_by_add_key_survives_every_crash_even() {
    rotation(Points::half(Kind::AddKey, 2)).await;
}

#[tokio::test]
async fn rotation_of_a_certificate_by_patch_survives_every_crash_odd() {
    rotation(Points::half(Kind::Patch, 1)).await;
}

#[tokio::test]
async fn rotation_of_a_certificate_by_patch_survives_every_crash_even() {
    rotation(Points::half(Kind::Patch, 2)).await;
}

/// The overlap of what people carry lasts until the old one's own end: one life of it takes long.
#[tokio::test]
async fn rotation_of_a_handoff_survives_crashes() {
    let step = campaign_ledger::depth(29, 1);
    rotation(Points { first: 7 % step + 1, step, ..Points::all(Kind::Handoff) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_in_postgres_survives_crashes() {
    let points = Points::server(Kind::Secret);
    first_issuance(points).await;
    rotation(points).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_by_add_key_in_postgres_survives_crashes() {
    let points = Points::server(Kind::AddKey);
    first_issuance(points).await;
    rotation(points).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_by_patch_in_postgres_survives_crashes() {
    let points = Points::server(Kind::Patch);
    first_issuance(points).await;
    rotation(points).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handoff_in_postgres_survives_crashes() {
    let points = Points::server(Kind::Handoff);
    first_issuance(points).await;
    rotation(points).await;
}

//! A crash during the recovery from a crash: every pair of boundaries in the campaign, a seeded few otherwise.

use jiff::SignedDuration;

use everkey::clock::Clock as _;
use everkey::rotation::Rules;

use crate::campaign::ROTATIONS_PER_WORLD;
use crate::campaign::issued;
use crate::campaign_ledger;
use crate::campaign_ledger::Part;
use crate::faults::Dice;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::world::Ended;
use crate::world::World;

/// Worlds in which one rotation after another is crashed twice.
struct Twice {
    lab: std::sync::Arc<Lab>,
    kind: Kind,
    world: World,
    done: usize,
    looks: u64,
    pairs: usize,
}

/// What became of a pair.
#[derive(Eq, PartialEq)]
enum Pair {
    Crashed,
    /// The rotation was over before the first point.
    NoFirst,
    /// The recovery was over before the second.
    NoSecond,
}

impl Twice {
    async fn new(kind: Kind) -> Self {
        let lab = Lab::start().await;
        let world = issued(&lab, kind).await;
        Self { lab, kind, world, done: 1, looks: 0, pairs: 0 }
    }

    /// One rotation, killed at `first`, its recovery at `second`; then two runs at most.
    async fn crash(&mut self, first: usize, second: usize) -> Pair {
        if self.done > ROTATIONS_PER_WORLD {
            self.looks += self.world.outside.seen().looks;
            self.world = issued(&self.lab, self.kind).await;
            self.done = 1;
        }
        let (world, wanted, rules) = (&self.world, self.done + 1, Rules::default());
        let (ended, one) = world.live(Some(first), rules, wanted).await;
        let mut came = Pair::NoFirst;
        let mut two = Vec::new();
        if ended == Ended::Died {
            let (ended, passed) = world.live(Some(second), rules, wanted).await;
            two = passed;
            came = if ended == Ended::Died { Pair::Crashed } else { Pair::NoSecond };
            if ended != Ended::Converged {
                world.recover(rules, wanted).await;
            }
        }
        let violations = world.verdict().await;
        assert!(
            violations.is_empty(),
            "{:?}, killed at {first} ({:?}), then at {second} ({:?}):\n{}",
            self.kind,
            one.last(),
            two.last(),
            violations.join("\n")
        );
        self.done += 1;
        self.pairs += usize::from(came == Pair::Crashed);
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
        came
    }

    fn close(self) {
        let (kind, pairs) = (self.kind, self.pairs);
        let promise =
            format!("{kind:?}: a rotation is killed, and its recovery is killed as well, at every pair of points");
        let mut part = Part::new(format!("doubles-{}", kind.name()), promise);
        part.count("pairs of crashes", pairs);
        part.count("looks from outside", self.looks + self.world.outside.seen().looks);
        part.done();
        assert!(pairs > 10, "{pairs} pairs");
    }
}

async fn doubles(kind: Kind) {
    let mut twice = Twice::new(kind).await;
    if campaign_ledger::depth(0, 1) == 0 {
        let mut dice = Dice(0x5eed_1000 + kind as u64);
        while twice.pairs < 12 {
            twice.crash(1 + dice.below(130), 1 + dice.below(90)).await;
        }
        return twice.close();
    }
    for first in 1.. {
        for second in 1.. {
            match twice.crash(first, second).await {
                Pair::Crashed => {}
                Pair::NoSecond => break,
                Pair::NoFirst => return twice.close(),
            }
        }
    }
}

#[tokio::test]
async fn a_secret_survives_two_crashes() {
    doubles(Kind::Secret).await;
}

#[tokio::test]
async fn a_certificate_by_add_key_survives_two_crashes() {
    doubles(Kind::AddKey).await;
}

#[tokio::test]
async fn a_certificate_by_patch_survives_two_crashes() {
    doubles(Kind::Patch).await;
}

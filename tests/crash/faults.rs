//! Every call fails once, in every way a call can fail; then random faults and crashes together.

use std::sync::Arc;

use everkey::clock::Clock as _;
use everkey::emulator::Effect;
use everkey::emulator::Fault;
use everkey::rotation::Rules;
use jiff::SignedDuration;

use crate::campaign::issued;
use crate::campaign_ledger;
use crate::campaign_ledger::Part;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::world::Ended;
use crate::world::World;

/// Method and a part of the path.
type Call<'a> = (&'a str, &'a str);

/// Everything that a call can meet (F5): the delays are shorter than Z.
fn effects() -> Vec<Effect> {
    let status = |code| Effect::Status { body: None, code, retry_after: (code == 429).then_some(5) };
    vec![
        Effect::ResetBeforeEffect,
        Effect::ResetAfterEffect,
        status(500),
        status(429),
        status(409),
        status(403),
        Effect::DelayEffect { seconds: 20 },
        Effect::DelayEffect { seconds: 200 },
        Effect::DelayEffect { seconds: 800 },
    ]
}

/// The next POST to `path` has no answer, and takes effect twenty seconds later.
pub fn late(path: &str) -> Fault {
    fault(("POST", path), &Effect::DelayEffect { seconds: 20 }, 1)
}

fn fault((method, path): Call<'_>, effect: &Effect, count: u32) -> Fault {
    Fault { count, effect: effect.clone(), method: Some(method.to_owned()), path_contains: path.to_owned() }
}

/// Late calls land, and the next tick sees what came of them.
pub async fn settle(world: &World) {
    world.jump(world.clock.now() + SignedDuration::from_mins(20));
    world.visit().await;
    world.jump(world.clock.now() + SignedDuration::from_mins(20));
}

/// One rotation after another in one world, each with one fault.
async fn rotations(kind: Kind, calls: &[Call<'_>]) {
    let lab = Lab::start().await;
    let mut wrong = Vec::new();
    for call in calls {
        let mut world = issued(&lab, kind).await;
        let mut done = 1;
        for effect in effects() {
            for count in [1, 2] {
                let left = lab.emulator.faults_waiting();
                lab.emulator.inject(fault(*call, &effect, count));
                world.recover(Rules::default(), done + 1).await;
                // What took effect is not sent a second time; the next round meets what is left.
                let met = left + count - lab.emulator.faults_waiting();
                assert!(met >= 1, "{kind:?} {call:?} {effect:?} x{count} was not met");
                settle(&world).await;
                let violations = world.verdict().await;
                done += 1;
                if !violations.is_empty() {
                    wrong.push(format!("{kind:?} {call:?} {effect:?} x{count}:\n{}", violations.join("\n")));
                    world = issued(&lab, kind).await;
                    done = 1;
                }
                world.jump(world.clock.now() + SignedDuration::from_hours(3));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let promise = format!("{kind:?}: a call fails, once or twice, in each of {} ways", effects().len());
    let name = format!("faults-{}-{}", kind.name(), calls[0].1.trim_matches('/'));
    let mut part = Part::new(name.replace('/', "-"), promise);
    part.count("rotations", calls.len() * effects().len() * 2);
    part.done();
}

#[tokio::test]
async fn a_secret_survives_every_failed_call() {
    rotations(Kind::Secret, &[("POST", "/addPassword"), ("POST", "/removePassword"), ("POST", "/token")]).await;
}

#[tokio::test]
async fn a_secret_survives_every_failed_read() {
    rotations(Kind::Secret, &[("GET", "/applications/"), ("GET", "/servicePrincipals")]).await;
}

#[tokio::test]
async fn a_certificate_survives_every_failed_call_of_its_proofs() {
    rotations(Kind::AddKey, &[("POST", "/addKey"), ("POST", "/removeKey")]).await;
}

#[tokio::test]
async fn a_certificate_survives_every_failed_patch() {
    rotations(Kind::Patch, &[("PATCH", "/applications/"), ("GET", "/applications/")]).await;
}

#[tokio::test]
async fn a_first_issuance_survives_every_failed_call() {
    let lab = Lab::start().await;
    let mut wrong = Vec::new();
    for kind in [Kind::Secret, Kind::AddKey] {
        let add = if kind == Kind::Secret { ("POST", "/addPassword") } else { ("PATCH", "/applications/") };
        for call in [("PATCH", "/applications(uniqueName"), ("POST", "/servicePrincipals"), add] {
            for effect in effects() {
                let world = World::new(&lab, kind);
                lab.emulator.inject(fault(call, &effect, 1));
                world.recover(Rules::default(), 1).await;
                assert_eq!(lab.emulator.faults_waiting(), 0, "{kind:?} {call:?} {effect:?} was not met");
                settle(&world).await;
                let violations = world.verdict().await;
                if !violations.is_empty() {
                    wrong.push(format!("{kind:?} {call:?} {effect:?}:\n{}", violations.join("\n")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test]
async fn an_application_that_cannot_be_read_stops_nobody_else() {
    let lab = Lab::start().await;
    let mut world = World::new(&lab, Kind::Secret);
    world.policies.push(Kind::AddKey.policy());
    assert_eq!(world.live(None, Rules::default(), 1).await.0, Ended::Converged);
    let other = world.object_of(Kind::AddKey).await;
    let refused = Effect::Status { body: None, code: 403, retry_after: None };
    lab.emulator.inject(fault(("GET", &other), &refused, 10_000));
    assert_eq!(world.live(None, Rules::default(), 2).await.0, Ended::Converged);
    assert!(lab.emulator.faults_waiting() < 10_000);
}

/// A small generator: the same numbers for the same seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}

/// A fault or two and a crash or two, at random.
async fn storm(kind: Kind, calls: &[Call<'_>], seed: u64) {
    let lab = Lab::start().await;
    let mut dice = Dice(seed);
    let mut world = issued(&lab, kind).await;
    let mut done = 1;
    let cases = campaign_ledger::depth(60, 600);
    for case in 0..cases {
        let mut story = Vec::new();
        for _ in 0..=dice.below(2) {
            let (call, effect) = (calls[dice.below(calls.len())], effects().swap_remove(dice.below(9)));
            story.push(format!("{call:?} {effect:?}"));
            lab.emulator.inject(fault(call, &effect, 1));
        }
        for _ in 0..=dice.below(2) {
            let point = 1 + dice.below(60);
            let (ended, passed) = world.live(Some(point), Rules::default(), done + 1).await;
            story.push(format!("{ended:?} at {point} {:?}", passed.last()));
        }
        world.recover(Rules::default(), done + 1).await;
        settle(&world).await;
        let violations = world.verdict().await;
        let so_far = violations.join("\n");
        assert!(violations.is_empty(), "{kind:?}, seed {seed}, case {case}: {}\n{so_far}", story.join("; "));
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
        done += 1;
        if done > 12 {
            world = issued(&Arc::clone(&lab), kind).await;
            done = 1;
        }
    }
    let mut part = Part::new(
        format!("storms-{}", kind.name()),
        format!("{kind:?}: seeded storms of one to three failing calls and one to three crashes"),
    );
    part.count("storms", cases);
    part.done();
}

#[tokio::test]
async fn a_secret_survives_storms() {
    let calls = [("POST", "/addPassword"), ("POST", "/removePassword"), ("POST", "/token"), ("GET", "/applications/")];
    storm(Kind::Secret, &calls, 0x5eed_0001).await;
}

#[tokio::test]
async fn a_certificate_by_add_key_survives_storms() {
    let calls = [("POST", "/addKey"), ("POST", "/removeKey"), ("POST", "/token"), ("GET", "/applications/")];
    storm(Kind::AddKey, &calls, 0x5eed_0002).await;
}

#[tokio::test]
async fn a_certificate_by_patch_survives_storms() {
    let calls = [("PATCH", "/applications/"), ("POST", "/token"), ("GET", "/applications/")];
    storm(Kind::Patch, &calls, 0x5eed_0003).await;
}

//! Emergencies under crashes: from rest and in the middle of a rotation, the process is killed at every boundary. A
//! machine may be without access until it reads its place again; never does a place show what is refused.

use std::sync::Arc;

use everkey::clock::Clock as _;
use everkey::emulator::Quirks;
use everkey::model::Emergency;
use everkey::model::Rotation;
use everkey::rotation::Mutation;
use everkey::rotation::Rules;
use everkey::run::RunError;
use everkey::run::emergency::Asked;
use jiff::SignedDuration;

use crate::adopted::listed;
use crate::adopted::made_by_hand;
use crate::campaign::issued;
use crate::campaign_ledger::Part;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::mutants::judge;
use crate::process::Process;
use crate::world::Ended;
use crate::world::World;

/// More ticks than an emergency can need.
const MOST_TICKS: usize = 400;

/// A world grows older with every emergency; after so many a new one takes its place.
pub const PER_WORLD: usize = 12;

pub fn asked(now: bool) -> Asked {
    Asked { reason: "secret pasted in a ticket".into(), now, ..Asked::default() }
}

/// What an emergency may cost, or nothing any more.
pub fn excuse(world: &World, kind: Kind, asked: Option<&Asked>) {
    let mut seen = world.outside.seen();
    seen.old_excused = asked.is_some();
    seen.all_excused = asked.is_some_and(|asked| asked.now) && kind == Kind::Handoff;
}

/// The emergencies of the journal.
fn emergencies(rotations: &[Rotation]) -> Vec<&Emergency> {
    rotations.iter().filter_map(|r| r.emergency.as_deref()).collect()
}

/// One life of everkey: the command, unless the journal has the emergency of this round already, then ticks until
/// nothing is left to do.
pub async fn life(
    world: &World,
    kill_at: Option<usize>,
    rules: Rules,
    asked: &Asked,
    round: usize,
) -> (Ended, Vec<String>) {
    let process = Process::start(world, kill_at, rules).await;
    let breaker = Arc::clone(&process.breaker);
    let ended = tokio::select! {
        biased;
        () = breaker.death() => Ended::Died,
        ended = carry(world, &process, asked, round) => ended,
    };
    (ended, breaker.passed())
}

async fn carry(world: &World, process: &Process<'_>, asked: &Asked, round: usize) -> Ended {
    for _ in 0..MOST_TICKS {
        let all = process.store.rotations(&world.name()).await.unwrap();
        if emergencies(&all).len() < round {
            let policy = &world.policies[0];
            let begun = match process.engine.emergency_draft(policy, asked).await {
                Ok(draft) => process.engine.begin_emergency(policy, &draft, asked).await,
                Err(error) => Err(error),
            };
            match begun {
                Ok(_) => {}
                Err(RunError::Said(error)) => world.said(&error.to_string()),
                Err(error) => panic!("{error}"),
            }
        }
        let due = process.step(&[]).await.unwrap();
        world.outside.look("after a tick");
        let all = process.store.rotations(&world.name()).await.unwrap();
        if emergencies(&all).len() >= round && all.iter().all(Rotation::is_finished) {
            return Ended::Converged;
        }
        let second = world.clock.now() + SignedDuration::from_secs(1);
        world.jump(due.map_or(second, |due| due.max(second)));
    }
    Ended::Open
}

/// What must hold when it is over and every consumer has read again.
pub async fn verdict(world: &World, asked: &Asked, round: usize, ended: Ended) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut ended = ended;
    for _ in 0..2 {
        if ended != Ended::Converged {
            ended = life(world, None, Rules::default(), asked, round).await.0;
        }
    }
    if ended != Ended::Converged {
        wrong.push(format!("NOT CONVERGED in two runs: {}", story(world).await));
    }
    excuse(world, world.kind, None);
    world.outside.seen().held.retain(|held| held.until.is_none());
    wrong.extend(world.verdict().await);
    let all = world.rotations().await;
    for r in all.iter().filter(|r| r.emergency.is_some()) {
        let emergency = r.emergency.as_ref().unwrap();
        for key_id in &emergency.targets {
            let seen = emergency.refused.iter().find(|one| one.key_id == *key_id);
            if !seen.is_some_and(|seen| seen.unseen.is_some() || seen.count >= 3) {
                wrong.push(format!("{key_id} was not seen refused: {seen:?}"));
            }
        }
    }
    wrong
}

/// Where everything stands.
async fn story(world: &World) -> String {
    let mut told = String::new();
    for r in world.rotations().await.iter().filter(|r| !r.is_finished()) {
        told += &format!("\n{:?} {:?} {:?} {:?}", r.id, r.state, r.failure, r.attempts.last());
    }
    let process = Process::start(world, None, Rules::default()).await;
    let history = process.store.history(None).await.unwrap();
    for entry in history.iter().rev().take(14).rev() {
        told += &format!("\n  {} {:?} {}", entry.at, entry.entry.rotation, entry.entry.text);
    }
    told
}

fn check(what: &str, point: usize, at: Option<&String>, wrong: &[String]) {
    assert!(wrong.is_empty(), "{what}, killed at {point} ({at:?}):\n{}", wrong.join("\n"));
}

/// Where a rotation is broken off: the names of boundaries, and which occurrence. Each leaves another state behind.
fn places(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Secret => &[
            "before add_password",
            "before commit attached",
            "after commit attached",
            "after commit verified",
            "after sink write",
            "after commit all-delivered",
            "after commit confirmed",
            "after commit retire-intended",
            "before commit removal-sent",
        ],
        Kind::AddKey | Kind::Ca => &[
            "after commit key-sealed",
            "after add_key",
            "after commit attached",
            "after sink write",
            "after remove_key",
        ],
        Kind::Patch => &["after replace_keys", "after commit attached", "after sink write", "after commit confirmed"],
        Kind::Handoff => &["after commit attached", "after commit delivered", "after commit confirmed"],
    }
}

/// The number of the first boundary of this name in a rotation.
pub async fn number(lab: &Arc<Lab>, kind: Kind, name: &str) -> usize {
    let world = issued(lab, kind).await;
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    let (_, passed) = world.live(None, Rules::default(), 2).await;
    let at = passed.iter().position(|at| at.starts_with(name));
    at.unwrap_or_else(|| panic!("no {name} in {passed:#?}")) + 1
}

/// Emergencies of one kind, killed at every `stride`-th boundary: from rest, or with a rotation broken off at `from`.
struct Series {
    asked: Asked,
    from: Option<&'static str>,
    kind: Kind,
    plain: bool,
    stride: usize,
}

impl Series {
    /// How many emergencies were killed.
    async fn run(&self) -> usize {
        let lab = Lab::start().await;
        let broken_off = match self.from {
            Some(name) => Some(number(&lab, self.kind, name).await),
            None => None,
        };
        let what = format!("{:?}, now {}, plain {}, from {:?}", self.kind, self.asked.now, self.plain, self.from);
        let mut world = issued(&lab, self.kind).await;
        let (mut round, mut killed) = (0, 0);
        for point in (1..).step_by(self.stride) {
            if round == PER_WORLD {
                world = issued(&lab, self.kind).await;
                round = 0;
            }
            round += 1;
            world.jump(world.clock.now() + SignedDuration::from_hours(3));
            world.outside.seen().plain = self.plain;
            if let Some(at) = broken_off {
                world.live(Some(at), Rules::default(), usize::MAX).await;
            }
            excuse(&world, self.kind, Some(&self.asked));
            let (ended, passed) = life(&world, Some(point), Rules::default(), &self.asked, round).await;
            let wrong = verdict(&world, &self.asked, round, ended).await;
            check(&what, point, passed.last(), &wrong);
            if ended == Ended::Converged {
                assert!(passed.len() > 30, "{passed:#?}");
                return killed;
            }
            assert_eq!(ended, Ended::Died, "{what} {passed:#?}");
            killed += 1;
        }
        killed
    }
}

/// All series of one kind; the campaign kills at every boundary, the test command at some of them.
async fn campaign(name: &'static str, kind: Kind, now: bool, plain: bool) {
    let mut part = Part::new(name, "An emergency costs nobody more than it says, wherever it is killed.");
    let (at_rest, broken_off) = (part.depth(23, 1), part.depth(97, 3));
    let rest = Series { asked: asked(now), from: None, kind, plain, stride: at_rest };
    let mut killed = if plain { 0 } else { rest.run().await };
    for from in places(kind) {
        let series = Series { asked: asked(now), from: Some(from), kind, plain, stride: broken_off };
        killed += series.run().await;
    }
    part.count("emergencies killed", killed);
    part.count("places where a rotation was broken off", places(kind).len());
    part.done();
}

#[tokio::test]
async fn an_emergency_of_a_secret_survives_every_crash() {
    campaign("emergency-secret", Kind::Secret, false, false).await;
}

#[tokio::test]
async fn an_emergency_of_a_secret_in_a_plain_sink_survives_every_crash() {
    campaign("emergency-plain", Kind::Secret, false, true).await;
}

#[tokio::test]
async fn an_emergency_of_a_certificate_by_add_key_survives_every_crash() {
    campaign("emergency-add-key", Kind::AddKey, false, false).await;
}

#[tokio::test]
async fn an_emergency_of_a_certificate_by_patch_survives_every_crash() {
    campaign("emergency-patch", Kind::Patch, false, false).await;
}

#[tokio::test]
async fn an_emergency_of_a_handoff_waits_for_its_person_through_every_crash() {
    campaign("emergency-handoff", Kind::Handoff, false, false).await;
}

#[tokio::test]
async fn an_emergency_of_a_handoff_that_does_not_wait_survives_every_crash() {
    campaign("emergency-handoff-now", Kind::Handoff, true, false).await;
}

/// An emergency from rest; where the token endpoint lags, what is not proven is not accepted, and what is removed is.
async fn from_rest(rules: Rules, lag: SignedDuration) -> Vec<String> {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    lab.emulator.set_quirks(Quirks { token_lag: lag, ..Quirks::default() });
    world.outside.seen().lag = lag;
    let asked = asked(false);
    excuse(&world, Kind::Secret, Some(&asked));
    let (ended, _) = life(&world, None, rules, &asked, 1).await;
    let mut wrong = std::mem::take(&mut world.outside.seen().violations);
    wrong.extend(verdict(&world, &asked, 1, ended).await);
    wrong
}

#[tokio::test]
async fn an_emergency_that_retires_before_the_proof_or_the_delivery_is_caught() {
    for (mutation, lag) in [
        (Mutation::EmergencyBeforeProof, SignedDuration::from_secs(45)),
        (Mutation::EmergencyBeforeDelivery, SignedDuration::ZERO),
    ] {
        let kept = from_rest(Rules::default(), lag).await;
        judge(mutation, "in its sink is refused", &kept, &from_rest(Rules::without(mutation), lag).await);
    }
}

/// A rotation's write of a plain sink has no answer and lands ten minutes later, in the middle of the emergency.
async fn late_write(rules: Rules) -> Vec<String> {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    world.outside.seen().plain = true;
    world.outside.seen().delay = Some(SignedDuration::from_mins(10));
    {
        let process = Process::start(&world, None, Rules::default()).await;
        while world.outside.seen().landing.is_none() {
            let due = process.step(&[world.name()]).await.unwrap().unwrap();
            world.jump(due);
        }
    }
    let asked = asked(false);
    excuse(&world, Kind::Secret, Some(&asked));
    let (ended, _) = life(&world, None, rules, &asked, 1).await;
    world.jump(world.clock.now() + SignedDuration::from_mins(20));
    assert!(world.outside.seen().landing.is_none(), "it never landed");
    let mut wrong = std::mem::take(&mut world.outside.seen().violations);
    wrong.extend(verdict(&world, &asked, 1, ended).await);
    wrong
}

#[tokio::test]
async fn an_emergency_without_the_drain_of_a_plain_sink_is_caught() {
    let mutation = Mutation::EmergencyWithoutDrain;
    let kept = late_write(Rules::default()).await;
    judge(mutation, "in its sink is refused", &kept, &late_write(Rules::without(mutation)).await);
}

/// Somebody else's secret, also beside a certificate: it leaves because it was named, and not before the delivery.
#[tokio::test]
async fn what_was_named_leaves_as_well_and_nothing_else() {
    for kind in [Kind::Secret, Kind::AddKey] {
        let lab = Lab::start().await;
        let world = issued(&lab, kind).await;
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
        let (theirs, _) = made_by_hand(&world, "theirs");
        let asked = Asked { also: vec![theirs.clone()], ..asked(false) };
        excuse(&world, kind, Some(&asked));
        let (ended, _) = life(&world, None, Rules::default(), &asked, 1).await;
        let wrong = verdict(&world, &asked, 1, ended).await;
        assert!(wrong.is_empty(), "{kind:?}:\n{}", wrong.join("\n"));
        assert!(!listed(&world, &theirs), "{kind:?}");
        let r = world.rotations().await.pop().unwrap();
        let sent = r.removals.iter().find(|removal| removal.key_id == theirs).unwrap().sent;
        assert!(sent.unwrap() >= r.delivered_at().unwrap(), "{kind:?}: {r:?}");
    }
}

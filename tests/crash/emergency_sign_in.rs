//! Emergencies that disable sign-in: it is the last thing they do, wherever they are killed; nothing is given up while
//! it lasts, and a person enables it again.

use std::collections::BTreeSet;
use std::sync::Arc;

use everkey::clock::Clock as _;
use everkey::emulator::Effect;
use everkey::emulator::Fault;
use everkey::model::Outcome;
use everkey::model::State;
use everkey::rotation::Mutation;
use everkey::rotation::Rules;
use everkey::run::RunError;
use everkey::run::emergency::Asked;
use jiff::SignedDuration;
use uuid::Uuid;

use crate::campaign::issued;
use crate::campaign_ledger::Part;
use crate::emergency::PER_WORLD;
use crate::emergency::asked;
use crate::emergency::excuse;
use crate::emergency::life;
use crate::emergency::verdict;
use crate::faults::settle;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::mutants::judge;
use crate::process::Process;
use crate::world::Ended;
use crate::world::World;

fn disabling() -> Asked {
    Asked { disable_sign_in: true, ..asked(false) }
}

fn may_sign_in(world: &World) -> bool {
    let client: Uuid = world.app().client_id.as_str().parse().unwrap();
    world.lab.emulator.with_directory(|directory, _| directory.principal_by_app_id(client).unwrap().account_enabled)
}

async fn enable(world: &World) -> Result<(), RunError> {
    let process = Process::start(world, None, Rules::default()).await;
    process.engine.enable_sign_in(&world.policies[0], "r.khan@contoso.example").await.map(drop)
}

/// A world in which an emergency is about to begin.
async fn quiet(lab: &Arc<Lab>) -> World {
    let world = issued(lab, Kind::Secret).await;
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    excuse(&world, Kind::Secret, Some(&disabling()));
    world
}

/// One emergency, killed at `point`, gone on with, and undone by a person. Gives how it ended and what it passed.
async fn round(world: &World, round: usize, point: Option<usize>) -> (Ended, Vec<String>) {
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    excuse(world, Kind::Secret, Some(&disabling()));
    let (first, passed) = life(world, point, Rules::default(), &disabling(), round).await;
    let mut ended = first;
    for _ in 0..2 {
        if ended != Ended::Converged {
            ended = life(world, None, Rules::default(), &disabling(), round).await.0;
        }
    }
    let at = format!("killed at {point:?} ({:?})", passed.last());
    assert_eq!(ended, Ended::Converged, "{at}");
    assert!(!may_sign_in(world), "{at}");
    let r = world.rotations().await.pop().unwrap();
    let emergency = r.emergency.as_ref().unwrap();
    assert!(emergency.disabled.unwrap() > r.removals[0].sent.unwrap(), "{at}");
    let seen = emergency.refused.iter().all(|one| one.unseen.is_none() && one.count >= 3);
    assert!(seen && emergency.refused.len() == 1, "{at}: seen refused while a sign-in still told something: {r:?}");
    world.jump(world.clock.now() + SignedDuration::from_mins(16));
    enable(world).await.unwrap();
    assert!(may_sign_in(world), "{at}");
    let wrong = verdict(world, &disabling(), round, ended).await;
    assert!(wrong.is_empty(), "{at}:\n{}", wrong.join("\n"));
    (first, passed)
}

#[tokio::test]
async fn sign_in_is_disabled_last_wherever_it_is_killed() {
    let mut part = Part::new("emergency-sign-in", "An emergency disables sign-in last of all, wherever it is killed.");
    let step = part.depth(37, 1);
    let lab = Lab::start().await;
    let mut world = issued(&lab, Kind::Secret).await;
    let (_, passed) = round(&world, 1, None).await;
    let named = passed.iter().enumerate().filter(|(_, at)| at.contains("set_principal_enabled"));
    let mut points: BTreeSet<usize> = named.flat_map(|(at, _)| [at, at + 1, at + 2]).collect();
    assert_eq!(points.len(), 4, "{passed:#?}");
    points.extend((1..=passed.len()).step_by(step));
    let mut rounds = 1;
    for point in &points {
        if rounds == PER_WORLD {
            world = issued(&lab, Kind::Secret).await;
            rounds = 0;
        }
        rounds += 1;
        round(&world, rounds, Some(*point)).await;
    }
    part.count("emergencies killed", points.len());
    part.done();
}

/// Under the rules the emergency comes to its end; without one, what holds it up is named.
async fn under(rules: Rules) -> Vec<String> {
    let lab = Lab::start().await;
    let world = quiet(&lab).await;
    let (ended, _) = life(&world, None, rules, &disabling(), 1).await;
    if ended != Ended::Converged {
        let r = world.rotations().await.pop().unwrap();
        return vec![format!("NOT CONVERGED: {:?} {:?} {:?}", r.state, r.probes, r.failure)];
    }
    enable(&world).await.unwrap();
    verdict(&world, &disabling(), 1, ended).await
}

#[tokio::test]
async fn disabling_sign_in_before_the_proof_is_caught() {
    let mutation = Mutation::EmergencyDisabledBeforeProof;
    judge(mutation, "NOT CONVERGED", &under(Rules::default()).await, &under(Rules::without(mutation)).await);
}

/// Nothing is proven in the meantime, nothing is given up, and everything goes on afterwards.
#[tokio::test]
async fn while_sign_in_is_disabled_a_rotation_waits() {
    let lab = Lab::start().await;
    let world = quiet(&lab).await;
    assert_eq!(life(&world, None, Rules::default(), &disabling(), 1).await.0, Ended::Converged);
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    assert_eq!(world.live(None, Rules::default(), 3).await.0, Ended::Open);
    let r = world.rotations().await.pop().unwrap();
    assert_eq!((r.state, r.attempts.len(), r.attempts[0].outcome), (State::Attached, 1, Outcome::Saved));
    let problem = r.failure.unwrap().problem;
    assert_eq!(problem.code, "A020");
    assert!(problem.summary.contains("7000112"), "{problem:?}");
    assert!(problem.fix.as_ref().is_some_and(|fix| fix.contains("--enable-sign-in")), "{problem:?}");
    enable(&world).await.unwrap();
    world.recover(Rules::default(), 3).await;
    settle(&world).await;
    excuse(&world, Kind::Secret, None);
    assert_eq!(world.verdict().await, Vec::<String>::new());
    assert_eq!(world.rotations().await.pop().unwrap().attempts.len(), 1, "it is the same one");
}

/// What disables sign-in has no answer and lands minutes later: not after somebody enabled it.
#[tokio::test]
async fn sign_in_is_not_enabled_while_it_may_still_be_disabled() {
    let lab = Lab::start().await;
    let world = quiet(&lab).await;
    lab.emulator.inject(Fault {
        count: 1,
        effect: Effect::DelayEffect { seconds: 800 },
        method: Some("PATCH".to_owned()),
        path_contains: "/servicePrincipals".to_owned(),
    });
    let process = Process::start(&world, None, Rules::default()).await;
    let draft = process.engine.emergency_draft(&world.policies[0], &disabling()).await.unwrap();
    let id = process.engine.begin_emergency(&world.policies[0], &draft, &disabling()).await.unwrap().id;
    for _ in 0..100 {
        let due = process.step(&[]).await.unwrap();
        let r = process.store.rotation(id).await.unwrap().unwrap();
        if everkey::rotation::emergency::is_over(&r) {
            break;
        }
        let second = world.clock.now() + SignedDuration::from_secs(1);
        world.jump(due.map_or(second, |due| due.max(second)));
    }
    drop(process);
    assert_eq!(lab.emulator.faults_waiting(), 0);
    assert!(!may_sign_in(&world));
    let refused = enable(&world).await.unwrap_err().into_error();
    assert_eq!(refused.code, "R088");
    assert!(!may_sign_in(&world));
    settle(&world).await;
    enable(&world).await.unwrap();
    settle(&world).await;
    assert!(may_sign_in(&world), "it landed after all");
    assert_eq!(enable(&world).await.unwrap_err().into_error().code, "R087", "once");
}

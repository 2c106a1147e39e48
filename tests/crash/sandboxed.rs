//! The sandbox drill: both kinds through all five steps twice under a clock that jumps; killed anywhere, nothing of it
//! stays; and only what it made is ever deleted.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use everkey::clock::Clock;
use everkey::clock::ManualClock;
use everkey::emulator::Effect;
use everkey::emulator::Fault;
use everkey::emulator::Quirks;
use everkey::plan;
use everkey::policy;
use everkey::policy::Policy;
use everkey::rotation::Rules;
use everkey::run::Engine;
use everkey::run::Ports;
use everkey::run::drill::Drilled;
use everkey::run::drill::Listener;
use everkey::run::drill::sandbox;
use everkey::run::drill::sandbox::Audience;
use everkey::run::drill::sandbox::Sandbox;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::json;

use crate::campaign::issued;
use crate::kinds::Kind;
use crate::kinds::tool;
use crate::lab::Lab;
use crate::process::Process;
use crate::process::options;
use crate::world::World;

/// Time that passes as soon as anybody waits for it.
struct Jumping(ManualClock);

#[async_trait]
impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep_until(&self, until: Timestamp) {
        self.0.advance_to(until);
        tokio::task::yield_now().await;
    }
}

fn sandbox_policy() -> Policy {
    let files = [(PathBuf::from(format!("{}.toml", sandbox::NAME)), sandbox::POLICY.to_owned())];
    let read = policy::read_policies(&files, &tool());
    let problems = policy::diagnostics::render(&read.diagnostics, &files, false);
    let mut policy = read.value.into_iter().next().unwrap_or_else(|| panic!("{problems}"));
    sandbox::hasten(&mut policy);
    policy
}

/// What a sandbox left.
struct Played {
    drilled: Drilled,
    gone: bool,
    passed: usize,
    waits: Vec<String>,
}

/// As `everkey drill --sandbox` does it, with a lasting store in `lasting`; dies at a boundary.
async fn play(lab: &Arc<Lab>, lasting: &World, purge: bool, kill_at: Option<usize>) -> Option<Played> {
    let thrown_away = World::new(lab, Kind::Secret);
    let (file, content) = sandbox::FURNITURE;
    std::fs::write(thrown_away.sinks().join(file), content).unwrap();
    let process = Process::start(&thrown_away, kill_at, Rules::default()).await;
    let policy = sandbox_policy();
    let name = plan::unique_name(&process.store.instance(), &policy);
    let sandbox = Sandbox::new(name, lab.clock.now(), purge);
    let outer = Process::start(lasting, None, Rules::default()).await;
    outer.engine.announce_sandbox(&sandbox).await.unwrap();

    let listener = Arc::new(Listener::default());
    let ports = Ports { clock: Arc::new(Jumping(lab.clock.clone())), ..process.ports.clone() };
    let settings = options(&thrown_away, Rules::default());
    let engine = Engine::new(ports, process.fence, settings, listener.clone(), process.breaker.stop());
    let engine = engine.concerning(std::slice::from_ref(&policy));
    let waits = Mutex::new(Vec::new());
    let wait = |text: &str| waits.lock().unwrap().push(text.to_owned());
    let audience = Audience { tell: &|_| {}, wait: &wait };
    let mut drilled = Drilled::default();
    let life = async {
        engine.play_sandbox(&policy, &listener, &audience, &mut drilled).await.unwrap();
        engine.delete_sandbox(&sandbox, &audience, &mut drilled).await.unwrap()
    };
    let gone = tokio::select! {
        biased;
        () = process.breaker.death() => None,
        gone = life => Some(gone),
    }?;
    outer.engine.close_sandbox(&sandbox, &drilled, gone).await.unwrap();
    let waits = waits.lock().unwrap().clone();
    Some(Played { drilled, gone, passed: process.breaker.passed().len(), waits })
}

/// Applications that carry the sandbox's name: those that live, those in the bin.
fn sandboxes(lab: &Lab) -> (usize, usize) {
    let name = sandbox_policy().app.display_name;
    lab.emulator.with_directory(|directory, _| {
        let living = directory.applications().filter(|app| app.display_name == name).count();
        (living, directory.deleted_applications().filter(|app| app.display_name == name).count())
    })
}

async fn marks(world: &World) -> usize {
    let process = Process::start(world, None, Rules::default()).await;
    process.store.marks("sandbox/").await.unwrap().len()
}

/// Three visits, hours later and minutes apart: what a daemon does anyway.
async fn hours_later(world: &World) {
    for wait in [SignedDuration::from_hours(3), SignedDuration::from_mins(6), SignedDuration::from_mins(6)] {
        world.jump(world.clock.now() + wait);
        world.visit().await;
    }
}

#[tokio::test]
async fn both_kinds_go_through_all_five_steps_twice_and_nothing_stays() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    // Somebody's application with the same display name.
    let theirs = json!({"displayName": sandbox_policy().app.display_name});
    lab.emulator.with_directory(|directory, now| {
        let written = theirs.as_object().unwrap().clone().into_iter().collect();
        directory.create_application(written, None, Quirks::default().key_conduct(), now).unwrap();
    });
    let began = lab.clock.now();
    let played = play(&lab, &world, false, None).await.unwrap();
    let drilled = &played.drilled;
    assert!(drilled.error.is_none() && played.gone, "{drilled:#?}");
    for kind in ["certificate", "secret"] {
        for turn in ["first", "second"] {
            let subject = format!("{turn} {kind}: ");
            let of = drilled.steps.iter().filter(|step| step.text.starts_with(&subject));
            let steps: Vec<&str> = of.map(|step| step.step).collect();
            let wanted: &[&str] = match turn {
                "first" => &["stage", "prove", "deliver", "confirm"],
                _ => &["stage", "prove", "deliver", "confirm", "retire", "gone"],
            };
            assert_eq!(steps, wanted, "{subject} {:#?}", drilled.steps);
        }
    }
    let last = drilled.steps.last().unwrap();
    assert!(last.step == "delete" && last.text.contains("two reads in a row do not find it"), "{last:?}");
    // The guard's least overlap and the reads that agree are waited for, and said; and not much more.
    assert!(played.waits.iter().any(|text| text.contains("the overlap")), "{:?}", played.waits);
    let took = lab.clock.now().duration_since(began);
    assert!(SignedDuration::from_mins(15) < took && took < SignedDuration::from_mins(30), "{took:?}");
    assert_eq!(sandboxes(&lab), (1, 1), "theirs lives, ours is in the bin");
    assert_eq!(marks(&world).await, 0);

    let purged = play(&lab, &world, true, None).await.unwrap();
    assert!(purged.drilled.error.is_none(), "{:#?}", purged.drilled);
    assert_eq!(purged.drilled.steps.last().unwrap().step, "purge");
    assert_eq!(sandboxes(&lab), (1, 1), "the second one is not even in the bin");
    assert_eq!(world.verdict().await, Vec::<String>::new());
}

#[tokio::test]
async fn killed_anywhere_nothing_of_it_stays() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    let whole = play(&lab, &world, false, None).await.unwrap();
    assert!(whole.drilled.error.is_none(), "{:#?}", whole.drilled);
    let whole = whole.passed;
    // Every seventeenth boundary, so that each kind of step is met.
    for point in (1..=whole).step_by(17) {
        let played = play(&lab, &world, false, Some(point)).await;
        assert!(played.is_none(), "it did not die at {point} of {whole}");
        assert_eq!(marks(&world).await, 1, "killed at {point}: the mark is the only trace, and must be there");
        hours_later(&world).await;
        assert_eq!(sandboxes(&lab).0, 0, "killed at {point}: an application stays");
        assert_eq!(marks(&world).await, 0, "killed at {point}: the obligation is over");
    }
    assert!(whole > 100, "{whole} boundaries");
}

#[tokio::test]
async fn what_cannot_be_deleted_is_told_and_deleted_later() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    let denied = Effect::Status { body: None, code: 403, retry_after: None };
    let path = "/v1.0/applications/".to_owned();
    lab.emulator.inject(Fault { count: 1, effect: denied, method: Some("DELETE".to_owned()), path_contains: path });
    let played = play(&lab, &world, false, None).await.unwrap();
    let error = played.drilled.error.unwrap();
    assert_eq!((error.code.as_str(), played.gone), ("R068", false), "{error:?}");
    assert_eq!((sandboxes(&lab).0, marks(&world).await), (1, 1));
    // While one may still be at work nobody else deletes it.
    world.jump(world.clock.now() + SignedDuration::from_mins(30));
    world.visit().await;
    assert_eq!(sandboxes(&lab).0, 1);
    hours_later(&world).await;
    assert_eq!((sandboxes(&lab).0, marks(&world).await), (0, 0));
}

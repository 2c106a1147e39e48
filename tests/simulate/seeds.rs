//! Seeds: each is one schedule of faults, and the same for ever. A failure prints its seed, the shortest trace that still
//! fails, and how to run it again.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use everkey::rotation::Rules;

use crate::campaign_ledger::Part;
use crate::chooser::Choice;
use crate::chooser::Chooser;
use crate::chooser::Dice;
use crate::chooser::written;
use crate::kinds::Kind;
use crate::schedule::Report;
use crate::schedule::Scenario;
use crate::schedule::Stage;

/// Most faults in one schedule.
const MOST_FAULTS: u32 = 5;

/// The scenarios that seeds are drawn for.
pub fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        all.push(Scenario::of(kind));
        all.push(Scenario { replicas: 3, rotations: 2, ..Scenario::of(kind) });
        all.push(Scenario { issued: false, ..Scenario::of(kind) });
    }
    all
}

/// The chooser of a seed.
pub fn chooser(seed: u64) -> Chooser {
    let mut dice = Dice::new(seed);
    let faults = 1 + dice.roll(MOST_FAULTS);
    let one_in = [3, 6, 12, 40][dice.roll(4) as usize];
    Chooser::seeded(dice, faults, one_in)
}

/// The shortest trace that still fails: choices are left out one by one.
pub fn shrunk(stage: &Stage, rules: Rules, taken: &[Choice]) -> Vec<Choice> {
    let fails = |trace: &[Choice]| !stage.run(Chooser::trace(trace), rules, false).violations.is_empty();
    let mut trace = taken.to_vec();
    if !fails(&trace) {
        return trace;
    }
    let mut at = 0;
    while at < trace.len() {
        let mut shorter = trace.clone();
        shorter.remove(at);
        if fails(&shorter) {
            trace = shorter;
            at = 0;
        } else {
            at += 1;
        }
    }
    trace
}

/// What a reader of a failure needs.
pub fn told(stage: &Stage, rules: Rules, seed: u64, report: &Report) -> String {
    let trace = shrunk(stage, rules, &report.taken);
    let again = stage.run(Chooser::trace(&trace), rules, true);
    format!(
        "{:?}, seed {seed}:\n{}\nthe shortest trace that fails: {}\n{}\nagain: EVERKEY_SIMULATE_SEED={}:{seed} cargo \
         nextest run --test simulate replay",
        stage.scenario(),
        again.violations.join("\n"),
        written(&trace),
        again.story.join("\n"),
        stage.scenario().name(),
    )
}

#[derive(Default)]
struct Sum {
    schedules: u64,
    faults: BTreeMap<&'static str, u64>,
    crashes: u64,
    pauses: u64,
    clock_jumps: u64,
    put_back: u64,
    looks: u64,
    unseen_losses: u64,
    misled: u64,
    /// Dropped late, seen before, and told.
    missed: u64,
    failed: Vec<String>,
    /// What the threads worked, waiting left out.
    worked: Duration,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.schedules += 1;
        for choice in &report.taken {
            *self.faults.entry(choice.point.name()).or_default() += 1;
        }
        self.crashes += report.figures.crashes;
        self.pauses += report.figures.pauses;
        self.clock_jumps += report.figures.clock_jumps;
        self.put_back += report.figures.put_back;
        self.looks += report.figures.looks;
        self.unseen_losses += report.figures.unseen_losses;
        self.misled += u64::from(report.figures.misled);
        self.missed += report.figures.missed;
    }

    fn join(&mut self, other: Self) {
        self.schedules += other.schedules;
        for (kind, number) in other.faults {
            *self.faults.entry(kind).or_default() += number;
        }
        self.crashes += other.crashes;
        self.pauses += other.pauses;
        self.clock_jumps += other.clock_jumps;
        self.put_back += other.put_back;
        self.looks += other.looks;
        self.unseen_losses += other.unseen_losses;
        self.misled += other.misled;
        self.missed += other.missed;
        self.failed.extend(other.failed);
        self.worked += other.worked;
    }
}

/// So many failures are told, and then it ends.
pub const MOST_TOLD: usize = 6;

/// Runs the schedules of `seeds`; those that fail are told, up to a few.
fn run(stage: &Stage, seeds: std::ops::Range<u64>, sum: &mut Sum) {
    for seed in seeds {
        let report = stage.run(chooser(seed), Rules::default(), false);
        if !report.violations.is_empty() {
            sum.failed.push(told(stage, Rules::default(), seed, &report));
        }
        if sum.failed.len() >= MOST_TOLD {
            return;
        }
        sum.add(&report);
    }
}

/// The processor time of this thread.
fn worked() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// `each` seeds of every scenario, on every core.
fn run_all(each: u64) -> Sum {
    let scenarios = scenarios();
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Sum::default());
    let work = || {
        let mut sum = Sum::default();
        while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
            run(&Stage::new(*scenario), 0..each, &mut sum);
            if sum.failed.len() >= MOST_TOLD {
                break;
            }
        }
        sum.worked = worked();
        all.lock().unwrap().join(sum);
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(work);
        }
    });
    all.into_inner().unwrap()
}

#[test]
fn seeds_find_nothing() {
    let mut part =
        Part::new("simulation", "whatever goes wrong in a schedule, nobody loses access and all comes right");
    let each = part.depth(600, 1_000_000).div_ceil(scenarios().len());
    let sum = run_all(each as u64);
    assert!(sum.failed.is_empty(), "{}", sum.failed.join("\n\n"));
    part.count("schedules", sum.schedules);
    part.count("schedules per second and core", (sum.schedules as f64 / sum.worked.as_secs_f64()).round() as u64);
    part.count("crashes", sum.crashes);
    part.count("pauses of a process", sum.pauses);
    part.count("clock jumps", sum.clock_jumps);
    part.count("earlier journals that came back", sum.put_back);
    part.count("looks from outside", sum.looks);
    for (kind, number) in &sum.faults {
        part.count(&format!("faults: {kind}"), *number);
    }
    part.count("entries of others lost before everkey saw them (PATCH)", sum.unseen_losses);
    part.count("of these: dropped by a late PATCH when everkey had seen them, and told", sum.missed);
    part.count("schedules in which somebody's forged tag looked like an earlier journal", sum.misled);
    part.done();
}

/// `EVERKEY_SIMULATE_SEED=secret:4711`, with `x3` and `new` behind the kind as the failure printed it.
#[test]
#[expect(clippy::disallowed_methods, reason = "a person asks for one seed")]
fn replay() {
    let Ok(asked) = std::env::var("EVERKEY_SIMULATE_SEED") else { return };
    let (name, seed) = asked.split_once(':').expect("KIND:SEED");
    let scenario = scenarios().into_iter().find(|one| one.name() == name).expect("a scenario that is known");
    let stage = Stage::new(scenario);
    let seed = seed.parse().expect("a number");
    let report = stage.run(chooser(seed), Rules::default(), true);
    assert!(report.violations.is_empty(), "{}", told(&stage, Rules::default(), seed, &report));
}

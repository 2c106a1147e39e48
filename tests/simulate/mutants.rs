//! The rules are needed: each is broken, and the simulator finds a seed that shows it; the same seeds pass unbroken.

use everkey::rotation::Mutation;
use everkey::rotation::Rules;

use crate::chooser::Chooser;
use crate::chooser::Dice;
use crate::chooser::Point;
use crate::chooser::written;
use crate::kinds::Kind;
use crate::schedule::Scenario;
use crate::schedule::Stage;
use crate::seeds::shrunk;

/// A mutant that needs more seeds than this counts as unseen.
const MOST_SEEDS: u64 = 100;

fn chooser(only: &'static [Point], seed: u64) -> Chooser {
    let mut dice = Dice::new(seed);
    let faults = 1 + dice.roll(4);
    let one_in = [2, 4, 8][dice.roll(3) as usize];
    Chooser::seeded_at(only, dice, faults, one_in)
}

/// The first seed that shows it, and what it shows, has `sign`; unbroken, the seeds up to there find nothing.
#[expect(clippy::print_stdout, reason = "the trace is what a reader of the test wants to see")]
fn caught(mutation: Mutation, kind: Kind, only: &'static [Point], sign: &str) {
    let stage = Stage::new(Scenario { rotations: 2, ..Scenario::of(kind) });
    let rules = Rules::without(mutation);
    for seed in 0..MOST_SEEDS {
        let kept = stage.run(chooser(only, seed), Rules::default(), false);
        assert!(
            kept.violations.is_empty(),
            "{kind:?} seed {seed} fails unbroken: {:#?}\n{}",
            kept.violations,
            written(&shrunk(&stage, Rules::default(), &kept.taken))
        );
        let broken = stage.run(chooser(only, seed), rules, false);
        if broken.violations.iter().any(|one| one.contains(sign)) {
            let trace = shrunk(&stage, rules, &broken.taken);
            println!("{mutation:?}: seed {seed}, trace {:?}: {}", written(&trace), broken.violations[0]);
            return;
        }
        assert!(
            broken.violations.is_empty(),
            "{mutation:?} seed {seed} shows something else: {:#?}",
            broken.violations
        );
    }
    panic!("{mutation:?} went unseen in {MOST_SEEDS} seeds of {kind:?}");
}

/// The trace, as the simulator found it, shows it; unbroken, it finds nothing.
fn shown(mutation: Mutation, scenario: Scenario, trace: &str, sign: &str) {
    let stage = Stage::new(scenario);
    let choices = crate::chooser::read(trace);
    let kept = stage.run(Chooser::trace(&choices), Rules::default(), true);
    assert!(kept.violations.is_empty(), "{trace} fails unbroken: {:#?}\n{}", kept.violations, kept.story.join("\n"));
    let broken = stage.run(Chooser::trace(&choices), Rules::without(mutation), true);
    let seen = broken.violations.iter().any(|one| one.contains(sign));
    assert!(seen, "{mutation:?} went unseen: {:#?}\n{}", broken.violations, broken.story.join("\n"));
}

const fn again(kind: Kind) -> Scenario {
    Scenario { rotations: 2, replicas: 1, issued: true, kind }
}

/// Rotated as soon as it is issued.
const fn new(kind: Kind) -> Scenario {
    Scenario { issued: false, ..again(kind) }
}

macro_rules! mutants {
    (
        seeds { $($name:ident: $mutation:ident, $kind:ident, [$($point:ident)*], $sign:literal;)* }
        traces { $($traced:ident: $other:ident, $scenario:expr, $trace:literal, $shows:literal;)* }
    ) => {
        /// Every mutant that is caught here.
        const CAUGHT: &[Mutation] =
            &[Mutation::BeyondUnnoticed, Mutation::CappedOneRead, Mutation::SweepOlder, $(Mutation::$mutation,)* $(Mutation::$other),*];

        $(
            #[test]
            fn $name() {
                caught(Mutation::$mutation, Kind::$kind, &[$(Point::$point),*], $sign);
            }
        )*

        $(
            #[test]
            fn $traced() {
                shown(Mutation::$other, $scenario, $trace, $shows);
            }
        )*
    };
}

mutants! {
    seeds {
    delivering_before_saving: DeliverBeforePersist, Secret, [Boundary Write], "I3";
    delivering_without_a_proof: DeliverWithoutProbe, Secret, [Lag Write], "I1 ACCESS LOST";
    delivering_before_the_upload: DeliverBeforeUpload, Patch, [Boundary Write], "I1 ACCESS LOST";
    retiring_early: RetireEarly, Secret, [Write], "I1 ACCESS LOST";
    sweeping_what_is_not_current: SweepEverything, Secret, [Write], "I2";
    sweeping_what_others_made: SweepForeign, Secret, [Foreign], "I5";
    sweeping_nothing: NoSweep, Secret, [Write], "I8 orphans";
    taking_a_tag_for_ownership: TagIsOwnership, Secret, [Foreign], "I5";
    counting_any_receipt: ReceiptUnbound, Mixed, [Person], "I1 ACCESS LOST";
    trusting_the_local_clock_alone: LocalClockAlone, Handoff, [Between Person], "I1 ACCESS LOST";
    waiting_for_a_person_for_ever: NoSuperseded, Handoff, [Person], "I1 LAPSE";
    planning_nothing_after_superseded: NothingAfterSuperseded, Handoff, [Person], "I";
    asking_again_at_once: CappedRetryAtOnce, Capped, [Write], "CAPPED";
    }
    traces {
    a_plain_sink_without_a_drain: PlainSinkNoDrain, new(Kind::Plain), "sink#1=2 how-long#1=2", "I1 ACCESS LOST";
    patching_from_the_read_alone: PatchFromReadOnly, new(Kind::Patch), "read#12=1 how-long#1=1", "I1 ACCESS LOST";
    patching_without_a_drain: PatchWithoutDrain, new(Kind::Patch), "write#1=2 how-long#1=2", "I1 ACCESS LOST";
    repairing_nothing: NoPreImageRepair, Scenario::of(Kind::Patch), "foreign#1=1 read#3=1", "I5";
    sweeping_what_was_adopted: SweepAdopted, Scenario::of(Kind::Secret), "write#1=2 between#2=5", "I5";
    taking_an_adoption_back_late: UnadoptLate, again(Kind::Secret), "foreign#1=1 between#2=5 write#5=2 between#12=5", "I5";
    reporting_the_new_one_alone: ReportNewUsedAlone, Scenario::of(Kind::Report), "person#2=4", "I1 ACCESS LOST";
    a_quiet_time_that_is_too_short: QuietTooShort, Scenario::of(Kind::Report), "person#2=4", "I1 ACCESS LOST";
    counting_everkeys_own_sign_in: OwnProbeCounts, Scenario::of(Kind::Report), "person#2=2", "I1 ACCESS LOST";
    asking_again_before_z: CappedNoDrain, again(Kind::Capped), "write#1=2 how-long#1=2", "CAPPED";
    leaving_what_has_ended_in_its_slot: CappedExpiredStays, Scenario::of(Kind::Capped),
        "between#1=1 how-long#1=3 foreign#1=1", "I8";
    staying_blocked: CappedBlockedSticky, Scenario::of(Kind::Capped), "foreign#1=1", "I1 LAPSE";
    }
}

/// It lands just before Z is over, and the one read after Z is stale: which of all reads that is, the test finds.
#[test]
fn believing_one_read() {
    let stage = Stage::new(again(Kind::Capped));
    let seen = (1..80).any(|read| {
        let trace = crate::chooser::read(&format!("write#1=2 how-long#1=2 read#{read}=1 how-long#2=1"));
        let run = |rules| stage.run(Chooser::trace(&trace), rules, false).violations;
        assert!(run(Rules::default()).is_empty(), "{}", written(&trace));
        run(Rules::without(Mutation::CappedOneRead)).iter().any(|one| one.contains("CAPPED"))
    });
    assert!(seen, "no stale read shows it");
}

/// An earlier journal comes back at some moment after `copy`, by hand: the mutant removes what the lost one had in use.
#[expect(clippy::print_stdout, reason = "the trace is what a reader of the test wants to see")]
fn caught_by_an_earlier_journal(mutation: Mutation, kind: Kind, copy: &str) {
    let stage = Stage::new(again(kind));
    let seen = (2..20).map(|back| format!("{copy}between#{back}=6")).find(|trace| {
        let run = |rules| stage.run(Chooser::trace(&crate::chooser::read(trace)), rules, false).violations;
        let kept = run(Rules::default());
        assert!(kept.is_empty(), "{trace} fails unbroken: {kept:#?}");
        run(Rules::without(mutation)).iter().any(|one| one.contains("I5 FORGOTTEN"))
    });
    println!("{mutation:?}: {}", seen.unwrap_or_else(|| panic!("{mutation:?} went unseen")));
}

#[test]
fn taking_no_notice_of_tags_beyond_the_journal() {
    caught_by_an_earlier_journal(Mutation::BeyondUnnoticed, Kind::Handoff, "");
}

/// The copy is taken between the intent and its answer: no counter is too small.
#[test]
fn sweeping_with_an_older_journal() {
    caught_by_an_earlier_journal(Mutation::SweepOlder, Kind::Secret, "copy#3=1 ");
}

/// Every variant of the source is caught here; those of emergencies have tests of their own
/// (`tests/crash`).
#[test]
fn every_mutant_is_caught() {
    let source = include_str!("../../src/rotation/rules.rs");
    let body = source.split("pub enum Mutation {").nth(1).and_then(|rest| rest.split("\n}").next()).unwrap();
    let names = body.lines().map(str::trim).filter(|line| line.ends_with(',') && !line.starts_with("//"));
    let names: Vec<&str> = names.map(|line| line.trim_end_matches(',')).collect();
    assert!(names.len() >= 26, "{names:?}");
    let caught: Vec<String> = CAUGHT.iter().map(|mutation| format!("{mutation:?}")).collect();
    let missing: Vec<_> =
        names.iter().filter(|name| !name.starts_with("Emergency") && !caught.iter().any(|one| one == *name)).collect();
    assert!(missing.is_empty(), "no test catches {missing:?}");
}

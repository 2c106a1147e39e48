//! The models of `rotation.md` over the real code: every state that a bounded number of faults leads to, and from each
//! the way home. And the mutants that its table names.

use everkey::rotation::Mutation;
use everkey::rotation::Rules;
use everkey::store::Memory;

use crate::campaign_ledger::Part;
use crate::campaign_ledger::depth;
use crate::chooser::Chooser;
use crate::chooser::Point;
use crate::kinds::Kind;
use crate::schedule::Begin;
use crate::schedule::Scenario;
use crate::schedule::Stage;
use crate::states::Bounds;
use crate::states::Exploration;
use crate::states::Found;
use crate::world::Outside;

/// The faults of F5 and F4: a call that is applied and not answered, that is late, that is lost; a process that dies; a stale
/// read; a token endpoint that lags. Refusals, which change nothing outside, are left out, as in the original models.
const CALLS: &[(Point, &[u32])] = &[
    (Point::Boundary, &[1]),
    (Point::Write, &[1, 2, 3]),
    (Point::Read, &[1]),
    (Point::Sink, &[1, 2, 3]),
    (Point::Probe, &[3]),
    (Point::Lag, &[1, 2, 3, 4]),
];

/// And what others do to the application meanwhile.
const CALLS_AND_OTHERS: &[(Point, &[u32])] = &[
    (Point::Boundary, &[1]),
    (Point::Write, &[1, 2, 3]),
    (Point::Read, &[1]),
    (Point::Sink, &[1, 2]),
    (Point::Foreign, &[1, 2]),
];

/// A person who is late, loses the link, asks for a new value, says what is not true, or is gone; and outages.
const PEOPLE: &[(Point, &[u32])] = &[
    (Point::Boundary, &[1]),
    (Point::Write, &[1, 2, 3]),
    (Point::Sink, &[1, 2]),
    (Point::Person, &[1, 2, 3, 4, 5]),
    (Point::Between, &[1]),
];

/// `reissue` and `reissue --fresh`, and calls that fail.
const REISSUE: &[(Point, &[u32])] = &[(Point::Boundary, &[1]), (Point::Write, &[1, 2, 3]), (Point::Person, &[2, 3])];

/// A credential that a person adopts, or takes back.
const ADOPTION: &[(Point, &[u32])] = &[(Point::Boundary, &[1]), (Point::Write, &[1, 2, 3]), (Point::Between, &[5])];

/// One line of the table.
struct Model {
    name: &'static str,
    words: &'static str,
    kind: Kind,
    rotations: usize,
    ways: &'static [(Point, &'static [u32])],
    /// What is there at the beginning.
    prepared: fn(&mut Begin),
    /// Faults, and one in how many single faults of a cycle: in the test command, in the campaign.
    quick: (usize, usize),
    full: (usize, usize),
}

fn as_it_is(_: &mut Begin) {}

/// Nothing is issued yet.
fn anew(begin: &mut Begin) {
    let outside = Outside::new(begin.outside.kind, Chooser::trace(&[]));
    *begin = Begin { outside, snapshot: Memory::new("q7m2xa").snapshot() };
}

/// Somebody else's secret is there.
fn foreign(begin: &mut Begin) {
    begin.outside.foreign_adds();
}

/// Nobody was there until after the end of what was issued.
fn expired(begin: &mut Begin) {
    begin.outside.absent(24 * 400);
}

fn expired_and_foreign(begin: &mut Begin) {
    expired(begin);
    foreign(begin);
}

impl Model {
    fn explored(&self, rules: Rules, (faults, every): (usize, usize)) -> Found {
        let stage = Stage::new(Scenario { rotations: self.rotations, ..Scenario::of(self.kind) });
        let mut begin = stage.begin().unwrap().clone();
        (self.prepared)(&mut begin);
        begin.snapshot = begin.snapshot.lean();
        let bounds =
            Bounds { faults, ways: self.ways, every, most_cycles: 25 * (self.rotations + 1), most_states: 300_000 };
        Exploration::run(&stage, begin, bounds, rules)
    }

    #[expect(clippy::print_stdout, reason = "a model takes minutes in the campaign: what is over is told")]
    fn holds(&self) {
        let (faults, every) = [self.quick, self.full][depth(0, 1)];
        let found = self.explored(Rules::default(), (faults, every));
        println!(
            "{}: {} states, {} cycles, {faults} faults (1 in {every}), {} violating, {} stuck, {} unseen losses, {} at the most cycles{}",
            self.name,
            found.states,
            found.transitions,
            found.violating,
            found.stuck,
            found.unseen,
            found.waiting,
            if found.bound_reached { ", BOUND REACHED" } else { "" },
        );
        assert!(found.violations.is_empty(), "{}: {}", self.name, found.violations.join("\n\n"));
        assert_eq!(found.stuck, 0, "{}: {}", self.name, found.stuck_says.unwrap_or_default());
        assert!(found.states > 20, "{}: nothing was explored: {found:?}", self.name);
        let mut part = Part::new(format!("models-{}", self.name), format!("model: {}", self.words));
        part.count("states", found.states);
        part.count("cycles run from them", found.transitions);
        part.count("faults at most", faults);
        if every > 1 {
            part.count("one in so many faults of a cycle is taken", every);
        }
        part.count("violations", found.violating);
        part.count("states from which not all comes right", found.stuck);
        if self.kind == Kind::Patch {
            part.count("cycles that lose an entry of others which everkey never saw", found.unseen);
        }
        if found.waiting > 0 {
            part.count("states after the most cycles that are followed", found.waiting);
        }
        if found.bound_reached {
            part.count("more states were there, the bound was reached", 1);
        }
        part.done();
    }
}

macro_rules! models {
    ($($test:ident: $kind:ident x $rotations:literal, $ways:ident, $prepared:ident, $quick:expr, $full:expr, $words:literal;)*) => {
        $(
            #[test]
            fn $test() {
                let name = stringify!($test);
                let (quick, full) = ($quick, $full);
                let (kind, ways, prepared) = (Kind::$kind, $ways, $prepared);
                Model { name, words: $words, kind, rotations: $rotations, ways, prepared, quick, full }.holds();
            }
        )*
    };
}

models! {
    secret: Secret x 2, CALLS, as_it_is, (1, 1), (2, 1), "a client secret in a sink that compares, two rotations";
    secret_three_faults: Secret x 1, CALLS, as_it_is, (1, 9), (3, 5), "a client secret, more faults";
    plain: Plain x 2, CALLS, anew, (1, 9), (2, 1), "a sink that cannot compare, and the drain";
    two_sinks: Two x 1, CALLS, as_it_is, (1, 9), (2, 2), "a sink that compares and one that cannot";
    add_key: AddKey x 1, CALLS_AND_OTHERS, as_it_is, (1, 9), (2, 1), "a certificate by addKey, and others at work";
    patch: Patch x 2, CALLS_AND_OTHERS, anew, (1, 9), (2, 1), "a certificate by PATCH, and others at work";
    handoff: Handoff x 2, PEOPLE, as_it_is, (1, 9), (2, 2), "a hand-off, the old one leaves at its end";
    overlap: Overlap x 2, PEOPLE, as_it_is, (1, 9), (2, 2), "a hand-off, the old one leaves after the overlap";
    mixed: Mixed x 1, PEOPLE, as_it_is, (1, 9), (2, 2), "a hand-off and a machine's sink";
    report: Report x 1, PEOPLE, as_it_is, (1, 9), (2, 2), "the sign-in report confirms";
    reissue: Overlap x 1, REISSUE, as_it_is, (1, 9), (3, 3), "a hand-off that is made again, its value or a new one";
    capped: Capped x 1, CALLS, as_it_is, (1, 9), (2, 2), "two slots, the old one is live";
    capped_expired: Capped x 1, CALLS, expired, (1, 9), (2, 2), "two slots, the old one has ended";
    capped_foreign: Capped x 1, CALLS, foreign, (1, 9), (2, 2), "two slots, one of them somebody else's";
    capped_expired_foreign: Capped x 1, CALLS, expired_and_foreign, (1, 9), (2, 2), "two slots, one ended, one foreign";
    adoption: Secret x 2, ADOPTION, foreign, (1, 9), (3, 3), "a foreign secret that is adopted, or given back";
}

/// A mutant of the table, in the bounds of the model that shows it: the model finds it, and finds nothing without it.
fn shown(mutation: Mutation, kind: Kind, ways: &'static [(Point, &'static [u32])], is_shown: fn(&Found) -> bool) {
    let model = Model {
        name: "mutant",
        words: "mutant",
        kind,
        rotations: 2,
        ways,
        prepared: anew,
        quick: (1, 1),
        full: (1, 1),
    };
    let kept = model.explored(Rules::default(), model.quick);
    assert!(kept.violations.is_empty() && kept.stuck == 0, "unbroken: {kept:#?}");
    let broken = model.explored(Rules::without(mutation), model.quick);
    assert!(is_shown(&broken), "{mutation:?} went unseen in {} states: {broken:#?}", broken.states);
}

/// Somewhere a call is late, or its answer is lost.
const LATE: &[(Point, &[u32])] = &[(Point::Write, &[1, 2])];

const LATE_SINK: &[(Point, &[u32])] = &[(Point::Sink, &[2])];

const LATE_OR_STALE: &[(Point, &[u32])] = &[(Point::Write, &[2]), (Point::Read, &[1])];

#[test]
fn without_a_sweep_orphans_stay_for_ever() {
    shown(Mutation::NoSweep, Kind::Secret, LATE, |found| found.stuck > 0 && found.violating == 0);
}

#[test]
fn without_a_drain_a_late_write_comes_back() {
    shown(Mutation::PlainSinkNoDrain, Kind::Plain, LATE_SINK, |found| found.violating > 0);
}

#[test]
fn without_a_drain_a_late_patch_drops_the_newest() {
    shown(Mutation::PatchWithoutDrain, Kind::Patch, LATE, |found| found.violating > 0);
}

#[test]
fn without_the_union_a_stale_read_drops_the_newest() {
    shown(Mutation::PatchFromReadOnly, Kind::Patch, LATE_OR_STALE, |found| found.violating > 0);
}

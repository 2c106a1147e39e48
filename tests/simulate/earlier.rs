//! Earlier journals: a copy is taken at one moment, comes back at a later one, by hand or as `store restore` does it, and
//! up to three calls go wrong around it.

use everkey::rotation::Rules;

use crate::campaign_ledger::Part;
use crate::chooser::Choice;
use crate::chooser::Chooser;
use crate::chooser::Dice;
use crate::chooser::Point;
use crate::chooser::written;
use crate::kinds::Kind;
use crate::schedule::Scenario;
use crate::schedule::Stage;
use crate::seeds::MOST_TOLD;
use crate::seeds::shrunk;

/// What may go wrong beside it: the point, how often it is passed about, and its ways.
const BESIDE: [(Point, u32, u32); 8] = [
    (Point::Write, 8, 3),
    (Point::Sink, 5, 3),
    (Point::ReadBack, 30, 1),
    (Point::Read, 40, 1),
    (Point::Boundary, 120, 1),
    (Point::Person, 8, 4),
    (Point::Foreign, 120, 2),
    (Point::Lag, 3, 4),
];

/// The schedule of a seed.
fn schedule(seed: u64) -> Vec<Choice> {
    let mut dice = Dice::new(seed);
    let copied = Choice { point: Point::Copy, nth: 1 + dice.roll(90), way: 1 };
    let back = Choice { point: Point::Between, nth: 2 + dice.roll(45), way: 6 + dice.roll(2) };
    let mut trace = vec![copied, back];
    for _ in 0..dice.roll(4) {
        let (point, often, ways) = BESIDE[dice.roll(BESIDE.len() as u32) as usize];
        trace.push(Choice { point, nth: 1 + dice.roll(often), way: 1 + dice.roll(ways) });
        trace.push(Choice { point: Point::HowLong, nth: 1, way: dice.roll(5) });
    }
    trace
}

fn scenarios() -> Vec<Scenario> {
    let again = Kind::ALL.map(|kind| Scenario { rotations: 2, ..Scenario::of(kind) });
    let new = [Kind::Secret, Kind::Handoff, Kind::Patch].map(|kind| Scenario { issued: false, ..Scenario::of(kind) });
    again.into_iter().chain(new).collect()
}

#[test]
fn an_earlier_journal_costs_nobody_anything() {
    let mut part = Part::new("earlier", "the journal of an earlier moment comes back in the middle of a schedule");
    let scenarios = scenarios();
    let each = part.depth(130, 300_000) / scenarios.len();
    let (mut came, mut looks, mut overtaken, mut admitted) = (0, 0, 0, 0);
    let mut failed = Vec::new();
    for scenario in scenarios {
        let stage = Stage::new(scenario);
        for seed in 0..each as u64 {
            let trace = schedule(seed);
            let report = stage.run(Chooser::trace(&trace), Rules::default(), false);
            if !report.violations.is_empty() {
                let trace = shrunk(&stage, Rules::default(), &report.taken);
                let again = stage.run(Chooser::trace(&trace), Rules::default(), true);
                let story = again.story.join("\n");
                let (violations, trace) = (again.violations, written(&trace));
                failed.push(format!("{scenario:?}, seed {seed}: {violations:#?}\n{trace}\n{story}"));
                if failed.len() >= MOST_TOLD {
                    break;
                }
            }
            came += report.figures.put_back;
            looks += report.figures.looks;
            overtaken += report.figures.overtaken;
            admitted += report.figures.admitted;
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert!(came > 0, "no journal ever came back");
    part.count("earlier journals that came back", came);
    part.count("which end with a rotation that a lost one has overtaken: blocked, and said so", overtaken);
    part.count("credentials lost within the limit that is known", admitted);
    part.count("looks from outside", looks);
    part.done();
}

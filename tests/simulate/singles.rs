//! Bounded exploration: the same real code, every point and every way of it, one fault at a time; in the campaign also
//! pairs. What is counted is schedules, not states: no two are merged.

use everkey::rotation::Rules;

use crate::campaign_ledger::Part;
use crate::chooser::Choice;
use crate::chooser::Chooser;
use crate::chooser::Point;
use crate::chooser::written;
use crate::kinds::Kind;
use crate::schedule::Scenario;
use crate::schedule::Stage;

/// Every schedule with one more fault than `so_far`, behind its last one. Of them one in `stride` is run, and gives its
/// own continuations as long as `depth` is left. Returns how many were run.
fn explore(stage: &Stage, so_far: &[Choice], depth: usize, stride: &mut Stride) -> u64 {
    let report = stage.run(Chooser::exploring(so_far), Rules::default(), false);
    assert!(report.violations.is_empty(), "{:?}: {}\n{:#?}", stage.scenario(), written(so_far), report.violations);
    if depth == 0 {
        return 1;
    }
    let last = so_far.last().and_then(|last| {
        report.passed.iter().position(|(point, _)| (point.point, point.nth) == (last.point, last.nth))
    });
    let mut run = 1;
    for (point, is_fault) in report.passed.iter().skip(last.map_or(0, |at| at + 1)) {
        for way in 1..point.way {
            if *is_fault && point.point != Point::Copy && stride.takes() {
                let longer: Vec<Choice> = so_far.iter().copied().chain([Choice { way, ..*point }]).collect();
                run += explore(stage, &longer, depth - 1, stride);
            }
        }
    }
    run
}

/// Takes every n-th.
struct Stride {
    every: usize,
    at: usize,
}

impl Stride {
    fn takes(&mut self) -> bool {
        self.at += 1;
        self.at.is_multiple_of(self.every)
    }
}

#[test]
fn every_single_fault_at_every_point() {
    let mut part = Part::new("singles", "one fault at every possible point, in every way; and pairs of faults");
    // One in so many of all single faults.
    let every = part.depth(40, 1);
    for kind in Kind::ALL {
        let stage = Stage::new(Scenario::of(kind));
        let run = explore(&stage, &[], 1, &mut Stride { every, at: 0 });
        part.count(&format!("{}: schedules with one fault", kind.name()), run);
    }
    if part.depth(0, 1) == 1 {
        for kind in Kind::ALL {
            let stage = Stage::new(Scenario::of(kind));
            let run = explore(&stage, &[], 2, &mut Stride { every: 11, at: 0 });
            part.count(&format!("{}: schedules with two faults, one in 11 of each", kind.name()), run);
        }
    }
    part.done();
}

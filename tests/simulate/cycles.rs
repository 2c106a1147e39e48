//! One cycle of a new process from a state between two cycles to the next such state: the transition of the models.

use everkey::rotation::Rules;
use jiff::SignedDuration;

use crate::chooser::Choice;
use crate::chooser::Chooser;
use crate::schedule::Begin;
use crate::schedule::Run;
use crate::schedule::Scenario;
use crate::schedule::Stage;

/// What came of one cycle, and of the time until the next.
pub struct Cycled {
    pub after: Begin,
    pub passed: Vec<(Choice, bool)>,
    pub violations: Vec<String>,
    /// Entries of others that were lost before everkey saw them.
    pub unseen: u64,
    /// Everything that was asked for is over, and nothing is in flight.
    pub is_done: bool,
    pub story: Vec<String>,
}

impl Stage {
    /// Finished rotations of a schedule that is over.
    fn wanted(&self) -> usize {
        self.scenario().rotations + 1
    }

    fn at(&self, from: &Begin, chooser: Chooser, rules: Rules) -> Run {
        Run::new(Scenario { replicas: 1, ..self.scenario() }, Some(from), chooser, rules)
    }

    /// One cycle, in which the choices of `trace` are made.
    pub fn cycle(&self, from: &Begin, trace: &[Choice], rules: Rules, tells: bool) -> Cycled {
        let mut run = self.at(from, Chooser::exploring(trace), rules);
        run.setting.world.lock().story = tells.then(Vec::new);
        let is_done = self.block_on(async {
            run.between().await;
            let (finished, open) = run.standing();
            let asked = !open && finished > 0 && finished < self.wanted();
            let due = run.cycle(0, if asked { vec![run.name()] } else { Vec::new() }).await;
            let (finished, open) = run.standing();
            let is_over = finished >= self.wanted() && !open;
            let (now, lands) = {
                let outside = run.setting.world.lock();
                (outside.now, outside.flying.iter().map(|(at, _)| *at).min())
            };
            // A rotation that is asked for begins at once, as long as the last one's calls are in flight.
            run.pass_to(match lands {
                _ if open => due,
                Some(lands) if is_over => lands.max(now + SignedDuration::from_mins(6)),
                _ => now + SignedDuration::from_secs(1),
            });
            is_over && lands.is_none()
        });
        let mut outside = run.setting.world.lock();
        let violations = std::mem::take(&mut outside.violations);
        let passed = outside.chooser.passed.take().unwrap_or_default();
        let story = outside.story.take().unwrap_or_default();
        let unseen = outside.figures.unseen_losses;
        let after = Begin { outside: outside.clone(), snapshot: run.setting.store.snapshot().lean() };
        Cycled { after, passed, violations, unseen, is_done, story }
    }

    /// The faults are over.
    pub fn calmed(&self, from: &Begin) -> Begin {
        let mut run = self.at(from, Chooser::trace(&[]), Rules::default());
        run.calm();
        let outside = run.setting.world.lock().clone();
        Begin { outside, snapshot: from.snapshot.clone() }
    }

    /// What is wrong when nothing goes wrong any more from a state on in which everything is over.
    pub fn settled(&self, from: &Begin, rules: Rules) -> Vec<String> {
        let mut run = self.at(from, Chooser::trace(&[]), rules);
        run.calm();
        self.block_on(run.converge(self.wanted()));
        let mut outside = run.setting.world.lock();
        std::mem::take(&mut outside.violations)
    }
}

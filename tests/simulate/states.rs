//! Explicit-state exploration of the real engine, with deduplication.
//!
//! A state is the journal and the outside between two cycles: each cycle is run by a new process, so nothing else is
//! remembered. A transition is one whole cycle under one combination of choices at the points that it passes, and the
//! time until the next cycle is due. From every state it is asked whether everything comes right when no more faults
//! follow (I8), under one schedule: late calls land, reads are fresh, the person acts.
//!
//! Bounds: a model has a number of faults, and the points and ways that it names. A late call lands after one of five
//! delays. A process that is paused in the middle, several replicas, refusals and clocks are left to the seeds. Which
//! states are the same is said in `canonical.rs`.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use everkey::rotation::Rules;

use crate::canonical;
use crate::chooser::Choice;
use crate::chooser::Point;
use crate::chooser::written;
use crate::cycles::Cycled;
use crate::schedule::Begin;
use crate::schedule::Stage;

/// More steps without a fault than any state needs until everything has come right.
const MOST_STEPS: usize = 150;

/// What may go wrong, and how often.
#[derive(Clone, Copy)]
pub struct Bounds {
    pub faults: usize,
    /// Points, and which of their ways.
    pub ways: &'static [(Point, &'static [u32])],
    /// One in so many single faults of a cycle is taken; 1 for all.
    pub every: usize,
    /// A state after more cycles gives no further ones: whoever is blocked waits for ever.
    pub most_cycles: usize,
    /// More states are not looked at: the bound is then reported as reached.
    pub most_states: usize,
}

impl Bounds {
    fn allows(&self, choice: Choice) -> bool {
        self.ways.iter().any(|(point, ways)| *point == choice.point && ways.contains(&choice.way))
    }
}

/// What an exploration found.
#[derive(Debug, Default)]
pub struct Found {
    pub states: usize,
    pub transitions: u64,
    /// The first violations, with the way to them.
    pub violations: Vec<String>,
    pub violating: u64,
    /// States from which not everything comes right, and what does not, once.
    pub stuck: usize,
    pub stuck_says: Option<String>,
    /// Transitions in which an entry of others is lost that everkey never saw.
    pub unseen: u64,
    /// States that were reached after the most cycles, and gave no further ones.
    pub waiting: u64,
    pub bound_reached: bool,
}

/// The cycles from the beginning to a state, the last one first.
type Path = Option<Arc<Step>>;

struct Step {
    trace: Vec<Choice>,
    before: Path,
}

struct Node {
    /// Cycles to it.
    cycles: usize,
    state: Begin,
    digest: u128,
    used: usize,
    path: Path,
}

/// An exploration under way.
pub struct Exploration<'a> {
    stage: &'a Stage,
    bounds: Bounds,
    rules: Rules,
    begin: Begin,
    /// The states, and the fewest faults with which each was reached.
    seen: HashMap<u128, usize>,
    expanded: HashSet<(u128, usize)>,
    /// How each state was reached first.
    paths: HashMap<u128, Path>,
    /// Where a state goes when nothing goes wrong.
    next: HashMap<u128, u128>,
    /// States in which everything is over: whether all is right then.
    ends: HashMap<u128, Option<String>>,
    /// What a state is once the faults are over, where that is another one.
    calm: HashMap<u128, u128>,
    /// To be looked at, by the faults used.
    waiting: Vec<Vec<Node>>,
    at: usize,
    found: Found,
}

impl<'a> Exploration<'a> {
    pub fn run(stage: &'a Stage, begin: Begin, bounds: Bounds, rules: Rules) -> Found {
        let waiting = (0..=bounds.faults).map(|_| Vec::new()).collect();
        let mut all = Self {
            stage,
            bounds,
            rules,
            begin: begin.clone(),
            seen: HashMap::new(),
            expanded: HashSet::new(),
            paths: HashMap::new(),
            next: HashMap::new(),
            ends: HashMap::new(),
            calm: HashMap::new(),
            waiting,
            at: 0,
            found: Found::default(),
        };
        let digest = canonical::digest(&begin);
        all.reached(Node { cycles: 0, state: begin, digest, used: 0, path: None }, false);
        // Those with the most faults first: what waits stays small.
        while let Some(node) = all.waiting.iter_mut().rev().find_map(Vec::pop) {
            all.expand(&node);
        }
        all.judge();
        all.found.states = all.seen.len();
        all.found
    }

    /// A state, perhaps a new one.
    fn reached(&mut self, node: Node, is_done: bool) {
        let known = self.seen.get(&node.digest).copied();
        if known.is_some_and(|known| known <= node.used) {
            return;
        }
        if known.is_none() && self.seen.len() >= self.bounds.most_states {
            self.found.bound_reached = true;
            return;
        }
        self.seen.insert(node.digest, node.used);
        self.paths.insert(node.digest, node.path.clone());
        if known.is_none() {
            self.calmed(&node);
        }
        if is_done {
            self.over(node.digest, &node.state);
        } else if node.cycles >= self.bounds.most_cycles {
            self.found.waiting += 1;
            self.walked(node.state, node.digest);
        } else {
            self.waiting[node.used].push(node);
        }
    }

    fn over(&mut self, digest: u128, state: &Begin) {
        if !self.ends.contains_key(&digest) {
            let wrong = self.stage.settled(state, self.rules).into_iter().next();
            self.ends.insert(digest, wrong);
        }
    }

    /// Where it goes once the faults are over, if that changes it.
    fn calmed(&mut self, node: &Node) {
        let state = self.stage.calmed(&node.state);
        let digest = canonical::digest(&state);
        if digest == node.digest {
            return;
        }
        self.calm.insert(node.digest, digest);
        self.walked(state, digest);
    }

    /// The way of a state, if nothing goes wrong any more.
    fn walked(&mut self, mut state: Begin, mut digest: u128) {
        for _ in 0..MOST_STEPS {
            if self.next.contains_key(&digest) || self.ends.contains_key(&digest) {
                return;
            }
            let (after, to, is_done) = self.goes_on(&state, digest);
            if is_done {
                self.over(to, &after);
            }
            (state, digest) = (after, to);
        }
    }

    /// One cycle without faults from a state that may be outside of the exploration.
    fn goes_on(&mut self, state: &Begin, digest: u128) -> (Begin, u128, bool) {
        let cycled = self.stage.cycle(state, &[], self.rules, false);
        let (cycled, to) = self.waited(cycled, digest);
        if let Some(wrong) = cycled.violations.into_iter().next() {
            self.ends.insert(to, Some(wrong));
        }
        self.next.insert(digest, to);
        (cycled.after, to, cycled.is_done)
    }

    /// What came of a cycle; as long as nothing but what is long over has changed, everkey waits, and goes on.
    fn waited(&self, mut cycled: Cycled, before: u128) -> (Cycled, u128) {
        let mut digest = canonical::digest(&cycled.after);
        for _ in 0..MOST_STEPS {
            if digest != before || cycled.is_done || !cycled.violations.is_empty() {
                break;
            }
            cycled = self.stage.cycle(&cycled.after, &[], self.rules, false);
            digest = canonical::digest(&cycled.after);
        }
        (cycled, digest)
    }

    /// Every cycle from a state on.
    fn expand(&mut self, node: &Node) {
        let stale = self.seen.get(&node.digest).is_some_and(|used| *used < node.used);
        if stale || !self.expanded.insert((node.digest, node.used)) {
            return;
        }
        let mut traces: Vec<(Vec<Choice>, usize)> = vec![(Vec::new(), 0)];
        while let Some((trace, faults)) = traces.pop() {
            let cycled = self.stage.cycle(&node.state, &trace, self.rules, false);
            self.found.transitions += 1;
            self.found.unseen += u64::from(cycled.unseen > 0);
            let left = self.bounds.faults - node.used - faults;
            self.longer(&trace, faults, left, &cycled.passed, &mut traces);
            let path = Some(Arc::new(Step { trace: trace.clone(), before: node.path.clone() }));
            if !cycled.violations.is_empty() {
                self.violated(&cycled.violations, &path);
                if trace.is_empty() {
                    self.ends.insert(node.digest, cycled.violations.into_iter().next());
                }
                continue;
            }
            let (cycled, digest) = self.waited(cycled, node.digest);
            if trace.is_empty() {
                self.next.insert(node.digest, digest);
            }
            let used = node.used + faults;
            self.reached(Node { cycles: node.cycles + 1, state: cycled.after, digest, used, path }, cycled.is_done);
        }
    }

    /// The traces with one more choice behind the last one.
    fn longer(
        &mut self,
        trace: &[Choice],
        faults: usize,
        left: usize,
        passed: &[(Choice, bool)],
        traces: &mut Vec<(Vec<Choice>, usize)>,
    ) {
        let last = trace
            .last()
            .and_then(|last| passed.iter().position(|(one, _)| (one.point, one.nth) == (last.point, last.nth)));
        for (point, is_fault) in passed.iter().skip(last.map_or(0, |at| at + 1)) {
            if *is_fault && left == 0 {
                continue;
            }
            for way in 1..point.way {
                let choice = Choice { way, ..*point };
                if *is_fault {
                    self.at += 1;
                    if !self.bounds.allows(choice) || !self.at.is_multiple_of(self.bounds.every) {
                        continue;
                    }
                }
                let longer = trace.iter().copied().chain([choice]).collect();
                traces.push((longer, faults + usize::from(*is_fault)));
            }
        }
    }

    fn violated(&mut self, violations: &[String], path: &Path) {
        self.found.violating += 1;
        if self.found.violations.len() >= 3 {
            return;
        }
        let (_, story) = self.told(path);
        self.found.violations.push(format!("{}\n{}", violations.join("\n"), story.join("\n")));
    }

    /// The way to a state again, with its story.
    fn told(&self, path: &Path) -> (Begin, Vec<String>) {
        let mut steps = Vec::new();
        let mut at = path;
        while let Some(step) = at {
            steps.push(&step.trace);
            at = &step.before;
        }
        steps.reverse();
        let mut state = self.begin.clone();
        let mut story = Vec::new();
        for trace in steps {
            let cycled = self.stage.cycle(&state, trace, self.rules, true);
            story.push(format!("cycle [{}]", written(trace)));
            story.extend(cycled.story);
            state = cycled.after;
        }
        (state, story)
    }

    /// What is wrong in the end with the very state that was reached first, whatever counts as the same one.
    fn really(&self, digest: u128) -> Option<String> {
        let (state, _) = self.told(&self.paths[&digest]);
        self.stage.settled(&state, self.rules).into_iter().next()
    }

    /// The way to a state that does not come right, and what it does then.
    fn stuck_story(&self, digest: u128) -> String {
        let (state, mut story) = self.told(&self.paths[&digest]);
        story.push("the faults are over".to_owned());
        let mut state = self.stage.calmed(&state);
        for _ in 0..MOST_STEPS {
            let cycled = self.stage.cycle(&state, &[], self.rules, true);
            story.extend(cycled.story);
            if cycled.is_done {
                break;
            }
            state = cycled.after;
        }
        story.join("\n")
    }

    /// Which states do not come right.
    fn judge(&mut self) {
        let mut right: HashMap<u128, bool> = HashMap::new();
        let mut stuck: Option<(usize, u128, String)> = None;
        for digest in self.seen.keys() {
            let mut at = self.calm.get(digest).copied().unwrap_or(*digest);
            let mut way = vec![*digest];
            let wrong = loop {
                if let Some(known) = right.get(&at) {
                    break (!known).then(|| "as another one".to_owned());
                }
                if let Some(end) = self.ends.get(&at) {
                    break end.clone();
                }
                way.push(at);
                match self.next.get(&at) {
                    Some(next) if way.len() <= MOST_STEPS => at = *next,
                    None if self.found.bound_reached => break None,
                    // States that count as one may lead in a circle, as two calls do that land one after the other. What
                    // really happens decides, for this one alone.
                    _ => {
                        way.clear();
                        break self.really(*digest);
                    }
                }
            };
            // Of a state that others go on to, only where it leads without a change by the calm is known.
            right.extend(way.into_iter().skip(1).map(|one| (one, wrong.is_none())));
            // One of several that count as this one goes wrong: does this one?
            let Some(wrong) = wrong.and_then(|_| self.really(*digest)) else { continue };
            self.found.stuck += 1;
            // The one that was reached with the fewest cycles is the easiest to read.
            let cycles = std::iter::successors(self.paths[digest].as_ref(), |step| step.before.as_ref()).count();
            if stuck.as_ref().is_none_or(|(shortest, ..)| cycles < *shortest) {
                stuck = Some((cycles, *digest, wrong));
            }
        }
        self.found.stuck_says = stuck.map(|(_, digest, wrong)| format!("{wrong}\n{}", self.stuck_story(digest)));
    }
}

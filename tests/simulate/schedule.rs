//! One schedule: a first issuance, rotations that somebody asks for, and whatever goes wrong meanwhile; then the faults
//! stop, and everything has to come right.

use std::sync::Arc;

use everkey::model::CertificateEntry;
use everkey::model::CredentialStatus;
use everkey::model::IntegrationName;
use everkey::model::OwnCredential;
use everkey::ports::Store as _;
use everkey::rotation::Rules;
use everkey::store::Memory;
use everkey::store::Snapshot;
use jiff::SignedDuration;
use jiff::Timestamp;

use crate::chooser::Choice;
use crate::chooser::Chooser;
use crate::chooser::Point;
use crate::kinds::Kind;
use crate::process::Came;
use crate::process::Ended;
use crate::process::Process;
use crate::process::Setting;
use crate::world::Figures;
use crate::world::Outside;
use crate::world::World;

const INSTANCE: &str = "q7m2xa";

/// More cycles than the faulty half of a schedule may take.
const MOST_CYCLES: usize = 120;

/// Within so many cycles without faults everything has come right (I8).
const CONVERGES_IN: usize = 150;

/// A lease that nobody renews is another's after this.
const LEASE: SignedDuration = SignedDuration::from_secs(61);

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub kind: Kind,
    pub replicas: usize,
    /// Rotations that are asked for after the first issuance.
    pub rotations: usize,
    /// Begin with a first issuance that is over, or with nothing at all.
    pub issued: bool,
}

impl Scenario {
    pub fn of(kind: Kind) -> Self {
        Self { kind, replicas: 1, rotations: 1, issued: true }
    }

    pub fn name(self) -> String {
        let replicas = if self.replicas > 1 { format!("x{}", self.replicas) } else { String::new() };
        format!("{}{replicas}{}", self.kind.name(), if self.issued { "" } else { "-new" })
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    pub violations: Vec<String>,
    pub taken: Vec<Choice>,
    pub passed: Vec<(Choice, bool)>,
    pub figures: Figures,
    pub story: Vec<String>,
}

/// Where a schedule begins.
#[derive(Clone)]
pub struct Begin {
    pub outside: Outside,
    pub snapshot: Snapshot,
}

/// Schedules of one scenario, which all begin at the same place.
pub struct Stage {
    runtime: tokio::runtime::Runtime,
    scenario: Scenario,
    begin: Option<Begin>,
}

impl Stage {
    pub fn new(scenario: Scenario) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let mut stage = Self { runtime, scenario: Scenario { issued: false, ..scenario }, begin: None };
        if scenario.issued {
            // The first issuance, without any fault.
            let first = Scenario { rotations: 0, replicas: 1, issued: false, ..scenario };
            let mut run = Run::new(first, None, Chooser::trace(&[]), Rules::default());
            stage.runtime.block_on(run.all());
            assert!(run.violations().is_empty(), "{:?}: {:#?}", scenario.kind, run.violations());
            let outside = run.setting.world.lock().clone();
            stage.begin = Some(Begin { outside, snapshot: run.setting.store.snapshot() });
        }
        stage.scenario = scenario;
        stage
    }

    /// Where its schedules begin.
    pub fn begin(&self) -> Option<&Begin> {
        self.begin.as_ref()
    }

    /// Lets something of a run happen.
    pub fn block_on<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    pub fn scenario(&self) -> Scenario {
        self.scenario
    }

    /// Runs one schedule.
    pub fn run(&self, chooser: Chooser, rules: Rules, tells: bool) -> Report {
        let mut run = Run::new(self.scenario, self.begin.as_ref(), chooser, rules);
        run.setting.world.lock().story = tells.then(Vec::new);
        self.runtime.block_on(run.all());
        let mut outside = run.setting.world.lock();
        Report {
            violations: std::mem::take(&mut outside.violations),
            taken: std::mem::take(&mut outside.chooser.taken),
            passed: outside.chooser.passed.take().unwrap_or_default(),
            figures: std::mem::take(&mut outside.figures),
            story: outside.story.take().unwrap_or_default(),
        }
    }
}

/// One schedule under way.
pub struct Run {
    pub scenario: Scenario,
    pub setting: Setting,
    pub processes: Vec<Process>,
    /// Until when each paused one rests.
    pub resting: Vec<Option<Timestamp>>,
    /// Finished rotations at the beginning.
    before: usize,
}

impl Run {
    pub fn new(scenario: Scenario, begin: Option<&Begin>, chooser: Chooser, rules: Rules) -> Self {
        let (outside, store, before) = match begin {
            Some(begin) => {
                let outside = Outside { chooser, figures: Figures::default(), ..begin.outside.clone() };
                (outside, Memory::of(INSTANCE, &begin.snapshot), 1)
            }
            None => (Outside::new(scenario.kind, chooser), Memory::new(INSTANCE), 0),
        };
        let setting = Setting { world: World::new(outside), store: Arc::new(store), rules };
        let processes = (0..scenario.replicas).map(|index| Process::new(setting.clone(), index)).collect();
        let resting = vec![None; scenario.replicas];
        Self { scenario, setting, processes, resting, before }
    }

    fn violations(&self) -> Vec<String> {
        self.setting.world.lock().violations.clone()
    }

    pub fn name(&self) -> IntegrationName {
        self.scenario.kind.name().into()
    }

    /// Finished rotations, and whether one is open.
    pub fn standing(&self) -> (usize, bool) {
        self.setting.store.standing(&self.name())
    }

    async fn all(&mut self) {
        let wanted = self.before + self.scenario.rotations + usize::from(!self.scenario.issued);
        self.take_copy().await;
        for _ in 0..MOST_CYCLES {
            let (finished, open) = self.standing();
            if finished >= wanted && !open {
                break;
            }
            self.between().await;
            let asked = if open || finished == 0 { Vec::new() } else { vec![self.name()] };
            let turn = self.turn();
            let due = self.cycle(turn, asked).await;
            let (finished, open) = self.standing();
            // Nobody waits for a date that is months away.
            let done = finished >= wanted && !open;
            let soon = self.setting.world.lock().now + SignedDuration::from_secs(1);
            self.pass_to(if done || !open { soon } else { due });
        }
        self.calm();
        self.converge(wanted).await;
    }

    /// Whose turn it is; those that are paused wake up when their time has come.
    fn turn(&mut self) -> usize {
        let mut outside = self.setting.world.lock();
        let now = outside.now;
        if let Some(woken) = self.resting.iter().position(|until| until.is_some_and(|until| until <= now)) {
            self.resting[woken] = None;
            return woken;
        }
        let awake: Vec<usize> = (0..self.processes.len()).filter(|at| self.resting[*at].is_none()).collect();
        match awake.len() {
            0 => {
                // All are paused: the first goes on.
                self.resting[0] = None;
                0
            }
            ways => awake[outside.chooser.fault(Point::Turn, u32::try_from(ways).unwrap()) as usize],
        }
    }

    /// One cycle of a process; when the next is due, by the true time.
    pub async fn cycle(&mut self, index: usize, asked: Vec<IntegrationName>) -> Timestamp {
        let came = self.processes[index].run(asked).await;
        let mut outside = self.setting.world.lock();
        let soon = outside.now + SignedDuration::from_secs(1);
        outside.has_looked(matches!(came, Came::Ended(Ended::Due(_))));
        match came {
            Came::Ended(Ended::Due(due)) => {
                let offset = outside.offsets[index];
                let due = due.and_then(|due| due.checked_sub(offset).ok());
                // What waits for a person alone says no instant, or one that has passed.
                due.filter(|due| *due >= outside.now)
                    .unwrap_or(outside.now + SignedDuration::from_hours(24 * 3))
                    .max(soon)
            }
            Came::Ended(Ended::Said(what)) => {
                outside.tell(|| format!("the run failed: {what}"));
                outside.now + SignedDuration::from_secs(30)
            }
            Came::Ended(Ended::Fenced) => soon,
            Came::Ended(Ended::Standby) => outside.now + SignedDuration::from_secs(15),
            Came::Died => {
                outside.figures.crashes += 1;
                soon
            }
            Came::Paused => {
                outside.figures.pauses += 1;
                // Less than Z, which is what a paused process is bounded by as well.
                let minutes = [0, 2, 6, 12][outside.chooser.detail(Point::HowLong, 4) as usize];
                let rest = SignedDuration::from_mins(minutes) + SignedDuration::from_secs(10);
                self.resting[index] = Some(outside.now + rest);
                drop(outside);
                if rest > LEASE && self.processes.len() > 1 {
                    self.pass_to(soon + LEASE);
                    self.setting.store.lapse();
                }
                self.setting.world.lock().now + SignedDuration::from_secs(1)
            }
        }
    }

    /// Time passes, but not beyond the waking of one that is paused.
    pub fn pass_to(&mut self, due: Timestamp) {
        let wakes = self.resting.iter().flatten().min().copied();
        self.setting.world.lock().pass(wakes.map_or(due, |wakes| wakes.min(due)));
    }

    /// The faults are over: clocks are right, whoever is paused goes on, and the person does what is asked.
    pub fn calm(&mut self) {
        let mut outside = self.setting.world.lock();
        outside.chooser.calm();
        outside.tell(|| "the faults are over".into());
        outside.clocks_wrong();
        outside.offsets = [SignedDuration::ZERO; 3];
        outside.is_idle = false;
        outside.use_interval = SignedDuration::from_hours(60);
        outside.given_back();
        // Whoever took the only slots gives them back, where nothing of ours has ended that could leave instead.
        let ours_ended = outside.app.secrets.iter().any(|one| {
            !outside.foreign.contains(&one.key_id.0) && one.end + SignedDuration::from_mins(15) < outside.now
        });
        if outside.kind == Kind::Capped && (!ours_ended || outside.foreign.len() > 1) {
            let foreign = std::mem::take(&mut outside.foreign);
            outside.changing();
            outside.app.secrets.retain(|entry| !foreign.contains(&entry.key_id.0));
        }
    }

    /// I8: finitely many steps lead to one own credential per slot, equal sinks, no orphans.
    pub async fn converge(&mut self, wanted: usize) {
        let mut quiet = 0;
        for _ in 0..CONVERGES_IN {
            let (finished, open) = self.standing();
            let done = finished >= wanted && !open;
            let flying = self.setting.world.lock().flying.iter().map(|(at, _)| *at).min();
            if done && flying.is_none() && self.resting.iter().all(Option::is_none) {
                quiet += 1;
                // A stale read is over, and so is what a removal waits for.
                if quiet > 3 {
                    break;
                }
            }
            let asked = if open || finished == 0 || finished >= wanted { Vec::new() } else { vec![self.name()] };
            let turn = self.turn();
            let due = self.cycle(turn, asked).await;
            let settle = self.setting.world.lock().now + SignedDuration::from_mins(6);
            let (_, open) = self.standing();
            self.pass_to(match flying {
                _ if open => due,
                _ if !done => settle.min(due),
                Some(lands) => lands.max(settle),
                None => settle,
            });
        }
        let own = self.setting.store.credentials(None).await.unwrap();
        let certificates = self.setting.world.lock().app.certificates.clone();
        // A certificate that was dropped and came back may have another key id: identity is its thumbprint.
        let listed = |own: &OwnCredential| {
            let same = |entry: &&CertificateEntry| own.thumbprint.is_some() && entry.thumbprint == own.thumbprint;
            certificates.iter().find(same).map_or_else(|| own.key_id.0.clone(), |entry| entry.key_id.0.clone())
        };
        let current: Vec<String> =
            own.iter().filter(|own| own.status == CredentialStatus::Current).map(listed).collect();
        let open = self.setting.store.unfinished().await.unwrap();
        let mut outside = self.setting.world.lock();
        outside.changed = true;
        outside.look("the end");
        if quiet <= 3 {
            if outside.is_overtaken(&open) {
                outside.figures.overtaken += 1;
                return;
            }
            let open: Vec<_> = open.iter().map(|r| (r.id, r.state, r.failure.clone())).collect();
            outside.wrong(format!("I8 not converged in {CONVERGES_IN} cycles: {open:?}"));
            return;
        }
        outside.settled(&current, 1);
    }
}

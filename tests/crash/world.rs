//! One integration with its own journal and sinks in a shared tenant: run it, kill it, start it again, and see
//! what came of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use everkey::clock::Clock as _;
use everkey::clock::ManualClock;
use everkey::model::AppRef;
use everkey::model::CredentialStatus;
use everkey::model::HandoffId;
use everkey::model::IntegrationName;
use everkey::model::ObjectId;
use everkey::model::State;
use everkey::policy::Policy;
use everkey::ports::Probe;
use everkey::ports::SignIn;
use everkey::ports::TokenEndpoint as _;
use everkey::rotation::Rules;
use everkey::run::Pace;
use everkey::run::RunError;
use jiff::SignedDuration;
use jiff::Timestamp;

use crate::foreign;
use crate::kinds::JSON;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::outside::Outside;
use crate::outside::Shown;
use crate::pg;
use crate::process::Process;
use crate::process::entra;

pub const SEAL_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const MOST_TICKS: usize = 400; // More than a run can need.

/// One integration.
pub struct World {
    /// What everkey takes for the time.
    pub clock: ManualClock,
    pub dir: tempfile::TempDir,
    pub kind: Kind,
    pub lab: Arc<Lab>,
    pub outside: Arc<Outside>,
    /// Whether rotations wait for their schedule.
    pub pace: Pace,
    pub place: Place,
    pub policies: Vec<Policy>,
    errors: Mutex<Vec<String>>,
    in_hand: Mutex<BTreeSet<String>>,
    idle: AtomicBool,
    stop_at: Mutex<Option<usize>>,
    fail_at: Mutex<Option<usize>>,
}

/// Where the journal is.
pub enum Place {
    /// A file of the world.
    Sqlite,
    /// A database of its own.
    Postgres(pg::Database),
}

impl Place {
    pub async fn postgres() -> Self {
        Self::Postgres(pg::shared().database().await)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    Converged,
    Died,
    /// The horizon was reached, or nothing is due any more.
    Open,
}

impl World {
    pub fn new(lab: &Arc<Lab>, kind: Kind) -> Self {
        Self::on(lab, kind, Place::Sqlite)
    }

    pub fn on(lab: &Arc<Lab>, kind: Kind, place: Place) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = dir.path().join("sinks").join(JSON);
        std::fs::create_dir_all(settings.parent().unwrap()).unwrap();
        std::fs::write(&settings, r#"{ "other": "kept", "app": { "id": "", "secret": "" } }"#).unwrap();
        Self {
            // The same hands as the emulator's, until a test takes them apart.
            clock: lab.clock.clone(),
            kind,
            lab: Arc::clone(lab),
            outside: Outside::new(Arc::clone(lab), kind, dir.path().join("sinks")),
            pace: Pace::Now,
            place,
            policies: vec![kind.policy()],
            dir,
            errors: Mutex::default(),
            in_hand: Mutex::default(),
            idle: AtomicBool::new(false),
            stop_at: Mutex::default(),
            fail_at: Mutex::default(),
        }
    }

    pub fn sinks(&self) -> PathBuf {
        self.dir.path().join("sinks")
    }

    pub fn name(&self) -> IntegrationName {
        IntegrationName::from(self.kind.name())
    }

    pub fn app(&self) -> AppRef {
        self.outside.seen().app.clone().unwrap()
    }

    /// The object id of another integration's application.
    pub async fn object_of(&self, kind: Kind) -> String {
        let process = Process::start(self, None, Rules::default()).await;
        let records = process.store.integrations().await.unwrap();
        records.into_iter().find(|record| record.name.0 == kind.name()).unwrap().app.object_id.0
    }

    /// Notes what everkey said.
    pub fn said(&self, text: &str) {
        self.errors.lock().unwrap().push(text.to_owned());
    }

    /// Whether the person does nothing.
    pub fn idle_person(&self, idle: bool) {
        self.idle.store(idle, Ordering::Relaxed);
    }

    pub fn is_person_idle(&self) -> bool {
        self.idle.load(Ordering::Relaxed)
    }

    /// The next lives are asked to stop at this boundary.
    pub fn stop_at(&self, point: Option<usize>) {
        *self.stop_at.lock().unwrap() = point;
    }

    pub fn stops_at(&self) -> Option<usize> {
        *self.stop_at.lock().unwrap()
    }

    /// The journal of the next lives fails at this boundary, if it is one of its own.
    pub fn fail_at(&self, point: Option<usize>) {
        *self.fail_at.lock().unwrap() = point;
    }

    pub fn fails_at(&self) -> Option<usize> {
        *self.fail_at.lock().unwrap()
    }

    /// What the journal says of every rotation.
    pub async fn rotations(&self) -> Vec<everkey::model::Rotation> {
        let process = Process::start(self, None, Rules::default()).await;
        process.store.rotations(&self.name()).await.unwrap()
    }

    /// When what is in use now ends.
    pub async fn current_end(&self) -> Timestamp {
        let process = Process::start(self, None, Rules::default()).await;
        let own = process.store.credentials(None).await.unwrap();
        own.iter().find(|own| own.status == CredentialStatus::Current).unwrap().end
    }

    /// Whether the person has the value of this hand-off.
    pub fn in_hand(&self, id: &HandoffId) -> bool {
        self.in_hand.lock().unwrap().contains(&id.0)
    }

    /// The person has it now.
    pub fn takes(&self, id: &HandoffId) {
        self.in_hand.lock().unwrap().insert(id.0.clone());
    }

    /// Moves both clocks by the same amount, and looks from outside before and after.
    pub fn jump(&self, to: Timestamp) {
        let by = to.duration_since(self.clock.now());
        if by <= SignedDuration::ZERO {
            return;
        }
        let second = SignedDuration::from_secs(1);
        if by > second * 2 {
            self.shift(by - second);
            self.outside.look("before a jump's end");
            self.shift(second);
        } else {
            self.shift(by);
        }
        self.outside.look("after a jump");
    }

    fn shift(&self, by: SignedDuration) {
        let local = self.clock.now() + by;
        self.lab.clock.set(self.lab.clock.now() + by);
        self.clock.set(local);
    }

    /// One life of everkey, towards `wanted` finished rotations.
    pub async fn live(&self, kill_at: Option<usize>, rules: Rules, wanted: usize) -> (Ended, Vec<String>) {
        let process = Process::start(self, kill_at, rules).await;
        let breaker = Arc::clone(&process.breaker);
        let ended = {
            let life = self.run(&process, wanted);
            tokio::select! {
                biased;
                () = breaker.death() => Ended::Died,
                ended = life => ended,
            }
        };
        (ended, breaker.passed())
    }

    async fn run(&self, process: &Process<'_>, wanted: usize) -> Ended {
        let until = self.clock.now() + self.kind.horizon();
        for _ in 0..MOST_TICKS {
            let finished = self.finished(process).await;
            if finished >= wanted {
                return Ended::Converged;
            }
            // The person repeats the command as long as nothing came of it.
            let open = !process.store.unfinished().await.unwrap().is_empty();
            let first = process.store.rotations(&self.name()).await.unwrap().is_empty();
            let asked = if open || first { Vec::new() } else { vec![self.name()] };
            let due = match process.step(&asked).await {
                Ok(due) => due,
                Err(RunError::Stopped) => return Ended::Open,
                // The journal failed: the process ends, and says so.
                Err(RunError::Store(_)) if self.fails_at().is_some() => return Ended::Died,
                Err(error) => panic!("{error}"),
            };
            self.outside.look("after a tick");
            let Some(due) = due else { continue };
            if due > until {
                let finished = self.finished(process).await;
                return if finished >= wanted { Ended::Converged } else { Ended::Open };
            }
            self.jump(due.max(self.clock.now() + SignedDuration::from_secs(1)));
        }
        Ended::Open
    }

    async fn finished(&self, process: &Process<'_>) -> usize {
        let open = !process.store.unfinished().await.unwrap().is_empty();
        let all = process.store.rotations(&self.name()).await.unwrap();
        if open { 0 } else { all.iter().filter(|rotation| rotation.is_finished()).count() }
    }

    /// One tick, when nothing is asked.
    pub async fn visit(&self) {
        self.visit_under(Rules::default()).await;
    }

    /// Asks for a rotation, and goes on until it waits for a person.
    pub async fn live_until_waiting(&self, rules: Rules) {
        let process = Process::start(self, None, rules).await;
        for _ in 0..MOST_TICKS {
            let open = process.store.unfinished().await.unwrap();
            if open.iter().any(|r| r.state == State::Delivered) {
                return;
            }
            let asked = if open.is_empty() { vec![self.name()] } else { Vec::new() };
            let due = process.step(&asked).await.unwrap().unwrap();
            self.jump(due.max(self.clock.now() + SignedDuration::from_secs(1)));
        }
        panic!("nothing waits for a person");
    }

    /// One tick under these rules.
    pub async fn visit_under(&self, rules: Rules) {
        let process = Process::start(self, None, rules).await;
        // A failed call is tried again by the next tick.
        let _ = process.step(&[]).await;
    }

    /// Runs until an attempt was given up.
    pub async fn until_abandoned(&self) {
        let process = Process::start(self, None, Rules::default()).await;
        for _ in 0..MOST_TICKS {
            let open = process.store.unfinished().await.unwrap();
            let given_up = |a: &everkey::model::Attempt| a.outcome == everkey::model::Outcome::Abandoned;
            if open.iter().any(|r| r.attempts.iter().any(given_up)) {
                return;
            }
            let asked = if open.is_empty() { vec![self.name()] } else { Vec::new() };
            let due = process.step(&asked).await.unwrap().unwrap();
            self.jump(due.max(self.clock.now() + SignedDuration::from_secs(1)));
        }
        panic!("no attempt was given up");
    }

    /// At most two runs after a crash or fault.
    pub async fn recover(&self, rules: Rules, wanted: usize) {
        for _ in 0..2 {
            if self.live(None, rules, wanted).await.0 == Ended::Converged {
                return;
            }
        }
        let process = Process::start(self, None, rules).await;
        let why = self.story(&process).await;
        self.outside.seen().violations.push(format!("NOT CONVERGED in two runs: {why}"));
    }

    /// What was said and where every rotation stands, for whoever has to find out why.
    async fn story(&self, process: &Process<'_>) -> String {
        let mut why = self.errors.lock().unwrap().join("; ");
        for r in process.store.rotations(&self.name()).await.unwrap() {
            let ends: Vec<String> = r.old.iter().map(|old| format!("{} to {}", old.key_id, old.end)).collect();
            why += &format!("\n{:?} {:?} {}..{:?}, old {ends:?} {:?}", r.id, r.state, r.planned, r.finished, r.failure);
        }
        let history = process.store.history(None).await.unwrap();
        why.extend(history.iter().rev().take(12).rev().map(|entry| format!("\n  {entry:?}")));
        why
    }

    /// What must hold once everything has settled; what does not is added to the violations, which are given.
    pub async fn verdict(&self) -> Vec<String> {
        self.outside.look("at the end");
        let process = Process::start(self, None, Rules::default()).await;
        let store = &process.store;
        let own = store.credentials(None).await.unwrap();
        let current: Vec<_> = own.iter().filter(|own| own.status == CredentialStatus::Current).collect();
        let mut wrong = Vec::new();
        if current.len() != 1 {
            wrong.push(format!("{} current credentials in the journal", current.len()));
        }
        let lingering =
            own.iter().filter(|own| !matches!(own.status, CredentialStatus::Current | CredentialStatus::Retired));
        wrong.extend(lingering.map(|own| format!("{} is still {:?} in the journal", own.key_id, own.status)));
        let here = foreign::listed(&self.lab.emulator, &self.app());
        let seeded = self.outside.seen().foreign.clone();
        let ours: Vec<&String> = here.keys().filter(|key_id| !seeded.contains_key(*key_id)).collect();
        let expected: Vec<&str> = current.iter().map(|own| own.key_id.as_str()).collect();
        if ours != expected {
            wrong.push(format!("ORPHANS or losses: on the application {ours:?}, in the journal {expected:?}"));
        }
        let received = self.outside.seen().received.clone();
        for (key_id, print) in received.iter().filter(|(id, _)| here.contains_key(id.as_str())) {
            let own = own.iter().find(|own| own.key_id == *key_id);
            let delivered = self.outside.seen().held.iter().any(|held| held.print == *print);
            if own.is_none() || !delivered {
                wrong.push(format!("SECRET LOST: {key_id} is attached, and nobody has its value"));
            }
        }
        if let Some(seal) = current.first().and_then(|own| own.seals.first())
            && self.kind == Kind::Secret
        {
            let kept = store.unseal(seal, &self.app()).await.map(|value| value.fingerprint());
            let held = self.outside.seen().held.iter().any(|held| kept.as_ref().is_ok_and(|kept| *kept == held.print));
            if !held {
                wrong.push("the sink holds something else than the journal".into());
            }
        }
        if let Some(broken) = store.verify_history().await.unwrap() {
            wrong.push(format!("the history is broken at {broken}"));
        }
        wrong.extend(self.sign_in().await);
        if !wrong.is_empty() {
            wrong.push(self.story(&process).await);
        }
        let mut seen = self.outside.seen();
        seen.violations.extend(wrong);
        std::mem::take(&mut seen.violations)
    }

    /// Everything a consumer holds, over https.
    async fn sign_in(&self) -> Vec<String> {
        let entra = entra(self);
        let app = AppRef { object_id: ObjectId(String::new()), ..self.app() };
        // The consumer's values are moved out and back: the lock is not held over the requests.
        let held = std::mem::take(&mut self.outside.seen().held);
        let mut wrong = Vec::new();
        for one in &held {
            let sign_in = match &one.shown {
                Shown::Secret(secret) => SignIn::ClientSecret(secret),
                Shown::Certificate { key, der, .. } => SignIn::Certificate { key, certificate: der },
            };
            match entra.probe(&app, sign_in).await {
                Ok(Probe::Accepted { .. }) => {}
                other => wrong.push(format!("ACCESS LOST over https: {other:?}")),
            }
        }
        if held.is_empty() {
            wrong.push("nothing was delivered".into());
        }
        self.outside.seen().held = held;
        wrong
    }
}

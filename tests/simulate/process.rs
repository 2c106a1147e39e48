//! One process of everkey: the real engine over the ports of the simulation. A cycle is a future that is polled here,
//! so that it can be dropped where it dies, and left where it is paused.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use everkey::alert;
use everkey::clock::Clock as _;
use everkey::model::HandoffStatus;
use everkey::model::IntegrationName;
use everkey::model::ValueName;
use everkey::ports::Commit;
use everkey::ports::Fence;
use everkey::ports::Store;
use everkey::ports::StoreError;
use everkey::rotation::Rules;
use everkey::run::Engine;
use everkey::run::EngineOptions;
use everkey::run::Pace;
use everkey::run::Ports;
use everkey::run::Quiet;
use everkey::run::RunError;
use everkey::secret::Secret;
use everkey::store::Memory;
use jiff::SignedDuration;
use jiff::Timestamp;

use crate::chooser::Point;
use crate::directory::Far;
use crate::journal::Journal;
use crate::kinds::Kind;
use crate::places::Places;
use crate::tools::Endpoint;
use crate::tools::NoIssuers;
use crate::tools::OwnClock;
use crate::tools::Tools;
use crate::world::Signal;
use crate::world::World;

/// The person of every hand-off.
const PERSON: &str = "priya.shah@contoso.example";

/// The engine and its journal: what a process has in memory.
type Alive = (Engine, Arc<Journal>);

type Running = Pin<Box<dyn Future<Output = (Alive, Ended)>>>;

/// How a cycle ended, if it ended by itself.
#[derive(Debug)]
pub enum Ended {
    /// Done; when to go on.
    Due(Option<Timestamp>),
    /// The run failed, and said so.
    Said(String),
    /// Another process has the store, or took it away.
    Fenced,
    /// Another process is at work.
    Standby,
}

/// What came of letting a process run.
pub enum Came {
    Ended(Ended),
    Died,
    Paused,
}

/// What may break, and who is there.
#[derive(Clone)]
pub struct Setting {
    pub world: Arc<World>,
    pub store: Arc<Memory>,
    pub rules: Rules,
}

/// One process.
pub struct Process {
    index: usize,
    setting: Setting,
    alive: Option<Alive>,
    running: Option<Running>,
}

impl Process {
    pub fn new(setting: Setting, index: usize) -> Self {
        Self { index, setting, alive: None, running: None }
    }

    /// It is killed, wherever it is.
    pub fn kill(&mut self) {
        self.alive = None;
        self.running = None;
    }

    /// A cycle, or what is left of the one that was paused.
    pub async fn run(&mut self, asked: Vec<IntegrationName>) -> Came {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => {
                let alive = self.alive.take().unwrap_or_else(|| start(&self.setting, self.index));
                Box::pin(cycle(self.setting.clone(), self.index, alive, asked))
            }
        };
        let world = Arc::clone(&self.setting.world);
        let came = std::future::poll_fn(|context| match running.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => match world.lock().signal.take() {
                Some(signal) => Poll::Ready(Err(signal)),
                // A key is made on another thread.
                None => Poll::Pending,
            },
        })
        .await;
        match came {
            Ok((alive, ended)) => {
                self.alive = Some(alive);
                Came::Ended(ended)
            }
            Err(Signal::Died) => {
                self.kill();
                Came::Died
            }
            Err(Signal::Paused) => {
                self.running = Some(running);
                Came::Paused
            }
        }
    }
}

fn start(setting: &Setting, index: usize) -> Alive {
    let journal = Arc::new(Journal { store: setting.store.open(), world: Arc::clone(&setting.world) });
    let policies = std::slice::from_ref(setting.world.lock().kind.policy());
    let ports = ports(setting, index, &journal);
    let engine = Engine::new(ports, Fence(0), options(setting.rules), Arc::new(Quiet), Arc::default());
    (engine.concerning(policies), journal)
}

/// `everkey token`: a sign-in with the current credential. Whether it was answered, and how many
/// more own sign-ins are on record then.
pub async fn token(setting: &Setting, integration: &IntegrationName) -> (bool, usize) {
    let (mut engine, journal) = start(setting, 0);
    let now = setting.world.lock().now;
    let fence = journal.acquire("everkey token", now).await.unwrap();
    engine.hold(fence);
    let own = journal.credentials(Some(integration)).await.unwrap();
    let key_id = &own.last().unwrap().key_id;
    let before = journal.sign_ins(key_id).await.unwrap().len();
    let said = engine.describe(integration, None, false).await;
    (said.is_ok(), journal.sign_ins(key_id).await.unwrap().len() - before)
}

/// Takes the store, does what is due, lets the person act, and gives the store back.
async fn cycle(setting: Setting, index: usize, alive: Alive, asked: Vec<IntegrationName>) -> (Alive, Ended) {
    let (mut engine, journal) = alive;
    let world = setting.world;
    let policies = std::slice::from_ref(world.lock().kind.policy());
    let clock = OwnClock { world: Arc::clone(&world), process: index };
    let fence = match journal.acquire(&format!("process {index}"), clock.now()).await {
        Ok(fence) => fence,
        Err(_) => return ((engine, journal), Ended::Standby),
    };
    engine.hold(fence);
    let ticked = engine.tick(policies, &asked).await;
    let ended = match ticked {
        Ok(tick) => match person(&engine, journal.as_ref(), &world, fence).await {
            Err(RunError::Store(_)) => Ended::Fenced,
            Ok(true) => Ended::Due(Some(clock.now())),
            Ok(false) | Err(_) => Ended::Due(tick.next_due),
        },
        Err(RunError::Said(error)) => Ended::Said(error.to_string()),
        Err(RunError::Store(StoreError::Fenced)) => Ended::Fenced,
        Err(error) => Ended::Said(error.to_string()),
    };
    // A fence that is void by now gives nothing back.
    let _ = journal.release(fence).await;
    ((engine, journal), ended)
}

fn ports(setting: &Setting, process: usize, journal: &Arc<Journal>) -> Ports {
    let world = &setting.world;
    Ports {
        certs: Arc::new(Tools(Arc::clone(world))),
        clock: Arc::new(OwnClock { world: Arc::clone(world), process }),
        directory: Arc::new(Far(Arc::clone(world))),
        issuers: Arc::new(NoIssuers),
        notifier: None,
        sinks: Arc::new(Places(Arc::clone(world))),
        store: Arc::clone(journal) as Arc<dyn Store>,
        tokens: Arc::new(Endpoint(Arc::clone(world))),
    }
}

fn options(rules: Rules) -> EngineOptions {
    EngineOptions {
        actor: "everkey".into(),
        alerts: alert::Rules {
            before_days: vec![7],
            send_at: jiff::civil::time(9, 0, 0, 0),
            working_days_only: false,
            escalate_to: Vec::new(),
            security_to: None,
            fallback_to: None,
            public_url: None,
        },
        login_url: "https://login.contoso.example".into(),
        os_user: None,
        pace: Pace::Now,
        permissions_allowed: Vec::new(),
        rules,
        tenant: "contoso".into(),
    }
}

/// The doer opens what waits, types the value in, and says so; whether anything was done. A person may also be late,
/// lose the value, ask for it again or for a new one, or say what is not true.
async fn person(engine: &Engine, journal: &Journal, world: &Arc<World>, fence: Fence) -> Result<bool, RunError> {
    let all = journal.handoffs().await?;
    let Some(handoff) = all.iter().find(|handoff| handoff.status == HandoffStatus::Waiting) else { return Ok(false) };
    let (way, in_hand) = {
        let mut outside = world.lock();
        let way = if outside.is_idle { 1 } else { outside.chooser.fault(Point::Person, 6) };
        if way > 0 {
            outside.tell(|| format!("the person, way {way}, {}", handoff.id));
        }
        (way, outside.in_hand.contains(&handoff.id.0))
    };
    let said = match (way, &handoff.opened) {
        // Late.
        (1, _) => return Ok(false),
        // Gone for good.
        (5, _) => {
            world.lock().is_idle = true;
            return Ok(false);
        }
        // Tries the new value by hand, which nobody else uses yet.
        (4, Some(_)) if world.lock().kind == Kind::Report => {
            let mut outside = world.lock();
            let now = outside.now;
            // Long enough after everkey's own sign-ins to be told from them.
            outside.uses.insert(handoff.key_id.0.clone(), (now + SignedDuration::from_hours(60), None));
            outside.is_idle = true;
            return Ok(false);
        }
        // Somebody looks with `everkey token --force` whether it works.
        (2, Some(_)) if world.lock().kind == Kind::Report => {
            let at = world.lock().now + SignedDuration::from_hours(60);
            let mut commit = Commit::new(at, PERSON);
            commit.sign_ins.push((handoff.key_id.clone(), at, None));
            journal.commit(fence, commit).await?;
            let request_id = {
                let mut outside = world.lock();
                let request_id = Some(format!("own-{}", outside.number()));
                outside.uses.insert(handoff.key_id.0.clone(), (at, request_id.clone()));
                // Meanwhile the consumer stands still for longer than its policy says.
                outside.use_interval = SignedDuration::from_hours(24 * 60);
                outside.is_idle = true;
                request_id
            };
            let mut commit = Commit::new(at, PERSON);
            commit.sign_ins.push((handoff.key_id.clone(), at, request_id));
            journal.commit(fence, commit).await?;
            return Ok(false);
        }
        // The report confirms, not a word.
        (_, Some(_)) if in_hand && world.lock().kind == Kind::Report => {
            let value = handoff.key_id.0.replace("s-", "sim~");
            world.lock().take("person", &value);
            return Ok(false);
        }
        // A new link to the same value.
        (2, _) => engine.reissue_handoff(&handoff.id, PERSON).await.map(drop),
        // A new value.
        (3, _) => engine.renew_handoff(&handoff.id, PERSON).await,
        // Says it is done, and has not typed it in. A policy that counts a word at once has to bear with a false one.
        (4, Some(_)) if world.lock().kind == Kind::Handoff => {
            engine.confirm_handoff(&handoff.id, PERSON).await.map(drop)
        }
        (_, Some(_)) if in_hand => {
            let value = handoff.key_id.0.replace("s-", "sim~");
            world.lock().take("person", &value);
            engine.confirm_handoff(&handoff.id, PERSON).await.map(drop)
        }
        (_, Some(_)) => engine.reissue_handoff(&handoff.id, PERSON).await.map(drop),
        (_, None) => engine.open_handoff(&handoff.id, PERSON).await.map(|opened| {
            let shown = opened.lines.iter().find(|(field, _)| field.value == Some(ValueName::Secret));
            if shown.and_then(|(_, value)| value.as_ref()).is_some_and(|value: &Secret| !value.is_empty()) {
                world.lock().in_hand.insert(handoff.id.0.clone());
            }
        }),
    };
    match said {
        Ok(()) => Ok(true),
        Err(RunError::Said(error)) => {
            world.lock().tell(|| format!("the person was told: {error}"));
            Ok(false)
        }
        Err(stop) => Err(stop),
    }
}

//! The engine that watches a whole tenant, in one process with an emulator under a manual clock: what appears is told
//! once, whatever way it is found; nothing is written into Entra.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use everkey::alert;
use everkey::clock::Clock as _;
use everkey::clock::ManualClock;
use everkey::emulator::Emulator;
use everkey::emulator::Options;
use everkey::emulator::Quirks;
use everkey::emulator::directory::NewPassword;
use everkey::entra::Entra;
use everkey::entra::EntraOptions;
use everkey::entra::OwnSignIn;
use everkey::graph::Graph;
use everkey::graph::GraphOptions;
use everkey::graph::Patience;
use everkey::http;
use everkey::model::IssuerKind;
use everkey::model::NoticeKind;
use everkey::pki;
use everkey::policy;
use everkey::policy::Policy;
use everkey::ports::Issuer;
use everkey::ports::Issuers;
use everkey::ports::PortError;
use everkey::ports::Store as _;
use everkey::rotation::Rules;
use everkey::run::Engine;
use everkey::run::EngineOptions;
use everkey::run::Limits;
use everkey::run::Pace;
use everkey::run::Ports;
use everkey::run::Quiet;
use everkey::secret::Secret;
use everkey::sinks::Factory;
use everkey::store;
use everkey::store::SealKey;
use everkey::store::Sqlite;
use jiff::SignedDuration;
use serde_json::json;

const START: &str = "2026-11-20T09:00:00Z";
const TOOL: &str = "version = 1\n[tenants.contoso]\ntenant_id = \"8f0c1d52-0000-4000-8000-0000000031aa\"\n\
                    auth = \"azure-cli\"\n";
const WATCH: &str = "version = 1\nname = \"watch\"\nmode = \"alert\"\n[watch]\nall = true\n[people]\n\
                     owner = \"ops@contoso.example\"\n";

struct World {
    clock: ManualClock,
    dir: tempfile::TempDir,
    emulator: Emulator,
    policies: Vec<Policy>,
}

/// Every certificate here is self-signed.
struct Nobody;

impl Issuers for Nobody {
    fn open(&self, kind: &IssuerKind) -> Result<Box<dyn Issuer>, PortError> {
        panic!("{kind:?} is asked");
    }
}

impl World {
    async fn new() -> Self {
        let clock = ManualClock::new(START.parse().unwrap());
        let emulator = Emulator::start(Options::new(Arc::new(clock.clone()))).await.unwrap();
        let tool = policy::read_tool(Path::new("everkey.toml"), TOOL).value.unwrap();
        let files = [(PathBuf::from("watch.toml"), WATCH.to_owned())];
        let policies = policy::read_policies(&files, &tool).value;
        Self { clock, dir: tempfile::tempdir().unwrap(), emulator, policies }
    }

    fn pass(&self, minutes: i64) {
        self.clock.advance_to(self.clock.now() + SignedDuration::from_mins(minutes));
    }

    /// Applications called `app-0` …, each with a secret.
    fn sow(&self, count: usize) {
        let one =
            |number| json!({"displayName": format!("app-{number}"), "secrets": [{"end": "2028-01-01T00:00:00Z"}]});
        let seed = json!({"applications": (0..count).map(one).collect::<Vec<_>>(), "fill": 300});
        let seed = serde_json::from_value(seed).unwrap();
        let conduct = Quirks::default().key_conduct();
        self.emulator.with_directory(|directory, now| directory.sow(seed, conduct, now)).unwrap();
    }

    /// Somebody adds a secret.
    fn add(&self, app: &str, name: &str) {
        let new = NewPassword { display_name: Some(name.to_owned()), ..NewPassword::default() };
        self.emulator.with_directory(|directory, now| {
            let id = directory.applications().find(|one| one.display_name == app).unwrap().id;
            directory.add_password(id, new, now).unwrap();
        });
    }

    /// A process of everkey's.
    async fn process(&self) -> Process<'_> {
        let key = SealKey::read(Secret::from_text(
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f".to_owned(),
        ))
        .unwrap();
        let store = Sqlite::open(&self.dir.path().join("everkey.db"), key, store::Options::default()).await.unwrap();
        let store = Arc::new(store);
        let fence = store.acquire("test", self.clock.now()).await.unwrap();
        let ca_pem = Some(self.emulator.ca_pem().as_bytes().to_vec());
        let client = http::Client::new(&http::Options { ca_pem, ..http::Options::default() }).unwrap();
        let (url, tenant) = (self.emulator.url(), self.emulator.tenant_id().to_string());
        let operator = self.emulator.operator();
        let entra = Entra::new(EntraOptions {
            http: client.clone(),
            login_url: url.clone(),
            graph_url: url.clone(),
            tenant: tenant.as_str().into(),
            clock: Arc::new(self.clock.clone()),
            own: OwnSignIn::ClientSecret {
                client_id: operator.client_id.to_string().into(),
                secret: Secret::from_text(operator.client_secret.clone()),
            },
        });
        let entra = Arc::new(entra.unwrap());
        let graph = Graph::new(GraphOptions {
            http: client,
            graph_url: url.clone(),
            tenant: tenant.as_str().into(),
            clock: Arc::new(self.clock.clone()),
            tokens: entra.clone(),
            patience: Patience::NONE,
        });
        let ports = Ports {
            certs: Arc::new(pki::Tool),
            clock: Arc::new(self.clock.clone()),
            directory: Arc::new(graph.unwrap()),
            issuers: Arc::new(Nobody),
            notifier: None,
            sinks: Arc::new(Factory::below(self.dir.path().join("sinks"))),
            store: store.clone(),
            tokens: entra,
        };
        let options = EngineOptions {
            actor: "everkey".into(),
            alerts: alert::Rules {
                before_days: vec![7],
                send_at: jiff::civil::time(9, 0, 0, 0),
                working_days_only: false,
                escalate_to: Vec::new(),
                fallback_to: None,
                security_to: Some("soc@contoso.example".into()),
                public_url: None,
            },
            login_url: url,
            os_user: None,
            pace: Pace::Scheduled(Limits { jitter: SignedDuration::ZERO, new_per_day: 5 }),
            permissions_allowed: Vec::new(),
            rules: Rules::default(),
            tenant: "contoso".into(),
        };
        let engine = Engine::new(ports, fence, options, Arc::new(Quiet), Arc::new(AtomicBool::new(false)));
        Process { engine: engine.concerning(&self.policies), store, fence, world: self }
    }
}

struct Process<'a> {
    engine: Engine,
    store: Arc<Sqlite>,
    fence: everkey::ports::Fence,
    world: &'a World,
}

impl Process<'_> {
    /// One tick; what security was told so far, and the requests it took.
    async fn tick(&self) -> (Vec<String>, u64) {
        let before = self.world.emulator.requests();
        let tick = self.engine.tick(&self.world.policies, &[]).await.unwrap();
        assert!(tick.failed.is_empty(), "{:?}", tick.failed);
        assert!(tick.next_due.is_some_and(|due| due > self.world.clock.now()), "a daemon looks again by itself");
        let requests = self.world.emulator.requests() - before;
        let mut told = Vec::new();
        for sent in self.store.outbox().await.unwrap() {
            let merged = if sent.notice.kind == NoticeKind::Summary { sent.notice.merged } else { vec![sent.notice] };
            let news = merged.into_iter().filter(|notice| notice.kind == NoticeKind::Appeared);
            told.extend(news.map(|notice| notice.problem.unwrap().summary.split('"').nth(1).unwrap().to_owned()));
        }
        (told, requests)
    }

    async fn end(self) {
        self.store.release(self.fence).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_appears_is_told_once_by_full_reads_and_by_deltas() {
    let world = World::new().await;
    world.sow(3);
    let process = world.process().await;
    assert_eq!(process.tick().await.0, [""; 0], "the first look is silent");
    let before = world.emulator.with_directory(|directory, _| directory.applications().count());

    // Between two looks nothing is read; the next look asks for what changed, and reads that alone.
    world.add("app-1", "one");
    world.pass(30);
    assert_eq!(process.tick().await, (vec![], 0));
    world.pass(31);
    assert_eq!(process.tick().await, (vec!["one".to_owned()], 4), "a token, two deltas, what changed");
    world.pass(61);
    assert_eq!(process.tick().await, (vec!["one".to_owned()], 3), "told once");

    // An application that is new, and one whose first secret it is.
    world.sow(1);
    world.add("filler-0001", "two");
    world.pass(61);
    let (told, _) = process.tick().await;
    assert_eq!(told.len(), 2 + 1 + 30, "301 new ones: 31 with a secret, and \"two\": {told:?}");
    assert_eq!(process.store.outbox().await.unwrap().len(), 2, "more than ten are one mail");
    process.end().await;
    assert_eq!(world.emulator.with_directory(|directory, _| directory.applications().count()), before + 301);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_delta_and_a_restart_lose_nothing() {
    let world = World::new().await;
    world.sow(2);
    let process = world.process().await;
    process.tick().await;
    world.add("app-0", "while it slept");
    world.pass(8 * 24 * 60);
    let (told, requests) = process.tick().await;
    assert_eq!(told, ["while it slept"]);
    assert!(requests > 5, "410, and everything is read again: {requests}");
    process.end().await;

    let process = world.process().await;
    assert_eq!(process.tick().await.0, ["while it slept"], "a restart tells nothing twice");
    let instance = process.store.instance();
    process.end().await;
    world.add("app-1", "while it was down");
    // A tag that looks like ours proves nothing: the journal does not know it.
    world.add("app-1", &format!("x [ek1 {instance}.7.1]"));
    let process = world.process().await;
    let (told, _) = process.tick().await;
    assert_eq!(told.len(), 3, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_lag_and_flap_tell_nothing_twice() {
    let world = World::new().await;
    world.sow(2);
    let process = world.process().await;
    process.tick().await;
    let flapping = json!({"read_lag": "PT30S", "read_flapping": true});
    let quirks = serde_json::from_value(flapping).unwrap();
    world.emulator.set_quirks(quirks);
    world.add("app-0", "flapping");
    for _ in 0..6 {
        world.pass(61);
        process.tick().await;
    }
    assert_eq!(process.tick().await.0, ["flapping"]);
}

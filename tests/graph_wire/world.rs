//! What every test of this suite needs: a client that trusts the test servers, a clock that nobody waits for,
//! tokens, and the ids of an application at contoso.example.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use everkey::clock::Clock;
use everkey::clock::ManualClock;
use everkey::graph::Graph;
use everkey::graph::GraphOptions;
use everkey::graph::Patience;
use everkey::http;
use everkey::model::AppSpec;
use everkey::model::Audience;
use everkey::model::ClientId;
use everkey::model::Consent;
use everkey::model::ObjectId;
use everkey::model::Permission;
use everkey::model::PermissionKind;
use everkey::model::TenantId;
use everkey::ports::PortError;
use everkey::ports::TokenSource;
use everkey::secret::Secret;
use jiff::SignedDuration;
use jiff::Timestamp;

use super::server::Answer;
use super::server::Server;
use super::server::ca_pem;

pub const TENANT: &str = "11111111-0000-4000-8000-000000000001";
pub const OBJECT: &str = "22222222-0000-4000-8000-000000000002";
pub const CLIENT: &str = "33333333-0000-4000-8000-000000000003";
pub const KEY: &str = "44444444-0000-4000-8000-000000000004";
pub const PRINCIPAL: &str = "55555555-0000-4000-8000-000000000005";
pub const RESOURCE: &str = "66666666-0000-4000-8000-000000000006";
pub const GRAPH_APP: &str = "00000003-0000-0000-c000-000000000000";

/// A clock that jumps to whatever instant somebody waits for, and remembers the waits.
#[derive(Clone)]
pub struct JumpingClock {
    hands: ManualClock,
    waits: Arc<Mutex<Vec<SignedDuration>>>,
}

impl JumpingClock {
    pub fn new() -> Self {
        Self { hands: ManualClock::new(start()), waits: Arc::default() }
    }

    pub fn advance(&self, by: SignedDuration) {
        self.hands.advance_to(self.hands.now() + by);
    }

    /// The waits so far, in milliseconds.
    pub fn waits_ms(&self) -> Vec<i128> {
        self.waits.lock().unwrap().iter().map(SignedDuration::as_millis).collect()
    }
}

#[async_trait]
impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        self.hands.now()
    }

    async fn sleep_until(&self, until: Timestamp) {
        self.waits.lock().unwrap().push(until.duration_since(self.now()));
        self.hands.advance_to(until);
    }
}

/// Tokens `token-1`, `token-2` …, a new one after each `forget`.
#[derive(Default)]
pub struct Tokens {
    forgotten: AtomicU32,
}

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self) -> Result<Secret, PortError> {
        Ok(Secret::from_text(format!("token-{}", self.forgotten.load(Ordering::SeqCst) + 1)))
    }

    fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
    }
}

/// A token source that always fails in the same way.
pub struct NoToken(pub PortError);

#[async_trait]
impl TokenSource for NoToken {
    async fn token(&self) -> Result<Secret, PortError> {
        Err(self.0.clone())
    }

    fn forget(&self) {}
}

pub struct World {
    pub server: Server,
    pub graph: Graph,
    pub clock: JumpingClock,
}

impl World {
    /// A Graph that answers by `script`.
    pub async fn new(script: Vec<Answer>) -> Self {
        Self::with(script, Arc::new(Tokens::default()), Patience::default()).await
    }

    pub async fn with(script: Vec<Answer>, tokens: Arc<dyn TokenSource>, patience: Patience) -> Self {
        let server = Server::start(script).await;
        let clock = JumpingClock::new();
        let graph = Graph::new(GraphOptions {
            http: client(),
            graph_url: server.url.clone(),
            tenant: TENANT.into(),
            clock: Arc::new(clock.clone()),
            tokens,
            patience,
        });
        Self { server, graph: graph.unwrap(), clock }
    }
}

impl World {
    /// That reads waited as long as was asked or meant, in milliseconds, and a fifth longer at most: not everybody
    /// comes back together.
    #[track_caller]
    pub fn waited(&self, meant: &[i128]) {
        let waits = self.clock.waits_ms();
        let near = |(wait, meant): (&i128, &i128)| (*meant..=meant * 6 / 5).contains(wait);
        assert!(waits.len() == meant.len() && waits.iter().zip(meant).all(near), "{waits:?} for {meant:?}");
    }
}

/// A client that trusts the test servers and loses patience after two seconds.
pub fn client() -> http::Client {
    let options =
        http::Options { ca_pem: Some(ca_pem()), timeout: Duration::from_secs(20), ..http::Options::default() };
    http::Client::new(&options).unwrap()
}

pub fn start() -> Timestamp {
    "2026-11-20T09:00:00Z".parse().unwrap()
}

pub fn tenant() -> TenantId {
    TENANT.into()
}

pub fn object() -> ObjectId {
    OBJECT.into()
}

pub fn client_id() -> ClientId {
    CLIENT.into()
}

pub fn spec() -> AppSpec {
    AppSpec {
        client_id: None,
        display_name: "Payroll connector".into(),
        audience: Audience::Single,
        redirect_uris: Vec::new(),
        permissions: Vec::new(),
        consent: Consent::None,
        hidden_from_users: false,
    }
}

pub fn permission(kind: PermissionKind, id: &str, name: &str) -> Permission {
    Permission { resource: GRAPH_APP.into(), kind, id: id.into(), name: name.into() }
}

//! One life of everkey: its own handle on the journal, its own tokens, its own memory; and the person beside it.

use std::sync::Arc;

use everkey::alert;
use everkey::clock::Clock as _;
use everkey::entra::Endpoints;
use everkey::entra::Entra;
use everkey::entra::EntraOptions;
use everkey::entra::OwnSignIn;
use everkey::graph::Graph;
use everkey::graph::GraphOptions;
use everkey::graph::Patience;
use everkey::model::ClientId;
use everkey::model::HandoffStatus;
use everkey::model::IntegrationName;
use everkey::model::TenantId;
use everkey::model::ValueName;
use everkey::ports::Directory;
use everkey::ports::Fence;
use everkey::ports::Sinks;
use everkey::ports::Store;
use everkey::ports::TokenEndpoint;
use everkey::rotation::Rules;
use everkey::run::Engine;
use everkey::run::EngineOptions;
use everkey::run::Ports;
use everkey::run::Quiet;
use everkey::run::RunError;
use everkey::secret::Secret;
use everkey::sinks::Factory;
use everkey::store;
use everkey::store::Postgres;
use everkey::store::SealKey;
use everkey::store::Server;
use everkey::store::Sqlite;
use jiff::SignedDuration;
use jiff::Timestamp;

use crate::breaker::Breaker;
use crate::lab::LabIssuers;
use crate::lab::PooledKeys;
use crate::pg;
use crate::ports::Broken;
use crate::world::Place;
use crate::world::SEAL_KEY;
use crate::world::World;

const PERSON: &str = "priya.shah@contoso.example";

/// One process.
pub struct Process<'a> {
    pub breaker: Arc<Breaker>,
    pub engine: Engine,
    pub fence: Fence,
    pub ports: Ports,
    pub store: Arc<dyn Store>,
    pub world: &'a World,
}

impl<'a> Process<'a> {
    /// Starts everkey in `world`; it dies at the boundary `kill_at`.
    pub async fn start(world: &'a World, kill_at: Option<usize>, rules: Rules) -> Self {
        let breaker = Breaker::new(Arc::clone(&world.outside), kill_at, world.stops_at(), world.fails_at());
        let inner = open(world).await;
        let fence = inner.acquire("crash test", world.clock.now()).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(Broken { breaker: Arc::clone(&breaker), inner: Arc::clone(&inner) });
        let entra = Arc::new(entra(world));
        let graph: Arc<dyn Directory> = Arc::new(
            Graph::new(GraphOptions {
                http: world.lab.client.clone(),
                graph_url: world.lab.emulator.url(),
                tenant: tenant(world),
                clock: Arc::new(world.clock.clone()),
                tokens: entra.clone(),
                patience: Patience::NONE,
            })
            .unwrap(),
        );
        let tokens: Arc<dyn TokenEndpoint> = entra;
        let sinks: Arc<dyn Sinks> = Arc::new(Factory::below(world.sinks()));
        let ports = Ports {
            certs: Arc::new(PooledKeys),
            clock: Arc::new(world.clock.clone()),
            directory: Arc::new(Broken { breaker: Arc::clone(&breaker), inner: graph }),
            issuers: Arc::new(LabIssuers),
            notifier: None,
            sinks: Arc::new(Broken { breaker: Arc::clone(&breaker), inner: sinks }),
            store,
            tokens: Arc::new(Broken { breaker: Arc::clone(&breaker), inner: tokens }),
        };
        let engine = Engine::new(ports.clone(), fence, options(world, rules), Arc::new(Quiet), breaker.stop());
        let engine = engine.concerning(&world.policies);
        Self { breaker, engine, fence, ports, store: inner, world }
    }

    /// One tick, then what the person does. Gives when to go on.
    pub async fn step(&self, asked: &[IntegrationName]) -> Result<Option<Timestamp>, RunError> {
        let now = self.world.clock.now();
        let tick = self.engine.tick(&self.world.policies, asked).await;
        let due = match tick {
            Ok(tick) => tick.next_due,
            // `apply` is run again a little later.
            Err(RunError::Said(error)) => {
                self.world.said(&error.to_string());
                Some(now + SignedDuration::from_secs(30))
            }
            Err(stop) => return Err(stop),
        };
        let acted = self.person().await?;
        Ok(if acted { Some(now + SignedDuration::from_secs(1)) } else { due })
    }

    /// The doer opens what waits, types the value in, and says so; without a value, a new link is asked for.
    async fn person(&self) -> Result<bool, RunError> {
        if self.world.is_person_idle() {
            return Ok(false);
        }
        let waiting = self.store.handoffs().await?.into_iter().find(|handoff| handoff.status == HandoffStatus::Waiting);
        let Some(handoff) = waiting else { return Ok(false) };
        let in_hand = self.world.in_hand(&handoff.id);
        let done = match (&handoff.opened, in_hand) {
            (Some(_), true) => self.engine.confirm_handoff(&handoff.id, PERSON).await.map(drop),
            (Some(_), false) => self.engine.reissue_handoff(&handoff.id, PERSON).await.map(drop),
            (None, _) => match self.engine.open_handoff(&handoff.id, PERSON).await {
                Ok(opened) => {
                    let value = |name| opened.lines.iter().find(|(field, _)| field.value == Some(name));
                    let value: Option<&Secret> = value(ValueName::Secret).and_then(|(_, value)| value.as_ref());
                    self.world.outside.typed(value.unwrap());
                    self.world.takes(&handoff.id);
                    Ok(())
                }
                Err(error) => Err(error),
            },
        };
        match done {
            Ok(()) => Ok(true),
            Err(RunError::Said(error)) => {
                self.world.said(&error.to_string());
                Ok(false)
            }
            Err(stop) => Err(stop),
        }
    }
}

/// Settings of an engine in `world`.
pub fn options(world: &World, rules: Rules) -> EngineOptions {
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
        login_url: world.lab.emulator.url(),
        os_user: None,
        pace: world.pace,
        permissions_allowed: Vec::new(),
        rules,
        tenant: "contoso".into(),
    }
}

async fn open(world: &World) -> Arc<dyn Store> {
    let key = SealKey::read(Secret::from_text(SEAL_KEY.to_owned())).unwrap();
    match &world.place {
        Place::Sqlite => {
            let path = world.dir.path().join("everkey.db");
            Arc::new(Sqlite::open(&path, key, store::Options::default()).await.unwrap())
        }
        Place::Postgres(database) => {
            let server = Server::new(&database.url, Some(&Secret::from_text(pg::PASSWORD.to_owned()))).unwrap();
            Arc::new(Postgres::open(&server, key).await.unwrap())
        }
    }
}

/// The emulator's tenant.
pub fn tenant(world: &World) -> TenantId {
    TenantId::from(world.lab.emulator.tenant_id().to_string().as_str())
}

/// The token endpoint, with everkey's own identity.
pub fn entra(world: &World) -> Entra {
    let operator = world.lab.emulator.operator();
    let url = world.lab.emulator.url();
    let endpoints = Endpoints {
        login_url: url.clone(),
        graph_url: url,
        vault_suffix: None,
        exchange_audience: everkey::entra::EXCHANGE_AUDIENCE.to_owned(),
    };
    Entra::new(EntraOptions {
        http: world.lab.client.clone(),
        login_url: endpoints.login_url,
        graph_url: endpoints.graph_url,
        tenant: tenant(world),
        clock: Arc::new(world.clock.clone()),
        own: OwnSignIn::ClientSecret {
            client_id: ClientId::from(operator.client_id.to_string().as_str()),
            secret: Secret::from_text(operator.client_secret.clone()),
        },
    })
    .unwrap()
}

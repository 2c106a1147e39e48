//! The one place that names concrete adapters: configuration in, ports out.

mod identity;
mod reading;
mod signers;
mod throw_away;
mod vaults;

pub use identity::workload_claims;
pub use reading::Reading;
pub use reading::graph;
pub use reading::reading;
pub use reading::store_if_there;
pub use throw_away::THROWN_AWAY_SINKS;
pub use throw_away::throw_away;

use std::sync::Arc;

use crate::clock::Clock;
use crate::clock::OffsetClock;
use crate::clock::SystemClock;
use crate::config;
use crate::config::Settings;
use crate::entra::Cloud as EntraCloud;
use crate::entra::EXCHANGE_AUDIENCE;
use crate::entra::Endpoints;
use crate::entra::Entra;
use crate::entra::EntraOptions;
use crate::error::Class;
use crate::error::Error;
use crate::error::Result;
use crate::graph::Graph;
use crate::graph::GraphOptions;
use crate::graph::Patience;
use crate::http;
use crate::notifiers::Smtp;
use crate::notifiers::SmtpOptions;
use crate::notifiers::SmtpTls;
use crate::pki;
use crate::policy::Cloud;
use crate::policy::Mail;
use crate::policy::StoreUrl;
use crate::policy::Tls;
use crate::policy::Transport;
use crate::ports::Notifier;
use crate::ports::Store;
use crate::ports::StoreError;
use crate::ports::TokenSource;
use crate::run::Ports;
use crate::run::explain;
use crate::store::Care;
use crate::store::Postgres;
use crate::store::SealKey;
use crate::store::Server;
use crate::store::Sqlite;

use signers::Signers;

/// Limit of each network operation of mail.
const SMTP_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Adapters of one tenant.
pub struct Assembled {
    /// All ports.
    pub ports: Ports,
    /// Base of the sign-in pages.
    pub login_url: String,
    /// Said wherever the time matters: ` Clock: the emulator's.`
    pub clock_note: String,
}

/// Makes the adapters that `settings` name. Only an emulator is spoken to (its clock).
///
/// # Errors
/// `C010` for files, `C013` for what this release cannot do, `T0…` for the store, `G010` for the emulator.
pub async fn assemble(settings: &Settings) -> Result<Assembled> {
    assemble_with(settings, None, Patience::default()).await
}

/// The same under a given clock, and with the patience of the Graph client: `demo` moves its clock itself, so
/// nothing may wait on it inside a call.
///
/// # Errors
/// As [`assemble`].
pub async fn assemble_with(
    settings: &Settings,
    given: Option<Arc<dyn Clock>>,
    patience: Patience,
) -> Result<Assembled> {
    let given = given.map(|clock| (clock, " Clock: moved by everkey.".to_owned()));
    build(settings, given, None, patience).await
}

/// The same once more for a daemon that reloads: clock and store stay those it has.
///
/// # Errors
/// As [`assemble`].
pub async fn reassemble(settings: &Settings, before: &Assembled) -> Result<Assembled> {
    let clock = (Arc::clone(&before.ports.clock), before.clock_note.clone());
    build(settings, Some(clock), Some(Arc::clone(&before.ports.store)), Patience::default()).await
}

async fn build(
    settings: &Settings,
    given: Option<(Arc<dyn Clock>, String)>,
    kept: Option<Arc<dyn Store>>,
    patience: Patience,
) -> Result<Assembled> {
    let endpoints = endpoints(&settings.tenant.cloud);
    let client = client(settings)?;
    let (clock, clock_note) = match given {
        Some(given) => given,
        None => clock(settings, &client, &endpoints).await?,
    };
    let store = match kept {
        Some(store) => store,
        None => store(settings).await?,
    };
    let connected = connect(settings, &client, &endpoints, Arc::clone(&clock), patience)?;
    let notifier = settings.tool.mail.as_ref().map(|mail| mailer(mail, Arc::clone(&clock))).transpose()?;
    let notifier = notifier.map(|smtp| Arc::new(smtp) as Arc<dyn Notifier>);
    let sinks = vaults::sinks(settings, &client, &endpoints, Arc::clone(&clock), Some(store.instance()))?;
    let ports = Ports {
        certs: Arc::new(pki::Tool),
        clock,
        directory: connected.graph,
        issuers: Arc::new(Signers::of(settings, sinks.clone())),
        notifier,
        sinks: Arc::new(sinks),
        store,
        tokens: connected.entra,
    };
    Ok(Assembled { ports, login_url: endpoints.login_url, clock_note })
}

/// Graph of a tenant with its clock, without the store: for a look at what may be wrong.
pub struct Online {
    /// The tenant's clock.
    pub clock: Arc<dyn Clock>,
    /// Graph.
    pub directory: Arc<dyn crate::ports::Directory>,
    /// Audience that a workload's token needs in this cloud.
    pub exchange_audience: String,
    /// Base of the sign-in pages.
    pub login_url: String,
    /// everkey's own token.
    pub tokens: Arc<dyn TokenSource>,
    /// Places, those beyond this machine included.
    pub sinks: Arc<dyn crate::ports::Sinks>,
}

/// Makes it.
///
/// # Errors
/// As [`assemble`].
pub async fn online(settings: &Settings, patience: Patience) -> Result<Online> {
    let endpoints = endpoints(&settings.tenant.cloud);
    let client = client(settings)?;
    let (clock, _) = clock(settings, &client, &endpoints).await?;
    let connected = connect(settings, &client, &endpoints, Arc::clone(&clock), patience)?;
    let sinks = Arc::new(vaults::sinks(settings, &client, &endpoints, Arc::clone(&clock), None)?);
    let (directory, tokens) = (connected.graph, connected.tokens);
    let Endpoints { login_url, exchange_audience, .. } = endpoints;
    Ok(Online { clock, directory, exchange_audience, login_url, sinks, tokens })
}

/// The https client of a tenant.
fn client(settings: &Settings) -> Result<http::Client> {
    https(ca(&settings.tenant.cloud)?)
}

fn https(ca_pem: Option<Vec<u8>>) -> Result<http::Client> {
    http::Client::new(&http::Options {
        proxy: if ca_pem.is_none() { config::proxy() } else { None },
        ca_pem,
        ..http::Options::default()
    })
    .map_err(|error| explain::explain(&error, "set up https"))
}

/// The tenant's time: this machine's, or an emulator's.
///
/// # Errors
/// `G010` when the emulator does not answer.
pub async fn time(settings: &Settings) -> Result<jiff::Timestamp> {
    let endpoints = endpoints(&settings.tenant.cloud);
    let client = client(settings)?;
    Ok(clock(settings, &client, &endpoints).await?.0.now())
}

/// Graph and the token endpoint of one identity.
struct Connected {
    entra: Arc<Entra>,
    graph: Arc<Graph>,
    tokens: Arc<dyn TokenSource>,
}

fn connect(
    settings: &Settings,
    client: &http::Client,
    endpoints: &Endpoints,
    clock: Arc<dyn Clock>,
    patience: Patience,
) -> Result<Connected> {
    let tenant = settings.tenant.tenant_id.clone();
    let failed = |error| explain::explain(&error, "set up the tenant");
    let entra = Arc::new(
        Entra::new(EntraOptions {
            http: client.clone(),
            login_url: endpoints.login_url.clone(),
            graph_url: endpoints.graph_url.clone(),
            tenant: tenant.clone(),
            clock: Arc::clone(&clock),
            own: identity::own(settings, endpoints)?,
        })
        .map_err(failed)?,
    );
    let tokens: Arc<dyn TokenSource> = match identity::elsewhere(settings, endpoints, None, &clock)? {
        Some(source) => source,
        None => entra.clone(),
    };
    let graph = Arc::new(
        Graph::new(GraphOptions {
            http: client.clone(),
            graph_url: endpoints.graph_url.clone(),
            tenant,
            clock,
            tokens: Arc::clone(&tokens),
            patience,
        })
        .map_err(failed)?,
    );
    Ok(Connected { entra, graph, tokens })
}

fn endpoints(cloud: &Cloud) -> Endpoints {
    match cloud {
        Cloud::China => EntraCloud::China.endpoints(),
        Cloud::Custom { login_url, graph_url, vault_suffix, .. } => Endpoints {
            login_url: login_url.clone(),
            graph_url: graph_url.clone(),
            vault_suffix: vault_suffix.clone(),
            exchange_audience: EXCHANGE_AUDIENCE.to_owned(),
        },
        Cloud::Public => EntraCloud::Public.endpoints(),
        Cloud::Usgov => EntraCloud::UsGov.endpoints(),
        Cloud::UsgovDod => EntraCloud::UsGovDod.endpoints(),
    }
}

fn ca(cloud: &Cloud) -> Result<Option<Vec<u8>>> {
    match cloud {
        Cloud::Custom { ca_file: Some(file), .. } => config::read_bytes(file, "the CA file").map(Some),
        _ => Ok(None),
    }
}

/// An emulator's clock is read once and run along with.
async fn clock(settings: &Settings, client: &http::Client, endpoints: &Endpoints) -> Result<(Arc<dyn Clock>, String)> {
    if !settings.tenant.emulator {
        return Ok((Arc::new(SystemClock), String::new()));
    }
    let site =
        client.at(&endpoints.graph_url).map_err(|error| explain::explain(&error, "read the emulator's clock"))?;
    let reply = site
        .send(http::Request::new(reqwest::Method::GET, "/_emulator/clock"))
        .await
        .map_err(|error| explain::explain(&error, "read the emulator's clock"))?;
    let document: serde_json::Value = serde_json::from_slice(reply.body.expose()).unwrap_or_default();
    let now = document["now"].as_str().and_then(|now| now.parse().ok()).ok_or_else(|| {
        Error::new(Class::Config, "C011", "emulator = true, but the tenant is no everkey emulator")
            .help("take `emulator = true` out of everkey.toml, or start `everkey emulator serve`")
    })?;
    let rate = document["rate"].as_u64().and_then(|rate| u32::try_from(rate).ok()).unwrap_or(1);
    let note = " Clock and tenant: the emulator's.".to_owned();
    Ok((Arc::new(OffsetClock::starting_at(now, rate)), note))
}

/// The store that `settings` name, opened or founded. Nothing is spoken to.
///
/// # Errors
/// `C011` without a seal, `T0…`.
pub async fn store(settings: &Settings) -> Result<Arc<dyn Store>> {
    if let Some(server) = server(settings)? {
        return Ok(Arc::new(open_server(settings, &server).await?));
    }
    Ok(Arc::new(open_store(settings, crate::store::Options::default()).await?))
}

/// The PostgreSQL database that holds the store; `None` when a file does.
///
/// # Errors
/// `C010` for the password, `T032`.
pub fn server(settings: &Settings) -> Result<Option<Server>> {
    let StoreUrl::Postgres(url) = &settings.tool.store else { return Ok(None) };
    let source = settings.tool.store_password.as_ref();
    let password = source.map(|source| config::secret(source, "the password of the store")).transpose()?;
    Server::new(url, password.as_ref()).map(Some).map_err(|error| explain::store(&error))
}

/// The store in a database, opened or founded.
///
/// # Errors
/// `C011`, `T0…`.
pub async fn open_server(settings: &Settings, server: &Server) -> Result<Postgres> {
    Postgres::open(server, seal_key(settings)?).await.map_err(|error| explain::store(&error))
}

/// The store for its care: one that is there, wherever it stands.
///
/// # Errors
/// `C011`, `T0…`; `T010` where there is none.
pub async fn care(settings: &Settings) -> Result<Box<dyn Care>> {
    let Some(server) = server(settings)? else {
        let options = crate::store::Options { create: false, any_standing: true, ..Default::default() };
        return Ok(Box::new(open_store(settings, options).await?));
    };
    let failed = |error| explain::store(&error);
    if !Postgres::is_there(&server).await.map_err(failed)? {
        let nothing = format!("there is no store in {server} yet: the first command that writes makes it");
        return Err(failed(StoreError::Failed(nothing)));
    }
    Ok(Box::new(Postgres::open_any(&server, seal_key(settings)?).await.map_err(failed)?))
}

/// Whether the store is there and `seal` is its key.
pub async fn opens_under(settings: &Settings, seal: SealKey) -> bool {
    match (&settings.tool.store, server(settings)) {
        (StoreUrl::Sqlite(path), _) => {
            let options = crate::store::Options { create: false, ..Default::default() };
            Sqlite::open(path, seal, options).await.is_ok()
        }
        (_, Ok(Some(server))) => Postgres::open(&server, seal).await.is_ok(),
        _ => false,
    }
}

/// The store itself where it is a file, for its care.
///
/// # Errors
/// `C011`, `T0…`, `T033` for PostgreSQL.
pub async fn open_store(settings: &Settings, options: crate::store::Options) -> Result<Sqlite> {
    let path = store_path(settings)?;
    Sqlite::open(path, seal_key(settings)?, options).await.map_err(|error| explain::store(&error))
}

/// Where the store lies.
///
/// # Errors
/// `T033` for PostgreSQL.
pub fn store_path(settings: &Settings) -> Result<&std::path::Path> {
    let StoreUrl::Sqlite(path) = &settings.tool.store else {
        return Err(Error::new(Class::Config, "T033", "this is for a store in a file, and yours is in PostgreSQL")
            .help("back it up with the server's own means, pg_dump and pg_restore, then `everkey store claim`; check and reseal work on it"));
    };
    Ok(path)
}

/// The key that seals the store.
///
/// # Errors
/// `C010`, `C011`, `T016`.
pub fn seal_key(settings: &Settings) -> Result<SealKey> {
    let Some(seal) = &settings.tool.seal else {
        return Err(Error::new(Class::Config, "C011", "everkey.toml has no [seal]")
            .why("secrets are sealed in the store under a key outside it")
            .help("make one: openssl rand -hex 32 > seal.key; then [seal] key_file = \"seal.key\""));
    };
    SealKey::read(config::secret(&seal.key, "the seal key")?).map_err(|error| explain::store(&error))
}

/// The mail transport; connects to nothing yet.
///
/// # Errors
/// `C010`, `C013`, `M00…`.
pub fn mailer(mail: &Mail, clock: Arc<dyn Clock>) -> Result<Smtp> {
    if mail.transport != Transport::Smtp {
        return Err(Error::new(Class::Config, "C013", "mail through Graph is not in this release")
            .help("use transport = \"smtp\""));
    }
    let password = mail.password.as_ref().map(|source| config::secret(source, "the SMTP password")).transpose()?;
    let ca_pem = mail.ca_file.as_ref().map(|file| config::read_bytes(file, "the CA file of mail")).transpose()?;
    Smtp::new(SmtpOptions {
        from: mail.from.clone(),
        host: mail.host.clone(),
        port: mail.port,
        tls: match mail.tls {
            Tls::Implicit => SmtpTls::Implicit,
            Tls::Starttls => SmtpTls::StartTls,
        },
        username: mail.username.clone(),
        password,
        ca_pem,
        clock,
        timeout: SMTP_TIMEOUT,
    })
}

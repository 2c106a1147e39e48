//! The emulator behind https: start, serve, look inside, stop.

use std::fmt;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use axum_server::tls_rustls::from_tcp_rustls;
use jiff::Timestamp;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::EmulatorError;
use super::directory::Directory;
use super::fault::FaultPlan;
use super::fault::Rule;
use super::files;
use super::jws::Signer;
use super::line::Lines;
use super::log::LogEntry;
use super::login::MACHINE;
use super::machine::Machine;
use super::mail::CaughtMail;
use super::operator::Operator;
use super::options::Options;
use super::places::Places;
use super::quirks::Quirks;
use super::serve::Shared;
use super::serve::exchange;
use super::serve::serve;
use super::serve::ticks;
use super::tenant::Tenant;
use super::tls::Tls;

/// How long a stop waits for requests being answered.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// A key that signs tokens. Emulators of one process may share it, because making one takes long.
#[derive(Clone)]
pub struct TokenKey(Signer);

impl TokenKey {
    /// Makes one.
    ///
    /// # Errors
    /// When there is no entropy.
    pub fn generate() -> Result<Self, EmulatorError> {
        Signer::generate().map(Self)
    }
}

/// A running emulator. Dropped, it stops at once without saving; [`Emulator::stop`] is the polite way.
pub struct Emulator {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    machine: Option<Machine>,
    operator: Operator,
    options: Options,
    shared: Arc<Shared>,
    task: Option<JoinHandle<std::io::Result<()>>>,
    tls: Tls,
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Emulator {
    /// Starts an emulator: loads or makes the tenant and its operator, writes the files of `dir`, listens.
    ///
    /// Fails on an address that is not loopback or is taken, on unreadable state, on unwritable files.
    pub async fn start(options: Options) -> Result<Self, EmulatorError> {
        let listen = options.listen;
        if !listen.ip().is_loopback() {
            return Err(EmulatorError::NotLoopback { listen });
        }
        let cannot_listen = |source| EmulatorError::Listen { listen, source };
        let listener = TcpListener::bind(listen).map_err(cannot_listen)?;
        listener.set_nonblocking(true).map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;

        let tls = options.tls.clone().map_or_else(Tls::generate, Ok)?;
        let now = ticks(options.clock.now());
        let (directory, operator, mut places) = load_or_create(&options, now)?;
        places.key_vaults.set_operator(operator.service_principal_id);
        let signer = Signer::generate()?;
        let mut tenant = Tenant::new(directory, signer, options.quirks.clone(), address.port(), options.manual_clock);
        tenant.clock_rate = options.clock_rate;
        tenant.places = places;
        let shared = Arc::new(Shared {
            clock: Arc::clone(&options.clock),
            in_flight: AtomicUsize::new(0),
            lines: Lines::default(),
            requests: AtomicU64::new(0),
            tenant: Mutex::new(tenant),
        });

        let handle = Handle::new();
        // HTTP/1.1 only: a fault cuts the connection of one request, not of those beside it.
        let config = RustlsConfig::from_config(tls.server(&["http/1.1"])?);
        let lines = shared.lines.clone();
        let server = from_tcp_rustls(listener, config)
            .map_err(cannot_listen)?
            .map(|acceptor| acceptor.acceptor(lines))
            .handle(handle.clone());
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let task = tokio::spawn(server.serve(router.into_make_service_with_connect_info::<SocketAddr>()));
        let machine = options.imds.map(|listen| {
            let fresh = !shared.lock().directory.principals().any(|one| one.own_name.as_deref() == Some(MACHINE));
            Machine::start(listen, Arc::clone(&shared), fresh)
        });
        let machine = machine.transpose()?;
        let emulator = Self { address, handle, machine, operator, options, shared, task: Some(task), tls };
        emulator.write_files()?;
        emulator.save()?;
        Ok(emulator)
    }

    /// An emulator in memory that listens nowhere: it is asked by [`Emulator::exchange`], under the address of its
    /// options. `key` signs its tokens.
    ///
    /// # Errors
    /// When its certificate or its operator cannot be made.
    pub fn inside(options: Options, key: &TokenKey) -> Result<Self, EmulatorError> {
        let options = Options { dir: None, imds: None, ..options };
        let now = ticks(options.clock.now());
        let mut directory = Directory::new(options.seed, now);
        let operator = Operator::with_secret(&mut directory, now)?;
        let tls = options.tls.clone().map_or_else(Tls::generate, Ok)?;
        let address = options.listen;
        let quirks = options.quirks.clone();
        let mut tenant = Tenant::new(directory, key.0.clone(), quirks, address.port(), options.manual_clock);
        tenant.places.key_vaults.set_operator(operator.service_principal_id);
        let shared = Arc::new(Shared {
            clock: Arc::clone(&options.clock),
            in_flight: AtomicUsize::new(0),
            lines: Lines::default(),
            requests: AtomicU64::new(0),
            tenant: Mutex::new(tenant),
        });
        Ok(Self { address, handle: Handle::new(), machine: None, operator, options, shared, task: None, tls })
    }

    /// Answers a request without a socket; `None` where a client would see its line cut, or wait for ever.
    pub fn exchange(&self, request: axum::http::Request<Bytes>) -> Option<axum::http::Response<Vec<u8>>> {
        exchange(&self.shared, request)
    }

    /// Where it listens: `https://127.0.0.1:8443`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority that clients have to trust, in PEM.
    pub fn ca_pem(&self) -> &str {
        self.tls.ca_pem()
    }

    /// The certificate it serves with, for a mail catcher beside it.
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Where the managed identity endpoints listen: `http://127.0.0.1:8444`.
    pub fn imds_url(&self) -> Option<String> {
        self.machine.as_ref().map(|machine| format!("http://{}", machine.address))
    }

    /// The tenant's id.
    pub fn tenant_id(&self) -> Uuid {
        self.shared.lock().directory.tenant_id()
    }

    /// The app registration that may manage others.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Requests being answered right now.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::SeqCst)
    }

    /// Requests answered or begun since the start.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Reads or changes the tenant directly, at the emulator's present instant: for seeding and for tests.
    pub fn with_directory<T>(&self, work: impl FnOnce(&mut Directory, Timestamp) -> T) -> T {
        let now = self.shared.now();
        let mut tenant = self.shared.lock();
        tenant.settle(now);
        tenant.before_write(now);
        work(&mut tenant.directory, now)
    }

    /// The mails sent through Graph, oldest first.
    pub fn mails(&self) -> Vec<CaughtMail> {
        self.shared.lock().mails().cloned().collect()
    }

    /// Changes how the service misbehaves, from the next request on.
    pub fn set_quirks(&self, quirks: Quirks) {
        self.shared.lock().quirks = quirks;
    }

    /// Queues a fault.
    pub fn inject(&self, fault: impl Into<Rule>) {
        self.shared.lock().faults.push(fault.into());
    }

    /// Follows a plan of faults from its beginning, in place of all that waited.
    pub fn follow(&self, plan: &FaultPlan) {
        let mut tenant = self.shared.lock();
        tenant.faults.follow(plan);
        if let Some(quirks) = &plan.quirks {
            tenant.quirks = quirks.clone();
        }
    }

    /// Drops the faults that still wait.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// What was called since the start, or since [`Emulator::clear_log`].
    pub fn log(&self) -> Vec<LogEntry> {
        self.shared.lock().log.entries().cloned().collect()
    }

    /// Forgets what was called.
    pub fn clear_log(&self) {
        self.shared.lock().log.clear();
    }

    /// Requests that queued faults still wait for.
    pub fn faults_waiting(&self) -> u32 {
        self.shared.lock().faults.waiting()
    }

    /// Writes the state to `dir`; does nothing for an emulator in memory.
    pub fn save(&self) -> Result<(), EmulatorError> {
        let Some(dir) = &self.options.dir else { return Ok(()) };
        let now = self.shared.now();
        let mut tenant = self.shared.lock();
        tenant.settle(now);
        files::save(dir, self.address, &self.operator, &tenant.directory, &tenant.places, now)
    }

    /// Finishes the requests being answered, stops listening, and saves.
    pub async fn stop(mut self) -> Result<(), EmulatorError> {
        self.handle.graceful_shutdown(Some(STOP_GRACE));
        if let Some(task) = self.task.take() {
            // The server ends by our own request; how it ended changes nothing for the state.
            let _ = task.await;
        }
        self.save()
    }

    fn write_files(&self) -> Result<(), EmulatorError> {
        let Some(dir) = &self.options.dir else { return Ok(()) };
        let clock = if self.options.manual_clock { "manual" } else { "running" };
        let places = self.shared.lock().places.clone();
        files::write_guide(&files::Guide {
            ca_pem: self.ca_pem(),
            clock,
            dir,
            machine: self.machine.as_ref(),
            mail: self.options.mail.as_ref(),
            now: self.shared.now(),
            operator: &self.operator,
            places: &places,
            policies: &self.options.policies,
            tenant_id: self.tenant_id(),
            url: &self.url(),
        })
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

fn load_or_create(options: &Options, now: Timestamp) -> Result<(Directory, Operator, Places), EmulatorError> {
    if let Some(dir) = &options.dir {
        files::create_dir(dir)?;
        if let Some((mut directory, operator, places)) = files::load(dir)? {
            directory.resume(options.seed);
            return Ok((directory, operator, places));
        }
    }
    let mut directory = Directory::new(options.seed, now);
    let operator = Operator::create(&mut directory, now)?;
    directory
        .sow_crowd(options.seed_apps, now)
        .map_err(|refusal| EmulatorError::crypto("seeded applications", format!("{refusal:?}")))?;
    if let Some(dir) = &options.dir {
        files::write_operator(dir, &operator)?;
    }
    Ok((directory, operator, Places::default()))
}

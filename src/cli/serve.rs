//! `everkey serve`: the daemon; with `--once` one cycle of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::mpsc;

use super::OK;
use super::apply::Job;
use super::args::Cli;
use super::args::DaemonArgs;
use super::args::Global;
use super::context::Context;
use super::guard;
use super::output::Output;
use super::signals;
use crate::assemble;
use crate::clock::Clock as _;
use crate::clock::SystemClock;
use crate::config;
use crate::daemon::Driver;
use crate::daemon::End;
use crate::daemon::Loaded;
use crate::daemon::Loader;
use crate::daemon::Logged;
use crate::daemon::Signal;
use crate::daemon::Status;
use crate::error::Class;
use crate::error::Error;
use crate::health;
use crate::policy::StoreUrl;
use crate::ports::Fence;
use crate::ports::StoreError;
use crate::run::Engine;
use crate::run::explain;

/// How often a daemon that stands by asks whether the other one is gone.
const STAND_BY: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);

/// Runs it.
pub async fn run(cli: &Cli, args: &DaemonArgs, out: &Output) -> Result<u8, Error> {
    let context = Context::open(cli).await?;
    guard::new_store(&context, args.new_store).await?;
    // One daemon, or one cycle of it, at a time.
    if args.once {
        let lead = context.assembled.ports.store.lead(&config::holder(), config::real_now()).await;
        lead.map_err(|error| explain::store(&error))?;
        let job = Job {
            out,
            policies: &context.policies,
            asked: &[],
            yes: true,
            max_changes: None,
            pace: context.scheduled(),
            command: "serve",
        };
        return job.run(&context, None).await;
    }
    let (stop, mut signals) = signals::for_daemon()?;
    let serve = context.settings.tool.serve.as_ref();
    let listen = args.listen.or(serve.map(|serve| serve.listen));
    let status = Arc::new(Status::new(Arc::clone(&context.assembled.ports.clock)));
    let answering = async || match listen {
        Some(address) => answer(address, &status).await.map(Some),
        None => Ok(None),
    };
    // One that stands by is asked as well, and must not be taken for dead. Beside a store in a file there is none, and a
    // second one must hear of the first, not of its address.
    let replicas = matches!(context.settings.tool.store, StoreUrl::Postgres(_));
    let early = if replicas { answering().await? } else { None };
    let listens = early.as_ref().map(|(address, _)| *address);
    let Some(context) = lead(&cli.global, context, &mut signals, &status, listens).await? else {
        return Ok(stopped(out));
    };
    let listening = if replicas { early } else { answering().await? };
    let listens = listening.as_ref().map(|(address, _)| *address);
    status.leads();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        tenant = context.settings.tenant_name,
        policies = context.policies.len(),
        listen = listens.map(tracing::field::display),
        emulator = context.settings.tenant.emulator,
        "started"
    );
    if context.assembled.ports.notifier.is_none() {
        tracing::warn!("everkey.toml has no [mail]: nobody is told by mail");
    }
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let end = driver(cli, context, stop, signals, status).run().await;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    if let Some((_, answering)) = listening {
        answering.abort();
    }
    match end? {
        End::Stopped => Ok(stopped(out)),
        End::TakenOver => Err(explain::store(&StoreError::Fenced)),
    }
}

fn stopped(out: &Output) -> u8 {
    tracing::info!("stopped at a safe point");
    out.document(&json!({"schema": "everkey.serve/v1", "outcome": "stopped"}));
    OK
}

/// Makes this process the one daemon of the store. Beside a store in a file a second one is a mistake, and is told so; on
/// PostgreSQL it is a replica, which stands by until the other one is gone. `None`: told to stop before that.
async fn lead(
    global: &Global,
    context: Context,
    signals: &mut mpsc::Receiver<Signal>,
    status: &Status,
    listens: Option<SocketAddr>,
) -> Result<Option<Context>, Error> {
    let replicas = matches!(context.settings.tool.store, StoreUrl::Postgres(_));
    let mut waited = false;
    loop {
        match context.assembled.ports.store.lead(&config::holder(), config::real_now()).await {
            Ok(()) if !waited => return Ok(Some(context)),
            Ok(()) => {
                tracing::info!("leads now");
                // The files may have changed while it stood by.
                let again = reread(global, &context).await;
                return Ok(Some(again.unwrap_or_else(|error| {
                    tracing::error!(code = error.code, what = error.what, "the configuration it started with stays");
                    context
                })));
            }
            Err(StoreError::Held { holder, since }) if replicas => {
                if !waited {
                    let listen = listens.map(tracing::field::display);
                    tracing::info!(%holder, %since, listen, "stands by: another daemon leads");
                    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
                }
                waited = true;
                status.stands_by(true);
            }
            // The server restarts, and the other daemon may be gone afterwards.
            Err(error @ (StoreError::Busy(_) | StoreError::Unreachable(_))) if waited => {
                tracing::warn!(%error, "stands by")
            }
            Err(error) => return Err(explain::store(&error)),
        }
        tokio::select! {
            () = SystemClock.sleep_until(SystemClock.now() + STAND_BY) => {}
            signal = signals.recv() => if matches!(signal, Some(Signal::Stop) | None) { return Ok(None) },
        }
    }
}

/// Answers health questions on `address`; where it really listens.
async fn answer(address: SocketAddr, status: &Arc<Status>) -> Result<(SocketAddr, tokio::task::JoinHandle<()>), Error> {
    let refused = |error: std::io::Error| {
        Error::new(Class::Config, "C014", format!("cannot listen on {address}"))
            .why(error)
            .help("choose another --listen or [serve] listen; a port below 1024 needs a right of its own")
    };
    let listener = health::listen(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    let status = Arc::clone(status);
    Ok((bound, tokio::spawn(health::serve(listener, Arc::new(move || status.ready())))))
}

fn driver(
    cli: &Cli,
    context: Context,
    stop: Arc<AtomicBool>,
    signals: mpsc::Receiver<Signal>,
    status: Arc<Status>,
) -> Driver {
    let options = context.options(context.scheduled(), &context.policies);
    let ports = context.assembled.ports.clone();
    let policies = context.policies.clone();
    // No right to write yet: no epoch of a store is 0.
    let engine = Engine::new(ports.clone(), Fence(0), options, Arc::new(Logged), stop).concerning(&policies);
    Driver {
        engine,
        policies,
        clock: ports.clock,
        store: ports.store,
        mails: ports.notifier.is_some(),
        holder: config::holder(),
        status,
        loader: Box::new(Files { global: cli.global.clone(), context }),
        signals,
    }
}

/// Reads the files again that the daemon was started with.
struct Files {
    global: Global,
    context: Context,
}

#[async_trait]
impl Loader for Files {
    async fn load(&self) -> Result<Loaded, Error> {
        let context = reread(&self.global, &self.context).await?;
        let options = context.options(context.scheduled(), &context.policies);
        Ok(Loaded { ports: context.assembled.ports, options, policies: context.policies })
    }
}

/// The files as they are now, on the store that is open.
async fn reread(global: &Global, before: &Context) -> Result<Context, Error> {
    let settings = config::load(&global.config, global.policy.as_deref(), global.tenant.as_deref())?;
    let fixed = [
        ("tenant", settings.tenant.tenant_id == before.settings.tenant.tenant_id),
        ("store", settings.tool.store == before.settings.tool.store),
        ("[seal]", settings.tool.seal == before.settings.tool.seal),
    ];
    if let Some((what, _)) = fixed.iter().find(|(_, same)| !same) {
        return Err(Error::new(Class::Config, "C015", format!("{what} changed, and a reload cannot change it"))
            .help("restart the daemon to take it over"));
    }
    let policies = settings.policies()?;
    let assembled = assemble::reassemble(&settings, &before.assembled).await?;
    Ok(Context { settings, policies, assembled })
}

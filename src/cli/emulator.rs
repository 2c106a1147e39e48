//! `everkey emulator serve`: the emulator by itself, until it is stopped.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::OK;
use super::args::Cli;
use super::args::EmulatorArgs;
use super::args::EmulatorCommand;
use super::args::ServeArgs;
use super::faults;
use super::output::Output;
use crate::clock::Clock;
use crate::clock::OffsetClock;
use crate::clock::SystemClock;
use crate::emulator;
use crate::emulator::Emulator;
use crate::emulator::EmulatorError;
use crate::emulator::Options;
use crate::error::Class;
use crate::error::Error;

/// Where it listens unless told otherwise.
const DEFAULT_LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8443);

/// Runs it.
pub async fn run(cli: &Cli, args: &EmulatorArgs, out: &Output) -> Result<u8, Error> {
    let EmulatorCommand::Serve(args) = &args.command;
    let saved = emulator::saved(&args.dir).map_err(said)?;
    let listen =
        args.listen.or(saved.as_ref().map(|saved| saved.listen)).unwrap_or_else(|| SocketAddr::from(DEFAULT_LISTEN));
    let clock = clock(args, saved.map(|saved| saved.clock))?;
    let plan = faults::plan(args)?;
    let mut options = Options::new(clock);
    options.quirks = plan.quirks.clone().unwrap_or_default();
    options.clock_rate = args.clock_rate;
    options.dir = Some(args.dir.clone());
    options.listen = listen;
    (options.seed, options.seed_apps) = (args.seed, args.seed_apps as usize);
    options.imds = args.imds;
    if let Some(policies) = &cli.global.policy {
        options.policies.clone_from(policies);
    }
    let (_, woken) = super::signals::stop_on_signal();
    let emulator = Emulator::start(options).await.map_err(said)?;
    emulator.follow(&plan);
    let machine = emulator.imds_url().map_or_else(String::new, |imds| {
        format!("Managed identity on {imds}. To use it:  export AZURE_POD_IDENTITY_AUTHORITY_HOST={imds}\n")
    });
    out.print(&format!(
        "Entra emulator on {} (login, Graph, Key Vault). CA: {}. Operator: {}\n{machine}",
        emulator.url(),
        args.dir.join("ca.pem").display(),
        args.dir.join("emulator.json").display(),
    ));
    out.say(&format!(
        "Ready configuration:  everkey -C {} plan\nStop with Ctrl-C; the state is saved.",
        args.dir.join("everkey.toml").display()
    ));
    woken.notified().await;
    emulator.stop().await.map_err(said)?;
    out.say("Saved and stopped.");
    Ok(OK)
}

fn clock(args: &ServeArgs, saved: Option<Timestamp>) -> Result<Arc<dyn Clock>, Error> {
    match (args.clock.as_deref(), saved) {
        (None, None) | (Some("real"), _) if args.clock_rate == 1 => Ok(Arc::new(SystemClock)),
        (None, None) | (Some("real"), _) => Ok(Arc::new(OffsetClock::starting_at(SystemClock.now(), args.clock_rate))),
        (None, Some(saved)) => Ok(Arc::new(OffsetClock::starting_at(saved, args.clock_rate))),
        (Some(text), _) => {
            let start = text.parse().map_err(|error| {
                Error::new(Class::Usage, "U008", format!("--clock {text:?} is no instant"))
                    .why(error)
                    .help("write 2026-11-20T09:00:00Z, or real")
            })?;
            Ok(Arc::new(OffsetClock::starting_at(start, args.clock_rate)))
        }
    }
}

/// An emulator's error for the user.
pub fn said(error: EmulatorError) -> Error {
    let mut why = Vec::new();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        why.push(cause.to_string());
        source = cause.source();
    }
    let mut said = Error::new(Class::Failed, "E010", error.to_string())
        .help("choose another --listen or --dir; the emulator binds loopback addresses only");
    said.why = why;
    said
}

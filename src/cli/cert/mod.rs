//! `everkey cert`: certificates from the command line, one file per command.

mod codes;
mod convert;
mod csr;
mod expiring;
mod files;
mod import;
mod inspect;
mod issue;
mod password;
mod record;
mod request;
mod set;
mod sign;
mod verify;
mod words;

pub mod authority;

use super::args::CertArgs;
use super::args::CertCommand;
use super::args::Cli;
use super::output::Output;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::model::CertProfile;

pub use codes::CODES;

/// Runs it.
pub async fn run(cli: &Cli, args: &CertArgs, out: &Output) -> Result<u8, Error> {
    match &args.command {
        CertCommand::Convert(args) => convert::run(args, out).await,
        CertCommand::Csr(args) => csr::run(args, out).await,
        CertCommand::Expiring(args) => expiring::run(args, out),
        CertCommand::Import(args) => import::run(args, out).await,
        CertCommand::Inspect(args) => inspect::run(args, out).await,
        CertCommand::Issue(args) => issue::run(cli, args, out).await,
        CertCommand::Answer(args) => request::answer(cli, args, out).await,
        CertCommand::Request(args) => request::show(cli, args, out).await,
        CertCommand::Sign(args) => sign::run(cli, args, out).await,
        CertCommand::Verify(args) => verify::run(args, out).await,
    }
}

/// The profile of this name; the built-in one needs no configuration.
fn profile(cli: &Cli, name: &str) -> Result<CertProfile, Error> {
    if name == CertProfile::ENTRA_CLIENT {
        return Ok(CertProfile::entra_client());
    }
    let settings = config::load(&cli.global.config, cli.global.policy.as_deref(), cli.global.tenant.as_deref())?;
    let known: Vec<&str> = settings.tool.profiles.keys().map(String::as_str).collect();
    settings.tool.profiles.get(name).cloned().ok_or_else(|| {
        Error::new(Class::Usage, "K023", format!("there is no profile {name:?}"))
            .help(format!("known: {}; describe others in [profiles.NAME] of everkey.toml", known.join(", ")))
    })
}

/// Notes below a result.
fn noted(notes: &[String]) -> String {
    notes.iter().map(|note| format!("Note: {note}.\n")).collect()
}

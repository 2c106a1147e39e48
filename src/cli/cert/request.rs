//! `everkey cert request` and `cert answer`: the request of an integration with `issuer = "csr"` goes out to a CA, and
//! the certificate comes back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use super::files;
use super::record;
use crate::cli::OK;
use crate::cli::args::AnswerArgs;
use crate::cli::args::Cli;
use crate::cli::args::RequestArgs;
use crate::cli::context::Context;
use crate::cli::output::Output;
use crate::cli::output::note;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::model::CredentialKind;
use crate::model::IntegrationName;
use crate::model::Rotation;
use crate::model::SlotName;
use crate::rotation::certificate_due;
use crate::run::Pace;
use crate::run::Quiet;
use crate::run::RunError;
use crate::run::issue::waiting_request;

/// `NAME` or `NAME/SLOT`.
fn selector(text: &str) -> (IntegrationName, Option<SlotName>) {
    match text.split_once('/') {
        Some((name, slot)) => (IntegrationName::from(name), Some(SlotName::from(slot))),
        None => (IntegrationName::from(text), None),
    }
}

/// Shows the request, or writes it to a file.
pub async fn show(cli: &Cli, args: &RequestArgs, out: &Output) -> Result<u8, Error> {
    let name = &args.integration;
    let context = Context::open(cli).await?;
    let (integration, slot) = selector(name);
    context.only(&[integration.to_string()])?;
    let store = context.assembled.ports.store.as_ref();
    let r = waiting_request(store, &integration, slot.as_ref()).await.map_err(RunError::into_error)?;
    let pem = r.request.clone().unwrap_or_default();
    match &args.out {
        Some(path) => {
            config::write_file(path, pem.as_bytes())?;
            out.print(&format!("Wrote {}   the certificate request of {integration}\n", path.display()));
        }
        None => out.print(&pem),
    }
    if let Some(due) = certificate_due(&r) {
        note(&format!("The certificate should be back by {}.", due.strftime("%Y-%m-%d")));
    }
    note(&format!("When it is:  everkey cert answer {name} FILE"));
    out.document(&json!({
        "schema": "everkey.cert/v1", "integration": integration, "slot": r.spec.slot, "subject": subject(&r),
        "request": pem, "due": certificate_due(&r),
    }));
    Ok(OK)
}

/// Takes the certificate back.
pub async fn answer(cli: &Cli, args: &AnswerArgs, out: &Output) -> Result<u8, Error> {
    let (name, file) = (&args.integration, &args.file);
    let context = Context::open(cli).await?;
    let (integration, slot) = selector(name);
    let policies = context.only(&[integration.to_string()])?;
    let given = files::read(file)?;
    let who = record::actor(args.by.as_deref());
    let held = context.engine(Pace::Now, Arc::new(Quiet), Arc::new(AtomicBool::new(false)), &policies).await?;
    let taken = held.engine.take_certificate(&integration, slot.as_ref(), given.expose(), &who).await;
    held.release().await?;
    let r = taken.map_err(|error| invalid(error, file))?;
    let fresh = r.fresh.as_ref();
    let thumbprint = fresh.and_then(|fresh| fresh.thumbprint.as_ref()).map(ToString::to_string).unwrap_or_default();
    let end = fresh.map(|fresh| fresh.end);
    let until = end.map(|end| end.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
    out.print(&format!("Took the certificate of {integration}, thumbprint {thumbprint}, valid to {until}.\n"));
    out.say(&format!("Next: everkey apply --only {integration}"));
    out.document(&json!({
        "schema": "everkey.cert/v1", "integration": integration, "slot": r.spec.slot, "subject": subject(&r),
        "thumbprint_sha1": thumbprint, "not_after": end,
    }));
    Ok(OK)
}

fn subject(r: &Rotation) -> Option<&str> {
    match &r.spec.kind {
        CredentialKind::Certificate(spec) => Some(&spec.subject),
        CredentialKind::ClientSecret => None,
    }
}

/// What is wrong with the file is the file's fault: exit 65.
fn invalid(error: RunError, file: &Path) -> Error {
    let error = error.into_error();
    if error.code == "R052" {
        return error;
    }
    Error { class: Class::Data, ..error }.help(format!("nothing was changed; check {}", file.display()))
}

//! `everkey drill`: a throw-away secret on an integration's application, used once and removed, told step by step.

use std::sync::Arc;

use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::DrillArgs;
use super::ask;
use super::context::Context;
use super::output::Output;
use super::output::clean;
use super::signals::stop_on_signal;
use crate::assemble;
use crate::entra::claims;
use crate::error::Class;
use crate::error::Error;
use crate::graph::Patience;
use crate::model::AppRef;
use crate::policy::Policy;
use crate::run::Pace;
use crate::run::Quiet;
use crate::run::RunError;
use crate::run::drill::Drilled;
use crate::run::drill::Evidence;
use crate::run::explain;

/// One of these is enough, the least first.
const WRITES: [&str; 2] = ["Application.ReadWrite.OwnedBy", "Application.ReadWrite.All"];

/// Runs it.
pub async fn run(cli: &Cli, args: &DrillArgs, out: &Output) -> Result<u8, Error> {
    let Some(name) = &args.name else { return super::sandbox::run(cli, args, out).await };
    let context = Context::open(cli).await?;
    let policies = context.only(std::slice::from_ref(name))?;
    let Some(policy) = policies.first() else {
        return Err(Error::new(Class::Usage, "U002", "no policy matches").help("see `everkey status`"));
    };
    super::guard::new_store(&context, args.new_store).await?;
    let app = match application(&context, policy).await {
        Ok(app) => app,
        Err(error) => return Err(with_rights(&context, error).await),
    };
    let (stop, woken) = stop_on_signal();
    out.print(&format!(
        "Drill of {}: a client secret is added to {:?} for a moment, used once and removed. Nothing that is in use is touched.{}\n",
        policy.name, policy.app.display_name, context.assembled.clock_note
    ));
    if !args.yes {
        ask::confirm(out, "Do it?", &woken).await.map_err(RunError::into_error)?;
    }
    let held = context.engine(Pace::Now, Arc::new(Quiet), stop, &policies).await?;
    let tell = |evidence: &Evidence| out.print(&line(evidence));
    let drilled = held.engine.drill(&policy.name, &app, policy.app.audience, &tell).await;
    held.release().await?;
    let mut drilled = drilled.map_err(RunError::into_error)?;
    if let Some(error) = drilled.error.take() {
        drilled.error = Some(with_rights(&context, error).await);
    }
    conclude(policy, &app, drilled, out)
}

/// The application of the journal, or the one that the policy adopts.
async fn application(context: &Context, policy: &Policy) -> Result<AppRef, Error> {
    let ports = &context.assembled.ports;
    let records = ports.store.integrations().await.map_err(|error| explain::store(&error))?;
    if let Some(record) = records.into_iter().find(|record| record.name == policy.name) {
        return Ok(record.app);
    }
    let found = match &policy.app.client_id {
        Some(client_id) => ports.directory.find_application(client_id).await,
        None => Ok(None),
    };
    found.map_err(|error| explain::explain(&error, "find the application"))?.ok_or_else(|| {
        Error::new(Class::Failed, "R060", format!("{} has no application to drill on", policy.name)).help(format!(
            "make it: everkey apply --only {}; or name one that exists: app_id in {}",
            policy.name,
            policy.file.display()
        ))
    })
}

/// Says of a refusal what everkey's own token lacks.
pub(super) async fn with_rights(context: &Context, error: Error) -> Error {
    if error.code != "G012" {
        return error;
    }
    let Ok(online) = assemble::online(&context.settings, Patience::NONE).await else { return error };
    let Ok(token) = online.tokens.token().await else { return error };
    let claims = claims(&token);
    let has = if claims.roles.is_empty() { "no application permission".to_owned() } else { claims.roles.join(", ") };
    let error = error.why(format!("everkey's token carries {has}"));
    if claims.roles.iter().any(|role| WRITES.contains(&role.as_str())) {
        let principal = claims.principal_id.map_or_else(|| "EVERKEY-PRINCIPAL".to_owned(), |id| id.to_string());
        return error.why("with OwnedBy everkey must be an owner of the application").help(format!(
            "make it an owner: az ad app owner add --id CLIENT-ID --owner-object-id {principal}; see everkey doctor"
        ));
    }
    error
        .why(format!("missing: {}", WRITES[0]))
        .help("add it to everkey's app registration, with admin consent; see everkey doctor")
}

pub(super) fn line(evidence: &Evidence) -> String {
    let word = if evidence.ok { "ok" } else { "FAIL" };
    let request = evidence.request_id.as_ref().map_or_else(String::new, |id| format!("  request {id}"));
    clean(&format!("  {word:<4} {:<8} {:>6.1} s  {}{request}\n", evidence.step, evidence.seconds, evidence.text))
}

fn conclude(policy: &Policy, app: &AppRef, drilled: Drilled, out: &Output) -> Result<u8, Error> {
    let seconds = |value: Option<f64>| value.map(|value| (value * 10.0).round() / 10.0);
    out.document(&json!({
        "schema": "everkey.drill/v1", "integration": policy.name, "client_id": app.client_id,
        "passed": drilled.error.is_none(), "key_id": drilled.key_id,
        "accepted_after_seconds": seconds(drilled.accepted_after),
        "refused_after_seconds": seconds(drilled.refused_after),
        "steps": drilled.steps, "error": drilled.error,
    }));
    match drilled.error {
        Some(error) => Err(error),
        None => {
            out.print(&format!("Passed. It is in the history: everkey history {}\n", policy.name));
            Ok(OK)
        }
    }
}

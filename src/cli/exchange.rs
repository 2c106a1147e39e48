//! `everkey exchange-script`: the Exchange Online script that limits an app to its mailboxes; a person runs it.

use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::ExchangeArgs;
use super::context::Context;
use super::output::Output;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::policy::exchange;
use crate::run::explain;

/// Runs it.
pub async fn run(cli: &Cli, args: &ExchangeArgs, out: &Output) -> Result<u8, Error> {
    let context = Context::open(cli).await?;
    let policies = context.only(std::slice::from_ref(&args.name))?;
    let Some(policy) = policies.first() else { return Ok(OK) };
    let store = &context.assembled.ports.store;
    let records = store.integrations().await.map_err(|error| explain::store(&error))?;
    let record = records.into_iter().find(|record| record.name == policy.name);
    let missing = || {
        Error::new(Class::Failed, "X010", format!("{} is not provisioned yet", policy.name))
            .why("the script names the application and its service principal")
            .help(format!("everkey apply --only {}", policy.name))
    };
    let record = record.ok_or_else(missing)?;
    let principal = context.assembled.ports.directory.principal(&record.app.client_id).await;
    let principal = principal.map_err(|error| explain::explain(&error, "read the service principal"))?;
    let script = exchange::script(policy, &record.app.client_id, &principal.ok_or_else(missing)?.object_id);
    let Some(script) = script else {
        return Err(Error::new(Class::Failed, "X011", format!("{} limits no mailboxes", policy.name))
            .help("add [mailboxes] to the policy; `everkey schema policy` shows its keys"));
    };
    match &args.out {
        Some(path) => {
            config::write_file(path, script.as_bytes())?;
            out.print(&format!("Wrote {}. A person with the role Exchange Administrator runs it.\n", path.display()));
        }
        None => out.print(&script),
    }
    out.document(&json!({
        "schema": "everkey.exchange-script/v1", "integration": policy.name, "file": args.out, "script": script,
    }));
    Ok(OK)
}

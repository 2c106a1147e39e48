//! `everkey drill --sandbox`: the whole protocol on an application made for it, with a store and sinks that are thrown
//! away, then deleted; told step by step.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::DrillArgs;
use super::ask;
use super::context::Context;
use super::drill::line;
use super::drill::with_rights;
use super::output::Output;
use super::progress::Display;
use super::signals::stop_on_signal;
use crate::assemble;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::plan;
use crate::policy;
use crate::policy::Policy;
use crate::run::Engine;
use crate::run::Pace;
use crate::run::Quiet;
use crate::run::RunError;
use crate::run::drill::Drilled;
use crate::run::drill::Evidence;
use crate::run::drill::Listener;
use crate::run::drill::sandbox;
use crate::run::drill::sandbox::Audience;
use crate::run::drill::sandbox::Sandbox;
use crate::run::explain;

/// Runs it.
pub async fn run(cli: &Cli, args: &DrillArgs, out: &Output) -> Result<u8, Error> {
    let context = Context::open(cli).await?;
    super::guard::new_store(&context, args.new_store).await?;
    let policy = sandbox_policy(&context)?;
    let dir = tempfile::tempdir().map_err(|error| {
        Error::new(Class::Failed, "F010", "cannot make a temporary directory").why(error).help("set TMPDIR")
    })?;
    let (file, content) = sandbox::FURNITURE;
    let sinks = dir.path().join(assemble::THROWN_AWAY_SINKS);
    config::new_private_dir(&sinks)?;
    config::write_file(&sinks.join(file), content.as_bytes())?;
    let ports = assemble::throw_away(&context.assembled, dir.path()).await?;
    let (stop, woken) = stop_on_signal();
    out.print(&format!(
        "Sandbox drill on tenant {}: an application of its own, {:?}, with a client secret and a certificate; each is \
         issued and rotated once through all five steps, then the application is deleted{}. About 20 minutes. Nothing \
         else is touched.{}\n",
        context.settings.tenant_name,
        policy.app.display_name,
        if args.purge { " and the bin emptied of it" } else { "" },
        context.assembled.clock_note
    ));
    if !args.yes {
        ask::confirm(out, "Do it?", &woken).await.map_err(RunError::into_error)?;
    }
    let failed = |error| explain::store(&error);
    let unique_name = plan::unique_name(&ports.store.instance(), &policy);
    let sandbox = Sandbox::new(unique_name, ports.clock.now(), args.purge);
    // The lasting store is held for its mark and its last word only: others go on meanwhile.
    let held = context.engine(Pace::Now, Arc::new(Quiet), Arc::clone(&stop), &[]).await?;
    let announced = held.engine.announce_sandbox(&sandbox).await;
    held.release().await?;
    announced.map_err(RunError::into_error)?;

    let fence = ports.store.acquire(&config::holder(), config::real_now()).await.map_err(failed)?;
    let listener = Arc::new(Listener::default());
    let policies = std::slice::from_ref(&policy);
    let options = context.options(Pace::Now, policies);
    let engine = Engine::new(ports.clone(), fence, options, listener.clone(), stop).concerning(policies);
    let display = Display::new(out, false);
    let tell = |evidence: &Evidence| out.print(&line(evidence));
    let wait = |text: &str| if text.is_empty() { display.rest() } else { display.wait(text) };
    let audience = Audience { tell: &tell, wait: &wait };
    let mut drilled = Drilled::default();
    let played = engine.play_sandbox(&policy, &listener, &audience, &mut drilled).await;
    let gone = engine.delete_sandbox(&sandbox, &audience, &mut drilled).await;
    display.rest();

    if let Err(error) = close(&context, &sandbox, &drilled, matches!(gone, Ok(true))).await {
        // Somebody else leads, say: the mark stays, and nothing is lost but the line in the history.
        out.say(&format!("The history could not be told of it: {} [{}]", error.what, error.code));
    }
    played.map_err(RunError::into_error)?;
    gone.map_err(RunError::into_error)?;
    conclude(&context, &sandbox, drilled, out).await
}

async fn close(context: &Context, sandbox: &Sandbox, drilled: &Drilled, gone: bool) -> Result<(), Error> {
    let held = context.engine(Pace::Now, Arc::new(Quiet), Arc::default(), &[]).await?;
    let closed = held.engine.close_sandbox(sandbox, drilled, gone).await;
    held.release().await?;
    closed.map_err(RunError::into_error)
}

fn sandbox_policy(context: &Context) -> Result<Policy, Error> {
    let text = format!("tenant = \"{}\"\n{}", context.settings.tenant_name, sandbox::POLICY);
    let files = [(PathBuf::from(format!("{}.toml", sandbox::NAME)), text)];
    let read = policy::read_policies(&files, &context.settings.tool);
    let mut policy = read.value.into_iter().next().ok_or_else(|| {
        Error::new(Class::Config, "R067", "the sandbox's policy does not fit this configuration")
            .why(policy::diagnostics::render(&read.diagnostics, &files, false))
            .help("see [defaults] in everkey.toml")
    })?;
    sandbox::hasten(&mut policy);
    Ok(policy)
}

async fn conclude(context: &Context, sandbox: &Sandbox, drilled: Drilled, out: &Output) -> Result<u8, Error> {
    let error = match drilled.error {
        Some(error) => Some(with_rights(context, error).await),
        None => None,
    };
    out.document(&json!({
        "schema": "everkey.drill-sandbox/v1", "unique_name": sandbox.unique_name, "purge": sandbox.purge,
        "passed": error.is_none(), "steps": drilled.steps, "error": error,
    }));
    match error {
        Some(error) => Err(error),
        None => {
            out.print("Passed. It is in the history: everkey history\n");
            Ok(OK)
        }
    }
}

//! `everkey rotate`: now, with overlap, whatever the date.

use super::OK;
use super::apply::Job;
use super::args::Cli;
use super::args::RotateArgs;
use super::context::Context;
use super::output::Output;
use crate::error::Class;
use crate::error::Error;
use crate::model::IntegrationName;
use crate::plan::explain;
use crate::policy::Mode;
use crate::policy::Policy;
use crate::run::Pace;
use crate::run::Quiet;
use crate::run::RunError;

/// Runs it.
pub async fn run(cli: &Cli, args: &RotateArgs, out: &Output) -> Result<u8, Error> {
    let context = Context::open(cli).await?;
    let names: Vec<String> = args.name.iter().cloned().collect();
    let policies: Vec<Policy> =
        context.only(&names)?.into_iter().filter(|policy| has_tag(policy, args.tag.as_deref())).collect();
    if policies.is_empty() {
        return Err(Error::new(Class::Usage, "U002", "no policy matches").help("see `everkey status`"));
    }
    if let (Some(name), Some(policy)) = (&args.name, policies.iter().find(|policy| policy.mode != Mode::Rotate)) {
        let mode = if policy.mode == Mode::Alert { "alert" } else { "watch" };
        return Err(Error::new(Class::Failed, "R043", format!("{name} is not rotated: its mode is \"{mode}\""))
            .why("everkey changes nothing in Entra for it")
            .help(format!("let it: everkey enable {name}")));
    }
    let asked: Vec<IntegrationName> = policies.iter().map(|policy| policy.name.clone()).collect();
    if args.dry_run {
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let held = context.engine(Pace::Now, std::sync::Arc::new(Quiet), stop, &policies).await?;
        let planned = match held.engine.observe(&policies).await {
            Ok(observed) => Ok(held.engine.plan(&policies, &observed, &asked).await),
            Err(error) => Err(error),
        };
        held.release().await?;
        let plan = planned.map_err(RunError::into_error)?;
        out.print(&explain::text(&plan));
        out.document(&super::plan::saved(&plan, &policies, &context));
        return Ok(OK);
    }
    super::guard::new_store(&context, args.new_store).await?;
    let job = Job {
        out,
        policies: &policies,
        asked: &asked,
        yes: args.yes,
        max_changes: None,
        pace: Pace::Now,
        command: "apply",
    };
    job.run(&context, None).await
}

fn has_tag(policy: &Policy, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| {
        let (key, value) = wanted.split_once('=').unwrap_or((wanted, ""));
        policy.tags.get(key).is_some_and(|have| value.is_empty() || have == value)
    })
}

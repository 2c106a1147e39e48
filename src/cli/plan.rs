//! `everkey plan`: what would change, and why.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use serde_json::json;

use super::OK;
use super::PENDING;
use super::args::Cli;
use super::args::PlanArgs;
use super::context::Context;
use super::output;
use super::output::Output;
use crate::config;
use crate::error::Error;
use crate::plan::Plan;
use crate::plan::explain;
use crate::policy::Policy;
use crate::run::Pace;
use crate::run::Quiet;
use crate::run::RunError;

/// Runs it.
pub async fn run(cli: &Cli, args: &PlanArgs, out: &Output) -> Result<u8, Error> {
    let context = Context::open(cli).await?;
    let policies = context.only(&args.only)?;
    let stop = Arc::new(AtomicBool::new(false));
    let held = context.engine(Pace::Now, Arc::new(Quiet), stop, &policies).await?;
    let observed = held.engine.observe(&policies).await;
    let planned = match observed {
        Ok(observed) => Ok((held.engine.plan(&policies, &observed, &[]).await, observed)),
        Err(error) => Err(error),
    };
    held.release().await?;
    let (plan, observed) = planned.map_err(RunError::into_error)?;

    let seen = observed.integrations.values().filter(|seen| seen.app.is_some()).count();
    out.print(&format!(
        "Tenant {} ({}). Read {}, {}. Graph: {}.{}\n\n",
        context.settings.tenant_name,
        context.settings.tenant.tenant_id,
        output::count(policies.len(), "policy", "policies"),
        output::count(seen, "application", "applications"),
        output::count(usize::try_from(observed.requests).unwrap_or(usize::MAX), "request", "requests"),
        context.assembled.clock_note,
    ));
    for note in context.settings.notes(&policies) {
        out.say(&format!("note: {note}"));
    }
    out.print(&explain::text(&plan));
    let document = saved(&plan, &policies, &context);
    // Written first: a document that says all is well must not precede a failure.
    if let Some(path) = &args.out {
        write(path, &document)?;
    }
    out.document(&document);
    if let Some(path) = &args.out {
        out.print(&format!(
            "Saved to {} (expires in 24 h). To do exactly this:  everkey apply {}\n",
            path.display(),
            path.display()
        ));
    }
    Ok(if args.detailed_exitcode && !plan.is_empty() { PENDING } else { OK })
}

/// The plan as a document; it holds no secret.
pub fn saved(plan: &Plan, policies: &[Policy], context: &Context) -> Value {
    let mut document = explain::json(plan, &digest(policies));
    document["tenant_id"] = json!(context.settings.tenant.tenant_id);
    document["plan"] = serde_json::to_value(plan).unwrap_or_default();
    document
}

/// One digest over the digests of all policies.
pub fn digest(policies: &[Policy]) -> String {
    let all: String = policies.iter().map(|policy| format!("{} {}\n", policy.name, policy.digest)).collect();
    crate::secret::Fingerprint::of(all.as_bytes()).0
}

fn write(path: &Path, document: &Value) -> Result<(), Error> {
    config::write_file(path, format!("{document:#}\n").as_bytes())
}

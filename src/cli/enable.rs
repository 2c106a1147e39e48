//! `everkey enable`: from watching to rotating, by one line of the policy.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::EnableArgs;
use super::args::Form;
use super::ask;
use super::context::Context;
use super::output::Output;
use super::signals::stop_on_signal;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::plan::Plan;
use crate::plan::explain;
use crate::policy;
use crate::policy::Mode;
use crate::policy::Policy;
use crate::policy::Severity;
use crate::run::Pace;
use crate::run::Quiet;
use crate::run::RunError;

/// Runs it.
pub async fn run(cli: &Cli, args: &EnableArgs, out: &Output) -> Result<u8, Error> {
    let context = Context::open(cli).await?;
    let Some(policy) = context.only(std::slice::from_ref(&args.name))?.pop() else {
        return Err(Error::new(Class::Usage, "U002", "no policy matches").help("see `everkey status`"));
    };
    if policy.mode == Mode::Rotate {
        out.print(&format!("{} is enabled already.\n", policy.name));
        out.document(&json!({"schema": "everkey.enable/v1", "integration": policy.name, "changed": false}));
        return Ok(OK);
    }
    let before = config::read_file(&policy.file)?;
    let after = policy::edit::enabled(&before).map_err(|why| {
        not_yet(&policy, "the file cannot be edited here")
            .why(why)
            .help(format!("write mode = \"rotate\" into {} yourself", policy.file.display()))
    })?;
    let enabled = checked(&context, &policy, &after)?;
    let plan = planned(&context, &enabled).await?;
    let missing: Vec<&str> = plan
        .waiting
        .iter()
        .filter(|waiting| waiting.what == "application")
        .map(|waiting| waiting.text.as_str())
        .collect();
    if !missing.is_empty() {
        let help = "correct app_id, or leave it out and everkey makes the application";
        return Err(missing
            .iter()
            .fold(not_yet(&policy, "the plan refuses it"), |error, why| error.why(why))
            .help(help));
    }
    out.print(&format!("{}\n{}", policy.file.display(), difference(&before, &after)));
    out.print(&format!(
        "\nFrom then on everkey does this by itself, on the policy's schedule:\n{}",
        explain::text(&plan)
    ));
    if !args.yes {
        let (_, woken) = stop_on_signal();
        let question = format!("Let everkey rotate {}?", policy.name);
        ask::confirm(out, &question, &woken).await.map_err(RunError::into_error)?;
    }
    config::rewrite_file(&policy.file, &before, &after)?;
    if out.form() == Form::Table {
        out.print(&format!(
            "Enabled. A running daemon takes it over with SIGHUP; by hand: everkey apply --only {}\n",
            policy.name
        ));
    }
    out.document(
        &json!({"schema": "everkey.enable/v1", "integration": policy.name, "changed": true, "file": policy.file}),
    );
    Ok(OK)
}

fn not_yet(policy: &Policy, what: &str) -> Error {
    Error::new(Class::Failed, "R042", format!("{} cannot be enabled yet: {what}", policy.name))
}

/// The policy as it would be; refused with every reason.
fn checked(context: &Context, policy: &Policy, after: &str) -> Result<Policy, Error> {
    let mut files = policy::load_dir(&context.settings.policies_dir)?.value;
    for (path, text) in &mut files {
        if same(path, &policy.file) {
            after.clone_into(text);
        }
    }
    let read = policy::read_policies(&files, &context.settings.tool);
    let wrong: Vec<String> = read
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .map(|found| {
            format!(
                "{}:{}:{} [{}] {}",
                found.file.display(),
                found.start.line,
                found.start.column,
                found.code,
                found.summary
            )
        })
        .collect();
    if !wrong.is_empty() {
        let error = not_yet(policy, "its policy lacks what rotating needs");
        return Err(wrong
            .iter()
            .fold(error, |error, why| error.why(why))
            .help("add it to the file; nothing was changed"));
    }
    let found = read.value.into_iter().find(|found| found.name == policy.name && found.mode == Mode::Rotate);
    found.ok_or_else(|| not_yet(policy, "its file was not found again"))
}

fn same(one: &Path, other: &Path) -> bool {
    one.file_name() == other.file_name()
}

async fn planned(context: &Context, policy: &Policy) -> Result<Plan, Error> {
    let policies = std::slice::from_ref(policy);
    let (stop, _) = stop_on_signal();
    let held = context.engine(Pace::Now, Arc::new(Quiet), stop, policies).await?;
    let planned = match held.engine.observe(policies).await {
        Ok(observed) => Ok(held.engine.plan(policies, &observed, &[]).await),
        Err(error) => Err(error),
    };
    held.release().await?;
    planned.map_err(RunError::into_error)
}

/// The lines that change; everything else stays as it is.
fn difference(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let removed = old[head..old.len() - tail].iter().map(|line| format!("  - {line}\n"));
    let added = new[head..new.len() - tail].iter().map(|line| format!("  + {line}\n"));
    removed.chain(added).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_the_changed_lines() {
        assert_eq!(difference("a\nb\nc\n", "a\nB\nc\n"), "  - b\n  + B\n");
        assert_eq!(difference("a\nc\n", "a\nb\nc\n"), "  + b\n");
        assert_eq!(difference("a\na\n", "a\na\na\n"), "  + a\n");
        assert_eq!(difference("a\n", "a\n"), "");
    }
}

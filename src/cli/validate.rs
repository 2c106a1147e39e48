//! `everkey validate`: every problem of every file, with its place. Offline.

use serde_json::Value;

use super::OK;
use super::args::Cli;
use super::args::Form;
use super::args::ValidateArgs;
use super::output::Output;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::policy;
use crate::policy::Severity;

/// Runs it.
pub fn run(cli: &Cli, args: &ValidateArgs, out: &Output) -> Result<u8, Error> {
    let checked = config::check(&cli.global.config, cli.global.policy.as_deref(), &args.paths)?;
    let mut diagnostics = checked.diagnostics;
    if args.strict {
        for diagnostic in &mut diagnostics {
            diagnostic.severity = Severity::Error;
        }
    }
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    match out.form() {
        Form::Csv | Form::Table => {
            let shown = policy::diagnostics::render(&diagnostics, &checked.sources, out.color());
            out.print(&shown);
            if !shown.is_empty() {
                out.print(if shown.ends_with('\n') { "\n" } else { "\n\n" });
            }
            for asked in &checked.asked {
                out.say(asked);
            }
            let invalid = checked.read - checked.valid;
            let mut line = format!("{} policies read: {} valid, {invalid} invalid.", checked.read, checked.valid);
            if !diagnostics.is_empty() {
                line.push_str(&format!(" {}, {}.", count(errors, "error"), count(warnings, "warning")));
            }
            out.print(&format!("{line}\n"));
        }
        Form::Json => {
            let document: Value = serde_json::from_str(&policy::diagnostics::to_json(&diagnostics)).unwrap_or_default();
            out.document(&document);
        }
        Form::Sarif => out.verbatim(&format!("{}\n", policy::diagnostics::to_sarif(&diagnostics))),
    }
    Ok(if errors > 0 { Class::Data.exit_code() } else { OK })
}

fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

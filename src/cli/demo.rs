//! `everkey demo`: the whole job once, offline.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::OK;
use super::args::DemoArgs;
use super::args::Form;
use super::output::Output;
use super::output::raw;
use crate::error::Class;
use crate::error::Error;
use crate::world;
use crate::world::DemoOptions;
use crate::world::Narrator;
use crate::world::Report;

/// When the demo's story begins: the same day each time, so that its calendar is the same.
const START: &str = "2026-11-20T09:00:00Z";

struct Lines {
    shown: bool,
}

impl Narrator for Lines {
    fn line(&self, text: &str) {
        if self.shown {
            raw(&format!("{}\n", super::output::clean(text)), false);
        }
    }
}

/// Runs it.
pub async fn run(args: &DemoArgs, out: &Output) -> Result<u8, Error> {
    let start: Timestamp = START.parse().map_err(|error| Error::new(Class::Failed, "D010", "no start").why(error))?;
    let temporary = match &args.keep {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(|error| {
            Error::new(Class::Failed, "F010", "cannot make a temporary directory").why(error).help("use --keep DIR")
        })?),
    };
    let dir: PathBuf = match (&args.keep, &temporary) {
        (Some(dir), _) => dir.clone(),
        (None, Some(temporary)) => temporary.path().to_path_buf(),
        (None, None) => PathBuf::from("everkey-demo"),
    };
    let options = DemoOptions { dir, start, sabotage: sabotage(args) };
    let narrator = Arc::new(Lines { shown: out.form() == Form::Table });
    let report = world::demo(&options, narrator).await?;
    out.print(&result(&report));
    if let Some(dir) = args.keep.as_ref().filter(|_| report.is_clean()) {
        let dir = dir.display();
        out.print(&format!(
            "\nEverything is in {dir} (mails, files, history). Next:\n  everkey emulator serve --dir {dir}/emulator      \
             and in another terminal\n  everkey -C {dir}/everkey.toml status\n"
        ));
    }
    let document: Value = serde_json::to_value(&report).unwrap_or_default();
    out.document(&document);
    if report.is_clean() {
        return Ok(OK);
    }
    if out.form() == Form::Table {
        out.error(
            &Error::new(Class::Failed, "D010", "a promise was broken: one of the three figures is not zero")
                .help("run it again with --keep DIR and look there"),
        );
    }
    Ok(Class::Failed.exit_code())
}

#[cfg(feature = "mutants")]
fn sabotage(args: &DemoArgs) -> Option<world::Sabotage> {
    args.sabotage
}

#[cfg(not(feature = "mutants"))]
fn sabotage(_args: &DemoArgs) -> Option<world::Sabotage> {
    None
}

fn result(report: &Report) -> String {
    let mut text = format!(
        "RESULT      {} rotations, {} mails, {} hand-offs, {} escalations, {} superseded, {} old credentials removed\n",
        report.rotations, report.mails, report.handoffs, report.escalations, report.superseded, report.retired
    );
    text.push_str(&format!(
        "  Instants with an integration down      {}   (checked {} instants, {} sign-ins)\n",
        report.down, report.instants, report.sign_ins
    ));
    text.push_str(&format!(
        "  Copies of a secret outside its sinks   {}   (scanned {} files for {} secrets)\n",
        report.copies, report.files, report.secrets
    ));
    text.push_str(&format!(
        "  Foreign credentials touched            {}   (of {})\n",
        report.foreign, report.foreign_seeded
    ));
    for finding in report.findings.iter().take(20) {
        text.push_str(&format!("  {finding}\n"));
    }
    text
}

//! `everkey completions` and what answers the shell while somebody types; `everkey man`.

use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::CompletionCandidate;
use clap_complete::engine::ArgValueCandidates;
use clap_complete::env::CompleteEnv;
use clap_complete::env::Shells;
use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::CompletionsArgs;
use super::args::ManArgs;
use super::output;
use super::output::Output;
use crate::config;
use crate::error::Class;
use crate::error::Error;

/// Set by the shell's script when it asks for candidates.
const VARIABLE: &str = "EVERKEY_COMPLETE";
const NAME: &str = "everkey";

/// `everkey completions SHELL`: the script for the shell. It asks this binary, which knows the integrations.
pub fn completions(args: &CompletionsArgs, out: &Output) -> Result<u8, Error> {
    let shell = args.shell.word();
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let known = shells.completer(shell);
    let written = known.map(|one| one.write_registration(VARIABLE, NAME, NAME, NAME, &mut script));
    match written {
        Some(Ok(())) => {
            out.verbatim(&String::from_utf8_lossy(&script));
            Ok(OK)
        }
        _ => Err(Error::new(Class::Failed, "R002", format!("no completions for {shell}")).help("report this defect")),
    }
}

/// Answers the shell; whether it had asked.
pub fn complete(args: &[OsString]) -> bool {
    if config::variable(VARIABLE).is_none() {
        return false;
    }
    let words: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let factory = move || {
        let words = words.clone();
        with_candidates(Cli::command(), &words)
    };
    let here = std::env::current_dir().ok();
    // Whatever goes wrong, a shell in the middle of a line is not to be disturbed.
    CompleteEnv::with_factory(factory).var(VARIABLE).try_complete(args.iter().cloned(), here.as_deref()).unwrap_or(true)
}

/// Names where a command takes them.
fn with_candidates(command: clap::Command, words: &[String]) -> clap::Command {
    let subs: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let given = words.to_vec();
    let mut command = command.mut_args(|argument| {
        let words = given.clone();
        match argument.get_id().as_str() {
            "name" | "names" | "only" | "effective" => {
                argument.add(ArgValueCandidates::new(move || candidates(integrations(&words))))
            }
            "tenant" => argument.add(ArgValueCandidates::new(move || candidates(tenants(&words)))),
            _ => argument,
        }
    });
    for sub in subs {
        command = command.mut_subcommand(sub, |sub| with_candidates(sub, words));
    }
    command
}

fn candidates(names: Vec<String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// The value of a flag on the line, else its variable.
fn given(words: &[String], flags: [&str; 2], variable: &str) -> Option<PathBuf> {
    let at = words.iter().position(|word| flags.contains(&word.as_str()));
    let on_line = at.and_then(|at| words.get(at + 1)).cloned();
    on_line.or_else(|| config::variable(variable)).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn file(words: &[String]) -> PathBuf {
    given(words, ["-C", "--config"], "EVERKEY_CONFIG").unwrap_or_else(|| PathBuf::from("everkey.toml"))
}

fn integrations(words: &[String]) -> Vec<String> {
    let named = given(words, ["-p", "--policy"], "EVERKEY_POLICY");
    let of_configuration = || config::load(&file(words), None, None).ok().map(|settings| settings.policies_dir);
    named.or_else(of_configuration).map(|dir| config::policy_names(&dir)).unwrap_or_default()
}

fn tenants(words: &[String]) -> Vec<String> {
    config::load(&file(words), None, None)
        .map(|settings| settings.tool.tenants.into_keys().collect())
        .unwrap_or_default()
}

/// `everkey man`: a page for each command.
pub fn man(args: &ManArgs, out: &Output) -> Result<u8, Error> {
    let mut root = Cli::command();
    hide_values(&mut root);
    root.build();
    let mut pages = Vec::new();
    collect(&root, NAME, &mut pages)?;
    let Some(dir) = &args.dir else {
        out.verbatim(&pages.remove(0).1);
        return Ok(OK);
    };
    std::fs::create_dir_all(dir).map_err(|error| config::cannot_write(dir, &error))?;
    for (name, page) in &pages {
        config::write_file(&Path::new(dir).join(name), page.as_bytes())?;
    }
    out.print(&format!("Wrote {} to {}\n", output::count(pages.len(), "page", "pages"), dir.display()));
    let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    out.document(&json!({"schema": "everkey.man/v1", "dir": dir, "pages": names}));
    Ok(OK)
}

fn collect(command: &clap::Command, name: &str, pages: &mut Vec<(String, String)>) -> Result<(), Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(|error| {
        Error::new(Class::Failed, "F010", "cannot make a manual page").why(error).help("report this defect")
    })?;
    pages.push((format!("{name}.1"), String::from_utf8_lossy(&page).into_owned()));
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        collect(sub, &format!("{name}-{}", sub.get_name()), pages)?;
    }
    Ok(())
}

/// What stands in somebody's environment is no part of a manual.
fn hide_values(command: &mut clap::Command) {
    *command = std::mem::take(command).mut_args(|argument| argument.hide_env_values(true));
    for sub in command.get_subcommands_mut() {
        hide_values(sub);
    }
}

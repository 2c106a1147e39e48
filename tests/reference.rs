//! The generated pages of `docs/reference`: each is made from the program here and compared with the file.
//!
//! `EVERKEY_UPDATE_DOCS=1 cargo nextest run --test reference` writes them anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::CommandFactory as _;
use everkey::cli::Cli;
use everkey::http::retry::Action;
use everkey::http::retry::LONGEST_WAIT;
use everkey::http::retry::READ_TRIES;
use everkey::http::retry::Safety;
use everkey::http::retry::action;
use everkey::policy;
use everkey::ports::PortError;
use everkey::ports::Refusal;
use everkey::run::codes;
use everkey::run::issuers::ISSUERS;
use everkey::run::places::PLACES;
use everkey::run::signing::SIGNING;
use everkey::run::upkeep::UPKEEP;
use everkey::run::watching::WATCHING;
use serde_json::Value;

/// Says at the top of a page that nobody should edit it.
const GENERATED: &str = "<!-- Generated from the program by tests/reference.rs. Do not edit; see CONTRIBUTING.md. -->";

#[expect(clippy::disallowed_methods, reason = "a switch of this test, not of the program")]
fn updating() -> bool {
    std::env::var_os("EVERKEY_UPDATE_DOCS").is_some()
}

fn compare(page: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(page);
    if updating() {
        fs::write(&path, wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
    assert!(
        found == wanted,
        "docs/reference/{page} is not what the program says (first difference: {differs:?}); \
         EVERKEY_UPDATE_DOCS=1 cargo nextest run --test reference"
    );
}

/// Text that may hold what Markdown would read as HTML.
fn escaped(text: &str) -> String {
    text.replace('<', "&lt;")
}

#[test]
fn error_codes() {
    let mut codes: Vec<(&str, &str, &str, &str)> = [
        codes::CODES,
        everkey::cli::CERT_CODES,
        everkey::cli::FAULT_CODES,
        everkey::cli::SIMULATE_CODES,
        everkey::run::emergencies::EMERGENCIES,
        ISSUERS,
        PLACES,
        SIGNING,
        UPKEEP,
        WATCHING,
    ]
    .concat();
    codes.extend(policy::codes().iter().map(|code| (code.code, code.title, code.explanation, code.help)));
    codes.sort_unstable();
    let unique: BTreeSet<&str> = codes.iter().map(|(code, ..)| *code).collect();
    assert_eq!(unique.len(), codes.len(), "a code is explained twice");

    let mut page = format!(
        "# Error codes\n\n{GENERATED}\n\nEvery error shows its code. `everkey explain CODE` prints what stands here.\n\
         The first letter says where it comes from.\n\n| letter | from |\n|---|---|\n\
         | A | signing in |\n| C | configuration |\n| D | the demo and the simulation |\n| E | the emulator |\n| F | files |\n\
         | G | Microsoft Graph |\n| H | hand-offs |\n| K | keys and certificates |\n| M | mail |\n| P | policy files and `everkey.toml` |\n| R | a run |\n\
         | S | sinks: places where credentials are delivered |\n| T | the store |\n| U | usage |\n| X | Exchange scripts |\n"
    );
    for (code, title, text, fix) in codes {
        assert!(page.contains(&format!("\n| {} |", &code[..1])), "the letter of {code} is not in the table");
        let _ =
            write!(page, "\n## {code}: {}\n\n{}\n\n**What to do:** {}\n", escaped(title), escaped(text), escaped(fix));
    }
    compare("error-codes.md", &page);
}

/// The table of `http::retry::action`, asked for every kind of call and every outcome.
#[test]
fn retries() {
    let place = || "graph.contoso.example".to_owned();
    let refusal = Refusal::default;
    let outcomes = [
        ("no connection", "no", PortError::Unreachable { place: place(), why: String::new() }),
        ("429", "no", PortError::Throttled { retry_after: None, request_id: None }),
        ("401 twice, 403", "no", PortError::Denied(refusal())),
        ("404", "no", PortError::Missing(refusal())),
        ("409, 412", "no", PortError::Conflict(refusal())),
        ("any other 4xx", "no", PortError::Refused(refusal())),
        (
            "408, 5xx, 3xx, reset, timeout, an answer cut short, too long or unreadable",
            "perhaps",
            PortError::Unsure { place: place(), why: String::new(), request_id: None },
        ),
        ("a fault of this machine", "no", PortError::Local(String::new())),
    ];
    let mut page = format!(
        "# What is sent again\n\n{GENERATED}\n\nA redirect is never followed. A 401 renews the token and sends the call once \
         more: it had no effect. Otherwise:\n\n| outcome | took effect? | a read | create a service principal | a change | a \
         sign-in |\n|---|---|---|---|---|---|\n"
    );
    for (outcome, effect, error) in &outcomes {
        let cells = [Safety::Read, Safety::Same, Safety::Write, Safety::SignIn].map(|call| match action(call, error) {
            Action::Again => "again",
            Action::AgainOnceReplicated => "again, if it is a sign of replication",
            Action::Tell => "told",
        });
        let _ = writeln!(page, "| {outcome} | {effect} | {} |", cells.join(" | "));
    }
    let _ = write!(
        page,
        "\n**again**: at most {READ_TRIES} times in all, after `Retry-After` (seconds, decimals or a date; at most {} s) or 1 s, \
         2 s, 4 s, and up to a fifth longer. **if it is a sign of replication**: 5 s later, for what Graph says of an \
         application that was made a moment ago. **told**: the caller decides. A change of unknown outcome is looked for \
         first, and addPassword is never sent again for the same attempt.\n\nAfter the first 429, or when Graph says that four \
         fifths of a limit are used, everkey takes half of what the published limits give the smallest tenant, halved by each \
         later 429, until ten minutes pass without one. A change that may not be sent yet is not sent at all: it counts as \
         throttled.\n",
        LONGEST_WAIT.as_secs()
    );
    compare("retries.md", &page);
}

/// Clap's own commands, without what only test builds have and what the environment would put in.
fn commands() -> clap::Command {
    let mut root = Cli::command()
        .term_width(100)
        .mut_subcommand("demo", |demo| demo.mut_arg("sabotage", |argument| argument.hide(true)))
        .mut_subcommand("simulate", |simulate| simulate.mut_arg("sabotage", |argument| argument.hide(true)));
    hide_values(&mut root);
    root.build();
    for sub in root.get_subcommands_mut() {
        hide_global(sub);
    }
    root
}

/// Flags of every command are described once, at the top.
fn hide_global(command: &mut clap::Command) {
    *command = std::mem::take(command).mut_args(|argument| {
        let everywhere = argument.is_global_set() || argument.get_id() == "help";
        if everywhere { argument.hide(true) } else { argument }
    });
    for sub in command.get_subcommands_mut() {
        hide_global(sub);
    }
}

fn hide_values(command: &mut clap::Command) {
    let owned = std::mem::take(command).mut_args(|argument| argument.hide_env_values(true));
    *command = owned;
    for sub in command.get_subcommands_mut() {
        hide_values(sub);
    }
}

fn described(command: &mut clap::Command, path: &str, page: &mut String) {
    let help: Vec<String> = command.render_long_help().to_string().lines().map(|l| l.trim_end().to_owned()).collect();
    let _ = write!(page, "\n## `{path}`\n\n```text\n{}\n```\n", help.join("\n").trim_end());
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        if let Some(sub) =
            command.find_subcommand_mut(&name).filter(|sub| sub.get_name() != "help" || path == "everkey")
        {
            described(sub, &format!("{path} {name}"), page);
        }
    }
}

#[test]
fn command_line() {
    let mut page = format!(
        "# Commands\n\n{GENERATED}\n\nThe long help of every command. Every flag has an `EVERKEY_` variable; a flag \
         beats its variable.\nNo flag takes a secret. Exit codes: [exit-codes.md](exit-codes.md).\n"
    );
    described(&mut commands(), "everkey", &mut page);
    assert!(!page.contains("sabotage"), "what only test builds have is not for users");
    compare("commands.md", &page);
}

#[test]
fn exit_codes() {
    let output = Command::new(env!("CARGO_BIN_EXE_everkey")).args(["help", "exit-codes"]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for class in [everkey::error::Class::Data, everkey::error::Class::Config, everkey::error::Class::Partly] {
        assert!(text.contains(&format!("\n  {} ", class.exit_code())), "{class:?} is not among the exit codes");
    }
    let page = format!(
        "# Exit codes\n\n{GENERATED}\n\n`everkey help exit-codes` prints this table.\n\n```text\n{text}```\n\n\
         64 to 78 are the numbers of `sysexits.h`. 2 never means an error. 3, 69, 75, 130 and 143 are safe to run \
         again:\neverkey resumes from its journal and repeats nothing that is finished.\n"
    );
    compare("exit-codes.md", &page);
}

#[test]
fn policy_file() {
    let page = schema_page(
        "Policy file",
        "One TOML file per integration, in the directory that `policies` of `everkey.toml` names. JSON with the same \
         keys is\nread as well. `everkey schema policy` prints the JSON Schema that this page is made from; put\n\
         `#:schema FILE` into the first line and an editor completes the keys. Rules that a schema cannot say are \
         among the\n[error codes](error-codes.md), P001 and up; `everkey validate` checks them all at once.",
        &policy::schema_policy(),
    );
    compare("policy.md", &page);
}

#[test]
fn configuration_file() {
    let page = schema_page(
        "Configuration: everkey.toml",
        "One file for the tool. `everkey schema config` prints the JSON Schema that this page is made from. A secret is \
         never\npart of it: keys that end in `_file` name a file (or `credential:NAME`, a systemd credential), keys that \
         end in\n`_env` a variable of the environment. Keys that this release reads but does not act on yet are warned \
         of (P038),\nthose it cannot do are refused (P037).",
        &policy::schema_tool(),
    );
    compare("configuration.md", &page);
}

/// A page with a table for the root and for each definition.
fn schema_page(title: &str, lead: &str, schema: &impl serde::Serialize) -> String {
    let schema = serde_json::to_value(schema).unwrap();
    let mut page = format!("# {title}\n\n{GENERATED}\n\n{lead}\n\n## Top level\n");
    table(&schema, &mut page);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        let _ = write!(page, "\n## {name}\n\n{}\n", definition["description"].as_str().unwrap_or_default());
        match definition["oneOf"].as_array().filter(|all| all.iter().all(|one| one["properties"].is_object())) {
            None => table(definition, &mut page),
            Some(kinds) => {
                for kind in kinds {
                    let to = kind["properties"]
                        .as_object()
                        .and_then(|all| all.iter().find_map(|(key, of)| Some((key, of["const"].as_str()?))))
                        .map_or_else(String::new, |(key, value)| format!("{key} = \"{value}\""));
                    let _ = write!(page, "\n### `{to}`\n\n{}\n", kind["description"].as_str().unwrap_or_default());
                    table(kind, &mut page);
                }
            }
        }
    }
    page
}

fn table(object: &Value, page: &mut String) {
    let Some(properties) = object["properties"].as_object() else { return };
    page.push_str("\n| key | type | meaning |\n|---|---|---|\n");
    for (key, of) in properties {
        let required = object["required"].as_array().is_some_and(|all| all.iter().any(|one| one == key));
        let meaning = of["description"].as_str().unwrap_or_default().replace('|', "\\|");
        let need = if required { " **Required.**" } else { "" };
        let _ = writeln!(page, "| `{key}` | {} | {}{need} |", kind(of), escaped(&meaning));
    }
}

/// The type of a value in words, with links to the definitions.
fn kind(of: &Value) -> String {
    if let Some(name) = of["$ref"].as_str().and_then(|text| text.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(value) = of["const"].as_str() {
        return format!("`\"{value}\"`");
    }
    if let Some(values) = of["enum"].as_array() {
        let names: Vec<String> = values.iter().filter_map(|one| Some(format!("`{}`", one.as_str()?))).collect();
        return names.join(", ");
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(kinds) = of[several].as_array() {
            let names: Vec<String> = kinds.iter().map(kind).filter(|name| name != "null").collect();
            return names.join(" or ");
        }
    }
    match &of["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(&of["items"])),
        Value::String(name) if name == "object" && of["additionalProperties"].is_object() => {
            format!("table of {}", kind(&of["additionalProperties"]))
        }
        Value::String(name) if name == "boolean" => "true or false".to_owned(),
        Value::String(name) => name.clone(),
        Value::Array(names) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect();
            names.join(" or ")
        }
        _ => "any".to_owned(),
    }
}

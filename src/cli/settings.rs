//! `everkey config show`: every setting in effect and where it comes from. Secrets are never part of it: the
//! configuration holds their places only.

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde_json::Value;
use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::ConfigArgs;
use super::args::ConfigCommand;
use super::output::Output;
use super::output::clean;
use super::table;
use super::table::Column;
use crate::config;
use crate::config::Settings;
use crate::error::Class;
use crate::error::Error;
use crate::policy;
use crate::policy::Placed;
use crate::policy::StoreUrl;

/// Too narrow a terminal has its texts cut; no column is left out.
const COLUMNS: [Column; 3] = [Column::kept("SETTING"), Column::kept("VALUE"), Column::kept("FROM")];

/// Flags of every command that `config show` tells of, with the variable of each.
const FLAGS: [(&str, &str); 9] = [
    ("config", "EVERKEY_CONFIG"),
    ("policy", "EVERKEY_POLICY"),
    ("tenant", "EVERKEY_TENANT"),
    ("output", "EVERKEY_OUTPUT"),
    ("quiet", "EVERKEY_QUIET"),
    ("verbose", "EVERKEY_VERBOSE"),
    ("color", "EVERKEY_COLOR"),
    ("no_progress", "EVERKEY_NO_PROGRESS"),
    ("no_input", "EVERKEY_NO_INPUT"),
];

/// Where the flags of a command line came from, in the order of [`FLAGS`].
pub struct Origins(Vec<Option<ValueSource>>);

impl Origins {
    /// Looks at what was parsed.
    pub fn of(matches: &ArgMatches) -> Self {
        // Flags of every command are known at the root, wherever they stood.
        let source = |id: &str| matches.try_contains_id(id).ok().and_then(|_| matches.value_source(id));
        Self(FLAGS.iter().map(|(id, _)| source(id)).collect())
    }

    fn word(&self, id: &str) -> String {
        let at = FLAGS.iter().position(|(known, _)| *known == id);
        match at.and_then(|at| Some((self.0.get(at).copied().flatten()?, FLAGS[at].1))) {
            Some((ValueSource::CommandLine, _)) => format!("flag --{}", id.replace('_', "-")),
            Some((ValueSource::EnvVariable, variable)) => format!("environment {variable}"),
            _ => "default".to_owned(),
        }
    }

    fn is_given(&self, id: &str) -> bool {
        self.word(id) != "default"
    }
}

struct Setting {
    key: String,
    value: Value,
    from: String,
}

/// Runs it.
pub fn run(cli: &Cli, args: &ConfigArgs, origins: &Origins, out: &Output) -> Result<u8, Error> {
    let ConfigCommand::Show { origin: _, effective } = &args.command;
    let settings = config::load(&cli.global.config, cli.global.policy.as_deref(), cli.global.tenant.as_deref())?;
    match effective {
        Some(name) => of_policy(&settings, name, out),
        None => of_tool(cli, &settings, origins, out),
    }
}

fn of_tool(cli: &Cli, settings: &Settings, origins: &Origins, out: &Output) -> Result<u8, Error> {
    let file = &cli.global.config;
    let placed = policy::places(file, &config::read_file(file)?);
    let mut all = flags(cli, origins);
    let written = |one: &Placed| {
        let mut from = format!("{}:{}", file.display(), one.line);
        let mut value = one.value.clone();
        // What a flag or a variable overrides.
        if one.key == "policies" && origins.is_given("policy") {
            (value, from) = (json!(settings.policies_dir), origins.word("policy"));
        }
        if one.key == "defaults.tenant" && origins.is_given("tenant") {
            (value, from) = (json!(settings.tenant_name), origins.word("tenant"));
        }
        Setting { key: one.key.clone(), value, from }
    };
    all.extend(placed.iter().map(written));
    for (key, value) in defaults(settings) {
        if !all.iter().any(|one| one.key == key) {
            let from = match key.as_str() {
                "policies" => origins.word("policy"),
                "defaults.tenant" => origins.word("tenant"),
                _ => "default".to_owned(),
            };
            all.push(Setting { key, value, from });
        }
    }
    let rows: Vec<Vec<String>> =
        all.iter().map(|one| vec![one.key.clone(), shown(&one.value), clean(&one.from)]).collect();
    out.print(&table::fit(&COLUMNS, &rows, out.columns()));
    let items: Vec<Value> =
        all.iter().map(|one| json!({"key": one.key, "value": one.value, "origin": one.from})).collect();
    out.document(&json!({"schema": "everkey.config/v1", "file": file, "tenant": settings.tenant_name, "items": items}));
    Ok(OK)
}

fn flags(cli: &Cli, origins: &Origins) -> Vec<Setting> {
    let global = &cli.global;
    let word = |value: &dyn std::fmt::Debug| json!(format!("{value:?}").to_lowercase());
    let value = |id: &str| match id {
        "config" => json!(global.config),
        "policy" => json!(global.policy),
        "tenant" => json!(global.tenant),
        "output" => word(&global.output),
        "quiet" => json!(global.quiet),
        "verbose" => json!(global.verbose),
        "color" => word(&global.color),
        "no_progress" => json!(global.no_progress),
        _ => json!(global.no_input),
    };
    FLAGS
        .iter()
        .map(|(id, _)| Setting { key: format!("--{}", id.replace('_', "-")), value: value(id), from: origins.word(id) })
        .filter(|one| !one.value.is_null())
        .collect()
}

/// What holds where the file says nothing, under the names of the file.
fn defaults(settings: &Settings) -> Vec<(String, Value)> {
    let tool = &settings.tool;
    let store = match &tool.store {
        StoreUrl::Postgres(url) => url.clone(),
        StoreUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
    };
    let time = |time: jiff::civil::Time| json!(time.strftime("%H:%M").to_string());
    let tenant = |key: &str| format!("tenants.{}.{key}", settings.tenant_name);
    let mut all = vec![
        ("policies".to_owned(), json!(settings.policies_dir)),
        ("store".to_owned(), json!(store)),
        (tenant("cloud"), json!("public")),
        (tenant("emulator"), json!(settings.tenant.emulator)),
        ("defaults.tenant".to_owned(), json!(settings.tenant_name)),
        ("defaults.mode".to_owned(), json!(tool.defaults.mode)),
        ("defaults.schedule".to_owned(), json!(tool.defaults.schedule)),
        ("defaults.timezone".to_owned(), json!(tool.defaults.timezone)),
        ("defaults.max_new_rotations_per_day".to_owned(), json!(tool.defaults.max_new_rotations_per_day)),
        ("defaults.jitter".to_owned(), json!(tool.defaults.jitter)),
        (
            "alerts.before".to_owned(),
            json!(tool.alerts.before_days.iter().map(|days| format!("{days}d")).collect::<Vec<_>>()),
        ),
        ("alerts.send_at".to_owned(), time(tool.alerts.send_at)),
        ("alerts.working_days_only".to_owned(), json!(tool.alerts.working_days_only)),
    ];
    if let Some(mail) = &tool.mail {
        all.push(("mail.transport".to_owned(), json!(mail.transport)));
        all.push(("mail.port".to_owned(), json!(mail.port)));
        all.push(("mail.tls".to_owned(), json!(mail.tls)));
    }
    if let Some(serve) = &tool.serve {
        all.push(("serve.listen".to_owned(), json!(serve.listen)));
    }
    all
}

/// One policy with every default filled in.
fn of_policy(settings: &Settings, name: &str, out: &Output) -> Result<u8, Error> {
    let policies = settings.policies()?;
    let policy = policies.iter().find(|policy| policy.name.as_str() == name).ok_or_else(|| {
        let known: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
        Error::new(Class::Usage, "U002", format!("there is no policy {name:?}"))
            .help(format!("known: {}", known.join(", ")))
    })?;
    let value = serde_json::to_value(policy).unwrap_or_default();
    let mut lines = Vec::new();
    flatten("", &value, &mut lines);
    let rows: Vec<Vec<String>> = lines.into_iter().map(|(key, value)| vec![key, value]).collect();
    out.print(&table::fit(&COLUMNS[..2], &rows, out.columns()));
    out.document(&json!({"schema": "everkey.config-effective/v1", "policy": value}));
    Ok(OK)
}

fn flatten(at: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match value {
        Value::Object(all) if !all.is_empty() => all.iter().for_each(|(key, one)| flatten(&below(key), one, lines)),
        Value::Array(all) if all.iter().any(Value::is_object) => {
            all.iter().enumerate().for_each(|(at, one)| flatten(&below(&at.to_string()), one, lines));
        }
        Value::Null => {}
        one => lines.push((at.to_owned(), shown(one))),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => clean(text).replace('\n', " "),
        Value::Array(all) => all.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

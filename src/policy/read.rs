//! Reading policy files: each by itself, then what only all of them together show. A bad file never hides
//! the good ones.

use std::path::Path;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use crate::model::Calendar;
use crate::model::IntegrationName;

use super::Diagnostic;
use super::Policy;
use super::Read;
use super::ToolConfig;
use super::check;
use super::check::claims;
use super::check::claims::Claim;
use super::diagnostics::Report;
use super::secrets;
use super::shape;
use super::suggest;
use super::tree;
use super::tree::At;
use super::tree::Node;
use super::tree::Span;
use super::wire::policy::PolicyFile;

/// A policy, however wrong, and the places that rules across files point at.
struct Draft {
    policy: Policy,
    name_span: Span,
    app_id_span: Option<Span>,
    claims: Vec<Claim>,
}

/// Reads policy files: the valid policies in the order given, and every problem of every file. A file that
/// breaks a rule together with another (one app id twice) is invalid as well.
pub fn read_policies(files: &[(PathBuf, String)], tool: &ToolConfig) -> Read<Vec<Policy>> {
    let mut read: Vec<(Option<Draft>, Report<'_>)> = files
        .iter()
        .map(|(path, text)| {
            let mut report = Report::new(path, text);
            (draft(path, text, tool, &mut report), report)
        })
        .collect();
    for later in 1..read.len() {
        let (before, rest) = read.split_at_mut(later);
        let (Some(draft), report) = &mut rest[0] else { continue };
        for earlier in before.iter().filter_map(|(draft, _)| draft.as_ref()) {
            together(earlier, draft, report);
        }
    }
    let mut value = Vec::new();
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    for (draft, report) in read {
        if !report.has_errors() {
            value.extend(draft.map(|draft| draft.policy));
        }
        diagnostics.extend(report.finish());
    }
    Read { value, diagnostics }
}

/// Rules about two policies; the later file is told.
fn together(earlier: &Draft, later: &Draft, report: &mut Report<'_>) {
    let (one, other) = (&earlier.policy, &later.policy);
    if one.name == other.name {
        let summary = format!("`{}` already has the name `{}`", one.file.display(), one.name);
        report.error("P042", later.name_span.clone(), summary).help("rename one of the integrations and its file");
    }
    if one.watch.is_some() && other.watch.is_some() && one.tenant == other.tenant {
        let summary = format!("`{}` watches this tenant already", one.file.display());
        report.error("P060", later.name_span.clone(), summary).help("one file does: remove the other");
    }
    claims::between(&earlier.claims, &one.file.display().to_string(), &later.claims, report);
    let (Some(id), Some(span)) = (&other.app.client_id, &later.app_id_span) else { return };
    if one.app.client_id.as_ref() != Some(id) || one.tenant != other.tenant {
        return;
    }
    if !(one.shared && other.shared) {
        let summary = format!("`{}` works on this app already", one.file.display());
        report
            .error("P030", span.clone(), summary)
            .help("put the credentials in one file, or say `shared = true` in both");
    } else if one.owns_app == other.owns_app {
        let both = if one.owns_app { "both files describe" } else { "neither file describes" };
        report
            .error("P030", span.clone(), format!("{both} this shared app (`{}`)", one.file.display()))
            .help("exactly one of them has `app.display_name` and what goes with it");
    }
}

/// What `text` says, as the wire type, with every problem of its shape reported; `None` when it is no use.
pub(super) fn wire<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    schema: &serde_json::Value,
    report: &mut Report<'_>,
) -> Option<(T, Node)> {
    let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let mut node = match tree::parse(text, json) {
        Ok(node) => node,
        Err(errors) => {
            for error in errors {
                let kind = if json { "JSON" } else { "TOML" };
                report
                    .error("P002", error.span, format!("this is not valid {kind}"))
                    .label(error.message)
                    .help("the rest of the file is looked at once it can be parsed");
            }
            return None;
        }
    };
    let version = node.get("version");
    if let Some(Node { value: tree::Value::Integer(number), span, .. }) = version
        && *number != 1
    {
        report
            .error("P007", span.clone(), format!("version {number} is not known to this everkey"))
            .help("write `version = 1`, or use the everkey the file was written for");
        return None;
    }
    secrets::check(&mut node, report);
    shape::check(schema, &mut node, report);
    match serde_json::from_value(node.to_json()) {
        Ok(wire) => Some((wire, node)),
        Err(_) => {
            // Whatever passes the schema fits the type; should they ever differ, the file is refused. Serde's
            // own words may repeat a value, so they are not shown.
            report.error("P004", 0..0, "a value has the wrong type");
            None
        }
    }
}

fn draft(path: &Path, text: &str, tool: &ToolConfig, report: &mut Report<'_>) -> Option<Draft> {
    let schema = super::wire::policy_schema();
    let (file, node): (PolicyFile, Node) = wire(path, text, schema, report)?;
    let at = At::root(&node);
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = check::people::name(&file, stem, at, report);
    let title = file.title.clone().unwrap_or_else(|| name.clone());
    let mode = file.mode.unwrap_or(tool.defaults.mode);
    let tenant = tenant(&file, tool, at, report);
    let permissions = check::permissions::permissions(&file, at, report);
    check::permissions::grantable(&file, &permissions, &tenant, tool, at, report);
    check::permissions::unlimited_mail(&file, at, report);
    let asked: usize = file.permissions.values().map(|wanted| wanted.application.len() + wanted.delegated.len()).sum();
    let requested = check::mailboxes::Requested { permissions: &permissions, complete: permissions.len() == asked };
    let mailboxes = check::mailboxes::mailboxes(file.mailboxes.as_ref(), &name, requested, at, report);
    let watch = check::watch::watch(&file, mode, at, report);
    let app = check::app::app(&file, &title, permissions, at, report);
    let people = check::people::people(&file, tool, at, report);
    let impact = check::people::impact(&file, mode, at, report);
    let around = check::credential::Around {
        name: &name,
        title: &title,
        mode,
        audience: app.audience,
        people: &people,
        cas: &tool.ca,
    };
    let credentials = around.credentials(&file, at, report);
    let calendar = calendar(&file, tool, at, report);
    let owns_app = !file.shared || file.app.as_ref().is_some_and(|app| app.display_name.is_some());
    let policy = Policy {
        name: IntegrationName(name),
        title,
        impact,
        mode,
        tenant,
        tags: file.tags,
        watch,
        app,
        shared: file.shared,
        owns_app,
        mailboxes,
        credentials,
        people,
        calendar,
        file: path.to_owned(),
        digest: digest(text),
    };
    check::asks::often(&policy, at, report);
    check::plain::todos(text, report);
    let claimed = claims::claims(&policy, at);
    claims::within(&claimed, report);
    let app_id = at.key("app").key("app_id");
    let app_id_span = app_id.exists().then(|| app_id.span());
    Some(Draft { policy, name_span: at.key("name").span(), app_id_span, claims: claimed })
}

fn tenant(file: &PolicyFile, tool: &ToolConfig, at: At<'_>, report: &mut Report<'_>) -> String {
    let names = || tool.tenants.keys().map(String::as_str);
    match file.tenant.as_ref().or(tool.defaults.tenant.as_ref()) {
        Some(tenant) if tool.tenants.contains_key(tenant) => tenant.clone(),
        Some(tenant) => {
            report
                .error("P049", at.key("tenant").span(), format!("everkey.toml has no tenant \"{tenant}\""))
                .suggest(suggest::did_you_mean(tenant, names()))
                .help(format!("one of: {}", names().collect::<Vec<_>>().join(", ")));
            tenant.clone()
        }
        None => {
            report.error("P049", at.span(), "everkey.toml has several tenants and none by default").help(format!(
                "set `tenant` here or in `[defaults]` to one of: {}",
                names().collect::<Vec<_>>().join(", ")
            ));
            String::new()
        }
    }
}

fn calendar(file: &PolicyFile, tool: &ToolConfig, at: At<'_>, report: &mut Report<'_>) -> Calendar {
    let defaults = &tool.defaults;
    let schedule_text = file.schedule.clone().unwrap_or_else(|| defaults.schedule.clone());
    let schedule = check::when::schedule(&schedule_text, at.key("schedule"), report);
    if let Some(zone) = &file.timezone {
        check::when::timezone(zone, at.key("timezone"), report);
    }
    let own_window = check::when::window(file.window.as_deref(), at.key("window"), report);
    let window = own_window.or(defaults.window);
    let place = if file.window.is_some() { at.key("window") } else { at.key("schedule") };
    check::when::fits_window(schedule.as_ref(), window, place, report);
    let mut freeze = defaults.freeze.clone();
    freeze.extend(check::when::freeze(&file.freeze, at.key("freeze"), report));
    Calendar {
        schedule: schedule_text,
        timezone: file.timezone.clone().unwrap_or_else(|| defaults.timezone.clone()),
        freeze,
        window,
        holidays: tool.alerts.holidays.clone(),
    }
}

/// A name of at most 30 characters, as it is or cut and told apart by its digest: what Exchange calls things
/// ends at 64 characters (general knowledge, not in `entra-contract.md`), and permission names follow it.
pub(super) fn short_name(name: &str) -> String {
    if name.chars().count() <= 30 {
        return name.to_owned();
    }
    let front: String = name.chars().take(21).collect();
    format!("{front}-{:.8}", digest(name))
}

/// SHA-256 of a file, lower-case hex.
pub(super) fn digest(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

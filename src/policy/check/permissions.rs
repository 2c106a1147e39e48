//! `[permissions.…]`: names to ids, per resource; and what everkey itself may grant.

use crate::model::Consent;
use crate::model::Permission;
use crate::model::PermissionKind;
use crate::policy::ToolConfig;
use crate::policy::diagnostics::Report;
use crate::policy::permissions::Lookup;
use crate::policy::permissions::Resource;
use crate::policy::permissions::is_guid;
use crate::policy::permissions::reaches_every_mailbox;
use crate::policy::suggest;
use crate::policy::tree::At;
use crate::policy::wire::policy::PolicyFile;

/// Every requested permission that exists, in the order graph, exchange, others; application before delegated.
pub(crate) fn permissions(file: &PolicyFile, at: At<'_>, report: &mut Report<'_>) -> Vec<Permission> {
    let mut found: Vec<Permission> = Vec::new();
    for (name, wanted) in &file.permissions {
        let here = at.key("permissions").key(name);
        let Some(resource) = Resource::named(name) else {
            report
                .error("P015", here.key_span(), format!("unknown resource \"{name}\""))
                .suggest(suggest::did_you_mean(name, ["graph", "exchange"]))
                .help("`graph`, `exchange`, or the app id of another resource");
            continue;
        };
        let lists = [
            (&wanted.application, PermissionKind::Role, "application"),
            (&wanted.delegated, PermissionKind::Scope, "delegated"),
        ];
        for (names, kind, key) in lists {
            for (index, name) in names.iter().enumerate() {
                let place = here.key(key).item(index);
                let Some(id) = resolve(&resource, name, kind, place, report) else { continue };
                let new = Permission { resource: resource.client_id(), kind, id, name: name.clone() };
                if found.contains(&new) {
                    report.error("P035", place.span(), format!("permission \"{name}\" is listed twice"));
                } else {
                    found.push(new);
                }
            }
        }
    }
    let order = |permission: &Permission| match permission.resource.as_str() {
        crate::model::GRAPH_APP_ID => 0,
        crate::policy::permissions::EXCHANGE_APP_ID => 1,
        _ => 2,
    };
    found.sort_by_key(order);
    found
}

fn resolve(
    resource: &Resource,
    name: &str,
    kind: PermissionKind,
    at: At<'_>,
    report: &mut Report<'_>,
) -> Option<String> {
    if let Resource::Other(_) = resource {
        if is_guid(name) {
            return Some(name.to_ascii_lowercase());
        }
        let summary = format!("everkey has no names of {}", resource.title());
        report.error("P016", at.span(), summary).help("write the id of the role or scope, a GUID");
        return None;
    }
    match resource.lookup(name, kind) {
        Lookup::Found(offered) => return Some(offered.id.to_owned()),
        Lookup::OtherKind(offered) => {
            let (is, list) = match offered.kind {
                PermissionKind::Role => ("an application", "application"),
                PermissionKind::Scope => ("a delegated", "delegated"),
            };
            let summary = format!("\"{name}\" of {} is only {is} permission", resource.title());
            report.error("P013", at.span(), summary).help(format!("move it to `{list}`"));
        }
        Lookup::Unknown(nearest) => {
            report
                .error("P012", at.span(), format!("unknown permission \"{name}\" for {}", resource.title()))
                .suggest(nearest.map(|nearest| format!("did you mean \"{nearest}\"?")))
                .help(format!("list names with `everkey explain permissions --search {}`", search_word(name)));
        }
    }
    None
}

/// What to search for: the first part of the name, as one plain word.
fn search_word(name: &str) -> String {
    let first = name.split('.').next().unwrap_or_default();
    let word: String = first.chars().filter(char::is_ascii_alphanumeric).collect();
    if word.is_empty() { "mail".into() } else { word.to_lowercase() }
}

/// Reports permissions that `consent.grant = "grant"` may not grant in this tenant; `found` are those that exist.
pub(crate) fn grantable(
    file: &PolicyFile,
    found: &[Permission],
    tenant: &str,
    tool: &ToolConfig,
    at: At<'_>,
    report: &mut Report<'_>,
) {
    let wants_grant = file.consent.as_ref().and_then(|consent| consent.grant) == Some(Consent::Grant);
    let allowed = tool.tenants.get(tenant).and_then(|tenant| tenant.permissions_allowed.as_ref());
    let (true, Some(allowed)) = (wants_grant, allowed) else { return };
    for (resource, wanted) in &file.permissions {
        for (key, names) in [("application", &wanted.application), ("delegated", &wanted.delegated)] {
            let exists = |name: &String| found.iter().any(|permission| permission.name == *name);
            let refused = |name: &String| exists(name) && !allowed.contains(name);
            for (index, name) in names.iter().enumerate().filter(|(_, name)| refused(name)) {
                let place = at.key("permissions").key(resource).key(key).item(index);
                report
                    .error("P014", place.span(), format!("everkey may not grant \"{name}\" in tenant \"{tenant}\""))
                    .help("add it to `permissions_allowed` of everkey.toml, or set `grant = \"link\"`");
            }
        }
    }
}

/// Warns about application permissions that reach every mailbox while nothing limits them.
pub(crate) fn unlimited_mail(file: &PolicyFile, at: At<'_>, report: &mut Report<'_>) {
    if file.mailboxes.is_some() {
        return;
    }
    for (name, wanted) in &file.permissions {
        if !matches!(Resource::named(name), Some(Resource::Graph | Resource::Exchange)) {
            continue;
        }
        let place = at.key("permissions").key(name).key("application");
        for (index, name) in wanted.application.iter().enumerate().filter(|(_, name)| reaches_every_mailbox(name)) {
            let summary = format!("application permission {name} reaches every mailbox");
            report
                .warning("P031", place.item(index).span(), summary)
                .help("add `[mailboxes]` with `allow = [\"...\"]` to limit it (RBAC for Applications)");
        }
    }
}

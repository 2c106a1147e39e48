//! Which resource a scope or `resource` parameter means.

use url::Url;
use uuid::Uuid;
use uuid::uuid;

use crate::emulator::directory::EXCHANGE_ONLINE;
use crate::emulator::directory::MICROSOFT_GRAPH;
use crate::emulator::tenant::Tenant;

const KEY_VAULT: Uuid = uuid!("cfa8b339-82a2-471a-a3c9-0fc0be7a4093");
const RESOURCE_MANAGER: Uuid = uuid!("797f4846-ba00-4fd7-ba43-dac1f8f63013");

/// The hosts of Microsoft's own resources, national clouds too (entra-contract 1.7).
const HOSTS: &[(&str, Uuid)] = &[
    ("graph.microsoft.com", MICROSOFT_GRAPH),
    ("graph.microsoft.us", MICROSOFT_GRAPH),
    ("dod-graph.microsoft.us", MICROSOFT_GRAPH),
    ("microsoftgraph.chinacloudapi.cn", MICROSOFT_GRAPH),
    ("outlook.office.com", EXCHANGE_ONLINE),
    ("outlook.office365.com", EXCHANGE_ONLINE),
    ("management.azure.com", RESOURCE_MANAGER),
    ("management.core.windows.net", RESOURCE_MANAGER),
    ("vault.azure.net", KEY_VAULT),
    ("vault.azure.cn", KEY_VAULT),
    ("vault.usgovcloudapi.net", KEY_VAULT),
];

/// The client id of the resource that `name` means: a client id, a Microsoft host, our own address
/// (Graph; `/arm` is Resource Manager), or an identifier URI of an app with a service principal.
pub(super) fn resolve(tenant: &Tenant, name: &str) -> Option<Uuid> {
    let name = name.trim_end_matches('/');
    let directory = &tenant.directory;
    if let Ok(id) = Uuid::parse_str(name) {
        return directory.principal_by_app_id(id).map(|principal| principal.app_id);
    }
    if let Some(microsoft) = microsoft(tenant.port, name) {
        return Some(microsoft);
    }
    let by_id = name.strip_prefix("api://").and_then(|id| id.parse().ok());
    directory
        .principals()
        .find(|one| {
            Some(one.app_id) == by_id
                || directory.principal_names(one).iter().any(|uri| uri.trim_end_matches('/') == name)
        })
        .map(|one| one.app_id)
}

/// Whether a token's audience is Microsoft Graph here.
pub fn is_graph(port: u16, audience: &str) -> bool {
    let audience = audience.trim_end_matches('/');
    audience == MICROSOFT_GRAPH.to_string() || microsoft(port, audience) == Some(MICROSOFT_GRAPH)
}

/// Whether a token's audience is Key Vault here.
pub fn is_key_vault(port: u16, audience: &str) -> bool {
    let audience = audience.trim_end_matches('/');
    audience == KEY_VAULT.to_string() || microsoft(port, audience) == Some(KEY_VAULT)
}

fn microsoft(port: u16, name: &str) -> Option<Uuid> {
    let url = Url::parse(name).ok().filter(|url| url.scheme() == "https")?;
    let host = url.host_str()?;
    if host == "vault.localhost" && url.port_or_known_default() == Some(port) {
        return Some(KEY_VAULT);
    }
    let ours = matches!(host, "localhost" | "127.0.0.1" | "[::1]") && url.port_or_known_default() == Some(port);
    match (ours, url.path()) {
        (true, "/arm") => Some(RESOURCE_MANAGER),
        (true, "" | "/") => Some(MICROSOFT_GRAPH),
        (false, "" | "/") => HOSTS.iter().find(|(known, _)| *known == host).map(|(_, id)| *id),
        _ => None,
    }
}

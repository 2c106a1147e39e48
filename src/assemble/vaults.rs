//! The sinks of a tenant: those of this machine, and the vaults that its own identity reaches.

use std::sync::Arc;

use super::identity;
use crate::clock::Clock;
use crate::config;
use crate::config::Settings;
use crate::entra::Endpoints;
use crate::entra::Entra;
use crate::entra::EntraOptions;
use crate::error::Result;
use crate::http;
use crate::ports::TokenSource;
use crate::run::explain;
use crate::sinks::Factory;
use crate::sinks::Remote;

/// Every sink. `instance` names the store in the marks that are written.
pub(super) fn sinks(
    settings: &Settings,
    client: &http::Client,
    endpoints: &Endpoints,
    clock: Arc<dyn Clock>,
    instance: Option<String>,
) -> Result<Factory> {
    let tenant = &settings.tenant;
    let local = match &tenant.sink_root {
        Some(root) if tenant.emulator => Factory::below(root.clone()),
        _ => Factory::new(),
    };
    let suffix = endpoints.vault_suffix.clone();
    // Without vaults nothing is ever asked for this token.
    let resource = format!("https://{}", suffix.as_deref().unwrap_or("vault.azure.net"));
    let tokens: Arc<dyn TokenSource> = match identity::elsewhere(settings, endpoints, Some(&resource), &clock)? {
        Some(source) => source,
        // The same sign-in for another resource: its scope is all that `graph_url` is used for.
        None => Arc::new(
            Entra::new(EntraOptions {
                http: client.clone(),
                login_url: endpoints.login_url.clone(),
                graph_url: resource,
                tenant: tenant.tenant_id.clone(),
                clock: Arc::clone(&clock),
                own: identity::own(settings, endpoints)?,
            })
            .map_err(|error| explain::explain(&error, "set up key vaults"))?,
        ),
    };
    Ok(local.reaching(Remote {
        clock,
        cloud: client.clone(),
        instance,
        loopback_only: tenant.emulator,
        proxy: config::proxy(),
        vault_suffix: suffix,
        vault_tokens: tokens,
    }))
}

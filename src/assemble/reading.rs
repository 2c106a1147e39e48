//! For commands that only read a tenant: Graph without a store, with or without a configuration.

use std::sync::Arc;

use super::client;
use super::clock;
use super::connect;
use super::endpoints;
use super::https;
use super::server;
use super::store;
use crate::clock::Clock;
use crate::config::Settings;
use crate::error::Result;
use crate::graph::Graph;
use crate::graph::GraphOptions;
use crate::graph::Patience;
use crate::model::TenantId;
use crate::policy::StoreUrl;
use crate::ports::Directory;
use crate::ports::Store;
use crate::ports::TokenSource;
use crate::run::explain;
use crate::store::Postgres;

/// What a command needs that only reads a tenant.
pub struct Reading {
    /// Graph.
    pub directory: Arc<dyn Directory>,
    /// The tenant's clock.
    pub clock: Arc<dyn Clock>,
    /// As in [`Assembled`].
    pub clock_note: String,
}

/// A directory for reading, without a store.
///
/// # Errors
/// As [`assemble`].
pub async fn reading(settings: &Settings) -> Result<Reading> {
    let endpoints = endpoints(&settings.tenant.cloud);
    let client = client(settings)?;
    let (clock, clock_note) = clock(settings, &client, &endpoints).await?;
    let connected = connect(settings, &client, &endpoints, Arc::clone(&clock), Patience::default())?;
    Ok(Reading { directory: connected.graph, clock, clock_note })
}

/// A directory at `graph_url` that signs in with `tokens`, for a tenant that no configuration names.
///
/// # Errors
/// When the address is no https address, or the CA file is none.
pub fn graph(
    tenant: TenantId,
    graph_url: &str,
    ca_pem: Option<Vec<u8>>,
    tokens: Arc<dyn TokenSource>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Directory>> {
    let options = GraphOptions {
        http: https(ca_pem)?,
        graph_url: graph_url.trim_end_matches('/').to_owned(),
        tenant,
        clock,
        tokens,
        patience: Patience::default(),
    };
    Ok(Arc::new(Graph::new(options).map_err(|error| explain::explain(&error, "set up the tenant"))?))
}

/// The store, if there is one already: who only reads makes none.
///
/// # Errors
/// As [`assemble`], for the store.
pub async fn store_if_there(settings: &Settings) -> Result<Option<Arc<dyn Store>>> {
    let is_there = match (&settings.tool.store, server(settings)?) {
        (StoreUrl::Sqlite(path), _) => path.exists(),
        (_, Some(server)) => Postgres::is_there(&server).await.map_err(|error| explain::store(&error))?,
        (_, None) => true,
    };
    if is_there { store(settings).await.map(Some) } else { Ok(None) }
}

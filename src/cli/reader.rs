//! What a command that only reads a tenant needs: a directory, and what everkey knows of it. With a configuration by
//! its sign-in, without one by the Azure CLI. Never makes a store.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::args::Cli;
use super::args::CloudName;
use super::args::Place;
use crate::assemble;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::config;
use crate::config::Settings;
use crate::entra::AzureCli;
use crate::entra::Cloud;
use crate::error::Error;
use crate::error::Result;
use crate::model::ClientId;
use crate::model::IntegrationName;
use crate::model::KeyId;
use crate::model::Thumbprint;
use crate::ports::Directory;
use crate::ports::TokenSource as _;
use crate::run::explain;

/// Where `everkey.toml` is looked for when nobody says.
const DEFAULT_CONFIG: &str = "everkey.toml";

/// A tenant to read.
pub struct Reader {
    /// Its name in the configuration, else its id.
    pub tenant: String,
    /// The directory.
    pub directory: Arc<dyn Directory>,
    /// The clock, where Graph's own time is not told.
    pub clock: Arc<dyn Clock>,
    /// Said wherever the time matters.
    pub clock_note: String,
    /// Whether it is an emulator.
    pub emulator: bool,
    /// What everkey knows of it, or why that cannot be told.
    pub known: Result<Known>,
}

/// What store and policies know.
#[derive(Default)]
pub struct Known {
    /// A policy watches the whole tenant.
    pub all: bool,
    /// Applications that a policy speaks of.
    pub clients: BTreeMap<ClientId, IntegrationName>,
    /// Credentials that everkey made.
    pub key_ids: BTreeSet<KeyId>,
    /// Certificates that everkey made: Graph may list them under other ids.
    pub thumbprints: BTreeSet<Thumbprint>,
}

impl Reader {
    /// With the configuration, if there is one; else with the Azure CLI.
    pub async fn open(cli: &Cli, place: &Place) -> Result<Self> {
        match settings(cli)? {
            Some(settings) => Self::configured(&settings).await,
            None => Self::unconfigured(place).await,
        }
    }

    async fn configured(settings: &Settings) -> Result<Self> {
        let reading = assemble::reading(settings).await?;
        let known = Known::gather(settings).await;
        Ok(Self {
            tenant: settings.tenant_name.clone(),
            directory: reading.directory,
            clock: reading.clock,
            clock_note: reading.clock_note,
            emulator: settings.tenant.emulator,
            known,
        })
    }

    async fn unconfigured(place: &Place) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let tokens = Arc::new(AzureCli::new(None, Arc::clone(&clock)));
        // Asked for now: it tells the tenant, and nothing is sent to Graph before it.
        tokens.token().await.map_err(|error| explain::explain(&error, "get a token"))?;
        let tenant = tokens.tenant().cloned().unwrap_or_else(|| "unknown".into());
        let graph_url = place.graph_url.clone().unwrap_or_else(|| {
            let cloud = match place.cloud {
                CloudName::China => Cloud::China,
                CloudName::Public => Cloud::Public,
                CloudName::Usgov => Cloud::UsGov,
                CloudName::UsgovDod => Cloud::UsGovDod,
            };
            cloud.endpoints().graph_url
        });
        let ca = place.ca_file.as_deref().map(|file| config::read_bytes(file, "the CA file")).transpose()?;
        let directory = assemble::graph(tenant.clone(), &graph_url, ca, tokens, Arc::clone(&clock))?;
        Ok(Self {
            tenant: tenant.to_string(),
            directory,
            clock,
            clock_note: String::new(),
            emulator: false,
            known: Ok(Known::default()),
        })
    }
}

/// The configuration; `None` when nobody names one and there is none here.
///
/// # Errors
/// As [`config::load`]: one that is named, or is there, must be good.
pub fn settings(cli: &Cli) -> Result<Option<Settings>> {
    let path = &cli.global.config;
    if path == Path::new(DEFAULT_CONFIG) && !path.exists() {
        return Ok(None);
    }
    config::load(path, cli.global.policy.as_deref(), cli.global.tenant.as_deref()).map(Some)
}

impl Known {
    async fn gather(settings: &Settings) -> Result<Self> {
        let mut known = Self::default();
        if settings.policies_dir.is_dir() {
            for policy in settings.policies()? {
                known.all |= policy.watch.is_some();
                if let Some(client_id) = policy.app.client_id {
                    known.clients.insert(client_id, policy.name);
                }
            }
        }
        let Some(store) = assemble::store_if_there(settings).await? else { return Ok(known) };
        let failed = |error| -> Error { explain::store(&error) };
        for record in store.integrations().await.map_err(failed)? {
            known.clients.insert(record.app.client_id, record.name);
        }
        for own in store.credentials(None).await.map_err(failed)? {
            known.thumbprints.extend(own.thumbprint);
            known.key_ids.insert(own.key_id);
        }
        Ok(known)
    }
}

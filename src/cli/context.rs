//! What most commands need: configuration, policies, ports, and an engine that holds the store.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::assemble;
use crate::assemble::Assembled;
use crate::config;
use crate::config::Settings;
use crate::error::Class;
use crate::error::Error;
use crate::graph::Patience;
use crate::model::IntegrationName;
use crate::policy::Policy;
use crate::ports::Fence;
use crate::ports::Store;
use crate::run::Engine;
use crate::run::EngineOptions;
use crate::run::Limits;
use crate::run::Pace;
use crate::run::Progress;
use crate::run::explain;

use super::args::Cli;

/// Configuration, policies and ports of one tenant.
pub struct Context {
    /// The configuration in effect.
    pub settings: Settings,
    /// Valid policies of the tenant.
    pub policies: Vec<Policy>,
    /// Adapters.
    pub assembled: Assembled,
}

impl Context {
    /// Reads everything; refuses while a policy is invalid.
    pub async fn open(cli: &Cli) -> Result<Self, Error> {
        Self::open_with(cli, Patience::default()).await
    }

    /// The same with another patience of the Graph client.
    pub async fn open_with(cli: &Cli, patience: Patience) -> Result<Self, Error> {
        let settings = config::load(&cli.global.config, cli.global.policy.as_deref(), cli.global.tenant.as_deref())?;
        let policies = settings.policies()?;
        let assembled = assemble::assemble_with(&settings, None, patience).await?;
        Ok(Self { settings, policies, assembled })
    }

    /// An engine over `policies` that holds the store. [`Held::release`] gives it back.
    pub async fn engine(
        &self,
        pace: Pace,
        progress: Arc<dyn Progress>,
        stop: Arc<AtomicBool>,
        policies: &[Policy],
    ) -> Result<Held, Error> {
        let store = Arc::clone(&self.assembled.ports.store);
        let now = config::real_now();
        let fence = store.acquire(&config::holder(), now).await.map_err(|error| explain::store(&error))?;
        let options = self.options(pace, policies);
        let engine = Engine::new(self.assembled.ports.clone(), fence, options, progress, stop).concerning(policies);
        Ok(Held { engine, fence, store })
    }

    /// The settings of an engine over `policies`.
    pub fn options(&self, pace: Pace, policies: &[Policy]) -> EngineOptions {
        EngineOptions {
            actor: "everkey".to_owned(),
            alerts: self.settings.alert_rules(),
            login_url: self.assembled.login_url.clone(),
            os_user: Some(config::os_user()),
            pace,
            permissions_allowed: self.settings.permissions_allowed(policies),
            rules: crate::rotation::Rules::default(),
            tenant: self.settings.tenant_name.clone(),
        }
    }

    /// The pace of the schedule, with the limits of `[defaults]`.
    pub fn scheduled(&self) -> Pace {
        let defaults = &self.settings.tool.defaults;
        Pace::Scheduled(Limits { jitter: defaults.jitter, new_per_day: defaults.max_new_rotations_per_day })
    }

    /// The policies called `names`; all when there are none.
    pub fn only(&self, names: &[String]) -> Result<Vec<Policy>, Error> {
        for name in names {
            if !self.policies.iter().any(|policy| policy.name == IntegrationName::from(name.as_str())) {
                let known: Vec<&str> = self.policies.iter().map(|policy| policy.name.as_str()).collect();
                return Err(Error::new(Class::Usage, "U002", format!("there is no policy {name:?}"))
                    .help(format!("known: {}", known.join(", "))));
            }
        }
        Ok(self
            .policies
            .iter()
            .filter(|policy| names.is_empty() || names.iter().any(|name| policy.name.as_str() == name))
            .cloned()
            .collect())
    }
}

/// An engine and the right to write.
pub struct Held {
    /// The engine.
    pub engine: Engine,
    fence: Fence,
    store: Arc<dyn Store>,
}

impl Held {
    /// Gives the store back.
    pub async fn release(self) -> Result<(), Error> {
        self.store.release(self.fence).await.map_err(|error| explain::store(&error))
    }
}

//! Microsoft Graph v1.0: the directory port over HTTP.
//!
//! [`Graph`] implements [`crate::ports::Directory`]; one file per kind of object, each with the calls in the order
//! of an application's life. Facts: `entra-contract.md` 2 to 5. Reads are repeated with patience, writes never
//! (one exception: a 401 means that nothing was applied, so a call is made once more with a new token).

mod applications;
mod budget;
mod call;
mod directory;
mod grants;
mod keys;
mod odata;
mod pages;
mod passwords;
mod policies;
mod principals;
mod reports;
mod tenant;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;

use crate::clock::Clock;
use crate::http;
use crate::http::Site;
use crate::model::ClientId;
use crate::model::ObjectId;
use crate::model::TenantId;
use crate::ports::PortError;
use crate::ports::TokenSource;

/// What [`Graph`] is made of.
pub struct GraphOptions {
    /// The client to call with.
    pub http: http::Client,
    /// Base address of Graph (`https://graph.microsoft.com`), without `/v1.0`.
    pub graph_url: String,
    /// The tenant that `tokens` belong to.
    pub tenant: TenantId,
    /// The clock to wait on between tries.
    pub clock: Arc<dyn Clock>,
    /// Tokens of everkey's own identity.
    pub tokens: Arc<dyn TokenSource>,
    /// How often to try again.
    pub patience: Patience,
}

/// How often a call may be made in all, where repeating it is safe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// Tries of a read that was throttled or got no answer.
    pub reads: u32,
    /// Tries of a call that fails because Graph has not yet replicated what was made just before.
    pub replication: u32,
}

impl Patience {
    /// Never waits: every failure is told at once. For callers whose clock stands still while they wait.
    pub const NONE: Self = Self { reads: 1, replication: 1 };
}

impl Default for Patience {
    fn default() -> Self {
        Self { reads: http::retry::READ_TRIES, replication: 8 }
    }
}

/// The directory of one tenant.
pub struct Graph {
    site: Site,
    tenant: TenantId,
    clock: Arc<dyn Clock>,
    tokens: Arc<dyn TokenSource>,
    patience: Patience,
    budget: budget::Budget,
    /// Client ids of resources by the object id of their service principal; the pair never changes.
    resources: Mutex<HashMap<ObjectId, ClientId>>,
}

impl Graph {
    /// The directory that `options` describe; sends nothing yet.
    ///
    /// # Errors
    /// [`PortError::Local`] when the address is not a plain https address.
    pub fn new(options: GraphOptions) -> Result<Self, PortError> {
        Ok(Self {
            site: options.http.at(&options.graph_url)?,
            tenant: options.tenant,
            clock: options.clock,
            tokens: options.tokens,
            patience: options.patience,
            budget: budget::Budget::default(),
            resources: Mutex::default(),
        })
    }
}

//! The emulated tenant: applications, service principals, credentials and grants, as pure state. Every
//! operation takes the instant it happens at; nothing here reads a clock, a file or the network.
//!
//! It keeps salted hashes and three-character hints of client secrets, never the secrets.

mod app_policies;
mod applications;
mod assertions;
mod crowd;
mod federated;
mod grants;
mod keys;
mod passwords;
mod people;
mod permissions;
mod principals;
mod proofs;
mod properties;
mod refusal;
mod saml;
mod seed;
mod sign_ins;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::ops::Bound;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use uuid::Uuid;

pub use self::app_policies::AppPolicies;
pub use self::app_policies::AppPolicy;
pub use self::app_policies::TenantPolicy;
pub use self::applications::Application;
pub use self::assertions::Presented;
pub use self::assertions::Verdict;
pub use self::federated::FederatedCredential;
pub use self::federated::Mismatch;
pub use self::grants::AppRoleAssignment;
pub use self::grants::PermissionGrant;
pub use self::keys::KeyConduct;
pub use self::keys::KeyCredential;
pub use self::keys::KeyEntry;
pub use self::passwords::NewPassword;
pub use self::passwords::PasswordCredential;
pub use self::people::User;
pub use self::permissions::AAD_GRAPH;
pub use self::permissions::EXCHANGE_ONLINE;
pub use self::permissions::MICROSOFT_GRAPH;
pub use self::permissions::Permission;
pub use self::permissions::PermissionKind;
pub use self::permissions::permissions_of;
pub use self::principals::ServicePrincipal;
pub(crate) use self::properties::application_properties;
pub(crate) use self::properties::principal_properties;
pub use self::refusal::Breach;
pub use self::refusal::Refusal;
pub use self::seed::Seed;
pub use self::seed::SeedApplication;
pub use self::seed::SeedCredential;
pub use self::seed::SeedPerson;
pub use self::seed::SeedPrincipal;
pub use self::sign_ins::SignIn;
pub use self::sign_ins::Use;
use super::entropy::Entropy;

/// The properties of an object as a client writes them.
pub type Properties = Map<String, Value>;

/// One tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Directory {
    applications: BTreeMap<Uuid, Application>,
    assignments: BTreeMap<String, AppRoleAssignment>,
    #[serde(skip)]
    by_app_id: ByAppId,
    domain: String,
    entropy: Entropy,
    grants: BTreeMap<String, PermissionGrant>,
    #[serde(default)]
    policies: AppPolicies,
    principals: BTreeMap<Uuid, ServicePrincipal>,
    sign_ins: BTreeMap<Uuid, SignIn>,
    tenant_id: Uuid,
    #[serde(default)]
    users: BTreeMap<Uuid, User>,
}

/// Object ids by client id. An entry may outlive its object: who looks up must look.
#[derive(Clone, Debug, Default)]
struct ByAppId {
    applications: HashMap<Uuid, Uuid>,
    principals: HashMap<Uuid, Uuid>,
}

/// The credentials of an application or of a service principal.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// Certificates.
    pub keys: Vec<KeyCredential>,
    /// Client secrets.
    pub passwords: Vec<PasswordCredential>,
    /// Certificates that were removed lately: the token endpoint may still accept them (`token_lag`).
    pub removed_keys: Vec<Removed<KeyCredential>>,
    /// Client secrets that were removed lately.
    pub removed_passwords: Vec<Removed<PasswordCredential>>,
}

impl Credentials {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len() + self.passwords.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A credential that is gone from the directory, and since when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Removed<T> {
    /// When it was removed.
    pub at: Timestamp,
    /// The credential.
    pub credential: T,
}

/// How long removed credentials are remembered, for `token_lag`. Longer than any lag seen in the field.
const REMEMBER_REMOVED: SignedDuration = SignedDuration::from_hours(24);

impl<T> Removed<T> {
    fn push(all: &mut Vec<Self>, credential: T, now: Timestamp) {
        all.retain(|removed| now.duration_since(removed.at) < REMEMBER_REMOVED);
        all.push(Self { at: now, credential });
    }
}

impl Directory {
    /// An empty tenant with Microsoft's own service principals in it.
    pub fn new(seed: u64, now: Timestamp) -> Self {
        let mut entropy = Entropy::new(seed);
        let mut directory = Self {
            applications: BTreeMap::new(),
            assignments: BTreeMap::new(),
            by_app_id: ByAppId::default(),
            domain: "contoso.example".to_owned(),
            tenant_id: entropy.uuid(),
            entropy,
            grants: BTreeMap::new(),
            policies: AppPolicies::default(),
            principals: BTreeMap::new(),
            sign_ins: BTreeMap::new(),
            users: BTreeMap::new(),
        };
        for app_id in [MICROSOFT_GRAPH, EXCHANGE_ONLINE] {
            directory.insert_principal(app_id, None, now);
        }
        directory
    }

    /// The tenant's verified domain; accepted wherever the tenant id is.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Takes up work after a reload: the stream of ids of `seed` goes on (see [`Entropy`]), and what is looked up is
    /// found again.
    pub fn resume(&mut self, seed: u64) {
        self.entropy.rekey(seed);
        self.by_app_id = ByAppId {
            applications: self.applications.values().map(|one| (one.app_id, one.id)).collect(),
            principals: self.principals.values().map(|one| (one.app_id, one.id)).collect(),
        };
    }

    /// The tenant's id.
    pub fn tenant_id(&self) -> Uuid {
        self.tenant_id
    }

    /// The credentials of the application or service principal with this object id.
    pub fn credentials(&self, holder: Uuid) -> Option<&Credentials> {
        let application = self.application(holder).map(|application| &application.credentials);
        application.or_else(|| self.principal(holder).map(|principal| &principal.credentials))
    }

    fn credentials_mut(&mut self, holder: Uuid) -> Result<&mut Credentials, Refusal> {
        if let Some(application) = self.applications.get_mut(&holder).filter(|one| one.deleted.is_none()) {
            return Ok(&mut application.credentials);
        }
        let principal = self.principals.get_mut(&holder).filter(|one| one.deleted.is_none());
        principal.map(|principal| &mut principal.credentials).ok_or_else(|| Refusal::no_object(holder))
    }
}

/// Everything after `after`, or everything.
fn beyond<K>(after: Option<K>) -> (Bound<K>, Bound<K>) {
    (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

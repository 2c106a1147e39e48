//! App registrations: what a policy asks for, and what Entra shows.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::ClientId;
use super::KeyId;
use super::ObjectId;
use super::TenantId;
use super::Thumbprint;

/// Microsoft Graph's own client id, the resource of most permissions.
pub const GRAPH_APP_ID: &str = "00000003-0000-0000-c000-000000000000";

/// Who may sign in: `signInAudience` of Graph.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Audience {
    /// `single`: `AzureADMyOrg`.
    #[serde(rename = "single")]
    Single,
    /// `multi`: `AzureADMultipleOrgs`.
    #[serde(rename = "multi")]
    Multi,
    /// `multi+personal`: `AzureADandPersonalMicrosoftAccount`.
    #[serde(rename = "multi+personal")]
    MultiAndPersonal,
    /// `personal`: `PersonalMicrosoftAccount`.
    #[serde(rename = "personal")]
    Personal,
}

impl Audience {
    /// Whether Entra allows only two client secrets, expired and foreign ones counted
    /// (supported-accounts-validation; `rotation.md`, capped audiences).
    pub fn is_capped(self) -> bool {
        matches!(self, Self::MultiAndPersonal | Self::Personal)
    }

    /// The value of `signInAudience`.
    pub fn graph_name(self) -> &'static str {
        match self {
            Self::Single => "AzureADMyOrg",
            Self::Multi => "AzureADMultipleOrgs",
            Self::MultiAndPersonal => "AzureADandPersonalMicrosoftAccount",
            Self::Personal => "PersonalMicrosoftAccount",
        }
    }
}

/// Where a redirect URI is registered.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// `publicClient.redirectUris`.
    PublicClient,
    /// `spa.redirectUris`.
    Spa,
    /// `web.redirectUris`.
    Web,
}

/// One redirect URI.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct RedirectUri {
    /// Platform it belongs to.
    pub platform: Platform,
    /// The URI, compared byte for byte.
    pub uri: String,
}

/// Application permission or delegated permission.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum PermissionKind {
    /// An app role: the application acts as itself.
    Role,
    /// A delegated scope: the application acts for a signed-in user.
    Scope,
}

/// One requested permission.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Permission {
    /// Client id of the resource (Microsoft Graph: [`GRAPH_APP_ID`]).
    pub resource: ClientId,
    /// Application or delegated.
    pub kind: PermissionKind,
    /// Id of the app role or scope, a GUID.
    pub id: String,
    /// Its name (`Mail.ReadWrite`), for people and for the scope text of a grant.
    pub name: String,
}

/// How consent comes about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// everkey grants, only names that `permissions_allowed` of `everkey.toml` lists.
    Grant,
    /// A person opens a link; until the assignments show it, the state is "awaiting consent".
    Link,
    /// Nobody is asked.
    None,
}

/// What a policy asks of an app registration.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AppSpec {
    /// An existing app registration to use instead of creating one.
    pub client_id: Option<ClientId>,
    /// `displayName`.
    pub display_name: String,
    /// Supported account types.
    pub audience: Audience,
    /// Redirect URIs that must be there; others are shown as drift and left alone.
    pub redirect_uris: Vec<RedirectUri>,
    /// Permissions that must be requested; others are shown as drift and left alone.
    pub permissions: Vec<Permission>,
    /// How they are consented.
    pub consent: Consent,
    /// Hide the enterprise application from users (service principal tag `HideApp`).
    pub hidden_from_users: bool,
}

/// The application everkey works on: enough to address it everywhere.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AppRef {
    /// Directory (tenant) id.
    pub tenant_id: TenantId,
    /// Object id of the application.
    pub object_id: ObjectId,
    /// Application (client) id.
    pub client_id: ClientId,
}

/// A client secret as Graph lists it; the value itself is never listed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SecretEntry {
    /// `keyId`.
    pub key_id: KeyId,
    /// `displayName`; everkey's own carry a tag (rule D1 of `rotation.md`).
    pub display_name: Option<String>,
    /// First three characters of the value.
    pub hint: Option<String>,
    /// `startDateTime`.
    pub start: Timestamp,
    /// `endDateTime`.
    pub end: Timestamp,
}

/// A certificate as Graph lists it, with every field a PATCH must echo.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CertificateEntry {
    /// `keyId`.
    pub key_id: KeyId,
    /// `displayName`.
    pub display_name: Option<String>,
    /// SHA-1 thumbprint, from `key` when it is there, else from `customKeyIdentifier` when that holds one.
    pub thumbprint: Option<Thumbprint>,
    /// `customKeyIdentifier` verbatim; not always a thumbprint.
    pub custom_key_identifier: Option<String>,
    /// `type`, `AsymmetricX509Cert` for sign-in certificates.
    pub kind: String,
    /// `usage`, `Verify` for sign-in certificates.
    pub usage: String,
    /// `startDateTime`.
    pub start: Timestamp,
    /// `endDateTime`.
    pub end: Timestamp,
    /// The certificate, DER; only present when the key bytes were asked for on a single object.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::bytes")]
    pub key: Option<Vec<u8>>,
}

/// An application as Graph shows it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AppObserved {
    /// Object id.
    pub object_id: ObjectId,
    /// Client id.
    pub client_id: ClientId,
    /// `displayName`.
    pub display_name: String,
    /// `signInAudience` verbatim.
    pub audience: String,
    /// All redirect URIs.
    pub redirect_uris: Vec<RedirectUri>,
    /// All requested permissions; `name` is empty, Graph lists ids only.
    pub permissions: Vec<Permission>,
    /// All client secrets, everybody's.
    pub secrets: Vec<SecretEntry>,
    /// All certificates, everybody's.
    pub certificates: Vec<CertificateEntry>,
}

/// A service principal (enterprise application) as Graph shows it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PrincipalObserved {
    /// Object id of the service principal.
    pub object_id: ObjectId,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Its tags.
    pub tags: Vec<String>,
    /// Client secrets of its own, which the application does not show; `None` where Graph did not list them.
    #[serde(default)]
    pub secrets: Option<Vec<SecretEntry>>,
    /// Certificates of its own.
    #[serde(default)]
    pub certificates: Option<Vec<CertificateEntry>>,
}

/// What has been consented for a service principal.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Grants {
    /// Granted app roles: resource client id, app role id.
    pub roles: Vec<(ClientId, String)>,
    /// Tenant-wide delegated scopes: resource client id, scope name.
    pub scopes: Vec<(ClientId, String)>,
}

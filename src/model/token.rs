//! What an access token says, for people. Nothing is decided by it: to whoever asked for it, a token is opaque.

use jiff::Timestamp;
use serde::Serialize;

use super::ClientId;
use super::ObjectId;
use super::TenantId;

/// The claims of an app-only access token that mean something to people; its signature was not checked.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct TokenClaims {
    /// `aud`: whom it is for.
    pub audience: Option<String>,
    /// `iss`.
    pub issuer: Option<String>,
    /// `tid`.
    pub tenant_id: Option<TenantId>,
    /// `appid` (v1) or `azp` (v2).
    pub client_id: Option<ClientId>,
    /// `oid`: the service principal.
    pub principal_id: Option<ObjectId>,
    /// `appidacr` or `azpacr` in words: `secret`, or `certificate or federation`.
    pub proven_by: Option<&'static str>,
    /// `roles`, sorted: what it may do.
    pub roles: Vec<String>,
    /// `iat`.
    pub issued: Option<Timestamp>,
    /// `exp`.
    pub expires: Option<Timestamp>,
}

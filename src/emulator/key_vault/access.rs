//! Who may: the bearer token with its challenge, and rights given per vault and service principal.

use axum::http::StatusCode;
use axum::http::header;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::Problem;
use super::Vaults;
use super::problem::Told;
use super::quirks::KeyVaultQuirks;
use crate::emulator::call::Call;
use crate::emulator::call::Reply;
use crate::emulator::jws::Jws;
use crate::emulator::login;
use crate::emulator::tenant::Tenant;

/// What a service principal may do in a vault.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rights {
    /// Read and list.
    pub get: bool,
    /// Everything that changes something.
    pub set: bool,
}

/// A signed-in service principal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller(Uuid);

/// Checks the bearer token: our signature, for vaults, alive when the request arrived. Without one the answer is the
/// challenge that the SDKs ask for first.
pub(super) fn identify(tenant: &Tenant, call: &Call) -> Result<Caller, Reply> {
    let authorization = call.header(header::AUTHORIZATION).unwrap_or_default();
    let token = match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(challenge(tenant, "AKV10000: Request is missing a Bearer or PoP token.")),
    };
    let no = |why: &str| challenge(tenant, why);
    let token = Jws::parse(token).map_err(|_| no("AKV10001: Unable to parse the token."))?;
    if !tenant.signer.made(&token) {
        return Err(no("AKV10023: The token's signature is not valid."));
    }
    if !token.text("aud").is_some_and(|audience| login::is_key_vault(tenant.port, audience)) {
        return Err(no("AKV10022: Invalid audience. Expected https://vault.azure.net."));
    }
    if token.seconds("exp").is_none_or(|exp| call.received.as_second() >= exp) {
        return Err(no("AKV10020: The token has expired."));
    }
    let principal = token.text("oid").and_then(|text| text.parse().ok());
    principal.map(Caller).ok_or_else(|| no("AKV10001: The token names no object."))
}

fn challenge(tenant: &Tenant, message: &str) -> Reply {
    let (port, id) = (tenant.port, tenant.directory.tenant_id());
    let header =
        format!("Bearer authorization=\"https://localhost:{port}/{id}\", resource=\"https://vault.localhost:{port}\"");
    Reply::json(StatusCode::UNAUTHORIZED, json!({"error": {"code": "Unauthorized", "message": message}}))
        .with(axum::http::header::WWW_AUTHENTICATE, header)
}

impl Vaults {
    /// Refuses a caller that may not; the operator may everything.
    pub(super) fn allow(&self, vault: &str, caller: Caller, write: bool, quirks: &KeyVaultQuirks) -> Told<()> {
        let rights = self.rights(vault, caller.0);
        if (write && rights.set) || (!write && rights.get) {
            return Ok(());
        }
        let (inner, how) = if quirks.access_policies {
            ("AccessDenied", "does not have the permission in the vault's access policy")
        } else {
            ("ForbiddenByRbac", "is not authorized to perform action on resource")
        };
        Err(Problem::forbidden(inner, format!("Caller {} {how}. Vault: {vault}", caller.0)))
    }
}

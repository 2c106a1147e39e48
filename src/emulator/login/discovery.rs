//! Discovery: the OpenID configuration of the tenant, its keys, and instance discovery (entra-contract 1.6).

use serde_json::json;

use super::Refused;
use super::check_tenant;
use super::ok;
use crate::emulator::call::Call;
use crate::emulator::call::Reply;
use crate::emulator::tenant::Tenant;

/// The OpenID configuration; `flavour` is `v2.0/` or empty for the v1 endpoints. The tenant stays the
/// first path segment of the token endpoint: MSAL takes it from there.
pub(super) fn document(tenant: &Tenant, call: &Call, named: &str, flavour: &str) -> Refused<Reply> {
    let base = call.base();
    // The documents that belong to no tenant leave a blank for its id; `az logout` asks for one.
    let (id, place) = if matches!(named, "common" | "organizations") {
        ("{tenantid}".to_owned(), named.to_owned())
    } else {
        check_tenant(tenant, named)?;
        let id = tenant.directory.tenant_id().to_string();
        (id.clone(), id)
    };
    let (issuer, oauth2) = if flavour.is_empty() {
        (format!("https://sts.windows.net/{id}/"), format!("{base}/{place}/oauth2"))
    } else {
        (format!("{base}/{id}/v2.0"), format!("{base}/{place}/oauth2/v2.0"))
    };
    Ok(ok(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{oauth2}/authorize"),
        "token_endpoint": format!("{oauth2}/token"),
        "device_authorization_endpoint": format!("{oauth2}/devicecode"),
        "jwks_uri": format!("{base}/{place}/discovery/{flavour}keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "tenant_region_scope": null,
        "cloud_instance_name": call.base().trim_start_matches("https://"),
        "msgraph_host": call.base().trim_start_matches("https://"),
    })))
}

/// Instance discovery, for a client that is pointed here and asks whether the authority is known.
pub(super) fn instance(call: &Call) -> Reply {
    let endpoint = call.query_pairs().find(|(name, _)| name == "authorization_endpoint").map(|(_, value)| value);
    let authority = endpoint.as_deref().and_then(|url| url.split_once("/oauth2/")).map(|(authority, _)| authority);
    let host = call.base().trim_start_matches("https://").to_owned();
    ok(json!({
        "tenant_discovery_endpoint":
            format!("{}/v2.0/.well-known/openid-configuration", authority.unwrap_or(&call.base())),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }))
}

/// The public half of the token key.
pub(super) fn keys(tenant: &Tenant, call: &Call) -> Reply {
    ok(tenant.signer.key_set(&format!("{}/{}/v2.0", call.base(), tenant.directory.tenant_id())))
}

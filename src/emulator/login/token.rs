//! The token endpoint: client credentials by secret or by certificate assertion, v2.0 and v1.

use axum::http::StatusCode;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::AadSts;
use super::Refused;
use super::assertion;
use super::check_tenant;
use super::form::Form;
use super::resources;
use crate::emulator::call::Call;
use crate::emulator::call::Reply;
use crate::emulator::directory::Presented;
use crate::emulator::directory::Verdict;
use crate::emulator::tenant::Tenant;

/// What real tokens say; the last second belongs to the client's margin.
const LIFETIME_SECONDS: i64 = 3599;
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Which of the two endpoints was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Version {
    /// `oauth2/token` with `resource=`; numbers in the answer are texts.
    V1,
    /// `oauth2/v2.0/token` with `scope=`.
    V2,
}

/// Answers a token request.
pub(super) fn issue(tenant: &mut Tenant, call: &Call, named: &str, version: Version) -> Refused<Reply> {
    if matches!(named, "common" | "consumers" | "organizations") {
        return Err(AadSts::new(
            9_001_023,
            "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.",
        ));
    }
    check_tenant(tenant, named)?;
    let form = Form::read(call);
    let grant = form.need("grant_type")?;
    if grant != "client_credentials" {
        return Err(AadSts::new(70_003, format!("The app requested an unsupported grant type '{grant}'.")));
    }
    let client = form.need("client_id")?;
    let audience = audience(&form, version)?;
    let app_id = known_app(tenant, client)?;
    let used = authenticate(tenant, call, &form, app_id)?;
    let (principal, enabled) = principal(tenant, app_id)?;
    if !enabled {
        return Err(AadSts::new(7_000_112, format!("Application '{app_id}' is disabled.")));
    }
    if tenant.blocked.contains(&app_id) {
        return Err(AadSts::new(
            53_003,
            "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
        ));
    }
    let resource = resources::resolve(tenant, &audience).ok_or_else(|| {
        AadSts::new(
            500_011,
            format!(
                "The resource principal named {audience} was not found in the tenant named {}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.",
                tenant.directory.tenant_id()
            ),
        )
    })?;
    let resource_id = tenant.directory.principal_by_app_id(resource).map(|one| one.id);
    let mut claims = claims_for(tenant, call, &audience, (app_id, principal), resource);
    if matches!(used, Verdict::Secret(_)) {
        claims["appidacr"] = json!("1");
    }
    let token = tenant
        .signer
        .sign(&claims)
        .map_err(|_| AadSts::new(90_033, "A transient error has occurred. Please try again."))?;
    tenant.directory.record_sign_in(app_id, &used, resource_id, call.request_id, call.now);
    Ok(Reply::json(StatusCode::OK, success(version, &audience, &claims, token)))
}

fn success(version: Version, audience: &str, claims: &Value, token: String) -> Value {
    match version {
        Version::V1 => json!({
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS.to_string(),
            "ext_expires_in": LIFETIME_SECONDS.to_string(),
            "expires_on": claims["exp"].to_string(),
            "not_before": claims["nbf"].to_string(),
            "resource": audience,
            "access_token": token,
        }),
        Version::V2 => json!({
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
            "ext_expires_in": LIFETIME_SECONDS,
            "access_token": token,
        }),
    }
}

/// The resource asked for, without `/.default`. az writes `https://host//.default`: exactly one suffix
/// is cut off.
fn audience(form: &Form, version: Version) -> Refused<String> {
    if version == Version::V1 {
        return form.need("resource").map(str::to_owned);
    }
    let scope = form.need("scope")?;
    let mut scopes = scope.split_whitespace();
    let (Some(scope), None) = (scopes.next(), scopes.next()) else {
        return Err(AadSts::new(
            70_011,
            format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
            ),
        ));
    };
    scope.strip_suffix("/.default").map(str::to_owned).ok_or_else(|| {
        AadSts::new(
            1_002_012,
            format!("The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."),
        )
    })
}

/// The application with this client id. One for personal accounts only has no part in a tenant's
/// client credentials.
fn known_app(tenant: &Tenant, client: &str) -> Refused<Uuid> {
    let app_id = Uuid::parse_str(client).ok();
    let found = app_id.and_then(|id| tenant.directory.application_by_app_id(id));
    found.filter(|app| app.sign_in_audience != "PersonalMicrosoftAccount").map(|app| app.app_id).ok_or_else(|| {
        AadSts::new(
            700_016,
            format!(
                "Application with identifier '{client}' was not found in the directory '{}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
                tenant.directory.tenant_id()
            ),
        )
    })
}

fn authenticate(tenant: &Tenant, call: &Call, form: &Form, app_id: Uuid) -> Refused<Verdict> {
    if let Some(assertion) = form.get("client_assertion") {
        if form.need("client_assertion_type")? != JWT_BEARER {
            return Err(AadSts::new(
                50_027,
                format!("The client assertion type is not valid; it must be '{JWT_BEARER}'."),
            ));
        }
        return assertion::check(tenant, call, app_id, assertion);
    }
    let Some(secret) = form.get("client_secret") else {
        return Err(AadSts::new(
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        ));
    };
    match tenant.directory.judge(app_id, Presented::Secret(secret), tenant.token_lag(), call.now) {
        used @ Verdict::Secret(_) => Ok(used),
        Verdict::Expired { .. } => Err(AadSts::new(
            7_000_222,
            format!(
                "The provided client secret keys for app '{app_id}' are expired. Visit the Azure portal to create new keys for your app, or consider using certificate credentials for added security."
            ),
        )),
        _ => Err(AadSts::new(
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{app_id}'."
            ),
        )),
    }
}

fn principal(tenant: &Tenant, app_id: Uuid) -> Refused<(Uuid, bool)> {
    let found = tenant.directory.principal_by_app_id(app_id).map(|one| (one.id, one.account_enabled));
    found.ok_or_else(|| {
        AadSts::new(
            7_000_229,
            format!(
                "The client application {app_id} is missing service principal in the tenant {}.",
                tenant.directory.tenant_id()
            ),
        )
    })
}

/// The claims of an app-only access token (entra-contract 1.1); a token without roles has no `roles`.
pub(super) fn claims_for(
    tenant: &Tenant,
    call: &Call,
    audience: &str,
    (app_id, principal): (Uuid, Uuid),
    resource: Uuid,
) -> Value {
    let resource = tenant.directory.principal_by_app_id(resource).map(|one| one.id);
    let roles = resource.map(|resource| tenant.directory.roles(principal, resource)).unwrap_or_default();
    let issued = call.now.as_second() + tenant.quirks.clock_offset.as_secs();
    let tenant_id = tenant.directory.tenant_id();
    let mut claims = json!({
        "aud": audience,
        "iss": format!("https://sts.windows.net/{tenant_id}/"),
        "iat": issued,
        "nbf": issued,
        "exp": issued + LIFETIME_SECONDS,
        "appid": app_id,
        // By something better than a secret.
        "appidacr": "2",
        "idp": format!("https://sts.windows.net/{tenant_id}/"),
        "idtyp": "app",
        "oid": principal,
        "sub": principal,
        "tid": tenant_id,
        "uti": call.request_id.simple().to_string(),
        "ver": "1.0",
    });
    if !roles.is_empty() {
        claims["roles"] = json!(roles);
    }
    claims
}

//! Tokens of managed identities, as the machine itself gives them: IMDS and App Service (entra-contract 1.4). Plain
//! http, on a port of its own, because that is what they are.
//!
//! The emulated machine has the identity called [`MACHINE`] as its system-assigned one; every other managed identity
//! of the tenant is user-assigned to it.

use axum::http::HeaderName;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::resources;
use super::token;
use crate::emulator::call::Call;
use crate::emulator::call::Reply;
use crate::emulator::directory::Directory;
use crate::emulator::directory::ServicePrincipal;
use crate::emulator::tenant::Tenant;

/// Name of the system-assigned identity.
pub const MACHINE: &str = "emulator-machine";

/// Which of the two endpoints is asked.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Form {
    AppService,
    Imds,
}

/// Why there is no token: status, `error`, `error_description`.
struct No(StatusCode, &'static str, String);

impl No {
    fn bad(why: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, "invalid_request", why.into())
    }
}

/// Answers a request on the machine's own port; `secret` is the value of `IDENTITY_HEADER`.
pub fn answer(tenant: &mut Tenant, call: &Call, secret: &str) -> Reply {
    let form = match call.path.trim_end_matches('/') {
        "/metadata/identity/oauth2/token" => Form::Imds,
        "/msi/token" => Form::AppService,
        _ => return refused(&No(StatusCode::NOT_FOUND, "not_found", format!("there is no {}", call.path))),
    };
    give(tenant, call, form, secret).unwrap_or_else(|no| refused(&no))
}

fn refused(No(status, error, description): &No) -> Reply {
    Reply::json(*status, json!({"error": error, "error_description": description}))
}

fn give(tenant: &mut Tenant, call: &Call, form: Form, secret: &str) -> Result<Reply, No> {
    if call.method != Method::GET {
        return Err(No(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "only GET is answered".to_owned()));
    }
    admit(call, form, secret)?;
    let asked: Vec<(String, String)> = call.query_pairs().collect();
    let parameter = |name: &str| {
        let found = asked.iter().find(|(given, value)| given.eq_ignore_ascii_case(name) && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    };
    if parameter("api-version").is_none() {
        return Err(No::bad("Required query parameter 'api-version' not specified"));
    }
    let audience = parameter("resource").ok_or_else(|| No::bad("Required query variable 'resource' is missing"))?;
    let resource_id = if form == Form::Imds { "msi_res_id" } else { "mi_res_id" };
    let selectors =
        [("client_id", parameter("client_id")), ("object_id", parameter("object_id")), ("", parameter(resource_id))];
    let mut selected = selectors.into_iter().filter_map(|(kind, value)| Some((kind, value?)));
    let identity = match (selected.next(), selected.next()) {
        (selector, None) => find(&tenant.directory, selector),
        _ => return Err(No::bad("Only one of client_id, object_id and the resource id may be given")),
    };
    let identity = identity.ok_or_else(|| No::bad("Identity not found"))?;
    let (app_id, principal) = (identity.app_id, identity.id);
    let mirid = resource_id_of(&tenant.directory, identity);
    let resource = resources::resolve(tenant, audience).ok_or_else(|| {
        No(
            StatusCode::BAD_REQUEST,
            "invalid_resource",
            format!("AADSTS500011: The resource principal named {audience} was not found in the tenant."),
        )
    })?;
    let mut claims = token::claims_for(tenant, call, audience, (app_id, principal), resource);
    claims["xms_mirid"] = json!(mirid);
    let signed = tenant.signer.sign(&claims);
    let signed = signed.map_err(|error| No(StatusCode::INTERNAL_SERVER_ERROR, "unknown", error.to_string()))?;
    Ok(Reply::json(StatusCode::OK, success(form, app_id, audience, &claims, &signed))
        .with(header::CACHE_CONTROL, "no-store"))
}

/// The header that a page in a browser, or a forwarded request, cannot have.
fn admit(call: &Call, form: Form, secret: &str) -> Result<(), No> {
    match form {
        Form::Imds if call.header("metadata") != Some("true") => Err(No::bad("Required metadata header not specified")),
        Form::Imds if call.headers.contains_key(HeaderName::from_static("x-forwarded-for")) => {
            Err(No::bad("Requests with X-Forwarded-For are not answered"))
        }
        // The status is not established.
        Form::AppService if call.header("x-identity-header") != Some(secret) => {
            Err(No(StatusCode::UNAUTHORIZED, "unauthorized", "X-IDENTITY-HEADER is missing or wrong".to_owned()))
        }
        _ => Ok(()),
    }
}

/// The identity that is meant: the one that the selector names; without one the machine's own, else the only one.
fn find<'a>(directory: &'a Directory, selector: Option<(&str, &str)>) -> Option<&'a ServicePrincipal> {
    let mut all = directory.principals().filter(|one| one.kind.as_deref() == Some("ManagedIdentity"));
    match selector {
        Some(("client_id", value)) => all.find(|one| Uuid::parse_str(value) == Ok(one.app_id)),
        Some(("object_id", value)) => all.find(|one| Uuid::parse_str(value) == Ok(one.id)),
        Some((_, value)) => all.find(|one| resource_id_of(directory, one).eq_ignore_ascii_case(value)),
        None => {
            let all: Vec<_> = all.collect();
            let own = all.iter().find(|one| one.own_name.as_deref() == Some(MACHINE)).copied();
            own.or(if all.len() == 1 { all.first().copied() } else { None })
        }
    }
}

fn resource_id_of(directory: &Directory, identity: &ServicePrincipal) -> String {
    let name = identity.own_name.as_deref().unwrap_or_default();
    let group = format!("/subscriptions/{}/resourcegroups/emulator/providers", directory.tenant_id());
    match name {
        MACHINE => format!("{group}/Microsoft.Compute/virtualMachines/{name}"),
        _ => format!("{group}/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"),
    }
}

/// Numbers are texts in both forms.
fn success(form: Form, app_id: Uuid, audience: &str, claims: &Value, token: &str) -> Value {
    let mut body = json!({
        "access_token": token,
        "client_id": app_id,
        "expires_on": claims["exp"].to_string(),
        "resource": audience,
        "token_type": "Bearer",
    });
    if form == Form::Imds {
        let life = claims["exp"].as_i64().unwrap_or_default() - claims["iat"].as_i64().unwrap_or_default();
        body["refresh_token"] = json!("");
        body["expires_in"] = json!(life.to_string());
        body["ext_expires_in"] = json!(life.to_string());
        body["not_before"] = json!(claims["nbf"].to_string());
    }
    body
}

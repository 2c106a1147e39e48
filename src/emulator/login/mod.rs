//! The login host: token endpoint (v2.0 and v1), discovery documents, keys.

mod assertion;
mod discovery;
mod federation;
mod form;
mod managed;
mod refusal;
mod resources;
mod token;

use axum::http::HeaderName;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use serde_json::Value;
use uuid::Uuid;

pub use self::managed::MACHINE;
pub use self::managed::answer as managed;
use self::refusal::AadSts;
use self::refusal::Refused;
pub use self::refusal::Wording;
pub use self::resources::is_graph;
pub use self::resources::is_key_vault;
use super::call::Call;
use super::call::Reply;
use super::tenant::Tenant;

/// Whether a lower-case path belongs to the login host: `/{tenant}/…` with one of the known tails.
pub fn is_login_path(path: &str) -> bool {
    let tail = path.trim_start_matches('/').split_once('/').map_or("", |(_, tail)| tail);
    TAILS.contains(&tail.trim_end_matches('/'))
}

const TAILS: &[&str] = &[
    ".well-known/openid-configuration",
    "discovery/instance",
    "discovery/keys",
    "discovery/v2.0/keys",
    "oauth2/token",
    "oauth2/v2.0/token",
    "v2.0/.well-known/openid-configuration",
];

/// Answers a request to the login host. `named` is the tenant as the path names it.
pub fn answer(tenant: &mut Tenant, call: &Call, named: &str) -> Reply {
    let path = call.path.to_ascii_lowercase();
    let tail = path.trim_start_matches('/').split_once('/').map_or("", |(_, tail)| tail);
    let answer = match (&call.method, tail.trim_end_matches('/')) {
        (&Method::POST, "oauth2/v2.0/token") => token::issue(tenant, call, named, token::Version::V2),
        (&Method::POST, "oauth2/token") => token::issue(tenant, call, named, token::Version::V1),
        (&Method::GET, "discovery/instance") => Ok(discovery::instance(call)),
        (&Method::GET, "discovery/keys" | "discovery/v2.0/keys") => Ok(discovery::keys(tenant, call)),
        (&Method::GET, "v2.0/.well-known/openid-configuration") => discovery::document(tenant, call, named, "v2.0/"),
        (&Method::GET, ".well-known/openid-configuration") => discovery::document(tenant, call, named, ""),
        _ => Err(AadSts::new(900561, format!("The endpoint does not accept {} requests.", call.method))),
    };
    let reply = answer.unwrap_or_else(|refused| refused.reply(call, tenant.quirks.token_refusals.get(&refused.code())));
    reply
        .with(header::CACHE_CONTROL, "no-store, no-cache")
        .with(header::PRAGMA, "no-cache")
        .with(HeaderName::from_static("x-ms-request-id"), call.request_id.to_string())
        .with(HeaderName::from_static("client-request-id"), call.correlation_id().to_string())
}

/// Checks that a path names our tenant, by id or by verified domain.
fn check_tenant(tenant: &Tenant, named: &str) -> Refused<()> {
    let ours = tenant.directory.tenant_id();
    match Uuid::parse_str(named) {
        Ok(id) if id == ours => Ok(()),
        Err(_) if named.eq_ignore_ascii_case(tenant.directory.domain()) => Ok(()),
        Err(_) if !named.contains('.') => Err(AadSts::new(
            900_023,
            format!("Specified tenant identifier '{named}' is neither a valid DNS name, nor a valid external domain."),
        )),
        _ => Err(AadSts::new(
            90_002,
            format!(
                "Tenant '{named}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
            ),
        )),
    }
}

fn ok(body: Value) -> Reply {
    Reply::json(StatusCode::OK, body)
}

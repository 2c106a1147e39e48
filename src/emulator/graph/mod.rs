//! Microsoft Graph, `/v1.0` and `/beta`: who calls, which route, what it may do.

mod applications;
mod batch;
mod caller;
mod credentials;
mod deleted;
mod delta;
mod entity;
mod federated;
mod filter;
mod grants;
mod mails;
mod owners;
mod path;
mod policies;
mod principals;
mod problem;
mod query;
mod reports;
mod roles;
mod search;
mod wire;

use axum::http::HeaderName;
use axum::http::StatusCode;
use axum::http::header;
use serde::de::DeserializeOwned;

pub use self::delta::Deltas;

use self::caller::Caller;
use self::path::Path;
use self::problem::Answer;
use self::problem::Problem;
use super::call::Call;
use super::call::Reply;
use super::call::ReplyBody;
use super::tenant::Tenant;

/// One request being answered.
struct Request<'a> {
    call: &'a Call,
    caller: Caller,
    path: Path,
    tenant: &'a mut Tenant,
}

impl Request<'_> {
    /// The body as JSON of a known shape.
    fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.call.body).map_err(|_| Problem::unreadable_body())
    }

    /// `https://host/v1.0`, for contexts and links.
    fn root(&self) -> String {
        format!("{}/{}", self.call.base(), self.path.version)
    }
}

/// Answers a request to `/v1.0` or `/beta`.
pub fn answer(tenant: &mut Tenant, call: &Call) -> Reply {
    let reply = route(tenant, call).unwrap_or_else(|problem| problem.reply(call));
    dressed(reply, call)
}

/// The answer to a path that no part of the emulator knows.
pub fn not_found(call: &Call) -> Reply {
    let name = call.path.trim_start_matches('/');
    dressed(Problem::new(StatusCode::NOT_FOUND, "BadRequest", format!("Invalid version: {name}.")).reply(call), call)
}

fn route(tenant: &mut Tenant, call: &Call) -> Answer {
    let caller = caller::identify(tenant, call)?;
    let path = Path::parse(&call.path)?;
    let first = path.segments.first().map(|segment| segment.name.clone()).unwrap_or_default();
    let mut request = Request { call, caller, path, tenant };
    match first.as_str() {
        "$batch" => batch::route(&mut request),
        "applications" => applications::route(&mut request),
        "directory" => deleted::route(&mut request),
        "oauth2permissiongrants" => grants::route(&mut request),
        "policies" => policies::route(&mut request),
        "reports" => reports::route(&mut request),
        "serviceprincipals" => principals::route(&mut request),
        "subscriptions" => Ok(wire::nothing(&request.root(), "subscriptions")),
        "users" => mails::route(&mut request),
        _ => Err(Problem::unknown_segment(&first)),
    }
}

/// The type of everything that Graph says (entra-contract 2.1).
const JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
/// Which machine answered; clients log it.
const DIAGNOSTIC: &str =
    r#"{"ServerInfo":{"DataCenter":"Emulator","Slice":"E","Ring":"0","ScaleUnit":"000","RoleInstance":"EMULATOR"}}"#;

fn dressed(reply: Reply, call: &Call) -> Reply {
    let request_id = call.request_id.to_string();
    let client = call.header("client-request-id").map_or_else(|| request_id.clone(), str::to_owned);
    let reply = match reply.body {
        ReplyBody::Json(_) => reply.with(header::CONTENT_TYPE, JSON),
        _ => reply,
    };
    let reply = reply
        .with(HeaderName::from_static("request-id"), request_id)
        .with(HeaderName::from_static("x-ms-ags-diagnostic"), DIAGNOSTIC)
        .with(HeaderName::from_static("client-request-id"), client)
        .with(HeaderName::from_static("x-ms-resource-unit"), "1")
        .with(HeaderName::from_static("odata-version"), "4.0")
        .with(header::CACHE_CONTROL, "no-cache");
    if reply.status == StatusCode::UNAUTHORIZED {
        let challenge = format!(
            r#"Bearer realm="", authorization_uri="{}/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000""#,
            call.base()
        );
        return reply.with(header::WWW_AUTHENTICATE, challenge);
    }
    reply
}

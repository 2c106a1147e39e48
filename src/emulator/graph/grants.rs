//! `/oauth2PermissionGrants`.

use axum::http::Method;
use axum::http::StatusCode;
use serde::Deserialize;

use super::Problem;
use super::Request;
use super::problem::Answer;
use super::wire::Source;
use crate::emulator::call::Reply;
use crate::emulator::directory::PermissionGrant;

const WRITE: &[&str] = &["DelegatedPermissionGrant.ReadWrite.All"];
const READ: &[&str] = &[
    "DelegatedPermissionGrant.Read.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];

/// The body of a PATCH: nothing else can be changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    scope: String,
}

/// Answers a path below `/oauth2PermissionGrants`.
pub(super) fn route(request: &mut Request<'_>) -> Answer {
    let call = request.call;
    let id = request.path.segments.get(1).map(|segment| segment.raw.clone());
    if request.path.segments.len() > 2 {
        return Err(Problem::unknown_segment(&request.path.segments[2].raw));
    }
    let root = request.root();
    let source = Source { call, collection: "oauth2PermissionGrants", root: &root };
    match (&call.method, id) {
        (&Method::GET, None) => {
            request.caller.need(READ)?;
            let view = request.tenant.view(call.now);
            source.page(&view, &|after| Box::new(view.grants_after(after)))
        }
        (&Method::GET, Some(id)) => {
            request.caller.need(READ)?;
            let view = request.tenant.view(call.now);
            let grant = view.grant(&id).ok_or_else(|| Problem::not_found(&id))?;
            source.single(&view, grant, StatusCode::OK)
        }
        (&Method::POST, None) => {
            request.caller.need(WRITE)?;
            let grant: PermissionGrant = request.body()?;
            request.tenant.before_write(call.now);
            let grant = request.tenant.directory.create_grant(grant)?;
            source.single(&request.tenant.directory, &grant, StatusCode::CREATED)
        }
        (&Method::PATCH, Some(id)) => {
            request.caller.need(WRITE)?;
            let change: Change = request.body()?;
            request.tenant.before_write(call.now);
            request.tenant.directory.update_grant(&id, &change.scope)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (&Method::DELETE, Some(id)) => {
            request.caller.need(WRITE)?;
            request.tenant.before_write(call.now);
            request.tenant.directory.remove_grant(&id)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Problem::method(call)),
    }
}

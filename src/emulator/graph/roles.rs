//! `appRoleAssignments` (what a service principal holds) and `appRoleAssignedTo` (who holds what on it).

use axum::http::Method;
use axum::http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::Problem;
use super::Request;
use super::problem::Answer;
use super::wire::Source;
use crate::emulator::call::Reply;
use crate::emulator::directory::AppRoleAssignment;

const WRITE: &[&str] = &["AppRoleAssignment.ReadWrite.All"];

/// The body of a POST: object ids of service principals, not client ids.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assign {
    app_role_id: Uuid,
    principal_id: Uuid,
    resource_id: Uuid,
}

/// Answers a path below `/servicePrincipals/{id}/appRole…`; `used` segments name the service principal.
pub(super) fn route(request: &mut Request<'_>, id: Uuid, used: usize) -> Answer {
    let call = request.call;
    let names = request.path.names(used).join("/");
    let (side, assignment) = names.split_once('/').unwrap_or((names.as_str(), ""));
    let side_of: fn(&AppRoleAssignment) -> Uuid = match side {
        "approleassignedto" => |one| one.resource_id,
        "approleassignments" => |one| one.principal_id,
        unknown => return Err(Problem::unknown_segment(unknown)),
    };
    match (&call.method, assignment) {
        (&Method::GET, "") => {
            if !request.caller.has(WRITE) {
                request.caller.need_read()?;
            }
            let root = request.root();
            let view = request.tenant.view(call.now);
            let source = Source { call, collection: "appRoleAssignments", root: &root };
            source.page(&view, &|after| Box::new(view.assignments_after(after).filter(move |one| side_of(one) == id)))
        }
        (&Method::POST, "") => assign(request, id, side == "approleassignedto"),
        (&Method::DELETE, given) if !given.is_empty() => {
            request.caller.need(WRITE)?;
            // The path is matched in any case, the id is not.
            let exact = request.path.segments.get(used + 1).map(|segment| segment.raw.clone()).unwrap_or_default();
            let directory = &request.tenant.directory;
            if !directory.assignments().any(|one| one.id == exact && side_of(one) == id) {
                return Err(Problem::not_found(exact));
            }
            request.tenant.before_write(call.now);
            request.tenant.directory.remove_assignment(&exact)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Problem::method(call)),
    }
}

fn assign(request: &mut Request<'_>, id: Uuid, on_resource: bool) -> Answer {
    request.caller.need(WRITE)?;
    let body: Assign = request.body()?;
    let call = request.call;
    let named = if on_resource { body.resource_id } else { body.principal_id };
    if named != id {
        return Err(Problem::bad_request(
            "The service principal in the path and the one in the body are not the same.",
        ));
    }
    request.tenant.before_write(call.now);
    let directory = &mut request.tenant.directory;
    let assignment = directory.assign_role(body.principal_id, body.resource_id, body.app_role_id, call.now)?;
    let root = request.root();
    let source = Source { call, collection: "appRoleAssignments", root: &root };
    source.single(&request.tenant.directory, &assignment, StatusCode::CREATED)
}

//! `owners` of applications and service principals.

use axum::http::Method;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::Problem;
use super::Request;
use super::path::guid;
use super::problem::Answer;
use crate::emulator::call::Reply;
use crate::emulator::directory::Directory;

/// The body of `POST …/owners/$ref`.
#[derive(Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "@odata.id")]
    id: String,
}

impl Reference {
    /// The object at the end of the link.
    pub(super) fn target(&self) -> Result<Uuid, Problem> {
        guid(self.id.rsplit('/').next().unwrap_or_default())
    }
}

/// Answers a path below `…/{object}/owners`; `used` segments of it name the object.
pub(super) fn route(request: &mut Request<'_>, object: Uuid, used: usize) -> Answer {
    let names = request.path.names(used).join("/");
    let method = request.call.method.clone();
    match (method, names.split('/').collect::<Vec<_>>().as_slice()) {
        (Method::GET, ["owners"]) => list(request, object),
        (Method::POST, ["owners", "$ref"]) => {
            // With OwnedBy alone nobody adds owners.
            request.caller.need(&["Application.ReadWrite.All"])?;
            let body: Reference = request.body()?;
            let id = body.target()?;
            request.tenant.before_write(request.call.now);
            request.tenant.directory.add_owner(object, id)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (Method::DELETE, ["owners", owner, "$ref"]) => {
            request.caller.need_write(&request.tenant.directory, object)?;
            let owner = guid(owner)?;
            request.tenant.before_write(request.call.now);
            request.tenant.directory.remove_owner(object, owner)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (_, ["owners"] | ["owners", "$ref"] | ["owners", _, "$ref"]) => Err(Problem::method(request.call)),
        (_, [.., unknown]) => Err(Problem::unknown_segment(unknown)),
        (_, []) => Err(Problem::unknown_segment("")),
    }
}

fn list(request: &mut Request<'_>, object: Uuid) -> Answer {
    request.caller.need_read()?;
    let root = request.root();
    let view = request.tenant.view(request.call.now);
    let owners = view.owners(object).ok_or_else(|| Problem::not_found(object))?;
    let value: Value = owners.iter().filter_map(|id| owner(&view, *id)).collect();
    Ok(Reply::json(
        StatusCode::OK,
        json!({"@odata.context": format!("{root}/$metadata#directoryObjects"), "value": value}),
    ))
}

/// One owner on the wire: a user or a service principal.
pub(super) fn owner(directory: &Directory, id: Uuid) -> Option<Value> {
    if let Some(user) = directory.user(id) {
        return Some(json!({
            "@odata.type": "#microsoft.graph.user",
            "id": user.id,
            "displayName": user.display_name,
            "mail": user.mail,
            "userPrincipalName": user.mail,
            "accountEnabled": user.account_enabled,
        }));
    }
    let principal = directory.principal(id)?;
    Some(json!({
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "id": principal.id,
        "appId": principal.app_id,
        "displayName": directory.principal_name(principal),
    }))
}

//! `/directory/deletedItems`: applications in the bin.

use axum::http::Method;
use axum::http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::Problem;
use super::Request;
use super::path::guid;
use super::path::object_id;
use super::problem::Answer;
use super::wire::Source;
use crate::emulator::call::Reply;
use crate::emulator::call::ReplyBody;
use crate::emulator::directory::Application;

/// Answers a path below `/directory`.
pub(super) fn route(request: &mut Request<'_>) -> Answer {
    let call = request.call;
    let names = request.path.names(1);
    let root = request.root();
    let source = Source { call, collection: "directoryObjects", root: &root };
    match (&call.method, names.as_slice()) {
        (&Method::GET, ["deleteditems", "microsoft.graph.application"]) => {
            request.caller.need_read()?;
            let view = request.tenant.view(call.now);
            source.page(&view, &|after| Box::new(view.deleted_applications_after(object_id(after))))
        }
        (&Method::GET, ["deleteditems", id]) => {
            let id = guid(id)?;
            request.caller.need_read()?;
            source.single(&request.tenant.directory, deleted(request, id)?, StatusCode::OK)
        }
        (&Method::DELETE, ["deleteditems", id]) => {
            let id = guid(id)?;
            need_owner(request, id)?;
            request.tenant.before_write(call.now);
            request.tenant.directory.purge_application(id)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (&Method::POST, ["deleteditems", id, "restore" | "microsoft.graph.restore"]) => {
            let id = guid(id)?;
            need_owner(request, id)?;
            request.tenant.before_write(call.now);
            request.tenant.directory.restore_application(id)?;
            let directory = &request.tenant.directory;
            let application = directory.application(id).ok_or_else(|| Problem::not_found(id))?;
            let mut reply = source.single(directory, application, StatusCode::OK)?;
            if let ReplyBody::Json(body) = &mut reply.body {
                body["@odata.type"] = json!("#microsoft.graph.application");
            }
            Ok(reply)
        }
        (_, ["deleteditems", ..]) => Err(Problem::method(call)),
        (_, [unknown, ..]) => Err(Problem::unknown_segment(unknown)),
        (_, []) => Err(Problem::unknown_segment("directory")),
    }
}

fn deleted<'a>(request: &'a Request<'_>, id: Uuid) -> Result<&'a Application, Problem> {
    let mut all = request.tenant.directory.deleted_applications();
    all.find(|application| application.id == id).ok_or_else(|| Problem::not_found(id))
}

/// As for a change of the application while it lived.
fn need_owner(request: &Request<'_>, id: Uuid) -> Result<(), Problem> {
    request.caller.need_create()?;
    let owned = deleted(request, id)?.owners.contains(&request.caller.principal);
    if owned { Ok(()) } else { request.caller.need(&["Application.ReadWrite.All"]) }
}

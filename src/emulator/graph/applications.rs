//! `/applications`.

use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use serde_json::Value;
use uuid::Uuid;

use super::Problem;
use super::Request;
use super::credentials;
use super::delta;
use super::entity::application_keys_with_bytes;
use super::federated;
use super::owners;
use super::path::Address;
use super::path::object_id;
use super::policies;
use super::problem::Answer;
use super::query::Query;
use super::wire::Source;
use crate::emulator::call::Reply;
use crate::emulator::call::ReplyBody;
use crate::emulator::directory::Directory;
use crate::emulator::directory::Properties;

/// Answers a path below `/applications`.
pub(super) fn route(request: &mut Request<'_>) -> Answer {
    match request.path.address()? {
        None => collection(request),
        Some((address, used)) => object(request, &address, used),
    }
}

fn collection(request: &mut Request<'_>) -> Answer {
    let names = request.path.names(1);
    match (&request.call.method, names.as_slice()) {
        (&Method::GET, []) => {
            request.caller.need_read()?;
            let root = request.root();
            let view = request.tenant.view(request.call.now);
            Source { call: request.call, collection: "applications", root: &root }
                .page(&view, &|after| Box::new(view.applications_after(object_id(after))))
        }
        (&Method::GET, ["delta" | "microsoft.graph.delta"]) => {
            request.caller.need_read()?;
            let (root, call) = (request.root(), request.call);
            let empty_page = request.tenant.quirks.delta_empty_page;
            let mut deltas = std::mem::take(&mut request.tenant.deltas);
            let view = request.tenant.view(call.now);
            let source = delta::Source { call, collection: "applications", directory: &view, empty_page, root: &root };
            let answer = source.answer(&mut deltas, view.all_applications());
            drop(view);
            request.tenant.deltas = deltas;
            answer
        }
        (&Method::GET, ["$count"]) => {
            request.caller.need_read()?;
            let root = request.root();
            let view = request.tenant.view(request.call.now);
            Source { call: request.call, collection: "applications", root: &root }.count(&view, view.applications())
        }
        (&Method::POST, []) => {
            request.caller.need_create()?;
            let written = request.body()?;
            create(request, written)
        }
        (_, [] | ["$count" | "delta"]) => Err(Problem::method(request.call)),
        (_, [unknown, ..]) => Err(Problem::unknown_segment(unknown)),
    }
}

fn object(request: &mut Request<'_>, address: &Address, used: usize) -> Answer {
    let method = request.call.method.clone();
    let names = request.path.names(used).join("/");
    if method == Method::GET && names.is_empty() {
        return read(request, address);
    }
    let found = find(&request.tenant.directory, address);
    if method == Method::PATCH && names.is_empty() {
        return update(request, address, found);
    }
    let id = found.ok_or_else(|| missing(address))?;
    match (&method, names.as_str()) {
        (&Method::DELETE, "") => {
            request.caller.need_write(&request.tenant.directory, id)?;
            request.tenant.before_write(request.call.now);
            request.tenant.directory.delete_application(id, request.call.now)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (_, "") => Err(Problem::method(request.call)),
        (&Method::PUT, "logo") => logo(request, id),
        (_, rest) if rest.starts_with("appmanagementpolicies") => policies::of_object(request, id, used),
        (_, rest) if rest.starts_with("owners") => owners::route(request, id, used),
        (_, rest) if rest.starts_with("federatedidentitycredentials") => federated::route(request, id, used),
        (_, rest) => {
            let action = rest.to_owned();
            credentials::route(request, id, &action)
        }
    }
}

/// A picture is looked at and not kept.
fn logo(request: &Request<'_>, id: Uuid) -> Answer {
    request.caller.need_write(&request.tenant.directory, id)?;
    let kind = request.call.header(header::CONTENT_TYPE).unwrap_or_default();
    let is_picture = ["image/gif", "image/jpeg", "image/jpg", "image/png"].contains(&kind);
    if !is_picture || request.call.body.is_empty() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "Request_BadRequest",
            "The image is not a GIF, JPEG or PNG.",
        ));
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn read(request: &mut Request<'_>, address: &Address) -> Answer {
    request.caller.need_read()?;
    let root = request.root();
    let call = request.call;
    let view = request.tenant.view(call.now);
    let application = find(&view, address).and_then(|id| view.application(id)).ok_or_else(|| missing(address))?;
    let mut reply =
        Source { call, collection: "applications", root: &root }.single(&view, application, StatusCode::OK)?;
    let asked = Query::of(call)?
        .select
        .is_some_and(|names| names.iter().any(|name| name.eq_ignore_ascii_case("keyCredentials")));
    if let (true, ReplyBody::Json(body)) = (asked, &mut reply.body) {
        body["keyCredentials"] = application_keys_with_bytes(application);
    }
    Ok(reply)
}

/// PATCH of an existing application, or, by uniqueName with `Prefer: create-if-missing`, creation.
fn update(request: &mut Request<'_>, address: &Address, found: Option<Uuid>) -> Answer {
    let mut written: Properties = request.body()?;
    let call = request.call;
    if let Some(id) = found {
        request.caller.need_write(&request.tenant.directory, id)?;
        if let Some(keys) = written.get("keyCredentials").and_then(Value::as_array) {
            let secrets = request.tenant.directory.credentials(id).map_or(0, |held| held.passwords.len());
            credentials::need_room(request, secrets + keys.len())?;
        }
        let conduct = request.tenant.quirks.key_conduct();
        request.tenant.before_write(call.now);
        request.tenant.directory.update_application(id, written, conduct, call.now)?;
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    }
    let upsert = call.header("prefer").is_some_and(|prefer| prefer.contains("create-if-missing"));
    match address {
        Address::UniqueName(name) if upsert => {
            request.caller.need_create()?;
            written.insert("uniqueName".to_owned(), name.clone().into());
            create(request, written)
        }
        _ => {
            request.caller.need_create()?;
            Err(missing(address))
        }
    }
}

fn create(request: &mut Request<'_>, written: Properties) -> Answer {
    let call = request.call;
    // Whoever creates with OwnedBy alone becomes the owner; else nobody does, for app-only calls.
    let owner = (!request.caller.has(&["Application.ReadWrite.All"])).then_some(request.caller.principal);
    let conduct = request.tenant.quirks.key_conduct();
    request.tenant.before_write(call.now);
    let id = request.tenant.directory.create_application(written, owner, conduct, call.now)?;
    let root = request.root();
    let directory = &request.tenant.directory;
    let application = directory.application(id).ok_or_else(|| Problem::not_found(id))?;
    let source = Source { call, collection: "applications", root: &root };
    source.single(directory, application, StatusCode::CREATED)
}

fn find(directory: &Directory, address: &Address) -> Option<Uuid> {
    let found = match address {
        Address::AppId(id) => directory.application_by_app_id(*id),
        Address::Id(id) => directory.application(*id),
        Address::UniqueName(name) => directory.application_by_unique_name(name),
    };
    found.map(|application| application.id)
}

fn missing(address: &Address) -> Problem {
    match address {
        Address::AppId(id) | Address::Id(id) => Problem::not_found(id),
        Address::UniqueName(name) => Problem::not_found(name),
    }
}

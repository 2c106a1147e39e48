//! `/servicePrincipals`.

use axum::http::Method;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::Problem;
use super::Request;
use super::credentials;
use super::delta;
use super::entity;
use super::entity::principal_keys_with_bytes;
use super::owners;
use super::path::Address;
use super::path::object_id;
use super::policies;
use super::problem::Answer;
use super::query::Query;
use super::roles;
use super::wire::Source;
use crate::emulator::call::Reply;
use crate::emulator::call::ReplyBody;
use crate::emulator::directory::Directory;
use crate::emulator::directory::Properties;

/// The body of a POST: which application, and perhaps further properties.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    app_id: Uuid,
    #[serde(flatten)]
    rest: Properties,
}

/// Answers a path below `/servicePrincipals`.
pub(super) fn route(request: &mut Request<'_>) -> Answer {
    match request.path.address()? {
        None => collection(request),
        Some((address, used)) => object(request, &address, used),
    }
}

fn collection(request: &mut Request<'_>) -> Answer {
    let names = request.path.names(1);
    let call = request.call;
    match (&call.method, names.as_slice()) {
        (&Method::GET, []) => {
            request.caller.need_read()?;
            let root = request.root();
            let view = request.tenant.view(call.now);
            Source { call, collection: "servicePrincipals", root: &root }
                .page(&view, &|after| Box::new(view.principals_after(object_id(after))))
        }
        (&Method::GET, ["delta" | "microsoft.graph.delta"]) => {
            request.caller.need_read()?;
            let (root, call) = (request.root(), request.call);
            let empty_page = request.tenant.quirks.delta_empty_page;
            let mut deltas = std::mem::take(&mut request.tenant.deltas);
            let view = request.tenant.view(call.now);
            let source =
                delta::Source { call, collection: "servicePrincipals", directory: &view, empty_page, root: &root };
            let answer = source.answer(&mut deltas, view.all_principals());
            drop(view);
            request.tenant.deltas = deltas;
            answer
        }
        (&Method::GET, ["$count"]) => {
            request.caller.need_read()?;
            let root = request.root();
            let view = request.tenant.view(call.now);
            Source { call, collection: "servicePrincipals", root: &root }.count(&view, view.principals())
        }
        (&Method::POST, []) => create(request),
        (_, [] | ["$count" | "delta"]) => Err(Problem::method(call)),
        (_, [unknown, ..]) => Err(Problem::unknown_segment(unknown)),
    }
}

fn create(request: &mut Request<'_>) -> Answer {
    request.caller.need_create()?;
    let body: Create = request.body()?;
    let call = request.call;
    let owner = if request.caller.has(&["Application.ReadWrite.All"]) {
        None
    } else {
        // OwnedBy creates service principals of applications that the caller owns.
        if let Some(application) = request.tenant.directory.application_by_app_id(body.app_id) {
            request.caller.need_write(&request.tenant.directory, application.id)?;
        }
        Some(request.caller.principal)
    };
    let conduct = request.tenant.quirks.key_conduct();
    request.tenant.before_write(call.now);
    let directory = &mut request.tenant.directory;
    let id = directory.create_principal(body.app_id, owner, call.now)?;
    if let Err(refusal) = directory.update_principal(id, body.rest, conduct, call.now) {
        directory.delete_principal(id)?;
        return Err(refusal.into());
    }
    let root = request.root();
    let directory = &request.tenant.directory;
    let principal = directory.principal(id).ok_or_else(|| Problem::not_found(id))?;
    Source { call, collection: "servicePrincipals", root: &root }.single(directory, principal, StatusCode::CREATED)
}

fn object(request: &mut Request<'_>, address: &Address, used: usize) -> Answer {
    let call = request.call;
    let names = request.path.names(used).join("/");
    if call.method == Method::GET && names.is_empty() {
        return read(request, address);
    }
    let id = find(&request.tenant.directory, address).ok_or_else(|| missing(address))?;
    match (&call.method, names.as_str()) {
        (&Method::PATCH, "") => {
            request.caller.need_write(&request.tenant.directory, id)?;
            let written: Properties = request.body()?;
            if let Some(keys) = written.get("keyCredentials").and_then(Value::as_array) {
                let secrets = request.tenant.directory.credentials(id).map_or(0, |held| held.passwords.len());
                credentials::need_room(request, secrets + keys.len())?;
            }
            let conduct = request.tenant.quirks.key_conduct();
            request.tenant.before_write(call.now);
            request.tenant.directory.update_principal(id, written, conduct, call.now)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (&Method::DELETE, "") => {
            request.caller.need_write(&request.tenant.directory, id)?;
            request.tenant.before_write(call.now);
            request.tenant.directory.delete_principal(id)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (_, "") => Err(Problem::method(call)),
        (_, rest) if rest.starts_with("appmanagementpolicies") => policies::of_object(request, id, used),
        (_, rest) if rest.starts_with("owners") => owners::route(request, id, used),
        (_, rest) if rest.starts_with("approle") => roles::route(request, id, used),
        (&Method::GET, "oauth2permissiongrants") => {
            request.caller.need_read()?;
            let root = request.root();
            let view = request.tenant.view(call.now);
            let source = Source { call, collection: "oauth2PermissionGrants", root: &root };
            source.page(&view, &|after| Box::new(view.grants_after(after).filter(move |grant| grant.client_id == id)))
        }
        (&Method::POST, "addtokensigningcertificate" | "microsoft.graph.addtokensigningcertificate") => {
            add_token_signing_certificate(request, id)
        }
        (_, rest) => credentials::route(request, id, rest),
    }
}

/// The body of addTokenSigningCertificate.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddTokenSigningCertificate {
    display_name: String,
    end_date_time: Option<jiff::Timestamp>,
}

fn add_token_signing_certificate(request: &mut Request<'_>, id: Uuid) -> Answer {
    request.caller.need_write(&request.tenant.directory, id)?;
    let body: AddTokenSigningCertificate = request.body()?;
    let now = request.call.now;
    request.tenant.before_write(now);
    let made =
        request.tenant.directory.add_token_signing_certificate(id, &body.display_name, body.end_date_time, now)?;
    let mut shown = entity::key(&made, true, made.identifier_of_principal());
    shown["thumbprint"] = json!(crate::emulator::certificate::hex(&made.sha1));
    shown["@odata.context"] = json!(format!("{}/$metadata#microsoft.graph.selfSignedCertificate", request.root()));
    Ok(Reply::json(StatusCode::OK, shown))
}

fn read(request: &mut Request<'_>, address: &Address) -> Answer {
    request.caller.need_read()?;
    let root = request.root();
    let call = request.call;
    let view = request.tenant.view(call.now);
    let principal = find(&view, address).and_then(|id| view.principal(id)).ok_or_else(|| missing(address))?;
    let source = Source { call, collection: "servicePrincipals", root: &root };
    let mut reply = source.single(&view, principal, StatusCode::OK)?;
    let asked = Query::of(call)?
        .select
        .is_some_and(|names| names.iter().any(|name| name.eq_ignore_ascii_case("keyCredentials")));
    if let (true, ReplyBody::Json(body)) = (asked, &mut reply.body) {
        body["keyCredentials"] = principal_keys_with_bytes(principal);
    }
    Ok(reply)
}

fn find(directory: &Directory, address: &Address) -> Option<Uuid> {
    let found = match address {
        Address::AppId(id) => directory.principal_by_app_id(*id),
        Address::Id(id) => directory.principal(*id),
        Address::UniqueName(_) => None,
    };
    found.map(|principal| principal.id)
}

fn missing(address: &Address) -> Problem {
    match address {
        Address::AppId(id) | Address::Id(id) => Problem::not_found(id),
        Address::UniqueName(name) => Problem::not_found(name),
    }
}

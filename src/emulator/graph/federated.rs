//! `federatedIdentityCredentials` of applications.

use axum::http::Method;
use axum::http::StatusCode;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::Problem;
use super::Request;
use super::problem::Answer;
use crate::emulator::call::Reply;
use crate::emulator::directory::FederatedCredential;
use crate::emulator::directory::Properties;

/// How a path names one of them.
enum Named {
    Id(Uuid),
    Name(String),
}

/// Answers a path below `…/{application}/federatedIdentityCredentials`; `used` segments of it name the application.
pub(super) fn route(request: &mut Request<'_>, application: Uuid, used: usize) -> Answer {
    let segments = &request.path.segments;
    let (collection, rest) = (&segments[used], &segments[used + 1..]);
    if collection.name != "federatedidentitycredentials" || rest.len() > 1 {
        return Err(Problem::unknown_segment(&collection.raw));
    }
    let named = match (&collection.key, rest.first()) {
        (Some((property, value)), None) if property == "name" => Some(Named::Name(value.clone())),
        (Some((property, value)), None) if property == "id" || property.is_empty() => Some(named(value)),
        (None, Some(segment)) => Some(named(&segment.raw)),
        (None, None) => None,
        _ => return Err(Problem::unknown_segment(&collection.raw)),
    };
    match (request.call.method.clone(), named) {
        (Method::GET, None) => list(request, application),
        (Method::POST, None) => add(request, application, None),
        (Method::GET, Some(named)) => {
            request.caller.need_read()?;
            let context = context(request, application, "/$entity");
            let view = request.tenant.view(request.call.now);
            let all = view.federated(application).unwrap_or_default();
            let found = find(all, &named).ok_or_else(|| missing(&named))?;
            let mut body = wire(found);
            body["@odata.context"] = json!(context);
            Ok(Reply::json(StatusCode::OK, body))
        }
        (Method::PATCH, Some(named)) => update(request, application, &named),
        (Method::DELETE, Some(named)) => {
            request.caller.need_write(&request.tenant.directory, application)?;
            let id = present(request, application, &named)?;
            request.tenant.before_write(request.call.now);
            request.tenant.directory.remove_federated(application, id)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Problem::method(request.call)),
    }
}

fn list(request: &mut Request<'_>, application: Uuid) -> Answer {
    request.caller.need_read()?;
    let context = context(request, application, "");
    let view = request.tenant.view(request.call.now);
    let all = view.federated(application).ok_or_else(|| Problem::not_found(application))?;
    let value: Value = all.iter().map(wire).collect();
    Ok(Reply::json(StatusCode::OK, json!({"@odata.context": context, "value": value})))
}

fn add(request: &mut Request<'_>, application: Uuid, name: Option<&str>) -> Answer {
    request.caller.need_write(&request.tenant.directory, application)?;
    let mut written: Properties = request.body()?;
    if let Some(name) = name {
        written.insert("name".to_owned(), json!(name));
    }
    let now = request.call.now;
    request.tenant.before_write(now);
    let made = request.tenant.directory.add_federated(application, &written, now)?;
    let mut body = wire(&made);
    body["@odata.context"] = json!(context(request, application, "/$entity"));
    Ok(Reply::json(StatusCode::CREATED, body))
}

/// PATCH of one that is there, or, by name with `Prefer: create-if-missing`, creation.
fn update(request: &mut Request<'_>, application: Uuid, named: &Named) -> Answer {
    request.caller.need_write(&request.tenant.directory, application)?;
    let upsert = request.call.header("prefer").is_some_and(|prefer| prefer.contains("create-if-missing"));
    let id = match (present(request, application, named), named) {
        (Ok(id), _) => id,
        (Err(_), Named::Name(name)) if upsert => return add(request, application, Some(name)),
        (Err(problem), _) => return Err(problem),
    };
    let written: Properties = request.body()?;
    request.tenant.before_write(request.call.now);
    request.tenant.directory.update_federated(application, id, &written)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn present(request: &Request<'_>, application: Uuid, named: &Named) -> Result<Uuid, Problem> {
    let all = request.tenant.directory.federated(application).unwrap_or_default();
    find(all, named).map(|one| one.id).ok_or_else(|| missing(named))
}

fn named(text: &str) -> Named {
    Uuid::parse_str(text).map_or_else(|_| Named::Name(text.to_owned()), Named::Id)
}

fn find<'a>(all: &'a [FederatedCredential], named: &Named) -> Option<&'a FederatedCredential> {
    all.iter().find(|one| match named {
        Named::Id(id) => one.id == *id,
        Named::Name(name) => one.name == *name,
    })
}

fn missing(named: &Named) -> Problem {
    match named {
        Named::Id(id) => Problem::not_found(id),
        Named::Name(name) => Problem::not_found(name),
    }
}

fn context(request: &Request<'_>, application: Uuid, tail: &str) -> String {
    format!("{}/$metadata#applications('{application}')/federatedIdentityCredentials{tail}", request.root())
}

fn wire(one: &FederatedCredential) -> Value {
    json!({
        "id": one.id,
        "name": one.name,
        "issuer": one.issuer,
        "subject": one.subject,
        "audiences": one.audiences,
        "description": one.description,
    })
}

//! `/policies`: app management policies, the tenant's and others, and what they are attached to (entra-contract 3.7).

use axum::http::Method;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::Problem;
use super::Request;
use super::owners::Reference;
use super::owners::owner;
use super::path::guid;
use super::problem::Answer;
use crate::emulator::call::Reply;
use crate::emulator::directory::Directory;

const READ: &[&str] = &["Policy.Read.All", "Policy.ReadWrite.ApplicationConfiguration"];
const WRITE: &[&str] = &["Policy.ReadWrite.ApplicationConfiguration"];

/// Answers a path below `/policies`.
pub(super) fn route(request: &mut Request<'_>) -> Answer {
    let names: Vec<String> = request.path.names(1).into_iter().map(str::to_owned).collect();
    match names.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["defaultappmanagementpolicy"] => tenants(request),
        ["appmanagementpolicies"] => collection(request),
        ["appmanagementpolicies", id] => one(request, guid(id)?),
        ["appmanagementpolicies", id, "appliesto"] => applies_to(request, guid(id)?),
        [.., unknown] => Err(Problem::unknown_segment(unknown)),
        [] => Err(Problem::unknown_segment("policies")),
    }
}

fn tenants(request: &mut Request<'_>) -> Answer {
    let call = request.call;
    match call.method {
        Method::GET => {
            request.caller.need(READ)?;
            let context = format!("{}/$metadata#policies/defaultAppManagementPolicy/$entity", request.root());
            let view = request.tenant.view(call.now);
            shown(view.app_policies().tenant(), &context, StatusCode::OK)
        }
        Method::PATCH => {
            request.caller.need(WRITE)?;
            let written = request.body()?;
            request.tenant.before_write(call.now);
            request.tenant.directory.update_tenant_policy(written)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Problem::method(call)),
    }
}

fn collection(request: &mut Request<'_>) -> Answer {
    let call = request.call;
    let context = format!("{}/$metadata#policies/appManagementPolicies", request.root());
    match call.method {
        Method::GET => {
            request.caller.need(READ)?;
            let view = request.tenant.view(call.now);
            Ok(list(view.app_policies().custom().map(|one| json!(one)), &context))
        }
        Method::POST => {
            request.caller.need(WRITE)?;
            let written = request.body()?;
            request.tenant.before_write(call.now);
            let id = request.tenant.directory.create_app_policy(written)?;
            let made = request.tenant.directory.app_policies().policy(id)?;
            shown(made, &format!("{context}/$entity"), StatusCode::CREATED)
        }
        _ => Err(Problem::method(call)),
    }
}

fn one(request: &mut Request<'_>, id: Uuid) -> Answer {
    let call = request.call;
    match call.method {
        Method::GET => {
            request.caller.need(READ)?;
            let context = format!("{}/$metadata#policies/appManagementPolicies/$entity", request.root());
            let view = request.tenant.view(call.now);
            shown(view.app_policies().policy(id)?, &context, StatusCode::OK)
        }
        Method::PATCH => {
            request.caller.need(WRITE)?;
            let written = request.body()?;
            request.tenant.before_write(call.now);
            request.tenant.directory.update_app_policy(id, written)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        Method::DELETE => {
            request.caller.need(WRITE)?;
            request.tenant.before_write(call.now);
            request.tenant.directory.delete_app_policy(id)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Problem::method(call)),
    }
}

fn applies_to(request: &mut Request<'_>, id: Uuid) -> Answer {
    let call = request.call;
    if call.method != Method::GET {
        return Err(Problem::method(call));
    }
    request.caller.need(READ)?;
    let context = format!("{}/$metadata#directoryObjects", request.root());
    let view = request.tenant.view(call.now);
    let policies = view.app_policies();
    policies.policy(id)?;
    Ok(list(policies.applies_to(id).filter_map(|object| target(&view, object)), &context))
}

/// Answers a path below `…/{object}/appManagementPolicies`; `used` segments of it name the object.
pub(super) fn of_object(request: &mut Request<'_>, object: Uuid, used: usize) -> Answer {
    let call = request.call;
    let names = request.path.names(used).join("/");
    match (&call.method, names.split('/').collect::<Vec<_>>().as_slice()) {
        (&Method::GET, [_]) => {
            request.caller.need(READ)?;
            let context = format!("{}/$metadata#appManagementPolicies", request.root());
            let view = request.tenant.view(call.now);
            Ok(list(view.app_policies().attached_to(object).map(|one| json!(one)), &context))
        }
        (&Method::POST, [_, "$ref"]) => {
            attaching(request)?;
            let body: Reference = request.body()?;
            let policy = body.target()?;
            request.tenant.before_write(call.now);
            request.tenant.directory.attach_app_policy(object, policy)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        (&Method::DELETE, [_, policy, "$ref"]) => {
            let policy = guid(policy)?;
            attaching(request)?;
            request.tenant.before_write(call.now);
            request.tenant.directory.detach_app_policy(object, policy)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Problem::method(call)),
    }
}

/// Attaching changes the object and needs sight of the policy.
fn attaching(request: &Request<'_>) -> Result<(), Problem> {
    request.caller.need(&["Application.ReadWrite.All"])?;
    request.caller.need(READ)
}

fn target(directory: &Directory, object: Uuid) -> Option<Value> {
    let Some(application) = directory.application(object) else { return owner(directory, object) };
    Some(json!({
        "@odata.type": "#microsoft.graph.application",
        "id": application.id,
        "appId": application.app_id,
        "displayName": application.display_name,
    }))
}

fn list(rows: impl IntoIterator<Item = Value>, context: &str) -> Reply {
    let value: Value = rows.into_iter().collect();
    Reply::json(StatusCode::OK, json!({"@odata.context": context, "value": value}))
}

fn shown(policy: &impl Serialize, context: &str, status: StatusCode) -> Answer {
    let mut body = json!(policy);
    body["@odata.context"] = json!(context);
    Ok(Reply::json(status, body))
}

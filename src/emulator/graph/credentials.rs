//! addPassword, removePassword, addKey and removeKey on applications and service principals.

use axum::http::Method;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::Problem;
use super::Request;
use super::entity;
use super::problem::Answer;
use crate::emulator::call::Reply;
use crate::emulator::directory::Credentials;
use crate::emulator::directory::KeyEntry;
use crate::emulator::directory::NewPassword;
use crate::emulator::directory::Refusal;

/// The body of addPassword.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AddPassword {
    password_credential: Option<NewPassword>,
}

/// The body of removePassword.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemovePassword {
    key_id: Uuid,
}

/// The body of addKey.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddKey {
    key_credential: KeyEntry,
    #[serde(default)]
    password_credential: Option<Value>,
    #[serde(default)]
    proof: String,
}

/// The body of removeKey.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemoveKey {
    key_id: Uuid,
    #[serde(default)]
    proof: String,
}

/// Carries out `action` (lower case, perhaps with its `microsoft.graph.` prefix) on `holder`.
pub(super) fn route(request: &mut Request<'_>, holder: Uuid, action: &str) -> Answer {
    let action = action.strip_prefix("microsoft.graph.").unwrap_or(action);
    if !matches!(action, "addkey" | "addpassword" | "removekey" | "removepassword") {
        return Err(Problem::unknown_segment(action));
    }
    if request.call.method != Method::POST {
        return Err(Problem::method(request.call));
    }
    // Rolling one's own keys needs no role, adding secrets does (entra-contract 3.2).
    let own_keys = action.ends_with("key") && request.caller.is(&request.tenant.directory, holder);
    if !own_keys {
        request.caller.need_write(&request.tenant.directory, holder)?;
    }
    if action.starts_with("add") {
        let held = request.tenant.directory.credentials(holder).map_or(0, Credentials::len);
        need_room(request, held + 1)?;
    }
    match action {
        "addkey" => add_key(request, holder),
        "addpassword" => add_password(request, holder),
        "removekey" => remove_key(request, holder),
        _ => remove_password(request, holder),
    }
}

/// Refuses more credentials than an object can hold (entra-contract 3.6).
pub(super) fn need_room(request: &Request<'_>, wanted: usize) -> Result<(), Problem> {
    if wanted <= request.tenant.quirks.credentials_max {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "Directory_ResourceSizeExceeded",
        "The size of the object has exceeded its limit. Please reduce the number of values and retry your request.",
    ))
}

fn add_password(request: &mut Request<'_>, holder: Uuid) -> Answer {
    let body: AddPassword = if request.call.body.is_empty() { AddPassword::default() } else { request.body()? };
    let now = request.call.now;
    request.tenant.before_write(now);
    let mut new = body.password_credential.unwrap_or_default();
    if let (most @ 1.., Some(name)) = (request.tenant.quirks.password_name_max, &mut new.display_name) {
        *name = name.chars().take(usize::try_from(most).unwrap_or(usize::MAX)).collect();
    }
    let (credential, value) = request.tenant.directory.add_password(holder, new, now)?;
    let context = format!("{}/$metadata#microsoft.graph.passwordCredential", request.root());
    Ok(shown(entity::password(&credential, Some(&value)), &context))
}

fn remove_password(request: &mut Request<'_>, holder: Uuid) -> Answer {
    let body: RemovePassword = request.body()?;
    let now = request.call.now;
    request.tenant.before_write(now);
    request.tenant.directory.remove_password(holder, body.key_id, now)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn add_key(request: &mut Request<'_>, holder: Uuid) -> Answer {
    let body: AddKey = request.body()?;
    let now = request.call.now;
    request.tenant.directory.check_proof(holder, &body.proof, now)?;
    if body.password_credential.is_some_and(|password| !password.is_null()) {
        return Err(
            Refusal::invalid("passwordCredential must be null unless the key is of type X509CertAndPassword.").into()
        );
    }
    request.tenant.before_write(now);
    let key = request.tenant.directory.add_key(holder, &body.key_credential, now)?;
    let of_principal = request.tenant.directory.principal(holder).is_some();
    let identifier = if of_principal { key.identifier_of_principal() } else { key.custom_key_identifier.clone() };
    let context = format!("{}/$metadata#microsoft.graph.keyCredential", request.root());
    Ok(shown(entity::key(&key, false, identifier), &context))
}

fn remove_key(request: &mut Request<'_>, holder: Uuid) -> Answer {
    let body: RemoveKey = request.body()?;
    let now = request.call.now;
    request.tenant.directory.check_proof(holder, &body.proof, now)?;
    request.tenant.before_write(now);
    request.tenant.directory.remove_key(holder, body.key_id, now)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn shown(mut body: Value, context: &str) -> Reply {
    body["@odata.context"] = json!(context);
    Reply::json(StatusCode::OK, body)
}

//! Standing conditions around a request: what is refused before it does anything, and what is said otherwise after it.
//! Each is a switch of [`Quirks`]; with the defaults nothing here does anything.

use std::collections::HashMap;

use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::call::Call;
use super::call::Reply;
use super::call::ReplyBody;
use super::directory::Directory;
use super::log;
use super::quirks::Quirks;
use super::quotas::Quotas;
use super::quotas::Used;

const YEAR: SignedDuration = SignedDuration::from_hours(24 * 366);

/// What the conditions remember.
#[derive(Debug, Default)]
pub struct Standing {
    quotas: Quotas,
    /// The last change of each object.
    written: HashMap<Uuid, Timestamp>,
}

/// What goes with a request until its answer.
pub struct Toll(Option<Used>);

impl Standing {
    /// Refuses a request, or lets it in.
    pub fn admit(&mut self, quirks: &Quirks, directory: &Directory, call: &Call) -> Result<Toll, Reply> {
        let object = object(directory, call);
        let used = quirks.quotas.map(|size| {
            let app = object.and_then(|id| directory.application(id));
            let personal = app.is_some_and(|app| app.allows_personal_accounts());
            self.quotas.count(size, call, log::caller(call), personal)
        });
        if let Some(used) = &used
            && let Some(reply) = used.refusal(call, log::caller(call), directory.tenant_id())
        {
            return Err(used.told(reply));
        }
        if call.method == Method::GET {
            return Ok(Toll(used));
        }
        if let Some(id) = object
            && let Some(last) = self.written.get(&id)
            && call.now.duration_since(*last) < quirks.write_conflict_window
        {
            let reply = concurrent(call);
            let asks = quirks.retry_after_on_conflict;
            return Err(if asks { reply.with(header::RETRY_AFTER, "2") } else { reply });
        }
        if let Some(refused) = keys_refused(quirks, directory, call, object) {
            return Err(refused);
        }
        if let Some(id) = object {
            let fresh = |added: Timestamp| call.now.duration_since(added) < quirks.fresh_secret_unknown;
            let named: Option<Uuid> = body(call)["keyId"].as_str().and_then(|text| text.parse().ok());
            let held = directory.credentials(id).into_iter().flat_map(|all| &all.passwords);
            let meant = held.filter(|one| Some(one.key_id) == named).any(|one| fresh(one.added));
            if meant && call.path.to_ascii_lowercase().ends_with("removepassword") {
                let why = format!("No password credential found with keyId '{}'.", named.unwrap_or_default());
                return Err(problem(call, StatusCode::BAD_REQUEST, "Request_BadRequest", &why));
            }
        }
        Ok(Toll(used))
    }

    /// Says otherwise what the conditions want said otherwise.
    pub fn pass(&mut self, toll: Toll, quirks: &Quirks, directory: &Directory, call: &Call, reply: Reply) -> Reply {
        if call.method != Method::GET
            && reply.status.is_success()
            && let Some(id) = object(directory, call)
        {
            self.written.insert(id, call.now);
        }
        let path = call.path.to_ascii_lowercase();
        let mut reply = reply;
        let refused = reply.status == StatusCode::BAD_REQUEST;
        if quirks.absent_password_is_404 && refused && path.ends_with("removepassword") {
            reply.status = StatusCode::NOT_FOUND;
        }
        if quirks.duplicate_grant_is_400
            && reply.status == StatusCode::CONFLICT
            && path.contains("oauth2permissiongrants")
        {
            reply = problem(call, StatusCode::BAD_REQUEST, "Request_BadRequest", "Permission entry already exists.");
        }
        if let (true, ReplyBody::Json(body)) = (quirks.base64_key_identifiers, &mut reply.body) {
            in_base64(body);
        }
        match toll.0 {
            Some(used) => used.told(reply),
            None => reply,
        }
    }
}

/// An answer of the token endpoint, with its description in lines.
pub fn in_lines(quirks: &Quirks, mut reply: Reply) -> Reply {
    if let (true, ReplyBody::Json(body)) = (quirks.error_description_lines, &mut reply.body)
        && let Some(text) = body["error_description"].as_str()
    {
        let lines = ["Trace ID:", "Correlation ID:", "Timestamp:"];
        let text =
            lines.iter().fold(text.to_owned(), |text, line| text.replace(&format!(" {line}"), &format!("\r\n{line}")));
        body["error_description"] = json!(text);
    }
    reply
}

/// The object that a request below `/applications` or `/servicePrincipals` is about.
fn object(directory: &Directory, call: &Call) -> Option<Uuid> {
    let mut segments = call.path.split('/').filter(|segment| !segment.is_empty()).skip(1);
    let (collection, id) = (segments.next()?.to_ascii_lowercase(), segments.next());
    if let Some(name) = collection.strip_prefix("applications(uniquename=") {
        let name = name.trim_matches(|c| "()'".contains(c)).replace("%27", "");
        return directory.application_by_unique_name(&name).map(|app| app.id);
    }
    id?.parse().ok()
}

fn body(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap_or_default()
}

/// What the documents leave open about certificates that are written.
fn keys_refused(quirks: &Quirks, directory: &Directory, call: &Call, object: Option<Uuid>) -> Option<Reply> {
    let body = body(call);
    let end_date = || {
        let message = "Key credential end date is invalid.";
        problem(call, StatusCode::BAD_REQUEST, "KeyCredentialsInvalidEndDate", message)
    };
    let listed = body["keyCredentials"].as_array().cloned().unwrap_or_default();
    for entry in listed.iter().chain(body.get("keyCredential")) {
        let date = |name: &str| entry[name].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let (start, end) = (date("startDateTime").unwrap_or(call.now), date("endDateTime"));
        if entry["key"].is_null() {
            if quirks.expired_echo_refused && end.is_some_and(|end| end < call.now) {
                return Some(end_date());
            }
            continue;
        }
        let id: Option<Uuid> = entry["keyId"].as_str().and_then(|text| text.parse().ok());
        let held = object.and_then(|object| directory.credentials(object)).map(|all| &all.keys[..]).unwrap_or_default();
        if held.iter().any(|key| Some(key.key_id) == id) {
            continue;
        }
        if quirks.certificate_year_cap && end.is_some_and(|end| end.duration_since(start) > YEAR) {
            return Some(end_date());
        }
        let der = entry["key"].as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
        if quirks.duplicate_certificate_refused && held.iter().any(|key| Some(&key.key) == der.as_ref()) {
            let message = "A key credential with the same value already exists.";
            return Some(problem(call, StatusCode::BAD_REQUEST, "Request_BadRequest", message));
        }
    }
    None
}

/// Every `customKeyIdentifier` in hex, in base64.
fn in_base64(value: &mut Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(in_base64),
        Value::Object(fields) => {
            for (name, value) in fields {
                let text = value.as_str().filter(|text| name == "customKeyIdentifier" && text.len() == 40);
                let pair =
                    |text: &str, at: usize| u8::from_str_radix(text.get(at..at + 2).unwrap_or_default(), 16).ok();
                let bytes: Option<Vec<u8>> =
                    text.and_then(|text| (0..40).step_by(2).map(|at| pair(text, at)).collect());
                match bytes {
                    Some(bytes) => *value = json!(BASE64_STANDARD.encode(bytes)),
                    None => in_base64(value),
                }
            }
        }
        _ => {}
    }
}

fn concurrent(call: &Call) -> Reply {
    let message = "Error due to concurrent requests being made to the tenant. Please wait briefly and retry.";
    problem(call, StatusCode::CONFLICT, "Directory_ConcurrencyViolation", message)
}

fn problem(call: &Call, status: StatusCode, code: &str, message: &str) -> Reply {
    let id = call.request_id.to_string();
    let inner = json!({"date": call.now.strftime("%Y-%m-%dT%H:%M:%S").to_string(), "request-id": id});
    Reply::json(status, json!({"error": {"code": code, "message": message, "innerError": inner}}))
        .with(axum::http::HeaderName::from_static("request-id"), id)
}

//! `$batch`: up to twenty requests in one, each answered for itself (entra-contract 4.2).

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::Problem;
use super::Request;
use super::problem::Answer;
use crate::emulator::call::Call;
use crate::emulator::call::Reply;
use crate::emulator::call::ReplyBody;
use crate::emulator::fault::Met;
use crate::emulator::fault::meet;
use crate::emulator::log;

/// Most requests in a batch.
const MAX: usize = 20;

#[derive(Deserialize)]
struct Batch {
    requests: Vec<Item>,
}

/// One request. What else a client writes into it is ignored, as there: the Python SDK says `depends_on`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    depends_on: Option<Vec<String>>,
}

impl Item {
    fn named(&self) -> String {
        self.id.to_lowercase()
    }

    fn needs(&self) -> impl Iterator<Item = String> + '_ {
        self.depends_on.iter().flatten().map(|id| id.to_lowercase())
    }
}

/// Answers `POST /$batch`: 200 whatever became of the requests, unless the batch itself is malformed.
pub(super) fn route(request: &mut Request<'_>) -> Answer {
    if request.call.method != Method::POST {
        return Err(Problem::method(request.call));
    }
    let batch: Batch = request.body().map_err(|_| refused("Invalid batch payload format."))?;
    check(&batch.requests)?;
    let mut failed = BTreeMap::new();
    let mut responses = Vec::new();
    let mut waiting: Vec<&Item> = batch.requests.iter().collect();
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|item| item.needs().all(|id| failed.contains_key(&id)));
        // `check` has seen to it that every id exists, so what is never ready waits for itself.
        let ready = ready.ok_or_else(|| refused("The dependsOn values of the requests form a circle."))?;
        let item = waiting.remove(ready);
        let reply = if item.needs().any(|id| failed[&id]) { dependency() } else { answer(request, item) };
        failed.insert(item.named(), reply.status.as_u16() >= 400);
        responses.push(shown(&item.id, reply));
    }
    Ok(Reply::json(StatusCode::OK, json!({"responses": responses})))
}

fn check(items: &[Item]) -> Result<(), Problem> {
    if items.is_empty() || items.len() > MAX {
        return Err(refused(format!("Number of batch request steps must be between 1 and {MAX}.")));
    }
    let ids: BTreeSet<String> = items.iter().map(Item::named).collect();
    if ids.len() != items.len() {
        return Err(refused("Request id's must be unique."));
    }
    for item in items {
        if item.needs().any(|id| !ids.contains(&id)) {
            return Err(refused(format!("Request id : {} depends on a request that is not in the batch.", item.id)));
        }
        let typed = item.headers.iter().flatten().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if item.body.as_ref().is_some_and(|body| !body.is_null()) && !typed {
            return Err(refused(format!(
                "Write request id : {} does not contain Content-Type header or body.",
                item.id
            )));
        }
    }
    Ok(())
}

fn refused(message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "BadRequest", message)
}

fn dependency() -> Reply {
    let error = json!({"error": {
        "code": "FailedDependency", "message": "The request failed as the request on which this depends on failed",
        "innerError": {},
    }});
    Reply::json(StatusCode::FAILED_DEPENDENCY, error)
}

/// One request of the batch, with the batch's token unless it brings its own.
fn answer(request: &mut Request<'_>, item: &Item) -> Reply {
    let outer = request.call;
    let Some(call) = call(outer, &request.path.version, item) else {
        return refused(format!("Invalid request URL or method of request id : {}.", item.id)).reply(outer);
    };
    if call.path.to_ascii_lowercase().ends_with("$batch") {
        return refused("A batch inside a batch is not allowed.").reply(outer);
    }
    let version = call.path.split('/').nth(1).unwrap_or_default().to_ascii_lowercase();
    if version != "v1.0" && version != "beta" {
        return super::not_found(&call);
    }
    met(request, call)
}

/// The request on its own, as one that comes alone is met: noted, counted, and with a fault where one waits for it.
fn met(request: &mut Request<'_>, call: Call) -> Reply {
    let (caller, tenant) = (log::caller(&call), &mut *request.tenant);
    let (name, effect) = tenant.faults.take(call.method.as_str(), &call.path, caller).unzip();
    let number = tenant.log.note(&call, caller, name);
    let reply = match effect {
        None => tenant.answer(&call),
        Some(effect) => match meet(effect, tenant, call) {
            Met::Answered(reply, _) => reply,
            // The gateway hears nothing of this request, and has the answers of the others.
            Met::Cut | Met::Never => unheard(),
        },
    };
    tenant.log.answered(number, reply.status.as_u16());
    tenant.log.closed(number);
    reply
}

fn unheard() -> Reply {
    let error =
        json!({"error": {"code": "UnknownError", "message": "The gateway had no answer in time.", "innerError": {}}});
    Reply::json(StatusCode::GATEWAY_TIMEOUT, error)
}

fn call(outer: &Call, version: &str, item: &Item) -> Option<Call> {
    let mut headers = HeaderMap::new();
    if let Some(value) = outer.headers.get(header::AUTHORIZATION) {
        headers.insert(header::AUTHORIZATION, value.clone());
    }
    for (name, value) in item.headers.iter().flatten() {
        headers.insert(HeaderName::try_from(name.as_str()).ok()?, HeaderValue::try_from(value.as_str()).ok()?);
    }
    // Where it came in is not the request's to say.
    if let Some(value) = outer.headers.get(header::HOST) {
        headers.insert(header::HOST, value.clone());
    }
    // The SDK for Python writes absolute addresses; the documents only show relative ones.
    let (path, query) = match Url::parse(&item.url) {
        Ok(url) => (url.path().to_owned(), url.query().unwrap_or_default().to_owned()),
        Err(_) => {
            let (path, query) = item.url.split_once('?').unwrap_or((&item.url, ""));
            (format!("/{version}/{}", path.trim_start_matches('/')), query.to_owned())
        }
    };
    let body = match &item.body {
        None | Some(Value::Null) => Bytes::new(),
        // What is no JSON comes in base64.
        Some(Value::String(text)) => {
            BASE64_STANDARD.decode(text).map_or_else(|_| Bytes::from(text.clone()), Bytes::from)
        }
        Some(body) => Bytes::from(body.to_string()),
    };
    Some(Call {
        body,
        headers,
        method: Method::from_bytes(item.method.to_ascii_uppercase().as_bytes()).ok()?,
        now: outer.now,
        path,
        query,
        received: outer.received,
        request_id: Uuid::new_v4(),
    })
}

fn shown(id: &str, reply: Reply) -> Value {
    let mut headers = Map::new();
    for (name, value) in reply.headers.iter().filter(|(name, _)| name != header::CONTENT_TYPE) {
        headers.insert(name.as_str().to_owned(), json!(value));
    }
    let body = match reply.body {
        ReplyBody::Empty => Value::Null,
        ReplyBody::Json(body) => {
            headers.insert("Content-Type".to_owned(), json!("application/json"));
            body
        }
        ReplyBody::Text(text) => {
            headers.insert("Content-Type".to_owned(), json!("text/plain"));
            json!(text)
        }
        // What is no JSON comes in base64.
        ReplyBody::Raw(content_type, bytes) => {
            headers.insert("Content-Type".to_owned(), json!(content_type));
            json!(BASE64_STANDARD.encode(bytes))
        }
    };
    json!({"id": id, "status": reply.status.as_u16(), "headers": headers, "body": body})
}

//! A request meets its fault: what takes effect, and what is answered.

use axum::http::HeaderName;
use axum::http::StatusCode;
use axum::http::header;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::Delivery;
use super::Effect;
use super::WrongBody;
use super::pages;
use crate::emulator::call::Call;
use crate::emulator::call::Reply;
use crate::emulator::call::ReplyBody;
use crate::emulator::tenant::Tenant;

/// A body that no client should read to its end, in bytes: above the 32 MiB that everkey allows a page.
const HUGE_BYTES: usize = 40 << 20;
/// Levels of a deep body.
const DEEP: usize = 100_000;
const PROXY_PAGE: &str = "<html><head><title>502 Bad Gateway</title></head><body>proxy.contoso.example</body></html>";

/// What becomes of the answer.
pub enum Met {
    /// It is sent so.
    Answered(Reply, Delivery),
    /// The connection is reset.
    Cut,
    /// It never comes.
    Never,
}

/// Lets `call` meet `effect`.
pub fn meet(effect: Effect, tenant: &mut Tenant, call: Call) -> Met {
    let whole = |reply| Met::Answered(reply, Delivery::Whole);
    match effect {
        Effect::Answer { applied, body, code, headers, message, retry_after, status } => {
            let given = given(tenant, &call, applied);
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut reply = match body {
                Some(body) => spoilt(given.unwrap_or_else(|| Reply::empty(status)), body, &call),
                None => Reply::json(status, error(&call, code.as_deref(), message.as_deref())),
            };
            reply.status = status;
            reply = identified(reply, &call);
            for (name, value) in &headers {
                if let Ok(name) = HeaderName::try_from(name) {
                    reply = reply.with(name, value);
                }
            }
            whole(match retry_after {
                Some(wish) => reply.with(header::RETRY_AFTER, wish.text(call.now)),
                None => reply,
            })
        }
        Effect::DelayEffect { seconds } => {
            let due = call.now.checked_add(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MAX);
            tenant.delay(Call { now: due, ..call });
            Met::Cut
        }
        Effect::Drip { bytes, interval_ms } => {
            Met::Answered(tenant.answer(&call), Delivery::Dripped { bytes, interval_ms })
        }
        Effect::NextLink { to } => {
            let to = to.replace("{base}", &call.base());
            whole(pages::leading_to(tenant.answer(&call), &to))
        }
        Effect::Page { trick } => whole(pages::tricked(tenant.answer(&call), trick, &call)),
        Effect::Redirect { applied, status, to } => {
            given(tenant, &call, applied);
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND);
            whole(identified(Reply::empty(status), &call).with(header::LOCATION, to.replace("{base}", &call.base())))
        }
        Effect::ResetAfterEffect => {
            tenant.answer(&call);
            Met::Cut
        }
        Effect::ResetBeforeEffect => Met::Cut,
        Effect::Spoil { body } => whole(spoilt(tenant.answer(&call), body, &call)),
        Effect::Stall { applied } => {
            given(tenant, &call, applied);
            Met::Never
        }
        Effect::Status { body, code, retry_after } => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let empty = || json!({"error": {"code": "UnknownError", "message": "", "innerError": {}}});
            let reply = identified(Reply::json(status, body.unwrap_or_else(empty)), &call);
            whole(match retry_after {
                Some(seconds) => reply.with(header::RETRY_AFTER, seconds.to_string()),
                None => reply,
            })
        }
        Effect::Truncate { chunked } => {
            let reply = tenant.answer(&call);
            match reply.body {
                // Nothing to cut in the middle of.
                ReplyBody::Empty => Met::Cut,
                _ => Met::Answered(reply, Delivery::Truncated { chunked }),
            }
        }
    }
}

fn given(tenant: &mut Tenant, call: &Call, applied: bool) -> Option<Reply> {
    applied.then(|| tenant.answer(call))
}

/// The request id that every answer of the service has.
fn identified(reply: Reply, call: &Call) -> Reply {
    let name = if is_login(call) { "x-ms-request-id" } else { "request-id" };
    reply.with(HeaderName::from_static(name), call.request_id.to_string())
}

fn is_login(call: &Call) -> bool {
    call.path.ends_with("/token")
}

/// An error in the words of the service that was called.
fn error(call: &Call, code: Option<&str>, message: Option<&str>) -> Value {
    let message = message.unwrap_or("The emulator was asked to fail.");
    if is_login(call) {
        return json!({"error": code.unwrap_or("temporarily_unavailable"), "error_description": message});
    }
    let id = call.request_id.to_string();
    let inner = json!({"date": call.now.strftime("%Y-%m-%dT%H:%M:%S").to_string(), "request-id": id});
    json!({"error": {"code": code.unwrap_or("UnknownError"), "message": message, "innerError": inner}})
}

fn spoilt(reply: Reply, with: WrongBody, call: &Call) -> Reply {
    const JSON: &str = "application/json";
    let (kind, bytes) = match with {
        WrongBody::Array => (JSON, b"[]".to_vec()),
        WrongBody::Deep => (JSON, ["[".repeat(DEEP), "]".repeat(DEEP)].concat().into_bytes()),
        WrongBody::Echo => (JSON, error(call, None, Some(&echo(call))).to_string().into_bytes()),
        WrongBody::Empty => (JSON, Vec::new()),
        WrongBody::Html => ("text/html", PROXY_PAGE.as_bytes().to_vec()),
        WrongBody::Huge => (JSON, vec![b' '; HUGE_BYTES]),
        WrongBody::NotUtf8 => (JSON, b"{\"value\":\"\xff\xfe\"}".to_vec()),
        WrongBody::Null => (JSON, b"null".to_vec()),
        WrongBody::Object => (JSON, b"{}".to_vec()),
        WrongBody::WrongType => ("text/html", reply.body.parts().1),
    };
    // 204 allows no body at all.
    let status = if reply.status == StatusCode::NO_CONTENT { StatusCode::OK } else { reply.status };
    Reply { body: ReplyBody::Raw(kind, bytes), status, ..reply }
}

/// Everything in the request that should not come back.
fn echo(call: &Call) -> String {
    let authorization = call.header(header::AUTHORIZATION).unwrap_or_default();
    format!("{authorization} {}", String::from_utf8_lossy(&call.body))
}

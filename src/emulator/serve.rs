//! One request from the socket to the tenant and back: counting, faults, cut connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use axum::body::to_bytes;
use axum::extract::ConnectInfo;
use axum::extract::Request;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::Response;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::call::Call;
use super::call::Reply;
use super::line::Lines;
use super::quirks::Effect;
use super::tenant::Tenant;
use crate::clock::Clock;

/// Largest request body; Graph's own limit is about this.
const MAX_BODY_BYTES: usize = 4 << 20;

/// What every request shares.
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) in_flight: AtomicUsize,
    pub(super) lines: Lines,
    pub(super) requests: AtomicU64,
    pub(super) tenant: Mutex<Tenant>,
}

impl Shared {
    /// The tenant, for as long as the guard lives.
    pub(super) fn lock(&self) -> MutexGuard<'_, Tenant> {
        // A panic while answering leaves the directory as the finished operations made it.
        self.tenant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The instant now, by the emulator's clock.
    pub(super) fn now(&self) -> Timestamp {
        ticks(self.clock.now())
    }
}

/// The directory keeps time in units of 100 ns, seven digits on the wire.
pub(super) fn ticks(now: Timestamp) -> Timestamp {
    Timestamp::from_nanosecond(now.as_nanosecond().div_euclid(100) * 100).unwrap_or(now)
}

/// Counts a request for as long as it is being answered, also when its client goes away.
struct InFlight<'a>(&'a Shared);

impl<'a> InFlight<'a> {
    fn enter(shared: &'a Shared) -> Self {
        shared.requests.fetch_add(1, Ordering::SeqCst);
        shared.in_flight.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Answers one request, or lets it meet its fault.
pub(super) async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let _guard = InFlight::enter(&shared);
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return Reply::empty(StatusCode::PAYLOAD_TOO_LARGE).into_response(shared.now());
    };
    let now = shared.now();
    let mut tenant = shared.lock();
    let call = Call {
        body,
        headers: parts.headers,
        method: parts.method,
        now,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        received: now,
        request_id: Uuid::new_v4(),
    };
    // The emulator's own routes cannot be made to fail: they are how faults are taken back.
    let fault =
        if call.path.starts_with("/_emulator") { None } else { tenant.faults.take(call.method.as_str(), &call.path) };
    let reply = match fault {
        None => tenant.answer(&call),
        Some(Effect::Status { body, code, retry_after }) => status(code, body, retry_after),
        Some(effect) => {
            match effect {
                Effect::ResetAfterEffect => drop(tenant.answer(&call)),
                Effect::DelayEffect { seconds } => {
                    let due = now.checked_add(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MAX);
                    tenant.delay(Call { now: due, ..call });
                }
                Effect::ResetBeforeEffect | Effect::Status { .. } => {}
            }
            shared.lines.cut(peer);
            Reply::empty(StatusCode::BAD_GATEWAY)
        }
    };
    drop(tenant);
    reply.into_response(now)
}

pub(super) fn status(code: u16, body: Option<serde_json::Value>, retry_after: Option<u32>) -> Reply {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = body.unwrap_or_else(|| json!({"error": {"code": "UnknownError", "message": "", "innerError": {}}}));
    let reply = Reply::json(status, body);
    match retry_after {
        Some(seconds) => reply.with(header::RETRY_AFTER, seconds.to_string()),
        None => reply,
    }
}

//! One request from the socket to the tenant and back: counting, faults, cut connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::body::to_bytes;
use axum::extract::ConnectInfo;
use axum::extract::Request;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use jiff::Timestamp;
use uuid::Uuid;

use super::call::Call;
use super::call::Reply;
use super::fault::Delivery;
use super::fault::Met;
use super::fault::meet;
use super::line::Lines;
use super::log;
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
struct InFlight<'a> {
    /// Its number in the log, once it has one.
    number: Option<u64>,
    shared: &'a Shared,
}

impl<'a> InFlight<'a> {
    fn enter(shared: &'a Shared) -> Self {
        shared.requests.fetch_add(1, Ordering::SeqCst);
        shared.in_flight.fetch_add(1, Ordering::SeqCst);
        Self { number: None, shared }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.shared.in_flight.fetch_sub(1, Ordering::SeqCst);
        if let Some(number) = self.number {
            self.shared.lock().log.closed(number);
        }
    }
}

/// Answers a request that came without a socket; `None` where a client would see its line cut or wait for ever.
pub(super) fn exchange(shared: &Shared, request: axum::http::Request<Bytes>) -> Option<axum::http::Response<Vec<u8>>> {
    let mut in_flight = InFlight::enter(shared);
    let (parts, body) = request.into_parts();
    let now = shared.now();
    match answer(shared, &mut in_flight, call(parts, body, now)) {
        Met::Answered(reply, Delivery::Whole | Delivery::Dripped { .. }) => Some(reply.whole(shown(shared, now))),
        Met::Answered(_, Delivery::Truncated { .. }) | Met::Cut | Met::Never => None,
    }
}

fn call(parts: Parts, body: Bytes, now: Timestamp) -> Call {
    Call {
        body,
        headers: parts.headers,
        method: parts.method,
        now,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        received: now,
        request_id: Uuid::new_v4(),
    }
}

/// The time that the service shows.
fn shown(shared: &Shared, now: Timestamp) -> Timestamp {
    now.saturating_add(shared.lock().quirks.clock_offset).unwrap_or(now)
}

/// Answers one request, or lets it meet its fault.
pub(super) async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let mut in_flight = InFlight::enter(&shared);
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return Reply::empty(StatusCode::PAYLOAD_TOO_LARGE).into_response(shared.now(), Delivery::Whole);
    };
    let now = shared.now();
    match answer(&shared, &mut in_flight, call(parts, body, now)) {
        Met::Answered(reply, delivery) => reply.into_response(shown(&shared, now), delivery),
        Met::Cut => {
            shared.lines.cut(peer);
            Reply::empty(StatusCode::BAD_GATEWAY).into_response(now, Delivery::Whole)
        }
        // Until the client gives up: then this future is dropped.
        Met::Never => std::future::pending().await,
    }
}

/// What becomes of a request, noted in the log.
fn answer(shared: &Shared, in_flight: &mut InFlight<'_>, call: Call) -> Met {
    let mut tenant = shared.lock();
    // The emulator's own routes cannot be made to fail, and are not noted: they are how faults are taken back.
    if call.path.starts_with("/_emulator") {
        return Met::Answered(tenant.answer(&call), Delivery::Whole);
    }
    let caller = log::caller(&call);
    let (name, effect) = tenant.faults.take(call.method.as_str(), &call.path, caller).unzip();
    let number = tenant.log.note(&call, caller, name);
    in_flight.number = Some(number);
    let met = match effect {
        None => Met::Answered(tenant.answer(&call), Delivery::Whole),
        Some(effect) => meet(effect, &mut tenant, call),
    };
    if let Met::Answered(reply, _) = &met {
        tenant.log.answered(number, reply.status.as_u16());
    }
    met
}

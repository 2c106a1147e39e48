//! The machine that the emulator plays: its managed identity endpoints over plain http on a loopback port.

use std::net::SocketAddr;
use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::EmulatorError;
use super::call::Call;
use super::call::Reply;
use super::fault::Delivery;
use super::fault::Met;
use super::fault::meet;
use super::files;
use super::login;
use super::login::MACHINE;
use super::operator;
use super::serve::Shared;

/// These endpoints take no bodies.
const MAX_BODY_BYTES: usize = 1024;

/// The running endpoints. Dropped, they stop.
pub(super) struct Machine {
    /// Where they listen.
    pub(super) address: SocketAddr,
    /// What App Service's wants in `X-IDENTITY-HEADER`; new at every start.
    pub(super) header: String,
    task: JoinHandle<()>,
}

impl Machine {
    /// Listens on `listen`, and gives the machine an identity with the operator's rights where it never had one.
    pub(super) fn start(listen: SocketAddr, shared: Arc<Shared>, fresh: bool) -> Result<Self, EmulatorError> {
        if !listen.ip().is_loopback() {
            return Err(EmulatorError::NotLoopback { listen });
        }
        let cannot_listen = |source| EmulatorError::Listen { listen, source };
        let listener = TcpListener::bind(listen).map_err(cannot_listen)?;
        listener.set_nonblocking(true).map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(cannot_listen)?;
        if fresh {
            let now = shared.now();
            let mut tenant = shared.lock();
            tenant.before_write(now);
            let directory = &mut tenant.directory;
            directory
                .insert_managed_identity(MACHINE.to_owned(), now)
                .and_then(|principal| operator::grant_roles(directory, principal, now))
                .map_err(|refusal| EmulatorError::crypto("managed identity", format!("{refusal:?}")))?;
        }
        let header = files::random_hex::<16>()?;
        let router = Router::new().fallback(serve).with_state((shared, header.clone()));
        let task = tokio::spawn(async move {
            // It ends with its task; whoever waits for an answer then gets none.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, header, task })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(State((shared, header)): State<(Arc<Shared>, String)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let now = shared.now();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return Reply::empty(StatusCode::PAYLOAD_TOO_LARGE).into_response(now, Delivery::Whole);
    };
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
    let mut tenant = shared.lock();
    tenant.settle(now);
    let met = match tenant.faults.take(call.method.as_str(), &call.path, None) {
        None => Met::Answered(login::managed(&mut tenant, &call, &header), Delivery::Whole),
        Some((_, effect)) => meet(effect, &mut tenant, call),
    };
    drop(tenant);
    match met {
        Met::Answered(reply, delivery) => reply.into_response(now, delivery),
        // This line cannot be cut: a gateway says so instead. A read has no effect to lose.
        Met::Cut | Met::Never => Reply::empty(StatusCode::BAD_GATEWAY).into_response(now, Delivery::Whole),
    }
}

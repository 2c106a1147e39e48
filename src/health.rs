//! `/healthz` and `/readyz`, and nothing else: GET only, small, and short of patience. It knows nothing of the
//! daemon but a sentence about what is wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Connections answered at the same time; more wait in the system's queue.
const MOST_CONNECTIONS: usize = 32;
/// A connection is cut after this time, whatever it does.
const LONGEST: Duration = Duration::from_secs(5);
/// After a connection that could not be taken.
const PAUSE: Duration = Duration::from_millis(200);
/// A request line and headers are far smaller.
const BUFFER_BYTES: usize = 8 * 1024;

/// What the process is ready for, or why it is not.
pub type Ready = Arc<dyn Fn() -> Result<&'static str, String> + Send + Sync>;

/// Listens on `address`.
///
/// # Errors
/// What the system says.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Answers until it is dropped.
pub async fn serve(listener: TcpListener, ready: Ready) {
    let router = Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(ready);
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptor is free: one is when a connection ends.
            let _ = tokio::time::timeout(PAUSE, std::future::pending::<()>()).await;
            continue;
        };
        let router = router.clone();
        tokio::spawn(async move {
            answer(stream, router).await;
            drop(place);
        });
    }
}

async fn answer(stream: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LONGEST)
        .keep_alive(false)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // Whoever cut the connection or was too slow has nothing to be told.
    let _ = tokio::time::timeout(LONGEST, connection).await;
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(ready): State<Ready>) -> (StatusCode, String) {
    match ready() {
        Ok(what) => (StatusCode::OK, format!("{what}\n")),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

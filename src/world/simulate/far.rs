//! The far side: an emulator in this process, which everkey's own client calls along a wire instead of a network.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::http;

use crate::clock::ManualClock;
use crate::emulator::Emulator;
use crate::emulator::Options;
use crate::emulator::TokenKey;
use crate::entra::Entra;
use crate::entra::EntraOptions;
use crate::entra::OwnSignIn;
use crate::error::Result;
use crate::graph::Graph;
use crate::graph::GraphOptions;
use crate::graph::Patience;
use crate::http::Client;
use crate::http::NoAnswer;
use crate::http::Wire;
use crate::model::ClientId;
use crate::model::TenantId;
use crate::secret::Secret;

use super::cannot;

/// The emulator, and whether it can be reached at all.
pub(super) struct Far {
    pub emulator: Arc<Emulator>,
    /// Graph and the token endpoint, as everkey's own adapters see them.
    pub entra: Arc<Entra>,
    pub graph: Arc<Graph>,
    /// No connection at present.
    out: Arc<AtomicBool>,
}

impl Far {
    /// An empty tenant under `clock`.
    pub(super) fn new(clock: &ManualClock, seed: u64, key: &TokenKey) -> Result<Self> {
        let mut options = Options::new(Arc::new(clock.clone()));
        options.manual_clock = true;
        // 0 would be a random tenant.
        options.seed = seed.max(1);
        options.listen.set_port(8443);
        let emulator = Arc::new(Emulator::inside(options, key).map_err(cannot)?);
        let out = Arc::new(AtomicBool::new(false));
        let line = Line { emulator: Arc::clone(&emulator), out: Arc::clone(&out) };
        let http = Client::along(Arc::new(line)).map_err(cannot)?;
        let tenant = TenantId::from(emulator.tenant_id().to_string());
        let operator = emulator.operator();
        let entra = Arc::new(
            Entra::new(EntraOptions {
                http: http.clone(),
                login_url: emulator.url(),
                graph_url: emulator.url(),
                tenant: tenant.clone(),
                clock: Arc::new(clock.clone()),
                own: OwnSignIn::ClientSecret {
                    client_id: ClientId::from(operator.client_id.to_string()),
                    secret: Secret::from_text(operator.client_secret.clone()),
                },
            })
            .map_err(cannot)?,
        );
        let graph = Arc::new(
            Graph::new(GraphOptions {
                http,
                graph_url: emulator.url(),
                tenant: tenant.clone(),
                clock: Arc::new(clock.clone()),
                tokens: entra.clone(),
                patience: Patience::NONE,
            })
            .map_err(cannot)?,
        );
        Ok(Self { emulator, entra, graph, out })
    }

    /// Cuts the connection, or mends it.
    pub(super) fn cut(&self, out: bool) {
        self.out.store(out, Ordering::Relaxed);
    }
}

/// Carries a request of the client to the emulator, without a socket.
struct Line {
    emulator: Arc<Emulator>,
    out: Arc<AtomicBool>,
}

impl Wire for Line {
    fn exchange(&self, request: reqwest::Request) -> std::result::Result<http::Response<Vec<u8>>, NoAnswer> {
        if self.out.load(Ordering::Relaxed) {
            return Err(NoAnswer::Unreachable);
        }
        let url = request.url();
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let host = format!("{}:{}", url.host_str().unwrap_or("localhost"), url.port_or_known_default().unwrap_or(443));
        let body = request.body().and_then(|body| body.as_bytes()).map(Bytes::copy_from_slice).unwrap_or_default();
        let mut called = http::Request::builder().method(request.method().clone()).uri(target);
        if let Some(headers) = called.headers_mut() {
            headers.clone_from(request.headers());
            if let Ok(host) = http::HeaderValue::try_from(host) {
                headers.insert(http::header::HOST, host);
            }
        }
        let called = called.body(body).map_err(|_| NoAnswer::Unreachable)?;
        self.emulator.exchange(called).ok_or(NoAnswer::Cut)
    }
}

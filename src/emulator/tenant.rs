//! The emulated service without its socket: one tenant, its quirks, and which part answers a request.

use std::collections::BTreeSet;

use axum::http::Method;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::admin;
use super::call::Call;
use super::call::Reply;
use super::directory::Directory;
use super::graph;
use super::history::History;
use super::history::View;
use super::issuer;
use super::issuer::Issuer;
use super::jws::Signer;
use super::login;
use super::quirks::Faults;
use super::quirks::Quirks;

/// Everything that a request can see or change. It lives behind one lock.
pub struct Tenant {
    /// Client ids that Conditional Access for workload identities refuses.
    pub blocked: BTreeSet<Uuid>,
    /// The delta tokens given.
    pub deltas: graph::Deltas,
    /// The tenant's objects.
    pub directory: Directory,
    /// Faults that wait.
    pub faults: Faults,
    /// The issuer of workloads' tokens, outside the tenant.
    pub issuer: Issuer,
    /// Whether somebody moves the clock by hand; only told, never used.
    pub manual_clock: bool,
    /// The port we listen on: which addresses are our own.
    pub port: u16,
    /// How we misbehave.
    pub quirks: Quirks,
    /// The key of our tokens.
    pub signer: Signer,
    delayed: Vec<Call>,
    history: History,
    stale_reads: u64,
}

impl Tenant {
    /// A tenant around `directory`.
    pub fn new(directory: Directory, signer: Signer, quirks: Quirks, port: u16, manual_clock: bool) -> Self {
        Self {
            blocked: BTreeSet::new(),
            delayed: Vec::new(),
            deltas: graph::Deltas::default(),
            directory,
            faults: Faults::default(),
            history: History::default(),
            issuer: Issuer::default(),
            manual_clock,
            port,
            quirks,
            signer,
            stale_reads: 0,
        }
    }

    /// Answers a request.
    pub fn answer(&mut self, call: &Call) -> Reply {
        self.settle(call.now);
        self.dispatch(call)
    }

    /// Lets a request take effect later (its `now`), with nobody left to hear the answer.
    pub fn delay(&mut self, call: Call) {
        self.delayed.push(call);
        self.delayed.sort_by_key(|call| call.now);
    }

    /// Carries out the delayed requests that are due. Called before anybody looks at the directory.
    pub fn settle(&mut self, now: Timestamp) {
        while self.delayed.first().is_some_and(|call| call.now <= now) {
            let call = self.delayed.remove(0);
            self.dispatch(&call);
        }
    }

    /// Keeps the present state for lagging reads; called before every write.
    pub fn before_write(&mut self, now: Timestamp) {
        self.history.record(&self.directory, self.quirks.read_lag, now);
    }

    /// The directory as a read at `now` sees it.
    pub fn view(&mut self, now: Timestamp) -> View<'_> {
        let past = now.checked_sub(self.quirks.read_lag).ok().and_then(|at| self.history.at(at));
        let Some(past) = past else { return View::Now(&self.directory) };
        self.stale_reads += 1;
        if self.quirks.read_flapping && self.stale_reads.is_multiple_of(2) {
            return View::Now(&self.directory);
        }
        View::Past(past)
    }

    fn dispatch(&mut self, call: &Call) -> Reply {
        let path = call.path.to_ascii_lowercase();
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        match (segments.next(), segments.next()) {
            (Some("v1.0" | "beta"), _) => graph::answer(self, call),
            (Some("_emulator"), Some("issuer")) => issuer::answer(self, call),
            (Some("_emulator"), Some(what)) => admin::answer(self, call, what),
            // azure-cli asks Resource Manager for subscriptions after a login.
            (Some("subscriptions"), None) | (Some("arm"), Some("subscriptions")) if call.method == Method::GET => {
                Reply::json(StatusCode::OK, json!({"value": []}))
            }
            (Some(tenant), Some(_)) if login::is_login_path(&path) => {
                let tenant = tenant.to_owned();
                login::answer(self, call, &tenant)
            }
            _ => graph::not_found(call),
        }
    }
}

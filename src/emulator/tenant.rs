//! The emulated service without its socket: one tenant, its quirks, and which part answers a request.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use axum::http::Method;
use axum::http::StatusCode;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::admin;
use super::call::Call;
use super::call::Reply;
use super::directory::Directory;
use super::fault::Faults;
use super::graph;
use super::history::History;
use super::history::View;
use super::issuer;
use super::issuer::Issuer;
use super::jws::Signer;
use super::key_vault;
use super::kubernetes;
use super::log::Log;
use super::login;
use super::mail::CaughtMail;
use super::places::Places;
use super::quirks::Quirks;
use super::standing::Standing;
use super::standing::in_lines;
use super::vault;

/// So many mails are remembered.
const MAILS_KEPT: usize = 1000;

/// Everything that a request can see or change. It lives behind one lock.
pub struct Tenant {
    /// Client ids that Conditional Access for workload identities refuses.
    pub blocked: BTreeSet<Uuid>,
    /// How fast the clock runs; only told, never used.
    pub clock_rate: u32,
    /// The delta tokens given.
    pub deltas: graph::Deltas,
    /// The tenant's objects.
    pub directory: Directory,
    /// Faults that wait.
    pub faults: Faults,
    /// What was called.
    pub log: Log,
    /// The issuer of workloads' tokens, outside the tenant.
    pub issuer: Issuer,
    /// Whether somebody moves the clock by hand; only told, never used.
    pub manual_clock: bool,
    /// Where consumers read.
    pub places: Places,
    /// The port we listen on: which addresses are our own.
    pub port: u16,
    /// How we misbehave.
    pub quirks: Quirks,
    /// The key of our tokens.
    pub signer: Signer,
    delayed: Vec<Call>,
    mails: VecDeque<CaughtMail>,
    history: History,
    stale_reads: u64,
    standing: Standing,
    token_requests: AtomicU64,
}

impl Tenant {
    /// A tenant around `directory`.
    pub fn new(directory: Directory, signer: Signer, quirks: Quirks, port: u16, manual_clock: bool) -> Self {
        Self {
            blocked: BTreeSet::new(),
            clock_rate: 1,
            delayed: Vec::new(),
            deltas: graph::Deltas::default(),
            directory,
            faults: Faults::default(),
            mails: VecDeque::new(),
            history: History::default(),
            log: Log::default(),
            issuer: Issuer::default(),
            manual_clock,
            places: Places::default(),
            port,
            quirks,
            signer,
            stale_reads: 0,
            standing: Standing::default(),
            token_requests: AtomicU64::new(0),
        }
    }

    /// Answers a request.
    pub fn answer(&mut self, call: &Call) -> Reply {
        self.settle(call.now);
        self.dispatch(call)
    }

    /// Keeps a mail that was sent through Graph; the oldest give way.
    pub fn catch(&mut self, mail: CaughtMail) {
        if self.mails.len() == MAILS_KEPT {
            self.mails.pop_front();
        }
        self.mails.push_back(mail);
    }

    /// The mails sent through Graph, oldest first.
    pub fn mails(&self) -> impl Iterator<Item = &CaughtMail> {
        self.mails.iter()
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
        self.stale_reads += 1;
        let behind = self.quirks.front_ends.saturating_sub(1);
        let lag = match i64::from(behind) {
            0 => self.quirks.read_lag,
            behind => {
                // This front end's part of the way from the present to the lag.
                let turn = i64::try_from(self.stale_reads).unwrap_or(0) % (behind + 1);
                SignedDuration::from_millis(
                    i64::try_from(self.quirks.read_lag.as_millis()).unwrap_or(0) / behind * turn,
                )
            }
        };
        let past = now.checked_sub(lag).ok().and_then(|at| self.history.at(at));
        let Some(past) = past else { return View::Now(&self.directory) };
        if self.quirks.read_flapping && self.stale_reads.is_multiple_of(2) {
            return View::Now(&self.directory);
        }
        View::Past(past)
    }

    /// How far the front end of the token endpoint lags that this request meets.
    pub fn token_lag(&self) -> SignedDuration {
        let turn = self.token_requests.fetch_add(1, Ordering::Relaxed);
        if self.quirks.token_flapping && turn.is_multiple_of(2) { SignedDuration::ZERO } else { self.quirks.token_lag }
    }

    fn dispatch(&mut self, call: &Call) -> Reply {
        if let Some(vault) = key_vault::addressed(call) {
            return key_vault::answer(self, call, &vault);
        }
        let path = call.path.to_ascii_lowercase();
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        match (segments.next(), segments.next()) {
            (Some("_emulator"), None) => admin::index(),
            (Some("_emulator"), Some("issuer")) => issuer::answer(self, call),
            (Some("v1.0" | "beta"), _) => match self.standing.admit(&self.quirks, &self.directory, call) {
                Err(refused) => refused,
                Ok(toll) => {
                    let reply = graph::answer(self, call);
                    self.standing.pass(toll, &self.quirks, &self.directory, call, reply)
                }
            },
            (Some("v1"), Some(_)) => vault::answer(self, call),
            (Some("api"), Some("v1")) => kubernetes::answer(self, call),
            (Some("_emulator"), Some(what)) => admin::answer(self, call, what),
            // azure-cli asks Resource Manager for subscriptions after a login.
            (Some("subscriptions"), None) | (Some("arm"), Some("subscriptions")) if call.method == Method::GET => {
                Reply::json(StatusCode::OK, json!({"value": []}))
            }
            (Some(tenant), Some(_)) if login::is_login_path(&path) => {
                let tenant = tenant.to_owned();
                let reply = login::answer(self, call, &tenant);
                in_lines(&self.quirks, reply)
            }
            _ => graph::not_found(call),
        }
    }
}

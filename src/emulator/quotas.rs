//! Published limits as token buckets (entra-contract 4.1): resource units, changes, reads of key credentials, changes of
//! applications for personal accounts. Throttled requests count too.

use std::collections::HashMap;

use axum::http::HeaderName;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::call::Call;
use super::call::Reply;

/// Users of a tenant: its resource units in 10 s depend on it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum TenantSize {
    /// Over 500 users: 8000.
    L,
    /// 50 to 500 users: 5000.
    M,
    /// Under 50 users: 3500.
    S,
}

impl TenantSize {
    fn units(self) -> f64 {
        match self {
            Self::L => 8000.0,
            Self::M => 5000.0,
            Self::S => 3500.0,
        }
    }
}

/// From this part of a limit on its use is told, up to this part.
const TOLD: std::ops::RangeInclusive<f64> = 0.8..=1.8;

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Limit {
    Keys,
    Personal,
    Units,
    Writes,
}

impl Limit {
    /// How much in how many seconds.
    fn published(self, size: TenantSize) -> (f64, f64) {
        match self {
            Self::Keys => (150.0, 60.0),
            Self::Personal => (60.0, 60.0),
            Self::Units => (size.units(), 10.0),
            Self::Writes => (3000.0, 150.0),
        }
    }

    fn scope_and_reason(self) -> (&'static str, &'static str) {
        match self {
            Self::Keys => ("Tenant/Read", "ResourceUnitLimitExceeded"),
            Self::Personal => ("Tenant_Application/Write", "WriteLimitExceeded"),
            Self::Units => ("Tenant_Application/ReadWrite", "ResourceUnitLimitExceeded"),
            Self::Writes => ("Tenant_Application/Write", "WriteLimitExceeded"),
        }
    }
}

/// What has been used of each limit, and when it was last looked at.
#[derive(Debug, Default)]
pub struct Quotas(HashMap<(Limit, Option<Uuid>), (f64, Timestamp)>);

/// What a request used.
#[derive(Debug)]
pub struct Used {
    /// `x-ms-resource-unit`.
    units: u32,
    /// The largest part of a limit that is used now.
    part: f64,
    /// The limit that forbids it, and the seconds until it no longer does.
    over: Option<(Limit, u64)>,
}

impl Quotas {
    /// Counts a request.
    pub fn count(&mut self, size: TenantSize, call: &Call, caller: Option<Uuid>, personal: bool) -> Used {
        let is_read = call.method == Method::GET;
        let units = units(call);
        let mut limits = vec![(Limit::Units, caller, f64::from(units))];
        if is_read && call.query.contains("keyCredentials") {
            limits.push((Limit::Keys, None, 1.0));
        }
        if !is_read {
            limits.push((Limit::Writes, caller, 1.0));
        }
        if !is_read && personal {
            limits.push((Limit::Personal, None, 1.0));
        }
        let mut used = Used { units, part: 0.0, over: None };
        for (limit, whose, cost) in limits {
            let (most, seconds) = limit.published(size);
            let (level, at) = self.0.entry((limit, whose)).or_insert((0.0, call.received));
            let passed = call.received.duration_since(*at).as_secs_f64().max(0.0);
            // Beyond what is told nothing is counted: a client that stops has a way back.
            *level = ((*level - passed * most / seconds).max(0.0) + cost).min(most * TOLD.end());
            *at = call.received;
            used.part = used.part.max(*level / most);
            if *level > most && used.over.is_none() {
                let wait = ((*level - most + cost) / (most / seconds)).ceil();
                used.over = Some((limit, wait.max(1.0) as u64));
            }
        }
        used
    }
}

impl Used {
    /// The refusal, if a limit forbids the request.
    pub fn refusal(&self, call: &Call, caller: Option<Uuid>, tenant: Uuid) -> Option<Reply> {
        let (limit, wait) = self.over?;
        let (scope, reason) = limit.scope_and_reason();
        let caller = caller.unwrap_or_default();
        let id = call.request_id.to_string();
        let body = json!({"error": {"code": "TooManyRequests", "message": "Too many requests.",
            "innerError": {"date": call.now.strftime("%Y-%m-%dT%H:%M:%S").to_string(), "request-id": id}}});
        let reply = Reply::json(StatusCode::TOO_MANY_REQUESTS, body)
            .with(HeaderName::from_static("request-id"), id)
            .with(header::RETRY_AFTER, wait.to_string())
            .with(HeaderName::from_static("x-ms-throttle-scope"), format!("{scope}/{caller}/{tenant}"))
            .with(HeaderName::from_static("x-ms-throttle-information"), reason);
        Some(reply)
    }

    /// An answer with what it cost.
    pub fn told(&self, reply: Reply) -> Reply {
        let reply = reply.with(HeaderName::from_static("x-ms-resource-unit"), self.units.to_string());
        if !TOLD.contains(&self.part) {
            return reply;
        }
        reply.with(HeaderName::from_static("x-ms-throttle-limit-percentage"), format!("{:.2}", self.part))
    }
}

/// Resource units of a request: two for the larger reads, less with `$select` or a small `$top`, more with `$expand`.
fn units(call: &Call) -> u32 {
    if call.method != Method::GET {
        return 1;
    }
    let path = call.path.to_ascii_lowercase();
    let large = ["/applications", "/approleassignments", "/oauth2permissiongrants", "/users"];
    let mut units: i32 = if large.iter().any(|part| path.contains(part)) { 2 } else { 1 };
    for (name, value) in call.query_pairs() {
        match name.to_ascii_lowercase().as_str() {
            "$expand" => units += 1,
            "$select" => units -= 1,
            "$top" if value.parse().is_ok_and(|top: u32| top < 20) => units -= 1,
            _ => {}
        }
    }
    units.max(1).unsigned_abs()
}

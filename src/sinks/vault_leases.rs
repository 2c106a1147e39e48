//! Tokens of AppRole, kept until half of their lease is over: a sign-in for every look would fill Vault with leases.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::secret::Secret;

/// One per sign-in: address, namespace, role and file.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<BTreeMap<String, Lease>>);

#[derive(Debug)]
struct Lease {
    token: Secret,
    until: Timestamp,
}

impl Leases {
    /// The token, while it is good for more.
    pub(super) fn token(&self, key: &str, now: Timestamp) -> Option<Secret> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).filter(|lease| now < lease.until).map(|lease| lease.token.duplicate())
    }

    /// Keeps a token for half of `seconds`; one without a lease is not kept.
    pub(super) fn keep(&self, key: String, token: &Secret, now: Timestamp, seconds: i64) {
        let until = now.saturating_add(SignedDuration::from_secs(seconds / 2)).unwrap_or(now);
        let lease = Lease { token: token.duplicate(), until };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, lease);
    }

    /// Drops a token that was not accepted; whether there was one.
    pub(super) fn forget(&self, key: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key).is_some()
    }
}

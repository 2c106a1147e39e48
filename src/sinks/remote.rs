//! What the sinks beyond this machine share: their surroundings, their marks, and how their far sides refuse.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Deserializer;

use super::error::Result;
use super::error::SinkError;
use crate::clock::Clock;
use crate::http;
use crate::model::RotationId;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::ports::TokenSource;
use crate::secret::Secret;

/// Everything that sinks beyond this machine need and no policy says.
#[derive(Clone)]
pub struct Remote {
    /// Time, for the waits between looks.
    pub clock: Arc<dyn Clock>,
    /// The client that trusts what the tenant's cloud trusts.
    pub cloud: http::Client,
    /// This store's name in every mark; `None` when nothing is written, and every mark counts as ours.
    pub instance: Option<String>,
    /// An emulated tenant: nothing of it may reach another machine.
    pub loopback_only: bool,
    /// Proxy for places outside the cloud.
    pub proxy: Option<String>,
    /// Suffix of the cloud's key vaults, with a port where there is one.
    pub vault_suffix: Option<String>,
    /// Tokens of everkey's own identity for key vaults.
    pub vault_tokens: Arc<dyn TokenSource>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("vault_suffix", &self.vault_suffix).finish_non_exhaustive()
    }
}

impl Remote {
    /// The site at `address`, which a policy names, with the CA that it names.
    pub(super) fn site(&self, address: &str, ca_file: Option<&str>) -> Result<http::Site, PortError> {
        let local = self.stays(address)?;
        let host = host(address);
        let ca_pem = match ca_file {
            Some(file) => Some(read_file("read the CA file", file)?),
            None => None,
        };
        // No proxy knows this machine, or the names inside a cluster.
        let direct = local || host.ends_with(".svc") || host.ends_with(".svc.cluster.local");
        let proxy = if direct { None } else { self.proxy.clone() };
        http::Client::new(&http::Options { ca_pem, proxy, ..http::Options::default() })?.at(address)
    }

    /// Whether `address` is this machine; refuses another one for an emulated tenant.
    pub(super) fn stays(&self, address: &str) -> Result<bool> {
        let host = host(address);
        let local = matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost");
        if self.loopback_only && !local {
            let why = format!("`{address}` is another machine, and credentials of an emulated tenant stay on this one");
            return Err(SinkError::refused(why));
        }
        Ok(local)
    }

    /// Waits for a far side that asked for it.
    pub(super) async fn wait(&self, wait: SignedDuration) {
        let until = self.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.clock.sleep_until(until).await;
    }
}

/// Who wrote what is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Writer {
    /// Nobody: nothing is there.
    Nobody,
    /// This store, in that rotation.
    Ours(RotationId),
    /// Somebody else.
    Other,
}

impl Writer {
    /// Refuses to write over something newer, or over somebody else's.
    pub(super) fn yields_to(self, ours: RotationId, overwrite: bool, place: &str) -> Result<(), PortError> {
        match self {
            Self::Ours(theirs) if theirs > ours => {
                Err(conflict("newer-generation", format!("{place} holds {theirs}, newer than {ours}")))
            }
            Self::Other if !overwrite => Err(foreign(place)),
            Self::Nobody | Self::Ours(_) | Self::Other => Ok(()),
        }
    }
}

/// Somebody else's value is there.
pub(super) fn foreign(place: &str) -> PortError {
    conflict("foreign-version", format!("{place} holds a value that everkey did not write; it is left as it is"))
}

/// A refusal of our own, in the shape of a far side's.
pub(super) fn conflict(code: &str, message: String) -> PortError {
    PortError::Conflict(Refusal { status: 0, code: code.into(), message, request_id: None })
}

/// What was written does not read back.
pub(super) fn differs(place: &str) -> PortError {
    PortError::Unsure {
        place: place.to_owned(),
        why: "what was written does not read back yet".into(),
        request_id: None,
    }
}

/// A token on the way failed: the call that needed it was not sent, so it is never `Unsure`.
pub(super) fn not_sent(error: PortError) -> PortError {
    match error {
        PortError::Unsure { place, why, .. } => PortError::Unreachable { place, why: format!("no token: {why}") },
        error => error,
    }
}

/// The host of an address; empty when there is none.
fn host(address: &str) -> String {
    url::Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// A file that a policy names.
pub(super) fn read_file(doing: &'static str, file: &str) -> Result<Vec<u8>> {
    let path = std::path::Path::new(file);
    std::fs::read(path).map_err(SinkError::io(doing, path))
}

/// A secret that is a line of a file.
pub(super) fn read_secret(doing: &'static str, file: &str) -> Result<Secret> {
    let bytes = zeroize::Zeroizing::new(read_file(doing, file)?);
    let line = bytes.trim_ascii();
    if line.is_empty() {
        return Err(SinkError::refused(format!("`{file}` is empty")));
    }
    Ok(Secret::new(line.to_vec()))
}

/// For serde: text that is a secret.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from_text)
}

/// For serde: named texts that are secrets; what is not text counts as its JSON.
pub(super) fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Secret>, D::Error> {
    let found: Option<BTreeMap<String, serde_json::Value>> = Option::deserialize(deserializer)?;
    let text = |value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(found.unwrap_or_default().into_iter().map(|(key, value)| (key, Secret::from_text(text(value)))).collect())
}

//! How the emulated service misbehaves on request: what the documents leave open, how far reads and
//! sign-ins lag behind writes, and single faults for tests.

use jiff::SignedDuration;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::directory::KeyConduct;
use super::key_vault::KeyVaultQuirks;

/// Standing behaviour; the default is a polite service that never lags.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// PATCH keyCredentials: an echoed entry whose `key` is null keeps its bytes. If not, it is lost.
    pub echo_null_keeps_key: bool,
    /// PATCH keyCredentials: a new entry keeps the keyId that the client wrote.
    pub honours_client_key_id: bool,
    /// What the documents of Key Vault leave open.
    pub key_vault: KeyVaultQuirks,
    /// Only every second read is stale, as seen in the field: counts that go back and forth.
    pub read_flapping: bool,
    /// Graph reads show the state of so long ago.
    pub read_lag: SignedDuration,
    /// The token endpoint refuses a credential for so long after it was added, and accepts it for so
    /// long after it was removed.
    pub token_lag: SignedDuration,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            echo_null_keeps_key: true,
            honours_client_key_id: true,
            key_vault: KeyVaultQuirks::default(),
            read_flapping: false,
            read_lag: SignedDuration::ZERO,
            token_lag: SignedDuration::ZERO,
        }
    }
}

impl Quirks {
    /// What PATCH keyCredentials does where the documents leave it open.
    pub fn key_conduct(&self) -> KeyConduct {
        KeyConduct { echo_null_keeps_key: self.echo_null_keeps_key, honours_client_key_id: self.honours_client_key_id }
    }
}

/// A fault that happens to the next `count` requests that match, then never again.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// How many requests it hits.
    #[serde(default = "one")]
    pub count: u32,
    /// What happens to them.
    pub effect: Effect,
    /// The method, any when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// A part of the path (any case); empty matches every path.
    #[serde(default)]
    pub path_contains: String,
}

fn one() -> u32 {
    1
}

/// What a fault does: the outcomes of a call that `rotation.md` lives with (F5).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Effect {
    /// The connection is reset now, and the request takes effect so much later: a paused gateway.
    DelayEffect {
        /// How much later, by the emulator's clock.
        seconds: u32,
    },
    /// The request takes effect, and the connection is reset before the answer.
    ResetAfterEffect,
    /// The connection is reset before the request does anything.
    ResetBeforeEffect,
    /// The request is answered so and does nothing.
    Status {
        /// The body; an empty Graph error when absent.
        #[serde(default)]
        body: Option<Value>,
        /// The HTTP status.
        code: u16,
        /// Retry-After in seconds.
        #[serde(default)]
        retry_after: Option<u32>,
    },
}

/// The faults that still wait for their requests.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds one behind the others; the oldest match wins.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// How many requests they will still hit.
    pub fn waiting(&self) -> u32 {
        self.0.iter().map(|fault| fault.count).sum()
    }

    /// Drops all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The effect that hits this request, if any, used up by it.
    pub fn take(&mut self, method: &str, path: &str) -> Option<Effect> {
        let path = path.to_ascii_lowercase();
        let hits = |fault: &Fault| {
            fault.count > 0
                && fault.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && path.contains(&fault.path_contains.to_ascii_lowercase())
        };
        let fault = self.0.iter_mut().find(|fault| hits(fault))?;
        fault.count -= 1;
        let effect = fault.effect.clone();
        self.0.retain(|fault| fault.count > 0);
        Some(effect)
    }
}

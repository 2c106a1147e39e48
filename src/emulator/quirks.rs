//! How the emulated service misbehaves all the time, on request: what the documents leave open, and how far reads and
//! sign-ins lag behind writes. Single faults are in `fault`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::directory::KeyConduct;
use super::login::Wording;

/// Standing behaviour; the default is a polite service that never lags.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// More credentials than this on one object are refused: its size is limited, not their number, and 600 is where
    /// somebody met the limit.
    pub credentials_max: usize,
    /// Every delta round begins with an empty page that has a nextLink.
    pub delta_empty_page: bool,
    /// PATCH keyCredentials: an echoed entry whose `key` is null keeps its bytes. If not, it is lost.
    pub echo_null_keeps_key: bool,
    /// PATCH keyCredentials: a new entry keeps the keyId that the client wrote.
    pub honours_client_key_id: bool,
    /// Only every second read is stale, as seen in the field: counts that go back and forth.
    pub read_flapping: bool,
    /// Graph reads show the state of so long ago.
    pub read_lag: SignedDuration,
    /// The sign-in report shows nothing younger than this.
    pub report_lag: SignedDuration,
    /// The sign-in report shows days, not instants.
    pub report_rounds_to_day: bool,
    /// The token endpoint refuses a credential for so long after it was added, and accepts it for so
    /// long after it was removed.
    pub token_lag: SignedDuration,
    /// Status and `error` of a refusal of the token endpoint, by its AADSTS number, where they shall be others than
    /// ours: several are not established (entra-contract 1.5, 12).
    pub token_refusals: BTreeMap<u32, Wording>,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            credentials_max: 600,
            delta_empty_page: false,
            echo_null_keeps_key: true,
            honours_client_key_id: true,
            read_flapping: false,
            read_lag: SignedDuration::ZERO,
            report_lag: SignedDuration::ZERO,
            report_rounds_to_day: false,
            token_lag: SignedDuration::ZERO,
            token_refusals: BTreeMap::new(),
        }
    }
}

impl Quirks {
    /// Sets one by `name=value`; the value as in JSON, or as plain text.
    ///
    /// # Errors
    /// In one sentence, when there is no such quirk or it takes no such value; nothing is set then.
    pub fn assign(&mut self, assignment: &str) -> Result<(), String> {
        let (name, text) = assignment.split_once('=').ok_or_else(|| format!("{assignment:?} is no NAME=VALUE"))?;
        let mut all = serde_json::to_value(&*self).map_err(|error| error.to_string())?;
        let Some(place) = all.get_mut(name) else {
            let known: Vec<_> = all.as_object().into_iter().flat_map(|all| all.keys().cloned()).collect();
            return Err(format!("there is no quirk {name:?}; there are {}", known.join(", ")));
        };
        *place = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        *self = serde_json::from_value(all).map_err(|error| format!("{name} cannot be {text:?}: {error}"))?;
        Ok(())
    }

    /// What PATCH keyCredentials does where the documents leave it open.
    pub fn key_conduct(&self) -> KeyConduct {
        KeyConduct { echo_null_keeps_key: self.echo_null_keeps_key, honours_client_key_id: self.honours_client_key_id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quirk_is_set_by_its_name_or_nothing_is() {
        let mut quirks = Quirks::default();
        for assignment in ["read_flapping=true", "read_lag=20s", "token_lag=PT1M"] {
            quirks.assign(assignment).unwrap();
        }
        assert!(quirks.read_flapping);
        assert_eq!(quirks.read_lag.as_secs() + quirks.token_lag.as_secs(), 80);
        for (assignment, why) in [
            ("read_lag", "no NAME=VALUE"),
            ("readlag=1s", "there are echo_null_keeps_key, "),
            ("read_lag=soon", "read_lag cannot be \"soon\""),
            ("read_flapping=perhaps", "read_flapping cannot be"),
        ] {
            assert!(quirks.assign(assignment).unwrap_err().contains(why), "{assignment}");
        }
        assert_eq!(quirks.read_lag.as_secs(), 20);
    }
}

//! How the emulated service misbehaves all the time, on request: what the documents leave open, and how far reads and
//! sign-ins lag behind writes. Single faults are in `fault`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::directory::KeyConduct;
use super::key_vault::KeyVaultQuirks;
use super::login::Wording;
use super::quotas::TenantSize;

/// Standing behaviour; the default is a polite service that never lags.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// removePassword of an unknown key id: 404 instead of 400.
    pub absent_password_is_404: bool,
    /// Applications write `customKeyIdentifier` in base64 instead of hex.
    pub base64_key_identifiers: bool,
    /// A certificate that lives more than a year is refused.
    pub certificate_year_cap: bool,
    /// The service's clock shows so much more than the client's: `Date`, validity of tokens.
    pub clock_offset: SignedDuration,
    /// More credentials than this on one object are refused: its size is limited, not their number, and 600 is where
    /// somebody met the limit.
    pub credentials_max: usize,
    /// Every delta round begins with an empty page that has a nextLink.
    pub delta_empty_page: bool,
    /// addKey and PATCH refuse a certificate that the application has already.
    pub duplicate_certificate_refused: bool,
    /// A second grant for one pair: 400 "Permission entry already exists" instead of 409.
    pub duplicate_grant_is_400: bool,
    /// PATCH keyCredentials: an echoed entry whose `key` is null keeps its bytes. If not, it is lost.
    pub echo_null_keeps_key: bool,
    /// Error descriptions of the token endpoint come in lines (CR LF) instead of with blanks.
    pub error_description_lines: bool,
    /// PATCH keyCredentials: an expired entry that is echoed is refused.
    pub expired_echo_refused: bool,
    /// removePassword says "No password credential found" for so long after addPassword.
    pub fresh_secret_unknown: SignedDuration,
    /// Reads alternate among so many front ends; the first is up to date, the last shows the past of `read_lag`.
    pub front_ends: u32,
    /// PATCH keyCredentials: a new entry keeps the keyId that the client wrote.
    pub honours_client_key_id: bool,
    /// Names of client secrets are shortened to so many characters; 0 means never.
    pub password_name_max: u32,
    /// The published limits of a tenant of this size.
    pub quotas: Option<TenantSize>,
    /// What the documents of Key Vault leave open.
    pub key_vault: KeyVaultQuirks,
    /// Only every second read is stale, as seen in the field: counts that go back and forth.
    pub read_flapping: bool,
    /// Graph reads show the state of so long ago.
    pub read_lag: SignedDuration,
    /// The sign-in report shows nothing younger than this.
    pub report_lag: SignedDuration,
    /// The sign-in report shows days, not instants.
    pub report_rounds_to_day: bool,
    /// The 409 of `write_conflict_window` carries Retry-After.
    pub retry_after_on_conflict: bool,
    /// sendMail takes any `from`; if not, only the mailbox's own address.
    pub sends_as_anybody: bool,
    /// Only every second token request meets a front end that lags by `token_lag`.
    pub token_flapping: bool,
    /// The token endpoint refuses a credential for so long after it was added, and accepts it for so
    /// long after it was removed.
    pub token_lag: SignedDuration,
    /// Status and `error` of a refusal of the token endpoint, by its AADSTS number, where they shall be others than
    /// ours: several are not established (entra-contract 1.5, 12).
    pub token_refusals: BTreeMap<u32, Wording>,
    /// A second change of one object within so long is refused: 409 Directory_ConcurrencyViolation.
    pub write_conflict_window: SignedDuration,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            absent_password_is_404: false,
            base64_key_identifiers: false,
            certificate_year_cap: false,
            clock_offset: SignedDuration::ZERO,
            credentials_max: 600,
            delta_empty_page: false,
            duplicate_certificate_refused: false,
            duplicate_grant_is_400: false,
            echo_null_keeps_key: true,
            error_description_lines: false,
            expired_echo_refused: false,
            fresh_secret_unknown: SignedDuration::ZERO,
            front_ends: 1,
            honours_client_key_id: true,
            password_name_max: 0,
            quotas: None,
            key_vault: KeyVaultQuirks::default(),
            read_flapping: false,
            read_lag: SignedDuration::ZERO,
            report_lag: SignedDuration::ZERO,
            report_rounds_to_day: false,
            retry_after_on_conflict: false,
            sends_as_anybody: false,
            token_flapping: false,
            token_lag: SignedDuration::ZERO,
            token_refusals: BTreeMap::new(),
            write_conflict_window: SignedDuration::ZERO,
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
            ("readlag=1s", "there are absent_password_is_404, "),
            ("read_lag=soon", "read_lag cannot be \"soon\""),
            ("read_flapping=perhaps", "read_flapping cannot be"),
        ] {
            assert!(quirks.assign(assignment).unwrap_err().contains(why), "{assignment}");
        }
        assert_eq!(quirks.read_lag.as_secs(), 20);
    }
}

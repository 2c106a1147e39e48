//! Client secrets: addPassword, removePassword, and whether a presented value is one of them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use super::Directory;
use super::Refusal;
use super::Removed;
use crate::emulator::entropy::sha256;

/// At most this many client secrets, expired ones included, where personal accounts may sign in
/// (entra-contract 5b).
const CAP_WITH_PERSONAL_ACCOUNTS: usize = 2;

/// A client secret, without its value.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PasswordCredential {
    /// When it came into being, by the emulator's clock; `start` can be anything.
    pub added: Timestamp,
    /// What the caller named it.
    pub display_name: Option<String>,
    /// No sign-in from here on.
    pub end: Timestamp,
    /// The first three characters of the value.
    pub hint: String,
    /// The id; made by the directory, never reused.
    pub key_id: Uuid,
    /// No sign-in before this.
    pub start: Timestamp,
    /// SHA-256 over salt and value.
    hash: [u8; 32],
    salt: [u8; 32],
}

/// What a caller may ask for in addPassword, as written on the wire.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewPassword {
    /// Its name.
    pub display_name: Option<String>,
    /// End of validity; start + 2 years when absent.
    pub end_date_time: Option<Timestamp>,
    /// Start of validity; now when absent.
    pub start_date_time: Option<Timestamp>,
}

impl PasswordCredential {
    /// Whether `value` is this secret.
    pub fn is(&self, value: &str) -> bool {
        verify_slices_are_equal(&self.hash, &salted(&self.salt, value)).is_ok()
    }
}

impl Directory {
    /// Adds a client secret to an application or service principal, and returns its value: the only
    /// time that anybody sees it.
    ///
    /// Refused: unknown holder, dates in the wrong order, a third secret where personal accounts sign in.
    pub fn add_password(
        &mut self,
        holder: Uuid,
        new: NewPassword,
        now: Timestamp,
    ) -> Result<(PasswordCredential, String), Refusal> {
        let capped = self.application(holder).is_some_and(|app| app.allows_personal_accounts());
        let held = self.credentials(holder).ok_or_else(|| Refusal::no_object(holder))?.passwords.len();
        if capped && held >= CAP_WITH_PERSONAL_ACCOUNTS {
            return Err(Refusal::invalid(format!(
                "The maximum number of password credentials for an application that allows personal accounts is {CAP_WITH_PERSONAL_ACCOUNTS}."
            )));
        }
        let start = new.start_date_time.unwrap_or(now);
        let end = new.end_date_time.unwrap_or_else(|| two_years_after(start));
        if end <= start || end <= now {
            return Err(Refusal::invalid("Password credential end date is invalid."));
        }
        self.check_password_policy(holder, start, end)?;
        let value = self.entropy.secret_text();
        let key_id = self.entropy.uuid();
        let credential = self.around(&value, new.display_name, key_id, start, end, now);
        self.credentials_mut(holder)?.passwords.push(credential.clone());
        Ok((credential, value))
    }

    /// A client secret whose value nobody ever gets, with any dates: of a SAML signing certificate, or of a seed.
    pub(super) fn password_of(
        &mut self,
        display_name: Option<String>,
        key_id: Uuid,
        start: Timestamp,
        end: Timestamp,
    ) -> PasswordCredential {
        let value = self.entropy.secret_text();
        self.around(&value, display_name, key_id, start, end, start)
    }

    fn around(
        &mut self,
        value: &str,
        display_name: Option<String>,
        key_id: Uuid,
        start: Timestamp,
        end: Timestamp,
        added: Timestamp,
    ) -> PasswordCredential {
        let salt = self.entropy.bytes();
        let hint = value[..3].to_owned();
        PasswordCredential { added, display_name, end, hint, key_id, start, hash: salted(&salt, value), salt }
    }

    /// Removes a client secret. Refused when the holder has none with this id.
    pub fn remove_password(&mut self, holder: Uuid, key_id: Uuid, now: Timestamp) -> Result<(), Refusal> {
        let credentials = self.credentials_mut(holder)?;
        let position = credentials.passwords.iter().position(|password| password.key_id == key_id);
        let position =
            position.ok_or_else(|| Refusal::invalid(format!("No password credential found with keyId '{key_id}'.")))?;
        let removed = credentials.passwords.remove(position);
        Removed::push(&mut credentials.removed_passwords, removed, now);
        Ok(())
    }
}

fn salted(salt: &[u8], value: &str) -> [u8; 32] {
    sha256(&[salt, value.as_bytes()].concat())
}

/// The documented default lifetime (entra-contract 2.6).
fn two_years_after(start: Timestamp) -> Timestamp {
    let zoned = start.to_zoned(TimeZone::UTC).checked_add(2.years());
    zoned.map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

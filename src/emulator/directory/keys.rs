//! Certificates: addKey, removeKey, and PATCH of the whole keyCredentials collection.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use super::Directory;
use super::Refusal;
use super::Removed;
use crate::emulator::certificate::CertificateFacts;
use crate::emulator::certificate::hex;

/// The one kind of certificate entry that signs in.
const TYPE: &str = "AsymmetricX509Cert";
/// The usage that goes with it.
const USAGE: &str = "Verify";

/// A certificate of an application or service principal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyCredential {
    /// When it was added, by the emulator's clock.
    pub added: Timestamp,
    /// Thumbprint in hex, or whatever text the caller chose.
    pub custom_key_identifier: String,
    /// What the caller named it.
    pub display_name: Option<String>,
    /// No sign-in from here on.
    pub end: Timestamp,
    /// The certificate in DER.
    #[serde(with = "der_as_base64")]
    pub key: Vec<u8>,
    /// The id.
    pub key_id: Uuid,
    /// `AsymmetricX509Cert`, or `X509CertAndPassword` for the private half of a SAML signing certificate.
    #[serde(default = "ordinary_kind")]
    pub kind: String,
    /// SHA-1 of the DER.
    pub sha1: [u8; 20],
    /// SHA-256 of the DER.
    pub sha256: [u8; 32],
    /// No sign-in before this.
    pub start: Timestamp,
    /// `Verify`, or `Sign` for the private half of a SAML signing certificate.
    #[serde(default = "ordinary_usage")]
    pub usage: String,
}

fn ordinary_kind() -> String {
    TYPE.to_owned()
}

fn ordinary_usage() -> String {
    USAGE.to_owned()
}

/// A keyCredential as a client writes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeyEntry {
    /// See [`KeyCredential::custom_key_identifier`].
    pub custom_key_identifier: Option<String>,
    /// Its name.
    pub display_name: Option<String>,
    /// End of validity; the certificate's when absent.
    pub end_date_time: Option<Timestamp>,
    /// base64 of the DER, whitespace allowed (az breaks the lines). Null in an echoed entry.
    pub key: Option<String>,
    /// An existing entry's id, or a wish.
    pub key_id: Option<Uuid>,
    /// Start of validity; the certificate's when absent.
    pub start_date_time: Option<Timestamp>,
    /// `AsymmetricX509Cert`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `Verify`.
    pub usage: Option<String>,
}

/// What the documents leave open about PATCH; see `Quirks`.
#[derive(Clone, Copy, Debug)]
pub struct KeyConduct {
    /// An echoed entry whose key is null keeps its bytes; if not, the entry is lost.
    pub echo_null_keeps_key: bool,
    /// A new entry gets the id that the caller wrote; if not, one of the directory's own.
    pub honours_client_key_id: bool,
}

impl KeyCredential {
    /// The same entry in a service principal, which writes thumbprints in base64 (entra-contract 2.5).
    pub fn identifier_of_principal(&self) -> String {
        if self.custom_key_identifier == hex(&self.sha1) {
            BASE64_STANDARD.encode(self.sha1)
        } else {
            self.custom_key_identifier.clone()
        }
    }

    /// Whether a signature by it counts at `now`.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.usage == USAGE && self.start <= now && now < self.end
    }
}

impl Directory {
    /// Adds one certificate (addKey; the proof is checked by [`Directory::check_proof`]).
    pub fn add_key(&mut self, holder: Uuid, entry: &KeyEntry, now: Timestamp) -> Result<KeyCredential, Refusal> {
        let key_id = self.entropy.uuid();
        let key = new_key(entry, key_id, now)?;
        self.check_key_policy(holder, key.start, key.end)?;
        self.credentials_mut(holder)?.keys.push(key.clone());
        Ok(key)
    }

    /// Removes one certificate (removeKey).
    pub fn remove_key(&mut self, holder: Uuid, key_id: Uuid, now: Timestamp) -> Result<(), Refusal> {
        let credentials = self.credentials_mut(holder)?;
        let position = credentials.keys.iter().position(|key| key.key_id == key_id);
        let position =
            position.ok_or_else(|| Refusal::invalid(format!("No key credential found with keyId '{key_id}'.")))?;
        let removed = credentials.keys.remove(position);
        Removed::push(&mut credentials.removed_keys, removed, now);
        Ok(())
    }

    /// Replaces the whole collection (PATCH): entries left out are gone, existing ones are kept when
    /// echoed unchanged, new ones need their key.
    pub fn replace_keys(
        &mut self,
        holder: Uuid,
        entries: &[KeyEntry],
        conduct: KeyConduct,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let held = self.credentials(holder).ok_or_else(|| Refusal::no_object(holder))?.keys.clone();
        let mut wanted = Vec::with_capacity(entries.len());
        for entry in entries {
            let known = entry.key_id.and_then(|id| held.iter().find(|key| key.key_id == id));
            if let Some(known) = known {
                refuse_changes(known, entry)?;
                if entry.key.is_some() || conduct.echo_null_keeps_key {
                    let display_name = entry.display_name.clone().or_else(|| known.display_name.clone());
                    wanted.push(KeyCredential { display_name, ..known.clone() });
                }
                continue;
            }
            let own_id = self.entropy.uuid();
            let key_id = entry.key_id.filter(|_| conduct.honours_client_key_id).unwrap_or(own_id);
            let key = new_key(entry, key_id, now)?;
            self.check_key_policy(holder, key.start, key.end)?;
            wanted.push(key);
        }
        let ids: BTreeSet<Uuid> = wanted.iter().map(|key| key.key_id).collect();
        if ids.len() != wanted.len() {
            return Err(Refusal::invalid("KeyCredentials contain the same keyId more than once."));
        }
        let credentials = self.credentials_mut(holder)?;
        for gone in held.into_iter().filter(|key| !ids.contains(&key.key_id)) {
            Removed::push(&mut credentials.removed_keys, gone, now);
        }
        credentials.keys = wanted;
        Ok(())
    }
}

fn new_key(entry: &KeyEntry, key_id: Uuid, now: Timestamp) -> Result<KeyCredential, Refusal> {
    if entry.kind.as_deref() != Some(TYPE) || entry.usage.as_deref() != Some(USAGE) {
        return Err(Refusal::invalid(format!(
            "Key credential type and usage are invalid: this directory holds '{TYPE}' with usage '{USAGE}'."
        )));
    }
    let key = entry.key.as_deref().ok_or_else(|| Refusal::invalid("Key credential value is required."))?;
    let unreadable = || Refusal::invalid("Key credential value is not a valid certificate.");
    let der = decode(key).ok_or_else(unreadable)?;
    let facts = CertificateFacts::read(&der).ok_or_else(unreadable)?;
    let end = entry.end_date_time.unwrap_or(facts.not_after);
    let start = entry.start_date_time.unwrap_or(facts.not_before);
    if end > facts.not_after || end <= start || end <= now {
        return Err(Refusal::KeyEndDate);
    }
    if start < facts.not_before {
        return Err(Refusal::KeyStartDate);
    }
    let given = entry.custom_key_identifier.clone().filter(|text| !text.is_empty());
    Ok(KeyCredential {
        added: now,
        custom_key_identifier: given.unwrap_or_else(|| hex(&facts.sha1)),
        display_name: entry.display_name.clone(),
        end,
        key: der,
        key_id,
        kind: ordinary_kind(),
        sha1: facts.sha1,
        sha256: facts.sha256,
        start,
        usage: ordinary_usage(),
    })
}

/// An existing entry may be echoed, not altered (entra-contract 3.3). What the client leaves out of an
/// echo counts as unchanged, except the customKeyIdentifier, whose loss is a change there too.
fn refuse_changes(known: &KeyCredential, entry: &KeyEntry) -> Result<(), Refusal> {
    let same_text = |given: &Option<String>, kept: &str| given.as_deref().is_none_or(|given| given == kept);
    let same_time = |given: Option<Timestamp>, kept: Timestamp| given.is_none_or(|given| given == kept);
    let given = entry.custom_key_identifier.as_deref();
    let same_identifier =
        given == Some(&known.custom_key_identifier) || given == Some(&known.identifier_of_principal());
    let same_key = entry.key.as_deref().is_none_or(|key| decode(key).as_deref() == Some(&known.key));
    if same_identifier
        && same_key
        && same_text(&entry.kind, &known.kind)
        && same_text(&entry.usage, &known.usage)
        && same_time(entry.start_date_time, known.start)
        && same_time(entry.end_date_time, known.end)
    {
        return Ok(());
    }
    Err(Refusal::invalid(format!("Update to existing credential with KeyId '{}' is not allowed.", known.key_id)))
}

fn decode(key: &str) -> Option<Vec<u8>> {
    let compact: String = key.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(compact).ok()
}

/// Certificates in the state file as one base64 text instead of a list of numbers.
mod der_as_base64 {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use serde::Deserialize as _;
    use serde::Deserializer;
    use serde::Serializer;
    use serde::de::Error as _;

    pub(super) fn serialize<S: Serializer>(der: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(der))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map_err(D::Error::custom)
    }
}

//! Certificates: read with key bytes, addKey, removeKey, and PATCH of the whole collection
//! (`entra-contract.md` 2.5, 3.2, 3.3).

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use crate::model::CertificateEntry;
use crate::model::KeyId;
use crate::model::ObjectId;
use crate::model::Thumbprint;
use crate::ports::Dated;
use crate::ports::PortError;
use crate::secret::Secret;

use super::Graph;
use super::call::Write;
use super::odata::by_id;
use super::passwords::gone_is_removed;
use super::wire::Key;
use super::wire::KeyCredentials;
use super::wire::NEVER;
use super::wire::end_or_never;
use super::wire::start_or_always;
use super::wire::whole_seconds;

/// Padding may be there or not.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The answer of addKey, as far as it names the entry.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddedKey {
    key_id: String,
}

/// The body of a PATCH of the collection.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AllKeys {
    key_credentials: Vec<Key>,
}

impl Graph {
    /// See [`crate::ports::Directory::key_credentials`]. Graph allows 150 such reads a minute in a tenant.
    pub(super) async fn read_keys(&self, app: &ObjectId) -> Result<Dated<Vec<CertificateEntry>>, PortError> {
        let path = by_id("applications", app.as_str(), "");
        let read: Dated<KeyCredentials> = self.read(&path, &[("$select", "keyCredentials")]).await?;
        Ok(Dated { value: read.value.key_credentials.into_iter().map(entry).collect(), date: read.date })
    }

    /// See [`crate::ports::Directory::add_key`]. Graph chooses the key id.
    pub(super) async fn attach_key(
        &self,
        app: &ObjectId,
        entry: &CertificateEntry,
        proof: &Secret,
    ) -> Result<KeyId, PortError> {
        let Some(der) = &entry.key else {
            return Err(PortError::Local("addKey needs the certificate itself".into()));
        };
        let body = json!({
            "keyCredential": {
                "type": entry.kind,
                "usage": entry.usage,
                "key": STANDARD.encode(der),
                "displayName": entry.display_name,
                "startDateTime": whole_seconds(entry.start),
                "endDateTime": whole_seconds(entry.end),
            },
            "passwordCredential": null,
            "proof": proof_text(proof)?,
        });
        let path = by_id("applications", app.as_str(), "/addKey");
        let reply = self.write(Write { hide: Some(proof), ..Write::post(path, &body) }).await?;
        Ok(reply.json::<AddedKey>()?.key_id.to_ascii_lowercase().into())
    }

    /// See [`crate::ports::Directory::remove_key`].
    pub(super) async fn detach_key(&self, app: &ObjectId, key_id: &KeyId, proof: &Secret) -> Result<(), PortError> {
        let body = json!({ "keyId": key_id.as_str(), "proof": proof_text(proof)? });
        let path = by_id("applications", app.as_str(), "/removeKey");
        gone_is_removed(self.write(Write { hide: Some(proof), ..Write::post(path, &body) }).await.map(drop))
    }

    /// See [`crate::ports::Directory::replace_keys`]. Every field is echoed as it was read: Graph refuses a changed
    /// one, and keeps the stored bytes where `key` is null.
    pub(super) async fn patch_keys(&self, app: &ObjectId, entries: &[CertificateEntry]) -> Result<(), PortError> {
        let body = AllKeys { key_credentials: entries.iter().map(to_wire).collect() };
        self.write(Write::patch(by_id("applications", app.as_str(), ""), &body)).await.map(drop)
    }
}

/// Wire to model.
pub(super) fn entry(key: Key) -> CertificateEntry {
    let der = key.key.as_deref().and_then(decode);
    let thumbprint = match &der {
        Some(der) => Some(thumbprint_of(der)),
        None => key.custom_key_identifier.as_deref().and_then(thumbprint_in),
    };
    CertificateEntry {
        key_id: key.key_id.to_ascii_lowercase().into(),
        display_name: key.display_name,
        thumbprint,
        custom_key_identifier: key.custom_key_identifier,
        kind: key.kind,
        usage: key.usage,
        start: start_or_always(key.start_date_time),
        end: end_or_never(key.end_date_time),
        key: der,
    }
}

/// Model to wire; the dates that stand for `null` become `null` again.
fn to_wire(entry: &CertificateEntry) -> Key {
    Key {
        key_id: entry.key_id.as_str().to_owned(),
        display_name: entry.display_name.clone(),
        custom_key_identifier: entry.custom_key_identifier.clone(),
        kind: entry.kind.clone(),
        usage: entry.usage.clone(),
        start_date_time: Some(entry.start).filter(|start| *start != Timestamp::UNIX_EPOCH),
        end_date_time: Some(entry.end).filter(|end| *end != NEVER),
        key: entry.key.as_ref().map(|der| STANDARD.encode(der)),
    }
}

/// Base64 with blanks, line breaks or without padding (azure-cli breaks lines); `None` when it is none.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_ascii_whitespace().collect();
    TOLERANT.decode(text).ok().filter(|bytes| !bytes.is_empty())
}

fn thumbprint_of(der: &[u8]) -> Thumbprint {
    hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref())
}

/// The thumbprint in a `customKeyIdentifier`: 40 hexadecimal digits, or base64 of 20 bytes; other contents
/// (descriptions written by old tools) are none.
fn thumbprint_in(identifier: &str) -> Option<Thumbprint> {
    if identifier.len() == 40 && identifier.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(Thumbprint(identifier.to_ascii_uppercase()));
    }
    decode(identifier).filter(|bytes| bytes.len() == 20).map(|bytes| hex(&bytes))
}

fn hex(bytes: &[u8]) -> Thumbprint {
    Thumbprint(bytes.iter().map(|byte| format!("{byte:02X}")).collect())
}

fn proof_text(proof: &Secret) -> Result<&str, PortError> {
    proof.expose_text().ok_or_else(|| PortError::Local("a proof must be text".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprints_are_read_from_either_form_of_the_identifier() {
        let hex = "DA20FCA696C4F83E8AEED59BE3336A8ED40F08E1";
        for (identifier, expected) in [
            (hex, Some(hex)),
            ("da20fca696c4f83e8aeed59be3336a8ed40f08e1", Some(hex)),
            ("2iD8ppbE+D6K7tWb4zNqjtQPCOE=", Some(hex)),
            ("2iD8ppbE+D6K7tWb4zNqjtQPCOE", Some(hex)),
            ("bXkgY2VydA==", None),
            ("Payroll 2026", None),
            ("", None),
        ] {
            assert_eq!(thumbprint_in(identifier).as_ref().map(Thumbprint::as_str), expected, "{identifier}");
        }
    }

    #[test]
    fn key_bytes_win_over_the_identifier_and_may_have_line_breaks() {
        let json = r#"{"keyId":"ABC","customKeyIdentifier":"DA20FCA696C4F83E8AEED59BE3336A8ED40F08E1",
            "displayName":null,"startDateTime":null,"endDateTime":null,"key":"aGVs\r\nbG8"}"#;
        let entry = entry(serde_json::from_str(json).unwrap());
        assert_eq!(entry.key.as_deref(), Some(&b"hello"[..]));
        assert_eq!(entry.thumbprint.unwrap().as_str(), "AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D");
        assert_eq!(entry.key_id.as_str(), "abc");
    }

    #[test]
    fn an_entry_without_dates_is_echoed_without_dates() {
        let json = r#"{"keyId":"abc","displayName":null,"type":"","usage":"","startDateTime":null,"endDateTime":null,"key":null}"#;
        let echoed = serde_json::to_value(to_wire(&entry(serde_json::from_str(json).unwrap()))).unwrap();
        assert_eq!(echoed, serde_json::from_str::<serde_json::Value>(json).unwrap());
    }

    #[test]
    fn an_entry_is_echoed_field_by_field() {
        let json = r#"{"keyId":"abc","displayName":"CN=x","customKeyIdentifier":"old note","type":"AsymmetricX509Cert",
            "usage":"Verify","startDateTime":"2021-09-09T19:50:29.3086381Z","endDateTime":"2031-09-09T19:50:29Z","key":null}"#;
        let wire: Key = serde_json::from_str(json).unwrap();
        let echoed = serde_json::to_value(to_wire(&entry(wire))).unwrap();
        assert_eq!(echoed, serde_json::from_str::<serde_json::Value>(json).unwrap());
    }
}

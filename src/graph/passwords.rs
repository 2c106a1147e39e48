//! Client secrets: addPassword and removePassword (`entra-contract.md` 3.1).

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Deserializer;
use serde::de;
use serde_json::json;

use crate::model::KeyId;
use crate::model::ObjectId;
use crate::model::SecretEntry;
use crate::ports::AddedPassword;
use crate::ports::PortError;
use crate::secret::Secret;

use super::Graph;
use super::call::Write;
use super::odata::by_id;
use super::wire::Password;
use super::wire::end_or_never;
use super::wire::start_or_always;
use super::wire::whole_seconds;

/// The answer of addPassword: the one place where a secret's value is read from Graph.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Added {
    key_id: String,
    display_name: Option<String>,
    hint: Option<String>,
    start_date_time: Option<Timestamp>,
    end_date_time: Option<Timestamp>,
    #[serde(deserialize_with = "secret")]
    secret_text: Secret,
}

impl Graph {
    /// See [`crate::ports::Directory::add_password`].
    ///
    /// Sent once. An answer without a readable value is `Unsure`: the secret exists and nobody knows it.
    pub(super) async fn attach_password(
        &self,
        app: &ObjectId,
        display_name: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<AddedPassword, PortError> {
        let body = json!({ "passwordCredential": {
            "displayName": display_name,
            "startDateTime": whole_seconds(start),
            "endDateTime": whole_seconds(end),
        }});
        let reply = self.write(Write::post(by_id("applications", app.as_str(), "/addPassword"), &body)).await?;
        let added: Added = reply.json()?;
        let entry = SecretEntry {
            key_id: added.key_id.to_ascii_lowercase().into(),
            display_name: added.display_name,
            hint: added.hint,
            start: added.start_date_time.unwrap_or(start),
            end: added.end_date_time.unwrap_or(end),
        };
        Ok(AddedPassword { entry, value: added.secret_text })
    }

    /// See [`crate::ports::Directory::remove_password`].
    pub(super) async fn detach_password(&self, app: &ObjectId, key_id: &KeyId) -> Result<(), PortError> {
        let body = json!({ "keyId": key_id.as_str() });
        let path = by_id("applications", app.as_str(), "/removePassword");
        gone_is_removed(self.write(Write::post(path, &body)).await.map(drop))
    }
}

/// A credential that is not there is removed: 404, or 400 "No password credential found with keyId …".
///
/// The text is the only sign of it that is known (`entra-contract.md` 3.1), for keys by analogy.
pub(super) fn gone_is_removed(result: Result<(), PortError>) -> Result<(), PortError> {
    match result {
        Err(PortError::Missing(_)) => Ok(()),
        Err(PortError::Refused(refusal)) if refusal.status == 400 && names_no_credential(&refusal.message) => Ok(()),
        result => result,
    }
}

/// Whether `message` says that a key id is unknown.
fn names_no_credential(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["no password credential found", "no key credential found", "no credentials found"]
        .iter()
        .any(|text| message.starts_with(text))
}

/// Wire to model.
pub(super) fn entry(password: Password) -> SecretEntry {
    SecretEntry {
        key_id: password.key_id.to_ascii_lowercase().into(),
        display_name: password.display_name,
        hint: password.hint,
        start: start_or_always(password.start_date_time),
        end: end_or_never(password.end_date_time),
    }
}

/// Takes a text over as a secret without a copy that is not zeroed; an empty one is an error.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    struct Visitor;

    impl de::Visitor<'_> for Visitor {
        type Value = Secret;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the value of a client secret")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
            if text.is_empty() {
                return Err(E::custom("an empty value"));
            }
            Ok(Secret::new(text.as_bytes().to_vec()))
        }
    }

    deserializer.deserialize_str(Visitor)
}

#[cfg(test)]
mod tests {
    use crate::ports::Refusal;

    use super::*;

    #[test]
    fn an_answer_without_a_value_is_unreadable() {
        for value in [r#""secretText":null"#, r#""secretText":"""#, r#""other":1"#, r#""secretText":5"#] {
            assert!(serde_json::from_str::<Added>(&format!(r#"{{"keyId":"k",{value}}}"#)).is_err(), "{value}");
        }
        let added: Added = serde_json::from_str(r#"{"keyId":"k","secretText":"a\"~b"}"#).unwrap();
        assert_eq!(added.secret_text.expose(), b"a\"~b");
    }

    #[test]
    fn only_an_unknown_key_id_counts_as_removed() {
        let refused = |status, message: &str| {
            Err(PortError::Refused(Refusal { status, message: message.into(), ..Refusal::default() }))
        };
        assert!(gone_is_removed(Err(PortError::Missing(Refusal::default()))).is_ok());
        assert!(gone_is_removed(refused(400, "No password credential found with keyId 'x'.")).is_ok());
        assert!(gone_is_removed(refused(400, "No password for you: no password credential found")).is_err());
        assert!(gone_is_removed(refused(405, "No password credential found with keyId 'x'.")).is_err());
        assert!(gone_is_removed(Err(PortError::Conflict(Refusal::default()))).is_err());
    }
}

//! Every credential of an application, as people and evidence name it: whose, until when, last used. Never a value.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::Adoption;
use crate::model::AppObserved;
use crate::model::CredentialStatus;
use crate::model::KeyId;
use crate::model::OwnCredential;
use crate::ports::SignInActivity;

/// One credential.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// `keyId`.
    pub key_id: KeyId,
    /// `secret` or `certificate`.
    pub kind: &'static str,
    /// `displayName`.
    pub name: Option<String>,
    /// First characters of a secret, as Graph shows them.
    pub hint: Option<String>,
    /// SHA-1 of a certificate.
    pub thumbprint: Option<String>,
    /// Start of validity.
    pub start: Timestamp,
    /// End of validity.
    pub end: Timestamp,
    /// `everkey`, `adopted` or `other`.
    pub owner: &'static str,
    /// Whose, in words.
    pub whose: String,
    /// Last sign-in with it, where the report knows one.
    pub last_used: Option<Timestamp>,
}

/// All of `app`; `usage` is the sign-in report, where it could be read.
pub fn ring(
    app: &AppObserved,
    own: &[OwnCredential],
    adopted: &[Adoption],
    usage: Option<&[SignInActivity]>,
) -> Vec<Entry> {
    let whose = |key_id: &KeyId| {
        let own = own.iter().find(|own| own.key_id == *key_id && own.status != CredentialStatus::Retired);
        let adopted = adopted.iter().find(|adoption| adoption.key_id == *key_id);
        match (own, adopted) {
            (Some(own), _) => ("everkey", format!("everkey's own, {} ({})", own.integration, own.slot)),
            (None, Some(adoption)) => ("adopted", format!("adopted by {}", adoption.by)),
            (None, None) => ("other", "not ours".to_owned()),
        }
    };
    let last_used =
        |key_id: &KeyId| usage.and_then(|lines| lines.iter().find(|line| line.key_id == *key_id)).map(|line| line.last);
    let secrets = app.secrets.iter().map(|entry| {
        let (owner, whose) = whose(&entry.key_id);
        Entry {
            key_id: entry.key_id.clone(),
            kind: "secret",
            name: entry.display_name.clone(),
            hint: entry.hint.clone(),
            thumbprint: None,
            start: entry.start,
            end: entry.end,
            owner,
            whose,
            last_used: last_used(&entry.key_id),
        }
    });
    let certificates = app.certificates.iter().map(|entry| {
        let (owner, whose) = whose(&entry.key_id);
        Entry {
            key_id: entry.key_id.clone(),
            kind: "certificate",
            name: entry.display_name.clone(),
            hint: None,
            thumbprint: entry.thumbprint.as_ref().map(ToString::to_string),
            start: entry.start,
            end: entry.end,
            owner,
            whose,
            last_used: last_used(&entry.key_id),
        }
    });
    secrets.chain(certificates).collect()
}

//! Whether a presented credential signs an application in: the token endpoint's view of the directory,
//! which lags behind the directory itself by `token_lag` in both directions.

use jiff::SignedDuration;
use jiff::Timestamp;
use uuid::Uuid;

use super::Credentials;
use super::Directory;
use super::FederatedCredential;
use super::KeyCredential;
use super::PasswordCredential;

/// A credential as presented to the token endpoint.
#[derive(Clone, Copy, Debug)]
pub enum Presented<'a> {
    /// A client secret's value.
    Secret(&'a str),
    /// SHA-1 thumbprint of the certificate that signed an assertion.
    Sha1(&'a [u8]),
    /// SHA-256 thumbprint of the certificate that signed an assertion.
    Sha256(&'a [u8]),
}

/// What the token endpoint thinks of a presented credential.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// A certificate, alive; the caller still has to check the signature with it.
    Certificate(KeyCredential),
    /// It existed and is past its end (or, for a certificate, before its start).
    Expired {
        /// Its end.
        end: Timestamp,
        /// Its start.
        start: Timestamp,
    },
    /// Another issuer's token, which a federated credential lets in.
    Federated(FederatedCredential),
    /// A client secret, alive.
    Secret(PasswordCredential),
    /// Never seen, removed, or not yet replicated.
    Unknown,
}

impl Directory {
    /// Judges a credential presented for the application with this client id. Credentials of its service
    /// principal count too.
    pub fn judge(&self, app_id: Uuid, presented: Presented<'_>, lag: SignedDuration, now: Timestamp) -> Verdict {
        let application = self.application_by_app_id(app_id).map(|application| &application.credentials);
        let principal = self.principal_by_app_id(app_id).map(|principal| &principal.credentials);
        let mut expired = None;
        for credentials in application.into_iter().chain(principal) {
            match judge_one(credentials, presented, lag, now) {
                Verdict::Unknown => {}
                verdict @ Verdict::Expired { .. } => expired = Some(verdict),
                alive => return alive,
            }
        }
        expired.unwrap_or(Verdict::Unknown)
    }
}

fn judge_one(credentials: &Credentials, presented: Presented<'_>, lag: SignedDuration, now: Timestamp) -> Verdict {
    // What the endpoint sees: entries at least `lag` old, and those removed less than `lag` ago.
    let seen = |added: Timestamp| now.duration_since(added) >= lag;
    let still_seen = |at: Timestamp| now.duration_since(at) < lag;
    if let Presented::Secret(value) = presented {
        let lingering = credentials.removed_passwords.iter().filter(|removed| still_seen(removed.at));
        let mut visible = credentials.passwords.iter().chain(lingering.map(|removed| &removed.credential));
        let Some(found) = visible.find(|password| seen(password.added) && password.is(value)) else {
            return Verdict::Unknown;
        };
        return match found {
            password if now < password.start => Verdict::Unknown,
            password if now >= password.end => Verdict::Expired { end: password.end, start: password.start },
            password => Verdict::Secret(password.clone()),
        };
    }
    let matches = |key: &KeyCredential| match presented {
        Presented::Secret(_) => false,
        Presented::Sha1(thumbprint) => key.sha1 == thumbprint,
        Presented::Sha256(thumbprint) => key.sha256 == thumbprint,
    };
    let lingering = credentials.removed_keys.iter().filter(|removed| still_seen(removed.at));
    let visible = credentials.keys.iter().chain(lingering.map(|removed| &removed.credential));
    let mut found: Vec<_> = visible.filter(|key| seen(key.added) && matches(key)).collect();
    // The same certificate may be registered twice; the entry that is alive wins.
    found.sort_by_key(|key| !key.is_valid_at(now));
    match found.first() {
        Some(key) if key.is_valid_at(now) => Verdict::Certificate((*key).clone()),
        Some(key) => Verdict::Expired { end: key.end, start: key.start },
        None => Verdict::Unknown,
    }
}

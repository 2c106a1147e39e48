//! When each credential last signed in: what the beta report appCredentialSignInActivities shows
//! (entra-contract 5b).

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use super::Directory;
use super::Verdict;

/// The last sign-in with one credential.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignIn {
    /// Client id of the app.
    pub app_id: Uuid,
    /// Object id of the application.
    pub app_object_id: Uuid,
    /// When the credential began.
    pub created: Timestamp,
    /// When the credential ends.
    pub expires: Timestamp,
    /// The credential.
    pub key_id: Uuid,
    /// `clientSecret` or `certificate`.
    pub key_type: String,
    /// `sign` or `verify`.
    pub key_usage: String,
    /// When it was used before that, oldest first: as far back as the report may lag.
    #[serde(default)]
    pub earlier: Vec<Use>,
    /// When it was last used.
    pub last: Timestamp,
    /// The token endpoint's request id of that use.
    pub request_id: Uuid,
    /// Where the credential is registered: `application` or `servicePrincipal`.
    pub origin: String,
    /// Service principal id of the resource the token was for.
    pub resource_id: Option<Uuid>,
    /// Object id of the service principal that signed in.
    pub service_principal_id: Uuid,
}

/// One use of a credential.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Use {
    /// When.
    pub at: Timestamp,
    /// The token endpoint's request id.
    pub request_id: Uuid,
}

/// How far back uses are remembered, and how far apart; no lag seen in the field is longer.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(72);
const APART: SignedDuration = SignedDuration::from_mins(10);

impl SignIn {
    /// The last use at `instant` or before.
    pub fn last_until(&self, instant: Timestamp) -> Option<Use> {
        let last = Use { at: self.last, request_id: self.request_id };
        std::iter::once(&last).chain(self.earlier.iter().rev()).find(|one| one.at <= instant).cloned()
    }

    /// The uses to remember beside a new one at `now`.
    fn remembered(self, now: Timestamp) -> Vec<Use> {
        let mut uses = self.earlier;
        if uses.last().is_none_or(|last| self.last.duration_since(last.at) >= APART) {
            uses.push(Use { at: self.last, request_id: self.request_id });
        }
        // The newest of those that are too old still is the last one known then.
        let old = uses.iter().filter(|one| now.duration_since(one.at) > REMEMBERED).count();
        uses.drain(..old.saturating_sub(1));
        uses
    }
}

impl Directory {
    /// Records a sign-in with a credential that was found good.
    pub fn record_sign_in(
        &mut self,
        app_id: Uuid,
        used: &Verdict,
        resource_id: Option<Uuid>,
        request_id: Uuid,
        now: Timestamp,
    ) {
        let (key_id, key_type, key_usage, created, expires) = match used {
            Verdict::Certificate(key) => (key.key_id, "certificate", "verify", key.start, key.end),
            Verdict::Secret(password) => (password.key_id, "clientSecret", "verify", password.start, password.end),
            // The report is about keys; a federated sign-in has none.
            Verdict::Expired { .. } | Verdict::Federated(_) | Verdict::Unknown => return,
        };
        let app_object_id = self.application_by_app_id(app_id).map_or(Uuid::nil(), |app| app.id);
        let Some(principal) = self.principal_by_app_id(app_id) else { return };
        let service_principal_id = principal.id;
        let own = &principal.credentials;
        let of_principal = own.keys.iter().map(|key| key.key_id).chain(own.passwords.iter().map(|one| one.key_id));
        let origin = if of_principal.into_iter().any(|id| id == key_id) { "servicePrincipal" } else { "application" };
        let earlier = self.sign_ins.remove(&key_id).map(|one| one.remembered(now)).unwrap_or_default();
        self.sign_ins.insert(
            key_id,
            SignIn {
                app_id,
                app_object_id,
                created,
                expires,
                key_id,
                key_type: key_type.to_owned(),
                key_usage: key_usage.to_owned(),
                earlier,
                last: now,
                origin: origin.to_owned(),
                request_id,
                resource_id,
                service_principal_id,
            },
        );
    }

    /// The last sign-in of every credential that ever signed in.
    pub fn sign_ins(&self) -> impl Iterator<Item = &SignIn> {
        self.sign_ins.values()
    }
}

//! Service principals: find, create, tag, enable (`entra-contract.md` 5.1).

use serde_json::json;

use crate::http::retry::Action;
use crate::http::retry::Safety;
use crate::http::retry::action;
use crate::model::CertificateEntry;
use crate::model::ClientId;
use crate::model::ObjectId;
use crate::model::PrincipalObserved;
use crate::ports::PortError;

use super::Graph;
use super::call::Write;
use super::odata::by_id;
use super::odata::by_key;
use super::wire::Principal;

impl Graph {
    /// See [`crate::ports::Directory::principal`]. Without `$select`, as with applications: its credentials are wanted,
    /// and naming them there is what Graph limits.
    pub(super) async fn find_principal(&self, client_id: &ClientId) -> Result<Option<PrincipalObserved>, PortError> {
        let path = by_key("servicePrincipals", "appId", client_id.as_str());
        Ok(self.find(&path, &[]).await?.map(observed))
    }

    /// See [`crate::ports::Directory::create_principal`].
    ///
    /// Tried again while Graph does not yet see the application: an application has one service principal at most,
    /// so repeating cannot make two.
    pub(super) async fn make_principal(&self, client_id: &ClientId) -> Result<PrincipalObserved, PortError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_make_principal(client_id).await {
                Err(error) if not_yet_replicated(&error) => self.await_replication(tries, error).await?,
                result => return result,
            }
        }
    }

    async fn try_make_principal(&self, client_id: &ClientId) -> Result<PrincipalObserved, PortError> {
        let body = json!({ "appId": client_id.as_str() });
        match self.write(Write::post("/v1.0/servicePrincipals".into(), &body)).await {
            Ok(reply) => reply.json().map(observed),
            // It exists; when the read does not show it yet, the conflict stands.
            Err(PortError::Conflict(refusal)) => {
                self.find_principal(client_id).await?.ok_or(PortError::Conflict(refusal))
            }
            Err(error) => Err(error),
        }
    }

    /// See [`crate::ports::Directory::set_principal_tags`].
    pub(super) async fn replace_tags(&self, principal: &ObjectId, tags: &[String]) -> Result<(), PortError> {
        let body = json!({ "tags": tags });
        self.write(Write::patch(by_id("servicePrincipals", principal.as_str(), ""), &body)).await.map(drop)
    }

    /// See [`crate::ports::Directory::set_principal_enabled`].
    pub(super) async fn switch_principal(&self, principal: &ObjectId, enabled: bool) -> Result<(), PortError> {
        let body = json!({ "accountEnabled": enabled });
        self.write(Write::patch(by_id("servicePrincipals", principal.as_str(), ""), &body)).await.map(drop)
    }
}

/// The symptoms of an application that was made a moment ago (`entra-contract.md` 4.3 and 4.4).
fn not_yet_replicated(error: &PortError) -> bool {
    if action(Safety::Same, error) != Action::AgainOnceReplicated {
        return false;
    }
    match error {
        PortError::Conflict(_) | PortError::Missing(_) => true,
        PortError::Denied(refusal) => refusal.code == "Authorization_RequestDenied",
        PortError::Refused(refusal) => {
            let message = refusal.message.to_ascii_lowercase();
            [
                " does not reference ",
                " does not exist ",
                "local tenant",
                "please try again",
                "could not find",
                "not found",
            ]
            .iter()
            .any(|symptom| message.contains(symptom))
        }
        PortError::Local(_)
        | PortError::Throttled { .. }
        | PortError::Unreachable { .. }
        | PortError::Unsure { .. } => false,
    }
}

/// Wire to model.
fn observed(principal: Principal) -> PrincipalObserved {
    PrincipalObserved {
        object_id: principal.id.to_ascii_lowercase().into(),
        // Graph leaves it out only where it does not apply; a disabled one says so.
        enabled: principal.account_enabled.unwrap_or(true),
        tags: principal.tags,
        secrets: principal.password_credentials.map(|all| all.into_iter().map(super::passwords::entry).collect()),
        certificates: principal
            .key_credentials
            .map(|all| all.into_iter().map(|key| CertificateEntry { key: None, ..super::keys::entry(key) }).collect()),
    }
}

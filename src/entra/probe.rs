//! Sign-ins as a managed application, and the proofs signed with its key.

use async_trait::async_trait;

use crate::model::AppRef;
use crate::model::ObjectId;
use crate::model::TokenClaims;
use crate::ports::PortError;
use crate::ports::Probe;
use crate::ports::SignIn;
use crate::ports::TokenEndpoint;
use crate::secret::Secret;

use super::Credential;
use super::Entra;
use super::answer::Answer;
use super::answer::Fault;
use super::claims::claims;
use super::signer;

#[async_trait]
impl TokenEndpoint for Entra {
    /// # Errors
    /// [`PortError::Refused`] with the AADSTS code for a no that says nothing about the credential (unknown tenant,
    /// assertion outside its validity); `Throttled`, `Unreachable`, `Unsure` without an answer;
    /// [`PortError::Local`] when the key cannot sign.
    async fn probe(&self, app: &AppRef, sign_in: SignIn<'_>) -> Result<Probe, PortError> {
        Ok(self.describe(app, sign_in).await?.0)
    }

    /// # Errors
    /// As [`TokenEndpoint::probe`].
    async fn describe(&self, app: &AppRef, sign_in: SignIn<'_>) -> Result<(Probe, Option<TokenClaims>), PortError> {
        let credential = match sign_in {
            SignIn::Certificate { key, certificate } => Credential::Certificate { key, certificate },
            SignIn::ClientSecret(secret) => Credential::ClientSecret(secret),
        };
        let reply = self.request(&app.client_id, credential).await?;
        let request_id = reply.request_id.clone();
        match Answer::read(reply)? {
            Answer::No(fault) => Ok((judge(fault, request_id)?, None)),
            Answer::Token(token) => {
                let claims = claims(&token.access_token);
                Ok((Probe::Accepted { request_id, roles: claims.roles.clone() }, Some(claims)))
            }
        }
    }

    fn proof(&self, app: &ObjectId, key: &Secret, certificate: &[u8]) -> Result<Secret, PortError> {
        signer::proof(app, key, certificate, self.clock.now())
    }
}

/// What Entra's no says about the credential (`rotation.md`, "What a probe's answer means").
fn judge(fault: Fault, request_id: Option<String>) -> Result<Probe, PortError> {
    let (code, message) = (fault.code(), fault.message.clone());
    match fault.number {
        // Secret unknown or expired, key unknown or expired, application or service principal not there: for a
        // credential made a moment ago each of them may just be replication.
        Some(7_000_215 | 7_000_222 | 700_027 | 700_016 | 7_000_229) => Ok(Probe::NotYet { code, message, request_id }),
        // Conditional Access for workload identities; service principal disabled.
        Some(53_003 | 7_000_112) => Ok(Probe::Inconclusive { code, message }),
        _ => Err(PortError::Refused(fault.into_refusal())),
    }
}

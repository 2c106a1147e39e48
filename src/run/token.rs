//! One sign-in with an integration's current credential, to see what it may do. It is journalled like every own sign-in:
//! the sign-in report must not take it for the consumer's.

use crate::error::Class;
use crate::error::Error;
use crate::model::ConfirmMethod;
use crate::model::CredentialStatus;
use crate::model::IntegrationName;
use crate::model::OwnCredential;
use crate::model::SlotName;
use crate::model::State;
use crate::model::TokenClaims;
use crate::ports::Probe;
use crate::ports::SignIn;
use crate::ports::StoreError;
use crate::run::engine::Engine;
use crate::run::provision::entry;
use crate::run::seals;
use crate::run::setup::RunError;

/// What a sign-in with one credential showed.
#[derive(Debug)]
pub struct Described {
    /// The credential.
    pub credential: OwnCredential,
    /// What Entra answered.
    pub probe: Probe,
    /// What the token says, where there was one.
    pub claims: Option<TokenClaims>,
}

impl Engine {
    /// Signs in with the current credential of `integration`, of each slot or of `slot`. `forced` also while a
    /// rotation watches who signs in.
    ///
    /// # Errors
    /// `U040` when there is none, `U041` when everkey no longer holds it, `U042` while a rotation watches; the token
    /// endpoint's own.
    pub async fn describe(
        &self,
        integration: &IntegrationName,
        slot: Option<&SlotName>,
        forced: bool,
    ) -> Result<Vec<Described>, RunError> {
        let mut current = self.ports.store.credentials(Some(integration)).await?;
        current.retain(|one| one.status == CredentialStatus::Current && slot.is_none_or(|slot| one.slot == *slot));
        // Before the first one is confirmed there is only the new one.
        if current.is_empty() {
            current = self.ports.store.credentials(Some(integration)).await?;
            current.retain(|one| one.status == CredentialStatus::Fresh && slot.is_none_or(|slot| one.slot == *slot));
        }
        if current.is_empty() {
            return Err(Error::new(Class::Failed, "U040", format!("everkey has no credential of {integration}"))
                .why("it signs in only with what it made itself")
                .help(format!("see where it stands: everkey status; make one: everkey apply --only {integration}"))
                .into());
        }
        if !forced {
            self.refuse_while_watching(integration, &current).await?;
        }
        let mut described = Vec::new();
        for credential in current {
            described.push(self.describe_one(credential).await?);
        }
        Ok(described)
    }

    /// `rotation.md`: after delivery everkey signs in no more where the report, or the quiet of an old key, is
    /// evidence.
    async fn refuse_while_watching(
        &self,
        integration: &IntegrationName,
        current: &[OwnCredential],
    ) -> Result<(), RunError> {
        let unfinished = self.ports.store.unfinished().await?;
        let watches = unfinished.iter().any(|r| {
            r.integration == *integration
                && current.iter().any(|one| one.slot == r.spec.slot)
                && matches!(r.state, State::Delivered | State::Confirmed | State::RetireIntent)
                && (r.spec.confirm.method == ConfirmMethod::SignInReport || !r.old.is_empty())
        });
        if !watches {
            return Ok(());
        }
        Err(Error::new(Class::Failed, "U042", format!("a rotation of {integration} watches who signs in"))
            .why("a sign-in by everkey would blur what the sign-in report shows of the consumer")
            .help("wait until it is finished (everkey status), or sign in all the same: --force")
            .into())
    }

    async fn describe_one(&self, credential: OwnCredential) -> Result<Described, RunError> {
        let column = if credential.certificate.is_some() { seals::PRIVATE_KEY } else { seals::SECRET };
        let value = match seals::find(&credential.seals, column) {
            Some(id) => self.ports.store.unseal(id, &credential.app).await,
            None => return Err(handed_over(&credential, "it was never sealed here").into()),
        };
        let value = value.map_err(|error| match error {
            StoreError::Failed(why) => RunError::Said(handed_over(&credential, &why)),
            error => error.into(),
        })?;
        // On record before it is made: one whose answer is lost, or that a crash cuts off, is ours all the same.
        let mut commit = self.blank();
        commit.sign_ins.push((credential.key_id.clone(), self.signed_in(), None));
        self.ports.store.commit(self.fence, commit).await?;
        self.ready().await?;
        let sign_in = match &credential.certificate {
            Some(certificate) => SignIn::Certificate { key: &value, certificate },
            None => SignIn::ClientSecret(&value),
        };
        let answer = self.ports.tokens.describe(&credential.app, sign_in).await;
        let (probe, claims) = answer.map_err(RunError::port("sign in with the current credential"))?;
        let mut commit = self.blank();
        if let Probe::Accepted { request_id, .. } = &probe {
            commit.sign_ins.push((credential.key_id.clone(), self.signed_in(), request_id.clone()));
        }
        let text = format!("token asked for with {} {}: {}", credential.word, credential.key_id, outcome(&probe));
        commit.entries.push(entry(&credential.integration, "token", &text));
        self.ports.store.commit(self.fence, commit).await?;
        Ok(Described { credential, probe, claims })
    }
}

fn outcome(probe: &Probe) -> String {
    match probe {
        Probe::Accepted { .. } => "issued".to_owned(),
        Probe::NotYet { code, .. } | Probe::Inconclusive { code, .. } => format!("refused, {code}"),
    }
}

fn handed_over(credential: &OwnCredential, why: &str) -> Error {
    let what = format!("everkey does not hold the {} of {} any more", credential.word, credential.integration);
    Error::new(Class::Failed, "U041", what)
        .why(why)
        .help("whoever has it can try it; everkey keeps what it handed over only until that is confirmed")
}

//! One arm per action: reach outside, then commit what came of it. Each returns when to go on, or `None` for
//! at once.

use jiff::Timestamp;

use crate::model::CredentialKind;
use crate::model::CredentialStatus;
use crate::model::Event;
use crate::model::Fresh;
use crate::model::KeepPrivateKey;
use crate::model::KeyId;
use crate::model::OwnCredential;
use crate::model::Rotation;
use crate::ports::Commit;
use crate::rotation::Action;
use crate::run::engine::Engine;
use crate::run::seals;
use crate::run::setup::RunError;

/// When to go on; `None` is at once.
pub(super) type Acted = Result<Option<Timestamp>, RunError>;

impl Engine {
    /// Does `action`.
    pub(super) async fn act(&self, r: &Rotation, action: &Action) -> Acted {
        match action {
            Action::AddPassword => self.add_password(r).await,
            Action::AskReport => self.ask_report(r).await,
            Action::CheckDropped => self.check_dropped(r).await,
            Action::CheckUpload => self.check_upload(r).await,
            Action::Deliver(sink) => self.deliver(r, sink).await,
            Action::DisableSignIn => self.disable_sign_in(r).await,
            Action::LookAgain => self.look_again(r).await,
            Action::MakeCertificate => self.make_certificate(r).await,
            Action::MakeKey => self.make_key(r).await,
            Action::MakeRequest => self.make_request(r).await,
            Action::PassGuard => self.pass_guard(r).await,
            Action::Preflight => self.preflight(r).await,
            Action::Probe => self.probe(r).await,
            Action::ProbeOld(key_id) => self.probe_old(r, key_id).await,
            Action::ProbeDelivered => self.probe_delivered(r).await,
            Action::Remove(key_id) => self.remove(r, key_id).await,
            Action::Upload => self.upload(r).await,
        }
    }

    /// What is written in the same transaction as `event`.
    pub(super) async fn beside(&self, r: &Rotation, event: &Event) -> Result<Commit, RunError> {
        let mut commit = self.blank();
        match event {
            Event::Abandoned => {
                if let Some(fresh) = &r.fresh {
                    commit.destroy.extend(fresh.seals.iter().cloned());
                    commit.credentials.extend(self.own(r, &fresh.key_id, CredentialStatus::Abandoned).await?);
                }
            }
            Event::Confirmed | Event::Superseded => {
                commit.credentials = self.turn_over(r).await?;
                // Not at the delivery itself: until there is evidence, a sink may drift and a sign-in may need it.
                if matches!(event, Event::Confirmed)
                    && r.spec.keep_private_key == KeepPrivateKey::UntilDelivered
                    && let Some(key) = r.fresh.as_ref().and_then(|f| seals::find(&f.seals, seals::PRIVATE_KEY))
                {
                    commit.destroy.push(key.clone());
                }
                // A secret that only people carry is not kept once they have it.
                let carried = r.spec.sinks.iter().all(|sink| sink.handoff().is_some());
                if matches!(event, Event::Confirmed) && carried && r.spec.kind == CredentialKind::ClientSecret {
                    commit.destroy.extend(r.fresh.iter().flat_map(|fresh| fresh.seals.iter().cloned()));
                }
            }
            Event::Finished => {
                for removal in &r.removals {
                    for own in self.own(r, &removal.key_id, CredentialStatus::Retired).await? {
                        commit.destroy.extend(own.seals.iter().cloned());
                        commit.credentials.push(own);
                    }
                }
            }
            _ => {}
        }
        Ok(commit)
    }

    /// The new credential becomes current, what it replaces becomes old.
    pub(super) async fn turn_over(&self, r: &Rotation) -> Result<Vec<OwnCredential>, RunError> {
        let mut turned = Vec::new();
        for old in &r.old {
            turned.extend(self.own(r, &old.key_id, CredentialStatus::Old).await?);
        }
        if let Some(fresh) = &r.fresh {
            turned.extend(self.own(r, &fresh.key_id, CredentialStatus::Current).await?);
        }
        Ok(turned)
    }

    /// The journal's record of an own credential of this integration, with another status; empty when it is
    /// not ours, and a retired one stays retired.
    pub(super) async fn own(
        &self,
        r: &Rotation,
        key_id: &KeyId,
        status: CredentialStatus,
    ) -> Result<Vec<OwnCredential>, RunError> {
        let own = self.ports.store.credentials(Some(&r.integration)).await?;
        Ok(own
            .into_iter()
            .filter(|own| own.key_id == *key_id && own.status != CredentialStatus::Retired)
            .map(|own| OwnCredential { status, ..own })
            .collect())
    }
}

/// The journal's record of a credential just made.
pub(super) fn own_credential(r: &Rotation, fresh: &Fresh, status: CredentialStatus) -> OwnCredential {
    OwnCredential {
        key_id: fresh.key_id.clone(),
        integration: r.integration.clone(),
        slot: r.spec.slot.clone(),
        app: r.app.clone(),
        rotation: r.id,
        attempt: fresh.attempt,
        word: r.spec.kind.word().to_owned(),
        hint: fresh.hint.clone(),
        thumbprint: fresh.thumbprint.clone(),
        certificate: fresh.certificate.clone(),
        start: fresh.start,
        end: fresh.end,
        status,
        seals: fresh.seals.clone(),
    }
}

//! Stage: preflight, then the client secret is added, or the private key of a certificate is made.

use std::sync::Arc;

use crate::model::CredentialKind;
use crate::model::CredentialStatus;
use crate::model::Event;
use crate::model::Fresh;
use crate::model::Problem;
use crate::model::Rotation;
use crate::ports::PortError;
use crate::ports::SealItem;
use crate::rotation::Mutation;
use crate::rotation::tag;
use crate::run::act::Acted;
use crate::run::act::own_credential;
use crate::run::engine::Engine;
use crate::run::explain;
use crate::run::places;
use crate::run::seals;
use crate::run::setup::RunError;

impl Engine {
    pub(super) async fn preflight(&self, r: &Rotation) -> Acted {
        self.ready().await?;
        self.ports.store.preflight(self.fence).await?;
        for sink in r.spec.sinks.iter().filter(|sink| sink.handoff().is_none()) {
            let sink = self.present(r, sink);
            let checked = match self.opened(r, &sink) {
                Ok(opened) => opened.preflight().await,
                Err(error) => Err(error),
            };
            if let Err(error) = checked {
                let what = format!("prepare {}", sink.id);
                let passes = places::passes(&error, &sink);
                return self.fail(r, places::problem(&error, &sink, &what), !passes).await;
            }
        }
        if let Some(error) = self.refused_beforehand(r).await {
            return self.fail(r, explain::recorded(error), true).await;
        }
        if r.capped && r.emergency.is_some() && self.slots_taken(r).await? {
            let problem = Problem {
                code: "R083".into(),
                summary: "both client secrets that this kind of application may have are taken: no new one fits".into(),
                fix: Some(format!(
                    "accept that its consumers stop until they have the new one: everkey revoke {} --emergency --now",
                    r.integration
                )),
                request_id: None,
            };
            return self.fail(r, problem, true).await;
        }
        if r.capped && self.slots_taken(r).await? {
            let problem = Problem {
                code: "R020".into(),
                summary: "both client secrets that this kind of application may have are taken".into(),
                fix: Some("remove the one that nobody uses; everkey removes only what it made".into()),
                request_id: None,
            };
            return self.fail(r, problem, true).await;
        }
        self.commit(r, &Event::PreflightPassed, self.blank()).await?;
        Ok(None)
    }

    pub(super) async fn slots_taken(&self, r: &Rotation) -> Result<bool, RunError> {
        self.ready().await?;
        match self.ports.directory.application(&r.app.object_id).await {
            Ok(read) => Ok(read.value.secrets.len() >= crate::rotation::numbers::CAPPED_SLOTS),
            // Graph will say so itself, and refuse.
            Err(_) => Ok(false),
        }
    }

    /// S1. The intent is committed; the call is made once, and never again for this attempt.
    pub(super) async fn add_password(&self, r: &Rotation) -> Acted {
        let Some(attempt) = r.attempt().cloned() else { return Ok(None) };
        self.fenced().await?;
        let name = tag::display_name(&r.spec.description, &attempt.tag);
        let answer = self.ports.directory.add_password(&r.app.object_id, &name, attempt.start, attempt.end).await;
        match answer {
            Ok(added) => {
                let seal = seals::id(r.id, attempt.number, seals::SECRET);
                let fresh = Fresh {
                    attempt: attempt.number,
                    key_id: added.entry.key_id.clone(),
                    hint: Some(added.value.hint()),
                    thumbprint: None,
                    certificate: None,
                    start: added.entry.start,
                    end: added.entry.end,
                    seals: vec![seal.clone()],
                };
                if self.options.rules.breaks(Mutation::DeliverBeforePersist) {
                    self.deliver_unsaved(r, &fresh, &added.value).await;
                }
                let mut commit = self.blank();
                commit.credentials.push(own_credential(r, &fresh, CredentialStatus::Fresh));
                commit.seal.push(SealItem { id: seal, app: r.app.clone(), value: added.value });
                self.commit(r, &Event::Attached { fresh }, commit).await?;
                Ok(None)
            }
            Err(PortError::Unsure { .. }) => {
                self.commit(r, &Event::AttemptUnknown, self.blank()).await?;
                Ok(None)
            }
            Err(error) => {
                let r = self.commit(r, &Event::AttemptRefused, self.blank()).await?;
                let blocked = matches!(error, PortError::Refused(_) | PortError::Denied(_));
                self.fail(&r, explain::problem(&error, "add a client secret"), blocked).await
            }
        }
    }

    /// C1.
    pub(super) async fn make_key(&self, r: &Rotation) -> Acted {
        let CredentialKind::Certificate(spec) = &r.spec.kind else { return Ok(None) };
        let Some(attempt) = r.attempt() else { return Ok(None) };
        let (certs, kind) = (Arc::clone(&self.ports.certs), spec.key);
        let made = tokio::task::spawn_blocking(move || certs.generate_key(kind)).await;
        let key = match made {
            Ok(Ok(key)) => key,
            Ok(Err(error)) => return self.fail(r, explain::problem(&error, "make a private key"), false).await,
            Err(error) => {
                let error = PortError::Local(error.to_string());
                return self.fail(r, explain::problem(&error, "make a private key"), false).await;
            }
        };
        let id = seals::id(r.id, attempt.number, seals::PRIVATE_KEY);
        let mut commit = self.blank();
        let mut sealed = vec![id.clone()];
        commit.seal.push(SealItem { id, app: r.app.clone(), value: key });
        if seals::wants_generated_password(r) {
            let id = seals::id(r.id, attempt.number, seals::PFX_PASSWORD);
            let value = match self.ports.certs.generate_password() {
                Ok(value) => value,
                Err(error) => return self.fail(r, explain::problem(&error, "make a password"), false).await,
            };
            sealed.push(id.clone());
            commit.seal.push(SealItem { id, app: r.app.clone(), value });
        }
        self.commit(r, &Event::KeySealed { seals: sealed }, commit).await?;
        Ok(None)
    }
}

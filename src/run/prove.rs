//! Prove: fresh sign-ins with the new credential, and with what the sinks hold.

use crate::model::Event;
use crate::model::Fresh;
use crate::model::Problem;
use crate::model::Rotation;
use crate::ports::PortError;
use crate::ports::Probe;
use crate::ports::SignIn;
use crate::ports::StoreError;
use crate::run::act::Acted;
use crate::run::engine::Engine;
use crate::run::explain;
use crate::run::seals;
use crate::run::setup::RunError;

impl Engine {
    /// One fresh sign-in with the new credential.
    pub(super) async fn probe(&self, r: &Rotation) -> Acted {
        let Some(fresh) = &r.fresh else { return Ok(None) };
        let answer = match self.sign_in_kept(r, fresh).await? {
            Ok(answer) => answer,
            Err(error) => {
                return self.fail(r, explain::problem(&error, "sign in with the new credential"), false).await;
            }
        };
        let mut commit = self.blank();
        let event = match answer {
            Probe::Accepted { request_id, .. } => {
                commit.sign_ins.push((fresh.key_id.clone(), self.signed_in(), request_id.clone()));
                Event::ProbeAccepted { request_id }
            }
            Probe::NotYet { code, .. } => Event::ProbeRefused { code, listed: self.is_listed(r, fresh).await? },
            Probe::Inconclusive { code, message } => {
                let problem = Problem {
                    code: "A020".into(),
                    summary: format!("sign-in with the new credential is blocked ({code}): {message}"),
                    fix: Some(self.unblock(r).await?),
                    request_id: None,
                };
                let r = self.commit(r, &Event::ProbeInconclusive { code }, commit).await?;
                return self.fail(&r, problem, true).await;
            }
        };
        self.commit(r, &event, commit).await?;
        Ok(None)
    }

    /// The same, where a value that is no longer kept stops this rotation only; a store that fails refuses the commit of
    /// that as well.
    async fn sign_in_kept(&self, r: &Rotation, fresh: &Fresh) -> Result<Result<Probe, PortError>, RunError> {
        match self.sign_in(r, fresh).await {
            Err(RunError::Store(error)) if !matches!(error, StoreError::Fenced) => {
                Ok(Err(PortError::Local(error.to_string())))
            }
            answer => answer,
        }
    }

    pub(super) async fn sign_in(&self, r: &Rotation, fresh: &Fresh) -> Result<Result<Probe, PortError>, RunError> {
        // What it is decides, and never what the slot holds now.
        let column = if fresh.certificate.is_some() { seals::PRIVATE_KEY } else { seals::SECRET };
        let Some(id) = seals::find(&fresh.seals, column) else {
            return Ok(Err(PortError::Local(format!("no sealed {column}"))));
        };
        let value = self.ports.store.unseal(id, &r.app).await?;
        self.ready().await?;
        let sign_in = match &fresh.certificate {
            Some(certificate) => SignIn::Certificate { key: &value, certificate },
            None => SignIn::ClientSecret(&value),
        };
        let answer = self.ports.tokens.probe(&r.app, sign_in).await;
        Ok(match answer {
            // A code nobody knows is treated as "not yet": the window ends it, and nothing depends on it.
            Err(PortError::Refused(refusal) | PortError::Denied(refusal)) => {
                Ok(Probe::NotYet { code: refusal.code, message: refusal.message, request_id: refusal.request_id })
            }
            other => other,
        })
    }

    pub(super) async fn is_listed(&self, r: &Rotation, fresh: &Fresh) -> Result<bool, RunError> {
        self.ready().await?;
        Ok(match self.ports.directory.application(&r.app.object_id).await {
            Ok(read) => {
                self.far.note(read.date);
                read.value.secrets.iter().any(|entry| entry.key_id == fresh.key_id)
                    || read.value.certificates.iter().any(|entry| {
                        entry.key_id == fresh.key_id
                            || (entry.thumbprint.is_some() && entry.thumbprint == fresh.thumbprint)
                    })
            }
            // Not known is not absent.
            Err(_) => true,
        })
    }

    /// S4 by `token-request`: what the sinks hold is what was proven, and it still works.
    pub(super) async fn probe_delivered(&self, r: &Rotation) -> Acted {
        let Some(fresh) = &r.fresh else { return Ok(None) };
        let read = match self.read_backs(r).await {
            Ok(read) => read,
            Err(problem) => return self.fail(r, problem, false).await,
        };
        if let Some((sink, _)) = read.iter().find(|(_, same)| !same) {
            self.commit(r, &Event::SinkDrifted { sink: sink.clone() }, self.blank()).await?;
            return Ok(None);
        }
        match self.sign_in_kept(r, fresh).await? {
            Ok(Probe::Accepted { request_id, .. }) => {
                let mut r = r.clone();
                for (sink, _) in read {
                    let mut commit = self.blank();
                    commit.sign_ins.push((fresh.key_id.clone(), self.signed_in(), request_id.clone()));
                    let confirmation = crate::model::Confirmation {
                        sink: Some(sink),
                        handoff: None,
                        at: self.later(),
                        evidence: "token with what the sink holds".into(),
                    };
                    r = self.commit(&r, &Event::EvidenceSeen { confirmation }, commit).await?;
                }
                Ok(None)
            }
            Ok(Probe::Inconclusive { code, message }) => {
                let problem = Problem {
                    code: "A020".into(),
                    summary: format!("sign-in with what was delivered is blocked ({code}): {message}"),
                    fix: Some(self.unblock(r).await?),
                    request_id: None,
                };
                self.fail(r, problem, false).await
            }
            Ok(Probe::NotYet { .. }) if !self.is_listed(r, fresh).await? => self.unlisted(r).await,
            Ok(Probe::NotYet { code, message, .. }) => {
                let problem = Problem {
                    code: "A021".into(),
                    summary: format!("what was delivered is not accepted ({code}): {message}"),
                    fix: Some("look at the application's credentials in Entra: was ours removed?".into()),
                    request_id: None,
                };
                self.fail(r, problem, false).await
            }
            Err(error) => self.fail(r, explain::problem(&error, "sign in with what was delivered"), false).await,
        }
    }
}

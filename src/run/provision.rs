//! Carries out the provisioning steps of a plan. Each is safe to repeat, and its result is journalled before
//! the next begins.

use crate::model::AppRef;
use crate::model::Entry;
use crate::model::IntegrationName;
use crate::model::IntegrationRecord;
use crate::model::PrincipalObserved;
use crate::plan::Change;
use crate::plan::ObservedIntegration;
use crate::plan::Step;
use crate::ports::Commit;
use crate::ports::PortError;
use crate::run::engine::Engine;
use crate::run::setup::RunError;

impl Engine {
    /// Carries out everything of `change` that is not a rotation; returns the application.
    pub(super) async fn provision(
        &self,
        change: &Change,
        observed: &ObservedIntegration,
    ) -> Result<Option<AppRef>, RunError> {
        let mut app = observed.record.as_ref().map(|record| record.app.clone());
        let mut principal = observed.principal.clone();
        for step in &change.steps {
            let done = match step {
                Step::CreateApplication { unique_name, spec } => {
                    self.ready().await?;
                    let made = self
                        .ports
                        .directory
                        .create_application(unique_name, spec)
                        .await
                        .map_err(RunError::port("create the application"))?;
                    let text = format!("application {:?} created, client id {}", spec.display_name, made.client_id);
                    // The record tells it in the history already.
                    self.record_app(&change.integration, &made, &text).await?;
                    self.progress.provisioned(change.integration.as_str(), &text);
                    app = Some(made);
                    continue;
                }
                Step::UpdateApplication { spec, missing } => {
                    let Some(seen) = &observed.app else { continue };
                    self.ready().await?;
                    self.ports
                        .directory
                        .update_application(seen, spec)
                        .await
                        .map_err(RunError::port("change the application"))?;
                    format!("application: {}", missing.join(", "))
                }
                Step::CreatePrincipal => {
                    let Some(app) = &app else { continue };
                    self.ready().await?;
                    let made = self
                        .ports
                        .directory
                        .create_principal(&app.client_id)
                        .await
                        .map_err(RunError::port("create the service principal"))?;
                    principal = Some(made);
                    "service principal created".to_owned()
                }
                Step::HideFromUsers => {
                    let Some(principal) = &principal else { continue };
                    self.hide(principal).await?;
                    "hidden from users".to_owned()
                }
                Step::Grant { permissions } => {
                    let Some(principal) = &principal else { continue };
                    self.ready().await?;
                    self.ports
                        .directory
                        .grant(&principal.object_id, permissions, &observed.grants)
                        .await
                        .map_err(RunError::port("grant the permissions"))?;
                    let names: Vec<&str> = permissions.iter().map(|p| p.name.as_str()).collect();
                    format!("{} granted", names.join(", "))
                }
                Step::Rotate { .. } => continue,
            };
            self.progress.provisioned(change.integration.as_str(), &done);
            self.note(&change.integration, "provision", &done).await?;
        }
        if let (Some(app), None) = (&app, &observed.app)
            && change.steps.iter().all(|step| !matches!(step, Step::CreateApplication { .. }))
        {
            self.record_app(&change.integration, app, "application found").await?;
        }
        Ok(app)
    }

    async fn hide(&self, principal: &PrincipalObserved) -> Result<(), RunError> {
        let mut tags = principal.tags.clone();
        tags.push("HideApp".to_owned());
        self.ready().await?;
        match self.ports.directory.set_principal_tags(&principal.object_id, &tags).await {
            // Not replicated yet: the next plan asks again.
            Ok(()) | Err(PortError::Missing(_)) => Ok(()),
            Err(error) => Err(RunError::port("hide the enterprise application")(error)),
        }
    }

    async fn record_app(&self, name: &IntegrationName, app: &AppRef, text: &str) -> Result<(), RunError> {
        let mut commit = Commit::new(self.now(), &self.actor);
        commit.integrations.push(IntegrationRecord { name: name.clone(), app: app.clone(), consented: None });
        commit.entries.push(entry(name, "provision", text));
        Ok(self.ports.store.commit(self.fence, commit).await?)
    }

    /// One line of history.
    pub(super) async fn note(&self, name: &IntegrationName, kind: &str, text: &str) -> Result<(), RunError> {
        let mut commit = Commit::new(self.now(), &self.actor);
        commit.entries.push(entry(name, kind, text));
        Ok(self.ports.store.commit(self.fence, commit).await?)
    }
}

/// A history entry without a body.
pub(crate) fn entry(name: &IntegrationName, kind: &str, text: &str) -> Entry {
    Entry {
        integration: Some(name.clone()),
        rotation: None,
        kind: kind.to_owned(),
        text: text.to_owned(),
        body: serde_json::Value::Null,
    }
}

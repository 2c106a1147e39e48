//! Carries out a plan: provisioning at once, rotations by writing them into the journal; the loop advances them.

use crate::model::Entry;
use crate::model::Rotation;
use crate::plan::Change;
use crate::plan::Observed;
use crate::plan::Plan;
use crate::plan::Step;
use crate::run::engine::Engine;
use crate::run::setup::RunError;
use crate::run::setup::Tick;

impl Engine {
    /// Provisions what `plan` lacks and records its rotations as planned.
    pub(super) async fn execute(&self, plan: &Plan, observed: &Observed, tick: &mut Tick) -> Result<(), RunError> {
        for change in &plan.changes {
            match self.execute_one(change, observed).await {
                Ok(()) => tick.changed.push(change.integration.clone()),
                Err(RunError::Said(error)) => self.set_aside(&change.integration, error, tick),
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    async fn execute_one(&self, change: &Change, observed: &Observed) -> Result<(), RunError> {
        let Some(seen) = observed.integrations.get(&change.integration) else { return Ok(()) };
        let Some(app) = self.provision(change, seen).await? else { return Ok(()) };
        for step in &change.steps {
            let Step::Rotate { spec, reason, old, capped, .. } = step else { continue };
            let id = self.ports.store.next_rotation(self.fence).await?;
            let reason = serde_json::to_value(reason).unwrap_or_default();
            let rotation = Rotation {
                capped: *capped,
                reason: reason.as_str().unwrap_or_default().to_owned(),
                old: old.clone(),
                ..Rotation::planned(
                    id,
                    change.integration.clone(),
                    change.title.clone(),
                    app.clone(),
                    (**spec).clone(),
                    self.now(),
                )
            };
            let mut commit = self.blank();
            commit.entries.push(Entry {
                integration: Some(rotation.integration.clone()),
                rotation: Some(id),
                kind: "rotation".into(),
                text: format!("planned: {}", rotation.reason),
                body: serde_json::json!({"by": {"os_user": self.options.os_user}}),
            });
            commit.rotation = Some(rotation);
            self.ports.store.commit(self.fence, commit).await?;
        }
        Ok(())
    }
}

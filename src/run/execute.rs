//! Carries out a plan: provisioning at once, rotations by writing them into the journal; the loop advances them.

use crate::error::Class;
use crate::error::Error;
use crate::model::Entry;
use crate::model::Rotation;
use crate::model::State;
use crate::plan::Change;
use crate::plan::Observed;
use crate::plan::Plan;
use crate::plan::Step;
use crate::rotation::Mutation;
use crate::rotation::numbers::BACKOFF_MAX;
use crate::run::engine::Engine;
use crate::run::setup::RunError;
use crate::run::setup::Tick;

impl Engine {
    /// Provisions what `plan` lacks and records its rotations as planned.
    pub(super) async fn execute(&self, plan: &Plan, observed: &Observed, tick: &mut Tick) -> Result<(), RunError> {
        for change in &plan.changes {
            if let Some(error) = nothing_to_begin_with(plan, change) {
                // What a tenant forbids it does not allow a minute later.
                tick.due(Some(self.now() + BACKOFF_MAX));
                tick.failed.push((change.integration.clone(), error));
                continue;
            }
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
            if self.options.rules.breaks(Mutation::NothingAfterSuperseded) && self.is_superseded(change).await? {
                continue;
            }
            if seen.record.is_none() {
                self.look_first(&change.integration, &app).await?;
            }
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

impl Engine {
    /// Whether a rotation of the integration ended without a confirmation (asked by a mutant).
    async fn is_superseded(&self, change: &Change) -> Result<bool, RunError> {
        let all = self.ports.store.rotations(&change.integration).await?;
        Ok(all.iter().any(|r| r.state == State::SupersededUnconfirmed))
    }
}

/// Why nothing of `change` is begun: an application for a credential that cannot be made, or of a forbidden kind, would
/// only be left over. Where the application is there, the rotation is recorded all the same and says it in its preflight,
/// so that people hear of it.
fn nothing_to_begin_with(plan: &Plan, change: &Change) -> Option<Error> {
    let forbidden = plan.forbidden.iter().find(|one| one.integration == change.integration)?;
    let problem = &forbidden.problem;
    let creates = change.steps.iter().any(|step| matches!(step, Step::CreateApplication { .. }));
    (creates || problem.code == "G056").then(|| {
        let error = Error::new(Class::Failed, &problem.code, &problem.summary);
        match &problem.fix {
            Some(fix) => error.help(fix),
            None => error,
        }
    })
}

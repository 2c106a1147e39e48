//! The permanent sweep (D3): orphans of unknown and abandoned attempts are found by their tag in every look at
//! an application, and removed on the journal's word. Also the looks that settle removals.

use jiff::Timestamp;

use crate::model::AppObserved;
use crate::model::AppRef;
use crate::model::CredentialStatus;
use crate::model::Event;
use crate::model::IntegrationName;
use crate::model::KeyId;
use crate::model::Outcome;
use crate::model::Rotation;
use crate::plan::Observed;
use crate::policy::Policy;
use crate::ports::Mark;
use crate::ports::PortError;
use crate::rotation::Mutation;
use crate::rotation::orphan;
use crate::rotation::orphan::Orphan;
use crate::run::act::Acted;
use crate::run::adoption;
use crate::run::caps::Held;
use crate::run::engine::Engine;
use crate::run::explain;
use crate::run::provision::entry;
use crate::run::setup::RunError;

impl Engine {
    /// Sweeps everything that was just looked at. Says when what waits for the daily limit goes on.
    pub(super) async fn sweep(&self, policies: &[Policy], observed: &Observed) -> Acted {
        let mut held = Vec::new();
        for policy in policies {
            let Some(seen) = observed.integrations.get(&policy.name) else { continue };
            let (Some(record), Some(app)) = (&seen.record, &seen.app) else { continue };
            let rotations = self.ports.store.rotations(&policy.name).await?;
            held.extend(self.sweep_app(&policy.name, &record.app, app, &rotations).await?);
        }
        let Some(until) = held.iter().min().copied() else { return Ok(None) };
        self.tell_held(Held { what: "sweeps".to_owned(), count: held.len(), until }).await?;
        Ok(Some(until))
    }

    /// Sweeps one application; gives, for each orphan that waits for the daily limit, until when.
    async fn sweep_app(
        &self,
        name: &IntegrationName,
        app: &AppRef,
        seen: &AppObserved,
        rotations: &[Rotation],
    ) -> Result<Vec<Timestamp>, RunError> {
        let mut held = Vec::new();
        if self.is_rolled_back(name, seen, rotations).await? {
            return Ok(held);
        }
        let instance = self.ports.store.instance();
        let orphans = orphan::orphans(&instance, rotations, seen, self.options.rules);
        if orphans.is_empty() || self.may_be_older(name, seen, rotations, &orphans).await? {
            return Ok(held);
        }
        let in_emergency = rotations.iter().any(|r| r.emergency.is_some() && r.is_open());
        let adopted = adoption::on(self.ports.store.as_ref(), &app.object_id).await?;
        for orphan in orphans {
            // A name that looks like ours is no ownership: what a person adopted is in use.
            let is_adopted = adopted.iter().any(|adoption| adoption.key_id == orphan.key_id);
            if is_adopted && !self.options.rules.breaks(Mutation::SweepAdopted) {
                continue;
            }
            if self.retains(name, &orphan.key_id) {
                continue;
            }
            let Some(rotation) = rotations.iter().find(|r| r.id == orphan.rotation) else { continue };
            match self.count_sweep(&orphan.key_id, !in_emergency).await? {
                Ok(counted) => self.sweep_one(app, rotation, &orphan, counted).await?,
                Err(until) => held.push(until),
            }
        }
        Ok(held)
    }

    /// Whether the policy says now that it is never removed.
    pub(super) fn retains(&self, name: &IntegrationName, key_id: &KeyId) -> bool {
        self.people.get(name).is_some_and(|concerned| concerned.retain.contains(key_id))
    }

    async fn sweep_one(
        &self,
        app: &AppRef,
        rotation: &Rotation,
        orphan: &Orphan,
        counted: Option<Mark>,
    ) -> Result<(), RunError> {
        let text = format!("sweep: orphan {} of attempt {} is to be removed", orphan.key_id, orphan.attempt);
        let mut commit = self.blank();
        commit.entries.push(entry(&rotation.integration, "sweep", &text));
        commit.marks.extend(counted);
        self.ports.store.commit(self.fence, commit).await?;
        self.ready().await?;
        let answer = if orphan.is_certificate {
            // The record may have moved on since it was read.
            let Some(current) = self.ports.store.rotation(rotation.id).await? else { return Ok(()) };
            let (current, answer, call) = self.remove_certificate(&current, &orphan.key_id).await?;
            if matches!(answer, Err(PortError::Unsure { .. })) {
                self.commit(&current, &Event::CallAmbiguous { call }, self.blank()).await?;
            }
            answer
        } else {
            self.ports.directory.remove_password(&app.object_id, &orphan.key_id).await
        };
        match answer {
            Ok(()) | Err(PortError::Missing(_)) => {
                // The record may have moved on since it was read.
                let Some(current) = self.ports.store.rotation(rotation.id).await? else { return Ok(()) };
                let event = Event::AttemptSwept { number: orphan.attempt, key_id: orphan.key_id.clone() };
                let mut commit = self.blank();
                commit.credentials = self.own(&current, &orphan.key_id, CredentialStatus::Retired).await?;
                if current.attempts.iter().any(|attempt| attempt.number == orphan.attempt) {
                    self.commit(&current, &event, commit).await?;
                }
                Ok(())
            }
            // The next look tries again; the obligation stays.
            Err(error) => {
                let problem = explain::problem(&error, "remove an orphan");
                self.note(&rotation.integration, "sweep", &problem.summary).await
            }
        }
    }

    /// Looks at the application once: which removals and which unsettled attempts still show?
    pub(super) async fn look_again(&self, r: &Rotation) -> Acted {
        self.ready().await?;
        let app = match self.ports.directory.application(&r.app.object_id).await {
            Ok(read) => {
                self.far.note(read.date);
                read.value
            }
            Err(error) => return self.fail(r, explain::problem(&error, "read the application"), false).await,
        };
        let rotations = self.ports.store.rotations(&r.integration).await?;
        self.sweep_app(&r.integration, &r.app, &app, &rotations).await?;
        let Some(mut r) = self.ports.store.rotation(r.id).await? else { return Ok(None) };
        for removal in r.removals.clone() {
            if removal.sent.is_none() || removal.is_settled(crate::rotation::numbers::SETTLE) {
                continue;
            }
            let thumbprint =
                r.old.iter().find(|old| old.key_id == removal.key_id).and_then(|old| old.thumbprint.clone());
            let present = app.secrets.iter().any(|entry| entry.key_id == removal.key_id)
                || app.certificates.iter().any(|entry| {
                    entry.key_id == removal.key_id || (thumbprint.is_some() && entry.thumbprint == thumbprint)
                });
            let event = Event::RemovalSeen { key_id: removal.key_id.clone(), present };
            let mut commit = self.blank();
            if r.emergency.is_some() {
                commit.entries.push(self.ring_entry(&r, &app).await?);
            }
            r = self.commit(&r, &event, commit).await?;
        }
        let is_echoed = orphan::echoes(&rotations);
        // What a person adopted is theirs, whatever its name says: the attempt no longer waits for it.
        let adopted = adoption::on(self.ports.store.as_ref(), &r.app.object_id).await?;
        let is_adopted = |key_id: &KeyId| adopted.iter().any(|adoption| adoption.key_id == *key_id);
        for attempt in r.attempts.clone() {
            if attempt.outcome != Outcome::Unknown || attempt.swept {
                continue;
            }
            let shows = |key_id: &KeyId, name: Option<&String>| {
                name.is_some_and(|name| name.ends_with(&attempt.tag)) && !is_adopted(key_id)
            };
            let is_own = |key_id: &KeyId| !is_echoed || orphan::is_dated(&attempt, key_id, &app);
            let mut secrets = app.secrets.iter().filter(|entry| is_own(&entry.key_id));
            let present = secrets.any(|entry| shows(&entry.key_id, entry.display_name.as_ref()))
                || app.certificates.iter().any(|entry| shows(&entry.key_id, entry.display_name.as_ref()));
            let event = Event::AttemptSeen { number: attempt.number, present };
            r = self.commit(&r, &event, self.blank()).await?;
        }
        Ok(None)
    }
}

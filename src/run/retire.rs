//! Retire: the guard, the removals.

use jiff::SignedDuration;

use crate::model::AmbiguousCall;
use crate::model::CredentialStatus;
use crate::model::Event;
use crate::model::KeyId;
use crate::model::Problem;
use crate::model::Rotation;
use crate::model::State;
use crate::ports::PortError;
use crate::rotation::emergency;
use crate::rotation::guard;
use crate::rotation::guard::Unmet;
use crate::run::act::Acted;
use crate::run::engine::Engine;
use crate::run::explain;

impl Engine {
    /// S4c to S5: everything the guard asks for, read now; then RETIRE_INTENT in one commit.
    pub(super) async fn pass_guard(&self, r: &Rotation) -> Acted {
        if r.emergency.is_none()
            && let Some(wait) = self.held_retirement(guard::removable(r).count()).await?
        {
            return Ok(Some(wait));
        }
        self.ready().await?;
        match self.ports.directory.application(&r.app.object_id).await {
            Ok(read) => self.far.note(read.date),
            Err(error) => return self.fail(r, explain::problem(&error, "read the application"), false).await,
        }
        let read = match self.read_backs(r).await {
            Ok(read) => read,
            Err(problem) => return self.fail(r, problem, false).await,
        };
        let handoffs: Vec<_> = self.ports.store.handoffs().await?.into_iter().filter(|h| h.rotation == r.id).collect();
        let unmet = match &r.emergency {
            Some(_) => {
                let plain = match self.has_plain_sink(r) {
                    Ok(plain) => plain,
                    Err(problem) => return self.fail(r, problem, false).await,
                };
                let in_flight = self.patch_in_flight(r).await?;
                emergency::unmet(r, self.clocks(), &read, &handoffs, plain, in_flight, self.options.rules)
            }
            None => guard::unmet(r, self.clocks(), &read, &handoffs, self.options.rules),
        };
        if unmet.is_empty() && r.emergency.is_some() {
            return self.retire_at_once(r).await;
        }
        if unmet.is_empty() {
            if let Some(until) = self.old_key_in_use(r).await? {
                return Ok(Some(until));
            }
            let leaving = guard::removable(r).filter(|old| !guard::leaves_at_own_end(r, old));
            let key_ids = leaving.map(|old| old.key_id.clone()).collect();
            self.commit(r, &Event::RetireIntended { key_ids }, self.blank()).await?;
            return Ok(None);
        }
        let drifted = unmet.iter().find_map(|unmet| match unmet {
            Unmet::NotDelivered(sink) => Some(sink.clone()),
            _ => None,
        });
        if let Some(sink) = drifted.filter(|_| r.state == State::Confirmed || r.emergency.is_some()) {
            self.commit(r, &Event::SinkDrifted { sink }, self.blank()).await?;
            return Ok(None);
        }
        let now = self.now();
        Ok(Some(guard::earliest(&unmet, now).unwrap_or(now + SignedDuration::from_hours(1))))
    }

    /// S5/C7: one removal that RETIRE_INTENT names. Only what the journal proves to be ours (I5).
    pub(super) async fn remove(&self, r: &Rotation, key_id: &KeyId) -> Acted {
        let own = self.own(r, key_id, CredentialStatus::Retired).await?;
        if own.is_empty() {
            let known = self.ports.store.credentials(Some(&r.integration)).await?;
            if known.iter().any(|own| own.key_id == *key_id) {
                // Retired already, by an earlier life of this run.
                self.commit(r, &Event::RemovalSent { key_id: key_id.clone() }, self.blank()).await?;
                return Ok(None);
            }
        }
        // Taking an adoption back comes too late once the removal is intended (D5): the rotation's own record counts.
        let adopted = r.old.iter().any(|old| old.adopted && old.key_id == *key_id);
        if own.is_empty() && !adopted {
            let problem = Problem {
                code: "R030".into(),
                summary: format!("{key_id} is neither ours by the journal nor adopted; it is not removed"),
                fix: None,
                request_id: None,
            };
            return self.fail(r, problem, true).await;
        }
        self.ready().await?;
        let (r, answer, call) = if emergency::is_certificate(r, key_id) {
            self.remove_certificate(r, key_id).await?
        } else {
            let answer = self.ports.directory.remove_password(&r.app.object_id, key_id).await;
            (r.clone(), answer, AmbiguousCall::Remove)
        };
        match answer {
            Ok(()) | Err(PortError::Missing(_)) => {
                let event = Event::RemovalSent { key_id: key_id.clone() };
                self.commit(&r, &event, self.blank()).await?;
                Ok(None)
            }
            Err(error) => {
                let r = if matches!(error, PortError::Unsure { .. }) {
                    self.commit(&r, &Event::CallAmbiguous { call }, self.blank()).await?
                } else {
                    r
                };
                self.fail(&r, explain::problem(&error, "remove the old credential"), false).await
            }
        }
    }
}

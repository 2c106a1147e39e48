//! The steps of an emergency that no other rotation has.

use jiff::Timestamp;

use crate::model::AppObserved;
use crate::model::Entry;
use crate::model::Event;
use crate::model::Fresh;
use crate::model::KeyId;
use crate::model::Problem;
use crate::model::Rotation;
use crate::ports::PortError;
use crate::ports::Probe;
use crate::ports::Refusal;
use crate::ports::StoreError;
use crate::rotation;
use crate::rotation::emergency::is_refusal;
use crate::rotation::emergency::leaving;
use crate::rotation::numbers::SETTLE;
use crate::run::act::Acted;
use crate::run::adoption;
use crate::run::engine::Engine;
use crate::run::explain;
use crate::run::places;
use crate::run::ring::ring;
use crate::run::setup::RunError;

impl Engine {
    /// On a capped audience no new secret is made while an earlier attempt of the application may still show up.
    pub(in crate::run) async fn room_from(&self, r: &Rotation, now: Timestamp) -> Result<Timestamp, RunError> {
        if !r.capped {
            return Ok(now);
        }
        let all = self.ports.store.rotations(&r.integration).await?;
        let others = all.iter().filter(|other| other.id != r.id && other.app.object_id == r.app.object_id);
        let is_open = |r: &Rotation| r.attempts.iter().any(|one| rotation::next::is_unsettled(r, one, now));
        let open = others.into_iter().any(is_open);
        Ok(if open { now + SETTLE } else { now })
    }

    /// Whether a machine's sink cannot compare before it writes.
    pub(in crate::run) fn has_plain_sink(&self, r: &Rotation) -> Result<bool, Problem> {
        for sink in r.spec.sinks.iter().filter(|sink| sink.handoff().is_none()) {
            let sink = self.present(r, sink);
            match self.opened(r, &sink) {
                Ok(opened) if opened.compares() => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(places::problem(&error, &sink, &format!("open {}", sink.id))),
            }
        }
        Ok(false)
    }

    /// RETIRE_INTENT of an emergency: the new one becomes current in the same commit, and the daily limit of removals,
    /// which it does not wait for, is named where it would have held.
    pub(in crate::run) async fn retire_at_once(&self, r: &Rotation) -> Acted {
        let key_ids: Vec<KeyId> = leaving(r).collect();
        let mut commit = self.blank();
        commit.credentials = self.turn_over(r).await?;
        if let Some(until) = self.retirement_cap(key_ids.len()).await? {
            commit.entries.push(Entry {
                integration: Some(r.integration.clone()),
                rotation: Some(r.id),
                kind: "emergency".into(),
                text: format!(
                    "the daily limit of removals would hold until {until}; an emergency does not wait for it"
                ),
                body: serde_json::Value::Null,
            });
        }
        self.commit(r, &Event::RetireIntended { key_ids }, commit).await?;
        Ok(None)
    }

    /// One sign-in with a credential that was removed, where its value is still held.
    pub(in crate::run) async fn probe_old(&self, r: &Rotation, key_id: &KeyId) -> Acted {
        let unseen = |why: &str| Event::RefusalUnseen { key_id: key_id.clone(), why: why.to_owned() };
        let own = self.ports.store.credentials(Some(&r.integration)).await?;
        let Some(own) = own.into_iter().find(|own| own.key_id == *key_id) else {
            self.commit(r, &unseen("everkey never held its value"), self.blank()).await?;
            return Ok(None);
        };
        let fresh = Fresh::from(own);
        let mut commit = self.blank();
        let event = match self.sign_in(r, &fresh).await {
            Ok(Ok(Probe::Accepted { request_id, .. })) => {
                commit.sign_ins.push((key_id.clone(), self.signed_in(), request_id.clone()));
                Event::OldAccepted { key_id: key_id.clone(), request_id }
            }
            Ok(Ok(Probe::NotYet { code, request_id, .. })) if is_refusal(&code) => {
                Event::OldRefused { key_id: key_id.clone(), code, request_id }
            }
            // A no for another reason is a try without a verdict.
            Ok(Ok(Probe::NotYet { code, message, request_id })) => {
                let error = PortError::Refused(Refusal { status: 0, code, message, request_id });
                return self.fail(r, explain::problem(&error, "see the old one refused"), false).await;
            }
            Ok(Ok(Probe::Inconclusive { code, .. })) => unseen(&format!("every sign-in is blocked ({code})")),
            Ok(Err(PortError::Local(_))) => unseen("its value is not kept any more"),
            Ok(Err(error)) => return self.fail(r, explain::problem(&error, "see the old one refused"), false).await,
            Err(RunError::Store(StoreError::Failed(_) | StoreError::Unseal(_))) => {
                unseen("its value is not kept any more")
            }
            Err(error) => return Err(error),
        };
        self.commit(r, &event, commit).await?;
        Ok(None)
    }

    /// What the application shows, for the history of an emergency.
    pub(in crate::run) async fn ring_entry(&self, r: &Rotation, app: &AppObserved) -> Result<Entry, RunError> {
        let own = self.ports.store.credentials(None).await?;
        let adopted = adoption::on(self.ports.store.as_ref(), &r.app.object_id).await?;
        let ring = ring(app, &own, &adopted, None);
        Ok(Entry {
            integration: Some(r.integration.clone()),
            rotation: Some(r.id),
            kind: "emergency".into(),
            text: format!("credentials on the application now: {}", ring.len()),
            body: serde_json::json!({"ring": ring}),
        })
    }
}

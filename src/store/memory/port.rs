//! The port on a store in memory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Memory;
use crate::model::Acknowledgement;
use crate::model::AppRef;
use crate::model::ChainLink;
use crate::model::Handoff;
use crate::model::IntegrationName;
use crate::model::IntegrationRecord;
use crate::model::KeyId;
use crate::model::OwnCredential;
use crate::model::Recorded;
use crate::model::Rotation;
use crate::model::RotationId;
use crate::model::SealId;
use crate::model::SlotName;
use crate::ports::Commit;
use crate::ports::Fence;
use crate::ports::Mark;
use crate::ports::Outgoing;
use crate::ports::Store;
use crate::ports::StoreError;
use crate::secret::Secret;

#[async_trait]
impl Store for Memory {
    fn instance(&self) -> String {
        self.instance.clone()
    }

    async fn acquire(&self, holder: &str, now: Timestamp) -> Result<Fence, StoreError> {
        self.lock().acquire(self.handle, holder, now)
    }

    async fn release(&self, fence: Fence) -> Result<(), StoreError> {
        self.lock().release(fence)
    }

    async fn lead(&self, holder: &str, now: Timestamp) -> Result<(), StoreError> {
        self.lock().lead(self.handle, holder, now)
    }

    async fn check_fence(&self, fence: Fence) -> Result<(), StoreError> {
        self.lock().check(fence)
    }

    async fn commit(&self, fence: Fence, commit: Commit) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.check(fence)?;
        state.commit(commit)
    }

    async fn preflight(&self, fence: Fence) -> Result<(), StoreError> {
        self.lock().check(fence)
    }

    async fn next_rotation(&self, fence: Fence) -> Result<RotationId, StoreError> {
        let mut state = self.lock();
        state.check(fence)?;
        Ok(RotationId(state.next_rotation()))
    }

    async fn next_handoff(&self, fence: Fence) -> Result<u64, StoreError> {
        let mut state = self.lock();
        state.check(fence)?;
        Ok(state.next_handoff())
    }

    async fn unfinished(&self) -> Result<Vec<Rotation>, StoreError> {
        Ok(self.lock().rotations.values().filter(|r| !r.is_finished()).cloned().collect())
    }

    async fn rotations(&self, integration: &IntegrationName) -> Result<Vec<Rotation>, StoreError> {
        Ok(self.lock().rotations.values().filter(|r| r.integration == *integration).cloned().collect())
    }

    async fn rotation(&self, id: RotationId) -> Result<Option<Rotation>, StoreError> {
        Ok(self.lock().rotations.get(&id).cloned())
    }

    async fn credentials(&self, integration: Option<&IntegrationName>) -> Result<Vec<OwnCredential>, StoreError> {
        let state = self.lock();
        let wanted = |own: &&OwnCredential| integration.is_none_or(|name| own.integration == *name);
        Ok(state.credentials.iter().filter(wanted).cloned().collect())
    }

    async fn integrations(&self) -> Result<Vec<IntegrationRecord>, StoreError> {
        Ok(self.lock().integrations.values().cloned().collect())
    }

    async fn handoffs(&self) -> Result<Vec<Handoff>, StoreError> {
        Ok(self.lock().handoffs.clone())
    }

    async fn unseal(&self, id: &SealId, app: &AppRef) -> Result<Secret, StoreError> {
        self.lock().unseal(id, app)
    }

    async fn sign_ins(&self, key_id: &KeyId) -> Result<Vec<(Timestamp, Option<String>)>, StoreError> {
        let state = self.lock();
        let mine = state.sign_ins.iter().filter(|(key, ..)| key == key_id);
        let mut sign_ins: Vec<_> = mine.rev().map(|(_, at, request_id)| (*at, request_id.clone())).collect();
        sign_ins.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Ok(sign_ins)
    }

    async fn acknowledgements(&self) -> Result<Vec<Acknowledgement>, StoreError> {
        Ok(self.lock().acknowledgements.clone())
    }

    async fn outbox(&self) -> Result<Vec<Outgoing>, StoreError> {
        Ok(self.lock().outbox.clone())
    }

    async fn unsent(&self) -> Result<Vec<Outgoing>, StoreError> {
        Ok(self.lock().outbox.iter().filter(|waiting| waiting.sent.is_none()).cloned().collect())
    }

    async fn mark_sent(&self, fence: Fence, key: &str, at: Timestamp) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.check(fence)?;
        state.mark_sent(key, at)
    }

    async fn mark_failed(&self, fence: Fence, key: &str, _why: &str) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.check(fence)?;
        state.mark_failed(key)
    }

    async fn marks(&self, prefix: &str) -> Result<Vec<Mark>, StoreError> {
        let state = self.lock();
        let from = state.marks.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        Ok(from.map(|(name, body)| Mark { name: name.clone(), body: Some(body.clone()) }).collect())
    }

    async fn history(&self, integration: Option<&IntegrationName>) -> Result<Vec<Recorded>, StoreError> {
        let mut history = self.lock().history()?;
        history.retain(|one| integration.is_none_or(|name| one.entry.integration.as_ref() == Some(name)));
        Ok(history)
    }

    async fn links(&self, first: u64, last: u64) -> Result<Vec<ChainLink>, StoreError> {
        self.lock().links(first, last)
    }

    /// Nobody but this process reaches it, so nothing can be out of place.
    async fn verify_history(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    async fn slots(&self) -> Result<Vec<(IntegrationName, SlotName)>, StoreError> {
        let state = self.lock();
        let rotations = state.rotations.values().map(|r| (r.integration.clone(), r.spec.slot.clone()));
        let credentials = state.credentials.iter().map(|own| (own.integration.clone(), own.slot.clone()));
        let mut slots: Vec<_> = rotations.chain(credentials).collect();
        slots.sort();
        slots.dedup();
        Ok(slots)
    }
}

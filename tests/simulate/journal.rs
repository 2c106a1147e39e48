//! The journal of one process: the store in memory, with a boundary before and after each commit, and the judge told of
//! what was committed.

use std::sync::Arc;

use async_trait::async_trait;
use everkey::model::Acknowledgement;
use everkey::model::AppRef;
use everkey::model::Handoff;
use everkey::model::IntegrationName;
use everkey::model::IntegrationRecord;
use everkey::model::KeyId;
use everkey::model::OwnCredential;
use everkey::model::Recorded;
use everkey::model::Rotation;
use everkey::model::RotationId;
use everkey::model::SealId;
use everkey::model::SlotName;
use everkey::ports::Commit;
use everkey::ports::Fence;
use everkey::ports::Mark;
use everkey::ports::Outgoing;
use everkey::ports::Store;
use everkey::ports::StoreError;
use everkey::secret::Secret;
use everkey::store::Memory;
use jiff::Timestamp;

use crate::chooser::Point;
use crate::judge::Seen;
use crate::restored::Copy;
use crate::world::World;

/// The journal.
pub struct Journal {
    pub store: Memory,
    pub world: Arc<World>,
}

#[async_trait]
impl Store for Journal {
    fn instance(&self) -> String {
        self.store.instance()
    }

    async fn acquire(&self, holder: &str, now: Timestamp) -> Result<Fence, StoreError> {
        self.store.acquire(holder, now).await
    }

    async fn commit(&self, fence: Fence, commit: Commit) -> Result<(), StoreError> {
        let what = commit.entries.last().map(|entry| entry.text.clone()).unwrap_or_default();
        self.world.boundary("before a commit").await;
        let seen = Seen::of(&commit);
        let done = self.store.commit(fence, commit).await;
        {
            let mut outside = self.world.lock();
            outside.tell(|| format!("commit {what:?}: {done:?}"));
            if done.is_ok() {
                outside.committed(seen);
            }
        }
        if done.is_ok() && self.world.lock().chooser.fault(Point::Copy, 2) == 1 {
            let outside = self.world.lock().clone();
            let copy = Copy::of(&self.store, &outside).await;
            self.world.lock().copy = Some(Arc::new(copy));
        }
        self.world.boundary("after a commit").await;
        done
    }

    async fn release(&self, fence: Fence) -> Result<(), StoreError> {
        self.store.release(fence).await
    }

    async fn lead(&self, holder: &str, now: Timestamp) -> Result<(), StoreError> {
        self.store.lead(holder, now).await
    }

    async fn check_fence(&self, fence: Fence) -> Result<(), StoreError> {
        self.store.check_fence(fence).await
    }

    async fn preflight(&self, fence: Fence) -> Result<(), StoreError> {
        self.store.preflight(fence).await
    }

    async fn next_rotation(&self, fence: Fence) -> Result<RotationId, StoreError> {
        self.store.next_rotation(fence).await
    }

    async fn next_handoff(&self, fence: Fence) -> Result<u64, StoreError> {
        self.store.next_handoff(fence).await
    }

    async fn unfinished(&self) -> Result<Vec<Rotation>, StoreError> {
        self.store.unfinished().await
    }

    async fn rotations(&self, integration: &IntegrationName) -> Result<Vec<Rotation>, StoreError> {
        self.store.rotations(integration).await
    }

    async fn rotation(&self, id: RotationId) -> Result<Option<Rotation>, StoreError> {
        self.store.rotation(id).await
    }

    async fn credentials(&self, integration: Option<&IntegrationName>) -> Result<Vec<OwnCredential>, StoreError> {
        self.store.credentials(integration).await
    }

    async fn integrations(&self) -> Result<Vec<IntegrationRecord>, StoreError> {
        self.store.integrations().await
    }

    async fn handoffs(&self) -> Result<Vec<Handoff>, StoreError> {
        self.store.handoffs().await
    }

    async fn unseal(&self, id: &SealId, app: &AppRef) -> Result<Secret, StoreError> {
        self.store.unseal(id, app).await
    }

    async fn sign_ins(&self, key_id: &KeyId) -> Result<Vec<(Timestamp, Option<String>)>, StoreError> {
        self.store.sign_ins(key_id).await
    }

    async fn acknowledgements(&self) -> Result<Vec<Acknowledgement>, StoreError> {
        self.store.acknowledgements().await
    }

    async fn outbox(&self) -> Result<Vec<Outgoing>, StoreError> {
        self.store.outbox().await
    }

    async fn unsent(&self) -> Result<Vec<Outgoing>, StoreError> {
        self.store.unsent().await
    }

    async fn mark_sent(&self, fence: Fence, key: &str, at: Timestamp) -> Result<(), StoreError> {
        self.store.mark_sent(fence, key, at).await
    }

    async fn mark_failed(&self, fence: Fence, key: &str, why: &str) -> Result<(), StoreError> {
        self.store.mark_failed(fence, key, why).await
    }

    async fn marks(&self, prefix: &str) -> Result<Vec<Mark>, StoreError> {
        self.store.marks(prefix).await
    }

    async fn history(&self, integration: Option<&IntegrationName>) -> Result<Vec<Recorded>, StoreError> {
        self.store.history(integration).await
    }

    async fn verify_history(&self) -> Result<Option<u64>, StoreError> {
        self.store.verify_history().await
    }

    async fn slots(&self) -> Result<Vec<(IntegrationName, SlotName)>, StoreError> {
        self.store.slots().await
    }
}

//! The port: each call handed to the file that knows it.
//!
//! The files of this directory are compiled once for each database, as modules of `sqlite` and of `postgres`. The
//! statements are the same ones, but sqlx has types of its own for each: what `super` calls `Handle`, `Connection`
//! and `Row` differs, this code does not. What a database does in its own way stands in its own directory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Handle;
use super::history;
use super::lease;
use super::outbox;
use super::read;
use super::write;
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
use crate::store::sql;

#[async_trait]
impl Store for Handle {
    fn instance(&self) -> String {
        self.instance.clone()
    }

    async fn acquire(&self, holder: &str, now: Timestamp) -> Result<Fence, StoreError> {
        super::call(|| lease::acquire(self, holder, now)).await
    }

    async fn release(&self, fence: Fence) -> Result<(), StoreError> {
        super::call(|| lease::release(self, fence)).await
    }

    async fn lead(&self, holder: &str, now: Timestamp) -> Result<(), StoreError> {
        super::call(|| lease::lead(self, holder, now)).await
    }

    fn is_overtaken(&self) -> bool {
        lease::is_overtaken(self)
    }

    async fn check_fence(&self, fence: Fence) -> Result<(), StoreError> {
        super::call(|| lease::check(self, fence)).await
    }

    async fn commit(&self, fence: Fence, commit: Commit) -> Result<(), StoreError> {
        super::call(|| write::commit(self, fence, &commit)).await
    }

    async fn preflight(&self, fence: Fence) -> Result<(), StoreError> {
        super::call(|| write::preflight(self, fence)).await
    }

    async fn next_rotation(&self, fence: Fence) -> Result<RotationId, StoreError> {
        super::call(|| write::next(self, fence, "rotation")).await.map(RotationId)
    }

    async fn next_handoff(&self, fence: Fence) -> Result<u64, StoreError> {
        super::call(|| write::next(self, fence, "handoff")).await
    }

    async fn unfinished(&self) -> Result<Vec<Rotation>, StoreError> {
        super::call(|| read::all(self, "a rotation", sql::ROTATION_UNFINISHED)).await
    }

    async fn rotations(&self, integration: &IntegrationName) -> Result<Vec<Rotation>, StoreError> {
        super::call(|| read::of(self, "a rotation", sql::ROTATION_OF, Some(integration))).await
    }

    async fn rotation(&self, id: RotationId) -> Result<Option<Rotation>, StoreError> {
        super::call(|| read::rotation(self, id)).await
    }

    async fn credentials(&self, integration: Option<&IntegrationName>) -> Result<Vec<OwnCredential>, StoreError> {
        super::call(|| read::of(self, "a credential", sql::CREDENTIAL_OF, integration)).await
    }

    async fn integrations(&self) -> Result<Vec<IntegrationRecord>, StoreError> {
        super::call(|| read::all(self, "an integration", sql::INTEGRATION_ALL)).await
    }

    async fn handoffs(&self) -> Result<Vec<Handoff>, StoreError> {
        super::call(|| read::all(self, "a hand-off", sql::HANDOFF_ALL)).await
    }

    async fn unseal(&self, id: &SealId, app: &AppRef) -> Result<Secret, StoreError> {
        super::call(|| read::unseal(self, id, app)).await
    }

    async fn sign_ins(&self, key_id: &KeyId) -> Result<Vec<(Timestamp, Option<String>)>, StoreError> {
        super::call(|| read::sign_ins(self, key_id)).await
    }

    async fn acknowledgements(&self) -> Result<Vec<Acknowledgement>, StoreError> {
        super::call(|| read::all(self, "an acknowledgement", sql::ACKNOWLEDGEMENT_ALL)).await
    }

    async fn outbox(&self) -> Result<Vec<Outgoing>, StoreError> {
        super::call(|| outbox::list(self, sql::OUTBOX_ALL)).await
    }

    async fn unsent(&self) -> Result<Vec<Outgoing>, StoreError> {
        super::call(|| outbox::list(self, sql::OUTBOX_UNSENT)).await
    }

    async fn mark_sent(&self, fence: Fence, key: &str, at: Timestamp) -> Result<(), StoreError> {
        super::call(|| outbox::mark_sent(self, fence, key, at)).await
    }

    async fn mark_failed(&self, fence: Fence, key: &str, why: &str) -> Result<(), StoreError> {
        super::call(|| outbox::mark_failed(self, fence, key, why)).await
    }

    async fn marks(&self, prefix: &str) -> Result<Vec<Mark>, StoreError> {
        super::call(|| read::marks(self, prefix)).await
    }

    async fn history(&self, integration: Option<&IntegrationName>) -> Result<Vec<Recorded>, StoreError> {
        super::call(|| history::read(self, integration)).await
    }

    async fn links(&self, first: u64, last: u64) -> Result<Vec<ChainLink>, StoreError> {
        history::links(self, first, last).await
    }

    async fn verify_history(&self) -> Result<Option<u64>, StoreError> {
        super::call(|| history::verify(self)).await
    }

    async fn slots(&self) -> Result<Vec<(IntegrationName, SlotName)>, StoreError> {
        super::call(|| read::slots(self)).await
    }
}

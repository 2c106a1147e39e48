//! The journal, with a boundary before and after each of its writes. Reads change nothing and have none.

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
use everkey::rotation::fold::event_name;
use everkey::secret::Secret;
use jiff::Timestamp;

use crate::ports::Broken;

type Stored<T> = Result<T, StoreError>;

/// What a commit is about, for the names of boundaries.
fn about(commit: &Commit) -> String {
    let state = commit.rotation.as_ref().map(|r| format!("{:?}", r.state)).unwrap_or_default();
    let event = commit
        .entries
        .iter()
        .rev()
        .find_map(|entry| serde_json::from_value(entry.body.clone()).ok().map(|event| event_name(&event)));
    format!("commit {} {state}", event.unwrap_or_default())
}

impl Broken<dyn Store> {
    async fn write<R>(&self, what: &str, call: impl Future<Output = Stored<R>>) -> Stored<R> {
        let failed = || Err(StoreError::Failed("Input/output error (os error 5)".into()));
        if self.breaker.disk(&format!("before {what}")).await {
            return failed();
        }
        let answer = call.await;
        // What is on the disk may be there all the same.
        if self.breaker.disk(&format!("after {what}")).await { failed() } else { answer }
    }
}

#[async_trait]
impl Store for Broken<dyn Store> {
    fn instance(&self) -> String {
        self.inner.instance()
    }
    async fn acquire(&self, holder: &str, now: Timestamp) -> Stored<Fence> {
        self.inner.acquire(holder, now).await
    }
    async fn release(&self, fence: Fence) -> Stored<()> {
        self.inner.release(fence).await
    }
    async fn lead(&self, holder: &str, now: Timestamp) -> Stored<()> {
        self.inner.lead(holder, now).await
    }
    async fn check_fence(&self, fence: Fence) -> Stored<()> {
        self.inner.check_fence(fence).await
    }
    async fn commit(&self, fence: Fence, commit: Commit) -> Stored<()> {
        let what = about(&commit);
        self.write(&what, self.inner.commit(fence, commit)).await
    }
    async fn preflight(&self, fence: Fence) -> Stored<()> {
        self.write("store preflight", self.inner.preflight(fence)).await
    }
    async fn next_rotation(&self, fence: Fence) -> Stored<RotationId> {
        self.write("next_rotation", self.inner.next_rotation(fence)).await
    }
    async fn next_handoff(&self, fence: Fence) -> Stored<u64> {
        self.write("next_handoff", self.inner.next_handoff(fence)).await
    }
    async fn unfinished(&self) -> Stored<Vec<Rotation>> {
        self.inner.unfinished().await
    }
    async fn rotations(&self, integration: &IntegrationName) -> Stored<Vec<Rotation>> {
        self.inner.rotations(integration).await
    }
    async fn rotation(&self, id: RotationId) -> Stored<Option<Rotation>> {
        self.inner.rotation(id).await
    }
    async fn credentials(&self, integration: Option<&IntegrationName>) -> Stored<Vec<OwnCredential>> {
        self.inner.credentials(integration).await
    }
    async fn integrations(&self) -> Stored<Vec<IntegrationRecord>> {
        self.inner.integrations().await
    }
    async fn handoffs(&self) -> Stored<Vec<Handoff>> {
        self.inner.handoffs().await
    }
    async fn unseal(&self, id: &SealId, app: &AppRef) -> Stored<Secret> {
        self.inner.unseal(id, app).await
    }
    async fn sign_ins(&self, key_id: &KeyId) -> Stored<Vec<(Timestamp, Option<String>)>> {
        self.inner.sign_ins(key_id).await
    }
    async fn acknowledgements(&self) -> Stored<Vec<Acknowledgement>> {
        self.inner.acknowledgements().await
    }
    async fn outbox(&self) -> Stored<Vec<Outgoing>> {
        self.inner.outbox().await
    }
    async fn unsent(&self) -> Stored<Vec<Outgoing>> {
        self.inner.unsent().await
    }
    async fn mark_sent(&self, fence: Fence, key: &str, at: Timestamp) -> Stored<()> {
        self.write("mark_sent", self.inner.mark_sent(fence, key, at)).await
    }
    async fn mark_failed(&self, fence: Fence, key: &str, why: &str) -> Stored<()> {
        self.write("mark_failed", self.inner.mark_failed(fence, key, why)).await
    }
    async fn marks(&self, prefix: &str) -> Stored<Vec<Mark>> {
        self.inner.marks(prefix).await
    }
    async fn history(&self, integration: Option<&IntegrationName>) -> Stored<Vec<Recorded>> {
        self.inner.history(integration).await
    }
    async fn links(&self, first: u64, last: u64) -> Stored<Vec<everkey::model::ChainLink>> {
        self.inner.links(first, last).await
    }
    async fn verify_history(&self) -> Stored<Option<u64>> {
        self.inner.verify_history().await
    }
    async fn slots(&self) -> Stored<Vec<(IntegrationName, SlotName)>> {
        self.inner.slots().await
    }
}

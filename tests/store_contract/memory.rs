//! What the store in memory promises beyond the contract: handles that lapse, snapshots, and a state put back.

use std::sync::Arc;

use async_trait::async_trait;
use everkey::ports::Store;
use everkey::ports::StoreError;
use everkey::store::Memory;

use crate::contract::Bench;
use crate::contract::everything;
use crate::samples::now;
use crate::samples::one_of_everything;

/// A store in memory.
pub struct Place(Memory);

impl Place {
    pub fn new() -> Self {
        Self(Memory::new("q7m2xa"))
    }
}

#[async_trait]
impl Bench for Place {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.open())
    }
}

#[tokio::test]
async fn a_lease_that_lapsed_is_another_s_and_the_first_is_fenced() {
    let store = Memory::new("q7m2xa");
    let (one, two) = (store.open(), store.open());
    let first = one.acquire("one", now()).await.unwrap();
    store.lapse();
    let second = two.acquire("two", now()).await.unwrap();
    assert!(matches!(one.commit(first, one_of_everything(1)).await, Err(StoreError::Fenced)));
    // It is gone, and what another holds stays held.
    drop(one);
    assert!(matches!(store.acquire("three", now()).await, Err(StoreError::Held { .. })));
    two.commit(second, one_of_everything(1)).await.unwrap();
}

#[tokio::test]
async fn what_is_put_back_is_as_it_was_and_voids_every_fence() {
    let store = Memory::new("q7m2xa");
    let fence = store.acquire("one", now()).await.unwrap();
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let (backup, before) = (store.snapshot(), everything(&store).await);
    store.commit(fence, one_of_everything(2)).await.unwrap();
    assert_ne!(everything(&store).await, before);
    store.put_back(&backup);
    assert_eq!(everything(&store).await, before);
    assert_eq!(everything(&Memory::of("q7m2xa", &backup)).await, before);
    assert!(matches!(store.check_fence(fence).await, Err(StoreError::Fenced)));
    let later = store.acquire("two", now()).await.unwrap();
    assert!(later.0 > fence.0);
}

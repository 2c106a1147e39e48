//! The contract of `ports::Store`, case by case, for any store. A case opens as many handles as it needs on
//! one and the same store, which is empty at first.

use std::sync::Arc;

use async_trait::async_trait;
use everkey::model::IntegrationName;
use everkey::model::KeyId;
use everkey::model::RotationId;
use everkey::model::SealId;
use everkey::ports::Commit;
use everkey::ports::Fence;
use everkey::ports::Store;
use everkey::ports::StoreError;
use jiff::SignedDuration;

use crate::samples::app;
use crate::samples::now;
use crate::samples::one_of_everything;

pub use crate::records::a_cancelled_commit_is_whole_or_absent;
pub use crate::records::a_commit_reads_back_as_it_was_written;
pub use crate::records::a_conflict_writes_nothing_at_all;
pub use crate::records::a_known_notice_is_not_queued_again;
pub use crate::records::a_new_rotation_never_replaces_another;
pub use crate::records::a_sealed_value_is_never_written_over;
pub use crate::records::a_sealed_value_opens_for_its_app_alone_and_can_be_destroyed;
pub use crate::records::acknowledgements_and_sign_ins_pile_up;
pub use crate::records::an_upsert_changes_the_record_and_keeps_its_place;
pub use crate::records::history_is_one_chain_without_gaps;
pub use crate::records::many_writers_of_one_version_have_one_winner;
pub use crate::records::one_is_closed_and_another_opened_in_one_transaction;
pub use crate::records::one_open_rotation_per_slot;
pub use crate::records::preflight_leaves_nothing_behind;
pub use crate::records::slots_are_those_of_rotations_and_credentials;

/// A place with one store in it.
#[async_trait]
pub trait Bench: Send + Sync {
    /// Another handle on the store, as another process would have it.
    async fn open(&self) -> Arc<dyn Store>;
}

/// Makes a test of each case, on a bench of its own.
macro_rules! on_every_case {
    ($bench:expr) => {
        on_every_case!($bench; a_cancelled_commit_is_whole_or_absent);
        on_every_case!($bench, in one step);
    };
    // A commit that is over at its first step cannot be cut short.
    ($bench:expr, in one step) => {
        on_every_case!($bench;
            a_commit_reads_back_as_it_was_written
            a_conflict_writes_nothing_at_all
            a_fence_is_void_once_another_is_given
            a_known_notice_is_not_queued_again
            a_new_rotation_never_replaces_another
            a_release_lets_another_in
            a_second_holder_is_told_who_has_it
            a_sealed_value_opens_for_its_app_alone_and_can_be_destroyed
            a_sealed_value_is_never_written_over
            acknowledgements_and_sign_ins_pile_up
            an_upsert_changes_the_record_and_keeps_its_place
            history_is_one_chain_without_gaps
            many_writers_of_one_version_have_one_winner
            numbers_are_never_given_twice
            one_is_closed_and_another_opened_in_one_transaction
            one_open_rotation_per_slot
            preflight_leaves_nothing_behind
            slots_are_those_of_rotations_and_credentials
            the_instance_is_six_characters_for_ever
        );
    };
    ($bench:expr; $($case:ident)*) => {$(
        #[tokio::test]
        async fn $case() {
            crate::contract::$case(&$bench).await;
        }
    )*};
}

/// A handle that holds the store.
pub async fn held(bench: &dyn Bench) -> (Arc<dyn Store>, Fence) {
    let store = bench.open().await;
    let fence = store.acquire("test", now()).await.unwrap();
    (store, fence)
}

/// All that can be read, to compare before and after.
pub async fn everything(store: &dyn Store) -> String {
    let name = IntegrationName::from("reapit-lead-imports");
    let mut seen = format!("{:?}\n", store.rotations(&name).await.unwrap());
    seen += &format!("{:?}\n", store.unfinished().await.unwrap());
    seen += &format!("{:?}\n", store.credentials(None).await.unwrap());
    seen += &format!("{:?}\n", store.integrations().await.unwrap());
    seen += &format!("{:?}\n", store.handoffs().await.unwrap());
    seen += &format!("{:?}\n", store.acknowledgements().await.unwrap());
    seen += &format!("{:?}\n", store.outbox().await.unwrap());
    seen += &format!("{:?}\n", store.history(None).await.unwrap());
    seen += &format!("{:?}\n", store.slots().await.unwrap());
    for n in 1..5 {
        seen += &format!("{:?}\n", store.sign_ins(&KeyId(format!("k-{n}"))).await.unwrap());
        let id = SealId(format!("{n}/1/secret"));
        seen += &format!("{:?}\n", store.unseal(&id, &app()).await.ok().map(|value| value.fingerprint()));
    }
    seen
}

pub async fn the_instance_is_six_characters_for_ever(bench: &dyn Bench) {
    let instance = bench.open().await.instance();
    assert_eq!(instance.len(), 6);
    assert!(instance.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{instance}");
    assert_eq!(bench.open().await.instance(), instance);
}

pub async fn numbers_are_never_given_twice(bench: &dyn Bench) {
    let (store, fence) = held(bench).await;
    assert_eq!(store.next_rotation(fence).await.unwrap(), RotationId(1));
    assert_eq!(store.next_handoff(fence).await.unwrap(), 1);
    assert_eq!(store.next_rotation(fence).await.unwrap(), RotationId(2));
    store.release(fence).await.unwrap();
    let (store, fence) = held(bench).await;
    assert_eq!(store.next_rotation(fence).await.unwrap(), RotationId(3));
    assert_eq!(store.next_handoff(fence).await.unwrap(), 2);
}

pub async fn a_second_holder_is_told_who_has_it(bench: &dyn Bench) {
    let store = bench.open().await;
    let holder = "host.contoso.example, process 4711, everkey \"serve\"\nline";
    let fence = store.acquire(holder, now()).await.unwrap();
    let later = now() + SignedDuration::from_mins(3);
    for other in [bench.open().await, Arc::clone(&store)] {
        match other.acquire("another", later).await {
            Err(StoreError::Held { holder: told, since }) => assert_eq!((told.as_str(), since), (holder, now())),
            other => panic!("{other:?}"),
        }
    }
    store.check_fence(fence).await.unwrap();
    store.commit(fence, one_of_everything(1)).await.unwrap();
}

pub async fn a_release_lets_another_in(bench: &dyn Bench) {
    let (one, first) = held(bench).await;
    let two = bench.open().await;
    one.release(first).await.unwrap();
    let second = two.acquire("two", now()).await.unwrap();
    assert!(second.0 > first.0);
    assert!(matches!(one.release(first).await, Err(StoreError::Fenced)));
    two.check_fence(second).await.unwrap();
    drop(one);
    two.check_fence(second).await.unwrap();
    // A handle that goes away without a release is what a dead process leaves behind.
    drop(two);
    let (three, third) = held(bench).await;
    assert!(third.0 > second.0);
    three.check_fence(third).await.unwrap();
}

pub async fn a_fence_is_void_once_another_is_given(bench: &dyn Bench) {
    let (store, stale) = held(bench).await;
    store.commit(stale, one_of_everything(1)).await.unwrap();
    store.release(stale).await.unwrap();
    assert!(matches!(store.check_fence(stale).await, Err(StoreError::Fenced)), "a given-back fence");
    let fence = store.acquire("again", now()).await.unwrap();
    let before = everything(&*store).await;
    for void in [stale, Fence(fence.0 + 1), Fence(0), Fence(u64::MAX)] {
        let fenced = [
            store.check_fence(void).await,
            store.commit(void, one_of_everything(2)).await,
            store.commit(void, Commit::new(now(), "everkey")).await,
            store.preflight(void).await,
            store.next_rotation(void).await.map(drop),
            store.next_handoff(void).await.map(drop),
            store.mark_sent(void, "n-1", now()).await,
            store.mark_failed(void, "n-1", "why").await,
            store.release(void).await,
        ];
        for (call, result) in fenced.iter().enumerate() {
            assert!(matches!(result, Err(StoreError::Fenced)), "call {call} under {void:?}: {result:?}");
        }
    }
    assert_eq!(everything(&*store).await, before);
    store.check_fence(fence).await.unwrap();
    assert_eq!(store.next_rotation(fence).await.unwrap(), RotationId(1), "no number was used up");
}

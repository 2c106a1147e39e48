//! Care of the store: copied while it is written, sealed under another key, noted without a lease.

use everkey::ports::Commit;
use everkey::ports::Store;
use everkey::ports::StoreError;
use everkey::secret::Secret;
use everkey::store::Options;
use everkey::store::SealKey;
use everkey::store::Sqlite;

use crate::samples::app;
use crate::samples::entry;
use crate::samples::now;
use crate::samples::one_of_everything;
use crate::sqlite::Place;
use crate::sqlite::key;

fn new_key() -> SealKey {
    SealKey::read(Secret::from_text("51ea".repeat(16))).unwrap()
}

#[tokio::test]
async fn a_process_that_opened_before_a_reseal_cannot_seal_under_the_former_key() {
    let place = Place::new();
    let early = place.store().await;
    let store = place.store().await;
    let fence = store.acquire("one", now()).await.unwrap();
    store.commit(fence, one_of_everything(1)).await.unwrap();
    assert_eq!(store.reseal(fence, &new_key(), now(), "root", &entry(1, "resealed")).await.unwrap(), 1);
    store.release(fence).await.unwrap();
    match early.acquire("two", now()).await {
        Err(StoreError::Key(why)) => assert!(why.contains(new_key().id()), "{why}"),
        other => panic!("{other:?}"),
    }
    let resealed = Sqlite::open(&place.path(), new_key(), Options::default()).await.unwrap();
    let fence = resealed.acquire("three", now()).await.expect("the refused one left no lock behind");
    let value = resealed.unseal(&"1/1/secret".into(), &app()).await.unwrap();
    assert_eq!(value.expose_text(), Some("Q3z8Q~value-1"));
    assert_eq!(resealed.verify_history().await.unwrap(), None);
    resealed.commit(fence, one_of_everything(2)).await.unwrap();
    assert!(resealed.examine().await.unwrap().is_sound());
}

#[tokio::test]
async fn a_changed_history_is_not_sealed_anew() {
    let place = Place::new();
    let store = place.store().await;
    let fence = store.acquire("one", now()).await.unwrap();
    store.commit(fence, one_of_everything(1)).await.unwrap();
    place.tamper("UPDATE history SET actor = 'nobody' WHERE seq = 1".into()).await;
    let refused = store.reseal(fence, &new_key(), now(), "root", &entry(1, "resealed")).await.unwrap_err();
    assert!(refused.to_string().contains("breaks at entry 1"), "{refused}");
    assert_eq!(store.examine().await.unwrap().broken_at, Some(1));
    place.store().await;
}

/// Sealed under the new key or not at all: one value that does not open stops it.
#[tokio::test]
async fn a_value_that_does_not_open_leaves_everything_as_it_was() {
    let place = Place::new();
    let store = place.store().await;
    let fence = store.acquire("one", now()).await.unwrap();
    store.commit(fence, one_of_everything(1)).await.unwrap();
    store.commit(fence, one_of_everything(2)).await.unwrap();
    place.tamper("UPDATE sealed SET body = zeroblob(120) WHERE id = '2/1/secret'".into()).await;
    let refused = store.reseal(fence, &new_key(), now(), "root", &entry(1, "resealed")).await;
    assert!(matches!(refused, Err(StoreError::Unseal(id)) if id.as_str() == "2/1/secret"));
    let again = place.store().await;
    assert_eq!(again.unseal(&"1/1/secret".into(), &app()).await.unwrap().expose_text(), Some("Q3z8Q~value-1"));
    assert_eq!(again.verify_history().await.unwrap(), None);
}

#[tokio::test]
async fn a_copy_made_between_writes_is_whole() {
    let place = Place::new();
    let store = place.store().await;
    let fence = store.acquire("one", now()).await.unwrap();
    let other = place.store().await;
    let root = tempfile::tempdir().unwrap();
    for id in 1..12 {
        store.commit(fence, one_of_everything(id)).await.unwrap();
        let to = root.path().join(format!("{id}.db"));
        let (copied, committed) = tokio::join!(
            other.copy_to(&to),
            store.commit(fence, Commit { entries: vec![entry(id, "beside")], ..Commit::new(now(), "everkey") })
        );
        copied.unwrap();
        committed.unwrap();
        let copy = Sqlite::open(&to, key(), Options { create: false, ..Options::default() }).await.unwrap();
        let found = copy.examine().await.unwrap();
        assert!(found.is_sound() && found.sealed == usize::try_from(id).unwrap(), "{found:?}");
        assert!(other.copy_to(&to).await.is_err(), "never over an existing file");
    }
}

/// An entry beside a run that holds the store: the chain takes both.
#[tokio::test]
async fn a_note_needs_no_lease_and_breaks_no_chain() {
    let place = Place::new();
    let store = place.store().await;
    let other = place.store().await;
    let fence = store.acquire("one", now()).await.unwrap();
    for id in 1..6 {
        store.commit(fence, one_of_everything(id)).await.unwrap();
        other.note(now(), "root", &entry(id, "noted")).await.unwrap();
    }
    store.check_fence(fence).await.unwrap();
    assert_eq!(store.verify_history().await.unwrap(), None);
    let noted = store.history(None).await.unwrap().into_iter().filter(|one| one.entry.text == "noted").count();
    assert_eq!(noted, 5);
}

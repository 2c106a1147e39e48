//! What the store on SQLite promises beyond the contract: its place, its key, its schema, its silence.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use everkey::model::State;
use everkey::ports::Commit;
use everkey::ports::Store;
use everkey::ports::StoreError;
use everkey::secret::Secret;
use everkey::store::Options;
use everkey::store::SealKey;
use everkey::store::Sqlite;
use sqlx::ConnectOptions;
use sqlx::Connection;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::sqlite::SqliteSynchronous;

use crate::contract::Bench;
use crate::samples::app;
use crate::samples::entry;
use crate::samples::moved;
use crate::samples::now;
use crate::samples::one_of_everything;
use crate::samples::rotation;

/// The seal key of every test.
pub fn key() -> SealKey {
    SealKey::read(Secret::from_text("c2f0".repeat(16))).unwrap()
}

/// A directory with a store.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().join("everkey.db")
    }

    pub async fn store(&self) -> Sqlite {
        Sqlite::open(&self.path(), key(), Options::default()).await.unwrap()
    }

    /// A bare connection, to look and to tamper.
    pub async fn raw(&self) -> SqliteConnection {
        // What it changes need not outlive this machine.
        let options = SqliteConnectOptions::new().filename(self.path()).synchronous(SqliteSynchronous::Off);
        options.connect().await.unwrap()
    }

    /// Runs one statement behind the store's back.
    pub async fn tamper(&self, statement: String) -> u64 {
        let mut raw = self.raw().await;
        let done = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut raw).await.unwrap();
        raw.close().await.unwrap();
        done.rows_affected()
    }

    /// The bytes of every file beside and including the store.
    pub fn bytes(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = fs::read_dir(self.0.path()).unwrap().map(|file| file.unwrap().path());
        files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    /// All of them in a row.
    pub fn all_bytes(&self) -> Vec<u8> {
        self.bytes().into_iter().flat_map(|(_, bytes)| bytes).collect()
    }
}

#[async_trait]
impl Bench for Place {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store().await)
    }
}

#[tokio::test]
async fn every_file_is_private_and_the_log_is_in_use() {
    let place = Place::new();
    let store = place.store().await;
    let fence = store.acquire("test", now()).await.unwrap();
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let files = place.bytes();
    let mut names: Vec<_> = files.iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["everkey.db", "everkey.db-shm", "everkey.db-wal", "everkey.db.lock"]);
    for (path, _) in &files {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600, "{}", path.display());
    }
    assert_eq!(store.path(), place.path());
}

#[tokio::test]
async fn another_key_is_refused_when_the_store_is_opened() {
    let place = Place::new();
    place.store().await.close().await;
    let stranger = SealKey::read(SealKey::generate().unwrap()).unwrap();
    let named = [key().id().to_owned(), stranger.id().to_owned()];
    match Sqlite::open(&place.path(), stranger, Options::default()).await {
        Err(StoreError::Key(why)) => {
            assert!(named.iter().all(|id| why.contains(id)), "{why}");
            assert!(why.contains("after `store reseal` that is the new key"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    place.store().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let place = Place::new();
    place.store().await.close().await;
    place.tamper("INSERT INTO schema_version (version, name) VALUES (99, 'later')".into()).await;
    let before = fs::read(place.path()).unwrap();
    match Sqlite::open(&place.path(), key(), Options::default()).await {
        Err(StoreError::Failed(why)) => assert!(why.contains("schema 99") && why.contains("newer everkey"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_store_is_refused_and_left_alone() {
    let place = Place::new();
    let mut other = SqliteConnectOptions::new().filename(place.path()).create_if_missing(true).connect().await.unwrap();
    sqlx::query("CREATE TABLE contacts (name TEXT)").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let private = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
    fs::set_permissions(place.path(), private).unwrap();
    let said = Sqlite::open(&place.path(), key(), Options::default()).await.unwrap_err().to_string();
    assert!(said.contains("another program"), "{said}");

    fs::write(place.path(), "This is a letter, not a database. ".repeat(100)).unwrap();
    let said = Sqlite::open(&place.path(), key(), Options::default()).await.unwrap_err().to_string();
    assert!(said.contains("damaged or no database"), "{said}");
    assert!(fs::read_to_string(place.path()).unwrap().starts_with("This is a letter"));
}

#[tokio::test]
async fn a_new_store_opened_by_many_at_once_is_founded_once() {
    let place = Arc::new(Place::new());
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let place = Arc::clone(&place);
            tokio::spawn(async move { place.store().await.instance() })
        })
        .collect();
    let mut instances = Vec::new();
    for handle in opening {
        instances.push(handle.await.unwrap());
    }
    instances.dedup();
    assert_eq!(instances.len(), 1);
}

#[tokio::test]
async fn a_lost_lock_file_lets_another_in_but_fences_the_first() {
    let place = Place::new();
    let (one, two) = (place.store().await, place.store().await);
    let first = one.acquire("one", now()).await.unwrap();
    fs::remove_file(place.0.path().join("everkey.db.lock")).unwrap();
    let second = two.acquire("two", now()).await.unwrap();
    assert!(matches!(one.commit(first, one_of_everything(1)).await, Err(StoreError::Fenced)));
    assert!(matches!(one.release(first).await, Err(StoreError::Fenced)));
    two.commit(second, one_of_everything(1)).await.unwrap();
}

#[tokio::test]
async fn an_unreadable_lock_file_still_keeps_others_out() {
    let place = Place::new();
    let (one, two) = (place.store().await, place.store().await);
    let _fence = one.acquire("one", now()).await.unwrap();
    fs::write(place.0.path().join("everkey.db.lock"), "no note").unwrap();
    match two.acquire("two", now()).await {
        Err(StoreError::Held { holder, since }) => assert_eq!((holder.as_str(), since), ("one", now())),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn entries_carry_the_state_their_rotation_was_committed_in() {
    let place = Place::new();
    let store = place.store().await;
    let fence = store.acquire("test", now()).await.unwrap();
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let commit = Commit {
        rotation: Some(moved(&rotation(1, "slot-1"), State::UploadIntent)),
        entries: vec![entry(1, "its own"), entry(2, "of another rotation")],
        ..Commit::new(now(), "everkey")
    };
    store.commit(fence, commit).await.unwrap();
    let mut raw = place.raw().await;
    let told: Vec<(Option<String>, Option<i64>)> =
        sqlx::query_as("SELECT state, version FROM history ORDER BY seq").fetch_all(&mut raw).await.unwrap();
    let planned = (Some("planned".to_owned()), Some(1));
    assert_eq!(told, [planned.clone(), planned, (Some("upload-intent".to_owned()), Some(2)), (None, None)]);
}

#[tokio::test]
async fn rows_put_in_each_others_place_do_not_open() {
    let place = Place::new();
    let store = place.store().await;
    let fence = store.acquire("test", now()).await.unwrap();
    store.commit(fence, one_of_everything(1)).await.unwrap();
    store.commit(fence, one_of_everything(2)).await.unwrap();
    place.tamper("UPDATE sealed SET id = 'x' WHERE id = '1/1/secret'".into()).await;
    place.tamper("UPDATE sealed SET id = '1/1/secret' WHERE id = '2/1/secret'".into()).await;
    assert!(matches!(store.unseal(&"1/1/secret".into(), &app()).await, Err(StoreError::Unseal(_))));
}

#[tokio::test]
async fn a_handle_on_a_file_that_was_replaced_gets_no_lease() {
    let place = Place::new();
    let waiting = place.store().await;
    let backup = place.0.path().join("backup.db");
    waiting.copy_to(&backup).await.unwrap();
    let path = place.path();
    for ending in ["-wal", "-shm"] {
        let log = |name: &str| place.0.path().join(format!("{name}{ending}"));
        fs::rename(log("everkey.db"), log("aside.db")).unwrap();
    }
    fs::hard_link(&path, place.0.path().join("aside.db")).unwrap();
    fs::rename(&backup, &path).unwrap();
    for lease in [waiting.acquire("waited", now()).await.map(drop), waiting.lead("waited", now()).await] {
        match lease {
            Err(StoreError::Failed(why)) => assert!(why.contains("replaced") && why.contains("again"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    // Nobody is locked out by the one that was sent away.
    place.store().await.acquire("anew", now()).await.unwrap();
    fs::remove_file(&path).unwrap();
    assert!(matches!(waiting.acquire("waited", now()).await, Err(StoreError::Failed(_))), "not there at all");
}

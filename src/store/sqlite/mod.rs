//! The store on SQLite: one file beside its write-ahead log, one connection per handle.

mod care;
mod history;
mod lease;
mod outbox;
mod port;
mod read;
mod write;

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::Connection;
use sqlx::Sqlite as Engine;
use sqlx::SqlitePool;
use sqlx::Transaction;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::sqlite::SqliteJournalMode;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::sqlite::SqliteSynchronous;

use super::fault;
use super::hold::Hold;
use super::place;
use super::schema;
use super::seal::SealKey;
use crate::ports::StoreError;

pub use care::Examined;

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a statement waits for another process's write, in real time.
    pub busy_timeout: Duration,
    /// Whether a store that is not there is made, with its directory.
    pub create: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), create: true }
    }
}

/// The journal in one SQLite file.
///
/// Reading needs no lease, so `status` may open the store of a running daemon. All handles on one file, in one
/// process or several, compete for the same lease.
pub struct Sqlite {
    pool: SqlitePool,
    seal: SealKey,
    path: PathBuf,
    instance: String,
    hold: Hold,
    leader: Hold,
}

impl Sqlite {
    /// Opens the store at `path`, and founds it when it is new and `options` say so.
    ///
    /// # Errors
    /// [`StoreError::Failed`], with what to do, when the place is open to other users or cannot be written,
    /// when `seal` is not the key the store was founded with, when a newer everkey made its schema, or when it
    /// is damaged.
    pub async fn open(path: &Path, seal: SealKey, options: Options) -> Result<Self, StoreError> {
        place::prepare(path, options.create)?;
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(options.busy_timeout)
            // What is deleted is overwritten, and nothing is spilled into temporary files.
            .pragma("secure_delete", "ON")
            .pragma("temp_store", "MEMORY")
            // macOS: fsync alone leaves data in the drive's cache.
            .pragma("fullfsync", "ON")
            .pragma("trusted_schema", "OFF");
        // One connection: writes have one order, and a read after a write sees it.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            // When the disk is full SQLite ends a transaction by itself; sqlx then counts it as open for ever.
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(connect)
            .await
            .map_err(fault::failed)?;
        let instance = schema::found(&pool, &seal).await?;
        let [hold, leader] = Hold::ENDINGS.map(|ending| Hold::of(path, ending));
        Ok(Self { pool, seal, path: path.to_owned(), instance, hold, leader })
    }

    /// The file it lives in; its log and its lock lie beside it, under the same name with an ending.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes the connection; the lease ends with it. Dropping does the same, at some later time.
    pub async fn close(self) {
        self.pool.close().await;
    }

    /// A transaction that has the write lock from its beginning.
    async fn begin(&self) -> Result<Transaction<'static, Engine>, StoreError> {
        self.pool.begin_with(schema::BEGIN).await.map_err(fault::failed)
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).field("instance", &self.instance).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Commit;
    use crate::ports::Store;

    async fn store(root: &tempfile::TempDir) -> Sqlite {
        let seal = SealKey::read(SealKey::generate().unwrap()).unwrap();
        Sqlite::open(&root.path().join("everkey.db"), seal, Options::default()).await.unwrap()
    }

    fn now() -> jiff::Timestamp {
        "2026-11-20T08:30:00Z".parse().unwrap()
    }

    fn large() -> Commit {
        let entry = crate::model::Entry {
            integration: None,
            rotation: None,
            kind: "test".into(),
            text: "x".repeat(100_000),
            body: serde_json::Value::Null,
        };
        Commit { entries: vec![entry], ..Commit::new(now(), "test") }
    }

    #[tokio::test]
    async fn the_connection_is_as_durable_and_tidy_as_promised() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root).await;
        // Values as the documentation of SQLite numbers them: FULL is 2, MEMORY is 2, ON is 1.
        for (pragma, value) in [
            ("PRAGMA synchronous", 2),
            ("PRAGMA secure_delete", 1),
            ("PRAGMA temp_store", 2),
            ("PRAGMA foreign_keys", 1),
            ("PRAGMA trusted_schema", 0),
            ("PRAGMA busy_timeout", 5000),
        ] {
            let found: i64 = sqlx::query_scalar(pragma).fetch_one(&store.pool).await.unwrap();
            assert_eq!(found, value, "{pragma}");
        }
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&store.pool).await.unwrap();
        assert_eq!(mode, "wal");
    }

    #[tokio::test]
    async fn full_and_read_only_are_said_and_survived() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root).await;
        let fence = store.acquire("test", now()).await.unwrap();
        for (fault, repair, said) in [
            ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000", "full"),
            ("PRAGMA query_only = ON", "PRAGMA query_only = OFF", "read-only"),
        ] {
            let before = store.history(None).await.unwrap();
            sqlx::query(fault).execute(&store.pool).await.unwrap();
            match store.commit(fence, large()).await {
                Err(StoreError::Failed(why)) => assert!(why.contains(said), "{why}"),
                other => panic!("{other:?}"),
            }
            // The connection may have been replaced meanwhile, and the fault with it.
            sqlx::query(fault).execute(&store.pool).await.unwrap();
            assert!(store.preflight(fence).await.unwrap_err().to_string().contains(said));
            assert_eq!(store.history(None).await.unwrap(), before);
            sqlx::query(repair).execute(&store.pool).await.unwrap();
            store.commit(fence, large()).await.unwrap();
            store.preflight(fence).await.unwrap();
            assert_eq!(store.verify_history().await.unwrap(), None);
        }
    }
}

//! The store on SQLite: one file beside its write-ahead log, one connection per handle.

mod file;
mod lease;

#[expect(clippy::duplicate_mod, reason = "see `journal/port.rs`")]
#[path = "../journal/care.rs"]
mod care;
#[expect(clippy::duplicate_mod, reason = "see `journal/port.rs`")]
#[path = "../journal/history.rs"]
mod history;
#[expect(clippy::duplicate_mod, reason = "see `journal/port.rs`")]
#[path = "../journal/outbox.rs"]
mod outbox;
#[expect(clippy::duplicate_mod, reason = "see `journal/port.rs`")]
#[path = "../journal/port.rs"]
mod port;
#[expect(clippy::duplicate_mod, reason = "see `journal/port.rs`")]
#[path = "../journal/read.rs"]
mod read;
#[expect(clippy::duplicate_mod, reason = "see `journal/port.rs`")]
#[path = "../journal/schema.rs"]
mod schema;
#[expect(clippy::duplicate_mod, reason = "see `journal/port.rs`")]
#[path = "../journal/transfer.rs"]
mod transfer;
#[expect(clippy::duplicate_mod, reason = "see `journal/port.rs`")]
#[path = "../journal/write.rs"]
mod write;

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::Connection as _;
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
use super::seal::SealKey;
use super::sql;
use super::tables::Table;
use crate::ports::StoreError;

// What `journal` is written against, here for SQLite.
type Handle = Sqlite;
type Pool = SqlitePool;
type Connection = sqlx::SqliteConnection;
type Row = sqlx::sqlite::SqliteRow;

/// The files of `migrations/sqlite`; number n stands at place n - 1.
const MIGRATIONS: &[(&str, &str)] = &[
    ("journal", include_str!("../../../migrations/sqlite/0001_journal.sql")),
    ("mark", include_str!("../../../migrations/sqlite/0002_mark.sql")),
];
#[cfg(test)]
const MIGRATIONS_FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");

/// Tries of a connection that is refused at once, and the pause between them.
const OPENINGS: u32 = 40;
const BETWEEN_OPENINGS: Duration = Duration::from_millis(25);

/// How texts are ordered by their bytes: as they are anyway.
const BY_BYTES: &str = "";

/// Takes the write lock at once; a transaction that takes it later can fail in its middle.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a statement waits for another process's write, in real time.
    pub busy_timeout: Duration,
    /// Whether a store that is not there is made, with its directory.
    pub create: bool,
    /// Also one that has moved, or a copy that is not finished: for the store's care alone.
    pub any_standing: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), create: true, any_standing: false }
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
    file: (u64, u64),
    instance: String,
    any_standing: bool,
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
        // Before it is opened: should it be replaced in between, the lease is refused for nothing, and never given wrongly.
        let file = place::identity(path).map_err(|error| place::cannot("open the store", path, &error))?;
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
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }));
        let pool = patiently(|| pool.clone().connect_with(connect.clone())).await.map_err(fault::failed)?;
        let (instance, standing) = schema::found(&pool, &seal).await?;
        let any_standing = options.any_standing;
        if !any_standing {
            standing.live()?;
        }
        let [hold, leader] = Hold::ENDINGS.map(|ending| Hold::of(path, ending));
        Ok(Self { pool, seal, path: path.to_owned(), file, instance, any_standing, hold, leader })
    }

    /// Where it is, for people.
    pub fn place(&self) -> String {
        std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone()).display().to_string()
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
        begin_founding(&self.pool).await
    }

    /// A transaction that sees one state throughout.
    async fn begin_read(&self) -> Result<Transaction<'static, Engine>, StoreError> {
        self.pool.begin().await.map_err(fault::failed)
    }

    /// Empties the write-ahead log, where what was destroyed still stands sealed. The commit is durable either way,
    /// and a reader that is in the way for longer than the busy timeout only puts it off to the next time.
    async fn scrub(&self) {
        if let Err(error) = sqlx::query(sql::LOG_EMPTY).execute(&self.pool).await {
            tracing::debug!(%error, "the write-ahead log was not emptied; the next destruction tries again");
        }
    }

    /// After a preflight: the pages it took stay with the file, free, and so does the log, which is written from its
    /// start again: room for the secret that is about to come. A reader in the way (a busy answer, no error) only
    /// keeps the log growing.
    async fn keep_room(&self) -> Result<(), StoreError> {
        sqlx::query(sql::LOG_RESTART).execute(&self.pool).await.map(drop).map_err(fault::failed)
    }

    /// What the database's own check says is damaged.
    async fn damage(&self) -> Result<Vec<String>, StoreError> {
        let said: Vec<String> =
            sqlx::query_scalar(sql::INTEGRITY).fetch_all(&self.pool).await.map_err(fault::failed)?;
        Ok(said.into_iter().filter(|line| line != "ok").collect())
    }

    /// Bytes of the file.
    async fn bytes(&self) -> Result<u64, StoreError> {
        Ok(std::fs::metadata(&self.path).map_or(0, |found| found.len()))
    }
}

/// Connects, again while another process founds the same store: SQLite's switch to its log waits for nobody, whatever
/// the busy timeout says.
async fn patiently<T, F: Future<Output = Result<T, sqlx::Error>>>(connect: impl Fn() -> F) -> Result<T, sqlx::Error> {
    for _ in 0..OPENINGS {
        match connect().await {
            Err(error) if fault::is_busy(&error) => {
                // Real time: the other process is real.
                let _ = tokio::task::spawn_blocking(|| std::thread::sleep(BETWEEN_OPENINGS)).await;
            }
            other => return other,
        }
    }
    connect().await
}

/// One call of the port: on a disk it ends, one way or the other.
async fn call<T, F: Future<Output = Result<T, StoreError>>>(asked: impl Fn() -> F) -> Result<T, StoreError> {
    asked().await
}

/// A transaction in which schema and first facts are written.
async fn begin_founding(pool: &Pool) -> Result<Transaction<'static, Engine>, StoreError> {
    pool.begin_with(BEGIN).await.map_err(fault::failed)
}

/// Whether there are tables, and none of them ours.
async fn is_foreign(tx: &mut Connection) -> Result<bool, StoreError> {
    let (tables, ours): (i64, i64) = sqlx::query_as(sql::TABLES).fetch_one(tx).await.map_err(fault::failed)?;
    Ok(tables > 0 && ours == 0)
}

/// Nothing to do: the next number is the one after the last.
async fn go_on(_: &mut Connection, _: &Table) -> Result<(), StoreError> {
    Ok(())
}

/// The transaction has the write lock already.
async fn lock_head(_: &mut Connection) -> Result<(), StoreError> {
    Ok(())
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

    /// A table or a column that a later schema adds must go along when a store moves.
    #[tokio::test]
    async fn every_column_goes_along_when_a_store_moves() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root).await;
        let there: Vec<(String, String)> = sqlx::query_as(
            "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' \
             AND m.name NOT IN ('lease', 'preflight', 'schema_version') ORDER BY 1, 2",
        )
        .fetch_all(&store.pool)
        .await
        .unwrap();
        let mut listed: Vec<(String, String)> = Vec::new();
        for table in crate::store::tables::TABLES {
            listed.extend(table.columns.iter().map(|(column, _)| (table.name.to_owned(), (*column).to_owned())));
        }
        listed.sort();
        assert_eq!(listed, there);
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

//! The store on PostgreSQL: for several replicas, or where a machine's own disk does not last.
//!
//! Every write locks the row of the lease before anything else, so writes have one order, as on SQLite; under that lock
//! READ COMMITTED is enough, and no transaction is ever refused as not serializable. The clock of the server decides
//! whether a holder has died.

mod connect;
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
use std::time::Duration;

use sqlx::PgPool;
use sqlx::Postgres as Engine;
use sqlx::Transaction;

use super::fault;
use super::seal::SealKey;
use super::sql;
use super::standing::Standing;
use super::tables::Table;
use crate::ports::StoreError;

pub use connect::Server;

// What `journal` is written against, here for PostgreSQL.
type Handle = Postgres;
type Pool = PgPool;
type Connection = sqlx::PgConnection;
type Row = sqlx::postgres::PgRow;

/// The files of `migrations/postgres`; number n stands at place n - 1.
const MIGRATIONS: &[(&str, &str)] = &[
    ("journal", include_str!("../../../migrations/postgres/0001_journal.sql")),
    ("mark", include_str!("../../../migrations/postgres/0002_mark.sql")),
];
#[cfg(test)]
const MIGRATIONS_FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");

/// How long one call may take: less than a lease.
const ANSWER_WITHIN: Duration = Duration::from_secs(35);
/// How often the server is asked that took nothing of a call.
const TRIES: u32 = 5;

/// How texts are ordered by their bytes, whatever the language of the database.
const BY_BYTES: &str = "COLLATE \"C\"";

/// As the server begins it, whatever its own default is.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/// One state throughout.
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The journal in one PostgreSQL database.
///
/// Reading needs no lease. All handles on one database, on one machine or several, compete for the same leases. A
/// handle that is dropped gives back what it holds; one that is killed is waited for, a minute at most.
pub struct Postgres {
    /// One connection: writes have one order, and a read after a write sees it.
    pool: PgPool,
    /// One more, so that a lease is renewed while the first is busy.
    renewals: PgPool,
    seal: SealKey,
    instance: String,
    any_standing: bool,
    server: Server,
    holds: lease::Holds,
}

impl Postgres {
    /// Opens the store in the database of `server`, and founds it when it is new.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] and [`StoreError::Denied`] as the server answers; [`StoreError::Key`] when `seal` is
    /// not the key the store was founded with; [`StoreError::Failed`] when a newer everkey made its schema, the
    /// database is another program's, or the server does not keep what it acknowledges.
    pub async fn open(server: &Server, seal: SealKey) -> Result<Self, StoreError> {
        let (store, standing) = Self::found(server, seal, false).await?;
        standing.live()?;
        Ok(store)
    }

    /// The same also for one that has moved, or for a copy that is not finished: for the store's care alone.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub async fn open_any(server: &Server, seal: SealKey) -> Result<Self, StoreError> {
        Ok(Self::found(server, seal, true).await?.0)
    }

    async fn found(server: &Server, seal: SealKey, any_standing: bool) -> Result<(Self, Standing), StoreError> {
        server.probe().await?;
        let pool = server.pool();
        let (instance, standing) = schema::found(&pool, &seal).await?;
        let (renewals, server) = (server.pool(), server.clone());
        let holds = lease::Holds::default();
        Ok((Self { pool, renewals, seal, instance, any_standing, server, holds }, standing))
    }

    /// Whether a store was founded in the database.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub async fn is_there(server: &Server) -> Result<bool, StoreError> {
        let pool = server.pool();
        let there = sqlx::query_scalar(sql::PG_FOUNDED).fetch_one(&pool).await.map_err(fault::failed);
        pool.close().await;
        there
    }

    /// Where it is, for people: no password.
    pub fn place(&self) -> String {
        self.server.to_string()
    }

    /// A transaction for writing.
    async fn begin(&self) -> Result<Transaction<'static, Engine>, StoreError> {
        self.pool.begin_with(BEGIN).await.map_err(fault::failed)
    }

    /// A transaction that sees one state throughout.
    async fn begin_read(&self) -> Result<Transaction<'static, Engine>, StoreError> {
        self.pool.begin_with(BEGIN_READ).await.map_err(fault::failed)
    }

    /// What was destroyed is gone for every reader. The server overwrites it when it vacuums, and its log and backups
    /// keep it until they are removed: sealed, all of it.
    async fn scrub(&self) {}

    /// After a preflight: nothing to keep, the server's disk has just taken as much.
    async fn keep_room(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// PostgreSQL has no check that a client could ask for; what it cannot read fails when it is read.
    async fn damage(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// Bytes of the database.
    async fn bytes(&self) -> Result<u64, StoreError> {
        let bytes: i64 = sqlx::query_scalar(sql::PG_BYTES).fetch_one(&self.pool).await.map_err(fault::failed)?;
        super::record::unsigned("its size", bytes)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.holds.give_back(&self.server);
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("place", &self.place())
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

/// One call of the port. What the server says it took nothing of is asked again; a server that does not answer is given
/// up before the lease ends: what was being written is there as a whole or not at all, and whoever goes on takes the lease's
/// row first, which waits until that is decided.
async fn call<T, F: Future<Output = Result<T, StoreError>>>(asked: impl Fn() -> F) -> Result<T, StoreError> {
    let trying = async {
        for _ in 1..TRIES {
            match asked().await {
                Err(StoreError::Busy(why)) => {
                    tracing::warn!(why, "the server took nothing of a call; it is asked again")
                }
                answer => return answer,
            }
        }
        asked().await
    };
    tokio::time::timeout(ANSWER_WITHIN, trying).await.unwrap_or_else(|_| {
        Err(StoreError::Unreachable(format!("the server has not answered for {} seconds", ANSWER_WITHIN.as_secs())))
    })
}

/// A transaction in which schema and first facts are written, one process at a time.
async fn begin_founding(pool: &Pool) -> Result<Transaction<'static, Engine>, StoreError> {
    let mut tx = pool.begin_with(BEGIN).await.map_err(fault::failed)?;
    sqlx::query(sql::PG_FOUND_ALONE).execute(&mut *tx).await.map_err(fault::failed)?;
    Ok(tx)
}

/// Whether there are tables, and none of them ours.
async fn is_foreign(tx: &mut Connection) -> Result<bool, StoreError> {
    let (tables, ours): (i64, i64) = sqlx::query_as(sql::PG_TABLES).fetch_one(tx).await.map_err(fault::failed)?;
    Ok(tables > 0 && ours == 0)
}

/// Rows that were copied have numbers of their own: the next one goes on after them.
async fn go_on(tx: &mut Connection, table: &Table) -> Result<(), StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(table.go_on())).execute(tx).await.map(drop).map_err(fault::failed)
}

/// Keeps the end of the history to this transaction: a note takes no lease.
async fn lock_head(tx: &mut Connection) -> Result<(), StoreError> {
    sqlx::query(sql::PG_HEAD_LOCK).execute(tx).await.map(drop).map_err(fault::failed)
}

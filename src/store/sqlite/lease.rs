//! The right to write: the machine's lock first, then a new epoch in the store.

use std::io;

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::Sqlite;
use super::schema;
use crate::ports::Fence;
use crate::ports::StoreError;
use crate::store::fault;
use crate::store::fence;
use crate::store::hold::Attempt;
use crate::store::hold::Note;
use crate::store::place;
use crate::store::record;
use crate::store::sql;

/// Locks, and makes every earlier fence void.
pub(super) async fn acquire(store: &Sqlite, holder: &str, now: Timestamp) -> Result<Fence, StoreError> {
    let held = match store.hold.attempt(holder, now)? {
        Attempt::Held(held) => held,
        Attempt::Taken(note) => return Err(taken(store, note, now).await),
    };
    not_replaced(store)?;
    // Should this fail or be cancelled, `held` is dropped and the lock is free again.
    let epoch: i64 = sqlx::query_scalar(sql::LEASE_TAKE)
        .bind(holder)
        .bind(now.to_string())
        .fetch_one(&store.pool)
        .await
        .map_err(fault::failed)?;
    let epoch = record::unsigned("the epoch", epoch)?;
    schema::still_there(store).await?;
    store.hold.keep(epoch, held);
    // Whoever had it before may have been killed between destroying a value and emptying the log.
    store.scrub().await;
    Ok(Fence(epoch))
}

/// Whether the file of this handle still lies where it was opened. A restore that came between has set it aside, and what
/// is written there is lost; from now on the lock keeps every restore out.
fn not_replaced(store: &Sqlite) -> Result<(), StoreError> {
    match place::identity(&store.path) {
        Ok(file) if file == store.file => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(place::cannot("read", &store.path, &error)),
        _ => Err(StoreError::Failed(
            "the store was replaced since it was opened, by a restore for one: run the same command again".to_owned(),
        )),
    }
}

/// Locks the daemon's own lock; it ends with this handle. No epoch goes with it: it gives no right to write.
pub(super) async fn lead(store: &Sqlite, holder: &str, now: Timestamp) -> Result<(), StoreError> {
    match store.leader.attempt(holder, now)? {
        Attempt::Held(held) => {
            not_replaced(store)?;
            store.leader.keep(0, held);
        }
        Attempt::Taken(note) => {
            let note = note.unwrap_or_else(|| Note { holder: "another daemon".to_owned(), since: now });
            return Err(StoreError::Held { holder: note.holder, since: note.since });
        }
    }
    Ok(())
}

/// A lock on a file is nobody else's as long as it is held.
pub(super) fn is_overtaken(_store: &Sqlite) -> bool {
    false
}

/// Makes `fence` void and unlocks.
pub(super) async fn release(store: &Sqlite, fence: Fence) -> Result<(), StoreError> {
    let done = sqlx::query(sql::LEASE_GIVE).bind(fence::epoch(fence)?).execute(&store.pool).await;
    // Whatever the store said: this process writes no more under this fence.
    store.hold.release(fence.0);
    fence::found(done.map_err(fault::failed)?.rows_affected())
}

/// A round trip that fails unless `fence` is the current one.
pub(super) async fn check(store: &Sqlite, fence: Fence) -> Result<(), StoreError> {
    let current = sqlx::query(sql::LEASE_CHECK).bind(fence::epoch(fence)?).fetch_optional(&store.pool).await;
    fence::found(current.map_err(fault::failed)?.map_or(0, |_| 1))
}

/// Makes the rest of a transaction conditional on `fence`.
pub(super) async fn count(tx: &mut SqliteConnection, fence: Fence) -> Result<(), StoreError> {
    let done = sqlx::query(sql::LEASE_COUNT).bind(fence::epoch(fence)?).execute(tx).await.map_err(fault::failed)?;
    fence::found(done.rows_affected())
}

/// Who has the lock: as its file says, else as the store says.
async fn taken(store: &Sqlite, note: Option<Note>, now: Timestamp) -> StoreError {
    if let Some(Note { holder, since }) = note {
        return StoreError::Held { holder, since };
    }
    let row: Result<(Option<String>, Option<String>), _> =
        sqlx::query_as(sql::LEASE_HOLDER).fetch_one(&store.pool).await;
    match row {
        Ok((Some(holder), Some(since))) => StoreError::Held { holder, since: since.parse().unwrap_or(now) },
        // It has locked a moment ago and not yet said who it is.
        _ => StoreError::Held { holder: "another process".to_owned(), since: now },
    }
}

//! The rights to write and to be the daemon: rows with an epoch and an end by the server's clock.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::ConnectOptions as _;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::Connection;
use super::Postgres;
use super::Server;
use super::schema;
use crate::clock;
use crate::ports::Fence;
use crate::ports::StoreError;
use crate::store::fault;
use crate::store::fence;
use crate::store::record;
use crate::store::sql;

/// How long a lease lasts without being renewed.
const LEASE: Duration = Duration::from_secs(60);
/// How often it is renewed while it is held.
const RENEW_EVERY: Duration = Duration::from_secs(15);
/// Nothing is done outside unless this much is left: a call takes 20 seconds at most.
const LEFT_TO_ACT: Duration = Duration::from_secs(25);
/// How often a check is repeated whose answer came too late.
const CHECKS: u32 = 3;
/// How long a handle that is dropped tries to give back what it holds.
const GIVE_BACK_WITHIN: Duration = Duration::from_secs(3);

/// Row of the right to write.
const WRITE: i64 = 1;
/// Row of the right to be the daemon.
const LEAD: i64 = 2;
/// No epoch of a store.
const NONE: i64 = -1;

/// A lease, while it is held and renewed.
struct Hold {
    row: i64,
    epoch: i64,
    renewing: JoinHandle<()>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// The leases of one handle.
#[derive(Default)]
pub(super) struct Holds {
    held: Mutex<Vec<Hold>>,
    /// Epoch of the right to write whose release the server did not answer.
    left: Mutex<Option<i64>>,
}

impl Holds {
    fn lock(&self) -> MutexGuard<'_, Vec<Hold>> {
        // A panic elsewhere cannot leave this half-changed: each change is one call.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> MutexGuard<'_, Option<i64>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The epoch of `row`, if this handle holds it.
    fn epoch(&self, row: i64) -> Option<i64> {
        self.lock().iter().find(|hold| hold.row == row).map(|hold| hold.epoch)
    }

    fn keep(&self, pool: &PgPool, row: i64, epoch: i64) {
        let hold = Hold { row, epoch, renewing: tokio::spawn(renew_for_ever(pool.clone(), row, epoch)) };
        let mut held = self.lock();
        held.retain(|hold| hold.row != row);
        held.push(hold);
    }

    fn forget(&self, row: i64, epoch: i64) {
        self.lock().retain(|hold| (hold.row, hold.epoch) != (row, epoch));
    }

    /// Gives everything back, from wherever a handle is dropped. What does not succeed in time expires by itself.
    pub(super) fn give_back(&self, server: &Server) {
        let held: Vec<(i64, i64)> = self.lock().drain(..).map(|hold| (hold.row, hold.epoch)).collect();
        if held.is_empty() {
            return;
        }
        let options = server.options().clone();
        let giving = async move {
            let mut connection = options.connect().await?;
            for (row, epoch) in held {
                sqlx::query(sql::PG_LEASE_GIVE).bind(row).bind(epoch).execute(&mut connection).await?;
            }
            Ok::<_, sqlx::Error>(())
        };
        // A runtime cannot be waited for from within itself.
        let thread = std::thread::Builder::new().name("give-back".to_owned()).spawn(move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                let _ = runtime.block_on(async { tokio::time::timeout(GIVE_BACK_WITHIN, giving).await });
            }
        });
        if let Ok(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// A right to write that was taken, and that nobody knows of yet.
struct Taken<'a> {
    holds: &'a Holds,
    epoch: i64,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.holds.forget(WRITE, self.epoch);
        *self.holds.left() = Some(self.epoch);
    }
}

/// Takes the right to write, and makes every earlier fence void.
pub(super) async fn acquire(store: &Postgres, holder: &str, now: Timestamp) -> Result<Fence, StoreError> {
    // A daemon that was stopped for longer than its lease, and goes on, must not write in between another's cycles.
    if let Some(lead) = store.holds.epoch(LEAD) {
        renew(&store.pool, LEAD, lead).await?;
    }
    let own = store.holds.left().unwrap_or(NONE);
    let epoch = take(store, WRITE, holder, now, own).await?;
    *store.holds.left() = None;
    // Given up from here on (the server hangs), it is not renewed for ever, and the next try takes it as its own.
    let taken = Taken { holds: &store.holds, epoch };
    let there = schema::still_there(store).await;
    std::mem::forget(taken);
    if let Err(error) = there {
        release(store, Fence(record::unsigned("the epoch", epoch)?)).await?;
        return Err(error);
    }
    record::unsigned("the epoch", epoch).map(Fence)
}

/// Takes the right to be the daemon. It gives no right to write.
pub(super) async fn lead(store: &Postgres, holder: &str, now: Timestamp) -> Result<(), StoreError> {
    take(store, LEAD, holder, now, NONE).await.map(drop)
}

/// Whether the right to be the daemon is another's: its renewal ends with that.
pub(super) fn is_overtaken(store: &Postgres) -> bool {
    store.holds.lock().iter().any(|hold| hold.row == LEAD && hold.renewing.is_finished())
}

/// Makes `fence` void.
pub(super) async fn release(store: &Postgres, fence: Fence) -> Result<(), StoreError> {
    let epoch = fence::epoch(fence)?;
    // Whatever the server says: this process writes no more under this fence.
    store.holds.forget(WRITE, epoch);
    match sqlx::query(sql::PG_LEASE_GIVE).bind(WRITE).bind(epoch).execute(&store.pool).await {
        Ok(done) => fence::found(done.rows_affected()),
        Err(error) => {
            *store.holds.left() = Some(epoch);
            Err(fault::failed(error))
        }
    }
}

/// A round trip that fails unless `fence` is the current one, and leaves enough of the lease for one call.
pub(super) async fn check(store: &Postgres, fence: Fence) -> Result<(), StoreError> {
    let epoch = fence::epoch(fence)?;
    for _ in 0..CHECKS {
        // The lease begins anew after this instant, so what is left is at least what this clock says: it goes on while
        // the machine sleeps.
        let asked = clock::since_boot();
        renew(&store.pool, WRITE, epoch).await?;
        if clock::since_boot().saturating_sub(asked) < LEASE - LEFT_TO_ACT {
            return Ok(());
        }
    }
    Err(StoreError::Unreachable("the server answers too late to act in time".to_owned()))
}

/// Makes the rest of a transaction conditional on `fence`.
pub(super) async fn count(tx: &mut Connection, fence: Fence) -> Result<(), StoreError> {
    let count = sqlx::query(sql::PG_LEASE_COUNT).bind(LEASE.as_secs_f64()).bind(fence::epoch(fence)?);
    fence::found(count.execute(tx).await.map_err(fault::failed)?.rows_affected())
}

/// The next epoch of `row`, if it is free, expired, or `own`.
async fn take(store: &Postgres, row: i64, holder: &str, now: Timestamp, own: i64) -> Result<i64, StoreError> {
    let query = sqlx::query_scalar(sql::PG_LEASE_TAKE)
        .bind(holder)
        .bind(now.to_string())
        .bind(LEASE.as_secs_f64())
        .bind(row)
        .bind(own);
    let taken: Option<i64> = query.fetch_optional(&store.pool).await.map_err(fault::failed)?;
    let Some(epoch) = taken else { return Err(held(store, row, now).await) };
    store.holds.keep(&store.renewals, row, epoch);
    Ok(epoch)
}

async fn renew(pool: &PgPool, row: i64, epoch: i64) -> Result<(), StoreError> {
    let renew = sqlx::query(sql::PG_LEASE_RENEW).bind(LEASE.as_secs_f64()).bind(row).bind(epoch);
    fence::found(renew.execute(pool).await.map_err(fault::failed)?.rows_affected())
}

/// Renews until the lease is another's. A failure is only a beat that was missed.
async fn renew_for_ever(pool: PgPool, row: i64, epoch: i64) {
    let mut beat = tokio::time::interval(RENEW_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first comes at once, and the lease is new.
    beat.tick().await;
    loop {
        beat.tick().await;
        match super::call(|| renew(&pool, row, epoch)).await {
            Ok(()) => {}
            Err(StoreError::Fenced) => return,
            Err(error) => tracing::debug!(%error, "the lease was not renewed; the next beat tries again"),
        }
    }
}

/// Who has it.
async fn held(store: &Postgres, row: i64, now: Timestamp) -> StoreError {
    let row: Result<(Option<String>, Option<String>), _> =
        sqlx::query_as(sql::PG_LEASE_HOLDER).bind(row).fetch_one(&store.pool).await;
    match row {
        Ok((Some(holder), Some(since))) => StoreError::Held { holder, since: since.parse().unwrap_or(now) },
        // It was given back meanwhile.
        _ => StoreError::Held { holder: "another process".to_owned(), since: now },
    }
}

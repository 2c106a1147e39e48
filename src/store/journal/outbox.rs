//! The outbox: notices committed with what they tell of, and their way out.

use jiff::Timestamp;
use sqlx::Row as _;

use super::Handle;
use super::Row;
use super::history;
use super::lease;
use crate::model::Notice;
use crate::ports::Fence;
use crate::ports::Outgoing;
use crate::ports::StoreError;
use crate::store::fault;
use crate::store::record;
use crate::store::sql;

/// Characters kept of why a try failed.
const WHY_CHARS: usize = 500;

/// All notices, or those that `statement` selects.
pub(super) async fn list(store: &Handle, statement: &'static str) -> Result<Vec<Outgoing>, StoreError> {
    let rows = sqlx::query(statement).fetch_all(&store.pool).await.map_err(fault::failed)?;
    rows.iter().map(outgoing).collect()
}

/// Marks a notice as sent. One that is marked already stays as it is, and the history says it once.
pub(super) async fn mark_sent(store: &Handle, fence: Fence, key: &str, at: Timestamp) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    lease::count(&mut tx, fence).await?;
    let body: Option<String> =
        sqlx::query_scalar(sql::OUTBOX_ONE).bind(key).fetch_optional(&mut *tx).await.map_err(fault::failed)?;
    let notice: Notice = record::read("a notice", &body.ok_or_else(|| unknown(key))?)?;
    let marked = sqlx::query(sql::OUTBOX_SENT).bind(at.to_string()).bind(key).execute(&mut *tx).await;
    if marked.map_err(fault::failed)?.rows_affected() == 1 {
        let entry = record::mail_sent(&notice);
        history::add(&mut tx, &store.seal, at, "everkey", &entry, None, None).await?;
    }
    tx.commit().await.map_err(fault::failed)
}

/// Counts a failed try, and keeps why.
pub(super) async fn mark_failed(store: &Handle, fence: Fence, key: &str, why: &str) -> Result<(), StoreError> {
    let why: String = why.chars().take(WHY_CHARS).collect();
    let mut tx = store.begin().await?;
    lease::count(&mut tx, fence).await?;
    let known = sqlx::query(sql::OUTBOX_ONE).bind(key).fetch_optional(&mut *tx).await.map_err(fault::failed)?;
    known.ok_or_else(|| unknown(key))?;
    sqlx::query(sql::OUTBOX_FAILED).bind(why).bind(key).execute(&mut *tx).await.map_err(fault::failed)?;
    tx.commit().await.map_err(fault::failed)
}

fn outgoing(row: &Row) -> Result<Outgoing, StoreError> {
    let body: String = row.try_get("body").map_err(fault::failed)?;
    let created: String = row.try_get("created").map_err(fault::failed)?;
    let sent: Option<String> = row.try_get("sent").map_err(fault::failed)?;
    let tries: i64 = row.try_get("tries").map_err(fault::failed)?;
    Ok(Outgoing {
        notice: record::read("a notice", &body)?,
        created: record::instant("a notice", &created)?,
        sent: sent.map(|sent| record::instant("a notice", &sent)).transpose()?,
        tries: u32::try_from(tries).map_err(|error| fault::damaged("a notice", error))?,
    })
}

fn unknown(key: &str) -> StoreError {
    StoreError::Failed(format!("no notice has the key {key}"))
}

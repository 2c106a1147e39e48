//! One database's side of a move: read page by page, filled in one transaction, marked.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::Row as _;

use super::Connection;
use super::Handle;
use super::Row;
use super::history;
use super::lease;
use super::schema;
use crate::model::Entry;
use crate::model::Rotation;
use crate::ports::Fence;
use crate::ports::StoreError;
use crate::store::examined::Examined;
use crate::store::fault;
use crate::store::record;
use crate::store::seal::SealKey;
use crate::store::sql;
use crate::store::standing::ARRIVING;
use crate::store::standing::CAME;
use crate::store::standing::MOVED;
use crate::store::standing::Move;
use crate::store::standing::Standing;
use crate::store::tables::Cell;
use crate::store::tables::Kind;
use crate::store::tables::TABLES;
use crate::store::tables::Table;
use crate::store::transfer::Care;
use crate::store::transfer::Heard;
use crate::store::transfer::PAGE;
use crate::store::transfer::Reading;

#[async_trait]
impl Care for Handle {
    fn place(&self) -> String {
        Handle::place(self)
    }

    async fn standing(&self) -> Result<Standing, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(fault::failed)?;
        schema::standing(&mut connection).await
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        let used: i64 = sqlx::query_scalar(sql::IS_USED).fetch_one(&self.pool).await.map_err(fault::failed)?;
        Ok(used == 0)
    }

    async fn examined(&self) -> Result<Examined, StoreError> {
        self.examine().await
    }

    fn is_sealed_under(&self, key: &SealKey) -> bool {
        self.seal.id() == key.id()
    }

    async fn reseal(
        &self,
        fence: Fence,
        new: &SealKey,
        at: Timestamp,
        actor: &str,
        entry: &Entry,
    ) -> Result<usize, StoreError> {
        Handle::reseal(self, fence, new, at, actor, entry).await
    }

    async fn announce(&self, fence: Fence, at: Timestamp, actor: &str, entry: &Entry) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        lease::count(&mut tx, fence).await?;
        history::add(&mut tx, &self.seal, at, actor, entry, None, None).await?;
        tx.commit().await.map_err(fault::failed)
    }

    async fn take_in(&self, fence: Fence, from: &dyn Care, moving: &Move, heard: Heard<'_>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        lease::count(&mut tx, fence).await?;
        super::lock_head(&mut tx).await?;
        for table in TABLES {
            sqlx::query(AssertSqlSafe(table.clear())).execute(&mut *tx).await.map_err(fault::failed)?;
            let mut reading = Reading::of(from, table);
            while let Some(rows) = reading.next().await? {
                heard(table.name, reading.done);
                for row in rows {
                    add(&mut tx, table, row).await?;
                }
            }
            if table.is_numbered() {
                super::go_on(&mut tx, table).await?;
            }
        }
        set(&mut tx, ARRIVING, moving).await?;
        tx.commit().await.map_err(fault::failed)
    }

    async fn leave(&self, fence: Fence, moving: &Move, head: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        lease::count(&mut tx, fence).await?;
        super::lock_head(&mut tx).await?;
        let (_, now): (i64, String) =
            sqlx::query_as(sql::HEAD_READ).fetch_one(&mut *tx).await.map_err(fault::failed)?;
        if now != head {
            return Err(StoreError::Busy("something was noted in the store while it was copied".to_owned()));
        }
        set(&mut tx, MOVED, moving).await?;
        tx.commit().await.map_err(fault::failed)
    }

    async fn arrive(
        &self,
        fence: Fence,
        moving: &Move,
        at: Timestamp,
        actor: &str,
        entry: &Entry,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        lease::count(&mut tx, fence).await?;
        forget(&mut tx, ARRIVING).await?;
        set(&mut tx, CAME, moving).await?;
        history::add(&mut tx, &self.seal, at, actor, entry, None, None).await?;
        tx.commit().await.map_err(fault::failed)
    }

    async fn claim(
        &self,
        fence: Fence,
        skip: u32,
        at: Timestamp,
        actor: &str,
        entry: &Entry,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        lease::count(&mut tx, fence).await?;
        skip_numbers(&mut tx, skip).await?;
        for fact in [ARRIVING, CAME, MOVED] {
            forget(&mut tx, fact).await?;
        }
        history::add(&mut tx, &self.seal, at, actor, entry, None, None).await?;
        tx.commit().await.map_err(fault::failed)
    }

    async fn page(&self, table: &'static Table, after: usize) -> Result<Vec<Vec<Cell>>, StoreError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let query = sqlx::query(AssertSqlSafe(table.page(super::BY_BYTES))).bind(PAGE).bind(after);
        let rows = query.fetch_all(&self.pool).await.map_err(fault::failed)?;
        rows.iter().map(|row| cells(row, table).map_err(|error| fault::damaged(table.name, error))).collect()
    }

    async fn rows(&self, table: &'static Table) -> Result<u64, StoreError> {
        let query = sqlx::query_scalar(AssertSqlSafe(table.count()));
        let rows: i64 = query.fetch_one(&self.pool).await.map_err(fault::failed)?;
        record::unsigned(table.name, rows)
    }
}

/// Numbers given since a copy of the store was made are never given again: no tag of a rotation that it does not know
/// can then be taken for one of the journal's.
pub(super) async fn skip_numbers(tx: &mut Connection, by: u32) -> Result<(), StoreError> {
    let skip = sqlx::query(sql::COUNTERS_SKIP).bind(i64::from(by));
    skip.execute(&mut *tx).await.map_err(fault::failed)?;
    let open: Vec<String> =
        sqlx::query_scalar(sql::ROTATION_UNFINISHED).fetch_all(&mut *tx).await.map_err(fault::failed)?;
    for body in open {
        let mut rotation: Rotation = record::read("a rotation", &body)?;
        let known = rotation.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0);
        rotation.forgotten = known.max(rotation.forgotten).saturating_add(by);
        let body = record::write("a rotation", &rotation)?;
        let change = sqlx::query(sql::ROTATION_BODY).bind(body).bind(record::signed(rotation.id.0)?);
        change.execute(&mut *tx).await.map_err(fault::failed)?;
    }
    Ok(())
}

fn cells(row: &Row, table: &Table) -> Result<Vec<Cell>, sqlx::Error> {
    let cell = |(place, (_, kind)): (usize, &(_, Kind))| {
        Ok(match kind {
            Kind::Bytes => Cell::Bytes(row.try_get(place)?),
            Kind::Number => Cell::Number(row.try_get(place)?),
            Kind::Text => Cell::Text(row.try_get(place)?),
        })
    };
    table.columns.iter().enumerate().map(cell).collect()
}

async fn add(tx: &mut Connection, table: &Table, row: Vec<Cell>) -> Result<(), StoreError> {
    let mut query = sqlx::query(AssertSqlSafe(table.add()));
    for cell in row {
        query = match cell {
            Cell::Bytes(value) => query.bind(value),
            Cell::Number(value) => query.bind(value),
            Cell::Text(value) => query.bind(value),
        };
    }
    query.execute(tx).await.map(drop).map_err(fault::failed)
}

async fn set(tx: &mut Connection, fact: &str, moving: &Move) -> Result<(), StoreError> {
    let set = sqlx::query(sql::META_SET).bind(fact).bind(record::write("a move of the store", moving)?);
    set.execute(tx).await.map(drop).map_err(fault::failed)
}

async fn forget(tx: &mut Connection, fact: &str) -> Result<(), StoreError> {
    sqlx::query(sql::META_DROP).bind(fact).execute(tx).await.map(drop).map_err(fault::failed)
}

//! The history: appended within a commit's transaction, read, and verified.

use jiff::Timestamp;
use sqlx::Row as _;

use super::Connection;
use super::Handle;
use super::Row;
use crate::model::ChainLink;
use crate::model::Entry;
use crate::model::IntegrationName;
use crate::model::Recorded;
use crate::model::RotationId;
use crate::ports::Commit;
use crate::ports::StoreError;
use crate::store::chain::GENESIS;
use crate::store::chain::Link;
use crate::store::fault;
use crate::store::record;
use crate::store::seal::SealKey;
use crate::store::sql;

/// A row: the link, its hash, the store's mark.
struct Stored {
    link: Link,
    hash: String,
    mac: String,
}

/// Appends the entries of `commit`. Those about its rotations carry that rotation's state and version.
pub(super) async fn append(tx: &mut Connection, seal: &SealKey, commit: &Commit) -> Result<(), StoreError> {
    for entry in &commit.entries {
        let moved = commit.rotation.iter().chain(&commit.closes).find(|rotation| entry.rotation == Some(rotation.id));
        let state = moved.map(|rotation| record::name("a rotation's state", &rotation.state)).transpose()?;
        let version = moved.map(|rotation| record::signed(rotation.version)).transpose()?;
        add(tx, seal, commit.at, &commit.actor, entry, state, version).await?;
    }
    Ok(())
}

/// Appends one entry.
pub(super) async fn add(
    tx: &mut Connection,
    seal: &SealKey,
    at: Timestamp,
    actor: &str,
    entry: &Entry,
    state: Option<String>,
    version: Option<i64>,
) -> Result<(), StoreError> {
    // Without the right to write (a note) this is what keeps two links from the same place.
    super::lock_head(tx).await?;
    let (last, previous): (i64, String) =
        sqlx::query_as(sql::HEAD_READ).fetch_one(&mut *tx).await.map_err(fault::failed)?;
    let link = Link {
        seq: last + 1,
        at: at.to_string(),
        actor: actor.to_owned(),
        integration: entry.integration.as_ref().map(|name| name.0.clone()),
        rotation: entry.rotation.map(|id| record::signed(id.0)).transpose()?,
        state,
        version,
        kind: entry.kind.clone(),
        text: entry.text.clone(),
        body: record::write("a history entry", &entry.body)?,
    };
    let hash = link.hash(&previous);
    let mac = seal.mark(&hash);
    sqlx::query(sql::HEAD_MOVE).bind(link.seq).bind(hash.clone()).execute(&mut *tx).await.map_err(fault::failed)?;
    sqlx::query(sql::HISTORY_ADD)
        .bind(link.seq)
        .bind(link.at)
        .bind(link.actor)
        .bind(link.integration)
        .bind(link.rotation)
        .bind(link.state)
        .bind(link.version)
        .bind(link.kind)
        .bind(link.text)
        .bind(link.body)
        .bind(hash)
        .bind(mac)
        .execute(tx)
        .await
        .map(drop)
        .map_err(fault::failed)
}

/// Entries of one integration, or all.
pub(super) async fn read(store: &Handle, integration: Option<&IntegrationName>) -> Result<Vec<Recorded>, StoreError> {
    let rows = rows(store, integration).await?;
    rows.iter().map(|row| recorded(stored(row).map_err(|error| fault::damaged("the history", error))?)).collect()
}

/// Entries from `first` to `last`, as their hashes cover them.
pub(super) async fn links(store: &Handle, first: u64, last: u64) -> Result<Vec<ChainLink>, StoreError> {
    let (first, last) = (record::signed(first)?, record::signed(last)?);
    let mut links = Vec::new();
    for row in &rows(store, None).await? {
        let Stored { link, hash, .. } = stored(row).map_err(|error| fault::damaged("the history", error))?;
        if (first..=last).contains(&link.seq) {
            links.push(link.shown(hash));
        }
    }
    Ok(links)
}

/// The first entry that does not fit: changed, missing, moved, or not written by this store.
pub(super) async fn verify(store: &Handle) -> Result<Option<u64>, StoreError> {
    // One transaction, so that an entry added meanwhile is in both answers or in neither.
    let mut tx = store.begin_read().await?;
    let rows = sqlx::query(sql::HISTORY_OF).bind(None::<String>).fetch_all(&mut *tx).await.map_err(fault::failed)?;
    let head: Option<(i64, String)> = sqlx::query_as(sql::HEAD_READ).fetch_optional(&mut *tx).await.unwrap_or(None);
    tx.rollback().await.map_err(fault::failed)?;

    let mut expected = 1;
    let mut previous = GENESIS.to_owned();
    for row in &rows {
        // A column that does not even decode was not written by us.
        let fits = stored(row).is_ok_and(|row| {
            row.link.seq == expected
                && row.hash == row.link.hash(&previous)
                && row.mac == store.seal.mark(&row.hash)
                && {
                    previous = row.hash;
                    true
                }
        });
        if !fits {
            return Ok(Some(record::unsigned("the history", expected)?));
        }
        expected += 1;
    }
    if head == Some((expected - 1, previous)) { Ok(None) } else { Ok(Some(record::unsigned("the history", expected)?)) }
}

/// Number and hash of every entry.
pub(super) async fn hashes(tx: &mut Connection) -> Result<Vec<(i64, String)>, StoreError> {
    let rows = sqlx::query(sql::HISTORY_OF).bind(None::<String>).fetch_all(tx).await.map_err(fault::failed)?;
    rows.iter()
        .map(|row| Ok((row.try_get("seq")?, row.try_get("hash")?)))
        .collect::<Result<_, _>>()
        .map_err(fault::failed)
}

async fn rows(store: &Handle, integration: Option<&IntegrationName>) -> Result<Vec<Row>, StoreError> {
    let name = integration.map(IntegrationName::as_str);
    sqlx::query(sql::HISTORY_OF).bind(name).fetch_all(&store.pool).await.map_err(fault::failed)
}

fn stored(row: &Row) -> Result<Stored, sqlx::Error> {
    Ok(Stored {
        link: Link {
            seq: row.try_get("seq")?,
            at: row.try_get("at")?,
            actor: row.try_get("actor")?,
            integration: row.try_get("integration")?,
            rotation: row.try_get("rotation")?,
            state: row.try_get("state")?,
            version: row.try_get("version")?,
            kind: row.try_get("kind")?,
            text: row.try_get("text")?,
            body: row.try_get("body")?,
        },
        hash: row.try_get("hash")?,
        mac: row.try_get("mac")?,
    })
}

fn recorded(Stored { link, hash, .. }: Stored) -> Result<Recorded, StoreError> {
    let what = format!("history entry {}", link.seq);
    Ok(Recorded {
        seq: record::unsigned(&what, link.seq)?,
        at: record::instant(&what, &link.at)?,
        actor: link.actor,
        entry: Entry {
            integration: link.integration.map(IntegrationName),
            rotation: link.rotation.map(|id| record::unsigned(&what, id).map(RotationId)).transpose()?,
            kind: link.kind,
            text: link.text,
            body: record::read(&what, &link.body)?,
        },
        hash,
    })
}

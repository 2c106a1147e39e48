//! Care of the store: examined, copied while in use, sealed under another key.

use std::collections::BTreeSet;
use std::fs::File;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::Sqlite;
use super::history;
use super::lease;
use super::write;
use crate::model::AppRef;
use crate::model::Entry;
use crate::model::Rotation;
use crate::model::SealId;
use crate::ports::Fence;
use crate::ports::StoreError;
use crate::secret::Secret;
use crate::store::fault;
use crate::store::place;
use crate::store::record;
use crate::store::seal::SealKey;
use crate::store::sql;

/// What an examination found.
#[derive(Clone, Debug, Default)]
pub struct Examined {
    /// What SQLite says is damaged; empty when nothing is.
    pub damage: Vec<String>,
    /// The first entry of the history that does not fit.
    pub broken_at: Option<u64>,
    /// Entries of the history.
    pub entries: u64,
    /// Hash of the last one.
    pub head: String,
    /// Sealed values.
    pub sealed: usize,
    /// Those that do not open.
    pub unopened: Vec<SealId>,
    /// Bytes of the store's file.
    pub bytes: u64,
}

impl Examined {
    /// Whether everything is as it should be.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.broken_at.is_none() && self.unopened.is_empty()
    }
}

/// A sealed value as it stands.
struct Sealed {
    id: SealId,
    body: Vec<u8>,
    /// Applications it may belong to: those with its object id.
    apps: Vec<AppRef>,
}

impl Sqlite {
    /// Reads everything: the database's own check, the chain of the history, every sealed value.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when it cannot even be read.
    pub async fn examine(&self) -> Result<Examined, StoreError> {
        let said: Vec<String> =
            sqlx::query_scalar(sql::INTEGRITY).fetch_all(&self.pool).await.map_err(fault::failed)?;
        let damage: Vec<String> = said.into_iter().filter(|line| line != "ok").collect();
        let (entries, head): (i64, String) =
            sqlx::query_as(sql::HEAD_READ).fetch_one(&self.pool).await.map_err(fault::failed)?;
        let mut connection = self.pool.acquire().await.map_err(fault::failed)?;
        let all = sealed(&mut connection).await?;
        drop(connection);
        let unopened = all.iter().filter(|one| open(&self.seal, one).is_none()).map(|one| one.id.clone()).collect();
        Ok(Examined {
            damage,
            broken_at: history::verify(self).await?,
            entries: record::unsigned("the history", entries)?,
            head,
            sealed: all.len(),
            unopened,
            bytes: std::fs::metadata(&self.path).map_or(0, |found| found.len()),
        })
    }

    /// Copies the whole store into the new file `to`, mode 0600, while others may read and write it.
    ///
    /// # Errors
    /// [`StoreError::Failed`]; an existing file is never written to, and a copy that failed is taken away.
    pub async fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        let name = to.to_str().ok_or_else(|| StoreError::Failed("the name of a backup must be text".to_owned()))?;
        // SQLite takes an empty file for a new one: made here, it is private from its first instant.
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(place::FILE_MODE)
            .open(to)
            .map_err(|error| place::cannot("make the backup", to, &error))?;
        let copied = sqlx::query(sql::COPY_INTO).bind(name).execute(&self.pool).await.map_err(fault::failed);
        let kept = copied.and_then(|_| {
            File::open(to)
                .and_then(|file| file.sync_all())
                .and_then(|()| File::open(place::directory(to))?.sync_all())
                .map_err(|error| place::cannot("save the backup", to, &error))
        });
        if kept.is_err() {
            // Half a backup is worse than none; what led here is what matters.
            let _ = std::fs::remove_file(to);
        }
        kept
    }

    /// Appends to the history without the right to write: touches nothing that a fence guards.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn note(&self, at: Timestamp, actor: &str, entry: &Entry) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        history::add(&mut tx, &self.seal, at, actor, entry, None, None).await?;
        tx.commit().await.map_err(fault::failed)
    }

    /// Seals every value and marks every entry under `new`, in one transaction: until it is committed the store
    /// belongs to the present key, from then on to the new one. Returns how many values there were.
    ///
    /// # Errors
    /// [`StoreError::Unseal`] when a value does not open, [`StoreError::Failed`] when the history was tampered with
    /// (a new mark would hide that) or the store cannot be written: then nothing has changed.
    pub async fn reseal(
        &self,
        fence: Fence,
        new: &SealKey,
        at: Timestamp,
        actor: &str,
        entry: &Entry,
    ) -> Result<usize, StoreError> {
        if let Some(seq) = history::verify(self).await? {
            return Err(StoreError::Failed(format!(
                "the history breaks at entry {seq}: sealing it anew would hide that; see `everkey history verify`"
            )));
        }
        let mut tx = self.begin().await?;
        lease::count(&mut tx, fence).await?;
        let all = sealed(&mut tx).await?;
        for one in &all {
            let (app, value) = open(&self.seal, one).ok_or_else(|| StoreError::Unseal(one.id.clone()))?;
            let body = new.seal(&one.id, app, &value)?;
            let change = sqlx::query(sql::SEALED_CHANGE).bind(body).bind(one.id.as_str());
            change.execute(&mut *tx).await.map_err(fault::failed)?;
        }
        for (seq, hash) in history::hashes(&mut tx).await? {
            let mark = sqlx::query(sql::HISTORY_MARK).bind(new.mark(&hash)).bind(seq);
            mark.execute(&mut *tx).await.map_err(fault::failed)?;
        }
        let change = sqlx::query(sql::META_CHANGE).bind(new.id()).bind("seal_key");
        change.execute(&mut *tx).await.map_err(fault::failed)?;
        history::add(&mut tx, new, at, actor, entry, None, None).await?;
        tx.commit().await.map_err(fault::failed)?;
        // What was sealed under the former key still stands in the log.
        write::scrub(self).await;
        Ok(all.len())
    }

    /// Makes a copy that was put in a store's place safe to go on from: numbers given since it was made are never
    /// given again, so no tag of a lost rotation can be taken for one of the journal's.
    pub(in crate::store) async fn skip_numbers(&self, by: u32) -> Result<(), StoreError> {
        let skip = sqlx::query(sql::COUNTERS_SKIP).bind(i64::from(by));
        skip.execute(&self.pool).await.map_err(fault::failed)?;
        let open: Vec<String> =
            sqlx::query_scalar(sql::ROTATION_UNFINISHED).fetch_all(&self.pool).await.map_err(fault::failed)?;
        for body in open {
            let mut rotation: Rotation = record::read("a rotation", &body)?;
            let known = rotation.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0);
            rotation.forgotten = known.max(rotation.forgotten).saturating_add(by);
            let body = record::write("a rotation", &rotation)?;
            let change = sqlx::query(sql::ROTATION_BODY).bind(body).bind(record::signed(rotation.id.0)?);
            change.execute(&self.pool).await.map_err(fault::failed)?;
        }
        Ok(())
    }

    /// Empties the log into the file and closes it.
    pub(in crate::store) async fn settle(self) {
        write::scrub(&self).await;
        self.close().await;
    }

    /// Whether `key` is the one this store is sealed under.
    pub fn is_sealed_under(&self, key: &SealKey) -> bool {
        self.seal.id() == key.id()
    }
}

/// All sealed values, with the applications they may belong to.
async fn sealed(connection: &mut SqliteConnection) -> Result<Vec<Sealed>, StoreError> {
    let bodies: Vec<String> =
        sqlx::query_scalar(sql::ROTATION_ALL).fetch_all(&mut *connection).await.map_err(fault::failed)?;
    let mut apps: BTreeSet<(String, String, String)> = BTreeSet::new();
    for body in &bodies {
        let rotation: Rotation = record::read("a rotation", body)?;
        let app = rotation.app;
        apps.insert((app.object_id.0, app.tenant_id.0, app.client_id.0));
    }
    let rows: Vec<(String, String, Vec<u8>)> =
        sqlx::query_as(sql::SEALED_ALL).fetch_all(&mut *connection).await.map_err(fault::failed)?;
    let with_apps = |(id, object_id, body): (String, String, Vec<u8>)| Sealed {
        id: id.into(),
        body,
        apps: apps
            .iter()
            .filter(|(object, ..)| *object == object_id)
            .map(|(object, tenant, client)| AppRef {
                tenant_id: tenant.as_str().into(),
                object_id: object.as_str().into(),
                client_id: client.as_str().into(),
            })
            .collect(),
    };
    Ok(rows.into_iter().map(with_apps).collect())
}

/// The value, and the application it is bound to.
fn open<'a>(seal: &SealKey, sealed: &'a Sealed) -> Option<(&'a AppRef, Secret)> {
    sealed.apps.iter().find_map(|app| Some((app, seal.open(&sealed.id, app, &sealed.body).ok()?)))
}

//! Care of the store on any database: examined, noted in, sealed under another key.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Connection;
use super::Handle;
use super::history;
use super::lease;
use super::schema;
use crate::model::AppRef;
use crate::model::Entry;
use crate::model::Rotation;
use crate::model::SealId;
use crate::ports::Fence;
use crate::ports::StoreError;
use crate::secret::Secret;
use crate::store::examined::Examined;
use crate::store::fault;
use crate::store::record;
use crate::store::seal::SealKey;
use crate::store::sql;

/// A sealed value as it stands.
struct Sealed {
    id: SealId,
    body: Vec<u8>,
    /// Applications it may belong to: those with its object id.
    apps: Vec<AppRef>,
}

impl Handle {
    /// Reads everything: the database's own check, the chain of the history, every sealed value.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when it cannot even be read.
    pub async fn examine(&self) -> Result<Examined, StoreError> {
        let damage = self.damage().await?;
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
            bytes: self.bytes().await?,
        })
    }

    /// Appends to the history without the right to write: touches nothing that a fence guards.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn note(&self, at: Timestamp, actor: &str, entry: &Entry) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        super::lock_head(&mut tx).await?;
        schema::standing(&mut tx).await?.live()?;
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
        super::lock_head(&mut tx).await?;
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
        self.scrub().await;
        Ok(all.len())
    }
}

/// All sealed values, with the applications they may belong to.
async fn sealed(connection: &mut Connection) -> Result<Vec<Sealed>, StoreError> {
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

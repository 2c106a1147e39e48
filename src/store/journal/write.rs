//! The commit: one transaction for everything that a step writes.

use super::Connection;
use super::Handle;
use super::history;
use super::lease;
use crate::model::OwnCredential;
use crate::model::Rotation;
use crate::model::SealId;
use crate::ports::Commit;
use crate::ports::Fence;
use crate::ports::SealItem;
use crate::ports::StoreError;
use crate::secret::Secret;
use crate::store::fault;
use crate::store::fence;
use crate::store::record;
use crate::store::seal::SealKey;
use crate::store::sql;

/// As large as the largest secret value kept: a PFX with a chain.
const PREFLIGHT_BYTES: usize = 64 * 1024;

/// Writes all of `commit`, or nothing of it.
pub(super) async fn commit(store: &Handle, fence: Fence, commit: &Commit) -> Result<(), StoreError> {
    let destroys = !commit.destroy.is_empty();
    let mut tx = store.begin().await?;
    lease::count(&mut tx, fence).await?;
    // What is closed first: one open rotation per slot holds within the transaction as well.
    for rotation in commit.closes.iter().chain(&commit.rotation) {
        put_rotation(&mut tx, rotation).await?;
    }
    for id in &commit.destroy {
        sqlx::query(sql::SEALED_DESTROY).bind(id.as_str()).execute(&mut *tx).await.map_err(fault::failed)?;
    }
    for item in &commit.seal {
        put_sealed(&mut tx, &store.seal, item).await?;
    }
    for credential in &commit.credentials {
        put_credential(&mut tx, credential).await?;
    }
    for handoff in &commit.handoffs {
        let body = record::write("a hand-off", handoff)?;
        let put = sqlx::query(sql::HANDOFF_PUT).bind(handoff.id.as_str()).bind(body);
        put.execute(&mut *tx).await.map_err(fault::failed)?;
    }
    for notice in &commit.notices {
        let body = record::write("a notice", notice)?;
        let add = sqlx::query(sql::OUTBOX_ADD).bind(&notice.key).bind(commit.at.to_string()).bind(body);
        add.execute(&mut *tx).await.map_err(fault::failed)?;
    }
    for integration in &commit.integrations {
        let body = record::write("an integration", integration)?;
        let put = sqlx::query(sql::INTEGRATION_PUT).bind(integration.name.as_str()).bind(body);
        put.execute(&mut *tx).await.map_err(fault::failed)?;
    }
    for acknowledgement in &commit.acknowledgements {
        let body = record::write("an acknowledgement", acknowledgement)?;
        sqlx::query(sql::ACKNOWLEDGEMENT_ADD).bind(body).execute(&mut *tx).await.map_err(fault::failed)?;
    }
    for (key_id, at, request_id) in &commit.sign_ins {
        let add = sqlx::query(sql::SIGN_IN_ADD).bind(key_id.as_str()).bind(at.to_string()).bind(request_id.as_deref());
        add.execute(&mut *tx).await.map_err(fault::failed)?;
    }
    for mark in &commit.marks {
        let query = match &mark.body {
            Some(body) => sqlx::query(sql::MARK_PUT).bind(&mark.name).bind(body),
            None => sqlx::query(sql::MARK_DROP).bind(&mark.name),
        };
        query.execute(&mut *tx).await.map_err(fault::failed)?;
    }
    history::append(&mut tx, &store.seal, commit).await?;
    tx.commit().await.map_err(fault::failed)?;
    if destroys {
        store.scrub().await;
    }
    Ok(())
}

/// Writes a row of the size of a secret to the disk, opens it again, and removes it.
pub(super) async fn preflight(store: &Handle, fence: Fence) -> Result<(), StoreError> {
    let id = SealId::from("preflight");
    let app = crate::model::AppRef { tenant_id: "".into(), object_id: "".into(), client_id: "".into() };
    let value = Secret::new(vec![0x5a; PREFLIGHT_BYTES]);
    let mut tx = store.begin().await?;
    lease::count(&mut tx, fence).await?;
    let sealed = store.seal.seal(&id, &app, &value)?;
    sqlx::query(sql::PREFLIGHT_PUT).bind(sealed).execute(&mut *tx).await.map_err(fault::failed)?;
    tx.commit().await.map_err(fault::failed)?;

    let mut tx = store.begin().await?;
    lease::count(&mut tx, fence).await?;
    let sealed: Vec<u8> = sqlx::query_scalar(sql::PREFLIGHT_READ).fetch_one(&mut *tx).await.map_err(fault::failed)?;
    if store.seal.open(&id, &app, &sealed)?.fingerprint() != value.fingerprint() {
        return Err(StoreError::Unseal(id));
    }
    sqlx::query(sql::PREFLIGHT_DROP).execute(&mut *tx).await.map_err(fault::failed)?;
    tx.commit().await.map_err(fault::failed)?;
    store.keep_room().await
}

/// The next number of `counter`, durable before it is given.
pub(super) async fn next(store: &Handle, fence: Fence, counter: &str) -> Result<u64, StoreError> {
    let mut tx = store.begin().await?;
    lease::count(&mut tx, fence).await?;
    let number: i64 =
        sqlx::query_scalar(sql::COUNTER_NEXT).bind(counter).fetch_one(&mut *tx).await.map_err(fault::failed)?;
    tx.commit().await.map_err(fault::failed)?;
    record::unsigned("a counter", number)
}

/// A new rotation (version 1), or the next version of the one that was read.
async fn put_rotation(tx: &mut Connection, rotation: &Rotation) -> Result<(), StoreError> {
    let id = record::signed(rotation.id.0)?;
    let version = record::signed(rotation.version)?;
    let state = record::name("a rotation's state", &rotation.state)?;
    let body = record::write("a rotation", rotation)?;
    let query = if version == 1 {
        sqlx::query(sql::ROTATION_ADD)
            .bind(id)
            .bind(rotation.integration.as_str())
            .bind(rotation.spec.slot.as_str())
            .bind(rotation.app.tenant_id.as_str())
            .bind(rotation.app.object_id.as_str())
            .bind(state)
            .bind(version)
            .bind(i64::from(rotation.is_open()))
            .bind(i64::from(rotation.is_finished()))
            .bind(body)
    } else {
        sqlx::query(sql::ROTATION_CHANGE)
            .bind(state)
            .bind(version)
            .bind(i64::from(rotation.is_open()))
            .bind(i64::from(rotation.is_finished()))
            .bind(body)
            .bind(id)
            .bind(version - 1)
    };
    match query.execute(tx).await {
        Ok(done) => fence::found(done.rows_affected()),
        Err(error) if is_taken(&error) => Err(StoreError::Failed(format!(
            "slot {} of {} has another open rotation (I4): {} was not written",
            rotation.spec.slot, rotation.integration, rotation.id
        ))),
        Err(error) => Err(fault::failed(error)),
    }
}

async fn put_sealed(tx: &mut Connection, seal: &SealKey, item: &SealItem) -> Result<(), StoreError> {
    let sealed = seal.seal(&item.id, &item.app, &item.value)?;
    let add = sqlx::query(sql::SEALED_ADD).bind(item.id.as_str()).bind(item.app.object_id.as_str()).bind(sealed);
    match add.execute(tx).await {
        Ok(_) => Ok(()),
        // Writing over it would lose a value that may be in use.
        Err(error) if is_taken(&error) => {
            Err(StoreError::Failed(format!("sealed value {} is in the store already: nothing was written", item.id)))
        }
        Err(error) => Err(fault::failed(error)),
    }
}

async fn put_credential(tx: &mut Connection, credential: &OwnCredential) -> Result<(), StoreError> {
    sqlx::query(sql::CREDENTIAL_PUT)
        .bind(credential.app.tenant_id.as_str())
        .bind(credential.app.object_id.as_str())
        .bind(credential.key_id.as_str())
        .bind(credential.integration.as_str())
        .bind(credential.slot.as_str())
        .bind(record::write("a credential", credential)?)
        .execute(tx)
        .await
        .map(drop)
        .map_err(fault::failed)
}

fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

//! Reading records back.

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::Handle;
use crate::model::AppRef;
use crate::model::IntegrationName;
use crate::model::KeyId;
use crate::model::Rotation;
use crate::model::RotationId;
use crate::model::SealId;
use crate::model::SlotName;
use crate::ports::Mark;
use crate::ports::StoreError;
use crate::secret::Secret;
use crate::store::fault;
use crate::store::record;
use crate::store::sql;

/// Every record that `statement` selects.
pub(super) async fn all<T: DeserializeOwned>(
    store: &Handle,
    what: &str,
    statement: &'static str,
) -> Result<Vec<T>, StoreError> {
    let bodies: Vec<String> = sqlx::query_scalar(statement).fetch_all(&store.pool).await.map_err(fault::failed)?;
    bodies.iter().map(|body| record::read(what, body)).collect()
}

/// The records of one integration, or of all.
pub(super) async fn of<T: DeserializeOwned>(
    store: &Handle,
    what: &str,
    statement: &'static str,
    integration: Option<&IntegrationName>,
) -> Result<Vec<T>, StoreError> {
    let query = sqlx::query_scalar(statement).bind(integration.map(IntegrationName::as_str));
    let bodies: Vec<String> = query.fetch_all(&store.pool).await.map_err(fault::failed)?;
    bodies.iter().map(|body| record::read(what, body)).collect()
}

/// One rotation.
pub(super) async fn rotation(store: &Handle, id: RotationId) -> Result<Option<Rotation>, StoreError> {
    let query = sqlx::query_scalar(sql::ROTATION_ONE).bind(record::signed(id.0)?);
    let body: Option<String> = query.fetch_optional(&store.pool).await.map_err(fault::failed)?;
    body.map(|body| record::read(&format!("rotation {id}"), &body)).transpose()
}

/// Opens a sealed value.
pub(super) async fn unseal(store: &Handle, id: &SealId, app: &AppRef) -> Result<Secret, StoreError> {
    let query = sqlx::query_scalar(sql::SEALED_ONE).bind(id.as_str());
    let sealed: Option<Vec<u8>> = query.fetch_optional(&store.pool).await.map_err(fault::failed)?;
    let sealed = sealed.ok_or_else(|| {
        StoreError::Failed(format!("sealed value {id} is not in the store: it was destroyed, or never sealed"))
    })?;
    store.seal.open(id, app, &sealed)
}

/// Own sign-ins with `key_id`, newest first.
pub(super) async fn sign_ins(store: &Handle, key_id: &KeyId) -> Result<Vec<(Timestamp, Option<String>)>, StoreError> {
    let query = sqlx::query_as(sql::SIGN_IN_OF).bind(key_id.as_str());
    let rows: Vec<(String, Option<String>)> = query.fetch_all(&store.pool).await.map_err(fault::failed)?;
    let mut sign_ins = Vec::with_capacity(rows.len());
    for (at, request_id) in rows {
        sign_ins.push((record::instant("a sign-in", &at)?, request_id));
    }
    // By instant, not by text: fractions of seconds differ in length.
    sign_ins.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    Ok(sign_ins)
}

/// Small records whose names begin with `prefix`.
pub(super) async fn marks(store: &Handle, prefix: &str) -> Result<Vec<Mark>, StoreError> {
    let query = sqlx::query_as(sql::MARK_OF).bind(prefix);
    let rows: Vec<(String, String)> = query.fetch_all(&store.pool).await.map_err(fault::failed)?;
    Ok(rows.into_iter().map(|(name, body)| Mark { name, body: Some(body) }).collect())
}

/// The slots that have a rotation or a credential.
pub(super) async fn slots(store: &Handle) -> Result<Vec<(IntegrationName, SlotName)>, StoreError> {
    let rows: Vec<(String, String)> = sqlx::query_as(sql::SLOTS).fetch_all(&store.pool).await.map_err(fault::failed)?;
    Ok(rows.into_iter().map(|(integration, slot)| (integration.into(), slot.into())).collect())
}

//! Records in columns: JSON bodies, instants as text, numbers that fit the database's signed 64 bits.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault;
use crate::model::Entry;
use crate::model::Notice;
use crate::ports::StoreError;

/// The JSON of a record.
pub(super) fn write<T: Serialize>(what: &str, record: &T) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(|error| StoreError::Failed(format!("{what} cannot be stored: {error}")))
}

/// The record of a JSON.
pub(super) fn read<T: DeserializeOwned>(what: &str, body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|error| fault::damaged(what, error))
}

/// An instant of a column.
pub(super) fn instant(what: &str, text: &str) -> Result<Timestamp, StoreError> {
    text.parse().map_err(|error| fault::damaged(what, error))
}

/// A number for a column.
pub(super) fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Failed(format!("number {number} does not fit into the store")))
}

/// A number of a column.
pub(super) fn unsigned(what: &str, number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|error| fault::damaged(what, error))
}

/// The name under which a fieldless variant is stored: the one serde gives it.
pub(super) fn name<T: Serialize>(what: &str, variant: &T) -> Result<String, StoreError> {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        _ => Err(StoreError::Failed(format!("{what} cannot be stored: it has no name"))),
    }
}

/// The history's line of a notice that was sent.
pub(super) fn mail_sent(notice: &Notice) -> Entry {
    Entry {
        integration: Some(notice.integration.clone()),
        rotation: None,
        kind: "mail".to_owned(),
        text: format!("mail sent to {}: {}, {}", notice.to.join(", "), notice.title, notice.stage),
        body: serde_json::json!({
            "event": "mail-sent", "key": notice.key, "kind": notice.kind, "stage": notice.stage,
            "to": notice.to, "cc": notice.cc,
        }),
    }
}

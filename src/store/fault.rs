//! What a failed statement means, in words a person can act on.

use sqlx::postgres::PgDatabaseError;

use crate::ports::StoreError;

/// Primary result codes of SQLite (<https://www.sqlite.org/rescode.html>).
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
}

/// Turns a failure of the database into the store's error. Bound values are never part of it.
pub(super) fn failed(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(said) => {
            if let Some(said) = said.try_downcast_ref::<PgDatabaseError>() {
                return refused(said);
            }
        }
        // SQLite has neither.
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
            return StoreError::Unreachable(format!("the connection failed: {error}"));
        }
        _ => {}
    }
    let primary = primary(&error);
    let said = match primary {
        Some(code::BUSY | code::LOCKED) => "the store is busy: another process is writing to it; try again".to_owned(),
        Some(code::READONLY) => "the store is read-only: check the owner and mode of its file and directory, and \
             how the file system is mounted"
            .to_owned(),
        Some(code::IOERR) => {
            format!("the disk does not read or write the store: {error}; check the disk, its free space and quota")
        }
        Some(code::CORRUPT | code::NOTADB) => {
            format!("the store is damaged or no database: {error}; restore a backup")
        }
        Some(code::FULL) => "the disk of the store is full: nothing was written; free some space".to_owned(),
        Some(code::CANTOPEN) => {
            format!("the store cannot be opened: {error}; check that its directory exists and may be written")
        }
        _ => match error {
            sqlx::Error::PoolTimedOut => {
                return StoreError::Busy("its connection was not made, or did not become free, in time".to_owned());
            }
            error => format!("the store failed: {error}"),
        },
    };
    StoreError::Failed(said)
}

/// The primary result code of SQLite.
fn primary(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code)?;
    code.parse::<i32>().ok().map(|extended| extended & 0xff)
}

/// Whether SQLite said that another process is in the way.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary(error), Some(code::BUSY | code::LOCKED))
}

/// What PostgreSQL said (<https://www.postgresql.org/docs/current/errcodes-appendix.html>). Its message names columns
/// and constraints; the values are in its detail, which is never shown.
fn refused(said: &PgDatabaseError) -> StoreError {
    let (code, message) = (said.code(), said.message());
    match code {
        _ if code.starts_with("28") => StoreError::Denied(message.to_owned()),
        "3D000" | "42501" => StoreError::Denied(message.to_owned()),
        _ if code.starts_with("08") || code.starts_with("57P") || code == "25P03" || code == "53300" => {
            StoreError::Unreachable(message.to_owned())
        }
        "25006" | "0A000" => {
            StoreError::Unreachable("the server takes no writes: it is a standby, or read-only".to_owned())
        }
        "40001" | "40P01" | "55P03" => StoreError::Busy(format!("another process is writing to it ({message})")),
        "57014" => StoreError::Unreachable(format!("the server gave up a statement that took too long ({message})")),
        "53100" => StoreError::Failed("the disk of the database server is full: nothing was written".to_owned()),
        _ => StoreError::Failed(format!("the store failed: {message} ({code})")),
    }
}

/// A record that does not read back as what was written.
pub(super) fn damaged(what: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(format!("the store is damaged: {what} cannot be read: {why}; restore a backup"))
}

//! What only a store in a file can do: copied while in use, prepared after a restore.

use std::fs::File;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::Sqlite;
use crate::model::Rotation;
use crate::ports::StoreError;
use crate::store::fault;
use crate::store::place;
use crate::store::record;
use crate::store::sql;

impl Sqlite {
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
        self.scrub().await;
        self.close().await;
    }
}

//! What only a store in a file can do: copied while in use, prepared after a restore.

use std::fs::File;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::Sqlite;
use super::transfer;
use crate::ports::StoreError;
use crate::store::fault;
use crate::store::place;
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

    /// Makes a copy that was put in a store's place safe to go on from.
    pub(in crate::store) async fn skip_numbers(&self, by: u32) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        transfer::skip_numbers(&mut tx, by).await?;
        tx.commit().await.map_err(fault::failed)
    }

    /// Empties the log into the file and closes it.
    pub(in crate::store) async fn settle(self) {
        self.scrub().await;
        self.close().await;
    }
}

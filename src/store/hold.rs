//! One writer per machine: an exclusive lock of the operating system on `<store>.lock`, which ends with the
//! process that has it. The file tells who has it. The lock keeps a second process out; what keeps a stale one
//! from writing is the epoch in the store, so losing the file is harmless.

use std::ffi::OsString;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::place;
use crate::ports::StoreError;

/// Who has the lock, as its file tells it.
#[derive(Deserialize, Serialize)]
pub(super) struct Note {
    /// Host, process id and command.
    pub(super) holder: String,
    /// Since when.
    pub(super) since: Timestamp,
}

/// The lock, while it is held; given back when this is dropped, by the operating system if need be.
pub(super) struct Held(File);

impl Held {
    /// Wipes the note, so that a later reader does not take it for a holder.
    fn forget(&self) {
        // Only a courtesy to readers: the lock itself is what counts, and it ends now.
        let _ = self.0.set_len(0);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing alone would leave it locked while a child process, between fork and exec, has a copy.
        let _ = self.0.unlock();
    }
}

/// What came of trying to lock.
pub(super) enum Attempt {
    /// Locked.
    Held(Held),
    /// Somebody else has it; the note says who, if it could be read.
    Taken(Option<Note>),
}

/// The lock of one handle on a store.
pub(super) struct Hold {
    path: PathBuf,
    held: Mutex<Option<(u64, Held)>>,
}

impl Hold {
    /// Endings of the lock of a run, and of the lock of a daemon.
    pub(super) const ENDINGS: [&str; 2] = ["lock", "serve.lock"];

    /// A lock of the store at `path`, in a file beside it with this ending.
    pub(super) fn of(path: &Path, ending: &str) -> Self {
        let mut name = OsString::from(path.as_os_str());
        name.push(".");
        name.push(ending);
        Self { path: name.into(), held: Mutex::new(None) }
    }

    /// Tries to lock, and notes the holder.
    pub(super) fn attempt(&self, holder: &str, since: Timestamp) -> Result<Attempt, StoreError> {
        let cannot = |error: &std::io::Error| place::cannot("lock", &self.path, error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(place::FILE_MODE)
            .open(&self.path)
            .map_err(|error| cannot(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let note = file.read_to_string(&mut text).ok().and_then(|_| serde_json::from_str(&text).ok());
                return Ok(Attempt::Taken(note));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(&error)),
        }
        let note = super::record::write("the lock's note", &Note { holder: holder.to_owned(), since })?;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(note.as_bytes()))
            .map_err(|error| cannot(&error))?;
        Ok(Attempt::Held(Held(file)))
    }

    /// Keeps the lock for as long as `epoch` is not given back.
    pub(super) fn keep(&self, epoch: u64, held: Held) {
        *self.lock() = Some((epoch, held));
    }

    /// Unlocks, if `epoch` is what the lock was kept for.
    pub(super) fn release(&self, epoch: u64) {
        let mut held = self.lock();
        if let Some((_, lock)) = held.take_if(|(kept, _)| *kept == epoch) {
            lock.forget();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(u64, Held)>> {
        // A panic elsewhere cannot leave this half-changed: it is one assignment.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

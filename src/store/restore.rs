//! A backup in the place of the store: checked first, the store before it kept, and swapped in one rename.

use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use jiff::Timestamp;

use super::hold::Attempt;
use super::hold::Held;
use super::hold::Hold;
use super::place;
use super::seal::SealKey;
use super::sqlite::Options;
use super::sqlite::Sqlite;
use crate::model::Entry;
use crate::model::OwnCredential;
use crate::ports::Store;
use crate::ports::StoreError;

/// Numbers of rotations and hand-offs that a restored store leaves out. More were never given between two backups
/// that anybody would restore.
pub const SKIPPED: u32 = 1000;

/// What a restore did.
pub struct Restored {
    /// Entries of the history in the backup.
    pub entries: u64,
    /// Where the store before it is kept.
    pub kept: Option<PathBuf>,
    /// Own credentials that the store before knew and the backup does not.
    pub forgotten: Vec<OwnCredential>,
}

/// Who restores, and how.
pub struct Restoring<'a> {
    /// The backup.
    pub from: &'a Path,
    /// The store.
    pub to: &'a Path,
    /// Reads the seal key, as often as it is asked.
    pub key: &'a (dyn Fn() -> Result<SealKey, StoreError> + Sync),
    /// Goes over a store that is newer, another one, or cannot be compared.
    pub force: bool,
    /// Who acts.
    pub actor: &'a str,
    /// Who holds the lock meanwhile.
    pub holder: &'a str,
    /// When.
    pub now: Timestamp,
}

/// Puts a checked copy of the backup in the place of the store.
///
/// # Errors
/// [`StoreError::Held`] while a run uses the store; [`StoreError::Key`] when the backup belongs to another key;
/// [`StoreError::Failed`] when it is damaged, or when `force` would be needed. Then the store is as it was.
pub async fn restore(restoring: Restoring<'_>) -> Result<Restored, StoreError> {
    let Restoring { from, to, key, force, actor, holder, now } = restoring;
    place::prepare_directory(to, true)?;
    let _held = hold(to, holder, now)?;
    let copy = copy(from, to)?;
    let options = Options { create: false, ..Options::default() };
    let backup = Sqlite::open(copy.path(), key()?, options.clone()).await?;
    let examined = backup.examine().await?;
    if !examined.is_sound() {
        backup.close().await;
        return Err(StoreError::Failed(format!(
            "{} is damaged: use another backup; `everkey store check` on it tells more",
            from.display()
        )));
    }
    let forgotten = match fs::symlink_metadata(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(place::cannot("read the store", to, &error)),
        Ok(_) => match Sqlite::open(to, key()?, options).await {
            Ok(current) => {
                let compared = compare(&current, &backup, force).await;
                current.settle().await;
                compared?
            }
            // Another one is live: an older copy of this one beside it would do everything a second time.
            Err(error @ (StoreError::Moved(_) | StoreError::Arriving(_))) => return Err(error),
            Err(_) if force => Vec::new(),
            Err(error) => return Err(refused(&format!("the present store cannot be compared with it ({error})"))),
        },
    };
    backup.skip_numbers(SKIPPED).await?;
    let entry = Entry {
        integration: None,
        rotation: None,
        kind: "store".to_owned(),
        text: format!("restored from a backup of {} entries; {SKIPPED} numbers are left out", examined.entries),
        body: serde_json::json!({
            "event": "store-restored", "entries": examined.entries, "head": examined.head, "forced": force,
        }),
    };
    backup.note(now, actor, &entry).await?;
    backup.settle().await;
    let kept = swap(copy.path(), to, now)?;
    Ok(Restored { entries: examined.entries, kept, forgotten })
}

/// A private copy beside the store. It is taken away when dropped, unless it was renamed.
struct Copy(PathBuf);

impl Copy {
    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        for ending in ["", "-wal", "-shm"] {
            // After the swap there is nothing left of it.
            let _ = fs::remove_file(beside(&self.0, ending));
        }
    }
}

fn copy(from: &Path, to: &Path) -> Result<Copy, StoreError> {
    let cannot = |error: &io::Error| place::cannot("read the backup", from, error);
    let found = fs::metadata(from).map_err(|error| cannot(&error))?;
    if !found.is_file() {
        return Err(StoreError::Failed(format!("{} is no file", from.display())));
    }
    let same = |path: &Path| path.canonicalize().ok();
    if same(from).is_some() && same(from) == same(to) {
        return Err(StoreError::Failed("the backup is the store itself".to_owned()));
    }
    let temporary = tempfile::Builder::new()
        .prefix(".everkey-restore-")
        .tempfile_in(place::directory(to))
        .map_err(|error| place::cannot("write beside", to, &error))?;
    let (mut file, path) = temporary.keep().map_err(|error| place::cannot("write beside", to, &error.error))?;
    let copy = Copy(path);
    let copied = File::open(from).and_then(|mut from| io::copy(&mut from, &mut file)).and_then(|_| file.sync_all());
    copied.map_err(|error| place::cannot("copy the backup beside", to, &error))?;
    // A store that was set aside may have a log, which is part of it.
    let log = beside(from, "-wal");
    if log.exists() {
        fs::copy(&log, beside(copy.path(), "-wal")).map_err(|error| place::cannot("copy", &log, &error))?;
    }
    Ok(copy)
}

/// Refuses unless `force` when the present store is another one, or holds what the backup lacks. Returns the
/// credentials that the backup does not know.
async fn compare(current: &Sqlite, backup: &Sqlite, force: bool) -> Result<Vec<OwnCredential>, StoreError> {
    let known = backup.credentials(None).await?;
    let forgotten: Vec<OwnCredential> = current
        .credentials(None)
        .await?
        .into_iter()
        .filter(|own| !known.iter().any(|one| one.app == own.app && one.key_id == own.key_id))
        .collect();
    if force {
        return Ok(forgotten);
    }
    if current.instance() != backup.instance() {
        return Err(refused(&format!(
            "the backup is of store {}, the present one is {}",
            backup.instance(),
            current.instance()
        )));
    }
    let (here, there) = (current.history(None).await?, backup.history(None).await?);
    let split = here.len().min(there.len());
    if here[..split].last().map(|entry| &entry.hash) != there[..split].last().map(|entry| &entry.hash) {
        return Err(refused("the present store went another way than the backup"));
    }
    // What only tells of the store's care, the backup itself for one, is no loss.
    let more: Vec<_> = here[split..].iter().filter(|entry| entry.entry.kind != "store").collect();
    if let Some(last) = more.last() {
        let entries = if more.len() == 1 { "1 entry".to_owned() } else { format!("{} entries", more.len()) };
        return Err(refused(&format!("the present store has {entries} more, the last of {}", last.at)));
    }
    Ok(forgotten)
}

fn refused(why: &str) -> StoreError {
    StoreError::Present(why.to_owned())
}

/// Sets the store aside under a second name and renames the copy over the first: at every instant one of them is
/// there.
fn swap(copy: &Path, store: &Path, now: Timestamp) -> Result<Option<PathBuf>, StoreError> {
    let kept = if store.exists() { Some(aside(store, now)?) } else { None };
    fs::rename(copy, store)
        .and_then(|()| File::open(place::directory(store))?.sync_all())
        .map_err(|error| place::cannot("put the backup in the place of", store, &error))?;
    Ok(kept)
}

/// Gives the store a second name. Its logs are moved there first, for they must never meet another file.
fn aside(store: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let cannot = |error: &io::Error| place::cannot("set aside", store, error);
    let aside = beside(store, &format!(".before-{}", now.strftime("%Y%m%dT%H%M%SZ")));
    // Two in one second keep two.
    let taken = (2..).map(|number| beside(&aside, &format!("-{number}")));
    let aside = std::iter::once(aside.clone()).chain(taken).find(|path| !path.exists()).unwrap_or(aside);
    fs::hard_link(store, &aside).map_err(|error| cannot(&error))?;
    for ending in ["-wal", "-shm"] {
        match fs::rename(beside(store, ending), beside(&aside, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(&error)),
            _ => {}
        }
    }
    Ok(aside)
}

/// Sets a store aside that cannot be opened any more; where it is kept.
///
/// # Errors
/// [`StoreError::Held`] while a run uses it; [`StoreError::Failed`] when the disk refuses: then it is where it was.
pub fn set_aside(store: &Path, holder: &str, now: Timestamp) -> Result<PathBuf, StoreError> {
    let _held = hold(store, holder, now)?;
    let cannot = |error: &io::Error| place::cannot("set aside", store, error);
    let aside = aside(store, now)?;
    fs::remove_file(store).and_then(|()| File::open(place::directory(store))?.sync_all()).map_err(|e| cannot(&e))?;
    Ok(aside)
}

/// Keeps a run out, and a daemon that rests between two: neither may find another store under its hands.
fn hold(store: &Path, holder: &str, now: Timestamp) -> Result<Vec<Held>, StoreError> {
    let mut held = Vec::new();
    for ending in Hold::ENDINGS {
        match Hold::of(store, ending).attempt(holder, now)? {
            Attempt::Held(lock) => held.push(lock),
            Attempt::Taken(note) => {
                let (holder, since) =
                    note.map_or_else(|| ("another process".to_owned(), now), |note| (note.holder, note.since));
                return Err(StoreError::Held { holder, since });
            }
        }
    }
    Ok(held)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(ending);
    name.into()
}

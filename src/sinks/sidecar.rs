//! The hidden file beside a place that serialises writers and remembers which rotation wrote last.
//!
//! It holds two records of fixed length and a write goes to the older one, so that a crash in the middle of
//! it leaves the other. It is never renamed: the lock belongs to the file, not to its name.

use std::fs::File;
use std::fs::TryLockError;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::error::Result;
use super::error::SinkError;
use super::place::Place;
use crate::model::RotationId;
use crate::secret::Fingerprint;

/// Length of one record, padded with spaces and ended by a line feed.
const RECORD_BYTES: u64 = 160;

/// Characters of the check at the end of a record.
const CHECK_CHARS: usize = 16;

/// The lock of one place, held until this is dropped.
#[derive(Debug)]
pub(super) struct Sidecar {
    file: File,
    path: PathBuf,
    /// Record 0 and record 1, where they are whole.
    records: [Option<Record>; 2],
}

/// Who wrote last, and what.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Record {
    /// Counts writes: the higher one is the later one.
    count: u64,
    generation: RotationId,
    fingerprint: Fingerprint,
}

impl Sidecar {
    /// Takes the lock, or says at once that somebody else has it.
    pub(super) fn lock(place: &Place, name: &str) -> Result<Self> {
        let path = place.path_of(name);
        let file = open(place, name)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SinkError::Held { path }),
            Err(TryLockError::Error(error)) => return Err(SinkError::io("lock", &path)(error)),
        }
        let records = [read(&file, 0), read(&file, 1)];
        Ok(Self { file, path, records })
    }

    /// Whether the lock file can be opened or made; does not lock.
    pub(super) fn check(place: &Place, name: &str) -> Result<()> {
        open(place, name).map(drop)
    }

    /// Refuses when a later rotation than `ours` has written. The same one may write again.
    pub(super) fn refuse_older(&self, ours: RotationId, place: PathBuf) -> Result<()> {
        match self.last() {
            Some(record) if record.generation > ours => {
                Err(SinkError::Newer { place, sidecar: self.path.clone(), ours, theirs: record.generation })
            }
            _ => Ok(()),
        }
    }

    /// Remembers the write that is about to become visible; durable when this returns.
    pub(super) fn record(&mut self, generation: RotationId, fingerprint: &Fingerprint) -> Result<()> {
        let last = self.last();
        let slot = usize::from(last.is_some() && last == self.records[0].as_ref());
        let count = last.map_or(0, |record| record.count) + 1;
        let record = Record { count, generation, fingerprint: fingerprint.clone() };
        let offset = RECORD_BYTES * u64::from(slot == 1);
        self.file
            .write_all_at(format_record(&record).as_bytes(), offset)
            .map_err(SinkError::io("write", &self.path))?;
        self.file.sync_all().map_err(SinkError::io("sync", &self.path))?;
        self.records[slot] = Some(record);
        Ok(())
    }

    fn last(&self) -> Option<&Record> {
        self.records.iter().flatten().max_by_key(|record| record.count)
    }
}

impl Drop for Sidecar {
    /// Unlocks in so many words: closing is not enough while a child process that is just being started still holds
    /// a copy of the handle.
    fn drop(&mut self) {
        // The lock ends with the process at the latest.
        let _ = self.file.unlock();
    }
}

/// Opens the file; one that another user put there (in a sticky directory) is refused.
fn open(place: &Place, name: &str) -> Result<File> {
    let path = place.path_of(name);
    let file = place.open_or_create(name)?;
    let metadata = file.metadata().map_err(SinkError::io("examine", &path))?;
    if !metadata.is_file() || metadata.uid() != nix::unistd::geteuid().as_raw() {
        return Err(SinkError::refused(format!("{} is not a file of everkey's own user", path.display())));
    }
    // Whatever the umask took away when it was made.
    file.set_permissions(PermissionsExt::from_mode(0o600)).map_err(SinkError::io("set the mode of", &path))?;
    Ok(file)
}

fn format_record(record: &Record) -> String {
    let Record { count, generation, fingerprint } = record;
    let body = format!("everkey-sink 1 {count} {} {}", generation.0, fingerprint.0);
    let line = format!("{body} {}", check(&body));
    let width = usize::try_from(RECORD_BYTES).unwrap_or_default() - 1;
    format!("{line:<width$}\n")
}

/// A record that is torn, empty or of another version is no record.
fn read(file: &File, slot: u64) -> Option<Record> {
    let mut bytes = vec![0; usize::try_from(RECORD_BYTES).ok()?];
    file.read_exact_at(&mut bytes, slot * RECORD_BYTES).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let (body, found) = text.trim_end().rsplit_once(' ')?;
    if found != check(body) {
        return None;
    }
    let mut fields = body.strip_prefix("everkey-sink 1 ")?.split(' ');
    Some(Record {
        count: fields.next()?.parse().ok()?,
        generation: RotationId(fields.next()?.parse().ok()?),
        fingerprint: Fingerprint(fields.next()?.to_owned()),
    })
}

fn check(body: &str) -> String {
    Fingerprint::of(body.as_bytes()).0.chars().take(CHECK_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(text: &str) -> Fingerprint {
        Fingerprint::of(text.as_bytes())
    }

    #[test]
    fn remembers_the_last_write_and_refuses_older_ones() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::open(directory.path()).unwrap();
        for generation in [1, 2, 2, 9] {
            let mut sidecar = Sidecar::lock(&place, ".x.everkey").unwrap();
            sidecar.refuse_older(RotationId(generation), "x".into()).unwrap();
            sidecar.record(RotationId(generation), &fingerprint("a")).unwrap();
        }
        let sidecar = Sidecar::lock(&place, ".x.everkey").unwrap();
        let error = sidecar.refuse_older(RotationId(8), "x".into()).unwrap_err();
        assert!(matches!(error, SinkError::Newer { theirs: RotationId(9), .. }), "{error}");
        let mode = std::fs::metadata(directory.path().join(".x.everkey")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn a_write_torn_at_any_byte_leaves_the_write_before() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::open(directory.path()).unwrap();
        let path = directory.path().join(".x.everkey");
        for generation in [4, 5] {
            Sidecar::lock(&place, ".x.everkey").unwrap().record(RotationId(generation), &fingerprint("a")).unwrap();
        }
        let before = std::fs::read(&path).unwrap();
        Sidecar::lock(&place, ".x.everkey").unwrap().record(RotationId(6), &fingerprint("b")).unwrap();
        let after = std::fs::read(&path).unwrap();

        for torn in 0..after.len() {
            let mixed = [&after[..torn], &before[torn..]].concat();
            std::fs::write(&path, mixed).unwrap();
            let sidecar = Sidecar::lock(&place, ".x.everkey").unwrap();
            let generation = sidecar.last().unwrap().generation;
            assert!([RotationId(5), RotationId(6)].contains(&generation), "torn at {torn}: {generation}");
        }
    }

    #[test]
    fn a_held_lock_is_an_error_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::open(directory.path()).unwrap();
        let held = Sidecar::lock(&place, ".x.everkey").unwrap();
        assert!(matches!(Sidecar::lock(&place, ".x.everkey"), Err(SinkError::Held { .. })));
        drop(held);
        Sidecar::lock(&place, ".x.everkey").unwrap();
    }

    #[test]
    fn a_child_that_inherited_the_handle_does_not_keep_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::open(directory.path()).unwrap();
        let held = Sidecar::lock(&place, ".x.everkey").unwrap();
        // What fork does to the handle.
        let inherited = held.file.try_clone().unwrap();
        drop(held);
        Sidecar::lock(&place, ".x.everkey").unwrap();
        drop(inherited);
    }

    #[test]
    fn a_symlink_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        std::os::unix::fs::symlink(&victim, directory.path().join(".x.everkey")).unwrap();
        let place = Place::open(directory.path()).unwrap();
        assert!(Sidecar::lock(&place, ".x.everkey").is_err());
        assert!(!victim.exists());
    }
}

//! Where the store lies: its directory and file, their modes, made before SQLite touches them.

use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::ports::StoreError;

/// Mode of every file of the store; SQLite gives it to the write-ahead log as well.
pub(super) const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// Checks the place of the store, and makes directory and file when they are missing and `create` says so.
pub(super) fn prepare(path: &Path, create: bool) -> Result<(), StoreError> {
    prepare_directory(path, create)?;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && create => make(path, directory(path)),
        Err(error) => Err(cannot("open the store", path, &error)),
        Ok(found) if !found.is_file() => Err(wrong(path, "is not a regular file", "name the store's file itself")),
        Ok(found) if found.mode() & 0o077 != 0 => {
            Err(wrong(path, "is open to other users", "run `chmod 600` on it; consider who may have read it"))
        }
        Ok(_) => Ok(()),
    }
}

/// The same for the directory alone.
pub(super) fn prepare_directory(path: &Path, create: bool) -> Result<(), StoreError> {
    let directory = directory(path);
    match fs::metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && create => DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(directory)
            .map_err(|error| cannot("make the directory", directory, &error))?,
        Err(error) => return Err(cannot("read the directory", directory, &error)),
        Ok(found) if !found.is_dir() => return Err(wrong(directory, "is not a directory", "give a path in one")),
        Ok(found) if found.mode() & 0o002 != 0 => {
            return Err(wrong(directory, "can be written by everybody", "run `chmod o-w` on it, or use another"));
        }
        Ok(_) => {}
    }
    Ok(())
}

/// Which file it is, whatever its name: device and number.
pub(super) fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

/// The file system that `path` lies or will lie on, when a store does not last or does not lock there.
pub fn unfit_file_system(path: &Path) -> Option<&'static str> {
    let there = path.ancestors().find(|one| !one.as_os_str().is_empty() && one.exists()).unwrap_or(Path::new("."));
    kind_of(there)
}

#[cfg(target_os = "linux")]
fn kind_of(path: &Path) -> Option<&'static str> {
    use nix::sys::statfs;
    /// Kinds that nix has no name for (linux/magic.h).
    const CIFS: i64 = 0xFF53_4D42;
    const RAMFS: i64 = 0x8584_58F6;
    const SMB2: i64 = 0xFE53_4D42;
    let found = statfs::statfs(path).ok()?.filesystem_type();
    // The field is signed on some machines: compared as 32 bits.
    let is = |magic: i64| (found.0 as i64) & 0xFFFF_FFFF == magic & 0xFFFF_FFFF;
    match found {
        statfs::TMPFS_MAGIC => Some("tmpfs"),
        statfs::OVERLAYFS_SUPER_MAGIC => Some("overlay"),
        statfs::NFS_SUPER_MAGIC => Some("NFS"),
        statfs::SMB_SUPER_MAGIC => Some("SMB"),
        _ if is(CIFS) || is(SMB2) => Some("SMB"),
        _ if is(RAMFS) => Some("ramfs"),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn kind_of(_: &Path) -> Option<&'static str> {
    None
}

/// The directory that `path` lies in.
pub(super) fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes an empty store file, private from its first instant, and makes its name durable.
fn make(path: &Path, directory: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path) {
        // Another process was faster; both mean the same.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot("make the store", path, &error)),
        Ok(file) => file
            .sync_all()
            .and_then(|()| File::open(directory)?.sync_all())
            .map_err(|error| cannot("save the store", path, &error)),
    }
}

/// A failed call to the file system.
pub(super) fn cannot(what: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::Failed(format!("cannot {what} {}: {error}", path.display()))
}

fn wrong(path: &Path, why: &str, help: &str) -> StoreError {
    StoreError::Failed(format!("{} {why}; {help}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn directory_and_file_are_made_private() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/everkey.db");
        prepare(&path, true).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        prepare(&path, true).unwrap();
    }

    #[test]
    fn nothing_is_made_unasked() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("everkey.db");
        assert!(prepare(&path, false).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn a_place_open_to_others_is_refused_by_name() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("open");
        fs::create_dir(&directory).unwrap();
        chmod(&directory, 0o1777);
        let path = directory.join("everkey.db");
        assert!(prepare(&path, true).unwrap_err().to_string().contains("everybody"));
        assert!(!path.exists());

        chmod(&directory, 0o755);
        prepare(&path, true).unwrap();
        chmod(&path, 0o640);
        assert!(prepare(&path, true).unwrap_err().to_string().contains("chmod 600"));

        chmod(&path, 0o600);
        let link = directory.join("link.db");
        symlink(&path, &link).unwrap();
        assert!(prepare(&link, true).unwrap_err().to_string().contains("regular file"));
        assert!(prepare(&path.join("below"), true).unwrap_err().to_string().contains("not a directory"));
    }
}

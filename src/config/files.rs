//! Files that a user or the configuration names: read within bounds, written as a whole or not at all.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::LARGEST_FILE;
use crate::error::Class;
use crate::error::Error;
use crate::error::Result;
use crate::secret::Secret;

/// The text of a file that a user named.
///
/// # Errors
/// `F010`.
pub fn read_file(path: &Path) -> Result<String> {
    let refuse = |why: String| {
        Error::new(Class::Data, "F010", format!("cannot read {}", path.display()))
            .why(why)
            .help("check the path and its rights")
    };
    let size = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if size > LARGEST_FILE {
        return Err(refuse("it is larger than 8 MiB".into()));
    }
    std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))
}

/// The bytes of a file that the configuration names.
///
/// # Errors
/// `C010`.
pub fn read_bytes(path: &Path, what: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        Error::new(Class::Config, "C010", format!("cannot read {what} {}", path.display()))
            .why(error)
            .help("correct the path in everkey.toml")
    })
}

/// Writes a file that holds no secret, all of it or nothing.
///
/// # Errors
/// `F010`.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = tempfile::NamedTempFile::new_in(dir).and_then(|mut file| {
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    });
    written.map_err(|error| cannot_write(path, &error))
}

/// Replaces the text of a person's file, all of it or nothing, with its mode and through its link; only while it still
/// holds `before`.
///
/// # Errors
/// `F010`, also when somebody changed it meanwhile.
pub fn rewrite_file(path: &Path, before: &str, after: &str) -> Result<()> {
    let path = &std::fs::canonicalize(path).map_err(|error| cannot_write(path, &error))?;
    if read_file(path)? != before {
        return Err(Error::new(Class::Failed, "F010", format!("{} changed meanwhile", path.display()))
            .help("nothing was written; look at it and run the command again"));
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    let written = std::fs::metadata(path).and_then(|found| {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(after.as_bytes())?;
        file.as_file().set_permissions(found.permissions())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    });
    written.map_err(|error| cannot_write(path, &error))
}

/// Makes a directory of mode 0700 that must not exist yet.
///
/// # Errors
/// `F010`.
pub fn new_private_dir(path: &Path) -> Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path).map_err(|error| cannot_write(path, &error))
}

/// Makes a directory and those above it that are missing, of mode 0700; one that is there stays as it is.
///
/// # Errors
/// `F010`.
pub fn private_dirs(path: &Path) -> Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| cannot_write(path, &error))
}

/// Takes a directory of [`new_private_dir`] away again; one that is not empty stays.
pub fn remove_empty_dir(path: &Path) {
    // What cannot be removed is an empty directory, and the error that led here is what matters.
    let _ = std::fs::remove_dir(path);
}

/// Writes a secret to a new file of mode 0600.
///
/// # Errors
/// `F010`; an existing file is never overwritten.
pub fn write_private(path: &Path, value: &Secret) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(value.expose())?;
            file.sync_all()
        })
        .map_err(|error| cannot_write(path, &error))
}

/// A file or directory that could not be written.
pub fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Class::Failed, "F010", format!("cannot write {}", path.display()))
        .why(error)
        .help("choose another path; existing files are not overwritten where a secret is written")
}

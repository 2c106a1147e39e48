//! Files of keys and certificates: read within bounds, written as a set, all or nothing.

use std::fs::File;
use std::fs::Permissions;
use std::io::Error as IoError;
use std::io::ErrorKind;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::pki;
use crate::secret::Secret;

/// Modes of files with and without something secret.
const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// What ends the name of a replaced file until the whole set is in place.
const BACKUP: &str = "everkey-old";

/// A file to be written.
pub struct NewFile {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub content: Secret,
    /// Whether it is for its owner alone.
    pub private: bool,
    /// For people: what it is, and what to do with it.
    pub about: &'static str,
}

impl NewFile {
    /// A file for its owner alone.
    pub fn private(path: PathBuf, content: Secret, about: &'static str) -> Self {
        Self { path, content, private: true, about }
    }

    /// A file for everybody.
    pub fn public(path: PathBuf, content: impl Into<Vec<u8>>, about: &'static str) -> Self {
        Self { path, content: Secret::new(content.into()), private: false, about }
    }
}

/// Reads a file that a user named; it may hold a private key. Pipes are read as well, up to the same size.
pub fn read(path: &Path) -> Result<Secret, Error> {
    let refuse = |error: IoError| {
        Error::new(Class::Data, "F010", format!("cannot read {}", path.display()))
            .why(error)
            .help("check the path and its rights")
    };
    let too_large = || super::words::explain(&pki::PkiError::TooMuch("it is larger than 4 MiB".into()), path);
    let file = File::open(path).map_err(refuse)?;
    let found = file.metadata().map_err(refuse)?;
    if found.is_dir() {
        return Err(refuse(ErrorKind::IsADirectory.into()));
    }
    let limit = u64::try_from(pki::LARGEST_FILE).unwrap_or(u64::MAX);
    if found.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0) + 1);
    file.take(limit + 1).read_to_end(&mut bytes).map_err(refuse)?;
    let bytes = Secret::new(bytes);
    if bytes.len() > pki::LARGEST_FILE { Err(too_large()) } else { Ok(bytes) }
}

/// Refuses a set of which any file is there, unless it may be replaced. Asked early, so that nobody types a password
/// for nothing; [`deliver`] does not rely on it.
pub fn refuse_existing<'a>(paths: impl IntoIterator<Item = &'a Path>, force: bool) -> Result<(), Error> {
    let mut seen: Vec<&Path> = Vec::new();
    for path in paths {
        if seen.contains(&path) {
            return Err(Error::new(Class::Usage, "K018", format!("two results would go to {}", path.display()))
                .help("choose another name for one of them"));
        }
        seen.push(path);
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => return Err(cannot_write(path, &ErrorKind::IsADirectory.into())),
            Ok(_) if !force => return Err(exists(path)),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(cannot_write(path, &error)),
        }
    }
    Ok(())
}

/// Writes all files or none, into `dir` when one is named (made, 0700, when it is missing). All are complete and on
/// disk beside their places when `before` runs (the record in the history), and get their names only if it succeeds.
pub async fn deliver<T>(
    dir: Option<&Path>,
    files: &[NewFile],
    force: bool,
    before: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let made = dir.filter(|dir| !dir.is_dir());
    if let Some(dir) = made {
        config::new_private_dir(dir)?;
    }
    let delivered = async {
        let staged = stage(files, force)?;
        let value = before.await?;
        publish(staged, force).map(|()| value)
    }
    .await;
    if let (Some(dir), Err(_)) = (made, &delivered) {
        config::remove_empty_dir(dir);
    }
    delivered
}

/// Each file's content beside its place, with its final mode.
fn stage(files: &[NewFile], force: bool) -> Result<Vec<(&Path, NamedTempFile)>, Error> {
    refuse_existing(files.iter().map(|file| file.path.as_path()), force)?;
    let stage = |file| write_beside(file).map_err(|error| cannot_write(&file.path, &error));
    files.iter().map(|file| Ok((file.path.as_path(), stage(file)?))).collect()
}

/// Gives every file its name; what was replaced comes back when a later one fails.
fn publish(staged: Vec<(&Path, NamedTempFile)>, force: bool) -> Result<(), Error> {
    let mut done = Vec::new();
    for (path, file) in staged {
        match put(path, file, force) {
            Ok(replaced) => done.push((path, replaced)),
            Err(error) => {
                undo(done);
                let taken = error.kind() == ErrorKind::AlreadyExists;
                return Err(if taken { exists(path) } else { cannot_write(path, &error) });
            }
        }
    }
    for (path, replaced) in done {
        if let Some(replaced) = replaced {
            // The new file is in place; what cannot be removed is only a leftover.
            let _ = std::fs::remove_file(replaced);
        }
        // A name is durable once its directory is.
        let _ = File::open(directory(path)).and_then(|dir| dir.sync_all());
    }
    Ok(())
}

fn write_beside(file: &NewFile) -> Result<NamedTempFile, IoError> {
    let mode = if file.private { PRIVATE } else { PUBLIC };
    let mut staged = tempfile::Builder::new()
        .prefix(".everkey-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory(&file.path))?;
    staged.write_all(file.content.expose())?;
    staged.as_file().sync_all()?;
    Ok(staged)
}

/// Gives a staged file its name; where the replaced file lies meanwhile, if there was one.
fn put(path: &Path, staged: NamedTempFile, force: bool) -> Result<Option<PathBuf>, IoError> {
    if !force {
        return staged.persist_noclobber(path).map(|_| None).map_err(|error| error.error);
    }
    let backup = keep(path)?;
    match staged.persist(path) {
        Ok(_) => Ok(backup),
        Err(error) => {
            if let Some(backup) = backup {
                let _ = std::fs::remove_file(backup);
            }
            Err(error.error)
        }
    }
}

/// A second name for the file at `path`, so that it can come back; `None` when there is none.
fn keep(path: &Path) -> Result<Option<PathBuf>, IoError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for count in 0..100 {
        let backup = directory(path).join(format!(".{name}.{BACKUP}.{count}"));
        match std::fs::hard_link(path, &backup) {
            Ok(()) => return Ok(Some(backup)),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

fn undo(done: Vec<(&Path, Option<PathBuf>)>) {
    for (path, replaced) in done {
        // Whatever cannot be undone stays beside its backup; the error that led here is what the user must see.
        let _ = match replaced {
            Some(backup) => std::fs::rename(backup, path),
            None => std::fs::remove_file(path),
        };
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn exists(path: &Path) -> Error {
    Error::new(Class::Failed, "K018", format!("{} is there already", path.display()))
        .why("it may hold the only copy of a key; nothing was written")
        .help("choose another name, or add --force to replace it")
}

fn cannot_write(path: &Path, error: &IoError) -> Error {
    Error::new(Class::Failed, "F010", format!("cannot write {}", path.display()))
        .why(error)
        .help("check the directory, its rights and the free space; nothing was written")
}

/// One line per file, as people read it.
pub fn list(files: &[NewFile]) -> String {
    let width = files.iter().map(|file| file.path.display().to_string().chars().count()).max().unwrap_or(0);
    let line = |file: &NewFile| format!("Wrote {:<width$}   {}\n", file.path.display().to_string(), file.about);
    files.iter().map(line).collect()
}

/// The same for machines.
pub fn listed(files: &[NewFile]) -> Value {
    let one = |file: &NewFile| json!({"path": file.path, "private": file.private, "about": file.about});
    files.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dir: &Path, name: &str, text: &str) -> NewFile {
        NewFile::private(dir.join(name), Secret::from_text(text.to_owned()), "")
    }

    fn names(dir: &Path) -> Vec<(String, String)> {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
        let mut all: Vec<_> = entries
            .filter(|entry| entry.path().is_file())
            .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap()))
            .collect();
        all.sort();
        all
    }

    /// A directory where the second file should go makes the second rename fail after the first was made.
    #[test]
    fn a_set_that_fails_in_its_middle_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        std::fs::write(dir.join("a"), "old a").unwrap();
        let set = [file(dir, "a", "new"), file(dir, "b", "new")];
        let staged = stage(&set, true).unwrap();
        std::fs::create_dir(dir.join("b")).unwrap();
        assert_eq!(publish(staged, true).unwrap_err().code, "F010");
        assert_eq!(names(dir), [("a".to_owned(), "old a".to_owned())], "no new content, no leftovers");
    }

    #[test]
    fn nothing_is_replaced_without_force_and_all_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        std::fs::write(dir.join("b"), "old b").unwrap();
        let set = [file(dir, "a", "new a"), file(dir, "b", "new b")];
        assert_eq!(stage(&set, false).unwrap_err().code, "K018");
        assert_eq!(names(dir), [("b".to_owned(), "old b".to_owned())]);
        publish(stage(&set, true).unwrap(), true).unwrap();
        let new = [("a".to_owned(), "new a".to_owned()), ("b".to_owned(), "new b".to_owned())];
        assert_eq!(names(dir), new);
        let mode = std::fs::metadata(dir.join("b")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "also where an open file was replaced");
        assert_eq!(stage(&[file(dir, "c", ""), file(dir, "c", "")], true).unwrap_err().code, "K018");
        // What came into the way after the look is not replaced either.
        let late = [file(dir, "d", "new d")];
        let staged = stage(&late, false).unwrap();
        std::fs::write(dir.join("d"), "the only copy").unwrap();
        assert_eq!(publish(staged, false).unwrap_err().code, "K018");
        assert_eq!(std::fs::read_to_string(dir.join("d")).unwrap(), "the only copy");
    }
}

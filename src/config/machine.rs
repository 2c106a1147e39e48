//! This machine as a configuration meets it: its user, its directories, new files.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use super::cannot_write;
use crate::error::Result;

/// Writes a file that holds no secret and must not exist yet, all of it or nothing.
///
/// # Errors
/// `F010`.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = std::fs::Permissions::from_mode(0o644);
    let written = tempfile::Builder::new().permissions(mode).tempfile_in(dir).and_then(|mut file| {
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        Ok(())
    });
    written.map_err(|error| cannot_write(path, &error))
}

/// Takes a file away that was made a moment ago.
pub fn remove_file(path: &Path) {
    // The error that led here is what matters.
    let _ = std::fs::remove_file(path);
}

/// Whether a path lies in a git work tree.
pub fn is_in_git(path: &Path) -> bool {
    path.ancestors().skip(1).any(|above| above.join(".git").exists())
}

/// Names of the policy files in a directory, whether they are valid or not.
pub fn policy_names(dir: &Path) -> Vec<String> {
    let is_policy = |path: &Path| path.extension().is_some_and(|ending| ending == "toml" || ending == "json");
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = files.filter(|path| is_policy(path)).filter_map(stem).collect();
    names.sort();
    names
}

/// Whether this process may make files in a directory.
pub fn is_writable_dir(path: &Path) -> bool {
    nix::unistd::access(path, nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK).is_ok() && path.is_dir()
}

/// Name of the user of the operating system, else the number.
pub fn os_user() -> String {
    let uid = nix::unistd::Uid::current();
    let known = nix::unistd::User::from_uid(uid).ok().flatten();
    known.map_or_else(|| format!("uid {uid}"), |user| user.name)
}

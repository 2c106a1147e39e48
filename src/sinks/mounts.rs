//! What `/proc/self/mountinfo` says of a path: bind-mounted single files cannot be replaced by a rename, and
//! network file systems lock too loosely to compare before a write.

use std::path::Path;
use std::path::PathBuf;

/// File systems on which another host's lock or rename may not be seen in time.
const NETWORK: [&str; 7] = ["9p", "afs", "ceph", "cifs", "nfs", "nfs4", "smb3"];

/// Whether `path` is itself a mount point.
pub(super) fn is_mount_point(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    mounts().iter().any(|(point, _)| *point == path)
}

/// Whether `path` lies on a network file system (FUSE counts as one).
pub(super) fn is_network(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let inside = mounts().into_iter().filter(|(point, _)| path.starts_with(point));
    // The last of equally long ones lies on top.
    let kind = inside.max_by_key(|(point, _)| point.as_os_str().len()).map(|(_, kind)| kind);
    kind.is_some_and(|kind| NETWORK.contains(&kind.as_str()) || kind.starts_with("fuse"))
}

/// Mount points with their file system types; empty where there is no such file.
fn mounts() -> Vec<(PathBuf, String)> {
    parse(&std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
}

/// Format: proc(5). Field 5 is the mount point with octal escapes; the type follows a lone hyphen.
fn parse(text: &str) -> Vec<(PathBuf, String)> {
    let line = |line: &str| {
        let (front, back) = line.split_once(" - ")?;
        let point = front.split(' ').nth(4)?;
        let kind = back.split(' ').next()?;
        Some((PathBuf::from(unescape(point)), kind.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// The four characters that proc(5) escapes.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_is_read_with_its_escapes() {
        let text = "36 35 98:0 / /mnt/with\\040space rw,noatime master:1 - ext4 /dev/root rw\n\
                    37 35 0:40 / /srv/share rw - nfs4 files:/x rw\nnonsense\n";
        let expected = [("/mnt/with space".into(), "ext4".into()), ("/srv/share".into(), "nfs4".into())];
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn proc_is_a_mount_point_and_a_temporary_directory_is_not() {
        assert!(is_mount_point(Path::new("/proc")));
        let directory = tempfile::tempdir().unwrap();
        assert!(!is_mount_point(directory.path()));
    }
}

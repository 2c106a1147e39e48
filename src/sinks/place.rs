//! A directory held open, and everything done in it relative to that handle.
//!
//! Nothing here follows a symlink in the last part of a path, and nothing is looked up twice by its full
//! path, so that a directory swapped in between cannot redirect a write (threat 6 of the security document).

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use nix::dir::Dir;
use nix::fcntl::AtFlags;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::sys::stat::SFlag;
use nix::unistd::UnlinkatFlags;
use zeroize::Zeroizing;

use super::error::Result;
use super::error::SinkError;
use super::owner::Owner;

/// Larger files are not read: nothing that everkey delivers comes near.
const MAX_READ_BYTES: u64 = 16 * 1024 * 1024;

/// What a name stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Absent,
    Directory,
    File,
    /// Socket, pipe or device.
    Other,
    Symlink,
}

/// An open directory.
#[derive(Debug)]
pub(super) struct Place {
    dir: File,
    path: PathBuf,
}

impl Place {
    /// Opens a directory; symlinks on the way to it are followed, as everywhere in a file system.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let dir = nix::fcntl::open(path, flags, Mode::empty()).map_err(SinkError::io("open directory", path))?;
        Ok(Self { dir: dir.into(), path: path.to_owned() })
    }

    /// Opens a directory inside this one, never through a symlink.
    pub(super) fn enter(&self, name: &str) -> Result<Self> {
        let path = self.path_of(name);
        let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let dir = nix::fcntl::openat(self.dir.as_fd(), name, flags, Mode::empty())
            .map_err(SinkError::io("open directory", &path))?;
        Ok(Self { dir: dir.into(), path })
    }

    /// The path of `name` in here, for people.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Mode bits, and whose it is: (mode, user, group).
    pub(super) fn access(&self) -> Result<(u32, u32, u32)> {
        let metadata = self.dir.metadata().map_err(SinkError::io("examine", &self.path))?;
        Ok((metadata.mode() & 0o7777, metadata.uid(), metadata.gid()))
    }

    /// What `name` stands for, without following it.
    pub(super) fn kind(&self, name: &str) -> Result<Kind> {
        let stat = match nix::sys::stat::fstatat(self.dir.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(nix::Error::ENOENT) => return Ok(Kind::Absent),
            Err(error) => return Err(SinkError::io("examine", &self.path_of(name))(error)),
        };
        let format = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
        Ok(match format {
            SFlag::S_IFDIR => Kind::Directory,
            SFlag::S_IFLNK => Kind::Symlink,
            SFlag::S_IFREG => Kind::File,
            _ => Kind::Other,
        })
    }

    /// Creates a file that did not exist, readable by us alone from its first instant.
    ///
    /// Owner and mode become final only after the content is written and synced.
    pub(super) fn create(&self, name: &str, content: &[u8], owner: Option<Owner>, mode: u32) -> Result<()> {
        let path = self.path_of(name);
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = nix::fcntl::openat(self.dir.as_fd(), name, flags, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(SinkError::io("create", &path))?;
        let mut file = File::from(fd);
        file.write_all(content).map_err(SinkError::io("write", &path))?;
        if let Some(owner) = owner {
            owner.give(&file).map_err(SinkError::io("change the owner of", &path))?;
        }
        file.set_permissions(PermissionsExt::from_mode(mode)).map_err(SinkError::io("set the mode of", &path))?;
        file.sync_all().map_err(SinkError::io("sync", &path))
    }

    /// Opens a file for reading and writing, making it (mode 0600) when it is not there.
    pub(super) fn open_or_create(&self, name: &str) -> Result<File> {
        let flags = OFlag::O_CREAT | OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        nix::fcntl::openat(self.dir.as_fd(), name, flags, Mode::S_IRUSR | Mode::S_IWUSR)
            .map(File::from)
            .map_err(SinkError::io("open", &self.path_of(name)))
    }

    /// Opens a regular file; `None` when it is not there. A pipe cannot make it hang.
    pub(super) fn open_file(&self, name: &str, write: bool) -> Result<Option<File>> {
        let path = self.path_of(name);
        let access = if write { OFlag::O_RDWR } else { OFlag::O_RDONLY };
        let flags = access | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = match nix::fcntl::openat(self.dir.as_fd(), name, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(nix::Error::ENOENT) => return Ok(None),
            Err(error) => return Err(SinkError::io("open", &path)(error)),
        };
        let metadata = file.metadata().map_err(SinkError::io("examine", &path))?;
        if !metadata.is_file() {
            return Err(SinkError::refused(format!("{} is not a regular file", path.display())));
        }
        Ok(Some(file))
    }

    /// The bytes of a regular file; `None` when it is not there.
    pub(super) fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        self.open_file(name, false)?.map(|file| read_all(&file, &self.path_of(name))).transpose()
    }

    /// Makes a directory that only we may enter; whether it was made (false: the name is taken).
    pub(super) fn make_directory(&self, name: &str) -> Result<bool> {
        match nix::sys::stat::mkdirat(self.dir.as_fd(), name, Mode::S_IRWXU) {
            Ok(()) => Ok(true),
            Err(nix::Error::EEXIST) => Ok(false),
            Err(error) => Err(SinkError::io("create directory", &self.path_of(name))(error)),
        }
    }

    /// Sets this directory's own mode.
    pub(super) fn set_mode(&self, mode: u32) -> Result<()> {
        self.dir.set_permissions(PermissionsExt::from_mode(mode)).map_err(SinkError::io("set the mode of", &self.path))
    }

    /// Atomically puts `from` in the place of `to`.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<()> {
        nix::fcntl::renameat(self.dir.as_fd(), from, self.dir.as_fd(), to)
            .map_err(SinkError::io("replace", &self.path_of(to)))
    }

    /// Makes a symlink beside its target.
    pub(super) fn symlink(&self, target: &str, name: &str) -> Result<()> {
        nix::unistd::symlinkat(target, self.dir.as_fd(), name)
            .map_err(SinkError::io("create symlink", &self.path_of(name)))
    }

    /// Where a symlink points; `None` when there is no symlink of that name.
    pub(super) fn read_link(&self, name: &str) -> Result<Option<OsString>> {
        match nix::fcntl::readlinkat(self.dir.as_fd(), name) {
            Ok(target) => Ok(Some(target)),
            Err(nix::Error::ENOENT | nix::Error::EINVAL) => Ok(None),
            Err(error) => Err(SinkError::io("read symlink", &self.path_of(name))(error)),
        }
    }

    /// Removes a file or symlink; one that is not there is success.
    pub(super) fn remove_file(&self, name: &str) -> Result<()> {
        self.unlink(name, UnlinkatFlags::NoRemoveDir)
    }

    /// Removes an empty directory; one that is not there is success.
    pub(super) fn remove_empty_directory(&self, name: &str) -> Result<()> {
        self.unlink(name, UnlinkatFlags::RemoveDir)
    }

    /// Removes a directory of ours with the files in it; refuses when somebody put a directory there.
    pub(super) fn remove_directory(&self, name: &str) -> Result<()> {
        let inside = self.enter(name)?;
        for file in inside.names()? {
            inside.remove_file(&file)?;
        }
        self.remove_empty_directory(name)
    }

    fn unlink(&self, name: &str, flag: UnlinkatFlags) -> Result<()> {
        match nix::unistd::unlinkat(self.dir.as_fd(), name, flag) {
            Ok(()) | Err(nix::Error::ENOENT) => Ok(()),
            Err(error) => Err(SinkError::io("remove", &self.path_of(name))(error)),
        }
    }

    /// Names in here, sorted; names that are not UTF-8 are no names of ours and left out.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let fail = |error: nix::Error| SinkError::io("list", &self.path)(error);
        // A handle of its own: the position of a listing belongs to the handle.
        let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let mut listing = Dir::openat(self.dir.as_fd(), ".", flags, Mode::empty()).map_err(fail)?;
        let mut names = Vec::new();
        for entry in listing.iter() {
            let entry = entry.map_err(fail)?;
            if let Some(name) = OsStr::from_bytes(entry.file_name().to_bytes()).to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Makes what was done to the names in here durable.
    pub(super) fn sync(&self) -> Result<()> {
        self.dir.sync_all().map_err(SinkError::io("sync", &self.path))
    }
}

/// Everything that an open file holds, from its start; memory is zeroed afterwards.
pub(super) fn read_all(file: &File, path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let size = file.metadata().map_err(SinkError::io("examine", path))?.len();
    if size > MAX_READ_BYTES {
        return Err(SinkError::refused(format!("{} is larger than 16 MiB", path.display())));
    }
    // The capacity is enough from the start: growing would leave copies behind.
    let capacity = usize::try_from(size).unwrap_or_default() + 1;
    let mut content = Zeroizing::new(Vec::with_capacity(capacity));
    let mut reader: io::Take<&File> = io::Read::take(file, MAX_READ_BYTES);
    reader.read_to_end(&mut content).map_err(SinkError::io("read", path))?;
    Ok(content)
}

//! Reads the file, puts the values in, and replaces it without a moment in which it is half written.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;

use nix::fcntl::FallocateFlags;
use zeroize::Zeroizing;

use crate::model::RotationId;
use crate::secret::Fingerprint;

use super::Owner;
use super::Result;
use super::SinkError;
use super::Target;
use super::edit;
use crate::sinks::place::Kind;
use crate::sinks::place::Place;
use crate::sinks::place::read_all;
use crate::sinks::sidecar::Sidecar;

/// How often the work starts again because the application wrote to the file meanwhile.
const TRIES: usize = 5;

/// The file as it was read.
pub(super) struct Present {
    /// Its handle.
    pub(super) file: File,
    /// Its text.
    pub(super) text: Zeroizing<String>,
    /// Owner and group.
    pub(super) owner: Owner,
    /// Mode bits.
    pub(super) mode: u32,
    /// Number of its names.
    pub(super) links: u64,
}

impl Present {
    /// Owner and mode that the file shall have.
    pub(super) fn wanted(&self, target: &Target) -> (Owner, u32) {
        let asked = target.owner.unwrap_or_default();
        let owner = Owner { user: asked.user.or(self.owner.user), group: asked.group.or(self.owner.group) };
        (owner, target.mode.unwrap_or(self.mode))
    }
}

/// Reads the file; `None` when there is none. Symlinks are refused, naming where they lead.
pub(super) fn read(target: &Target, place: &Place) -> Result<Option<Present>> {
    if place.kind(&target.name)? == Kind::Symlink {
        let leads = place.read_link(&target.name)?.unwrap_or_default();
        let why = format!("is a symlink to {}; name that file in the policy", leads.display());
        return Err(target.refused(why));
    }
    let Some(file) = place.open_file(&target.name, target.in_place)? else { return Ok(None) };
    let path = target.path();
    let metadata = file.metadata().map_err(SinkError::io("examine", &path))?;
    let mut bytes = read_all(&file, &path)?;
    let text = match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Zeroizing::new(text),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            return Err(target.refused("it is not UTF-8 text"));
        }
    };
    let owner = Owner { user: Some(metadata.uid()), group: Some(metadata.gid()) };
    let (mode, links) = (metadata.mode() & 0o7777, metadata.nlink());
    Ok(Some(Present { file, text, owner, mode, links }))
}

/// Puts `texts` at the target's pointers.
pub(super) fn publish(target: &Target, generation: RotationId, texts: Vec<Zeroizing<String>>) -> Result<Fingerprint> {
    let place = Place::open(&target.parent)?;
    let mut sidecar = Sidecar::lock(&place, &target.sidecar())?;
    sidecar.refuse_older(generation, target.path())?;
    // The leftover of a crash holds a secret.
    place.remove_file(&next_name(target))?;

    let wanted = summary(target, texts.iter().map(|text| Some(edit::quoted(text))));
    let values: Vec<_> = target.pointers.iter().cloned().zip(texts).collect();
    for _ in 0..TRIES {
        let present = super::preflight::require(target, &place)?;
        let edited = edit::apply(&present.text, &values).map_err(|why| target.refused(why))?;
        let (owner, mode) = present.wanted(target);
        sidecar.record(generation, &wanted)?;
        if *edited == *present.text && owner == present.owner && mode == present.mode {
            return check(target, &place, wanted);
        }
        if target.in_place {
            overwrite(target, &present, &edited)?;
            return check(target, &place, wanted);
        }
        let replaced = replace(target, &place, &present, &edited);
        if !matches!(replaced, Ok(true)) {
            place.remove_file(&next_name(target))?;
        }
        if replaced? {
            return check(target, &place, wanted);
        }
    }
    Err(target.refused("somebody keeps writing to it; its own content was left alone"))
}

/// Fingerprint of the values at our pointers; `None` where none of them is set (absent, empty or null).
pub(super) fn fingerprint(target: &Target) -> Result<Option<Fingerprint>> {
    let place = match Place::open(&target.parent) {
        Err(SinkError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let Some(present) = read(target, &place)? else { return Ok(None) };
    let found = edit::read(&present.text, &target.pointers).map_err(|why| target.refused(why))?;
    let unset = |value: &Option<Zeroizing<String>>| match value {
        Some(value) => matches!(value.as_str(), "\"\"" | "null"),
        None => true,
    };
    Ok(if found.iter().all(unset) { None } else { Some(summary(target, found.into_iter())) })
}

/// Name of the new file before it is renamed into place.
fn next_name(target: &Target) -> String {
    format!(".{}.everkey-new", target.name)
}

/// Writes a new file beside the old one and renames it; `false` when the old one changed meanwhile.
///
/// Between the last look and the rename a write of the application can still be lost: nothing short of a lock
/// that the application takes as well could prevent that.
fn replace(target: &Target, place: &Place, present: &Present, edited: &str) -> Result<bool> {
    let next = next_name(target);
    let (owner, mode) = present.wanted(target);
    place.create(&next, edited.as_bytes(), Some(owner), mode)?;
    let now = super::preflight::require(target, place)?;
    if *now.text != *present.text || now.owner != present.owner || now.mode != present.mode {
        return Ok(false);
    }
    place.rename(&next, &target.name)?;
    place.sync()?;
    Ok(true)
}

/// Writes into the existing file. Room is reserved first, so that a full disk leaves the old content; a crash in
/// the middle does not, which is why this is done only where a policy asks for it.
fn overwrite(target: &Target, present: &Present, edited: &str) -> Result<()> {
    let path = target.path();
    let (file, bytes) = (&present.file, edited.as_bytes());
    if bytes.len() > present.text.len() {
        let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        match nix::fcntl::fallocate(file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, length) {
            // Not every file system can reserve.
            Ok(()) | Err(nix::Error::EOPNOTSUPP | nix::Error::ENOSYS) => {}
            Err(error) => return Err(SinkError::io("reserve room for", &path)(error)),
        }
    }
    file.write_all_at(bytes, 0).map_err(SinkError::io("write", &path))?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    file.set_len(length).map_err(SinkError::io("cut", &path))?;
    let (owner, mode) = present.wanted(target);
    owner.give(file).map_err(SinkError::io("change the owner of", &path))?;
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
        .map_err(SinkError::io("set the mode of", &path))?;
    file.sync_all().map_err(SinkError::io("sync", &path))
}

/// Reads the values back.
fn check(target: &Target, place: &Place, wanted: Fingerprint) -> Result<Fingerprint> {
    let present = read(target, place)?.ok_or_else(|| SinkError::ReadBack(target.path()))?;
    let found = edit::read(&present.text, &target.pointers).map_err(|why| target.refused(why))?;
    if summary(target, found.into_iter()) == wanted { Ok(wanted) } else { Err(SinkError::ReadBack(target.path())) }
}

/// One fingerprint of all values; JSON text holds no raw control characters, so the parts cannot run together.
fn summary(target: &Target, values: impl Iterator<Item = Option<Zeroizing<String>>>) -> Fingerprint {
    let parts = target.pointers.iter().zip(values).map(|(pointer, value)| {
        let value = value.map_or_else(|| "absent".to_owned(), |value| Fingerprint::of(value.as_bytes()).0);
        format!("{}\0{value}\n", pointer.text())
    });
    Fingerprint::of(parts.collect::<String>().as_bytes())
}

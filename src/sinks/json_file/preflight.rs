//! Whether a write would succeed: the file, its objects, its directory, owner, mode, rename and room.

use super::Result;
use super::SinkError;
use super::Target;
use super::edit;
use super::replace;
use super::replace::Present;
use crate::sinks::mounts;
use crate::sinks::place::Place;
use crate::sinks::sidecar::Sidecar;

/// More than our values can add.
const SPARE_BYTES: usize = 16 * 1024;

/// Tries everything that a write does, with content that is no secret; leaves nothing but the lock file.
pub(super) fn check(target: &Target) -> Result<()> {
    let place = Place::open(&target.parent)?;
    let present = require(target, &place)?;
    edit::read(&present.text, &target.pointers).map_err(|why| target.refused(why))?;
    Sidecar::check(&place, &target.sidecar())?;
    let (owner, mode) = present.wanted(target);
    if target.secret && mode & 0o004 != 0 {
        let place = target.path();
        tracing::warn!(place = %place.display(), "everybody on this host can read the file; set `mode` in the policy");
    }
    if target.in_place {
        return Ok(());
    }

    let probe = format!(".{}.everkey-probe.{}", target.name, std::process::id());
    let moved = format!("{probe}.moved");
    place.remove_file(&probe)?;
    let room = vec![0; present.text.len() + SPARE_BYTES];
    let tried = place.create(&probe, &room, Some(owner), mode).and_then(|()| place.rename(&probe, &moved));
    place.remove_file(&probe)?;
    place.remove_file(&moved)?;
    tried
}

/// The file as it is, when it is one that may be replaced.
pub(super) fn require(target: &Target, place: &Place) -> Result<Present> {
    let Some(present) = replace::read(target, place)? else {
        return Err(target.refused("there is no such file; everkey changes values in a file, it does not make one"));
    };
    check_parent(target, place, &present)?;
    if !target.in_place {
        if mounts::is_mount_point(&target.path()) {
            return Err(
                target.refused("it is bind-mounted by itself and cannot be replaced; set `write = \"in-place\"`")
            );
        }
        if present.links > 1 {
            return Err(target.refused("it has more than one name (hard link); set `write = \"in-place\"`"));
        }
    }
    Ok(present)
}

/// Whoever may write in the directory may replace the file, so nobody may who could not read it anyway: an
/// application's own group is fine, everybody is not.
fn check_parent(target: &Target, place: &Place, present: &Present) -> Result<()> {
    let (directory, _, group) = place.access()?;
    let (owner, mode) = present.wanted(target);
    let sticky = directory & 0o1000 != 0;
    let group_writes = directory & 0o020 != 0;
    let group_reads = mode & 0o040 != 0 && owner.group == Some(group);
    if !sticky && (directory & 0o002 != 0 || (group_writes && !group_reads)) {
        let parent = target.parent.display();
        return Err(SinkError::refused(format!(
            "{parent} is writable by more people than may read the file (mode {directory:04o}); run `chmod go-w {parent}`"
        )));
    }
    Ok(())
}

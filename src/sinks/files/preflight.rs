//! Whether a write would succeed: place, owner, mode, rename and room, tried with a directory of zeros.

use super::Layout;
use super::Result;
use super::SinkError;
use super::generation;
use crate::sinks::place::Place;
use crate::sinks::sidecar::Sidecar;

/// More than any key, certificate and PFX together.
const ROOM_BYTES: usize = 64 * 1024;

/// Tries everything that a write does, with content that is no secret; leaves nothing but the lock file.
pub(super) fn check(layout: &Layout) -> Result<()> {
    let place = Place::open(&layout.parent)?;
    check_parent(layout, &place)?;
    generation::current(layout, &place)?;
    Sidecar::check(&place, &layout.sidecar())?;

    // The process id keeps two preflights apart.
    let probe = format!(".{}.everkey-probe.{}", layout.name, std::process::id());
    let moved = format!("{probe}.moved");
    let tried = rehearse(layout, &place, &probe, &moved);
    for name in [&probe, &moved] {
        // What is not there cannot be removed; what stays behind holds zeros.
        let _ = place.remove_directory(name);
    }
    tried
}

fn rehearse(layout: &Layout, place: &Place, probe: &str, moved: &str) -> Result<()> {
    if !place.make_directory(probe)? {
        place.remove_directory(probe)?;
        place.make_directory(probe)?;
    }
    place.enter(probe)?.create("room", &vec![0; ROOM_BYTES], layout.owner, layout.mode)?;
    place.rename(probe, moved)?;
    place.sync()
}

/// Whoever may write in the parent may replace the directory with the key: only its owner may.
pub(super) fn check_parent(layout: &Layout, place: &Place) -> Result<()> {
    let (mode, _, _) = place.access()?;
    let sticky = mode & 0o1000 != 0;
    if mode & 0o022 != 0 && !sticky {
        let parent = layout.parent.display();
        return Err(SinkError::refused(format!(
            "{parent} is writable by its group or by everybody (mode {mode:04o}), who could replace the key; \
             run `chmod go-w {parent}` or name another directory"
        )));
    }
    Ok(())
}

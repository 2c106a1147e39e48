//! A new generation: filled, synced, compared, swapped in, and the replaced one removed.

use crate::model::RotationId;
use crate::secret::Fingerprint;

use super::Layout;
use super::Result;
use super::SinkError;
use super::content::Files;
use super::refused;
use crate::sinks::place::Kind;
use crate::sinks::place::Place;
use crate::sinks::sidecar::Sidecar;

/// Files that hold no key.
const PUBLIC_MODE: u32 = 0o644;

/// Generations are entered by every consumer; their private files protect themselves.
const DIRECTORY_MODE: u32 = 0o755;

/// How often a reader starts again when a swap happens under its hands.
const READ_TRIES: usize = 5;

/// What stands at the path that consumers read.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Current {
    /// Nothing yet.
    Absent,
    /// An empty directory, made beforehand by whoever prepared the host.
    EmptyDirectory,
    /// A symlink to the generation of this name.
    Generation(String),
}

/// Writes `files` as the current generation.
pub(super) fn publish(layout: &Layout, generation: RotationId, files: &Files) -> Result<Fingerprint> {
    let place = Place::open(&layout.parent)?;
    super::preflight::check_parent(layout, &place)?;
    let mut sidecar = Sidecar::lock(&place, &layout.sidecar())?;
    sidecar.refuse_older(generation, layout.link())?;
    let before = current(layout, &place)?;
    // First the leftovers of a crash: they hold keys, and they take room.
    sweep(layout, &place)?;

    let published = fill(layout, &place, generation, files).and_then(|(directory, fingerprint)| {
        sidecar.record(generation, &fingerprint)?;
        swap(layout, &place, &before, &directory)?;
        Ok(fingerprint)
    });
    // Removes the replaced generation, or after a failure the one that did not become current. What cannot
    // be removed now is a leftover of the next write; the value itself is delivered.
    if let Err(error) = sweep(layout, &place) {
        tracing::warn!(place = %layout.link().display(), %error, "a replaced generation could not be removed");
    }
    published
}

/// Fingerprint of the current generation; `None` when there is none of ours.
pub(super) fn fingerprint(layout: &Layout) -> Result<Option<Fingerprint>> {
    let place = match Place::open(&layout.parent) {
        Err(SinkError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut tries = 1..=READ_TRIES;
    loop {
        let last = tries.next().is_none();
        let Some(directory) = linked(layout, &place)? else { return Ok(None) };
        if place.kind(&directory)? == Kind::Absent && last {
            // A dangling symlink holds nothing.
            return Ok(None);
        }
        match place.enter(&directory).and_then(|inside| fingerprint_of(&inside)) {
            Err(SinkError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound && !last => {}
            other => return other.map(Some),
        }
    }
}

/// What stands at the consumers' path; anything that everkey did not make is refused.
pub(super) fn current(layout: &Layout, place: &Place) -> Result<Current> {
    match place.kind(&layout.name)? {
        Kind::Absent => Ok(Current::Absent),
        Kind::Directory if place.enter(&layout.name)?.names()?.is_empty() => Ok(Current::EmptyDirectory),
        Kind::Directory => Err(refused(
            layout,
            "is a directory with files in it; everkey puts a symlink there: move the files away, or name another directory",
        )),
        Kind::Symlink => match linked(layout, place)? {
            Some(directory) => Ok(Current::Generation(directory)),
            None => Err(refused(layout, "is a symlink that everkey did not make")),
        },
        Kind::File | Kind::Other => Err(refused(layout, "is not a directory")),
    }
}

/// Name of the generation that the symlink names, when it is one of ours.
fn linked(layout: &Layout, place: &Place) -> Result<Option<String>> {
    let target = place.read_link(&layout.name)?.and_then(|target| target.into_string().ok());
    Ok(target.filter(|target| is_generation(layout, target)))
}

/// `.NAME.r-0042.1`.
fn is_generation(layout: &Layout, name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_prefix(&format!(".{}.r-", layout.name))
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(generation, count)| digits(generation) && digits(count))
}

/// Name of the symlink before it is renamed into place.
fn next_link(layout: &Layout) -> String {
    format!(".{}.everkey-link", layout.name)
}

/// Makes a generation directory with all files, synced and read back.
fn fill(layout: &Layout, place: &Place, generation: RotationId, files: &Files) -> Result<(String, Fingerprint)> {
    let mut names = (1..).map(|count: u64| format!(".{}.{generation}.{count}", layout.name));
    let directory = loop {
        match names.next() {
            Some(name) if place.make_directory(&name)? => break name,
            Some(_) => {}
            None => return Err(refused(layout, "has no free generation name")),
        }
    };
    let inside = place.enter(&directory)?;
    for (name, content) in files {
        let mode = if content.private { layout.mode } else { PUBLIC_MODE };
        inside.create(name, content.bytes.expose(), layout.owner, mode)?;
    }
    inside.set_mode(DIRECTORY_MODE)?;
    inside.sync()?;

    let wanted = summary(files.iter().map(|(name, content)| (name.as_str(), content.bytes.fingerprint())));
    if fingerprint_of(&inside)? != wanted {
        return Err(SinkError::ReadBack(layout.link()));
    }
    Ok((directory, wanted))
}

/// Makes `directory` the current generation; durable when this returns.
fn swap(layout: &Layout, place: &Place, before: &Current, directory: &str) -> Result<()> {
    let link = next_link(layout);
    place.symlink(directory, &link)?;
    if *before == Current::EmptyDirectory {
        // Fails when a file has appeared in it meanwhile: nothing of anybody's is lost.
        place.remove_empty_directory(&layout.name)?;
    }
    place.rename(&link, &layout.name)?;
    place.sync()?;
    match linked(layout, place)? {
        Some(now) if now == directory => Ok(()),
        _ => Err(SinkError::ReadBack(layout.link())),
    }
}

/// Removes every generation but the one that the symlink names, and half-made links.
fn sweep(layout: &Layout, place: &Place) -> Result<()> {
    place.remove_file(&next_link(layout))?;
    let keep = linked(layout, place)?;
    for name in place.names()? {
        let ours = is_generation(layout, &name) && keep.as_deref() != Some(name.as_str());
        if ours && place.kind(&name)? == Kind::Directory {
            place.remove_directory(&name)?;
        }
    }
    place.sync()
}

/// Fingerprint of all files in an open generation: their names and their bytes.
fn fingerprint_of(inside: &Place) -> Result<Fingerprint> {
    let mut found = Vec::new();
    for name in inside.names()? {
        let content = match inside.kind(&name)? {
            Kind::File => inside.read(&name)?.map(|bytes| Fingerprint::of(&bytes)),
            _ => None,
        };
        found.push((name, content.unwrap_or(Fingerprint("not a file".into()))));
    }
    Ok(summary(found.iter().map(|(name, content)| (name.as_str(), content.clone()))))
}

/// One fingerprint of many; names cannot hold NUL, so two sets never give the same text.
fn summary<'a>(files: impl Iterator<Item = (&'a str, Fingerprint)>) -> Fingerprint {
    let text: String = files.map(|(name, content)| format!("{name}\0{}\n", content.0)).collect();
    Fingerprint::of(text.as_bytes())
}

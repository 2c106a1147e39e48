//! Sinks of a policy moved below one directory, for an emulator: the shipped policies then apply unchanged on
//! any machine, without touching its `/srv` or its services.

use std::path::Component;
use std::path::Path;

use crate::model::SinkTarget;

use super::Policy;

/// Moves every file sink below `root` (its absolute path joined under it), and drops `owner` and `after`, which
/// name users and services that this machine need not have. Sink ids stay as they are. Returns what was
/// dropped or moved, a sentence each.
pub fn reroot(policy: &mut Policy, root: &Path) -> Vec<String> {
    let mut notes = Vec::new();
    for credential in &mut policy.credentials {
        let slot = format!("{}/{}", policy.name, credential.slot);
        for sink in &mut credential.sinks {
            let (path, owner, after) = match &mut sink.target {
                SinkTarget::Files(files) => (&mut files.directory, &mut files.owner, &mut files.after),
                SinkTarget::JsonFile(file) => (&mut file.path, &mut file.owner, &mut file.after),
                // Places beyond this machine answer for themselves: an emulated tenant reaches loopback only.
                _ => continue,
            };
            let moved = below(root, path);
            notes.push(format!("{slot}: `{path}` is written to `{moved}`"));
            if let Some(owner) = owner.take() {
                notes.push(format!("{slot}: owner `{owner}` of `{path}` is left out"));
            }
            if !after.is_empty() {
                notes.push(format!("{slot}: `{}` is not run after writing `{path}`", after.join(" ")));
                after.clear();
            }
            *path = moved;
        }
    }
    notes
}

/// `path` without its root, `.` and `..`, under `root`.
fn below(root: &Path, path: &str) -> String {
    let plain = Path::new(path).components().filter(|part| matches!(part, Component::Normal(_)));
    root.join(plain.collect::<std::path::PathBuf>()).display().to_string()
}

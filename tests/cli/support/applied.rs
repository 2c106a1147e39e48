//! A tenant in which the five policies were applied, made once per build of the binary and copied from then on: the
//! proof before it takes a real minute.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::UNIX_EPOCH;

use super::World;
use super::binary;

/// Copies it into the empty directory `to`, links and modes kept.
pub fn copy_to(to: &Path) {
    let from = made();
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(copied.success(), "cp");
}

fn made() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(root).unwrap();
    let data = std::fs::metadata(binary()).unwrap();
    let built = data.modified().unwrap().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let place = root.join(format!("cli-applied-{}-{built}", data.len()));
    let lock = File::create(root.join(format!("cli-applied-{}-{built}.lock", data.len()))).unwrap();
    // Tests run as processes of their own: the first makes it, the others wait.
    lock.lock().unwrap();
    if !place.exists() {
        let mut world = World::new();
        world.run(&["apply", "--yes"]).exits(0);
        world.stop();
        let copied = Command::new("cp").arg("-a").arg(world.path()).arg(place.with_extension("part")).status().unwrap();
        assert!(copied.success(), "cp");
        std::fs::rename(place.with_extension("part"), &place).unwrap();
    }
    place
}

//! Killed at every system call of a write: what consumers read is the old value or the new one, whole, and the next
//! write puts everything in order.
//!
//! The test runs itself again under `strace`, which kills it when it enters the n-th call of a kind.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use crate::stages::Files;
use crate::stages::Json;
use crate::stages::Stage;

/// Every call by which a write can change a file system.
const CALLS: [&str; 12] = [
    "openat",
    "write",
    "pwrite64",
    "fsync",
    "fchmod",
    "mkdirat",
    "symlinkat",
    "renameat",
    "unlinkat",
    "flock",
    "read",
    "getdents64",
];

/// Directory of one crash; where it exists, this process is the one to be killed.
const STAGE: &str = "everkey-test-crash";

/// Runs test `name` again in `root` until the n-th `call` kills it; whether it was killed.
fn killed(root: &Path, name: &str, call: &str, n: usize) -> bool {
    let inject = format!("inject={call}:signal=KILL:when={n}");
    let status = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .current_dir(root)
        .output()
        .unwrap_or_else(|error| panic!("this test needs `strace`: {error}"))
        .status;
    assert!(status.success() || status.signal() == Some(9) || status.code() == Some(137), "{call} {n}: {status}");
    !status.success()
}

/// Crashes at each call in turn.
async fn crash_everywhere<S: Stage>(name: &str) {
    if Path::new(STAGE).exists() {
        return S::write(Path::new(STAGE)).await;
    }
    let (mut old, mut new) = (0, 0);
    for call in CALLS {
        for n in 1.. {
            let root = tempfile::tempdir().unwrap();
            let stage = root.path().join(STAGE);
            fs::create_dir(&stage).unwrap();
            S::prepare(&stage).await;
            let was_killed = killed(root.path(), name, call, n);
            let is_new = S::check(&stage).await;
            assert!(was_killed || is_new, "{call} {n}: it ended well but wrote nothing");
            if !was_killed {
                break;
            }
            *(if is_new { &mut new } else { &mut old }) += 1;
        }
    }
    assert!(old > 10 && new > 3, "crashes before and after the swap: {old} and {new}");
}

#[tokio::test]
async fn files_survive_a_kill_at_every_call() {
    crash_everywhere::<Files>("crash::files_survive_a_kill_at_every_call").await;
}

#[tokio::test]
async fn json_survives_a_kill_at_every_call() {
    crash_everywhere::<Json>("crash::json_survives_a_kill_at_every_call").await;
}

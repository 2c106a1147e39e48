//! Killed at every system call of a write: what consumers read is the old value or the new one, whole, and the next
//! write puts everything in order.
//!
//! The test runs itself again under `strace`, which kills it when it enters the n-th call of a kind.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::*;

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

/// Crashes at each call in turn; `prepare` makes the stage, `check` looks at it afterwards and says whether the new
/// value is there.
async fn crash_everywhere(name: &str, prepare: impl AsyncFn(&Path), check: impl AsyncFn(&Path) -> bool) {
    let (mut old, mut new) = (0, 0);
    for call in CALLS {
        for n in 1.. {
            let root = tempfile::tempdir().unwrap();
            let stage = root.path().join(STAGE);
            fs::create_dir(&stage).unwrap();
            prepare(&stage).await;
            let was_killed = killed(root.path(), name, call, n);
            let is_new = check(&stage).await;
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
    let directory = |stage: &Path| stage.join("credential");
    if Path::new(STAGE).exists() {
        files(files_spec(&directory(Path::new(STAGE)))).write(&numbered(2)).await.unwrap();
        return;
    }
    let prepare = async |stage: &Path| {
        files(files_spec(&directory(stage))).write(&numbered(1)).await.unwrap();
    };
    let check = async |stage: &Path| {
        let read = |name: &str| fs::read_to_string(directory(stage).join(name)).unwrap();
        let (certificate, key) = (read("enate.crt"), read("enate.key"));
        assert!(["key 1\n", "key 2\n"].contains(&key.as_str()), "{key:?}");
        assert_eq!(certificate.strip_prefix("certificate "), key.strip_prefix("key "));
        let is_new = key == "key 2\n";

        files(files_spec(&directory(stage))).write(&numbered(2)).await.unwrap();
        assert_eq!(read("enate.key"), "key 2\n");
        assert_eq!(names(stage).len(), 3, "leftovers: {:?}", names(stage));
        is_new
    };
    crash_everywhere("crash::files_survive_a_kill_at_every_call", prepare, check).await;
}

#[tokio::test]
async fn json_survives_a_kill_at_every_call() {
    let path = |stage: &Path| stage.join("integrations.json");
    let value = |number: u64| format!("value {number}");
    if Path::new(STAGE).exists() {
        let sink = json(json_spec(&path(Path::new(STAGE))));
        sink.write(&credential(2, &value(2), &value(2))).await.unwrap();
        return;
    }
    let prepare = async |stage: &Path| {
        fs::write(path(stage), "{\"MS-OfficeMail-365\": {}, \"theirs\": 1}").unwrap();
        json(json_spec(&path(stage))).write(&credential(1, &value(1), &value(1))).await.unwrap();
    };
    let check = async |stage: &Path| {
        let read = || -> Value { serde_json::from_slice(&fs::read(path(stage)).unwrap()).expect("a whole file") };
        let found = read();
        assert_eq!(found["theirs"], 1);
        let mail = &found["MS-OfficeMail-365"];
        assert_eq!(mail["clientId"], mail["clientSecret"]);
        let is_new = mail["clientId"] == value(2);
        assert!(is_new || mail["clientId"] == value(1));

        json(json_spec(&path(stage))).write(&credential(2, &value(2), &value(2))).await.unwrap();
        assert_eq!(read()["MS-OfficeMail-365"]["clientId"], value(2));
        assert_eq!(names(stage), [".integrations.json.everkey", "integrations.json"]);
        is_new
    };
    crash_everywhere("crash::json_survives_a_kill_at_every_call", prepare, check).await;
}

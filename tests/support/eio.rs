//! A disk that fails: runs a command again and again under `strace`, which lets one call on one directory after the
//! other fail with EIO.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::process::Output;

/// Every call by which a write can change a file system.
const CALLS: [&str; 13] = [
    "openat",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fchmod",
    "mkdirat",
    "symlinkat",
    "renameat",
    "rename",
    "unlinkat",
    "unlink",
];

/// The n-th call of this name by a thread.
pub type Point = (String, usize);

/// How a run with a failing call ended.
pub struct Failed {
    pub output: Output,
    /// The call that failed, as strace writes it; `None` when no call on the directory was the n-th.
    pub call: Option<String>,
}

/// Calls of `command` on files whose path has `part` in it; the command runs once, untouched.
pub fn points(command: &Command, part: &str) -> BTreeSet<Point> {
    let (output, log) = traced(command, None);
    assert!(output.status.success(), "untouched: {}", String::from_utf8_lossy(&output.stderr));
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut points = BTreeSet::new();
    for line in log.lines() {
        let Some((thread, name)) = call(line) else { continue };
        let count = counts.entry((thread, name)).or_default();
        *count += 1;
        if line.contains(part) {
            points.insert((name.to_owned(), *count));
        }
    }
    points
}

/// Runs it with that call failing.
pub fn failing(command: &Command, (name, n): &Point, part: &str) -> Failed {
    let (output, log) = traced(command, Some(&format!("inject={name}:error=EIO:when={n}")));
    let hit = |line: &&str| line.contains("(INJECTED)") && line.contains(part);
    let call = log.lines().find(hit).map(|line| line.chars().take(160).collect());
    Failed { output, call }
}

/// Thread and name of a call's line; `None` for the second half of one, for signals and exits.
fn call(line: &str) -> Option<(&str, &str)> {
    let (thread, rest) = line.split_once(char::is_whitespace)?;
    let (name, _) = rest.trim_start().split_once('(')?;
    CALLS.contains(&name).then_some((thread, name))
}

fn traced(command: &Command, inject: Option<&str>) -> (Output, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    // strace counts by thread and cannot tell files apart: it may also hit a runtime's wake-up call, after which that
    // process waits for ever.
    let mut strace = Command::new("timeout");
    strace.args(["-k", "1", "20", "strace", "-f", "-y", "-s", "0", "-o"]).arg(log.path());
    strace.arg("-e").arg(format!("trace={}", CALLS.join(",")));
    if let Some(inject) = inject {
        strace.arg("-e").arg(inject);
    }
    strace.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        strace.env(name, value.unwrap_or_default());
    }
    strace.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    let output = strace.output().unwrap_or_else(|error| panic!("this test needs `strace`: {error}"));
    (output, std::fs::read_to_string(log.path()).unwrap())
}

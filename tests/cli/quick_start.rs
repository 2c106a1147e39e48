//! The README's quick start, line by line as it stands there, by somebody with an empty home: the lines of "Start with
//! a real tenant", with the emulator in the tenant's place. (The two commands at its top are the demo, which
//! `tests/readme.rs` runs, and the tests themselves.)

use std::path::Path;
use std::process::Command;

use crate::support::Ran;
use crate::support::World;
use crate::support::binary;
use crate::support::python;

/// The lines of the shell blocks between this heading and the next.
fn lines_under(heading: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, rest) = readme.split_once(&format!("\n## {heading}\n")).expect("the README has the section");
    let section = rest.split_once("\n## ").map_or(rest, |(section, _)| section);
    let mut lines = Vec::new();
    for (number, block) in section.split("```").enumerate().filter(|(number, _)| number % 2 == 1) {
        let (language, text) = block.split_once('\n').unwrap();
        assert_eq!(language.trim(), "sh", "block {number}");
        lines.extend(text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()));
    }
    lines
}

#[test]
fn the_readmes_lines_work_as_they_stand() {
    let world = World::new();
    let home = tempfile::tempdir().unwrap();
    std::fs::copy(world.config(), world.path().join("everkey.toml")).unwrap();
    let path = format!("{}:/usr/bin:/bin", binary().parent().unwrap().display());
    let lines = lines_under("Start with a real tenant");
    assert!(lines.len() >= 4 && lines.iter().all(|line| line.starts_with("everkey ")), "{lines:?}");
    for line in &lines {
        let mut command = Command::new(python());
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/terminal.py"));
        command.args(["y", "/bin/sh", "-c", line]).current_dir(world.path());
        command.env_clear().env("PATH", &path).env("HOME", home.path()).env("TERM", "xterm-256color");
        let ran = Ran::new(line.clone(), &command.output().unwrap()).exits(0);
        if line.contains("apply") {
            ran.says("1 done, 0 failed.").says("h-0001");
        }
    }
    assert_eq!(world.credentials().len(), 1, "the one integration that was named");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing is left in the home directory");
}

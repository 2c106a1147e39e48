//! The house rules that a compiler does not hold: who may import whom, what a file must begin with, how long it may be.
//!
//! The map is the one of `ARCHITECTURE.md`. A room that is missing here fails, so a new room is a decision; so is a
//! new arrow. The test reads text, which is why `use crate::{a, b}` is refused: it would slip through.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// These name everything: the faces, and the place that joins core and adapters.
const SEES_ALL: &[&str] = &["assemble", "cli", "lib", "main", "world"];

/// Room -> rooms it may import, besides itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // words
    ("clock", &[]),
    ("error", &[]),
    // A certificate in the journal carries its private key as a secret until it is sealed.
    ("model", &["secret"]),
    ("secret", &[]),
    // core
    ("alert", &["model"]),
    ("plan", &["model", "policy"]),
    ("policy", &["error", "model"]),
    ("ports", &["error", "model", "secret"]),
    ("rotation", &["model"]),
    // shell
    ("run", &["alert", "clock", "error", "model", "plan", "policy", "ports", "rotation", "secret"]),
    // adapters; `http` is the floor they share, and answers in the words of `ports`
    ("emulator", &["clock"]),
    ("entra", &["clock", "error", "http", "model", "ports", "secret"]),
    ("graph", &["clock", "error", "http", "model", "ports", "secret"]),
    ("http", &["error", "model", "ports", "secret"]),
    ("notifiers", &["clock", "error", "http", "model", "ports", "secret"]),
    ("pki", &["clock", "error", "model", "ports", "secret"]),
    ("sinks", &["clock", "error", "http", "model", "ports", "secret"]),
    ("store", &["clock", "error", "model", "ports", "secret"]),
    // The environment's door also reads the tool configuration, which `policy` parses and `alert` shapes.
    ("config", &["alert", "clock", "error", "policy", "secret"]),
    ("telemetry", &[]),
];

/// Files over 400 lines, each with why it is one file.
const LONG_FILES: &[(&str, &str)] = &[
    ("src/model/rotation.rs", "one record: the journal's states, events and their fields belong side by side"),
    ("src/ports.rs", "the whole seam on one page is the point of it"),
    ("src/rotation/next.rs", "one decision per state, read from top to bottom like the table of the protocol"),
    ("src/world/story.rs", "the demo's story in the order in which it is told"),
];

const MOST_LINES: usize = 400;

/// The one file that the emulator reads together with `policy`.
const FACTS: &str = "policy/graph-permissions.tsv";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every `.rs` below `folder`, as path from the repository and text.
fn files(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(path) = waiting.pop() {
        if path.file_name().is_some_and(|name| name == ".venv") {
            continue;
        }
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    assert!(found.len() > 5, "{folder} holds {} files: the test looks at the wrong place", found.len());
    found
}

/// `src/run/act.rs` -> `run`, `src/ports.rs` -> `ports`.
fn room(file: &str) -> &str {
    file.trim_start_matches("src/").split('/').next().unwrap().trim_end_matches(".rs")
}

/// The part of a file that is compiled into the program: what stands before its unit tests, without comments.
fn program(text: &str) -> String {
    let before = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    before.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test(file: &str) -> bool {
    file.contains("/tests/") || file.ends_with("/tests.rs")
}

/// First segments of the `crate::…` paths in a text.
fn imported(text: &str) -> BTreeSet<String> {
    text.split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>())
        .collect()
}

#[test]
fn every_room_is_in_the_map_and_the_map_has_no_others() {
    let there: BTreeSet<String> = files("src").iter().map(|(file, _)| room(file).to_owned()).collect();
    let listed: BTreeSet<String> =
        MAY_IMPORT.iter().map(|(name, _)| *name).chain(SEES_ALL.iter().copied()).map(str::to_owned).collect();
    assert_eq!(there, listed, "a new room is a decision: write it into ARCHITECTURE.md and into this map");
}

#[test]
fn rooms_import_only_what_the_map_allows() {
    let map: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for (file, text) in files("src") {
        if text.contains("crate::{") {
            wrong.push(format!("{file}: `crate::{{` hides what is imported; write one `use` per item"));
        }
        let from = room(&file);
        let Some(allowed) = map.get(from) else { continue };
        for to in imported(&text) {
            if to != from && !allowed.contains(&to.as_str()) {
                wrong.push(format!("{file}: {from} must not import {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_has_no_cycles() {
    let map: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    for start in map.keys() {
        let mut reached = BTreeSet::new();
        let mut waiting: Vec<&str> = map[start].to_vec();
        while let Some(next) = waiting.pop() {
            if reached.insert(next) {
                waiting.extend(map[next]);
            }
        }
        assert!(!reached.contains(start), "{start} reaches itself");
    }
}

#[test]
fn observing_decides_nothing() {
    let (_, text) = files("src").into_iter().find(|(file, _)| file == "src/run/observe.rs").unwrap();
    // `plan` only for the type of what is gathered.
    for room in ["policy", "rotation", "alert"] {
        assert!(!imported(&program(&text)).contains(room), "run/observe imports {room}: gathering must not decide");
    }
}

/// A shared serialiser would hide a shared mistake: what the client writes wrong, the emulator would read wrong.
#[test]
fn the_emulator_shares_no_code_with_the_client() {
    for (file, text) in files("src") {
        if room(&file) == "emulator" {
            for path in ["include!", "#[path", "everkey::", "super::super::super::"] {
                assert!(!program(&text).contains(path), "{file} reaches out with {path}");
            }
            // Facts may be shared, code may not: the names and ids of permissions are Microsoft's own list.
            for data in program(&text).split("include_str!(\"").skip(1) {
                assert!(
                    data.split('"').next().is_some_and(|path| path.ends_with(FACTS)),
                    "{file} includes more than {FACTS}"
                );
            }
        } else if !SEES_ALL.contains(&room(&file)) {
            assert!(!imported(&text).contains("emulator"), "{file} imports the emulator");
        }
    }
}

#[test]
fn the_deciding_rooms_have_no_clock_no_runtime_and_no_secret() {
    const FORBIDDEN: &[&str] = &[
        "async ",
        ".await",
        "tokio",
        "std::fs",
        "std::net",
        "std::thread",
        "::now()",
        "crate::clock",
        "crate::secret",
    ];
    for (file, text) in files("src") {
        if ["alert", "plan", "rotation"].contains(&room(&file)) && !is_test(&file) {
            for word in FORBIDDEN {
                assert!(!program(&text).contains(word), "{file} contains {word:?}");
            }
        }
    }
}

#[test]
fn every_file_says_what_lives_there() {
    for (file, text) in files("src").into_iter().chain(files("tests")) {
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > 12, "{file} must begin with `//!` and what lives there");
    }
}

#[test]
fn no_file_is_long_without_a_reason() {
    for (file, text) in files("src").into_iter().chain(files("tests")) {
        let lines = text.lines().count();
        let listed = LONG_FILES.iter().any(|(name, reason)| *name == file && !reason.is_empty());
        assert!(lines <= MOST_LINES || listed, "{file} has {lines} lines: split it, or list it here with a reason");
    }
    for (file, _) in LONG_FILES {
        assert!(root().join(file).is_file(), "{file} is listed and not there");
    }
}

#[test]
fn the_program_never_panics_on_purpose_and_prints_through_one_door() {
    const FORBIDDEN: &[&str] = &[
        "print!(",
        "println!(",
        "eprint!(",
        "eprintln!(",
        "dbg!(",
        "todo!(",
        "unimplemented!(",
        "panic!(",
        "unreachable!(",
        ".unwrap()",
        ".expect(\"",
        "process::exit",
        "#[allow(",
        "#![allow(",
    ];
    for (file, text) in files("src") {
        if !is_test(&file) {
            let text = program(&text);
            for word in FORBIDDEN {
                assert!(!text.contains(word), "{file} contains {word:?}");
            }
        }
    }
}

#[test]
fn no_test_is_ignored_and_none_sleeps_to_wait() {
    for (file, text) in files("src").into_iter().chain(files("tests")) {
        let (attribute, pause) = (format!("#[{}", "ignore"), format!("thread::{}(", "sleep"));
        assert!(!text.contains(&attribute), "{file} ignores a test");
        let waits = text.contains(&pause) && is_test(&file);
        assert!(!waits, "{file} sleeps in a unit test");
    }
}

#[test]
fn unsafe_is_forbidden_and_the_doors_are_guarded() {
    let cargo = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for line in ["unsafe_code = \"forbid\"", "disallowed_methods = \"deny\"", "print_stdout = \"deny\""] {
        assert!(cargo.contains(line), "Cargo.toml lost {line}");
    }
    let clippy = fs::read_to_string(root().join("clippy.toml")).unwrap();
    for door in ["Timestamp::now", "env::var", "expose_secret", "reqwest::Client::new", "tokio::time::sleep"] {
        assert!(clippy.contains(door), "clippy.toml lost the door for {door}");
    }
}

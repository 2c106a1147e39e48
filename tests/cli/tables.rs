//! Expectation 19: on a terminal of 60 columns no row wraps, on one of 400 nothing is left out, and a pipe gets all.

use std::path::Path;
use std::process::Command;

use crate::support::Ran;
use crate::support::World;
use crate::support::binary;
use crate::support::python;

fn on_terminal(world: &World, columns: usize, args: &[&str]) -> String {
    let mut command = Command::new(python());
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/terminal.py")).arg("").arg(binary());
    command.args(["-C", "emu/everkey.toml"]).args(args).current_dir(world.path());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm-256color");
    command.env("TERMINAL_COLUMNS", columns.to_string());
    Ran::new(format!("{columns} columns: {args:?}"), &command.output().unwrap()).exits(0).out.replace('\r', "")
}

#[test]
fn narrow_and_wide_terminals_are_both_readable() {
    let world = World::applied();
    for (args, kept, dropped) in [
        (&["status"][..], &["INTEGRATION", "LEFT", "STATE"][..], &["OWNER", "STOPS WORKING IF LEFT"][..]),
        (&["handoff", "list"], &["HAND-OFF", "INTEGRATION", "DUE"], &["VALUE"]),
        (&["history"], &["WHEN (UTC)", "WHAT"], &["WHO"]),
    ] {
        let narrow = on_terminal(&world, 60, args);
        let rows: Vec<&str> = narrow.lines().collect();
        assert!(rows.len() > 4, "{narrow}");
        assert!(rows.iter().all(|row| row.chars().count() <= 60 || row.contains("the emulator's")), "{narrow}");
        assert!(kept.iter().all(|word| narrow.contains(word)), "{args:?}\n{narrow}");
        assert!(!dropped.iter().any(|word| narrow.contains(word)), "{args:?}\n{narrow}");
        let wide = on_terminal(&world, 400, args);
        let piped = world.run(args).exits(0).out;
        for text in [&wide, &piped] {
            assert!(kept.iter().chain(dropped).all(|word| text.contains(word)), "{args:?}\n{text}");
            assert!(!text.lines().any(|line| line.ends_with("...")), "nothing is cut: {text}");
        }
        assert_eq!(wide.lines().count(), piped.lines().count());
        assert_eq!(wide.lines().count(), narrow.lines().count(), "as many rows as without a limit\n{narrow}");
    }
    // The order of leaving: the owner goes first.
    let middle = on_terminal(&world, 125, &["status"]);
    assert!(middle.contains("STOPS WORKING IF LEFT") && !middle.contains("OWNER"), "{middle}");
}

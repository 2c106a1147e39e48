//! What reaches a stream: no colour where nobody sees it, no complaint when the reader has gone.

use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Stdio;

use crate::support::World;

fn has_ansi(text: &str) -> bool {
    text.contains('\u{1b}')
}

/// Expectation 10.
#[test]
fn colours_only_where_they_are_wanted() {
    let world = World::without_emulator();
    world.replace(&world.policy("reapit-lead-imports"), "Mail.ReadWrite", "Mail.Reed");
    let out = |variable: Option<(&str, &str)>, args: &[&str]| {
        let mut command = world.bare(args);
        command.envs(variable);
        let output = command.output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    // Diagnostics on standard output, an error on standard error.
    for (variable, args, coloured) in [
        (None, &["validate", "policies"][..], false),
        (Some(("CLICOLOR_FORCE", "1")), &["validate", "policies"], true),
        (Some(("NO_COLOR", "1")), &["--color", "always", "validate", "policies"], true),
        (Some(("CLICOLOR_FORCE", "1")), &["--color", "never", "validate", "policies"], false),
        (None, &["--color", "always", "validate", "policies"], true),
        (Some(("EVERKEY_COLOR", "always")), &["validate", "policies"], true),
        (Some(("NO_COLOR", "1")), &["validate", "policies"], false),
    ] {
        assert_eq!(has_ansi(&out(variable, args).0), coloured, "{variable:?} {args:?}");
    }
    assert!(!has_ansi(&out(None, &["plan"]).1));
    assert!(has_ansi(&out(Some(("CLICOLOR_FORCE", "1")), &["plan"]).1));
    assert!(!has_ansi(&out(Some(("CLICOLOR_FORCE", "1")), &["plan", "--color", "never"]).1));
    assert!(!has_ansi(&out(Some(("CLICOLOR_FORCE", "1")), &["plan", "-o", "json"]).0));
    assert!(!has_ansi(&out(None, &["bogus"]).1));
}

/// Expectations 10 and 11, for every command that prints several lines.
#[test]
fn no_spinner_and_no_broken_pipe() {
    let world = World::applied();
    for args in [
        &["status"][..],
        &["plan"],
        &["history"],
        &["handoff", "list"],
        &["handoff", "show", "h-0001"],
        &["explain", "permissions"],
        &["schema", "policy"],
        &["help", "exit-codes"],
        &["status", "-o", "json"],
    ] {
        let mut child = world.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        reader.read_line(&mut line).unwrap();
        drop(reader);
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(!line.is_empty() && err.is_empty(), "{args:?}: {err}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        let whole = world.run(args).exits(0);
        assert!(!has_ansi(&whole.out) && !has_ansi(&whole.err) && !whole.out.contains('\r'), "{args:?}");
    }
}

/// `-q` leaves results and errors.
#[test]
fn quiet_keeps_results_and_errors() {
    let world = World::applied();
    let ran = world.run(&["plan", "-q"]).exits(0);
    assert!(ran.out.contains("No changes.") && !ran.out.contains("note:"), "{}", ran.out);
    let ran = world.run(&["-q", "handoff", "show", "h-9999"]).exits(1);
    assert!(ran.err.contains("H010"));
}

/// What others wrote into the tenant cannot move the cursor.
#[test]
fn control_characters_are_shown_escaped() {
    let world = World::without_emulator();
    let ran = world.run(&["explain", "P\u{1b}[2J"]).exits(64);
    assert!(!has_ansi(&ran.err), "{:?}", ran.err);
    let ran = world.run(&["plan", "-C", "x\u{1b}]0;pwned\u{7}.toml"]).exits(78);
    assert!(!has_ansi(&ran.err), "{:?}", ran.err);
}

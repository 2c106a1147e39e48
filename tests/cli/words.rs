//! What the program says about itself: overview, help, error codes, and what it answers to a wrong command.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::World;

#[test]
fn alone_it_shows_two_examples_on_one_screen() {
    let world = World::without_emulator();
    let ran = world.run(&[]).exits(0).says("Examples:").says("everkey demo").says("everkey -C everkey.toml plan");
    assert!(ran.out.lines().count() <= 40 && ran.err.is_empty(), "{}", ran.out);
}

#[test]
fn a_wrong_command_is_answered_with_a_suggestion() {
    let world = World::without_emulator();
    let ran = world.run(&["aply"]).exits(64);
    assert!(ran.err.contains("apply") && ran.out.is_empty(), "{}", ran.err);
    world.run(&["bogus"]).exits(64);
    let ran = world.run(&["apply", "--yess"]).exits(64);
    assert!(ran.err.contains("--yes"), "{}", ran.err);
}

/// No command ends with 2 for an error: 2 belongs to `--detailed-exitcode`.
#[test]
fn wrong_usage_is_64_everywhere() {
    let world = World::without_emulator();
    for line in [
        &["--bogus"][..],
        &["rotate"],
        &["handoff"],
        &["handoff", "show"],
        &["emulator"],
        &["explain"],
        &["explain", "Q999"],
        &["schema", "everything"],
        &["help", "everything"],
        &["status", "-o", "yaml"],
        &["rotate", "a", "--all"],
        &["emulator", "serve", "--clock", "yesterday"],
    ] {
        let ran = world.run(line).exits(64);
        assert!(!ran.err.is_empty() && ran.out.is_empty(), "{line:?}: {}", ran.out);
    }
}

#[test]
fn help_topics_and_the_help_of_every_command() {
    let world = World::without_emulator();
    let codes = world.run(&["help", "exit-codes"]).exits(0);
    for code in ["0 ", "1 ", "2 ", "3 ", "5 ", "64", "65", "69", "75", "77", "78", "130", "143"] {
        assert!(codes.out.lines().any(|line| line.trim_start().starts_with(code) || line.contains(code)), "{code}");
    }
    let steps = world.run(&["help", "steps"]).exits(0).out;
    let words: Vec<&str> = steps.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(words, ["stage", "prove", "deliver", "confirm", "retire"]);
    world.run(&["version"]).exits(0).says(env!("CARGO_PKG_VERSION"));
    world.run(&["--version"]).exits(0).says(env!("CARGO_PKG_VERSION"));
    each_leaf(&everkey::cli::command(), &mut Vec::new(), &mut |path, examples, flags| {
        let mut line: Vec<&str> = path.iter().map(String::as_str).collect();
        line.push("--help");
        let ran = world.run(&line).exits(0);
        if path[0] != "version" {
            assert!(examples >= 2, "{path:?} shows {examples} examples");
            assert_eq!(ran.out.matches("\n  everkey ").count(), examples, "{path:?}:\n{}", ran.out);
        }
        for flag in flags {
            assert!(ran.out.contains(&format!("[env: EVERKEY_{flag}")), "{path:?} does not show EVERKEY_{flag}");
        }
    });
}

/// Told of a leaf command: its path, the number of its examples, the variables of its flags.
type See<'a> = dyn FnMut(&[String], usize, &[String]) + 'a;

/// Every leaf command: its path, how many examples it has, the variables of its flags.
fn each_leaf(command: &clap::Command, path: &mut Vec<String>, see: &mut See<'_>) {
    for sub in command.get_subcommands() {
        path.push(sub.get_name().to_owned());
        if sub.has_subcommands() {
            each_leaf(sub, path, see);
        } else {
            let after = sub.get_after_long_help().map_or_else(String::new, ToString::to_string);
            let examples = after.lines().filter(|line| line.trim_start().starts_with("everkey ")).count();
            let flags: Vec<String> = sub
                .get_arguments()
                .filter(|arg| arg.get_long().is_some_and(|long| long != "help"))
                .map(|arg| {
                    let variable = arg.get_env().unwrap_or_else(|| panic!("{} has no variable", arg.get_id()));
                    variable.to_str().unwrap().trim_start_matches("EVERKEY_").to_owned()
                })
                .collect();
            see(path, examples, &flags);
        }
        path.pop();
    }
}

/// Each example is a command line that the program understands.
#[test]
fn the_examples_of_the_help_are_understood() {
    use clap::Parser as _;
    let mut seen = 0;
    let mut stack: Vec<clap::Command> = everkey::cli::command().get_subcommands().cloned().collect();
    while let Some(command) = stack.pop() {
        stack.extend(command.get_subcommands().cloned());
        let after = command.get_after_long_help().map_or_else(String::new, ToString::to_string);
        for line in after.lines().filter(|line| line.trim_start().starts_with("everkey ")) {
            let read = everkey::cli::Cli::try_parse_from(line.split_whitespace());
            assert!(read.is_ok(), "{line}: {}", read.err().unwrap());
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen}");
}

/// Every code that a source file writes between quotes, and the policies' own.
#[test]
fn every_code_is_explained() {
    let mut codes = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut codes);
    assert!(codes.len() > 90 && codes.contains("G012") && codes.contains("P012"), "{codes:?}");
    let world = World::without_emulator();
    let unexplained: Vec<&String> = codes.iter().filter(|code| world.run(&["explain", code]).code != 0).collect();
    assert!(unexplained.is_empty(), "not explained: {unexplained:?}");
    world.run(&["explain", "g012"]).exits(0).says("G012: ").says("What to do: ");
}

fn collect(dir: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, codes);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            codes.extend(text.split('"').filter(|word| is_code(word)).map(str::to_owned));
        }
    }
}

fn is_code(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() == 4 && bytes[0].is_ascii_uppercase() && bytes[1..].iter().all(u8::is_ascii_digit)
}

#[test]
fn permissions_are_found_by_a_part_of_their_name() {
    let world = World::without_emulator();
    let ran = world.run(&["explain", "permissions", "--search", "mail.readw"]).exits(0);
    assert!(ran.out.contains("Mail.ReadWrite") && ran.out.contains("application"), "{}", ran.out);
}

/// Those that only read run as they stand in the help, in a tenant that was applied (expectation 6).
#[test]
fn the_examples_that_only_read_run() {
    let reading = [
        "check",
        "completions",
        "config",
        "doctor",
        "explain",
        "help",
        "history",
        "inventory",
        "man",
        "plan",
        "schema",
        "status",
        "validate",
        "version",
    ];
    let world = World::applied();
    let mut ran = 0;
    for command in everkey::cli::command().get_subcommands() {
        let mut stack = vec![command.clone()];
        while let Some(command) = stack.pop() {
            stack.extend(command.get_subcommands().cloned());
            let after = command.get_after_long_help().map_or_else(String::new, ToString::to_string);
            for line in after.lines().filter(|line| line.trim_start().starts_with("everkey ")) {
                let words: Vec<&str> = line.split_whitespace().skip(1).collect();
                let names_a_path = ["--dir", "--out", "-C"].iter().any(|flag| words.contains(flag));
                let what_happened = ["show", "export", "verify"].iter().any(|word| words.contains(word));
                if !reading.contains(&words[0]) || names_a_path || (words[0] == "history" && what_happened) {
                    continue;
                }
                let output = world.run(&words);
                // What they find may be worth an exit code of its own; none is wrong usage, and none breaks.
                assert!(matches!(output.code, 0..=2), "{line}: {}\n{}", output.code, output.err);
                ran += 1;
            }
        }
    }
    assert!(ran >= 18, "{ran}");
}

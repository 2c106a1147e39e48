//! Under a real pseudo terminal (Python's `pty`): the prompt, the moving line, Ctrl-C.

use std::path::Path;
use std::process::Command;

use crate::support::Ran;
use crate::support::World;
use crate::support::binary;
use crate::support::python;

/// Runs a command on a terminal and gives `answer` to its prompt.
pub fn on_terminal(world: &World, answer: &str, args: &[&str]) -> Ran {
    let mut command = Command::new(python());
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/terminal.py")).arg(answer).arg(binary());
    command.args(["-C", "emu/everkey.toml"]).args(args).current_dir(world.path());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm-256color");
    Ran::new(format!("terminal: {args:?}"), &command.output().unwrap())
}

#[test]
fn no_means_nothing_was_changed() {
    let world = World::new();
    let ran = on_terminal(&world, "n", &["apply"]).exits(5);
    assert!(ran.out.contains("Apply this plan to tenant emulator? Nothing is removed today. [y/N]"), "{}", ran.out);
    assert!(ran.out.contains("U004") && ran.out.contains("nothing was changed"), "{}", ran.out);
    assert_eq!(world.state()["applications"].as_object().unwrap().len(), 1);
    // Enter alone is a no, and so is anything that is not a yes.
    on_terminal(&world, "", &["apply"]).exits(5);
    on_terminal(&world, "maybe", &["apply"]).exits(5);
    assert_eq!(world.state()["applications"].as_object().unwrap().len(), 1);
}

#[test]
fn ctrl_c_at_the_prompt_ends_it() {
    let world = World::new();
    on_terminal(&world, "ctrl-c", &["apply"]).exits(130);
    assert_eq!(world.state()["applications"].as_object().unwrap().len(), 1);
}

#[test]
fn yes_applies_and_a_line_moves_while_it_proves() {
    let world = World::new();
    world.keep_policies(&["lexzur-email-engine"]);
    let ran = on_terminal(&world, "y", &["apply"]).exits(0);
    assert!(ran.out.contains("1 done, 0 failed."), "{}", ran.out);
    assert!(ran.out.contains("\u{1b}["), "colours or cursor movements on a terminal");
    let proving = ran.out.matches("proving by sign-in, three times over a minute: lexzur-email-engine").count();
    assert!(proving > 3, "the line moves: drawn {proving} times\n{}", ran.out);
    assert_eq!(world.credentials().len(), 1);
    world.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn ctrl_c_while_proving_and_on_again() {
    let world = World::new();
    world.keep_policies(&["lexzur-email-engine"]);
    let ran = on_terminal(&world, "wait:proving by sign-in", &["apply"]).exits(130);
    assert!(ran.out.contains("Stopped at a safe point"), "{}", ran.out);
    world.run(&["apply", "--yes"]).exits(0);
    assert_eq!(world.credentials().len(), 1);
}

/// Without progress nothing moves, also on a terminal.
#[test]
fn without_progress_nothing_moves() {
    let world = World::new();
    world.keep_policies(&["lexzur-email-engine"]);
    let ran = on_terminal(&world, "y", &["apply", "--no-progress"]).exits(0);
    assert!(!ran.out.contains("proving by sign-in"), "{}", ran.out);
}

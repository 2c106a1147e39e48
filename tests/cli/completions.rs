//! Expectation 15: completions for five shells, with the names of integrations; and the manual.

use std::path::Path;
use std::process::Command;

use crate::support::Ran;
use crate::support::World;
use crate::support::binary;
use crate::support::python;

#[test]
fn five_shells_have_a_script_that_asks_the_binary() {
    let world = World::without_emulator();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = world.run(&["completions", shell]).exits(0);
        assert!(ran.out.contains("EVERKEY_COMPLETE") && ran.out.contains("everkey"), "{shell}: {}", ran.out);
    }
    world.run(&["completions", "tcsh"]).exits(64);
}

/// What bash offers after `line`, asked of a real bash.
fn bash(world: &World, line: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
    let words: Vec<String> = line.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "PATH=\"{}:$PATH\"\nsource <(everkey completions bash)\nCOMP_WORDS=({})\nCOMP_CWORD={}\nCOMP_TYPE=9\n\
         COMP_LINE=\"${{COMP_WORDS[*]}}\"\nCOMP_POINT=${{#COMP_LINE}}\n\
         \"$(complete -p everkey | sed 's/.*-F \\([^ ]*\\).*/\\1/')\" everkey \"${{COMP_WORDS[COMP_CWORD]}}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        binary().parent().unwrap().display(),
        words.join(" "),
        line.len() - 1,
    );
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", &script]).current_dir(world.path()).env_clear().env("PATH", "/usr/bin:/bin");
    let output = command.envs(environment.iter().copied()).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn bash_completes_commands_flags_and_names() {
    let world = World::without_emulator();
    let dir = [("EVERKEY_POLICY", "policies")];
    assert_eq!(bash(&world, &["everkey", "rot"], &dir), ["rotate"]);
    assert_eq!(bash(&world, &["everkey", "rotate", "rea"], &dir), ["reapit-lead-imports"]);
    let all = bash(&world, &["everkey", "check", ""], &dir);
    for name in ["enate-graph-mail", "lexzur-email-engine", "reapit-lead-imports", "roger365-replicator"] {
        assert!(all.iter().any(|one| one == name), "{all:?}");
    }
    assert_eq!(bash(&world, &["everkey", "apply", "--only", "sec"], &dir), ["securends-office365"]);
    assert_eq!(bash(&world, &["everkey", "-p", "policies", "rotate", "lex"], &[]), ["lexzur-email-engine"]);
    assert!(bash(&world, &["everkey", "status", "--with"], &dir).iter().any(|one| one.starts_with("--within")));
    // Nothing to ask: silence, no error in the middle of a line.
    assert!(!bash(&world, &["everkey", "rotate", "rea"], &[]).iter().any(|one| one.contains("reapit")));
}

/// What fish offers after `line`, asked of a real fish.
fn fish(world: &World, line: &str) -> Vec<String> {
    let script = format!("everkey completions fish | source; complete -C {line:?}");
    let mut command = Command::new("fish");
    command.args(["--no-config", "-c", &script]).current_dir(world.path()).env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", binary().parent().unwrap().display()));
    command.env("HOME", world.path()).env("EVERKEY_POLICY", "policies");
    let output = command.output().expect("this test needs fish");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

#[test]
fn fish_and_zsh_complete_commands_and_names() {
    let world = World::without_emulator();
    assert_eq!(fish(&world, "everkey rotate rea"), ["reapit-lead-imports"]);
    assert!(fish(&world, "everkey rot").contains(&"rotate".to_owned()));
    for (line, completed) in
        [("everkey rotate rea", "everkey rotate reapit-lead-imports"), ("everkey vali", "everkey validate")]
    {
        let mut command = Command::new(python());
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/zsh_complete.py"));
        command.arg(binary().parent().unwrap()).args([line, completed]).current_dir(world.path());
        Ran::new(format!("zsh: {line}"), &command.output().unwrap()).exits(0);
    }
}

#[test]
fn every_command_has_a_page_that_lints_clean() {
    let world = World::without_emulator();
    let ran =
        world.bare(&["man", "--dir", "pages"]).env("EVERKEY_TENANT", "canary-of-an-environment").output().unwrap();
    assert!(ran.status.success());
    let pages: Vec<_> = std::fs::read_dir(world.path().join("pages")).unwrap().map(|one| one.unwrap().path()).collect();
    assert!(pages.len() > 30, "{}", pages.len());
    for name in ["everkey", "everkey-check", "everkey-store-reseal", "everkey-handoff-open"] {
        assert!(pages.iter().any(|page| page.ends_with(format!("{name}.1"))), "{name}");
    }
    for page in &pages {
        let text = std::fs::read_to_string(page).unwrap();
        assert!(text.contains(".SH NAME") && !text.contains("canary-of"), "{}", page.display());
        let lint = Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(page).output().unwrap();
        assert!(lint.status.success() && lint.stderr.is_empty(), "{}", String::from_utf8_lossy(&lint.stderr));
    }
    world.run(&["man"]).exits(0).says(".TH everkey 1");
}

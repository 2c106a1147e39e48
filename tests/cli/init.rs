//! `init` and `config show`: first steps, and where every setting comes from.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::support::Ran;
use crate::support::World;

const IDS: [&str; 4] =
    ["--tenant-id", "8f0c1d52-0000-4000-8000-0000000031aa", "--client-id", "3f0c1d52-0000-4000-8000-00000000e0e0"];

fn init(world: &World, args: &[&str]) -> Ran {
    let mut command = world.bare(args);
    command.env("HOME", world.path().join("home"));
    Ran::new(args.join(" "), &command.output().unwrap())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_configuration_and_a_key_that_every_command_accepts() {
    let world = World::on_disk();
    let line: Vec<&str> =
        ["-C", "new/everkey.toml", "init", "--store", "new/everkey.db"].into_iter().chain(IDS).collect();
    let ran = init(&world, &line).exits(0);
    let (file, key) = (world.path().join("new/everkey.toml"), world.path().join("new/seal.key"));
    assert!(ran.out.contains("new/everkey.toml") && ran.out.contains("seal.key") && ran.err.is_empty(), "{}", ran.out);
    assert_eq!(mode(&key), 0o600);
    let secret = std::fs::read_to_string(&key).unwrap();
    assert!(secret.len() >= 43 && !ran.out.contains(secret.trim()), "a key of 32 bytes, not shown");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("# ") && text.contains("mode = \"alert\"") && !text.contains(secret.trim()), "{text}");
    init(&world, &["-C", "new/everkey.toml", "validate"]).exits(0).says("0 policies read");
    std::fs::copy(world.policy("enate-graph-mail"), world.path().join("new/policies/enate-graph-mail.toml")).unwrap();
    init(&world, &["-C", "new/everkey.toml", "validate"]).exits(0).says("1 policy read: 1 valid");
    init(&world, &["-C", "new/everkey.toml", "doctor", "--online=false"]).exits(0).says("0 problems");
    init(&world, &["-C", "new/everkey.toml", "doctor", "--health"]).exits(0).says("healthy");
    assert!(!world.path().join("new/everkey.db").exists(), "looking makes no store");
    // Never over anything: neither the file nor the key.
    let before = (text, secret);
    init(&world, &line).fails(1, "F011", &["new/everkey.toml", "overwritten"]);
    std::fs::remove_file(&file).unwrap();
    init(&world, &line).fails(1, "F011", &["seal.key"]);
    assert!(!file.exists());
    assert_eq!(std::fs::read_to_string(&key).unwrap(), before.1);
}

#[test]
fn without_answers_and_with_wrong_ones_nothing_is_written() {
    let world = World::without_emulator();
    init(&world, &["-C", "n/everkey.toml", "init"]).fails(64, "U003", &["--tenant-id"]);
    init(&world, &["-C", "n/everkey.toml", "init", "--tenant-id", IDS[1]]).fails(64, "U003", &["--client-id"]);
    let wrong = ["-C", "n/everkey.toml", "init", "--tenant-id", "contoso", "--client-id", IDS[3]];
    init(&world, &wrong).fails(64, "U017", &["GUID"]);
    let line: Vec<&str> = ["-C", "n/everkey.toml", "init", "--name", "a b"].into_iter().chain(IDS).collect();
    init(&world, &line).fails(64, "U017", &["a b"]);
    assert!(!world.path().join("n").exists(), "not even a directory");
}

#[test]
fn the_key_stays_out_of_git() {
    let world = World::without_emulator();
    std::fs::create_dir_all(world.path().join("repo/.git")).unwrap();
    let line: Vec<&str> = ["-C", "repo/everkey.toml", "init"].into_iter().chain(IDS).collect();
    let mut inside = line.clone();
    inside.extend(["--seal-key", "repo/deep/seal.key"]);
    init(&world, &inside).fails(64, "U018", &["git"]);
    init(&world, &line).exits(0);
    let key = world.path().join("home/.config/everkey/contoso.seal.key");
    assert_eq!(mode(&key), 0o600);
    assert!(!world.path().join("repo/seal.key").exists());
    assert!(std::fs::read_to_string(world.path().join("repo/everkey.toml")).unwrap().contains("contoso.seal.key"));
}

/// Expectation 13: flag beats environment beats file beats default.
#[test]
fn every_setting_says_where_it_comes_from() {
    let mut world = World::without_emulator();
    world.start(None);
    let show = |args: &[&str], environment: &[(&str, &str)]| -> Value {
        let mut command = world.command(args);
        command.args(["config", "show", "--origin", "-o", "json"]).envs(environment.iter().copied());
        Ran::new(format!("{args:?}"), &command.output().unwrap()).exits(0).json()
    };
    let of = |report: &Value, key: &str| -> (String, String) {
        let items = report["items"].as_array().unwrap();
        let one = items.iter().find(|item| item["key"] == key).unwrap_or_else(|| panic!("{key}: {report:#}"));
        let value = one["value"].as_str().map_or_else(|| one["value"].to_string(), str::to_owned);
        (value, one["origin"].as_str().unwrap().to_owned())
    };
    let plain = show(&[], &[]);
    let toml = std::fs::read_to_string(world.config()).unwrap();
    let line = 1 + toml.lines().position(|line| line.starts_with("policies =")).unwrap();
    assert_eq!(of(&plain, "policies").1, format!("emu/everkey.toml:{line}"));
    assert_eq!(of(&plain, "defaults.schedule"), ("0 6 * * MON-FRI".into(), "default".into()));
    assert_eq!(of(&plain, "--config"), ("emu/everkey.toml".into(), "flag --config".into()));
    assert_eq!(of(&plain, "--color"), ("auto".into(), "default".into()));

    let environment = [("EVERKEY_POLICY", "from-environment"), ("EVERKEY_COLOR", "never"), ("EVERKEY_QUIET", "1")];
    let report = show(&[], &environment);
    assert_eq!(of(&report, "policies"), ("from-environment".into(), "environment EVERKEY_POLICY".into()));
    assert_eq!(of(&report, "--color"), ("never".into(), "environment EVERKEY_COLOR".into()));
    assert_eq!(of(&report, "--quiet"), ("true".into(), "environment EVERKEY_QUIET".into()));
    let report = show(&["-p", "from-flag", "--color", "always"], &environment);
    assert_eq!(of(&report, "policies"), ("from-flag".into(), "flag --policy".into()));
    assert_eq!(of(&report, "--color"), ("always".into(), "flag --color".into()));

    // No secret, only where it lies.
    let text = world.run(&["config", "show"]).exits(0).out;
    for name in ["seal.key", "operator.secret"] {
        assert!(text.contains(name), "{text}");
        assert!(!text.contains(std::fs::read_to_string(world.emulator_dir().join(name)).unwrap().trim()), "{name}");
    }
    let effective = world.run(&["config", "show", "--effective", "reapit-lead-imports"]).exits(0);
    assert!(
        effective.out.contains("credentials.0.overlap") && effective.out.contains("calendar.timezone"),
        "{}",
        effective.out
    );
    world.run(&["config", "show", "--effective", "nobody"]).fails(64, "U002", &["nobody"]);
}

/// An empty variable is none, for every flag; a switch takes the usual words.
#[test]
fn empty_variables_are_none() {
    let world = World::without_emulator();
    let mut names = Vec::new();
    let mut stack = vec![everkey::cli::command()];
    while let Some(command) = stack.pop() {
        stack.extend(command.get_subcommands().cloned());
        names.extend(command.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned())));
    }
    names.sort();
    names.dedup();
    assert!(names.len() > 30 && names.contains(&"EVERKEY_NO_PROGRESS".to_owned()), "{names:?}");
    let with = |args: &[&str], environment: &[(&str, &str)]| {
        let mut command = world.bare(args);
        command.envs(environment.iter().copied());
        Ran::new(format!("{environment:?} {args:?}"), &command.output().unwrap())
    };
    let empty: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    with(&["validate", "policies"], &empty).exits(0).says("5 policies read: 5 valid");
    with(&["explain", "P012"], &empty).exits(0);
    let plan = with(&["-C", "none.toml", "plan"], &empty);
    assert_eq!(plan.code, 78, "{}", plan.err);
    for (word, is_on) in
        [("1", true), ("true", true), ("yes", true), ("on", true), ("0", false), ("false", false), ("no", false)]
    {
        let ran = with(&["validate", "policies"], &[("EVERKEY_QUIET", word)]).exits(0);
        assert_eq!(ran.out.contains("a year"), !is_on, "{word}");
    }
    with(&["validate", "policies"], &[("EVERKEY_QUIET", "perhaps")]).exits(64);
}

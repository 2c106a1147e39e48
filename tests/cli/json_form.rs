//! Expectation 9: with `-o json` standard output is exactly one document with `schema`, also when a command fails.

use serde_json::Value;

use crate::support::World;

#[track_caller]
fn document(world: &World, args: &[&str], code: i32, schema: &str) -> Value {
    let mut line = args.to_vec();
    line.extend(["-o", "json"]);
    let ran = world.run(&line).exits(code);
    let document = ran.json();
    if document["$schema"].is_null() {
        assert_eq!(document["schema"], format!("everkey.{schema}/v1"), "{line:?}");
    }
    if schema == "error" {
        assert_eq!(document["exit_code"], code);
        for key in ["code", "summary", "class"] {
            assert!(document["error"][key].is_string(), "{line:?}: {document:#}");
        }
    }
    document
}

#[test]
fn of_every_command_that_works() {
    let world = World::applied();
    for (args, schema) in [
        (&[][..], "help"),
        (&["help"], "help"),
        (&["help", "steps"], "help"),
        (&["version"], "version"),
        (&["validate"], "validate"),
        (&["plan"], "plan"),
        (&["apply", "--yes"], "apply"),
        (&["status"], "status"),
        (&["rotate", "lexzur-email-engine", "--dry-run"], "plan"),
        (&["history"], "history"),
        (&["history", "--verify"], "history-verify"),
        (&["history", "verify"], "history-verify"),
        (&["history", "show", "r-0001"], "history-show"),
        (&["history", "export"], "history"),
        (&["check"], "check"),
        (&["config", "show"], "config"),
        (&["config", "show", "--effective", "enate-graph-mail"], "config-effective"),
        (&["doctor"], "doctor"),
        (&["doctor", "--health"], "health"),
        (&["doctor", "--systemd-drop-in"], "systemd-drop-in"),
        (&["man", "--dir", "pages"], "man"),
        (&["store", "check"], "store-check"),
        (&["store", "backup", "b.db"], "store-backup"),
        (&["store", "restore", "b.db", "--force"], "store-restore"),
        (&["explain", "P012"], "explain"),
        (&["explain", "permissions", "--search", "mail"], "permissions"),
        (&["schema", "policy"], "json-schema"),
        (&["handoff", "list"], "handoffs"),
        (&["handoff", "show", "h-0001"], "handoff"),
        (&["handoff", "open", "h-0002", "--reveal"], "handoff-open"),
        (&["handoff", "confirm", "h-0002"], "handoff"),
        (&["handoff", "open", "h-0003", "--out", "given"], "handoff-open"),
        (&["handoff", "reissue", "h-0003"], "handoff"),
        (&["handoff", "reissue", "h-0004", "--fresh"], "handoff-reissue"),
    ] {
        document(&world, args, 0, schema);
    }
}

#[test]
fn of_every_command_that_fails() {
    let world = World::applied();
    for (args, code) in [
        (&["bogus"][..], 64),
        (&["apply", "--yess"], 64),
        (&["apply", "--yes", "no.plan"], 65),
        (&["rotate", "lexzur-email-engine"], 64),
        (&["rotate", "nobody", "--yes"], 64),
        (&["plan", "--only", "nobody"], 64),
        (&["plan", "--out", "no/such/dir/x.plan"], 1),
        (&["status", "--within", "soon"], 64),
        (&["handoff", "show", "h-9999"], 1),
        (&["handoff", "open", "h-0001"], 64),
        (&["handoff", "confirm", "h-0001"], 1),
        (&["explain", "Q999"], 64),
        (&["history", "show", "r-9999"], 1),
        (&["history", "verify", "--anchor", "x"], 64),
        (&["init"], 1),
        (&["config", "show", "--effective", "nobody"], 64),
        (&["store", "backup", "emu/everkey.db"], 1),
        (&["store", "restore", "none.db"], 1),
        (&["store", "reseal", "--new-key", "none.key"], 78),
        (&["help", "everything"], 64),
        (&["emulator", "serve", "--dir", "x", "--clock", "soon"], 64),
        (&["plan", "-t", "nobody"], 64),
    ] {
        document(&world, args, code, "error");
    }
    for args in [&["validate"][..], &["plan"], &["status"], &["apply", "--yes"], &["handoff", "list"], &["history"]] {
        let mut line = vec!["-C", "none.toml", "-p", "none"];
        line.extend(args);
        let mut command = world.bare(&line);
        command.args(["-o", "json"]);
        let ran = crate::support::Ran::new(format!("{line:?}"), &command.output().unwrap()).exits(78);
        assert_eq!(ran.json()["schema"], "everkey.error/v1");
    }
}

/// However the form was asked for, a line that cannot be understood is answered in it.
#[test]
fn of_wrong_usage_in_every_spelling() {
    let world = World::without_emulator();
    for args in [
        &["-o", "json", "bogus"][..],
        &["-ojson", "bogus"],
        &["-o=json", "bogus"],
        &["--output=json", "bogus"],
        &["--output", "json", "bogus"],
    ] {
        assert_eq!(world.run(args).exits(64).json()["error"]["code"], "U001", "{args:?}");
    }
    let output = world.bare(&["bogus"]).env("EVERKEY_OUTPUT", "json").output().unwrap();
    let ran = crate::support::Ran::new("EVERKEY_OUTPUT=json bogus".into(), &output).exits(64);
    assert_eq!(ran.json()["error"]["code"], "U001");
}

//! `history`: what is in it, one thing at a time, exported for others, and anchored.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::World;

/// Every decision, intent, receipt, mail and act of a person.
#[test]
fn everything_that_happened_is_in_it() {
    let world = World::applied();
    world.run(&["handoff", "open", "h-0002", "--reveal", "--by", "priya.shah@contoso.example"]).exits(0);
    world.run(&["handoff", "confirm", "h-0002", "--by", "priya.shah@contoso.example"]).exits(0);
    world.run(&["handoff", "reissue", "h-0003"]).exits(0);
    world.run(&["store", "backup", "b.db"]).exits(0);
    let document = world.run(&["history", "-o", "json"]).exits(0).json();
    let entries = document["entries"].as_array().unwrap();
    let kinds: BTreeSet<&str> = entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    for kind in ["handoff", "provision", "rotation", "store"] {
        assert!(kinds.contains(kind), "{kind} is not among {kinds:?}");
    }
    let events: BTreeSet<String> = entries
        .iter()
        .filter_map(|entry| match &entry["body"] {
            Value::String(name) => Some(name.clone()),
            Value::Object(body) => {
                let name = body.get("event").and_then(Value::as_str);
                name.map(str::to_owned).or_else(|| body.keys().next().cloned())
            }
            _ => None,
        })
        .collect();
    let text: String = entries.iter().map(|entry| format!("{}\n", entry["text"].as_str().unwrap())).collect();
    for said in [
        "planned: ",
        "stage: preflight passed",
        "stage: attempt 1, secret to ",
        "stage: secret hint ",
        "stage: private key made and sealed",
        "stage: certificate ",
        "prove: accepted (1 of 3)",
        "prove: 3 tokens issued",
        "deliver: json-file:",
        ", read back",
        "deliver: sealed as hand-off h-0001",
        "deliver: complete",
        "confirm: ",
        "opened hand-off h-0002",
        "confirmed hand-off h-0002",
        "reissued hand-off h-0003",
        "backed up as b.db",
    ] {
        assert!(text.contains(said), "no {said:?} in {events:?}\n{text}");
    }
    // A name given on the command line is stated, not proven; the operating system's user is beside it.
    let act = entries.iter().find(|entry| entry["text"] == "confirmed hand-off h-0002").unwrap();
    assert_eq!(act["actor"], "priya.shah@contoso.example");
    assert_eq!(act["body"]["by"]["claim"], "stated");
    assert!(!act["body"]["by"]["os_user"].as_str().unwrap().is_empty());
    let backup = entries.iter().find(|entry| entry["kind"] == "store").unwrap();
    assert_eq!(backup["body"]["by"]["claim"], "os-user");
    world.run(&["history"]).exits(0).says("priya.shah@contoso.example (stated, as ");
}

/// Mail that was sent is told with its recipients.
#[test]
fn sent_mail_is_in_it() {
    let world = World::applied();
    let catcher = crate::support::Catcher::start("normal");
    catcher.configure(&world);
    world.run(&["apply", "--yes"]).exits(0);
    let document = world.run(&["history", "-o", "json"]).exits(0).json();
    let mails: Vec<&Value> =
        document["entries"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "mail").collect();
    assert!(!mails.is_empty() && mails.len() >= catcher.mails().len().min(1), "{document:#}");
    assert!(mails.iter().all(|mail| mail["body"]["event"] == "mail-sent" && mail["body"]["to"][0].is_string()));
}

#[test]
fn it_is_narrowed_by_name_number_and_day() {
    let world = World::applied();
    let count = |args: &[&str]| {
        let mut line = vec!["history", "-o", "json"];
        line.extend(args);
        world.run(&line).exits(0).json()["entries"].as_array().unwrap().len()
    };
    let all = count(&[]);
    assert!(all > 30, "{all}");
    let one = count(&["enate-graph-mail"]);
    assert!(one > 5 && one < all / 2, "{one} of {all}");
    assert_eq!(count(&["enate-graph-mail", "-n", "4"]), 4);
    assert_eq!(count(&["--since", "2026-11-20"]), all);
    assert_eq!(count(&["--since", "2026-11-21"]), 0);
    let later = count(&["--since", "2026-11-20T09:00:30Z"]);
    assert!(later > 0 && later < all, "{later} of {all}");
    world.run(&["history", "--since", "yesterday"]).fails(64, "U014", &["yesterday"]);
    world.run(&["history", "export", "--since", "yesterday"]).fails(64, "U014", &["yesterday"]);
}

#[test]
fn an_anchor_finds_what_was_cut_off() {
    let mut world = World::applied();
    let early = world.run(&["history", "verify", "-o", "json"]).exits(0).json();
    let head = early["head"].as_str().unwrap().to_owned();
    world.run(&["handoff", "open", "h-0002", "--reveal"]).exits(0);
    let ran = world.run(&["history", "verify", "--anchor", &format!("sha256:{head}")]).exits(0);
    assert!(ran.out.contains(&format!("The anchor is entry {}.", early["entries"])), "{}", ran.out);
    world.run(&["history", "--verify"]).exits(0).says("intact since 2026-11-20. Head sha256:");
    let late = world.run(&["history", "verify", "-o", "json"]).exits(0).json();
    let late = late["head"].as_str().unwrap().to_owned();
    assert_ne!(late, head);
    world.run(&["history", "verify", "--anchor", "sha256:12"]).fails(64, "U016", &[]);
    // The store as it was before: whole in itself, and the anchor tells.
    world.stop();
    let store = world.store();
    for statement in [
        "DELETE FROM history WHERE seq = (SELECT max(seq) FROM history)",
        "UPDATE history_head SET seq = (SELECT max(seq) FROM history), \
         hash = (SELECT hash FROM history ORDER BY seq DESC LIMIT 1)",
    ] {
        assert!(std::process::Command::new("sqlite3").arg(&store).arg(statement).status().unwrap().success());
    }
    world.start(None);
    world.run(&["history", "verify"]).exits(0);
    world.run(&["history", "verify", "--anchor", &head]).exits(0);
    world.run(&["history", "verify", "--anchor", &late]).fails(1, "T021", &[&late]);
    let report = world.run(&["history", "verify", "--anchor", &late, "-o", "json"]).exits(1).json();
    assert_eq!(report["error"]["code"], "T021");
}

#[test]
fn one_rotation_one_handoff_one_entry() {
    let world = World::applied();
    let ran = world.run(&["history", "show", "r-0001"]).exits(0);
    for text in ["r-0001 of ", "planned: ", "prove: 3 tokens issued", "  new        "] {
        assert!(ran.out.contains(text), "{text}\n{}", ran.out);
    }
    let ran = world.run(&["history", "show", "h-0001"]).exits(0);
    assert!(ran.out.contains("sealed as hand-off h-0001") && !ran.out.contains("h-0002"), "{}", ran.out);
    world.run(&["history", "show", "1"]).exits(0).says("sha256:");
    let document = world.run(&["history", "show", "r-0002", "-o", "json"]).exits(0).json();
    assert_eq!(document["schema"], "everkey.history-show/v1");
    assert!(document["entries"].as_array().unwrap().iter().all(|entry| entry["rotation"] == 2));
    for what in ["r-9999", "h-9999", "99999", "nobody"] {
        world.run(&["history", "show", what]).fails(1, "T022", &[what]);
    }
}

#[test]
fn exports_are_read_by_others_and_compute_nothing() {
    let world = World::applied();
    world.run(&["handoff", "open", "h-0002", "--reveal", "--by", "=cmd|' /C calc'!A0"]).exits(0);
    let entries = world.run(&["history", "export", "-o", "json"]).exits(0).json();
    let number = entries["entries"].as_array().unwrap().len();
    let lines = world.run(&["history", "export", "-o", "ndjson"]).exits(0).out;
    assert_eq!(lines.lines().count(), number);
    for line in lines.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        assert_eq!(entry["schema"], "everkey.history-entry/v1");
    }
    let text = world.run(&["history", "export", "-o", "csv"]).exits(0).out;
    std::fs::write(world.path().join("audit.csv"), &text).unwrap();
    // Read by another program's reader of CSV.
    let script = "import csv,json,sys; print(json.dumps(list(csv.DictReader(open('audit.csv', newline='')))))";
    let mut command = std::process::Command::new(crate::support::python());
    let read = command.args(["-c", script]).current_dir(world.path()).output().unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(rows.len(), number);
    for (row, entry) in rows.iter().zip(entries["entries"].as_array().unwrap()) {
        assert_eq!((&row["hash"], row["seq"].as_str().unwrap()), (&entry["hash"], &*entry["seq"].to_string()));
        for (column, cell) in row.as_object().unwrap() {
            let cell = cell.as_str().unwrap();
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{column}: {cell}");
        }
    }
    assert!(text.contains("'=cmd|"), "{text}");
    world.run(&["history", "-o", "csv"]).fails(64, "U015", &["history export"]);
    world.run(&["status", "-o", "ndjson"]).fails(64, "U015", &[]);
}

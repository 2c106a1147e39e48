//! The store is lost, or its seal key, or both: nothing stops, what is left is adopted by a named person and rotated, and
//! nothing is removed.

use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use crate::support::World;
use crate::support::until;

const NEW_KEY: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn lose_store(world: &World) {
    for ending in ["", "-wal", "-shm", ".lock", ".serve.lock"] {
        let _ = std::fs::remove_file(world.emulator_dir().join(format!("everkey.db{ending}")));
    }
}

fn lose_key(world: &World) {
    std::fs::write(world.emulator_dir().join("seal.key"), NEW_KEY).unwrap();
}

/// Client id and secret, as the consumer of the JSON file has them.
fn delivered(world: &World) -> (String, String) {
    let text = std::fs::read_to_string(world.integrations()).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let value = |name: &str| all.pointer(&format!("/MS-OfficeMail-365/{name}")).unwrap().as_str().unwrap().to_owned();
    (value("clientId"), value("clientSecret"))
}

#[test]
fn a_lost_store_and_seal_key_are_recovered_one_by_one_and_nothing_is_removed() {
    let world = World::applied();
    let (client, old) = delivered(&world);
    let found = |args: &[&str]| {
        let mut all = vec!["recover", "-o", "json"];
        all.extend(args);
        world.run(&all).exits(0).json()
    };
    assert_eq!(found(&[])["found"], json!([]), "nothing is lost yet");
    lose_store(&world);
    lose_key(&world);
    let before = world.credentials();

    // What it finds, and nothing more: it is only told.
    world.run(&["apply", "--yes"]).fails(78, "T014", &["everkey recover"]);
    let said = world.run(&["recover"]).exits(0);
    for text in ["lexzur-email-engine", "enate-graph-mail", "last used 2026-", "Nothing was changed"] {
        assert!(said.out.contains(text), "{text}\n{}", said.out);
    }
    let report = found(&[]);
    let lost = report["lost"][0].as_str().unwrap().to_owned();
    assert_eq!(report["schema"], "everkey.recover-list/v1");
    assert!(lost.len() == 6 && report["store"] != lost.as_str(), "{report:#}");
    assert_eq!(report["found"].as_array().unwrap().len(), 5, "{report:#}");
    assert_eq!(world.credentials(), before);

    // Somebody else's everkey on the same application: who lost what must be said, and theirs is left alone.
    let state = world.state();
    let all = report["found"].as_array().unwrap();
    let mail = all.iter().find(|one| one["integration"] == "securends-office365").unwrap();
    let theirs = state["applications"]
        .as_object()
        .unwrap()
        .values()
        .find(|app| app["appId"] == mail["client_id"])
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({"passwordCredential": {"displayName": "Theirs [ek1 zzzzzz.1.1]"}});
    world.graph(Method::POST, &format!("/applications/{theirs}/addPassword"), &body);
    world.run(&["recover"]).fails(64, "U081", &["zzzzzz", "--lost"]);
    let report = found(&["--lost", &lost]);
    let all = report["found"].to_string();
    assert!(!all.contains("zzzzzz"), "{all}");
    world.run(&["recover", "--lost", &lost]).exits(0).says("and 1 credential of others, which nobody touches");
    let before = world.credentials();
    world.run(&["recover", "--lost", &lost, "--confirm", "nobody"]).fails(64, "U080", &["nobody"]);
    assert_eq!(world.credentials(), before);

    let by = ["--by", "priya.shah@contoso.example"];
    let confirm = ["recover", "--lost", &lost, "--confirm", "enate-graph-mail", "--confirm", "lexzur-email-engine"];
    let ran = world.run(&[&confirm[..], &by].concat()).exits(0);
    assert!(ran.out.contains("Adopted 1 credential of enate-graph-mail"), "{}", ran.out);
    // A new one beside each old one; both work, and the consumer has the new one.
    let after = world.credentials();
    assert_eq!(after.len(), before.len() + 2);
    assert!(before.iter().all(|one| after.contains(one)), "nothing is removed");
    let (same, new) = delivered(&world);
    assert!(same == client && new != old, "the sink has the new value for the same application");
    assert_eq!((world.token_with(&client, &old), world.token_with(&client, &new)), (200, 200));
    let history = world.history();
    for text in ["began by `recover` although", "priya.shah", "adopted certificate", &format!("the lost store {lost}")]
    {
        assert!(history.contains(text), "{text}\n{history}");
    }
    world.run(&["store", "check"]).exits(0);

    // Done is done; the rest is still there to be recovered, and nothing else is made.
    let report = found(&["--lost", &lost]);
    let names: Vec<&str> =
        report["found"].as_array().unwrap().iter().map(|one| one["integration"].as_str().unwrap()).collect();
    assert_eq!(names, ["reapit-lead-imports", "roger365-replicator", "securends-office365"]);
    world.run(&["apply", "--yes", "--only", "enate-graph-mail"]).exits(0);
    assert_eq!(world.credentials(), after, "what was adopted leaves by its own rules, not now");
}

#[test]
fn a_store_whose_key_is_lost_is_set_aside_and_kept() {
    let world = World::applied();
    world.run(&["recover", "--key-lost"]).fails(64, "U082", &[]);
    lose_key(&world);
    let before = world.credentials();
    let bytes = std::fs::metadata(world.store()).unwrap().len();
    world.run(&["recover"]).fails(78, "T016", &["--key-lost"]);
    let report = world.run(&["recover", "--key-lost", "-o", "json"]).exits(0);
    assert!(report.err.contains("everkey.db.before-"), "{}", report.err);
    assert_eq!(report.json()["found"].as_array().unwrap().len(), 5);
    let kept =
        |name: &str| name.starts_with("everkey.db.before-") && !name.ends_with("-wal") && !name.ends_with("-shm");
    let names = std::fs::read_dir(world.emulator_dir()).unwrap().map(|file| file.unwrap());
    let kept: Vec<_> = names.filter(|file| kept(file.file_name().to_str().unwrap())).collect();
    assert!(kept.len() == 1 && kept[0].metadata().unwrap().len() >= bytes, "{kept:?}");
    // Twice is once: the new store is not lost.
    world.run(&["recover", "--key-lost"]).fails(64, "U082", &[]);
    assert_eq!(world.credentials(), before);
    // What only watches is not rotated.
    world.replace(&world.policy("roger365-replicator"), "mode = \"rotate\"", "mode = \"alert\"");
    world.run(&["recover", "--confirm", "roger365-replicator"]).fails(1, "R043", &["everkey enable"]);
    assert_eq!(world.credentials(), before);

    // Killed when everything of it is adopted and the new one made: the same line goes on, and makes no other.
    let line = ["recover", "--confirm", "lexzur-email-engine"];
    let (_, old) = delivered(&world);
    let run = world.spawn(&line);
    until(|| world.history().contains("stage: secret hint"));
    run.signal("KILL");
    run.wait();
    assert_eq!(world.credentials().len(), before.len() + 1);
    world.run(&["recover", "--confirm", "lexzur"]).fails(64, "U080", &["lexzur"]);
    world.run(&line).exits(0);
    assert_eq!(world.credentials().len(), before.len() + 1);
    let (client, new) = delivered(&world);
    assert!(new != old && world.token_with(&client, &new) == 200);
    // Done is done.
    world.run(&line).fails(64, "U080", &["lexzur"]);
}

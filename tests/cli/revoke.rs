//! `revoke --emergency`: the words before it, the name that must be typed, one emergency from end to end with its
//! evidence, and one that waits for a person.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aws_lc_rs::digest;
use serde_json::Value;

use crate::support::Canaries;
use crate::support::World;
use crate::support::until;
use crate::terminal::on_terminal;

const NAME: &str = "lexzur-email-engine";

fn current(world: &World) -> (String, String) {
    let file: Value = serde_json::from_slice(&std::fs::read(world.integrations()).unwrap()).unwrap();
    let office = &file["MS-OfficeMail-365"];
    (office["clientId"].as_str().unwrap().to_owned(), office["clientSecret"].as_str().unwrap().to_owned())
}

#[test]
fn nothing_happens_without_the_word_the_reason_and_the_name() {
    let world = World::applied();
    let before = (world.credentials(), world.history());
    world.run(&["revoke", NAME]).fails(64, "U070", &["without overlap"]).never_says("panicked");
    let ran = world.run(&["revoke", NAME, "-o", "json"]).exits(64).json();
    assert_eq!(ran["error"]["code"], "U070");
    world.run(&["revoke", NAME, "--emergency"]).fails(64, "U071", &[]);
    let full = ["revoke", NAME, "--emergency", "--reason", "pasted in a ticket"];
    world.run(&full).fails(64, "U073", &[]).says("EMERGENCY for LEXZUR");
    let with = |more: &[&'static str]| [&full[..], more].concat();
    world.run(&with(&["--confirm", "lexzur"])).fails(64, "U072", &[]);
    world.run(&with(&["--confirm", NAME, "--slot", "other"])).fails(64, "U074", &["primary"]);
    world.run(&with(&["--confirm", NAME, "--also", "nobody"])).fails(1, "R082", &["not on the application"]);
    world.run(&["revoke", NAME, "--evidence", "nowhere"]).fails(1, "R084", &[]);
    assert!(!world.path().join("nowhere").exists());
    world.run(&["revoke", "nobody", "--emergency"]).fails(64, "U002", &["nobody"]);

    let ran = on_terminal(&world, "reply:continue: =lexzur", &full).exits(5);
    let first = ran.out.find("If it goes wrong: LEXZUR").expect("the impact");
    let asked = ran.out.find("Type the integration name to continue: ").expect("the question");
    assert!(first < asked && ran.out.contains("nothing was changed"), "{}", ran.out);
    for words in ["then remove secret \"", "(no overlap)", "Tells  ", "tokens already issued cannot be recalled"] {
        assert!(ran.out.contains(words), "{words}\n{}", ran.out);
    }
    assert_eq!((world.credentials(), world.history()), before);

    // What the policy retains would stay: that is said before anything happens.
    let state = world.state();
    let app =
        state["applications"].as_object().unwrap().values().find(|app| app["displayName"] == "LEXZUR E-mail Engine");
    let key_id = app.unwrap()["credentials"]["passwords"][0]["keyId"].as_str().unwrap().to_owned();
    let retained = format!("lifetime = \"365d\"\nretain = [\"{key_id}\"]");
    world.replace(&world.policy(NAME), "lifetime = \"365d\"", &retained);
    world.run(&with(&["--confirm", NAME])).fails(1, "R086", &[&key_id, "retain"]);
    assert_eq!((world.credentials(), world.history()), before);
}

/// The hash of every entry, computed by the words of the document alone.
fn head_of(history: &Value) -> String {
    let mut previous = history["previous"].as_str().unwrap().to_owned();
    for entry in history["entries"].as_array().unwrap() {
        let mut bytes = b"everkey history 1".to_vec();
        for name in ["seq", "at", "actor", "integration", "rotation", "state", "version", "kind", "text", "body"] {
            let content = match &entry[name] {
                Value::Null => None,
                Value::Number(number) => Some(number.as_i64().unwrap().to_be_bytes().to_vec()),
                other => Some(other.as_str().unwrap().as_bytes().to_vec()),
            };
            add(&mut bytes, content.as_deref());
        }
        add(&mut bytes, Some(previous.as_bytes()));
        let hash = digest::digest(&digest::SHA256, &bytes);
        previous = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(entry["hash"], previous.as_str(), "{entry}");
    }
    previous
}

fn add(bytes: &mut Vec<u8>, content: Option<&[u8]>) {
    match content {
        None => bytes.push(0),
        Some(content) => {
            bytes.push(1);
            bytes.extend((content.len() as u64).to_be_bytes());
            bytes.extend(content);
        }
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Killed in the middle, gone on with by the same command; the old one refused, the new one where machines read.
#[test]
fn an_emergency_from_end_to_end() {
    let world = World::applied();
    let (client, old) = current(&world);
    let reason = "secret pasted in a ticket";
    let args = ["revoke", NAME, "--emergency", "--reason", reason, "--confirm", NAME];
    let mut first = world.spawn(&args);
    until(|| world.credentials().len() == 6 || first.is_over());
    first.signal("KILL");
    first.wait();
    assert_eq!(world.token_with(&client, &old), 200, "the old one works until the new one is delivered");

    // Neither reason nor name again: the journal has both.
    let ran = world.run(&["revoke", NAME, "--emergency", "-o", "json"]).exits(0);
    let document = ran.json();
    assert_eq!(document["schema"], "everkey.revoke/v1");
    assert_eq!((&document["outcome"], &document["reason"]), (&"done".into(), &reason.into()), "{document:#}");
    assert_eq!(document["removed"][0]["refused"], 3, "{document:#}");
    let (_, new) = current(&world);
    assert_ne!(old, new);
    assert_eq!(world.token_with(&client, &new), 200);
    assert_ne!(world.token_with(&client, &old), 200);
    assert_eq!(world.credentials().len(), 5);

    let pack = world.path().join(document["evidence"].as_str().unwrap());
    assert!(pack.starts_with(world.emulator_dir()) || pack.exists(), "{}", pack.display());
    assert_eq!(
        (mode(&pack), mode(&pack.join("evidence.json")), mode(&pack.join("evidence.md"))),
        (0o700, 0o600, 0o600)
    );
    let evidence: Value = serde_json::from_slice(&std::fs::read(pack.join("evidence.json")).unwrap()).unwrap();
    assert_eq!(evidence["schema"], "everkey.evidence/v1");
    assert_eq!((&evidence["reason"], &evidence["outcome"]), (&reason.into(), &"done".into()));
    let (proof, refusals) = (evidence["proof"].as_array().unwrap(), evidence["refusals"].as_array().unwrap());
    assert!(proof.len() >= 3 && proof.iter().all(|one| one["request_id"].is_string()), "{proof:#?}");
    assert_eq!(refusals.len(), 3, "{refusals:#?}");
    for one in refusals {
        assert!(one["code"].as_str().unwrap().starts_with("AADSTS") && one["request_id"].is_string(), "{one}");
    }
    let ring = |when: &str| evidence["ring"][when]["credentials"].as_array().unwrap().clone();
    let removed = evidence["removed"][0]["key_id"].as_str().unwrap();
    let shows = |ring: &[Value], key_id: &str| ring.iter().any(|one| one["key_id"] == key_id);
    assert!(shows(&ring("before"), removed) && !shows(&ring("after"), removed), "{evidence:#}");
    assert!(shows(&ring("after"), document["new_key_id"].as_str().unwrap()));
    assert!(evidence["asked"]["by"].is_string() && evidence["not_done"][0].as_str().unwrap().contains("recalled"));
    let read_back = &evidence["delivered"][0];
    assert_eq!((&read_back["to"], &read_back["read_back"]), (&"json-file".into(), &true.into()));

    // The chain holds by the words of the document, and for everkey itself.
    let anchor = head_of(&evidence["history"]);
    assert_eq!(evidence["history"]["anchor"], anchor.as_str());
    world.run(&["history", "verify", "--anchor", &anchor]).exits(0).says("The anchor is entry ");
    let mut forged = evidence["history"].clone();
    forged["entries"][1]["text"] = "nothing happened".into();
    assert!(std::panic::catch_unwind(|| head_of(&forged)).is_err(), "a check that cannot fail shows nothing");

    // Once more, later, from the journal.
    world.run(&["revoke", NAME, "--evidence", "later"]).exits(0).says("Evidence of r-");
    let text = std::fs::read_to_string(world.path().join("later/evidence.md")).unwrap();
    for words in ["# Emergency: ", reason, "refused 3 times", "## Not done", "history verify --anchor sha256:"] {
        assert!(text.contains(words), "{words}\n{text}");
    }

    let mut canaries = Canaries::default();
    canaries.add("the old secret", old.as_bytes());
    canaries.add("the new secret", new.as_bytes());
    assert_eq!(canaries.len(), 2);
    for dir in [pack.as_path(), &world.path().join("later")] {
        let (read, hits) = canaries.scan(dir, &|_| false);
        assert_eq!((read, hits), (2, Vec::new()));
    }
    assert_eq!(canaries.found_in(ran.out.as_bytes()).len() + canaries.found_in(ran.err.as_bytes()).len(), 0);
    let rotation = document["rotation"].as_str().unwrap();
    world.run(&["history", "show", rotation]).exits(0).says("EMERGENCY: secret pasted in a ticket");
}

/// The one hand-off of an integration that waits.
fn waiting(world: &World, name: &str) -> String {
    let list = world.run(&["handoff", "list", "-o", "json"]).exits(0).json();
    let items = list["items"].as_array().unwrap().iter().filter(|item| item["integration"] == name);
    let ids: Vec<&str> = items.map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 1, "{list:#}");
    ids[0].to_owned()
}

/// A person carries it: the old one stays until they confirm, and `--now` removes it at once.
#[test]
fn a_person_is_waited_for_until_somebody_accepts_their_outage() {
    let name = "reapit-lead-imports";
    let world = World::applied();
    let (before, closed) = (world.credentials(), waiting(&world, name));
    let ran = world.run(&["revoke", name, "--emergency", "--reason", "laptop stolen", "--confirm", name]).exits(0);
    for words in
        ["Waits  priya.shah@contoso.example", "Closes rotation r-", "Urgent: everkey handoff show h-", "Evidence: "]
    {
        assert!(ran.out.contains(words), "{words}\n{}", ran.out);
    }
    assert_eq!(world.credentials().len(), before.len() + 1, "the old one is still there");
    world.run(&["status"]).exits(0).says("EMERGENCY, awaiting hand-off");
    assert_ne!(waiting(&world, name), closed, "the hand-off of what it replaces is void");
    world.run(&["handoff", "open", &closed, "--reveal"]).fails(1, "H012", &[&closed]);

    let enable = ["revoke", name, "--enable-sign-in", "--by", "r.khan@contoso.example"];
    world.run(&enable).fails(1, "R087", &["did not disable"]);
    let now = ["revoke", name, "--emergency", "--now", "--disable-sign-in", "--confirm", name, "-o", "json"];
    let document = world.run(&now).exits(0).json();
    assert_eq!(document["outcome"], "removed", "{document:#}");
    assert!(document["sign_in_disabled_at"].is_string(), "{document:#}");
    let disabled = || world.state().to_string().matches("\"accountEnabled\":false").count();
    assert_eq!(disabled(), 1);
    world.run(&["status"]).exits(0).says("SIGN-IN DISABLED by ");
    let items = world.run(&["status", "-o", "json"]).exits(0).json()["items"].take();
    let item = items.as_array().unwrap().iter().find(|item| item["integration"] == name).unwrap().clone();
    assert_eq!((&item["state"], &item["severity"]), (&"sign_in_disabled".into(), &"critical".into()), "{item:#}");
    assert_eq!(item["sign_in_disabled"]["reason"], "laptop stolen");
    let pack = world.path().join(document["evidence"].as_str().unwrap());
    let evidence: Value = serde_json::from_slice(&std::fs::read(pack.join("evidence.json")).unwrap()).unwrap();
    assert_eq!(evidence["sign_in_disabled_at"], document["sign_in_disabled_at"]);
    let text = std::fs::read_to_string(pack.join("evidence.md")).unwrap();
    assert!(text.contains("**Sign-in of the application**: disabled "), "{text}");

    world.run(&enable).exits(0).says("is enabled").says("laptop stolen");
    assert_eq!(disabled(), 0);
    world.run(&["history", name]).exits(0).says("sign-in enabled, says r.khan@contoso.example");
    world.run(&enable).fails(1, "R087", &[]);
    assert_eq!(world.credentials().len(), before.len());
    assert_eq!(document["handoff_ids"].as_array().unwrap().len(), 1);
    world.run(&["status"]).exits(0).says("STOPPED until hand-off");
}

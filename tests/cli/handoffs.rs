//! Hand-offs: the sheet without a secret, opened once, confirmed, issued again.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::json;

use crate::support::World;

/// The hand-off of an integration.
fn of(world: &World, integration: &str) -> String {
    let list = world.run(&["handoff", "list", "-o", "json"]).exits(0).json();
    let items = list["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["integration"] == integration && item["state"] == "waiting").unwrap();
    item["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn in_order(text: &str, words: &[&str]) {
    let mut at = 0;
    for word in words {
        let found = text[at..].find(word).unwrap_or_else(|| panic!("no {word:?} after {:?} in\n{text}", &text[..at]));
        at += found + word.len();
    }
}

#[test]
fn the_sheet_has_the_vendors_fields_in_order_and_no_secret() {
    let world = World::applied();
    let id = of(&world, "reapit-lead-imports");
    let sheet = world.run(&["handoff", "show", &id]).exits(0).out;
    in_order(
        &sheet,
        &[
            &format!("Hand-off {id}: Reapit lead imports"),
            "due 2026-12-04, waiting on priya.shah@contoso.example",
            &format!("everkey handoff open {id}"),
            "Give it to Reapit support: https://support.reapit.example (never by plain e-mail)",
            &format!("everkey handoff confirm {id}"),
            "Our new client secret for Reapit lead imports is ready.",
            "Application (client) ID",
            "Directory (tenant) ID",
            "Secret ID",
            "Secret value",
            "shown once in step 1",
            "the value, not the secret ID",
            "Expires",
            "2027-05-19",
        ],
    );
    let id = of(&world, "roger365-replicator");
    let sheet = world.run(&["handoff", "show", &id]).exits(0).out;
    in_order(&sheet, &["Tenant Id", "Client id (App id)", "Client Secret", "Contact URL", "(blank)", "Country Code"]);
    let document = world.run(&["handoff", "show", &id, "-o", "json"]).exits(0).json();
    assert_eq!(document["fields"][2]["label"], "Client Secret");
    assert_eq!(document["fields"][2]["value"], serde_json::Value::Null);
    world.run(&["handoff", "show", "h-9999"]).fails(1, "H010", &["h-9999"]);
}

/// A thumbprint is public: the sheet shows it.
#[test]
fn the_sheet_of_a_certificate_shows_its_thumbprint() {
    let world = World::applied();
    let id = of(&world, "enate-graph-mail");
    let sheet = world.run(&["handoff", "show", &id]).exits(0).out;
    let line = sheet.lines().find(|line| line.contains("Thumbprint")).unwrap();
    let shown = line.split_whitespace().nth(1).unwrap();
    assert!(shown.len() == 40 && shown.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
}

#[test]
fn it_opens_once_and_the_value_signs_in() {
    let world = World::applied();
    let id = of(&world, "reapit-lead-imports");
    let refused = world.run(&["handoff", "open", &id]).fails(64, "U006", &["terminal"]);
    assert_eq!(refused.out, "");
    world.run(&["handoff", "confirm", &id]).fails(1, "H013", &[]);
    let shown = world.run(&["handoff", "open", &id, "--reveal"]).exits(0).out;
    in_order(&shown, &["Application (client) ID", "Directory (tenant) ID", "Secret ID", "Secret value"]);
    let value = |label: &str| {
        let line = shown.lines().find(|line| line.trim_start().starts_with(label)).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    };
    assert_eq!(world.token_with(&value("Application"), &value("Secret value")), 200);
    world
        .run(&["handoff", "open", &id, "--reveal"])
        .fails(1, "H011", &["priya.shah@contoso.example", "reissue"])
        .never_says(&value("Secret value"));
    world.run(&["handoff", "show", &id]).exits(0).never_says(&value("Secret value"));
    let done = world.run(&["handoff", "confirm", &id, "--by", "priya.shah@contoso.example"]).exits(0);
    assert!(done.out.starts_with("Confirmed."), "{}", done.out);
    assert!(world.history().contains(&format!("confirmed hand-off {id}")));
    assert!(!world.run(&["handoff", "list"]).exits(0).out.contains(&id));
    world.run(&["handoff", "list", "--all"]).exits(0).says(&id);
    world.run(&["plan"]).exits(0).says("No changes.");
    // Confirmed is confirmed: nothing is handed over again by mistake.
    let refused =
        world.run(&["handoff", "reissue", &id]).fails(1, "H015", &["priya.shah@contoso.example", "everkey rotate"]);
    assert!(refused.out.is_empty());
    assert!(!world.history().contains(&format!("reissued hand-off {id}")));
}

/// Its value would be put in the place of one that works: it is neither shown nor given a new link, and stays openable.
#[test]
fn what_is_gone_from_entra_is_not_handed_over() {
    let world = World::applied();
    let id = of(&world, "reapit-lead-imports");
    let state = world.state();
    let mut apps = state["applications"].as_object().unwrap().iter();
    let (app, found) = apps.find(|(_, app)| app["displayName"].as_str().unwrap().contains("Reapit")).unwrap();
    let key = found["credentials"]["passwords"][0]["keyId"].as_str().unwrap();
    world.graph(Method::POST, &format!("/applications/{app}/removePassword"), &json!({"keyId": key}));
    let before = world.history();
    let to = world.path().join("handover");
    let gone = ["the secret of", &format!("everkey handoff reissue {id} --fresh")];
    world.run(&["handoff", "open", &id, "--out", to.to_str().unwrap()]).fails(1, "H016", &gone);
    let refused = world.run(&["handoff", "open", &id, "--reveal"]).fails(1, "H016", &gone);
    assert!(refused.out.is_empty() && !to.exists(), "{}", refused.out);
    world.run(&["handoff", "reissue", &id]).fails(1, "H016", &gone);
    assert_eq!(world.history(), before, "nobody saw it");
    world.run(&["explain", "H016"]).exits(0).says("gone from Entra");
    let sheet = world.run(&["handoff", "show", &id]).exits(0).out;
    assert!(sheet.contains("waiting on priya.shah@contoso.example"), "{sheet}");
    world.run(&["handoff", "reissue", &id, "--fresh"]).exits(0);
    world.run(&["apply", "--yes", "--only", "reapit-lead-imports"]).exits(0);
    let new = of(&world, "reapit-lead-imports");
    assert_ne!(new, id);
    world.run(&["handoff", "open", &new, "--reveal"]).exits(0);
}

#[test]
fn a_lost_value_is_issued_again() {
    let world = World::applied();
    let id = of(&world, "securends-office365");
    let first = world.run(&["handoff", "open", &id, "--reveal"]).exits(0).out;
    let again = world.run(&["handoff", "reissue", &id, "-o", "json"]).exits(0).json();
    let new = again["id"].as_str().unwrap().to_owned();
    assert_ne!(new, id);
    world.run(&["handoff", "open", &id, "--reveal"]).exits(1);
    world.run(&["handoff", "confirm", &id]).exits(1);
    let second = world.run(&["handoff", "open", &new, "--reveal"]).exits(0).out;
    assert_eq!(first, second, "the same value");
    assert_eq!(world.credentials().len(), 5, "no new credential");
}

#[test]
fn a_fresh_value_takes_the_place_of_a_lost_one() {
    let world = World::applied();
    let id = of(&world, "roger365-replicator");
    let first = world.run(&["handoff", "open", &id, "--reveal"]).exits(0).out;
    world.run(&["handoff", "reissue", &id, "--fresh"]).exits(0).says("everkey apply --only roger365-replicator");
    world.run(&["apply", "--yes", "--only", "roger365-replicator"]).exits(0);
    let new = of(&world, "roger365-replicator");
    assert_ne!(new, id);
    let second = world.run(&["handoff", "open", &new, "--reveal"]).exits(0).out;
    assert_ne!(first, second, "another value");
    assert_eq!(world.credentials().len(), 6, "the lost one leaves under the guard, not at once");
    world.run(&["plan", "--only", "roger365-replicator"]).exits(0).says("No changes.");
}

/// The PFX goes to files of mode 0600, and others' tools open it with the password beside it.
#[test]
fn a_pfx_is_handed_over_as_files() {
    let world = World::applied();
    let id = of(&world, "enate-graph-mail");
    world.run(&["handoff", "open", &id, "--reveal"]).fails(64, "U007", &["--out"]);
    std::fs::create_dir(world.path().join("taken")).unwrap();
    world.run(&["handoff", "open", &id, "--out", "taken"]).fails(1, "F010", &["taken"]);
    let ran = world.run(&["handoff", "open", &id, "--out", "given"]).exits(0);
    assert!(ran.out.contains("mode 0600"), "{}", ran.out);
    let given = world.path().join("given");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&given), 0o700);
    let pfx = given.join("enate-graph-mail.pfx");
    let password = given.join("pfx_password.txt");
    assert_eq!((mode(&pfx), mode(&password)), (0o600, 0o600));
    let opened = Command::new("openssl")
        .args(["pkcs12", "-noenc", "-passin"])
        .arg(format!("file:{}", password.display()))
        .arg("-in")
        .arg(&pfx)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&opened.stdout);
    assert!(opened.status.success() && text.contains("PRIVATE KEY"), "{}", String::from_utf8_lossy(&opened.stderr));
    let sheet = world.run(&["handoff", "show", &id]).exits(0).out;
    let thumbprint = std::fs::read_to_string(given.join("thumbprint.txt")).unwrap();
    assert!(sheet.contains(thumbprint.trim()), "{sheet}");
    // Opened already: refused, and no empty directory stays behind.
    world.run(&["handoff", "open", &id, "--out", "again"]).fails(1, "H011", &[]);
    assert!(!world.path().join("again").exists());
    world.run(&["handoff", "open", "h-9999", "--out", "none"]).fails(1, "H010", &[]);
    assert!(!world.path().join("none").exists());
}

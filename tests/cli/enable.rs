//! Modes, and the way from one to the other: `enable` changes one line of a person's file.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::support::Catcher;
use crate::support::World;

const NAME: &str = "lexzur-email-engine";

/// `watch` is silent, `alert` tells, neither changes anything; both after the date on which everkey would rotate.
#[test]
fn alert_tells_and_watch_is_silent() {
    let world = World::applied_at("2027-10-21T09:30:00Z");
    world.keep_policies(&[NAME]);
    let catcher = Catcher::start("starttls");
    catcher.configure(&world);
    let before = world.credentials();
    world.replace(&world.policy(NAME), "mode = \"rotate\"", "mode = \"watch\"");
    world.run(&["serve", "--once"]).exits(0).says("No changes.");
    // What was in the outbox before there was mail has left now; the key that ends in 30 days is not mentioned.
    let subjects = |from: usize| -> Vec<String> {
        let subject =
            |mail: &Value| mail["headers"].as_array().unwrap().iter().find(|pair| pair[0] == "Subject").cloned();
        catcher.mails()[from..].iter().map(|mail| subject(mail).unwrap()[1].as_str().unwrap().to_owned()).collect()
    };
    assert!(!subjects(0).iter().any(|subject| subject.contains("LEXZUR")), "{:?}", subjects(0));
    let earlier = subjects(0).len();
    world.replace(&world.policy(NAME), "mode = \"watch\"", "mode = \"alert\"");
    world.run(&["serve", "--once"]).exits(0).says("No changes.");
    let told = subjects(earlier);
    let heard = told.iter().any(|subject| subject.contains("LEXZUR") && subject.contains("20 Nov"));
    assert!(heard, "30 days left, and nobody heard: {told:?}");
    world.run(&["rotate", NAME, "--yes"]).fails(1, "R043", &["everkey enable lexzur-email-engine"]);
    assert_eq!(world.credentials(), before);
}

#[test]
fn one_line_of_the_policy_changes() {
    let world = World::applied();
    let policy = world.policy(NAME);
    let rotating = std::fs::read_to_string(&policy).unwrap();
    world.run(&["enable", NAME]).exits(0).says("enabled already");
    world.replace(&policy, "mode = \"rotate\"", "mode = \"alert\"   # until the drill");
    std::fs::set_permissions(&policy, std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = std::fs::read_to_string(&policy).unwrap();
    world.run(&["enable", NAME]).fails(64, "U003", &["--yes"]);
    assert_eq!(std::fs::read_to_string(&policy).unwrap(), before);
    let ran = world.run(&["enable", NAME, "--yes"]).exits(0);
    for line in ["  - mode = \"alert\"   # until the drill", "  + mode = \"rotate\"   # until the drill", "No changes."]
    {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    let after = std::fs::read_to_string(&policy).unwrap();
    assert_eq!(after, rotating.replace("mode = \"rotate\"", "mode = \"rotate\"   # until the drill"));
    assert_eq!(std::fs::metadata(&policy).unwrap().permissions().mode() & 0o777, 0o640);
    world.run(&["enable", "nobody"]).fails(64, "U002", &[]);
}

/// What rotating needs and watching does not is asked for, with its place; the file stays as it is.
#[test]
fn what_lacks_something_is_refused() {
    let world = World::new();
    let head = "version = 1\nname = \"bare\"\nmode = \"alert\"\n\n[people]\nowner = \"platform@contoso.example\"\n\n";
    let app = |id: &str| format!("[app]\napp_id = \"{id}\"\n\n[[credential]]\nkind = \"client-secret\"\n");
    let policy = world.policy("bare");
    let bare = format!("{head}{}", app("2b61e0f4-0000-4000-8000-00000000c0de"));
    std::fs::write(&policy, &bare).unwrap();
    let ran = world.run(&["enable", "bare", "--yes"]).fails(1, "R042", &["`impact` is missing", "delivered nowhere"]);
    assert!(ran.err.contains("bare.toml:"), "with the place: {}", ran.err);
    assert_eq!(std::fs::read_to_string(&policy).unwrap(), bare);
    let sink = "[[credential.deliver]]\nto = \"handoff\"\nrecipient_name = \"V\"\nwhere = \"by phone\"\n";
    let whole = format!("impact = \"Imports stop.\"\n{bare}{sink}");
    std::fs::write(&policy, &whole).unwrap();
    world.run(&["enable", "bare", "--yes"]).fails(1, "R042", &["does not exist in this tenant"]);
    assert_eq!(std::fs::read_to_string(&policy).unwrap(), whole);
    let report = world.run(&["enable", "bare", "--yes", "-o", "json"]).exits(1).json();
    assert_eq!(report["error"]["code"], "R042");
}

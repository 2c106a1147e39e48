//! `rotate`: now, with overlap, whatever the date; and `history` of it.

use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::io::Write as _;

use crate::support::World;

#[test]
fn a_dry_run_shows_and_does_nothing() {
    let world = World::applied();
    let before = world.credentials();
    let ran = world.run(&["rotate", "lexzur-email-engine", "--dry-run"]).exits(0);
    assert!(ran.out.contains("+ add secret") && ran.out.contains("- retire"), "{}", ran.out);
    let ran = world.run(&["rotate", "--all", "--tag", "vendor=lexzur", "--dry-run", "-o", "json"]).exits(0).json();
    assert_eq!(ran["changes"].as_array().unwrap().len(), 1);
    world.run(&["rotate", "--all", "--tag", "vendor=nobody", "--dry-run"]).fails(64, "U002", &["no policy matches"]);
    world.run(&["rotate", "nobody", "--dry-run"]).fails(64, "U002", &["nobody"]);
    assert_eq!(world.credentials(), before);
}

/// The old value works until the overlap is over, the new one is where the consumer reads; one `apply` after the
/// overlap removes the old one.
#[test]
fn a_rotation_overlaps() {
    let mut world = World::applied();
    let read = |world: &World| {
        let file: serde_json::Value = serde_json::from_slice(&std::fs::read(world.integrations()).unwrap()).unwrap();
        let office = file["MS-OfficeMail-365"].clone();
        (office["clientId"].as_str().unwrap().to_owned(), office["clientSecret"].as_str().unwrap().to_owned())
    };
    let (client, old) = read(&world);
    let ran = world.run(&["rotate", "lexzur-email-engine", "--yes"]).exits(0);
    for step in ["stage ", "prove ", "deliver ", "confirm "] {
        assert!(ran.out.contains(&format!("      {step}")), "{step}\n{}", ran.out);
    }
    let (_, new) = read(&world);
    assert_ne!(old, new);
    // Nobody signs in with the old one here: a use that is not everkey's would rightly keep it.
    assert_eq!(world.credentials().len(), 6, "both are there");
    world.run(&["status"]).exits(0).says("confirmed, old one to");
    world.run(&["apply", "--yes"]).exits(0).says("No changes.");
    assert_eq!(world.credentials().len(), 6, "the overlap holds");
    world.stop();
    world.start(Some("2026-11-28T09:00:00Z"));
    world.run(&["apply", "--yes"]).exits(0);
    assert_eq!(world.credentials().len(), 5, "the overlap is over");
    assert_ne!(world.token_with(&client, &old), 200);
    assert_eq!(world.token_with(&client, &new), 200);
    world.run(&["history", "lexzur-email-engine", "-n", "3"]).exits(0).says("retire");
}

#[test]
fn history_is_told_newest_last_and_holds_together() {
    let world = World::applied();
    let all = world.run(&["history"]).exits(0).out;
    assert!(all.trim_start().starts_with("WHEN (UTC)"), "{all}");
    let one = world.run(&["history", "reapit-lead-imports", "-n", "4"]).exits(0).out;
    assert_eq!(one.lines().count(), 5, "{one}");
    assert_eq!(all.matches("\"Reapit Lead Imports\" created").count(), 1, "told once:\n{all}");
    let ran = world.run(&["history", "--verify"]).exits(0);
    assert!(ran.out.contains("entries intact since 2026-11-20. Head sha256:"), "{}", ran.out);
    let report = world.run(&["history", "--verify", "-o", "json"]).exits(0).json();
    assert_eq!(report["entries"], all.lines().count() - 1);
    assert_eq!(report["head"].as_str().unwrap().len(), 64);
}

/// One letter of one old entry, changed in the file itself.
#[test]
fn a_changed_letter_is_found() {
    let world = World::applied();
    let mut file = std::fs::File::options().read(true).write(true).open(world.store()).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let text = b"preflight passed";
    let at = bytes.windows(text.len()).position(|window| window == text).expect("an entry in the file");
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(b"q").unwrap();
    drop(file);
    world.run(&["history", "--verify"]).fails(1, "T020", &["breaks at entry "]);
    let report = world.run(&["history", "--verify", "-o", "json"]).exits(1).json();
    assert_eq!(report["error"]["code"], "T020");
}

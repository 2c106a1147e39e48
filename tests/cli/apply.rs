//! `apply` and `status` after it; signing in by certificate; the guards.

use crate::support::Running;
use crate::support::World;
use crate::support::until;

#[test]
fn five_policies_are_applied_once() {
    let world = World::applied();
    let before = world.credentials();
    assert_eq!(before.len(), 5, "{before:?}");
    world.run(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
    let again = world.run(&["apply", "--yes"]).exits(0);
    assert_eq!(again.out, "No changes.\n");
    assert_eq!(again.err, "");
    let again = world.run(&["apply", "--yes", "-o", "json"]).exits(0).json();
    assert_eq!((&again["schema"], &again["outcome"]), (&"everkey.apply/v1".into(), &"done".into()));
    assert_eq!(world.credentials(), before);
    let integrations = std::fs::read_to_string(world.integrations()).unwrap();
    let read: serde_json::Value = serde_json::from_str(&integrations).unwrap();
    let office = &read["MS-OfficeMail-365"];
    assert_eq!(read["version"], "8.14.2", "the rest is kept");
    let status = world.token_with(office["clientId"].as_str().unwrap(), office["clientSecret"].as_str().unwrap());
    assert_eq!(status, 200, "what the consumer reads signs in");
}

#[test]
fn status_after_the_first_day() {
    let world = World::applied();
    let ran = world.run(&["status"]).exits(0);
    for text in ["INTEGRATION", "STOPS WORKING IF LEFT", "EXPIRES", "LEFT", "STATE", "OWNER", "4 waiting for a person"]
    {
        assert!(ran.out.contains(text), "{text}\n{}", ran.out);
    }
    assert!(ran.out.contains("Next: everkey handoff show h-0001"), "{}", ran.out);
    assert!(ran.out.contains("the emulator's"), "the clock is the emulator's: {}", ran.out);
    let lexzur = ran.out.lines().find(|line| line.contains("lexzur-email-engine")).unwrap();
    assert!(lexzur.contains("2027-11-20") && lexzur.contains("364 days"), "{lexzur}");
    let report = world.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(report["schema"], "everkey.status/v1");
    assert_eq!(report["items"].as_array().unwrap().len(), 5);
    let reapit =
        report["items"].as_array().unwrap().iter().find(|i| i["integration"] == "reapit-lead-imports").unwrap();
    assert_eq!(reapit["state"], "awaiting_handoff");
    assert_eq!(reapit["impact"], "New portal leads stop arriving in Reapit.");
    assert_eq!(reapit["pm"], "priya.shah@contoso.example");
}

#[test]
fn status_within_leaves_out_what_is_far_but_never_what_waits() {
    let world = World::applied();
    let ran = world.run(&["status", "--within", "60d"]).exits(0);
    assert!(!ran.out.contains("lexzur-email-engine") && ran.out.contains("reapit-lead-imports"), "{}", ran.out);
    assert!(ran.out.contains("1 more is fine."), "{}", ran.out);
    world.run(&["status", "--within", "400d"]).exits(0).says("lexzur-email-engine");
    world.run(&["status", "--within", "soon"]).fails(64, "U005", &["soon"]);
}

#[test]
fn status_tells_what_has_expired() {
    let world = World::applied_at("2028-02-01T09:00:00Z");
    let ran = world.run(&["status"]).exits(0);
    // Four were handed over and never confirmed; they have ended like the one that was in use.
    assert!(ran.out.contains("EXPIRED") && ran.out.contains("5 expired"), "{}", ran.out);
    world.run(&["status", "--detailed-exitcode"]).exits(2);
}

/// everkey's own sign-in by certificate, key and certificate in one file.
#[test]
fn it_signs_in_by_certificate() {
    let world = World::new();
    world.replace(&world.config(), "auth = \"secret\"", "auth = \"certificate\"");
    let secret = format!("secret_file = \"{}\"", world.emulator_dir().join("operator.secret").display());
    let pem = world.emulator_dir().join("operator.pem");
    let both = format!("certificate_file = {pem:?}\nkey_file = {pem:?}");
    world.replace(&world.config(), &secret, &both);
    // The secret is out of the way, so that only the certificate can have signed in.
    std::fs::remove_file(world.emulator_dir().join("operator.secret")).unwrap();
    world.run(&["plan"]).exits(0).says("Read 5 policies");
    world.keep_policies(&["lexzur-email-engine"]);
    world.run(&["apply", "--yes"]).exits(0).says("1 done, 0 failed.");
    assert_eq!(world.credentials().len(), 1);
    let other = World::new();
    std::fs::copy(other.emulator_dir().join("operator.pem"), &pem).unwrap();
    world.run(&["plan"]).fails(77, "A010", &["AADSTS700027"]);
}

#[test]
fn more_changes_than_allowed_are_refused() {
    let world = World::new();
    world.run(&["apply", "--yes", "--max-changes", "4"]).fails(1, "R003", &["5 integrations"]);
    assert_eq!(world.state()["applications"].as_object().unwrap().len(), 1);
}

/// Expectation 12: nobody to ask, nothing asked, nothing changed.
#[test]
fn without_a_terminal_and_without_yes_nothing_is_asked() {
    let world = World::new();
    let ran = world.run(&["apply"]).fails(64, "U003", &["--yes"]);
    ran.never_says("[y/N]");
    world.run(&["apply", "--no-input"]).fails(64, "U003", &[]);
    assert_eq!(world.state()["applications"].as_object().unwrap().len(), 1);
    let world = World::applied();
    world.run(&["rotate", "lexzur-email-engine"]).fails(64, "U003", &[]).never_says("[y/N]");
    assert_eq!(world.credentials().len(), 5);
}

/// Expectation 23: the second run ends at once, and names the first.
#[test]
fn two_runs_at_once() {
    let world = World::new();
    world.keep_policies(&["roger365-replicator"]);
    let first: Running = world.spawn(&["apply", "--yes"]);
    until(|| !world.credentials().is_empty());
    let pid = format!("pid {}", first.pid());
    let second = world.run(&["apply", "--yes"]).fails(75, "T011", &[&pid, "since 20"]);
    assert!(second.err.contains("wait"), "{}", second.err);
    world.run(&["status"]).exits(0).says("prove under way");
    first.wait().exits(0).says("1 done, 0 failed.");
    assert_eq!(world.credentials().len(), 1);
}

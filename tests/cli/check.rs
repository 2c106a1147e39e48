//! `check`: the contract of monitoring plug-ins. One line, performance data, 0/1/2/3, and UNKNOWN for whatever goes
//! wrong.

use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use crate::support::Ran;
use crate::support::World;
use crate::support::mail_section;

/// The one line: status word, text, performance data.
#[track_caller]
fn line(ran: &Ran) -> (String, String, String) {
    assert!(ran.err.is_empty(), "a plug-in speaks on standard output: {}", ran.err);
    assert_eq!(ran.out.matches('\n').count(), 1, "{}", ran.out);
    let rest = ran.out.trim_end().strip_prefix("everkey ").unwrap_or_else(|| panic!("{}", ran.out));
    let (word, rest) = rest.split_once(" - ").unwrap();
    let (text, performance) = rest.split_once(" | ").unwrap_or((rest, ""));
    (word.to_owned(), text.to_owned(), performance.to_owned())
}

#[track_caller]
fn check(world: &World, args: &[&str], code: i32) -> (String, String, String) {
    let mut all = vec!["check"];
    all.extend(args);
    let ran = world.run(&all).exits(code);
    let told = line(&ran);
    assert_eq!(told.0, ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::try_from(code).unwrap()], "{}", ran.out);
    told
}

#[test]
fn the_days_decide() {
    let mut world = World::applied();
    let (_, text, performance) = check(&world, &[], 0);
    assert!(text.starts_with("5 ok; first to end: "), "{text}");
    assert_eq!(performance, "expired=0;;0 soonest_days=179;30:;7: total=5");
    // The thresholds are the caller's, and the integrations too.
    let (_, text, performance) = check(&world, &["-w", "200d"], 1);
    assert!(text.contains("expires in 179 days; 2 warning, 2 ok"), "{text}");
    assert!(performance.contains("soonest_days=179;200:;7:"), "{performance}");
    check(&world, &["-w", "200d", "lexzur-email-engine"], 0);
    let (_, text, _) = check(&world, &["-w", "400d", "-c", "200d"], 2);
    assert!(text.contains("; 2 more critical, 2 warning"), "{text}");

    let report = world.run(&["check", "-w", "200d", "-o", "json"]).exits(1).json();
    assert_eq!((&report["schema"], &report["status"]), (&json!("everkey.check/v1"), &json!("WARNING")));
    assert_eq!(report["exit_code"], 1);
    assert_eq!(report["summary"], json!({"expired": 0, "critical": 0, "warning": 3, "ok": 2}));
    assert_eq!(report["items"].as_array().unwrap().len(), 5);

    // Later: two days after the first end.
    world.stop();
    world.start(Some("2027-05-21T10:00:00Z"));
    let (_, text, performance) = check(&world, &[], 2);
    assert!(text.contains(" secret expired 2 days ago; 2 more critical, 2 ok"), "{text}");
    assert!(performance.starts_with("expired=3;;0 soonest_days=-2;30:;7: total=5"), "{performance}");
}

/// Replaced and confirmed rows do not count: what is left of the old one is nobody's concern.
#[test]
fn what_was_replaced_does_not_count() {
    let mut world = World::applied();
    world.keep_policies(&["lexzur-email-engine"]);
    world.stop();
    world.start(Some("2027-11-16T10:00:00Z"));
    let (_, text, _) = check(&world, &[], 2);
    assert!(text.starts_with("lexzur-email-engine secret expires in 3 days"), "{text}");
    world.run(&["rotate", "lexzur-email-engine", "--yes"]).exits(0);
    assert_eq!(world.credentials().iter().filter(|(app, _)| app.contains("LEXZUR")).count(), 2, "the old one is there");
    let (_, text, _) = check(&world, &[], 0);
    assert!(text.contains("lexzur-email-engine secret expires in 36"), "{text}");
}

/// What the journal holds to be in use must be in Entra.
#[test]
fn a_credential_that_somebody_removed_is_critical() {
    let world = World::applied();
    let state = world.state();
    let lexzur = state["applications"]
        .as_object()
        .unwrap()
        .iter()
        .find(|(_, app)| app["displayName"].as_str().unwrap().contains("LEXZUR"));
    let (id, app) = lexzur.unwrap();
    let key = app["credentials"]["passwords"][0]["keyId"].as_str().unwrap();
    world.graph(Method::POST, &format!("/applications/{id}/removePassword"), &json!({"keyId": key}));
    let (_, text, _) = check(&world, &[], 2);
    assert_eq!(text, "lexzur-email-engine: its secret is gone from Entra; 4 ok");
    world.graph(Method::DELETE, &format!("/applications/{id}"), &Value::Null);
    let (_, text, _) = check(&world, &["lexzur-email-engine"], 2);
    assert!(text.contains("its application is gone from Entra"), "{text}");
}

/// Expectation 37: mail that does not get out for a day.
#[test]
fn mail_that_does_not_go_out_is_critical_after_a_day() {
    let mut world = World::applied();
    check(&world, &[], 0);
    world.stop();
    world.start(Some("2026-11-21T08:00:00Z"));
    let section = |world: &World| {
        let password = world.path().join("smtp.password");
        std::fs::write(&password, "none-is-asked-for").unwrap();
        mail_section(world, 1, &world.emulator_dir().join("ca.pem"), &password);
    };
    section(&world);
    check(&world, &[], 0);
    world.stop();
    world.start(Some("2026-11-21T10:00:00Z"));
    section(&world);
    let (_, text, _) = check(&world, &[], 2);
    assert!(text.starts_with("mail does not go out since 2026-11-20 09:0"), "{text}");
    let report = world.run(&["check", "-o", "json"]).exits(2).json();
    assert!(report["mail_failing_since"].as_str().unwrap().starts_with("2026-11-20T09:0"), "{report:#}");
}

/// Whatever goes wrong is 3 and says so in one line; never OK, never 2, and nothing on standard error.
#[test]
fn every_failure_is_unknown() {
    let mut world = World::applied();
    let unknown = |world: &World, args: &[&str], why: &str| {
        let (_, text, _) = check(world, args, 3);
        assert!(text.contains(why), "{text}");
    };
    unknown(&world, &["--bogus"], "[U001]");
    unknown(&world, &["-w", "soon"], "[U005]");
    unknown(&world, &["nobody"], "[U002]");
    unknown(&world, &["-o", "sarif"], "[U013]");
    unknown(&world, &["-t", "nobody"], "[U011]");
    unknown(&world, &["-C", "none.toml"], "[C010]");
    let report = world.run(&["check", "-o", "json", "--bogus"]).exits(3).json();
    assert_eq!((&report["status"], &report["error"]["code"]), (&json!("UNKNOWN"), &json!("U001")));
    let report = world.run(&["check", "nobody", "-o", "json"]).exits(3).json();
    assert_eq!((&report["status"], &report["error"]["code"]), (&json!("UNKNOWN"), &json!("U002")));
    // Graph says no, answers nonsense, throttles.
    for (effect, code) in [
        (json!({"kind": "status", "code": 403}), "[G012]"),
        (json!({"kind": "status", "code": 500}), "[G016]"),
        (json!({"kind": "status", "code": 429, "retry_after": 0}), "[G011]"),
    ] {
        world.fault(&json!({"count": 50, "path_contains": "/v1.0/", "effect": effect}));
        unknown(&world, &[], code);
        world.admin(Method::DELETE, "faults", &Value::Null);
    }
    check(&world, &[], 0);
    // A policy that cannot be read, another key, no emulator at all.
    let policy = world.policy("enate-graph-mail");
    world.replace(&policy, "version = 1", "version = 7");
    unknown(&world, &[], "[C012]");
    world.replace(&policy, "version = 7", "version = 1");
    let key = world.emulator_dir().join("seal.key");
    let before = std::fs::read_to_string(&key).unwrap();
    std::fs::write(&key, before.chars().rev().collect::<String>()).unwrap();
    unknown(&world, &[], "[T016]");
    std::fs::write(&key, before).unwrap();
    world.stop();
    unknown(&world, &[], "[G010]");
    // Help is help.
    world.run(&["check", "--help"]).exits(0).says("Whatever goes wrong is UNKNOWN");
}

/// Policies without an application yet: still Graph is asked, so that silence does not look like health.
#[test]
fn with_nothing_provisioned_graph_is_asked_all_the_same() {
    let mut world = World::new();
    let (_, text, performance) = check(&world, &[], 0);
    assert!(text.contains("5 ok"), "{text}");
    assert_eq!(performance, "expired=0;;0 total=5");
    world.fault(&json!({"count": 50, "path_contains": "/v1.0/", "effect": {"kind": "status", "code": 503}}));
    check(&world, &[], 3);
    world.stop();
    check(&world, &[], 3);
}

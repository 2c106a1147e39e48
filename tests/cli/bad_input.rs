//! Bad input, bad identity, bad network: each with its code, why, fix and exit code, and nothing changed.

use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use crate::support::World;

/// Nothing but everkey's own application, and nothing below the sinks but what the test put there.
#[track_caller]
fn untouched(world: &World) {
    assert_eq!(world.credentials(), []);
    assert_eq!(world.state()["applications"].as_object().unwrap().len(), 1);
    assert_eq!(std::fs::read_to_string(world.integrations()).unwrap(), crate::support::INTEGRATIONS);
    assert!(!world.sink("var/lib/enate").exists());
}

#[test]
fn an_unknown_key() {
    let world = World::new();
    world.replace(&world.policy("enate-graph-mail"), "hidden_from_users", "hidden_from_user");
    world.run(&["plan"]).fails(65, "C012", &["enate-graph-mail.toml:14:1", "hidden_from_user"]);
    world.run(&["apply", "--yes"]).fails(65, "C012", &["enate-graph-mail.toml:14:1"]);
    let ran = world.run(&["validate"]).exits(65);
    assert!(ran.out.contains("did you mean") && ran.out.contains("\"hidden_from_users\""), "{}", ran.out);
    untouched(&world);
}

/// Sums that cannot work are refused when the policy is read, and spelled out.
#[test]
fn impossible_dates_and_sums() {
    let world = World::new();
    for (policy, from, to) in [
        ("reapit-lead-imports", "lifetime = \"180d\"", "lifetime = \"180d\"\nrotate_before = \"120d\""),
        ("reapit-lead-imports", "lifetime = \"180d\"", "lifetime = \"30d\""),
        ("lexzur-email-engine", "lifetime = \"365d\"", "lifetime = \"365d\"\noverlap = \"30m\""),
        ("lexzur-email-engine", "lifetime = \"365d\"", "lifetime = \"10d\""),
        ("lexzur-email-engine", "lifetime = \"365d\"", "lifetime = \"0d\""),
        ("lexzur-email-engine", "lifetime = \"365d\"", "lifetime = \"-5d\""),
        ("lexzur-email-engine", "lifetime = \"365d\"", "lifetime = \"9999999999999d\""),
        ("lexzur-email-engine", "mode = \"rotate\"", "mode = \"rotate\"\nfreeze = [\"2026-02-30/2026-03-01\"]"),
        ("lexzur-email-engine", "mode = \"rotate\"", "mode = \"rotate\"\nfreeze = [\"2027-01-04/2026-12-18\"]"),
        ("lexzur-email-engine", "mode = \"rotate\"", "mode = \"rotate\"\nschedule = \"0 6 30 2 *\""),
    ] {
        let file = world.policy(policy);
        let before = std::fs::read_to_string(&file).unwrap();
        world.replace(&file, from, to);
        let ran = world.run(&["apply", "--yes"]);
        assert_eq!(ran.code, 65, "{to}: {}{}", ran.out, ran.err);
        let ran = ran.fails(65, "C012", &[&format!("{policy}.toml:")]);
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        std::fs::write(file, before).unwrap();
    }
    untouched(&world);
}

/// Expectation 22: a credential that nobody would get is never made.
#[test]
fn a_credential_without_a_sink() {
    let world = World::new();
    let file = world.policy("lexzur-email-engine");
    let text = std::fs::read_to_string(&file).unwrap();
    let (from, to) = (text.find("[[credential.deliver]]").unwrap(), text.find("[credential.confirm]").unwrap());
    std::fs::write(&file, format!("{}{}", &text[..from], &text[to..])).unwrap();
    world.run(&["apply", "--yes"]).fails(65, "C012", &["lexzur-email-engine.toml:"]);
    untouched(&world);
}

#[test]
fn a_secret_in_a_policy_is_refused_and_not_repeated() {
    let world = World::new();
    let canary = "Q3z8Q~canary.canary.canary.canary.canary";
    world.replace(
        &world.policy("lexzur-email-engine"),
        "description = \"LEXZUR e-mail engine\"",
        &format!("description = \"{canary}\""),
    );
    for args in [&["plan"][..], &["validate"], &["validate", "-o", "json"], &["validate", "-o", "sarif"]] {
        world.run(args).exits(65).never_says(canary);
    }
    untouched(&world);
}

/// 403: everkey's own application may read, but not make anything.
#[test]
fn a_missing_permission() {
    let world = World::new();
    let principals = world.graph(Method::GET, "/servicePrincipals", &Value::Null);
    let client = world.guide()["operator"]["client_id"].clone();
    let own = principals["value"].as_array().unwrap().iter().find(|one| one["appId"] == client).unwrap();
    let path = format!("/servicePrincipals/{}/appRoleAssignments", own["id"].as_str().unwrap());
    let roles = world.graph(Method::GET, &path, &Value::Null);
    // Application.ReadWrite.OwnedBy
    let owned = "18a4783c-866b-4cc7-a460-3d5e5662c884";
    let role = roles["value"].as_array().unwrap().iter().find(|one| one["appRoleId"] == owned).unwrap();
    world.graph(Method::DELETE, &format!("{path}/{}", role["id"].as_str().unwrap()), &Value::Null);
    world.run(&["plan"]).exits(0);
    let ran = world.run(&["apply", "--yes"]).fails(77, "G012", &["403", "Authorization_RequestDenied"]);
    assert!(ran.err.contains("Application.ReadWrite.OwnedBy") && ran.err.contains("request id "), "{}", ran.err);
    untouched(&world);
    let report = world.run(&["apply", "--yes", "-o", "json"]).exits(77).json();
    assert_eq!(report["outcome"], "failed");
    assert_eq!(report["results"][0]["error"]["code"], "G012");
}

#[test]
fn a_wrong_secret() {
    let world = World::new();
    std::fs::write(world.emulator_dir().join("operator.secret"), "wrong.secret.wrong.secret").unwrap();
    let ran = world.run(&["apply", "--yes"]).fails(77, "A010", &["AADSTS7000215"]).never_says("wrong.secret");
    assert!(ran.err.contains("secret_file"), "{}", ran.err);
    untouched_without_operator(&world);
}

fn untouched_without_operator(world: &World) {
    assert_eq!(world.state()["applications"].as_object().unwrap().len(), 1);
}

#[test]
fn an_unknown_client_or_tenant() {
    let world = World::new();
    let text = std::fs::read_to_string(world.config()).unwrap();
    let guide = world.guide();
    for (key, code) in [("client_id", "AADSTS700016"), ("tenant_id", "AADSTS90002")] {
        let id = if key == "client_id" { &guide["operator"][key] } else { &guide[key] };
        let wrong = text.replacen(id.as_str().unwrap(), "00000000-0000-4000-8000-00000000dead", 1);
        std::fs::write(world.config(), wrong).unwrap();
        world.run(&["apply", "--yes"]).fails(77, "A010", &[code, key]);
    }
    untouched_without_operator(&world);
}

#[test]
fn graph_cannot_be_reached() {
    let mut world = World::new();
    world.stop();
    for args in [&["plan"][..], &["apply", "--yes"]] {
        let ran = world.run(args).fails(69, "G010", &["cannot reach", "refused"]);
        assert!(ran.err.contains("127.0.0.1"), "{}", ran.err);
    }
    assert_eq!(std::fs::read_to_string(world.integrations()).unwrap(), crate::support::INTEGRATIONS);
}

#[test]
fn graph_throttles_for_longer_than_anybody_waits() {
    let world = World::new();
    world.keep_policies(&["roger365-replicator"]);
    world.fault(&json!({"count": 50, "path_contains": "/v1.0/", "effect": {"kind": "status", "code": 429, "retry_after": 3600}}));
    world.run(&["apply", "--yes"]).fails(75, "G011", &["3600 s"]);
    world.admin(Method::DELETE, "faults", &Value::Null);
    untouched(&world);
}

/// The answer to addPassword is lost after it took effect: nobody can use that secret, so it is swept, and exactly one
/// credential remains.
#[test]
fn an_answer_that_is_lost() {
    let mut world = World::new();
    world.keep_policies(&["roger365-replicator"]);
    world.fault(&json!({"path_contains": "addPassword", "effect": {"kind": "reset-after-effect"}}));
    let first = world.run(&["apply", "--yes"]).fails(75, "R009", &["lost answer"]);
    assert!(first.out.contains("no answer"), "{}", first.out);
    world.run(&["apply", "--yes"]).exits(75);
    assert_eq!(world.credentials(), [], "what nobody can use is swept");
    world.stop();
    world.start(Some("2026-11-20T11:00:00Z"));
    world.run(&["apply", "--yes"]).exits(0);
    assert_eq!(world.credentials().len(), 1, "{}", world.history());
    world.run(&["plan"]).exits(0).says("No changes.");
}

/// A tenant that says `emulator = true` and is none is not spoken to under a false clock; and the other way round a
/// policy's sink is never moved.
#[test]
fn an_unknown_tenant_name() {
    let world = World::new();
    world.run(&["plan", "-t", "contoso"]).fails(64, "U011", &["contoso", "emulator"]);
}

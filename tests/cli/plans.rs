//! `plan`, saved plans, and when `apply FILE` refuses one.

use serde_json::Value;

use crate::support::World;

#[test]
fn a_plan_tells_what_would_be_made_and_makes_nothing() {
    let world = World::new();
    let ran = world.run(&["plan"]).exits(0);
    for text in [
        "Tenant emulator (",
        "Read 5 policies, 0 applications.",
        "+ add   ~ change   - retire   > hand-off to a person   ! risk",
        "+ create application  \"Reapit Lead Imports\"",
        "+ add secret          \"Reapit Access to Mailbox\", valid 180 d to 2027-05-19",
        "+ add certificate     CN=enate-graph-mail, RSA 3072, valid 365 d to 2027-11-20",
        "Reapit support, by priya.shah@contoso.example",
        "Nothing is removed today.",
    ] {
        assert!(ran.out.contains(text), "no {text:?} in\n{}", ran.out);
    }
    world.run(&["plan", "--detailed-exitcode", "-q"]).exits(2);
    assert_eq!(world.credentials(), []);
    assert_eq!(world.state()["applications"].as_object().unwrap().len(), 1, "only everkey's own");
    world.run(&["plan", "--only", "reapit-lead-imports"]).exits(0).never_says("enate-graph-mail");
    let ran = world.run(&["plan", "--only", "reapit-lead-import"]).exits(64);
    assert!(ran.err.contains("reapit-lead-imports"), "known names are listed: {}", ran.err);
}

#[test]
fn the_json_form_holds_every_step_and_no_secret() {
    let world = World::new();
    let plan = world.run(&["plan", "-o", "json"]).exits(0).json();
    assert_eq!(plan["schema"], "everkey.plan/v1");
    assert_eq!(plan["tenant"], "emulator");
    assert!(plan["policy_digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(plan["expires_at"].as_str().unwrap().starts_with("2026-11-21T09:00"), "{}", plan["expires_at"]);
    for key in ["add", "change", "retire_later", "remove_now", "handoff"] {
        assert!(plan["summary"][key].is_number(), "{key}: {}", plan["summary"]);
    }
    assert_eq!((&plan["summary"]["remove_now"], &plan["summary"]["handoff"]), (&0.into(), &4.into()));
    let changes = plan["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 5);
    for change in changes {
        assert!(change["integration"].is_string() && change["steps"].is_array(), "{change}");
    }
}

fn saved(world: &World) {
    let ran = world.run(&["plan", "--out", "rotate.plan"]).exits(0);
    assert!(ran.out.contains("everkey apply rotate.plan"), "{}", ran.out);
}

#[track_caller]
fn refused(world: &World, code: &str, why: &[&str]) {
    let before = world.credentials();
    world.run(&["apply", "--yes", "rotate.plan"]).fails(1, code, why);
    assert_eq!(world.credentials(), before);
}

#[test]
fn a_plan_for_another_tenant_is_refused() {
    let (world, other) = (World::new(), World::new());
    saved(&other);
    std::fs::copy(other.path().join("rotate.plan"), world.path().join("rotate.plan")).unwrap();
    refused(&world, "R005", &["another tenant"]);
}

#[test]
fn a_plan_older_than_a_day_is_refused() {
    let mut world = World::new();
    saved(&world);
    world.stop();
    world.start(Some("2026-11-21T09:30:00Z"));
    refused(&world, "R006", &["24"]);
}

#[test]
fn a_plan_is_refused_when_the_policies_moved() {
    let world = World::new();
    saved(&world);
    world.replace(&world.policy("roger365-replicator"), "lifetime = \"180d\"", "lifetime = \"170d\"");
    refused(&world, "R007", &["policies"]);
}

#[test]
fn a_plan_is_refused_when_the_tenant_moved() {
    let world = World::applied_at("2027-04-20T09:00:00Z");
    saved(&world);
    // Somebody takes a permission away by hand: the plan would now put it back.
    let apps = world.graph(reqwest::Method::GET, "/applications", &Value::Null);
    let app = apps["value"].as_array().unwrap().iter().find(|app| app["displayName"] == "Reapit Lead Imports").unwrap();
    let path = format!("/applications/{}", app["id"].as_str().unwrap());
    world.graph(reqwest::Method::PATCH, &path, &serde_json::json!({"requiredResourceAccess": []}));
    refused(&world, "R008", &["reapit-lead-imports", "everkey plan"]);
}

#[test]
fn what_is_no_plan_is_refused_as_input() {
    let world = World::new();
    std::fs::write(world.path().join("a.plan"), "{\"schema\":\"everkey.plan/v1\"").unwrap();
    world.run(&["apply", "--yes", "a.plan"]).fails(65, "R004", &["a.plan"]);
    world.run(&["apply", "--yes", "b.plan"]).fails(65, "F010", &["b.plan"]);
    assert_eq!(world.credentials(), []);
}

#[test]
fn a_saved_plan_is_applied_to_the_letter() {
    let world = World::new();
    world.keep_policies(&["lexzur-email-engine"]);
    saved(&world);
    world.run(&["apply", "rotate.plan", "--yes"]).exits(0).says("1 done, 0 failed.");
    world.run(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
    assert_eq!(world.credentials().len(), 1);
}

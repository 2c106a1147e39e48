//! `validate`: every problem with its place, in three forms; and `explain` and `schema` beside it.

use crate::support::World;

/// A world with the fault of product.md's example: a permission that does not exist.
fn misspelt() -> World {
    let world = World::without_emulator();
    world.replace(
        &world.policy("reapit-lead-imports"),
        "application = [\"Mail.ReadWrite\"]",
        "application = [\"Mail.Reed\"]",
    );
    world
}

#[test]
fn good_policies_are_valid_and_say_who_is_asked() {
    let world = World::without_emulator();
    let ran = world.run(&["validate", "policies"]).exits(0);
    assert!(ran.out.contains("5 policies read: 5 valid, 0 invalid."), "{}", ran.out);
    assert!(ran.out.contains("asks Priya Shah") && ran.out.contains("a year"), "{}", ran.out);
    world.run(&["validate", "-q", "policies"]).exits(0).never_says("a year");
}

#[test]
fn a_wrong_permission_is_shown_where_it_stands() {
    let ran = misspelt().run(&["validate", "policies"]).exits(65);
    for text in [
        "error[P012]",
        "unknown permission \"Mail.Reed\"",
        "policies/reapit-lead-imports.toml:",
        "application = [\"Mail.Reed\"]",
        "^^^",
        "did you mean \"Mail.Read\"?",
        "5 policies read: 4 valid, 1 invalid. 1 error,",
    ] {
        assert!(ran.out.contains(text), "no {text:?} in\n{}", ran.out);
    }
}

#[test]
fn the_json_form_has_the_shape_of_the_contract() {
    let ran = misspelt().run(&["validate", "-o", "json", "policies"]).exits(65);
    let report = ran.json();
    assert_eq!(report["schema"], "everkey.validate/v1");
    assert_eq!((&report["valid"], &report["error_count"]), (&false.into(), &1.into()));
    let found = report["diagnostics"].as_array().unwrap().iter().find(|one| one["code"] == "P012").unwrap();
    assert_eq!(found["severity"], "error");
    assert_eq!(found["help"], "did you mean \"Mail.Read\"?");
    assert!(found["summary"].as_str().unwrap().contains("unknown permission \"Mail.Reed\""));
    let range = &found["range"];
    assert_eq!(range["file"], "policies/reapit-lead-imports.toml");
    assert_eq!(range["start"]["column"], 16);
    assert_eq!(range["end"]["column"], 27);
    assert_eq!(range["start"]["line"], range["end"]["line"]);
}

#[test]
fn sarif_names_rule_file_and_line() {
    let ran = misspelt().run(&["validate", "-o", "sarif", "policies"]).exits(65);
    let sarif: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "everkey");
    let found = run["results"].as_array().unwrap().iter().find(|one| one["ruleId"] == "P012").unwrap();
    let place = &found["locations"][0]["physicalLocation"];
    assert!(place["artifactLocation"]["uri"].as_str().unwrap().ends_with("reapit-lead-imports.toml"));
    assert!(place["region"]["startLine"].is_number(), "{place}");
}

#[test]
fn sarif_is_only_for_validate() {
    let world = misspelt();
    let ran = world.run(&["status", "-o", "sarif"]).exits(64);
    assert!(ran.err.contains("validate"), "{}", ran.err);
}

#[test]
fn strict_makes_warnings_errors() {
    let world = World::without_emulator();
    world.replace(&world.policy("reapit-lead-imports"), "backup = \"d.okoro@contoso.example\"\n", "");
    let ran = world.run(&["validate", "policies"]).exits(0);
    assert!(ran.out.contains("warning[") && ran.out.contains("1 warning"), "{}", ran.out);
    let ran = world.run(&["validate", "--strict", "policies"]).exits(65);
    assert!(ran.out.contains("error[") && ran.out.contains("1 error, 0 warnings"), "{}", ran.out);
}

#[test]
fn all_files_are_read_even_when_several_are_wrong() {
    let world = misspelt();
    world.replace(&world.policy("enate-graph-mail"), "lifetime = \"365d\"", "lifetme = \"365d\"");
    world.replace(&world.policy("roger365-replicator"), "lifetime = \"180d\"", "lifetime = \"1d\"");
    let ran = world.run(&["validate", "policies"]).exits(65);
    for name in ["reapit-lead-imports.toml:", "enate-graph-mail.toml:", "roger365-replicator.toml:"] {
        assert!(ran.out.contains(name), "{name}\n{}", ran.out);
    }
    assert!(ran.out.contains("lifetime"), "no suggestion\n{}", ran.out);
}

#[test]
fn a_configuration_is_checked_too() {
    let mut world = World::without_emulator();
    world.start(None);
    world.run(&["validate"]).exits(0).says("5 policies read: 5 valid");
    world.replace(&world.config(), "sink_root", "sink_rot");
    let ran = world.run(&["validate"]).exits(65);
    assert!(ran.out.contains("everkey.toml:") && ran.out.contains("sink_root"), "{}", ran.out);
    world.run(&["plan"]).fails(78, "C011", &["sink_rot"]);
}

#[test]
fn schemas_are_json_and_name_the_keys() {
    let world = World::without_emulator();
    for (which, key) in [("policy", "credential"), ("config", "tenants")] {
        let schema: serde_json::Value = serde_json::from_str(&world.run(&["schema", which]).exits(0).out).unwrap();
        assert!(schema["properties"][key].is_object(), "{which} has no {key}");
    }
}

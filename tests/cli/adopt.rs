//! `adopt` and `new --from`: policy files out of what is there, checked before they are written, never over one.

use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use crate::inventory::others;
use crate::support::Catcher;
use crate::support::World;

/// A world without policies and with the applications of others; the fallback address is configured.
fn world() -> World {
    let world = World::new();
    world.keep_policies(&[]);
    world.seed(&others());
    let role = |id: &str, kind: &str| json!({"id": id, "type": kind});
    world.seed(&json!({"applications": [{
        "displayName": "Lead \"sync\"", "owners": ["d.okoro@contoso.example"],
        "secrets": [{"displayName": "from the portal", "end": "2027-01-20T00:00:00Z"}, {"end": "2025-01-01T00:00:00Z"}],
        "properties": {"signInAudience": "AzureADMultipleOrgs", "requiredResourceAccess": [
            {"resourceAppId": "00000003-0000-0000-c000-000000000000", "resourceAccess": [
                role("e2a3a72e-5f79-4c64-b1b1-878b674786c9", "Role"), role("e1fe6dd8-ba31-4d61-89e7-88639da4683d", "Scope"),
                role("11111111-2222-4333-8444-555555555555", "Role")]},
            {"resourceAppId": "99999999-0000-4000-8000-000000000009", "resourceAccess": [
                role("77777777-2222-4333-8444-555555555555", "Role")]}]},
    }]}));
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), text + "\n[alerts]\nfallback_to = \"platform@contoso.example\"\n").unwrap();
    world
}

fn applications(world: &World) -> Value {
    world.state()["applications"].clone()
}

#[test]
fn an_application_becomes_a_policy_and_entra_stays_as_it_is() {
    let world = world();
    let before = applications(&world);
    let ran =
        world.run(&["adopt", "lead \"SYNC\"", "--pm", "priya.shah@contoso.example", "--by", "r.khan@contoso.example"]);
    let ran = ran.exits(0).says("lead-sync.toml (3 lines marked TODO: impact, deliver, people.vendor).");
    assert!(ran.out.contains("`everkey plan` shows no change until you fill them in."), "{}", ran.out);
    let text = std::fs::read_to_string(world.policy("lead-sync")).unwrap();
    for line in [
        "title = \"Lead \\\"sync\\\"\"",
        "audience = \"multi\"",
        "application = [\"Mail.ReadWrite\"]",
        "delegated = [\"User.Read\"]",
        "everkey has no name for \"11111111-2222-4333-8444-555555555555\"",
        "[permissions.\"99999999-0000-4000-8000-000000000009\"]",
        "mode = \"alert\"",
        "description = \"from the portal\"",
        "owner = \"d.okoro@contoso.example\"",
        "pm = \"priya.shah@contoso.example\"",
        "grant = \"none\"",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    assert_eq!(text.matches("[[credential]]\n").count(), 1, "the one that ended years ago needs no slot\n{text}");
    assert_eq!(text.matches("# TODO ").count(), 3);

    // The reader names the lines that are still open, and nothing is planned.
    let ran = world.run(&["validate"]).exits(0);
    assert_eq!(ran.out.matches("warning[P061]").count(), 3, "{}", ran.out);
    assert!(
        ran.out.contains("`impact` is still to be filled in") && ran.out.contains("lead-sync.toml:7:1"),
        "{}",
        ran.out
    );
    world.run(&["validate", "--strict"]).exits(65);
    world.run(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
    world.run(&["apply", "--yes"]).exits(0).says("No changes.");
    assert_eq!(applications(&world), before);

    // Who adopted which key ids is in the history.
    let history = world.history();
    assert!(history.contains("adopted secret") && history.contains("r.khan@contoso.example"), "{history}");
    let inventory = world.run(&["inventory", "-o", "json"]).exits(0).json();
    let item = inventory["items"].as_array().unwrap().iter().find(|item| item["policy"] == "lead-sync").unwrap();
    assert_eq!(item["managed"], false, "adopted is not made");

    // Not twice, and never over a file.
    world.run(&["adopt", "lead \"sync\""]).fails(64, "U033", &["lead-sync"]);
    std::fs::write(world.policy("enate-prod"), "# by hand").unwrap();
    world.run(&["adopt", "Enate Prod", "--out", "policies"]).exits(65);
    std::fs::rename(world.policy("enate-prod"), world.path().join("enate-prod.toml")).unwrap();
    world.run(&["adopt", "Enate Prod", "--out", "."]).fails(1, "F030", &[]);
    assert_eq!(std::fs::read_to_string(world.path().join("enate-prod.toml")).unwrap(), "# by hand");
    world.run(&["adopt", "Enate Prot"]).fails(64, "U031", &["did you mean \"Enate Prod\""]);
    world.run(&["adopt", "11111111-0000-4000-8000-000000000001"]).fails(64, "U031", &[]);
}

#[test]
fn what_was_adopted_is_told_in_time() {
    let world = world();
    let mail = Catcher::start("starttls");
    mail.configure(&world);
    world.run(&["adopt", "Enate Prod", "--pm", "priya.shah@contoso.example"]).exits(0);
    world.run(&["apply", "--yes"]).exits(0);
    let mails = mail.mails();
    let told = mails.iter().find(|mail| mail["rcpt"][0] == "priya.shah@contoso.example");
    let text = told.unwrap_or_else(|| panic!("{mails:#?}"))["raw"].as_str().unwrap();
    assert!(text.contains("Enate Prod would stop on"), "{text}");
    let count = mails.len();
    world.run(&["apply", "--yes"]).exits(0);
    assert_eq!(mail.mails().len(), count, "each stage once");
}

#[test]
fn all_that_ends_soon_is_adopted_at_once() {
    let world = world();
    world.run(&["adopt", "--all", "--expiring", "90d"]).exits(0).says("3 of 3 adopted.");
    for name in ["securends", "enate-prod", "lead-sync"] {
        assert!(world.policy(name).exists(), "{name}");
    }
    world.run(&["validate"]).exits(0).says("3 policies read: 3 valid");
    world.run(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
    world.run(&["adopt", "--all", "--expiring", "90d"]).exits(0).says("Nothing to adopt.");
    let document = world.run(&["adopt", "--all", "-o", "json"]).exits(0).json();
    // The rest; everkey's own application is not among them.
    let names: Vec<&str> =
        document["results"].as_array().unwrap().iter().map(|one| one["policy"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 2, "{document:#}");
    assert!(names.contains(&"badge-printer") && names.contains(&"cmd-c-calc-a1"), "{names:?}");
}

#[test]
fn two_of_one_name_are_told_apart_and_no_configuration_is_needed() {
    let world = world();
    world.seed(&json!({"applications": [{"displayName": "Enate Prod", "secrets": [{"end": "2027-06-01T00:00:00Z"}]}]}));
    world.run(&["adopt", "enate prod"]).fails(64, "U032", &["client id"]);
    let apps = world.graph(Method::GET, "/applications?$top=999", &Value::Null);
    let app = apps["value"].as_array().unwrap().iter().find(|app| app["displayName"] == "Enate Prod").unwrap().clone();
    world.az_signed_in(&world.operator_token());
    let id = app["appId"].as_str().unwrap();
    let ran = world.run_with_az(&["adopt", id, "--owner", "platform@contoso.example", "--out", "mine"]).exits(0);
    assert!(ran.out.contains("nobody is recorded"), "{}", ran.out);
    world.bare(&["validate", "mine"]).status().unwrap();
    assert!(std::fs::read_to_string(world.path().join("mine/enate-prod.toml")).unwrap().contains(id));
    assert!(!world.store().exists());
}

#[test]
fn a_policy_is_copied_with_other_values() {
    let world = World::new();
    let args = ["new", "--from", "reapit-lead-imports", "--set", "name=other-leads"];
    world
        .run(&[&args[..], &["--set", "app.display_name=Other leads", "--set", "credential.lifetime=365d"]].concat())
        .exits(0)
        .says("other-leads.toml, a copy of");
    let (from, to) = (world.policy("reapit-lead-imports"), world.policy("other-leads"));
    let (from, to) = (std::fs::read_to_string(from).unwrap(), std::fs::read_to_string(to).unwrap());
    assert_eq!(
        from.lines().filter(|line| line.contains('#')).count(),
        to.lines().filter(|line| line.contains('#')).count()
    );
    assert!(to.contains("name = \"other-leads\"") && to.contains("lifetime = \"365d\""), "{to}");
    world.run(&["validate"]).exits(0).says("6 policies read: 6 valid");
    for (more, exit, code, why) in [
        (&["--set", "name=other-leads"][..], 1, "F030", "exists"),
        (&["--set", "name=third", "--set", "app.display_nam=x"], 65, "F031", "P003"),
        (&["--set", "name=third", "--set", "credential.lifetime=5d"], 65, "F031", "P02"),
        (&["--set", "name=../third"], 64, "U034", "lower-case"),
        (&["--set", "title=x"], 64, "U034", "name of its own"),
        (&["--set", "name"], 64, "U034", "no `=`"),
    ] {
        let ran = world.run(&[&["new", "--from", "reapit-lead-imports"], more].concat()).fails(exit, code, &[]);
        assert!(ran.err.contains(why), "{why}: {}", ran.err);
    }
    world.run(&["new", "--from", "reapit", "--set", "name=third"]).fails(64, "U002", &["reapit-lead-imports"]);
    assert!(!world.policy("third").exists() && !world.path().join("third.toml").exists());
}

#[test]
fn an_adoption_can_be_taken_back_by_its_key_id() {
    let world = world();
    let adopted = world.run(&["adopt", "Lead \"sync\"", "-o", "json"]).exits(0).json();
    let key_id = adopted["results"][0]["key_ids"][0].as_str().unwrap().to_owned();
    let back = world.run(&["adopt", "--take-back", &key_id, "--by", "r.khan@contoso.example"]).exits(0);
    back.says(&format!("{key_id} is no longer adopted: everkey leaves it alone."));
    let history = world.history();
    assert!(
        history.contains(&format!("took back {key_id}")) && history.contains("r.khan@contoso.example"),
        "{history}"
    );
    world.run(&["adopt", "--take-back", &key_id]).fails(64, "U035", &["is not adopted"]);
}

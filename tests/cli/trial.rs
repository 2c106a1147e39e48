//! `token` and `drill`: trying what is there, without leaving anything behind.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use crate::support::Canaries;
use crate::support::World;
use crate::support::until;

const NAME: &str = "roger365-replicator";

impl World {
    /// Everything that must never be told: the operator's, and what the sinks hold.
    fn known_secrets(&self) -> Canaries {
        let mut canaries = Canaries::default();
        for name in ["operator.secret", "operator.pfx.password"] {
            canaries.add(name, &std::fs::read(self.emulator_dir().join(name)).unwrap());
        }
        let key = std::fs::read_to_string(self.sink("var/lib/enate/credential/enate.key")).unwrap();
        canaries.add_pem("the key of enate", &key);
        let file: Value = serde_json::from_slice(&std::fs::read(self.integrations()).unwrap()).unwrap();
        canaries.add("the secret of lexzur", file["MS-OfficeMail-365"]["clientSecret"].as_str().unwrap().as_bytes());
        canaries
    }

    fn secrets_of(&self, name: &str) -> Vec<Value> {
        let state = self.state();
        let app = state["applications"].as_object().unwrap().values().find(|one| one["displayName"] == name);
        app.unwrap()["credentials"]["passwords"].as_array().unwrap().clone()
    }

    /// Names of the secrets that a drill made.
    fn throw_away(&self) -> Vec<String> {
        let state = self.state();
        let apps = state["applications"].as_object().unwrap().values();
        let all = apps.flat_map(|app| app["credentials"]["passwords"].as_array().unwrap().clone());
        all.filter_map(|one| one["displayName"].as_str().map(str::to_owned))
            .filter(|name| name.contains("[ekd1 "))
            .collect()
    }

    fn quirks(&self, quirks: &Value) {
        self.admin(Method::POST, "quirks", quirks);
    }
}

#[test]
fn token_tells_what_the_credential_may_do_and_never_the_token() {
    let world = World::applied();
    let canaries = world.known_secrets();
    let mut told = String::new();
    let ran = world.run(&["-vvv", "token", "enate-graph-mail"]).exits(0).says("Proven by   certificate or federation");
    let ran = ran.says("enate-graph-mail/primary  certificate ").says("https://127.0.0.1").says("(in 59 minutes)");
    told.push_str(&format!("{}{}", ran.out, ran.err));
    let ran = world.run(&["-vvv", "token", "lexzur-email-engine/primary", "-o", "json"]).exits(0);
    let item = &ran.json()["items"][0];
    assert_eq!((&item["accepted"], &item["credential"]), (&json!(true), &json!("secret")));
    assert_eq!(item["claims"]["proven_by"], "secret");
    assert!(item["request_id"].is_string() && item["claims"]["expires"].is_string(), "{item}");
    told.push_str(&format!("{}{}", ran.out, ran.err));
    let ran = world.run(&["-vvv", "token", "--as-everkey", "-o", "json"]).exits(0);
    let roles = ran.json()["items"][0]["claims"]["roles"].clone();
    assert!(roles.as_array().unwrap().contains(&json!("Application.ReadWrite.OwnedBy")), "{roles}");
    told.push_str(&format!("{}{}", ran.out, ran.err));
    told.push_str(&world.history());
    assert!(canaries.found_in(told.as_bytes()).is_empty());
    assert!(!told.contains("eyJ"), "every JSON web token begins so: {told}");
    // It is known as everkey's own sign-in, for whoever reads the sign-in report.
    world.run(&["history", "enate-graph-mail"]).exits(0).says("token asked for with certificate");

    world.run(&["token", "nobody"]).fails(64, "U002", &["nobody"]);
    world.run(&["token", "enate-graph-mail/other"]).fails(1, "U040", &["enate-graph-mail"]);
    world.run(&["token"]).exits(64);
    let app = world.secrets_of("LEXZUR E-mail Engine").len();
    assert_eq!(app, 1);
    for one in world.secrets_of("LEXZUR E-mail Engine") {
        let state = world.state();
        let found = state["applications"]
            .as_object()
            .unwrap()
            .values()
            .find(|app| app["displayName"] == "LEXZUR E-mail Engine");
        let path = format!("/applications/{}/removePassword", found.unwrap()["id"].as_str().unwrap());
        world.graph(Method::POST, &path, &json!({"keyId": one["keyId"]}));
    }
    world.run(&["token", "lexzur-email-engine"]).fails(77, "U043", &["AADSTS7000215"]);
    let failed = world.run(&["token", "lexzur-email-engine", "-o", "json"]).exits(77).json();
    assert_eq!((&failed["items"][0]["accepted"], &failed["error"]["code"]), (&json!(false), &json!("U043")));
    World::new().run(&["token", NAME]).fails(1, "U040", &["everkey apply"]);
}

/// While a rotation waits for evidence, everkey's own sign-ins would blur it.
#[test]
fn token_stays_away_from_a_rotation_that_watches() {
    let world = World::applied();
    world.run(&["rotate", "lexzur-email-engine", "--yes"]).exits(0);
    world.run(&["token", "lexzur-email-engine"]).fails(1, "U042", &["sign-in report"]);
    world.run(&["token", "lexzur-email-engine", "--force"]).exits(0);
    world.run(&["token", "enate-graph-mail"]).exits(0);
}

#[test]
fn a_drill_adds_uses_removes_and_leaves_everything_as_it_was() {
    let world = World::applied();
    let before = world.credentials();
    let stranger =
        json!({"passwordCredential": {"displayName": "everkey drill, may be removed [ekd1 zzzzzz.0123456789]"}});
    let state = world.state();
    let app = state["applications"]
        .as_object()
        .unwrap()
        .values()
        .find(|app| app["displayName"] == "ROGER365.io Azure Entra replicator");
    let app = app.unwrap_or_else(|| panic!("{state:#}"))["id"].as_str().unwrap().to_owned();
    let foreign = world.graph(Method::POST, &format!("/applications/{app}/addPassword"), &stranger);
    world.run(&["drill", NAME]).fails(64, "U003", &[]);
    world.quirks(&json!({"token_lag": "PT4S", "read_lag": "PT2S"}));
    let ran = world.run(&["-vvv", "drill", NAME, "--yes"]).exits(0).says("Passed.");
    for step in ["look", "add", "sign-in", "remove", "gone", "refused"] {
        assert!(ran.out.contains(&format!("  ok   {step}")), "{step}\n{}", ran.out);
    }
    let canaries = world.known_secrets();
    assert!(canaries.found_in(format!("{}{}", ran.out, ran.err).as_bytes()).is_empty());
    assert!(!ran.err.contains("8Q~") && !ran.out.contains("8Q~"), "the value of the throw-away secret");
    world.quirks(&json!({}));
    let told = world.run(&["drill", "enate-graph-mail", "--yes", "-o", "json"]).exits(0).json();
    assert_eq!((&told["schema"], &told["passed"]), (&json!("everkey.drill/v1"), &json!(true)));
    let steps: Vec<&str> = told["steps"].as_array().unwrap().iter().map(|one| one["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["look", "add", "sign-in", "remove", "gone", "refused"]);
    assert!(told["accepted_after_seconds"].is_number() && told["steps"][2]["request_id"].is_string(), "{told:#}");
    let mut after: BTreeSet<_> = world.credentials().into_iter().collect();
    assert!(
        after.remove(&("ROGER365.io Azure Entra replicator".to_owned(), foreign["keyId"].as_str().unwrap().to_owned())),
        "a stranger's stays"
    );
    assert_eq!(after, before.into_iter().collect());
    world.run(&["history", NAME]).exits(0).says("drill passed");

    // Two secrets are all that an application for personal accounts may have.
    let state = world.state();
    let app =
        state["applications"].as_object().unwrap().values().find(|app| app["displayName"] == "LEXZUR E-mail Engine");
    let path = format!("/applications/{}/addPassword", app.unwrap()["id"].as_str().unwrap());
    world.run(&["drill", "lexzur-email-engine", "--yes"]).exits(0);
    world.graph(Method::POST, &path, &json!({}));
    let full = world.credentials();
    world.run(&["drill", "lexzur-email-engine", "--yes"]).fails(1, "R061", &[]);
    assert_eq!(world.credentials(), full);
    World::new().run(&["drill", NAME, "--yes"]).fails(1, "R060", &[]);

    // An application that is only named, and not rotated: it has to be able to sign in.
    let app = world.graph(Method::POST, "/applications", &json!({"displayName": "Playground"}));
    let client = app["appId"].as_str().unwrap();
    let policy = format!(
        "version = 1\nname = \"playground\"\ntitle = \"Playground\"\nmode = \"alert\"\n\n[app]\napp_id = \"{client}\"\n\n\
         [people]\nowner = \"platform@contoso.example\"\n"
    );
    std::fs::write(world.policy("playground"), policy).unwrap();
    world.run(&["drill", "playground", "--yes"]).fails(1, "R066", &[client]);
    world.graph(Method::POST, "/servicePrincipals", &json!({"appId": client}));
    world.run(&["drill", "playground", "--yes"]).exits(0).says("Passed.");
    assert!(world.throw_away().iter().all(|name| name.contains("zzzzzz")), "only the stranger's is left");
}

#[test]
fn a_drill_that_meets_faults_cleans_up() {
    let world = World::applied();
    let before = world.credentials();
    let fault = |path: &str, count: u32, effect: Value| {
        world.fault(&json!({"method": "POST", "path_contains": path, "count": count, "effect": effect}));
    };
    // The answer is lost, the secret is there: it is found by its name and removed at once.
    fault("addPassword", 1, json!({"kind": "reset-after-effect"}));
    world.run(&["drill", NAME, "--yes"]).fails(69, "G016", &[]).says("throw-away secret");
    assert_eq!(world.credentials(), before);
    // Throttled: nothing was made; later steps are tried again.
    fault("addPassword", 1, json!({"kind": "status", "code": 429, "retry_after": 1}));
    world.run(&["drill", NAME, "--yes"]).fails(75, "G011", &[]);
    assert_eq!(world.credentials(), before);
    fault("removePassword", 2, json!({"kind": "status", "code": 429, "retry_after": 1}));
    fault("removePassword", 1, json!({"kind": "reset-after-effect"}));
    world.run(&["drill", NAME, "--yes"]).exits(0);
    assert_eq!(world.credentials(), before);
    // It cannot be removed today: said with the exit code for "run again", which removes it.
    fault("removePassword", 50, json!({"kind": "status", "code": 503}));
    let failed = world.run(&["drill", NAME, "--yes", "-o", "json"]).exits(3).json();
    assert_eq!((&failed["passed"], &failed["error"]["code"]), (&json!(false), &json!("R062")));
    assert_eq!(world.throw_away().len(), 1);
    world.admin(Method::DELETE, "faults", &Value::Null);
    world.run(&["drill", NAME, "--yes"]).exits(0).says("of an earlier drill removed");
    assert_eq!(world.credentials(), before);

    // Conditional Access refuses: said, and cleaned up.
    let state = world.state();
    let apps = state["applications"].as_object().unwrap();
    let app = apps.values().find(|app| app["displayName"] == "ROGER365.io Azure Entra replicator").unwrap();
    let block = |blocked: bool| {
        world.admin(Method::POST, "block", &json!({"client_id": app["appId"], "blocked": blocked}));
    };
    block(true);
    world.run(&["drill", NAME, "--yes"]).fails(77, "A020", &["AADSTS53003"]);
    assert_eq!(world.credentials(), before);
    block(false);

    // Without the right: what is missing is named.
    let operator = world.guide()["operator"]["client_id"].as_str().unwrap().to_owned();
    let principals = world.graph(Method::GET, "/servicePrincipals?$top=999", &Value::Null);
    let own = principals["value"].as_array().unwrap().iter().find(|one| one["appId"] == operator.as_str()).unwrap();
    let path = format!("/servicePrincipals/{}/appRoleAssignments", own["id"].as_str().unwrap());
    let assigned = world.graph(Method::GET, &path, &Value::Null);
    let role = "18a4783c-866b-4cc7-a460-3d5e5662c884";
    let found = assigned["value"].as_array().unwrap().iter().find(|one| one["appRoleId"] == role).unwrap();
    world.graph(Method::DELETE, &format!("{path}/{}", found["id"].as_str().unwrap()), &Value::Null);
    let denied = world.run(&["drill", NAME, "--yes"]).fails(77, "G012", &["missing: Application.ReadWrite.OwnedBy"]);
    assert!(denied.out.contains("FAIL add"), "{}", denied.out);
    assert_eq!(world.credentials(), before);
}

/// Killed or stopped between adding and removing: the next drill, or `apply`, removes what is left.
#[test]
fn what_a_killed_drill_leaves_is_swept() {
    let world = World::applied_at("2026-11-20T12:00:00Z");
    let before = world.credentials();
    for next in [&["drill", NAME, "--yes"][..], &["apply", "--yes"]] {
        world.quirks(&json!({"token_lag": "PT600S"}));
        let drill = world.spawn(&["drill", NAME, "--yes"]);
        until(|| world.throw_away().len() == 1);
        drill.signal("KILL");
        assert_eq!(drill.wait().code, -9);
        world.quirks(&json!({}));
        assert_ne!(world.credentials(), before);
        world.run(next).exits(0);
        assert_eq!(world.credentials(), before, "{next:?}");
    }
    // A polite stop cleans up before it ends.
    world.quirks(&json!({"token_lag": "PT600S"}));
    let drill = world.spawn(&["drill", NAME, "--yes"]);
    until(|| world.throw_away().len() == 1);
    drill.signal("TERM");
    assert_eq!(drill.wait().code, 143);
    assert_eq!(world.credentials(), before);
}

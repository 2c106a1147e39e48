//! App management policies of the tenant: said in the plan, refused before anything is made, and no harm done where
//! everkey may not read them.

use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use crate::support::World;
use crate::support::until;

const TENANTS: &str = "/policies/defaultAppManagementPolicy";
const READ: &str = "246dd0d5-5bd0-4def-940b-0421030a5b68";
const WRITE: &str = "be74164b-cff1-491c-8741-e671cb536e13";
const MANAGE_ALL: &str = "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9";
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
const NAME: &str = "lexzur-email-engine";

impl World {
    fn principal_of(&self, client_id: &str) -> String {
        let path = format!("/servicePrincipals(appId='{client_id}')");
        self.graph(Method::GET, &path, &Value::Null)["id"].as_str().unwrap().to_owned()
    }

    fn own_principal(&self) -> String {
        self.principal_of(self.guide()["operator"]["client_id"].as_str().unwrap())
    }

    /// Gives everkey a role; the way to take it back.
    fn give_role(&self, role: &str) -> String {
        let (own, graph) = (self.own_principal(), self.principal_of(GRAPH));
        let path = format!("/servicePrincipals/{own}/appRoleAssignments");
        let body = json!({"principalId": own, "resourceId": graph, "appRoleId": role});
        format!("{path}/{}", self.graph(Method::POST, &path, &body)["id"].as_str().unwrap())
    }

    fn take_role(&self, assignment: &str) {
        self.graph(Method::DELETE, assignment, &Value::Null);
    }

    fn restrict(&self, restrictions: &Value) {
        self.graph(Method::PATCH, TENANTS, &json!({"isEnabled": true, "applicationRestrictions": restrictions}));
    }

    fn application_named(&self, name: &str) -> Value {
        let state = self.state();
        let found = state["applications"].as_object().unwrap().values().find(|app| app["displayName"] == name);
        found.cloned().unwrap_or(Value::Null)
    }
}

fn lifetime(kind: &str, days: u32) -> Value {
    json!([{"restrictionType": kind, "maxLifetime": format!("P{days}D"), "state": "enabled"}])
}

#[test]
fn what_the_tenant_forbids_is_in_the_plan_and_nothing_is_made() {
    let world = World::new();
    world.keep_policies(&[NAME, "securends-office365"]);
    world.run(&["doctor"]).says("that would need Policy.Read.All");
    let clean = world.run(&["plan", "-o", "json"]).exits(0).json();
    assert_eq!(clean["forbidden"], json!([]));
    world.give_role(WRITE);
    world.give_role(READ);
    world.run(&["doctor"]).says("allows what the policies ask for").never_says("do not need Policy.Read.All");

    world.restrict(&json!({"passwordCredentials": lifetime("passwordLifetime", 90)}));
    let plan = world.run(&["plan"]).exits(0).says("forbids client secrets that live longer than 90 days: 365 days");
    let plan = plan.says("set lifetime = \"90d\" in the policy of lexzur-email-engine\n");
    plan.says("set lifetime = \"90d\" and accept_frequent_handoff = true in the policy of securends-office365");
    world.run(&["doctor"]).says("securends-office365 (at most 90 days for a secret)");
    let told = world.run(&["plan", "-o", "json"]).exits(0).json();
    assert_eq!(told["forbidden"][0]["integration"], NAME);
    assert_eq!(told["forbidden"][0]["problem"]["code"], "G041");
    let failed = world.run(&["apply", "--yes", "-o", "json"]).exits(1).json();
    assert_eq!(failed["results"][0]["error"]["code"], "G041", "{failed:#}");
    assert_eq!(failed["results"][1]["error"]["code"], "G041", "{failed:#}");
    world.run(&["apply", "--yes", "--only", NAME]).fails(1, "G041", &["90 days", "00000000-0000-0000"]);
    assert_eq!(
        world.application_named("LEXZUR E-mail Engine"),
        Value::Null,
        "no application for a credential that cannot be"
    );

    world.restrict(&json!({"passwordCredentials": [{"restrictionType": "passwordAddition"}]}));
    world.run(&["apply", "--yes", "--only", NAME]).fails(1, "G042", &["forbids new client secrets"]);
    let audiences = json!({"audiences": {"personalMicrosoftAccount": {"state": "enabled"}}});
    world.restrict(&json!({"passwordCredentials": [], "audiences": audiences["audiences"]}));
    world.run(&["plan"]).exits(0).says("[G056]").never_says("securends-office365          [G");
    world.run(&["apply", "--yes", "--only", NAME]).fails(1, "G056", &["AzureADandPersonalMicrosoftAccount"]);
    assert_eq!(world.application_named("LEXZUR E-mail Engine"), Value::Null);
    // For applications made from some later day on, or switched off: nothing is forbidden.
    let later = json!([{"restrictionType": "passwordAddition",
        "restrictForAppsCreatedAfterDateTime": "2099-01-01T00:00:00Z"}]);
    world.restrict(&json!({"passwordCredentials": later, "audiences": null}));
    world.run(&["plan"]).exits(0).never_says("Forbidden");
}

#[test]
fn a_refusal_leaves_the_working_credential_and_the_policy_shows_the_way_on() {
    let world = World::applied();
    let before = world.credentials();
    for role in [READ, WRITE, MANAGE_ALL] {
        world.give_role(role);
    }
    // Known beforehand, by the policy attached to this one application; the tenant's would allow it.
    let body = json!({"displayName": "short ones", "isEnabled": true,
        "restrictions": {"passwordCredentials": lifetime("passwordLifetime", 90)}});
    let made = world.graph(Method::POST, "/policies/appManagementPolicies", &body);
    let policy = made["id"].as_str().unwrap();
    let id = world.application_named("LEXZUR E-mail Engine")["id"].as_str().unwrap().to_owned();
    let reference = json!({"@odata.id": format!("{}/v1.0/policies/appManagementPolicies/{policy}", world.url())});
    world.graph(Method::POST, &format!("/applications/{id}/appManagementPolicies/$ref"), &reference);
    let ran = world.run(&["rotate", NAME, "--yes"]).fails(1, "G041", &["longer than 90 days", policy, "short ones"]);
    assert!(ran.err.contains("set lifetime = \"90d\" in the policy of lexzur-email-engine"), "{}", ran.err);
    assert_eq!(world.credentials(), before);
    world.run(&["status"]).says("FAILED at stage (G041)");
    world.run(&["history", NAME, "-n", "2"]).exits(0).says("[G041]").never_says("attempt");
    // The policy as it is now is what goes on, at once.
    world.replace(&world.policy(NAME), "lifetime = \"365d\"", "lifetime = \"90d\"");
    let apply = world.spawn(&["apply", "--yes", "--only", NAME]);
    until(|| world.credentials().len() == before.len() + 1);
    apply.signal("TERM");
    apply.wait();
    world.run(&["history", NAME]).exits(0).says("follows its policy, 90 d");
}

#[test]
fn what_is_not_known_beforehand_is_refused_by_entra_and_the_policy_shows_the_way_on() {
    const NAME: &str = "enate-graph-mail";
    let world = World::new();
    world.keep_policies(&[NAME]);
    let write = world.give_role(WRITE);
    world.restrict(&json!({"keyCredentials": lifetime("asymmetricKeyLifetime", 160)}));
    world.take_role(&write);
    world.run(&["plan"]).exits(0).never_says("Forbidden");
    world.run(&["apply", "--yes"]).fails(1, "G041", &["CredentialInvalidLifetimeAsPerAppPolicy"]);
    assert_eq!(world.credentials(), []);
    let refused = world.run(&["history", NAME]).exits(0).out.matches("refused, nothing was made").count();
    assert_eq!(refused, 1, "one call, not a storm");
    world.replace(&world.policy(NAME), "lifetime = \"365d\"", "lifetime = \"150d\"");
    let apply = world.spawn(&["apply", "--yes"]);
    until(|| world.credentials().len() == 1);
    apply.signal("TERM");
    apply.wait();
    world.run(&["history", NAME]).exits(0).says("follows its policy, 150 d");
}

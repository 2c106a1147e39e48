//! App management policies: who may write them, what they forbid, whose counts.

use everkey::emulator::directory::MICROSOFT_GRAPH;
use everkey::emulator::directory::PermissionKind;
use everkey::emulator::directory::permissions_of;
use serde_json::Value;
use serde_json::json;

use crate::support::Bench;
use crate::support::Identity;
use crate::support::text;

const TENANT: &str = "/policies/defaultAppManagementPolicy";

/// The token of an administrator of policies, who is no owner of anything.
async fn administrator(bench: &Bench) -> String {
    let (id, client) = bench.app("policy administrator").await;
    let principal = bench.graph("GET", &format!("/servicePrincipals(appId='{client}')"), Value::Null).await.expect(200);
    bench.emulator.with_directory(|directory, now| {
        let principal = text(&principal["id"]).parse().unwrap();
        let graph = directory.principal_by_app_id(MICROSOFT_GRAPH).unwrap().id;
        for name in ["Application.ReadWrite.All", "Policy.ReadWrite.ApplicationConfiguration"] {
            let mut offered = permissions_of(MICROSOFT_GRAPH).iter();
            let role = offered.find(|one| one.kind == PermissionKind::Application && one.name == name).unwrap();
            directory.assign_role(principal, graph, role.id, now).unwrap();
        }
    });
    let secret = bench.graph("POST", &format!("/applications/{id}/addPassword"), Value::Null).await.expect(200);
    let token = bench.secret_token(&client, &text(&secret["secretText"])).await.expect(200);
    text(&token["access_token"])
}

fn lifetime(kind: &str, days: u32) -> Value {
    json!([{"restrictionType": kind, "maxLifetime": format!("P{days}D"), "state": "enabled"}])
}

#[tokio::test]
async fn the_tenants_policy_is_written_by_the_right_role_and_enforced() {
    let bench = Bench::start().await;
    let admin = administrator(&bench).await;
    let (id, client) = bench.app("bound").await;
    let principal = bench.graph("GET", &format!("/servicePrincipals(appId='{client}')"), Value::Null).await.expect(200);
    bench.graph("GET", TENANT, Value::Null).await.expect(403);
    let shown = bench.graph_as(&admin, "GET", TENANT, Value::Null).await.expect(200);
    assert_eq!((&shown["isEnabled"], &shown["id"]), (&json!(false), &json!("00000000-0000-0000-0000-000000000000")));
    let rules = json!({
        "applicationRestrictions": {
            "passwordCredentials": lifetime("passwordLifetime", 180),
            "keyCredentials": lifetime("asymmetricKeyLifetime", 90),
            "audiences": {"azureAdMultipleOrgs": {"state": "enabled"}},
        },
        "servicePrincipalRestrictions": {"passwordCredentials": [{"restrictionType": "passwordAddition"}]},
    });
    bench.graph("PATCH", TENANT, rules.clone()).await.expect(403);
    bench.graph_as(&admin, "PATCH", TENANT, rules).await.expect(204);
    let secret = async |holder: &str, end: &str| {
        let body = json!({"passwordCredential": {"endDateTime": end}});
        bench.graph("POST", &format!("{holder}/addPassword"), body).await
    };
    let app = format!("/applications/{id}");
    // Written, but not enabled: nothing changes yet.
    secret(&app, "2028-01-01T00:00:00Z").await.expect(200);
    bench.graph_as(&admin, "PATCH", TENANT, json!({"isEnabled": true})).await.expect(204);

    let refused = secret(&app, "2027-11-20T00:00:00Z").await.expect(400);
    let message = "Credential lifetime exceeds the max value allowed as per assigned policy '00000000-0000-0000-0000-000000000000'.";
    assert_eq!(
        (&refused["error"]["code"], &refused["error"]["message"]),
        (&json!("CredentialInvalidLifetimeAsPerAppPolicy"), &json!(message))
    );
    assert_eq!(
        refused["error"]["details"],
        json!([{"code": "InvalidKeyEndDate", "message": message, "target": "EndDate"}])
    );
    let raw = refused.to_string();
    assert!(raw.find("details").unwrap() < raw.find("innerError").unwrap(), "{raw}");
    // The default of two years is too long as well; what fits is taken.
    let absent = bench.graph("POST", &format!("{app}/addPassword"), Value::Null).await;
    assert_eq!(absent.failure(), (400, "CredentialInvalidLifetimeAsPerAppPolicy".to_owned()));
    secret(&app, "2027-05-01T00:00:00Z").await.expect(200);

    let (long, short) = (Identity::valid_for(100), Identity::valid_for(60));
    let patch = async |entries: Value| bench.graph("PATCH", &app, json!({"keyCredentials": entries})).await;
    assert_eq!(
        patch(json!([long.entry()])).await.failure(),
        (400, "CredentialInvalidLifetimeAsPerAppPolicy".to_owned())
    );
    patch(json!([short.entry()])).await.expect(204);
    let proof = short.proof(&id, bench.now().as_second());
    let body = json!({"keyCredential": long.entry(), "passwordCredential": null, "proof": proof});
    let added = bench.graph("POST", &format!("{app}/addKey"), body).await;
    assert_eq!(added.failure(), (400, "CredentialInvalidLifetimeAsPerAppPolicy".to_owned()));

    let on_principal = secret(&format!("/servicePrincipals/{}", text(&principal["id"])), "2027-01-01T00:00:00Z").await;
    assert_eq!(on_principal.failure(), (400, "CredentialTypeNotAllowedAsPerAppPolicy".to_owned()));
    let wide = bench.graph("PATCH", &app, json!({"signInAudience": "AzureADMultipleOrgs"})).await;
    assert_eq!(wide.failure(), (400, "SignInAudienceNotAllowedAsPerAppPolicy".to_owned()));
    let made = json!({"displayName": "wide", "signInAudience": "AzureADMultipleOrgs"});
    let made = bench.graph("POST", "/applications", made).await;
    assert_eq!(made.failure(), (400, "SignInAudienceNotAllowedAsPerAppPolicy".to_owned()));
}

#[tokio::test]
async fn an_attached_policy_replaces_the_tenants_and_dates_and_states_count() {
    let bench = Bench::start().await;
    let admin = administrator(&bench).await;
    let graph = async |method: &str, path: &str, body: Value| bench.graph_as(&admin, method, path, body).await;
    let tenants = json!({
        "isEnabled": true,
        "applicationRestrictions": {"passwordCredentials": [{"restrictionType": "passwordAddition"}]},
    });
    graph("PATCH", TENANT, tenants).await.expect(204);
    let (id, _) = bench.app("attached").await;
    let add = async || bench.graph("POST", &format!("/applications/{id}/addPassword"), Value::Null).await;
    assert_eq!(add().await.failure(), (400, "CredentialTypeNotAllowedAsPerAppPolicy".to_owned()));

    let policies = "/policies/appManagementPolicies";
    let body = json!({
        "displayName": "three years", "description": "for the old ones", "isEnabled": true,
        "restrictions": {"passwordCredentials": lifetime("passwordLifetime", 1100)},
    });
    let made = graph("POST", policies, body).await.expect(201);
    let policy = format!("{policies}/{}", text(&made["id"]));
    let attach = json!({"@odata.id": format!("{}/v1.0{policy}", bench.emulator.url())});
    let references = format!("/applications/{id}/appManagementPolicies");
    bench.graph("POST", &format!("{references}/$ref"), attach.clone()).await.expect(403);
    graph("POST", &format!("{references}/$ref"), attach.clone()).await.expect(204);
    graph("POST", &format!("{references}/$ref"), attach).await.expect(400);
    assert_eq!(graph("GET", &references, Value::Null).await.expect(200)["value"][0]["displayName"], "three years");
    let applies = graph("GET", &format!("{policy}/appliesTo"), Value::Null).await.expect(200);
    assert_eq!((&applies["value"][0]["id"], applies["value"].as_array().unwrap().len()), (&json!(id), 1));
    add().await.expect(200);

    let rule = |after: &str, state: &str| {
        json!({"restrictions": {"passwordCredentials": [{
            "restrictionType": "passwordAddition", "state": state, "restrictForAppsCreatedAfterDateTime": after,
        }]}})
    };
    for (after, state, status) in [
        ("2026-11-20T08:59:59Z", "enabled", 400),
        ("2026-11-20T09:00:00Z", "enabled", 200),
        ("2026-11-20T08:59:59Z", "disabled", 200),
    ] {
        graph("PATCH", &policy, rule(after, state)).await.expect(204);
        assert_eq!(add().await.status, status, "{after} {state}");
    }
    // A policy that is switched off leaves its objects to the tenant's.
    graph("PATCH", &policy, json!({"isEnabled": false})).await.expect(204);
    assert_eq!(add().await.failure().0, 400);
    graph("PATCH", &policy, json!({"isEnabled": true})).await.expect(204);
    graph("DELETE", &format!("{references}/{}/$ref", text(&made["id"])), Value::Null).await.expect(204);
    assert_eq!(add().await.failure().0, 400);
    graph("DELETE", &policy, Value::Null).await.expect(204);
    assert_eq!(graph("GET", policies, Value::Null).await.expect(200)["value"], json!([]));

    for nonsense in [
        json!([{"restrictionType": "passwordLifetime"}]),
        json!([{"restrictionType": "passwordAddition", "maxLifetime": "P1D"}]),
        json!([{"restrictionType": "asymmetricKeyLifetime", "maxLifetime": "P1D"}]),
        json!([{"restrictionType": "passwordLifetime", "maxLifetime": "soon"}]),
        json!([{"restrictionType": "passwordAddition"}, {"restrictionType": "passwordAddition"}]),
    ] {
        let body = json!({"displayName": "x", "restrictions": {"passwordCredentials": nonsense}});
        assert_eq!(graph("POST", policies, body.clone()).await.status, 400, "{body}");
    }
}

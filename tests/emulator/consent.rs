//! Service principals, who may do what, and consent: app roles, delegated grants, the sign-in report.

use serde_json::Value;
use serde_json::json;

use crate::support::Bench;
use crate::support::text;

const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
const MAIL_READ_WRITE: &str = "e2a3a72e-5f79-4c64-b1b1-878b674786c9";

/// The object id of a service principal, looked up as azure-cli does.
async fn principal(bench: &Bench, app_id: &str) -> String {
    let path = format!("/servicePrincipals?$filter=servicePrincipalNames%2Fany%28c%3Ac%20eq%20%27{app_id}%27%29");
    let found = bench.graph("GET", &path, Value::Null).await.expect(200);
    assert_eq!(found["value"].as_array().unwrap().len(), 1, "{found}");
    text(&found["value"][0]["id"])
}

#[tokio::test]
async fn microsoft_graph_is_there_with_all_its_permissions() {
    let bench = Bench::start().await;
    let id = principal(&bench, GRAPH).await;
    let graph = bench.graph("GET", &format!("/servicePrincipals/{id}"), Value::Null).await.expect(200);
    assert_eq!((&graph["displayName"], &graph["appId"]), (&json!("Microsoft Graph"), &json!(GRAPH)));
    let has = |list: &str, name: &str, id: &str| {
        graph[list].as_array().unwrap().iter().any(|one| one["value"] == name && one["id"] == id)
    };
    assert!(has("appRoles", "Mail.ReadWrite", MAIL_READ_WRITE));
    assert!(has("oauth2PermissionScopes", "Mail.ReadWrite", "024d486e-b451-40bb-833d-3e66d98c5c73"));
    let exchange = bench
        .graph("GET", "/servicePrincipals(appId='00000002-0000-0ff1-ce00-000000000000')?$select=appRoles", Value::Null)
        .await
        .expect(200);
    assert!(exchange["appRoles"].as_array().unwrap().iter().any(|one| one["value"] == "SMTP.SendAsApp"));
}

#[tokio::test]
async fn a_granted_role_is_in_the_next_token_and_not_in_the_last() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("reader").await;
    let secret = text(
        &bench.graph("POST", &format!("/applications/{id}/addPassword"), Value::Null).await.expect(200)["secretText"],
    );
    let token = async || text(&bench.secret_token(&client, &secret).await.expect(200)["access_token"]);
    let before = token().await;
    let denied = bench.graph_as(&before, "GET", "/applications", Value::Null).await;
    assert_eq!(denied.failure(), (403, "Authorization_RequestDenied".to_owned()));

    let (resource, own) = (principal(&bench, GRAPH).await, principal(&bench, &client).await);
    let body = json!({"principalId": own, "resourceId": resource, "appRoleId": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"});
    let path = format!("/servicePrincipals/{own}/appRoleAssignments");
    let assigned = bench.graph("POST", &path, body.clone()).await.expect(201);
    assert_eq!(
        (&assigned["principalDisplayName"], &assigned["resourceDisplayName"]),
        (&json!("reader"), &json!("Microsoft Graph"))
    );
    assert_eq!(bench.graph("POST", &path, body.clone()).await.status, 400, "once");
    let mut unknown = body.clone();
    unknown["appRoleId"] = json!("00000000-0000-4000-8000-00000000dead");
    assert_eq!(bench.graph("POST", &path, unknown).await.status, 400);
    assert_eq!(bench.graph_as(&before, "POST", &path, body).await.status, 403);

    assert_eq!(bench.graph_as(&before, "GET", "/applications", Value::Null).await.status, 403, "tokens do not change");
    let after = token().await;
    bench.graph_as(&after, "GET", "/applications", Value::Null).await.expect(200);
    assert_eq!(bench.graph_as(&after, "POST", "/applications", json!({"displayName": "x"})).await.status, 403);

    let on_resource = format!("/servicePrincipals/{resource}/appRoleAssignedTo");
    let all = bench.graph("GET", &on_resource, Value::Null).await.expect(200);
    assert!(all["value"].as_array().unwrap().iter().any(|one| one["id"] == assigned["id"]));
    bench.graph("DELETE", &format!("{path}/{}", text(&assigned["id"])), Value::Null).await.expect(204);
    let left = bench.graph("GET", &path, Value::Null).await.expect(200);
    assert_eq!(left["value"], json!([]));
}

#[tokio::test]
async fn ownership_is_what_owned_by_writes_with() {
    let bench = Bench::start().await;
    // Somebody else's application: seeded without the operator as its owner.
    let (foreign, client) = bench.emulator.with_directory(|directory, now| {
        let mut properties = everkey::emulator::directory::Properties::new();
        properties.insert("displayName".to_owned(), json!("Old Power BI export"));
        let id = directory
            .create_application(properties, None, everkey::emulator::Quirks::default().key_conduct(), now)
            .unwrap();
        (id, directory.application(id).unwrap().app_id)
    });
    bench.graph("GET", &format!("/applications/{foreign}"), Value::Null).await.expect(200);
    let path = format!("/applications/{foreign}");
    let writes = [
        ("PATCH", path.clone(), json!({"displayName": "mine now"})),
        ("DELETE", path.clone(), Value::Null),
        ("POST", format!("{path}/addPassword"), Value::Null),
        (
            "POST",
            format!("{path}/owners/$ref"),
            json!({"@odata.id": format!("{}/v1.0/directoryObjects/{}", bench.emulator.url(), bench.emulator.operator().service_principal_id)}),
        ),
        ("POST", "/servicePrincipals".to_owned(), json!({"appId": client})),
    ];
    for (method, path, body) in &writes {
        let answer = bench.graph(method, path, body.clone()).await;
        assert_eq!(answer.failure(), (403, "Authorization_RequestDenied".to_owned()), "{method} {path}");
    }
    let operator = bench.emulator.operator().service_principal_id;
    bench.emulator.with_directory(|directory, _| directory.add_owner(foreign, operator)).unwrap();
    bench.graph("PATCH", &path, json!({"displayName": "mine now"})).await.expect(204);
    bench.graph("DELETE", &format!("{path}/owners/{operator}/$ref"), Value::Null).await.expect(204);
    assert_eq!(bench.graph("PATCH", &path, json!({"displayName": "no more"})).await.status, 403);
}

#[tokio::test]
async fn delegated_grants_exist_once_and_change_by_patch() {
    let bench = Bench::start().await;
    let (_, client) = bench.app("delegated").await;
    let (resource, own) = (principal(&bench, GRAPH).await, principal(&bench, &client).await);
    let body = json!({"clientId": own, "consentType": "AllPrincipals", "principalId": null, "resourceId": resource, "scope": "openid profile"});
    let created = bench.graph("POST", "/oAuth2PermissionGrants", body.clone()).await.expect(201);
    let again = bench.graph("POST", "/oauth2PermissionGrants", body).await;
    assert_eq!(again.failure(), (409, "Request_MultipleObjectsWithSameKeyValue".to_owned()));
    let path = format!("/oauth2PermissionGrants/{}", text(&created["id"]));
    bench.graph("PATCH", &path, json!({"scope": "openid profile Mail.Send"})).await.expect(204);
    let listed = bench
        .graph("GET", &format!("/oauth2PermissionGrants?$filter=clientId eq '{own}'"), Value::Null)
        .await
        .expect(200);
    assert_eq!(listed["value"][0]["scope"], "openid profile Mail.Send");
    let of_other = bench
        .graph("GET", &format!("/oauth2PermissionGrants?$filter=clientId eq '{resource}'"), Value::Null)
        .await
        .expect(200);
    assert_eq!(of_other["value"], json!([]));
    bench.graph("DELETE", &path, Value::Null).await.expect(204);
    assert_eq!(bench.graph("GET", &path, Value::Null).await.status, 404);
}

#[tokio::test]
async fn service_principals_are_made_once_and_tagged() {
    let bench = Bench::start().await;
    let (_, client) = bench.app("enterprise").await;
    let again = bench.graph("POST", "/servicePrincipals", json!({"appId": client})).await;
    assert_eq!(again.failure(), (409, "Request_MultipleObjectsWithSameKeyValue".to_owned()));
    let nobody =
        bench.graph("POST", "/servicePrincipals", json!({"appId": "00000000-0000-4000-8000-00000000dead"})).await;
    assert_eq!(nobody.status, 400);
    assert!(text(&nobody.body["error"]["message"]).contains("does not reference a valid application object"));
    let path = format!("/servicePrincipals(appId='{client}')");
    bench
        .graph("PATCH", &path, json!({"tags": ["HideApp", "WindowsAzureActiveDirectoryIntegratedApp"]}))
        .await
        .expect(204);
    let read = bench.graph("GET", &path, Value::Null).await.expect(200);
    assert_eq!(read["tags"], json!(["HideApp", "WindowsAzureActiveDirectoryIntegratedApp"]));
    assert_eq!(read["displayName"], "enterprise");
}

#[tokio::test]
async fn the_management_policy_is_there_for_those_who_may_read_it() {
    let bench = Bench::start().await;
    let path = "/policies/defaultAppManagementPolicy";
    let denied = bench.graph("GET", path, Value::Null).await;
    assert_eq!(denied.failure(), (403, "Authorization_RequestDenied".to_owned()));
    let (resource, own) = (principal(&bench, GRAPH).await, bench.emulator.operator().service_principal_id);
    let body = json!({"principalId": own, "resourceId": resource, "appRoleId": "246dd0d5-5bd0-4def-940b-0421030a5b68"});
    bench.graph("POST", &format!("/servicePrincipals/{resource}/appRoleAssignedTo"), body).await.expect(201);
    let token = bench.operator_token().await;
    assert_eq!(bench.graph_as(&token, "GET", path, Value::Null).await.expect(200)["isEnabled"], false);
}

#[tokio::test]
async fn the_report_shows_the_last_sign_in_of_each_credential() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("reported").await;
    let added = bench.graph("POST", &format!("/applications/{id}/addPassword"), Value::Null).await.expect(200);
    let entry = async || {
        let report = bench.graph("GET", "/beta/reports/appCredentialSignInActivities", Value::Null).await.expect(200);
        report["value"].as_array().unwrap().iter().find(|one| one["keyId"] == added["keyId"]).cloned()
    };
    assert!(entry().await.is_none(), "never used");
    bench.advance(60);
    let answer = bench.secret_token(&client, &text(&added["secretText"])).await;
    let request_id = answer.headers["x-ms-request-id"].to_str().unwrap().to_owned();
    answer.expect(200);
    assert_eq!(bench.secret_token(&client, "wrong").await.status, 401);
    let entry = entry().await.unwrap();
    assert_eq!((&entry["appId"], &entry["appObjectId"]), (&json!(client), &json!(id)));
    assert_eq!(
        entry["signInActivity"],
        json!({"lastSignInDateTime": "2026-11-20T09:01:00Z", "lastSignInRequestId": request_id})
    );
    assert_eq!(
        bench.graph("GET", "/reports/appCredentialSignInActivities", Value::Null).await.status,
        400,
        "beta only"
    );
}

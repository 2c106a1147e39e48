//! `/applications` and what every Graph reply has: life cycle, lookups, queries, pages, error bodies.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::support::Bench;
use crate::support::text;

#[tokio::test]
async fn an_application_lives_is_found_changes_and_is_deleted_and_restored() {
    let bench = Bench::start().await;
    let body = json!({
        "displayName": "Reapit Lead Imports", "signInAudience": "AzureADMultipleOrgs", "keyCredentials": [],
        "web": {"redirectUris": ["https://localhost/"]},
        "requiredResourceAccess": [{"resourceAppId": "00000003-0000-0000-c000-000000000000",
            "resourceAccess": [{"id": "e2a3a72e-5f79-4c64-b1b1-878b674786c9", "type": "Role"}]}],
    });
    let created = bench.graph("POST", "/applications", body).await;
    assert!(created.headers.contains_key("request-id"));
    let created = created.expect(201);
    assert!(text(&created["@odata.context"]).ends_with("/v1.0/$metadata#applications/$entity"));
    let (id, app_id) = (text(&created["id"]), text(&created["appId"]));
    let owners = bench.graph("GET", &format!("/applications/{id}/owners"), Value::Null).await.expect(200);
    assert_eq!(owners["value"][0]["id"], bench.emulator.operator().service_principal_id.to_string());

    for path in [format!("/applications/{id}"), format!("/Applications(appId='{app_id}')")] {
        let read = bench.graph("GET", &path, Value::Null).await.expect(200);
        assert_eq!(read["displayName"], "Reapit Lead Imports");
        assert_eq!(read["web"]["redirectUris"], json!(["https://localhost/"]));
        assert_eq!(
            read["web"]["implicitGrantSettings"]["enableIdTokenIssuance"], false,
            "complex values keep their rest"
        );
        assert_eq!(read["createdDateTime"], "2026-11-20T09:00:00Z");
    }
    let patch = json!({"displayName": "Renamed", "web": {"logoutUrl": "https://localhost/out"}, "tags": ["HideApp"]});
    bench.graph("PATCH", &format!("/applications(appId='{app_id}')"), patch).await.expect(204);
    let read = bench.graph("GET", &format!("/applications/{id}"), Value::Null).await.expect(200);
    assert_eq!((&read["displayName"], &read["tags"]), (&json!("Renamed"), &json!(["HideApp"])));
    assert_eq!(
        read["web"]["redirectUris"],
        json!(["https://localhost/"]),
        "a PATCH leaves the rest of a complex value"
    );

    bench.graph("DELETE", &format!("/applications/{id}"), Value::Null).await.expect(204);
    let gone = bench.graph("GET", &format!("/applications/{id}"), Value::Null).await;
    assert_eq!(gone.failure(), (404, "Request_ResourceNotFound".to_owned()));
    let inner = &gone.body["error"]["innerError"];
    assert_eq!(inner["date"], "2026-11-20T09:00:00", "no Z");
    assert_eq!(inner["request-id"], gone.headers["request-id"].to_str().unwrap());

    let bin = "/directory/deletedItems";
    let deleted = bench.graph("GET", &format!("{bin}/microsoft.graph.application"), Value::Null).await.expect(200);
    assert_eq!(deleted["value"][0]["id"], id);
    let restored = bench.graph("POST", &format!("{bin}/{id}/restore"), Value::Null).await.expect(200);
    assert_eq!(restored["@odata.type"], "#microsoft.graph.application");
    bench.graph("DELETE", &format!("/applications/{id}"), Value::Null).await.expect(204);
    bench.graph("DELETE", &format!("{bin}/{id}"), Value::Null).await.expect(204);
    assert_eq!(bench.graph("GET", &format!("{bin}/{id}"), Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_unique_name_creates_once_and_updates_afterwards() {
    let bench = Bench::start().await;
    let path = "/applications(uniqueName='everkey-enate')";
    let body = json!({"displayName": "Enate"});
    assert_eq!(bench.graph("PATCH", path, body.clone()).await.status, 404, "not without the header");
    let upsert = async |body: Value| {
        bench.send(bench.request(&bench.token, "PATCH", path, body).header("prefer", "create-if-missing")).await
    };
    let created = upsert(body.clone()).await.expect(201);
    assert_eq!(created["uniqueName"], "everkey-enate");
    upsert(json!({"displayName": "Enate 2"})).await.expect(204);
    let read = bench.graph("GET", path, Value::Null).await.expect(200);
    assert_eq!((&read["id"], &read["displayName"]), (&created["id"], &json!("Enate 2")));
    let other = json!({"displayName": "Other", "uniqueName": "everkey-enate"});
    let refused = bench.graph("POST", "/applications", other).await;
    assert_eq!(refused.failure(), (409, "Request_MultipleObjectsWithSameKeyValue".to_owned()));
    assert_eq!(bench.graph("PATCH", path, json!({"uniqueName": "another"})).await.status, 400);
}

#[tokio::test]
async fn wrong_bodies_names_and_values_are_refused() {
    let bench = Bench::start().await;
    let post = async |body: Value| bench.graph("POST", "/applications", body).await.failure();
    let bad = (400, "Request_BadRequest".to_owned());
    assert_eq!(post(json!({})).await, bad);
    assert_eq!(post(json!({"displayName": "x", "nonsense": 1})).await, bad);
    assert_eq!(post(json!({"displayName": "x", "appId": "00000000-0000-4000-8000-000000000001"})).await, bad);
    assert_eq!(post(json!({"displayName": "x", "signInAudience": "Everybody"})).await, bad);
    assert_eq!(post(json!({"displayName": "x", "requiredResourceAccess": [{"resourceAppId": "graph"}]})).await, bad);
    assert_eq!(post(json!({"displayName": "x", "passwordCredentials": [{"secretText": "mine"}]})).await, bad);
    assert_eq!(post(json!({"displayName": "x", "signInAudience": "AzureADandPersonalMicrosoftAccount"})).await, bad);
    let personal = json!({
        "displayName": "x", "signInAudience": "AzureADandPersonalMicrosoftAccount", "api": {"requestedAccessTokenVersion": 2},
    });
    bench.graph("POST", "/applications", personal).await.expect(201);

    let request = bench.request(&bench.token, "POST", "/applications", Value::Null).body("{");
    assert_eq!(bench.send(request).await.failure(), (400, "BadRequest".to_owned()));
    let paths = [("/applications/not-a-guid", 400), ("/nonsense", 400), ("/v3.0/applications", 404)];
    for (path, status) in paths {
        let url = if path.starts_with("/v3") { format!("{}{path}", bench.emulator.url()) } else { path.to_owned() };
        let answer = bench.graph("GET", &url, Value::Null).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body["error"]["message"].is_string(), "azure-cli crashes without a message");
    }
    assert_eq!(bench.graph("PUT", "/applications", Value::Null).await.status, 405);
    bench.graph("GET", "/v1.0/subscriptions", Value::Null).await.expect(200);
    let arm =
        bench.send(bench.client.get(format!("{}/subscriptions?api-version=2022-12-01", bench.emulator.url()))).await;
    assert_eq!(arm.expect(200), json!({"value": []}));
}

#[tokio::test]
async fn pages_follow_absolute_links_and_counts_need_the_header() {
    let bench = Bench::start().await;
    for number in 0..25 {
        bench.graph("POST", "/applications", json!({"displayName": format!("app {number:02}")})).await.expect(201);
    }
    let mut next =
        Some("/applications?$filter=startswith(displayName,'app ')&$top=10&$select=id,displayName".to_owned());
    let (mut seen, mut pages) = (BTreeSet::new(), 0);
    while let Some(path) = next {
        let page = bench.graph("GET", &path, Value::Null).await.expect(200);
        assert!(text(&page["@odata.context"]).ends_with("#applications(id,displayName)"));
        for one in page["value"].as_array().unwrap() {
            assert_eq!(one.as_object().unwrap().len(), 2, "only what was selected: {one}");
            assert!(seen.insert(text(&one["displayName"])), "no page repeats an object");
        }
        pages += 1;
        next = page["@odata.nextLink"].as_str().map(str::to_owned);
        assert!(next.as_ref().is_none_or(|link| link.starts_with(&bench.emulator.url())), "links are absolute");
    }
    assert_eq!((seen.len(), pages), (25, 3));

    let path = "/applications?$count=true&$top=1&$filter=startswith(displayName,'app 1')";
    let plain = bench.graph("GET", path, Value::Null).await.expect(200);
    assert!(plain.get("@odata.count").is_none());
    let eventual =
        |path: &str| bench.request(&bench.token, "GET", path, Value::Null).header("consistencylevel", "eventual");
    assert_eq!(bench.send(eventual(path)).await.expect(200)["@odata.count"], 10);
    assert_eq!(bench.send(eventual("/applications/$count")).await.expect(200).to_string(), "26");
    for bad in [
        "$top=0",
        "$top=1000",
        "$filter=displayName ne 'x'",
        "$search=\"displayName:a\"",
        "$select=nonsense",
        "$orderby=id",
    ] {
        assert_eq!(bench.graph("GET", &format!("/applications?{bad}"), Value::Null).await.status, 400, "{bad}");
    }
    let expiring = "/applications?$filter=passwordCredentials/any(p:p eq 'x')";
    assert_eq!(bench.graph("GET", expiring, Value::Null).await.failure(), (400, "Request_UnsupportedQuery".to_owned()));
}

#[tokio::test]
async fn a_bearer_token_is_checked_and_expires_by_the_emulators_clock() {
    let bench = Bench::start().await;
    let try_token = async |token: &str| bench.graph_as(token, "GET", "/applications", Value::Null).await;
    // One letter in the middle of the signature.
    let (signed, signature) = bench.token.rsplit_once('.').unwrap();
    let other = if signature[100..].starts_with('A') { "B" } else { "A" };
    let forged = format!("{signed}.{}{other}{}", &signature[..100], &signature[101..]);
    for token in ["", "nonsense", "a.b.c", &forged] {
        let answer = try_token(token).await;
        assert_eq!(answer.failure(), (401, "InvalidAuthenticationToken".to_owned()), "{token}");
        assert!(answer.headers.contains_key("www-authenticate"));
    }
    bench.advance(3598);
    try_token(&bench.token).await.expect(200);
    bench.advance(1);
    assert_eq!(try_token(&bench.token).await.status, 401);
}

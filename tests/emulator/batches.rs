//! What a batch shares with requests that come alone: faults, collisions, the log. And properties that were missing.

use everkey::emulator::Effect;
use everkey::emulator::Fault;
use everkey::emulator::Quirks;
use serde_json::Value;
use serde_json::json;

use crate::support::Answer;
use crate::support::Bench;
use crate::support::Identity;
use crate::support::text;

fn item(id: &str, method: &str, url: &str, body: Value) -> Value {
    json!({"id": id, "method": method, "url": url, "headers": {"Content-Type": "application/json"}, "body": body})
}

/// What a batch said to each of its requests, by id.
async fn batch(bench: &Bench, items: &[Value]) -> impl Fn(&str) -> Value + use<> {
    let body = bench.graph("POST", "/$batch", json!({"requests": items})).await.expect(200);
    move |id| body["responses"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap().clone()
}

#[tokio::test]
async fn a_request_in_a_batch_meets_its_own_fault() {
    let bench = Bench::start().await;
    let (one, _) = bench.app("one").await;
    let (other, _) = bench.app("other").await;
    let secret = |id: &str| format!("/applications/{id}/addPassword");
    let fault = |effect| {
        let path_contains = format!("{one}/addPassword");
        bench.emulator.inject(Fault { count: 1, effect, method: Some("POST".into()), path_contains });
    };
    fault(Effect::Status { body: None, code: 429, retry_after: Some(7) });
    let new = json!({"passwordCredential": {}});
    let items = [item("1", "POST", &secret(&one), new.clone()), item("2", "POST", &secret(&other), new.clone())];
    let told = batch(&bench, &items).await;
    assert_eq!((&told("1")["status"], &told("1")["headers"]["retry-after"]), (&json!(429), &json!("7")));
    assert_eq!(told("2")["status"], 200, "the others are answered");

    // Applied or not: the connection of the batch is not cut for one of them.
    let secrets = async || {
        let app = bench.graph("GET", &format!("/applications/{one}"), Value::Null).await.expect(200);
        app["passwordCredentials"].as_array().unwrap().len()
    };
    assert_eq!(secrets().await, 0);
    fault(Effect::ResetBeforeEffect);
    assert_eq!(batch(&bench, &items[..1]).await("1")["status"], 504);
    assert_eq!(secrets().await, 0);
    fault(Effect::ResetAfterEffect);
    let mut needy = item("3", "GET", "/applications?$top=1", Value::Null);
    needy["dependsOn"] = json!(["1"]);
    let told = batch(&bench, &[items[0].clone(), needy]).await;
    assert_eq!((&told("1")["status"], &told("3")["status"]), (&json!(504), &json!(424)));
    assert_eq!(secrets().await, 1);
    let log = bench.graph("GET", "/_emulator/log", Value::Null).await.expect(200);
    let hit = log.as_array().unwrap().iter().filter(|entry| !entry["fault"].is_null()).count();
    assert_eq!(hit, 3, "{log:#}");
}

#[tokio::test]
async fn requests_in_a_batch_collide_like_others() {
    let bench = Bench::start().await;
    let (one, _) = bench.app("one").await;
    let (other, _) = bench.app("other").await;
    let mut quirks = Quirks { retry_after_on_conflict: true, ..Quirks::default() };
    quirks.assign("write_conflict_window=20s").unwrap();
    bench.emulator.set_quirks(quirks);
    let rename = |id: &str, app: &str| item(id, "PATCH", &format!("/applications/{app}"), json!({"notes": id}));
    let told = batch(&bench, &[rename("1", &one), rename("2", &one), rename("3", &other)]).await;
    assert_eq!([&told("1")["status"], &told("3")["status"]], [204, 204]);
    let refused = told("2");
    assert_eq!((&refused["status"], &refused["headers"]["retry-after"]), (&json!(409), &json!("2")));
    assert_eq!(refused["body"]["error"]["code"], "Directory_ConcurrencyViolation");
    // What is not Graph is not reached through it.
    let told =
        batch(&bench, &[item("1", "GET", &format!("{}/_emulator/state", bench.emulator.url()), Value::Null)]).await;
    assert_eq!(told("1")["status"], 404, "{}", told("1"));
}

#[tokio::test]
async fn certificates_of_service_principals_are_patched() {
    let bench = Bench::start().await;
    let (_, client) = bench.app("signs").await;
    let path = format!("/servicePrincipals(appId='{client}')");
    let identity = Identity::valid_for(90);
    let patch = async |entries: Value| bench.graph("PATCH", &path, json!({"keyCredentials": entries})).await;
    let held = async || -> Value { bench.graph("GET", &path, Value::Null).await.expect(200)["keyCredentials"].clone() };
    patch(json!([identity.entry()])).await.expect(204);
    let first = held().await;
    assert_eq!(first.as_array().unwrap().len(), 1);
    // An echo keeps it, beside a second one; a changed entry is refused; what is left out is gone.
    let second = Identity::valid_for(30);
    patch(json!([first[0], second.entry()])).await.expect(204);
    assert_eq!(held().await.as_array().unwrap().len(), 2);
    let mut changed = first[0].clone();
    changed["endDateTime"] = json!("2026-12-01T00:00:00Z");
    assert_eq!(patch(json!([changed])).await.status, 400);
    patch(json!([first[0]])).await.expect(204);
    assert_eq!(held().await, first);
}

#[tokio::test]
async fn logos_and_the_limits_of_personal_accounts() {
    let bench = Bench::start().await;
    let (id, _) = bench.app("shown").await;
    let logo = async |kind: &str, body: &'static str| -> Answer {
        let request = bench.request(&bench.token, "PUT", &format!("/applications/{id}/logo"), Value::Null);
        bench.send(request.header("content-type", kind).body(body)).await
    };
    assert_eq!(logo("image/png", "a picture").await.expect(204), Value::Null);
    assert_eq!(logo("text/plain", "a text").await.status, 400);

    let resource = |number: u32, count: usize| {
        let one = json!({"id": "e1fe6dd8-ba31-4d61-89e7-88639da4683d", "type": "Scope"});
        json!({"resourceAppId": format!("00000003-0000-0000-c000-{number:012}"), "resourceAccess": vec![one; count]})
    };
    let app = |resources: Vec<Value>, audience: &str| {
        json!({"displayName": "many", "signInAudience": audience, "api": {"requestedAccessTokenVersion": 2},
            "requiredResourceAccess": resources})
    };
    let personal = "AzureADandPersonalMicrosoftAccount";
    let create = async |body: Value| bench.graph("POST", "/applications", body).await;
    create(app((0..6).map(|number| resource(number, 30)).collect(), personal)).await.expect(201);
    assert_eq!(create(app(vec![resource(0, 31)], personal)).await.status, 400);
    assert_eq!(create(app((0..7).map(|number| resource(number, 29)).collect(), personal)).await.status, 400);
    let made = create(app(vec![resource(0, 31)], "AzureADMyOrg")).await.expect(201);
    let path = format!("/applications/{}", text(&made["id"]));
    assert_eq!(bench.graph("PATCH", &path, json!({"signInAudience": personal})).await.status, 400);
}

#[tokio::test]
async fn the_index_names_routes_that_are_there() {
    let bench = Bench::start().await;
    let index = bench.graph("GET", "/_emulator/", Value::Null).await.expect(200);
    let routes = index["routes"].as_array().unwrap();
    assert!(routes.len() > 10, "{index:#}");
    for route in routes {
        let answer = bench.graph(&text(&route["method"]), &text(&route["path"]), json!({})).await;
        assert_ne!(answer.status, 404, "{route}");
    }
}

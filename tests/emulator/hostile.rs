//! The emulator misbehaving on request: lag, stale reads, lost and delayed calls.

use everkey::emulator::Effect;
use everkey::emulator::Fault;
use everkey::emulator::Quirks;
use jiff::SignedDuration;
use serde_json::Value;
use serde_json::json;

use crate::support::Bench;
use crate::support::Identity;
use crate::support::claims;
use crate::support::text;

fn fault(method: &str, path: &str, effect: Effect) -> Fault {
    Fault { count: 1, effect, method: Some(method.to_owned()), path_contains: path.to_owned() }
}

async fn secrets_of(bench: &Bench, id: &str) -> usize {
    let read = bench.graph("GET", &format!("/applications/{id}"), Value::Null).await.expect(200);
    read["passwordCredentials"].as_array().unwrap().len()
}

#[tokio::test]
async fn the_emulators_own_routes_are_listed_and_each_of_them_is_there() {
    let bench = Bench::start().await;
    let listed = bench.graph("GET", "/_emulator/", Value::Null).await.expect(200);
    for route in listed["routes"].as_array().unwrap() {
        let (method, path) = (route["method"].as_str().unwrap(), route["path"].as_str().unwrap());
        let answer = bench.graph(method, path, Value::Null).await;
        assert_ne!(answer.status, 404, "{method} {path}: {}", answer.body);
    }
}

#[tokio::test]
async fn the_token_endpoint_lags_behind_in_both_directions() {
    let bench = Bench::start().await;
    bench.emulator.set_quirks(Quirks { token_lag: SignedDuration::from_secs(30), ..Quirks::default() });
    let (id, client) = bench.app("lag").await;
    let added = bench.graph("POST", &format!("/applications/{id}/addPassword"), Value::Null).await.expect(200);
    let secret = text(&added["secretText"]);
    let identity = Identity::valid_for(30);
    bench.register(&id, &identity).await;
    let assertion = identity.assertion(false, &claims(&bench, &client));
    assert_eq!(secrets_of(&bench, &id).await, 1, "Graph shows it at once");
    bench.advance(29);
    assert_eq!(bench.secret_token(&client, &secret).await.failure(), (401, "7000215".to_owned()));
    assert_eq!(bench.assertion_token(&client, &assertion).await.failure(), (401, "700027".to_owned()));
    bench.advance(1);
    bench.secret_token(&client, &secret).await.expect(200);
    bench.assertion_token(&client, &assertion).await.expect(200);

    bench
        .graph("POST", &format!("/applications/{id}/removePassword"), json!({"keyId": added["keyId"]}))
        .await
        .expect(204);
    bench.graph("PATCH", &format!("/applications/{id}"), json!({"keyCredentials": []})).await.expect(204);
    bench.advance(29);
    bench.secret_token(&client, &secret).await.expect(200);
    bench.assertion_token(&client, &assertion).await.expect(200);
    bench.advance(1);
    assert_eq!(bench.secret_token(&client, &secret).await.status, 401);
    assert_eq!(bench.assertion_token(&client, &assertion).await.status, 401);
}

#[tokio::test]
async fn reads_show_the_past_and_may_flap() {
    let bench = Bench::start().await;
    let (id, _) = bench.app("stale").await;
    bench.emulator.set_quirks(Quirks { read_lag: SignedDuration::from_secs(10), ..Quirks::default() });
    let add = format!("/applications/{id}/addPassword");
    bench.graph("POST", &add, Value::Null).await.expect(200);
    bench.advance(5);
    bench.graph("POST", &add, Value::Null).await.expect(200);
    assert_eq!(secrets_of(&bench, &id).await, 0);
    bench.advance(5);
    assert_eq!(secrets_of(&bench, &id).await, 1);
    bench.advance(5);
    assert_eq!(secrets_of(&bench, &id).await, 2);

    bench.emulator.set_quirks(Quirks {
        read_lag: SignedDuration::from_secs(10),
        read_flapping: true,
        ..Quirks::default()
    });
    bench.graph("POST", &add, Value::Null).await.expect(200);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(secrets_of(&bench, &id).await);
    }
    assert!(seen == [2, 3, 2, 3] || seen == [3, 2, 3, 2], "{seen:?}");
    let created = bench.graph("POST", "/applications", json!({"displayName": "unseen"})).await.expect(201);
    bench.emulator.set_quirks(Quirks { read_lag: SignedDuration::from_secs(10), ..Quirks::default() });
    let path = format!("/applications/{}", text(&created["id"]));
    assert_eq!(bench.graph("GET", &path, Value::Null).await.failure(), (404, "Request_ResourceNotFound".to_owned()));
    bench.graph("PATCH", &path, json!({"displayName": "writes see it"})).await.expect(204);
}

#[tokio::test]
async fn a_reset_loses_the_answer_with_or_without_the_effect() {
    let bench = Bench::start().await;
    let (id, _) = bench.app("reset").await;
    let add = format!("/applications/{id}/addPassword");
    for (effect, secrets) in [(Effect::ResetBeforeEffect, 0), (Effect::ResetAfterEffect, 1)] {
        bench.emulator.inject(fault("POST", "ADDPASSWORD", effect));
        let lost = bench.request(&bench.token, "POST", &add, Value::Null).send().await;
        assert!(lost.is_err(), "{lost:?}");
        assert_eq!(secrets_of(&bench, &id).await, secrets);
    }
    bench.graph("POST", &add, Value::Null).await.expect(200);
    assert_eq!(bench.emulator.in_flight(), 0);
}

#[tokio::test]
async fn a_delayed_call_lands_later_with_the_token_it_came_with() {
    let bench = Bench::start().await;
    let (id, _) = bench.app("delayed").await;
    bench.emulator.inject(fault("POST", "addPassword", Effect::DelayEffect { seconds: 7200 }));
    let lost =
        bench.request(&bench.token, "POST", &format!("/applications/{id}/addPassword"), Value::Null).send().await;
    assert!(lost.is_err());
    let secrets = || {
        let id = id.parse().unwrap();
        bench.emulator.with_directory(|directory, _| directory.application(id).unwrap().credentials.passwords.len())
    };
    bench.advance(7199);
    assert_eq!(secrets(), 0);
    bench.advance(1);
    assert_eq!(secrets(), 1, "its token has expired by now, but it arrived in time");
}

#[tokio::test]
async fn statuses_are_injected_over_http_too_and_hit_only_what_they_name() {
    let bench = Bench::start().await;
    let (id, _) = bench.app("status").await;
    let body = json!({"method": "POST", "path_contains": "addPassword", "count": 2,
        "effect": {"kind": "status", "code": 429, "retry_after": 7}});
    bench.graph("POST", "/_emulator/faults", body).await.expect(204);
    assert_eq!(secrets_of(&bench, &id).await, 0);
    for _ in 0..2 {
        let answer = bench.graph("POST", &format!("/applications/{id}/addPassword"), Value::Null).await;
        assert_eq!((answer.status, answer.headers["retry-after"].to_str().unwrap()), (429, "7"));
    }
    bench.graph("POST", &format!("/applications/{id}/addPassword"), Value::Null).await.expect(200);
    assert_eq!(secrets_of(&bench, &id).await, 1);

    bench.graph("POST", "/_emulator/quirks", json!({"token_lag": "PT1H"})).await.expect(204);
    let quirks = bench.graph("GET", "/_emulator/quirks", Value::Null).await.expect(200);
    assert_eq!(quirks["token_lag"], "PT1H");
    assert_eq!(bench.graph("POST", "/_emulator/quirks", json!({"tokenlag": 1})).await.status, 400);
    let clock = bench.graph("GET", "/_emulator/clock", Value::Null).await.expect(200);
    assert_eq!(clock, json!({"now": "2026-11-20T09:00:00Z", "rate": 1, "manual": false}));
}

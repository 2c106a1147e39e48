//! Standing conditions: published limits, front ends that disagree, changes that collide, clocks apart, and what the
//! documents leave open.

use everkey::emulator::Quirks;
use serde_json::Value;
use serde_json::json;

use crate::support::Bench;
use crate::support::Identity;
use crate::support::text;

fn set(bench: &Bench, assignments: &[&str]) {
    let mut quirks = Quirks::default();
    assignments.iter().for_each(|one| quirks.assign(one).unwrap());
    bench.emulator.set_quirks(quirks);
}

#[tokio::test]
async fn published_limits_throttle_and_say_so() {
    let bench = Bench::start().await;
    let (id, _) = bench.app("quotas").await;
    set(&bench, &["quotas=S"]);
    let keys = format!("/applications/{id}?$select=keyCredentials");
    let mut told = None;
    for number in 1..=150 {
        let answer = bench.graph("GET", &keys, Value::Null).await;
        assert_eq!((answer.status, answer.headers["x-ms-resource-unit"].to_str().unwrap()), (200, "1"), "{number}");
        told = answer.headers.get("x-ms-throttle-limit-percentage").cloned();
        assert_eq!(told.is_some(), number >= 120, "{number}");
    }
    assert_eq!(told.unwrap(), "1.00");
    let refused = bench.graph("GET", &keys, Value::Null).await;
    assert_eq!(refused.failure(), (429, "TooManyRequests".to_owned()));
    assert_eq!(refused.headers["x-ms-throttle-information"], "ResourceUnitLimitExceeded");
    assert!(refused.headers["x-ms-throttle-scope"].to_str().unwrap().starts_with("Tenant/Read/"));
    let wait: i64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(wait, 1);
    bench.graph("GET", &format!("/applications/{id}"), Value::Null).await.expect(200);
    bench.advance(wait);
    bench.graph("GET", &keys, Value::Null).await.expect(200);
    for _ in 0..20 {
        assert_eq!(bench.graph("GET", &keys, Value::Null).await.status, 429);
    }
    bench.advance(wait);
    assert_eq!(bench.graph("GET", &keys, Value::Null).await.status, 429, "throttled requests count");

    let personal = json!({"displayName": "personal", "signInAudience": "AzureADandPersonalMicrosoftAccount",
        "api": {"requestedAccessTokenVersion": 2}});
    let app = bench.graph("POST", "/applications", personal).await.expect(201);
    let path = format!("/applications/{}", text(&app["id"]));
    let mut passed = 0;
    while bench.graph("PATCH", &path, json!({"displayName": "again"})).await.status == 204 {
        passed += 1;
    }
    assert_eq!(passed, 60, "a minute, where personal accounts sign in");
}

#[tokio::test]
async fn front_ends_disagree() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("ends").await;
    set(&bench, &["front_ends=3", "read_lag=20s", "token_flapping=true", "token_lag=20s"]);
    let added = bench.graph("POST", &format!("/applications/{id}/addPassword"), Value::Null).await.expect(200);
    bench.advance(12);
    let mut seen = Vec::new();
    for _ in 0..6 {
        let read = bench.graph("GET", &format!("/applications/{id}"), Value::Null).await.expect(200);
        seen.push(read["passwordCredentials"].as_array().unwrap().len());
    }
    assert_eq!(seen.iter().sum::<usize>(), 4, "two of three have seen it after 12 of 20 s: {seen:?}");
    assert_eq!(seen[..3], seen[3..]);
    let mut accepted = 0;
    for _ in 0..6 {
        accepted += usize::from(bench.secret_token(&client, &text(&added["secretText"])).await.status == 200);
    }
    assert_eq!(accepted, 3);
}

#[tokio::test]
async fn changes_collide_and_a_fresh_secret_is_unknown() {
    let bench = Bench::start().await;
    let (id, _) = bench.app("collide").await;
    let (other, _) = bench.app("other").await;
    set(
        &bench,
        &[
            "write_conflict_window=5s",
            "fresh_secret_unknown=30s",
            "retry_after_on_conflict=true",
            "password_name_max=4",
        ],
    );
    let (add, remove) = (format!("/applications/{id}/addPassword"), format!("/applications/{id}/removePassword"));
    let added = bench.graph("POST", &add, Value::Null).await.expect(200);
    assert_eq!(
        bench.graph("POST", &add, Value::Null).await.failure(),
        (409, "Directory_ConcurrencyViolation".to_owned())
    );
    bench.graph("POST", &format!("/applications/{other}/addPassword"), Value::Null).await.expect(200);
    bench.advance(5);
    let refused = bench.graph("POST", &remove, json!({"keyId": added["keyId"]})).await;
    assert!(text(&refused.body["error"]["message"]).starts_with("No password credential found with keyId"));
    assert_eq!(refused.status, 400);
    bench.advance(25);
    bench.graph("POST", &remove, json!({"keyId": added["keyId"]})).await.expect(204);
    set(&bench, &["credentials_max=1"]);
    bench.graph("POST", &add, Value::Null).await.expect(200);
    let refused = bench.graph("POST", &add, Value::Null).await;
    assert_eq!(refused.failure(), (403, "Directory_ResourceSizeExceeded".to_owned()));
}

#[tokio::test]
async fn the_clocks_may_stand_apart() {
    let bench = Bench::start().await;
    set(&bench, &["clock_offset=-3m"]);
    let answer = bench.graph("GET", "/applications", Value::Null).await;
    assert_eq!(answer.headers["date"], "Fri, 20 Nov 2026 08:57:00 GMT");
    let token = bench.operator_token().await;
    bench.graph_as(&token, "GET", "/applications", Value::Null).await.expect(200);
}

#[tokio::test]
async fn what_the_documents_leave_open_can_be_otherwise() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("open").await;
    let identity = Identity::valid_for(800);
    let register = json!({"keyCredentials": [identity.entry()]});
    let path = format!("/applications/{id}");
    let mut dated = identity.entry();
    dated["startDateTime"] = json!("2026-11-20T09:00:00Z");
    dated["endDateTime"] = json!("2028-01-20T09:00:00Z");
    set(&bench, &["certificate_year_cap=true"]);
    let refused = bench.graph("PATCH", &path, json!({"keyCredentials": [dated]})).await;
    assert_eq!(refused.failure(), (400, "KeyCredentialsInvalidEndDate".to_owned()));
    set(&bench, &["base64_key_identifiers=true", "duplicate_certificate_refused=true"]);
    bench.graph("PATCH", &path, register.clone()).await.expect(204);
    let read = bench.graph("GET", &path, Value::Null).await.expect(200);
    assert_eq!(text(&read["keyCredentials"][0]["customKeyIdentifier"]).len(), 28);
    let mut both = read["keyCredentials"].clone();
    both.as_array_mut().unwrap().push(identity.entry());
    assert_eq!(bench.graph("PATCH", &path, json!({"keyCredentials": both})).await.status, 400);

    set(&bench, &["expired_echo_refused=true"]);
    bench.advance(3600 * 24 * 800);
    let token = bench.operator_token().await;
    let echo = json!({"keyCredentials": read["keyCredentials"]});
    let refused = bench.graph_as(&token, "PATCH", &path, echo.clone()).await;
    assert_eq!(refused.failure(), (400, "KeyCredentialsInvalidEndDate".to_owned()));
    set(&bench, &["absent_password_is_404=true"]);
    bench.graph_as(&token, "PATCH", &path, echo).await.expect(204);
    let absent = json!({"keyId": "00000000-0000-4000-8000-000000000001"});
    assert_eq!(bench.graph_as(&token, "POST", &format!("{path}/removePassword"), absent).await.status, 404);

    for (lines, separator) in [("error_description_lines=true", "\r\nTrace ID: "), ("read_lag=0s", " Trace ID: ")] {
        set(&bench, &[lines]);
        let refused = bench.secret_token(&client, "wrong").await;
        assert!(text(&refused.body["error_description"]).contains(separator), "{}", refused.body);
    }
    set(&bench, &["duplicate_grant_is_400=true"]);
    let principals = bench.graph_as(&token, "GET", "/servicePrincipals?$select=id", Value::Null).await.expect(200);
    let pair = [0, 1].map(|at| principals["value"][at]["id"].clone());
    let grant = json!({"clientId": pair[0], "consentType": "AllPrincipals", "principalId": null, "resourceId": pair[1], "scope": "openid"});
    bench.graph_as(&token, "POST", "/oauth2PermissionGrants", grant.clone()).await.expect(201);
    assert_eq!(bench.graph_as(&token, "POST", "/oauth2PermissionGrants", grant).await.status, 400);
}

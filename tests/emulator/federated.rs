//! Federated credentials: kept by Graph, and another issuer's tokens at the token endpoint.

use serde_json::Value;
use serde_json::json;

use crate::support::Bench;
use crate::support::text;

const AUDIENCE: &str = "api://AzureADTokenExchange";
const GITHUB: &str = "https://token.actions.githubusercontent.com";
const SUBJECT: &str = "repo:contoso/everkey:environment:production";

fn credential(name: &str, issuer: &str, subject: &str) -> Value {
    json!({"name": name, "issuer": issuer, "subject": subject, "audiences": [AUDIENCE]})
}

impl Bench {
    /// A token of the emulator's own issuer.
    async fn mint(&self, order: Value) -> String {
        text(&self.graph("POST", "/_emulator/issuer/token", order).await.expect(200)["token"])
    }
}

#[tokio::test]
async fn graph_keeps_them_by_id_by_name_and_by_upsert() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("federated").await;
    let all = format!("/applications/{id}/federatedIdentityCredentials");
    let made = bench.graph("POST", &all, credential("github", GITHUB, SUBJECT)).await.expect(201);
    let by_id = format!("{all}/{}", text(&made["id"]));
    for path in [
        by_id.clone(),
        format!("{all}/github"),
        format!("{all}(name='github')"),
        format!("/applications(appId='{client}')/federatedIdentityCredentials/github"),
    ] {
        let read = bench.graph("GET", &path, Value::Null).await.expect(200);
        assert_eq!((&read["subject"], &read["audiences"]), (&json!(SUBJECT), &json!([AUDIENCE])), "{path}");
    }
    bench.graph("PATCH", &by_id, json!({"subject": "other", "description": "why"})).await.expect(204);
    assert_eq!(bench.graph("GET", &by_id, Value::Null).await.expect(200)["description"], "why");
    let renamed = bench.graph("PATCH", &by_id, json!({"name": "gitlab"})).await;
    assert_eq!(renamed.failure(), (400, "Request_BadRequest".to_owned()));

    // An upsert creates or changes; without its header it only changes.
    let second = format!("{all}(name='second')");
    let body = json!({"issuer": GITHUB, "subject": "second", "audiences": [AUDIENCE]});
    assert_eq!(bench.graph("PATCH", &second, body.clone()).await.failure().0, 404);
    let upsert =
        |body: Value| bench.request(&bench.token, "PATCH", &second, body).header("prefer", "create-if-missing");
    assert_eq!(bench.send(upsert(body.clone())).await.expect(201)["name"], "second");
    bench.send(upsert(body)).await.expect(204);

    // Neither a name nor the pair of issuer and subject repeats; every part is needed.
    for body in [credential("github", "https://a.example", "x"), credential("third", GITHUB, "second")] {
        assert_eq!(
            bench.graph("POST", &all, body).await.failure(),
            (409, "Request_MultipleObjectsWithSameKeyValue".to_owned())
        );
    }
    for broken in [
        json!({"subject": null}),
        json!({"audiences": []}),
        json!({"audiences": ["a", "b"]}),
        json!({"name": "a b"}),
        json!({"extra": 1}),
    ] {
        let mut body = credential("broken", GITHUB, "broken");
        body.as_object_mut().unwrap().extend(broken.as_object().unwrap().clone());
        assert_eq!(bench.graph("POST", &all, body).await.failure().0, 400, "{broken}");
    }
    for number in 2..20 {
        bench.graph("POST", &all, credential(&format!("n{number}"), GITHUB, &format!("s{number}"))).await.expect(201);
    }
    assert_eq!(bench.graph("GET", &all, Value::Null).await.expect(200)["value"].as_array().unwrap().len(), 20);
    assert_eq!(bench.graph("POST", &all, credential("more", GITHUB, "more")).await.failure().0, 400, "20 at most");
    bench.graph("DELETE", &second, Value::Null).await.expect(204);
    assert_eq!(bench.graph("GET", &second, Value::Null).await.failure().0, 404);

    // Who does not own the application changes nothing.
    let (_, other) = bench.app("other").await;
    let path = "/applications(appId='{}')/addPassword".replace("{}", &other);
    let secret = text(&bench.graph("POST", &path, Value::Null).await.expect(200)["secretText"]);
    let token = text(&bench.secret_token(&other, &secret).await.expect(200)["access_token"]);
    assert_eq!(bench.graph_as(&token, "POST", &all, credential("x", GITHUB, "x")).await.failure().0, 403);
    assert_eq!(bench.graph_as(&token, "DELETE", &by_id, Value::Null).await.failure().0, 403);
}

#[tokio::test]
async fn a_workload_signs_in_by_issuer_subject_and_audience_to_the_letter() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("workload").await;
    let all = format!("/applications/{id}/federatedIdentityCredentials");
    let own = format!("{}/_emulator/issuer", bench.emulator.url());
    let good = bench.mint(json!({"subject": SUBJECT})).await;
    assert_eq!(bench.assertion_token(&client, &good).await.failure(), (400, "70021".to_owned()));
    bench.graph("POST", &all, credential("own", &own, SUBJECT)).await.expect(201);
    let token = text(&bench.assertion_token(&client, &good).await.expect(200)["access_token"]);
    assert_eq!(bench.graph_as(&token, "GET", "/applications", Value::Null).await.status, 403, "it has no role");

    let refusals = [
        (json!({"subject": SUBJECT.to_uppercase()}), 401, "700213"),
        (json!({"subject": format!("{SUBJECT}-2")}), 401, "700213"),
        (json!({"subject": SUBJECT, "issuer": GITHUB}), 401, "700211"),
        (json!({"subject": SUBJECT, "issuer": format!("{own}/")}), 401, "700211"),
        (json!({"subject": SUBJECT, "audience": "api://AzureADTokenExchangeUSGov"}), 401, "700212"),
        (json!({"subject": SUBJECT, "algorithm": "ES256"}), 401, "5002738"),
        (json!({"subject": SUBJECT, "lifetime_seconds": -301}), 401, "700024"),
    ];
    for (order, status, code) in refusals {
        let answer = bench.assertion_token(&client, &bench.mint(order.clone()).await).await;
        assert_eq!(answer.failure(), (status, code.to_owned()), "{order}: {}", answer.body);
    }
    // Somebody else's key under a name that would fit.
    let stranger = crate::support::Identity::valid_for(30);
    let mut claims = crate::support::claims(&bench, &client);
    for (claim, value) in [("iss", own.as_str()), ("sub", SUBJECT), ("aud", AUDIENCE)] {
        claims[claim] = json!(value);
    }
    assert_eq!(
        bench.assertion_token(&client, &stranger.assertion(false, &claims)).await.failure(),
        (401, "50013".to_owned())
    );

    // It is the issuer that its discovery document and keys speak of, and goes by other names when asked.
    let document =
        bench.graph("GET", "/_emulator/issuer/.well-known/openid-configuration", Value::Null).await.expect(200);
    assert_eq!(document["issuer"], own);
    let keys = bench.graph("GET", &text(&document["jwks_uri"]), Value::Null).await.expect(200);
    assert_eq!(keys["keys"][0]["kty"], "RSA");
    bench.graph("POST", &all, credential("github", GITHUB, SUBJECT)).await.expect(201);
    let github = bench.mint(json!({"subject": SUBJECT, "issuer": GITHUB})).await;
    bench.assertion_token(&client, &github).await.expect(200);

    // What is not established is a switch.
    let quirks = json!({"token_refusals": {"5002738": {"status": 400, "error": "invalid_request"}}});
    bench.graph("POST", "/_emulator/quirks", quirks).await.expect(204);
    let answer = bench.assertion_token(&client, &bench.mint(json!({"subject": "x", "algorithm": "ES256"})).await).await;
    assert_eq!((answer.status, &answer.body["error"]), (400, &json!("invalid_request")));

    // Removed, it lets nobody in; a new one lags as secrets do.
    bench.graph("DELETE", &format!("{all}/own"), Value::Null).await.expect(204);
    assert_eq!(bench.assertion_token(&client, &good).await.failure(), (401, "700211".to_owned()));
    bench.graph("POST", "/_emulator/quirks", json!({"token_lag": "PT30S"})).await.expect(204);
    bench.graph("POST", &all, credential("own", &own, SUBJECT)).await.expect(201);
    assert_eq!(bench.assertion_token(&client, &good).await.failure(), (400, "70021".to_owned()), "none is seen yet");
    bench.advance(31);
    bench.assertion_token(&client, &good).await.expect(200);
}

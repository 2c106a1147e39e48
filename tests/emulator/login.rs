//! The token endpoint: every way in, every refusal with its status and body, what a token says.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use serde_json::Value;
use serde_json::json;

use crate::support::Bench;
use crate::support::Identity;
use crate::support::claims;
use crate::support::text;

fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_secret_signs_in_and_the_token_says_who_and_what() {
    let bench = Bench::start().await;
    let operator = bench.emulator.operator();
    let body = bench.secret_token(&operator.client_id.to_string(), &operator.client_secret).await.expect(200);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3599)));
    let claims = claims_of(&text(&body["access_token"]));
    let now = bench.now().as_second();
    assert_eq!(claims["aud"], "https://graph.microsoft.com");
    assert_eq!(claims["appid"], operator.client_id.to_string());
    assert_eq!(claims["oid"], operator.service_principal_id.to_string());
    assert_eq!(claims["tid"], bench.emulator.tenant_id().to_string());
    assert_eq!((&claims["idtyp"], &claims["appidacr"], &claims["ver"]), (&json!("app"), &json!("1"), &json!("1.0")));
    assert_eq!((&claims["nbf"], &claims["exp"]), (&json!(now), &json!(now + 3599)));
    assert!(claims["roles"].as_array().unwrap().contains(&json!("Application.ReadWrite.OwnedBy")));
    assert!(!claims["roles"].as_array().unwrap().contains(&json!("Application.ReadWrite.All")));
}

#[tokio::test]
async fn the_v1_endpoint_http_basic_the_domain_and_odd_scopes_work_too() {
    let bench = Bench::start().await;
    let operator = bench.emulator.operator();
    let (id, secret) = (operator.client_id.to_string(), operator.client_secret.as_str());
    let url = bench.emulator.url();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", &id),
        ("client_secret", secret),
        ("resource", "https://graph.microsoft.com/"),
    ];
    let body = bench.form(&format!("{url}/contoso.example/oauth2/token"), &fields).await.expect(200);
    assert_eq!((&body["expires_in"], &body["resource"]), (&json!("3599"), &json!("https://graph.microsoft.com/")));
    bench.graph_as(&text(&body["access_token"]), "GET", "/applications", Value::Null).await.expect(200);

    // azure-cli writes two slashes when the resource ends in one, and names resources by client id.
    for scope in [format!("{url}//.default"), "00000003-0000-0000-c000-000000000000/.default".to_owned()] {
        let fields = [("grant_type", "client_credentials"), ("scope", &scope), ("client_info", "1")];
        let request = bench.client.post(bench.token_url()).basic_auth(&id, Some(secret)).form(&fields);
        let token = text(&bench.send(request).await.expect(200)["access_token"]);
        bench.graph_as(&token, "GET", "/applications", Value::Null).await.expect(200);
    }
    // A token for another resource is none for Graph.
    let arm = format!("{url}/arm/.default");
    let fields = [("grant_type", "client_credentials"), ("scope", &arm), ("client_id", &id), ("client_secret", secret)];
    let token = text(&bench.form(&bench.token_url(), &fields).await.expect(200)["access_token"]);
    let refused = bench.graph_as(&token, "GET", "/applications", Value::Null).await;
    assert_eq!(refused.failure(), (401, "InvalidAuthenticationToken".to_owned()));
}

#[tokio::test]
async fn certificates_sign_in_with_both_algorithms_as_real_clients_send_them() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("certificate").await;
    let identity = Identity::valid_for(365);
    bench.register(&id, &identity).await;
    for pss in [false, true] {
        let body = bench.assertion_token(&client, &identity.assertion(pss, &claims(&bench, &client))).await.expect(200);
        assert_eq!(claims_of(&text(&body["access_token"]))["appidacr"], "2");
    }
    // MSAL sends floats and no nbf.
    let mut loose = claims(&bench, &client);
    loose["exp"] = json!(bench.now().as_second() as f64 + 600.782);
    loose.as_object_mut().unwrap().remove("nbf");
    bench.assertion_token(&client, &identity.assertion(true, &loose)).await.expect(200);
    // azure-identity pads the three segments.
    let header = json!({"alg": "RS256", "typ": "JWT", "x5t": BASE64_URL_SAFE.encode(identity.sha1())});
    let padded = identity.sign_encoded(&header, &claims(&bench, &client), BASE64_URL_SAFE);
    assert!(padded.contains('='), "the example has to have padding to mean something: {padded}");
    bench.assertion_token(&client, &padded).await.expect(200);
}

#[tokio::test]
async fn every_refusal_has_its_status_its_word_and_its_body() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("refusals").await;
    let secret = text(
        &bench.graph("POST", &format!("/applications/{id}/addPassword"), Value::Null).await.expect(200)["secretText"],
    );
    let tenant = bench.emulator.tenant_id().to_string();
    let graph = "https://graph.microsoft.com/.default";
    let ask = async |tenant: &str, fields: &[(&str, &str)]| {
        let url = format!("{}/{tenant}/oauth2/v2.0/token", bench.emulator.url());
        let mut form = vec![("grant_type", "client_credentials")];
        for field in fields {
            form.retain(|(name, _)| name != &field.0);
            form.push(*field);
        }
        bench.form(&url, &form).await
    };
    let unknown = "00000000-0000-4000-8000-00000000dead";
    let good = [("client_id", client.as_str()), ("client_secret", secret.as_str()), ("scope", graph)];
    ask(&tenant, &good).await.expect(200);
    let with = |name: &'static str, value: &'static str| {
        let mut fields = good.to_vec();
        fields.retain(|(given, _)| *given != name);
        fields.push((name, value));
        fields
    };
    let cases = [
        (tenant.as_str(), with("client_secret", "wrong"), 401, "invalid_client", 7_000_215),
        (tenant.as_str(), with("client_secret", ""), 401, "invalid_client", 7_000_218),
        (tenant.as_str(), with("client_id", unknown), 400, "unauthorized_client", 700_016),
        (tenant.as_str(), with("client_id", ""), 400, "invalid_request", 900_144),
        (tenant.as_str(), with("scope", ""), 400, "invalid_request", 900_144),
        (tenant.as_str(), with("scope", "https://graph.microsoft.com/User.Read"), 400, "invalid_scope", 1_002_012),
        (
            tenant.as_str(),
            with("scope", "https://a.example/.default https://b.example/.default"),
            400,
            "invalid_scope",
            70_011,
        ),
        (tenant.as_str(), with("scope", "https://nowhere.example/.default"), 400, "invalid_resource", 500_011),
        (tenant.as_str(), with("grant_type", "password"), 400, "unsupported_grant_type", 70_003),
        (unknown, good.to_vec(), 400, "invalid_tenant", 90_002),
        ("fabrikam.example", good.to_vec(), 400, "invalid_tenant", 90_002),
        ("nonsense", good.to_vec(), 400, "invalid_request", 900_023),
        ("common", good.to_vec(), 400, "invalid_request", 9_001_023),
    ];
    for (tenant, fields, status, error, code) in cases {
        let answer = ask(tenant, &fields).await;
        assert_eq!((answer.status, &answer.body["error"]), (status, &json!(error)), "{code}: {}", answer.body);
        assert_eq!(answer.body["error_codes"], json!([code]));
        let description = text(&answer.body["error_description"]);
        assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
        assert!(description.contains(&format!("Trace ID: {}", text(&answer.body["trace_id"]))));
        assert_eq!(answer.body["timestamp"], "2026-11-20 09:00:00Z");
        assert_eq!(answer.headers["date"], "Fri, 20 Nov 2026 09:00:00 GMT");
        assert_eq!(answer.headers["x-ms-request-id"].to_str().unwrap(), text(&answer.body["trace_id"]));
        assert!(!answer.body.to_string().contains(&secret), "a refusal never repeats a secret");
    }
}

#[tokio::test]
async fn expired_disabled_and_missing_principals_are_told_apart() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("principals").await;
    let end = (bench.now() + SignedDuration::from_hours(1)).to_string();
    let body = json!({"passwordCredential": {"displayName": "short", "endDateTime": end}});
    let secret =
        text(&bench.graph("POST", &format!("/applications/{id}/addPassword"), body).await.expect(200)["secretText"]);
    bench.secret_token(&client, &secret).await.expect(200);

    let principal = format!("/servicePrincipals(appId='{client}')");
    bench.graph("PATCH", &principal, json!({"accountEnabled": false})).await.expect(204);
    let refused = bench.secret_token(&client, &secret).await;
    assert_eq!(
        (refused.failure(), &refused.body["error"]),
        ((400, "7000112".to_owned()), &json!("unauthorized_client"))
    );
    bench.graph("PATCH", &principal, json!({"accountEnabled": true})).await.expect(204);
    bench.secret_token(&client, &secret).await.expect(200);

    bench.advance(3600);
    assert_eq!(bench.secret_token(&client, &secret).await.failure(), (401, "7000222".to_owned()));

    let other = bench.graph("POST", "/applications", json!({"displayName": "alone"})).await;
    assert_eq!(other.failure(), (401, "InvalidAuthenticationToken".to_owned()), "the token is an hour old");
    let token = bench.operator_token().await;
    let app = bench.graph_as(&token, "POST", "/applications", json!({"displayName": "alone"})).await.expect(201);
    let path = format!("/applications/{}/addPassword", text(&app["id"]));
    let secret = text(&bench.graph_as(&token, "POST", &path, Value::Null).await.expect(200)["secretText"]);
    assert_eq!(bench.secret_token(&text(&app["appId"]), &secret).await.failure(), (400, "7000229".to_owned()));
}

#[tokio::test]
async fn bad_assertions_are_refused_with_the_reason() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("assertions").await;
    let identity = Identity::valid_for(30);
    let stranger = Identity::valid_for(30);
    bench.register(&id, &identity).await;
    let good = claims(&bench, &client);
    let changed = |claim: &str, value: Value| {
        let mut claims = good.clone();
        claims[claim] = value;
        identity.assertion(false, &claims)
    };
    let now = bench.now().as_second();
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(identity.sha1());
    let mut forged = stranger.sign(&json!({"alg": "RS256", "x5t": thumbprint}), &good);
    let cases = [
        (stranger.assertion(false, &good), "700027", "The key was not found."),
        (forged.clone(), "700027", "invalid signature"),
        (changed("exp", json!(now - 301)), "700024", "not within its valid time range"),
        (changed("nbf", json!(now + 301)), "700024", "not within its valid time range"),
        (changed("aud", json!("https://graph.microsoft.com")), "700023", "audience"),
        (changed("iss", json!("00000000-0000-4000-8000-00000000dead")), "700021", "client_id"),
        (identity.sign(&json!({"alg": "RS256"}), &good), "50012", "x5t"),
        (identity.sign(&json!({"alg": "ES256", "x5t": thumbprint}), &good), "5002738", "algorithm"),
        ("not.a.token".to_owned(), "50027", "malformed"),
    ];
    for (assertion, code, words) in cases {
        let answer = bench.assertion_token(&client, &assertion).await;
        assert_eq!(answer.failure(), (401, code.to_owned()), "{}", answer.body);
        assert!(text(&answer.body["error_description"]).contains(words), "{}", answer.body);
    }
    forged.pop();
    assert_ne!(bench.assertion_token(&client, &forged).await.status, 200);

    bench.advance(30 * 86_400);
    let answer = bench.assertion_token(&client, &identity.assertion(true, &claims(&bench, &client))).await;
    assert_eq!(answer.failure(), (401, "700027".to_owned()));
    assert!(text(&answer.body["error_description"]).contains("The key used is expired."), "{}", answer.body);
}

#[tokio::test]
async fn discovery_names_the_tenant_and_the_keys_check_tokens() {
    let bench = Bench::start().await;
    let url = bench.emulator.url();
    let tenant = bench.emulator.tenant_id();
    let get = async |path: &str| bench.send(bench.client.get(format!("{url}/{path}"))).await;
    let document = get(&format!("{tenant}/v2.0/.well-known/openid-configuration")).await.expect(200);
    assert_eq!(document["token_endpoint"], bench.token_url());
    assert_eq!(document["issuer"], format!("{url}/{tenant}/v2.0"));
    let keys = bench.send(bench.client.get(text(&document["jwks_uri"]))).await.expect(200);
    let header: Value =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(bench.token.split('.').next().unwrap()).unwrap())
            .unwrap();
    assert_eq!(keys["keys"][0]["kid"], header["kid"]);
    let components = aws_lc_rs::signature::RsaPublicKeyComponents {
        n: BASE64_URL_SAFE_NO_PAD.decode(text(&keys["keys"][0]["n"])).unwrap(),
        e: BASE64_URL_SAFE_NO_PAD.decode(text(&keys["keys"][0]["e"])).unwrap(),
    };
    let (signed, signature) = bench.token.rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    components
        .verify(&aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
        .expect("the published key checks the token");

    let missing = get("00000000-0000-4000-8000-00000000dead/v2.0/.well-known/openid-configuration").await;
    assert_eq!((missing.failure(), &missing.body["error"]), ((400, "90002".to_owned()), &json!("invalid_tenant")));
}

#[tokio::test]
async fn the_sign_in_report_may_lag_and_may_show_days_only() {
    let bench = Bench::start().await;
    let client = bench.emulator.operator().client_id.to_string();
    let mut quirks = bench.graph("GET", "/_emulator/quirks", Value::Null).await.expect(200);
    let last = async || {
        let report = bench.graph("GET", "/beta/reports/appCredentialSignInActivities", Value::Null).await.expect(200);
        let mine = report["value"].as_array().unwrap().iter().find(|one| one["appId"] == client.as_str()).cloned();
        mine.map(|one| one["signInActivity"]["lastSignInDateTime"].clone())
    };
    bench.advance(3000);
    bench.operator_token().await;
    assert_eq!(last().await, Some(json!("2026-11-20T09:50:00Z")));
    quirks["report_lag"] = json!("PT1800S");
    bench.graph("POST", "/_emulator/quirks", quirks.clone()).await.expect(204);
    assert_eq!(last().await, Some(json!("2026-11-20T09:00:00Z")), "the younger one is not there yet");
    quirks["report_rounds_to_day"] = json!(true);
    bench.graph("POST", "/_emulator/quirks", quirks.clone()).await.expect(204);
    assert_eq!(last().await, Some(json!("2026-11-20T00:00:00Z")));
    quirks["report_lag"] = json!("PT72H");
    bench.graph("POST", "/_emulator/quirks", quirks).await.expect(204);
    assert_eq!(last().await, None);
}

//! Secrets and certificates on applications: addPassword, addKey with its proof, PATCH of the collection.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use everkey::emulator::Quirks;
use jiff::SignedDuration;
use serde_json::Value;
use serde_json::json;

use crate::support::Bench;
use crate::support::Identity;
use crate::support::claims;
use crate::support::text;

#[tokio::test]
async fn a_secret_is_shown_once_hinted_at_and_removed() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("secrets").await;
    let path = format!("/applications/{id}");
    let body = json!({"passwordCredential": {"displayName": "SecurEnds connector [ek1 abc123.1.1]"}});
    let added = bench.graph("POST", &format!("{path}/addPassword"), body).await.expect(200);
    let value = text(&added["secretText"]);
    assert_eq!(value.len(), 40);
    assert_eq!(added["hint"], value[..3]);
    assert_eq!(
        (&added["startDateTime"], &added["endDateTime"]),
        (&json!("2026-11-20T09:00:00Z"), &json!("2028-11-20T09:00:00Z"))
    );
    bench.secret_token(&client, &value).await.expect(200);

    let read = bench.graph("GET", &path, Value::Null).await.expect(200);
    assert_eq!(read["passwordCredentials"][0]["displayName"], "SecurEnds connector [ek1 abc123.1.1]");
    assert_eq!(read["passwordCredentials"][0]["secretText"], Value::Null);
    assert!(!read.to_string().contains(&value));
    assert_eq!(
        bench.graph("PATCH", &path, json!({"passwordCredentials": []})).await.status,
        400,
        "only by its own verbs"
    );

    let remove = json!({"keyId": added["keyId"]});
    bench.graph("POST", &format!("{path}/removePassword"), remove.clone()).await.expect(204);
    let again = bench.graph("POST", &format!("{path}/removePassword"), remove).await;
    assert_eq!(again.status, 400);
    assert!(text(&again.body["error"]["message"]).starts_with("No password credential found with keyId"));
    assert_eq!(bench.secret_token(&client, &value).await.failure(), (401, "7000215".to_owned()));
}

#[tokio::test]
async fn apps_open_to_personal_accounts_hold_two_secrets_expired_ones_too() {
    let bench = Bench::start().await;
    let body = json!({
        "displayName": "LEXZUR", "signInAudience": "AzureADandPersonalMicrosoftAccount", "api": {"requestedAccessTokenVersion": 2},
    });
    let app = bench.graph("POST", "/applications", body).await.expect(201);
    let path = format!("/applications/{}/addPassword", text(&app["id"]));
    let soon = (bench.now() + SignedDuration::from_secs(60)).to_string();
    bench.graph("POST", &path, json!({"passwordCredential": {"endDateTime": soon}})).await.expect(200);
    bench.advance(120);
    bench.graph("POST", &path, Value::Null).await.expect(200);
    let third = bench.graph("POST", &path, Value::Null).await;
    assert_eq!(third.failure(), (400, "Request_BadRequest".to_owned()));
}

#[tokio::test]
async fn patch_replaces_the_collection_and_echoes_keep_what_they_name() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("certificates").await;
    let path = format!("/applications/{id}");
    let (first, second) = (Identity::valid_for(365), Identity::valid_for(365));
    // azure-cli breaks the base64 into lines and sends a keyId and a type annotation of its own.
    let mut entry = first.entry();
    let lines = text(&entry["key"])
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect::<Vec<_>>();
    entry["key"] = json!(lines.join("\n"));
    entry["keyId"] = json!("11111111-0000-4000-8000-000000000001");
    entry["@odata.type"] = json!("#microsoft.graph.keyCredential");
    entry["displayName"] = Value::Null;
    bench.graph("PATCH", &path, json!({"keyCredentials": [entry]})).await.expect(204);

    let read = bench.graph("GET", &path, Value::Null).await.expect(200)["keyCredentials"].clone();
    assert_eq!(read[0]["keyId"], "11111111-0000-4000-8000-000000000001");
    assert_eq!(read[0]["key"], Value::Null, "bytes only with $select on one object");
    let hex: String = first.sha1().iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(read[0]["customKeyIdentifier"], hex);
    let selected = bench.graph("GET", &format!("{path}?$select=id,keyCredentials"), Value::Null).await.expect(200);
    assert_eq!(selected["keyCredentials"][0]["key"], BASE64_STANDARD.encode(&first.der));

    // Append: echo with a null key, and the new one.
    let body = json!({"keyCredentials": [read[0], second.entry()]});
    bench.graph("PATCH", &path, body).await.expect(204);
    for identity in [&first, &second] {
        bench.assertion_token(&client, &identity.assertion(true, &claims(&bench, &client))).await.expect(200);
    }
    // An echo that alters the entry is refused, and so is one that loses its identifier.
    let mut altered = read[0].clone();
    altered["endDateTime"] = json!("2026-12-01T00:00:00Z");
    let mut nameless = read[0].clone();
    nameless["customKeyIdentifier"] = Value::Null;
    for bad in [altered, nameless] {
        let refused = bench.graph("PATCH", &path, json!({"keyCredentials": [bad]})).await;
        assert_eq!(refused.status, 400);
        assert!(text(&refused.body["error"]["message"]).starts_with("Update to existing credential with KeyId"));
    }
    // Left out is gone.
    bench.graph("PATCH", &path, json!({"keyCredentials": [second.entry()]})).await.expect(204);
    let refused = bench.assertion_token(&client, &first.assertion(true, &claims(&bench, &client))).await;
    assert_eq!(refused.failure(), (401, "700027".to_owned()));
}

#[tokio::test]
async fn certificates_are_dated_within_themselves_and_have_to_be_some() {
    let bench = Bench::start().await;
    let (id, _) = bench.app("dates").await;
    let path = format!("/applications/{id}");
    let identity = Identity::valid_for(30);
    let patch = async |name: &str, value: Value| {
        let mut entry = identity.entry();
        entry[name] = value;
        bench.graph("PATCH", &path, json!({"keyCredentials": [entry]})).await.failure()
    };
    assert_eq!(
        patch("endDateTime", json!("2027-06-01T00:00:00Z")).await,
        (400, "KeyCredentialsInvalidEndDate".to_owned())
    );
    assert_eq!(
        patch("startDateTime", json!("2026-01-01T00:00:00Z")).await,
        (400, "KeyCredentialsInvalidStartDate".to_owned())
    );
    assert_eq!(patch("key", json!("bm90IGEgY2VydGlmaWNhdGU=")).await.0, 400);
    assert_eq!(patch("key", Value::Null).await.0, 400);
    assert_eq!(patch("usage", json!("Sign")).await.0, 400);
    bench.register(&id, &identity).await;
    let read = bench.graph("GET", &path, Value::Null).await.expect(200);
    assert_eq!(read["keyCredentials"][0]["endDateTime"], "2026-12-19T09:00:00Z", "the certificate's own by default");
}

#[tokio::test]
async fn keys_roll_with_a_proof_by_a_live_certificate_of_the_same_app_only() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("roll").await;
    let (other_id, _) = bench.app("other").await;
    let (old, new, stranger) = (Identity::valid_for(30), Identity::valid_for(365), Identity::valid_for(365));
    let add = format!("/applications/{id}/addKey");
    let now = bench.now().as_second();
    let body = |proof: &str| json!({"keyCredential": new.entry(), "passwordCredential": null, "proof": proof});
    let bootstrap = bench.graph("POST", &add, body(&new.proof(&id, now))).await;
    assert_eq!(bootstrap.status, 401, "an app without a certificate cannot prove anything");
    bench.register(&id, &old).await;

    let padded = format!("{}=", old.proof(&id, now));
    let wrong_audience =
        json!({"aud": "00000003-0000-0000-c000-000000000000", "iss": id, "nbf": now, "exp": now + 600});
    let too_long = json!({"aud": "00000002-0000-0000-c000-000000000000", "iss": id, "nbf": now, "exp": now + 601});
    let header = json!({"alg": "RS256"});
    let bad = [
        stranger.proof(&id, now),
        old.proof(&client, now),
        old.proof(&other_id, now),
        old.proof(&id, now - 901),
        old.sign(&header, &wrong_audience),
        old.sign(&header, &too_long),
        padded,
        "nonsense".to_owned(),
    ];
    for proof in bad {
        let answer = bench.graph("POST", &add, body(&proof)).await;
        assert_eq!(answer.failure(), (401, "Authentication_MissingOrMalformed".to_owned()), "{proof}");
    }
    let missing = bench.graph("POST", &add, json!({"keyCredential": new.entry()})).await;
    assert_eq!(missing.failure(), (403, "Authorization_RequestDenied".to_owned()));

    let added = bench.graph("POST", &add, body(&old.proof(&id, now))).await.expect(200);
    bench.assertion_token(&client, &new.assertion(true, &claims(&bench, &client))).await.expect(200);
    assert_eq!(added["key"], Value::Null);

    // The app itself needs no Graph permission to roll its own keys; another app without any may not.
    let own = bench.assertion_token(&client, &new.assertion(true, &claims(&bench, &client))).await.expect(200);
    let own = text(&own["access_token"]);
    assert_eq!(bench.graph_as(&own, "GET", &format!("/applications/{id}"), Value::Null).await.status, 403);
    assert_eq!(bench.graph_as(&own, "POST", &format!("/applications/{id}/addPassword"), Value::Null).await.status, 403);
    let keys = bench.graph("GET", &format!("/applications/{id}"), Value::Null).await.expect(200);
    let old_id = keys["keyCredentials"].as_array().unwrap().iter().find(|key| key["keyId"] != added["keyId"]).unwrap()
        ["keyId"]
        .clone();
    let remove = json!({"keyId": old_id, "proof": new.proof(&id, now)});
    bench.graph_as(&own, "POST", &format!("/applications/{id}/removeKey"), remove.clone()).await.expect(204);
    let again = bench.graph_as(&own, "POST", &format!("/applications/{id}/removeKey"), remove).await;
    assert_eq!(again.status, 400, "no such key any more");
    assert_eq!(bench.graph_as(&own, "POST", &format!("/applications/{other_id}/addKey"), body("x")).await.status, 403);
}

#[tokio::test]
async fn what_the_documents_leave_open_can_be_switched() {
    let bench = Bench::start().await;
    bench.emulator.set_quirks(Quirks { echo_null_keeps_key: false, honours_client_key_id: false, ..Quirks::default() });
    let (id, _) = bench.app("quirks").await;
    let path = format!("/applications/{id}");
    let identity = Identity::valid_for(30);
    let mut entry = identity.entry();
    entry["keyId"] = json!("11111111-0000-4000-8000-000000000001");
    bench.graph("PATCH", &path, json!({"keyCredentials": [entry]})).await.expect(204);
    let keys = bench.graph("GET", &path, Value::Null).await.expect(200)["keyCredentials"].clone();
    assert_ne!(keys[0]["keyId"], "11111111-0000-4000-8000-000000000001");
    // With its bytes the echo keeps the entry, with null it is lost.
    let mut with_bytes = keys[0].clone();
    with_bytes["key"] = identity.entry()["key"].clone();
    bench.graph("PATCH", &path, json!({"keyCredentials": [with_bytes]})).await.expect(204);
    assert_eq!(
        bench.graph("GET", &path, Value::Null).await.expect(200)["keyCredentials"][0]["keyId"],
        keys[0]["keyId"]
    );
    bench.graph("PATCH", &path, json!({"keyCredentials": [keys[0]]})).await.expect(204);
    assert_eq!(bench.graph("GET", &path, Value::Null).await.expect(200)["keyCredentials"], json!([]));
}

#[tokio::test]
async fn an_object_holds_so_many_credentials_and_no_more() {
    let bench = Bench::start().await;
    let (id, _) = bench.app("full").await;
    let mut quirks = bench.graph("GET", "/_emulator/quirks", Value::Null).await.expect(200);
    assert_eq!(quirks["credentials_max"], 600);
    quirks["credentials_max"] = json!(2);
    bench.graph("POST", "/_emulator/quirks", quirks).await.expect(204);
    let add = async || bench.graph("POST", &format!("/applications/{id}/addPassword"), Value::Null).await;
    add().await.expect(200);
    bench.register(&id, &Identity::valid_for(90)).await;
    assert_eq!(add().await.failure(), (403, "Directory_ResourceSizeExceeded".to_owned()));
    let entries = json!([Identity::valid_for(90).entry(), Identity::valid_for(90).entry()]);
    let patched = bench.graph("PATCH", &format!("/applications/{id}"), json!({"keyCredentials": entries})).await;
    assert_eq!(patched.failure(), (403, "Directory_ResourceSizeExceeded".to_owned()));
}

//! Refusals of the token endpoint that sources leave open, or that only an administrator causes.

use serde_json::Value;
use serde_json::json;

use crate::support::Bench;
use crate::support::text;

#[tokio::test]
async fn conditional_access_refuses_one_application_until_it_is_let() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("blocked").await;
    let path = format!("/applications/{id}/addPassword");
    let secret = text(&bench.graph("POST", &path, Value::Null).await.expect(200)["secretText"]);
    bench.secret_token(&client, &secret).await.expect(200);
    bench.graph("POST", "/_emulator/block", json!({"client_id": client, "blocked": true})).await.expect(204);
    assert_eq!(bench.secret_token(&client, &secret).await.failure(), (400, "53003".to_owned()));
    assert_eq!(
        bench.secret_token(&client, "wrong").await.failure(),
        (401, "7000215".to_owned()),
        "the secret comes first"
    );
    bench.operator_token().await;
    bench.graph("POST", "/_emulator/block", json!({"client_id": client, "blocked": false})).await.expect(204);
    bench.secret_token(&client, &secret).await.expect(200);
}

/// Every status that no source establishes can be set, and what is not named stays.
#[tokio::test]
async fn what_is_not_established_is_a_switch() {
    let bench = Bench::start().await;
    let (id, client) = bench.app("switches").await;
    let path = format!("/applications/{id}/addPassword");
    let secret = text(&bench.graph("POST", &path, Value::Null).await.expect(200)["secretText"]);
    let other = bench.graph("POST", "/applications", json!({"displayName": "alone"})).await.expect(201);
    let path = format!("/applications/{}/addPassword", text(&other["id"]));
    let alone = text(&bench.graph("POST", &path, Value::Null).await.expect(200)["secretText"]);
    let (alone_client, scope) = (text(&other["appId"]), "https://graph.microsoft.com/User.Read");
    let ask = async |code: u32| match code {
        7_000_229 => bench.secret_token(&alone_client, &alone).await,
        1_002_012 => {
            let fields = [
                ("grant_type", "client_credentials"),
                ("client_id", &*client),
                ("client_secret", &*secret),
                ("scope", scope),
            ];
            bench.form(&bench.token_url(), &fields).await
        }
        _ => bench.secret_token(&client, "wrong").await,
    };
    let usual = [
        (7_000_229, 400, "unauthorized_client"),
        (1_002_012, 400, "invalid_scope"),
        (7_000_215, 401, "invalid_client"),
    ];
    for (code, status, error) in usual {
        let answer = ask(code).await;
        assert_eq!((answer.failure(), &answer.body["error"]), ((status, code.to_string()), &json!(error)));
    }
    let switched =
        json!({"token_refusals": {"7000229": {"status": 401, "error": "invalid_client"}, "1002012": {"status": 401}}});
    bench.graph("POST", "/_emulator/quirks", switched).await.expect(204);
    let other =
        [(7_000_229, 401, "invalid_client"), (1_002_012, 401, "invalid_scope"), (7_000_215, 401, "invalid_client")];
    for (code, status, error) in other {
        let answer = ask(code).await;
        assert_eq!((answer.failure(), &answer.body["error"]), ((status, code.to_string()), &json!(error)));
    }
}

//! The exact wire of the calls on applications, their secrets and their certificates.

use everkey::model::Audience;
use everkey::model::CertificateEntry;
use everkey::model::Permission;
use everkey::model::PermissionKind;
use everkey::model::Platform;
use everkey::model::RedirectUri;
use everkey::ports::Directory;
use everkey::secret::Secret;
use jiff::SignedDuration;
use serde_json::json;

use super::server::Answer;
use super::world::*;

fn ids() -> Answer {
    // In capitals, as no id of ours is: it must come down.
    Answer::json(200, json!({ "id": OBJECT.to_uppercase(), "appId": CLIENT.to_uppercase() }).to_string())
}

fn uri(platform: Platform, uri: &str) -> RedirectUri {
    RedirectUri { platform, uri: uri.into() }
}

#[tokio::test]
async fn an_application_is_created_by_upsert_only_when_there_is_none() {
    let created = Answer::json(201, json!({ "id": OBJECT, "appId": CLIENT }).to_string());
    let world = World::new(vec![Answer::error(404, "Request_ResourceNotFound", "no"), created]).await;
    let mut spec = spec();
    spec.audience = Audience::MultiAndPersonal;
    spec.redirect_uris =
        vec![uri(Platform::Web, "https://a.contoso.example/"), uri(Platform::Spa, "https://b.contoso.example/")];
    spec.permissions = vec![permission(PermissionKind::Role, "role-1", "Mail.Send")];

    let app = world.graph.create_application("ek/o'hara & co", &spec).await.unwrap();

    assert_eq!((app.object_id, app.client_id, app.tenant_id), (object(), client_id(), tenant()));
    let seen = world.server.seen();
    assert_eq!(seen.len(), 2);
    let path = "/v1.0/applications(uniqueName='ek%2Fo%27%27hara%20%26%20co')";
    assert_eq!(seen[0].line, format!("GET {path}?$select=id%2CappId"));
    assert_eq!(seen[1].line, format!("PATCH {path}"));
    assert_eq!(seen[1].header("prefer"), Some("create-if-missing"));
    assert_eq!(seen[1].header("content-type"), Some("application/json"));
    assert_eq!(seen[1].header("authorization"), Some("Bearer token-1"));
    assert_eq!(
        seen[1].json(),
        json!({
            "displayName": "Payroll connector",
            "signInAudience": "AzureADandPersonalMicrosoftAccount",
            "api": { "requestedAccessTokenVersion": 2 },
            "web": { "redirectUris": ["https://a.contoso.example/"] },
            "spa": { "redirectUris": ["https://b.contoso.example/"] },
            "requiredResourceAccess": [
                { "resourceAppId": GRAPH_APP, "resourceAccess": [{ "id": "role-1", "type": "Role" }] }
            ],
        })
    );
}

#[tokio::test]
async fn an_application_that_exists_is_found_and_not_touched() {
    let world = World::new(vec![ids()]).await;
    let app = world.graph.create_application("payroll", &spec()).await.unwrap();
    assert_eq!((app.object_id, app.client_id), (object(), client_id()));
    assert_eq!(world.server.seen().len(), 1);
}

#[tokio::test]
async fn an_upsert_that_only_updated_is_followed_by_a_patient_read() {
    let missing = || Answer::error(404, "Request_ResourceNotFound", "no");
    let world = World::new(vec![missing(), Answer::empty(204), missing(), missing(), ids()]).await;
    let app = world.graph.create_application("payroll", &spec()).await.unwrap();
    assert_eq!(app.object_id, object());
    assert_eq!(world.clock.waits_ms(), [5_000, 5_000]);
}

#[tokio::test]
async fn an_application_is_found_by_its_client_id_or_not_at_all() {
    let world = World::new(vec![ids(), Answer::error(404, "Request_ResourceNotFound", "no")]).await;
    assert_eq!(world.graph.find_application(&client_id()).await.unwrap().unwrap().object_id, object());
    assert!(world.graph.find_application(&client_id()).await.unwrap().is_none());
    let line = format!("GET /v1.0/applications(appId='{CLIENT}')?$select=id%2CappId");
    assert_eq!(world.server.lines(), [line.clone(), line]);
}

#[tokio::test]
async fn an_application_is_read_with_all_its_credentials_and_graphs_time() {
    let body = json!({
        "id": OBJECT, "appId": CLIENT, "displayName": "Payroll", "signInAudience": "AzureADMyOrg",
        "web": { "redirectUris": ["https://w/"], "homePageUrl": null }, "spa": { "redirectUris": [] },
        "publicClient": { "redirectUris": ["https://p/"] },
        "requiredResourceAccess": [{ "resourceAppId": GRAPH_APP.to_uppercase(),
            "resourceAccess": [{ "id": "R1", "type": "Role" }, { "id": "S1", "type": "Scope" }] }],
        "passwordCredentials": [{ "keyId": KEY, "displayName": "x [ek1 abcdef.1.1]", "hint": "abc",
            "startDateTime": "2026-01-01T00:00:00Z", "endDateTime": "2026-07-01T00:00:00.1234567Z", "secretText": null }],
        "keyCredentials": [{ "keyId": KEY, "displayName": "CN=x", "type": "AsymmetricX509Cert", "usage": "Verify",
            "customKeyIdentifier": "2iD8ppbE+D6K7tWb4zNqjtQPCOE=", "key": "aGVsbG8=",
            "startDateTime": "2026-01-01T00:00:00Z", "endDateTime": "2027-01-01T00:00:00Z" }],
    });
    let world = World::new(vec![Answer::json(200, body.to_string()).with("date: Fri, 20 Nov 2026 12:00:00 GMT")]).await;

    let read = world.graph.application(&object()).await.unwrap();

    assert_eq!(world.server.lines(), [format!("GET /v1.0/applications/{OBJECT}")]);
    assert_eq!(read.date.unwrap().to_string(), "2026-11-20T12:00:00Z");
    let app = read.value;
    assert_eq!(app.redirect_uris, [uri(Platform::PublicClient, "https://p/"), uri(Platform::Web, "https://w/")]);
    let ids: Vec<_> = app.permissions.iter().map(|p| (p.resource.as_str(), p.kind, p.id.as_str())).collect();
    assert_eq!(ids, [(GRAPH_APP, PermissionKind::Role, "r1"), (GRAPH_APP, PermissionKind::Scope, "s1")]);
    assert_eq!(app.secrets[0].hint.as_deref(), Some("abc"));
    assert_eq!(app.secrets[0].end.to_string(), "2026-07-01T00:00:00.1234567Z");
    assert_eq!(app.certificates[0].key, None, "key bytes are only for key_credentials");
    assert_eq!(
        app.certificates[0].thumbprint.as_ref().unwrap().as_str(),
        "AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D",
        "taken from the bytes, since they were there"
    );
}

#[tokio::test]
async fn an_update_sends_unions_and_only_what_differs() {
    let body = json!({
        "id": OBJECT, "appId": CLIENT, "displayName": "Payroll connector", "signInAudience": "AzureADMyOrg",
        "web": { "redirectUris": ["https://by-hand/", "https://same/"] }, "spa": { "redirectUris": ["https://spa/"] },
        "requiredResourceAccess": [{ "resourceAppId": GRAPH_APP, "resourceAccess": [{ "id": "by-hand", "type": "Scope" }] }],
        "passwordCredentials": [], "keyCredentials": [],
    });
    let world = World::new(vec![Answer::json(200, body.to_string()), Answer::empty(204)]).await;
    let observed = world.graph.application(&object()).await.unwrap().value;
    let mut spec = spec();
    spec.redirect_uris = vec![
        uri(Platform::Web, "https://same/"),
        uri(Platform::Web, "https://new/"),
        uri(Platform::Spa, "https://spa/"),
    ];
    let other = Permission { resource: "aaaa".into(), ..permission(PermissionKind::Role, "role", "X.Y") };
    spec.permissions = vec![permission(PermissionKind::Scope, "BY-HAND", "User.Read"), other];
    world.server.seen();

    world.graph.update_application(&observed, &spec).await.unwrap();

    let seen = world.server.seen();
    assert_eq!(seen[0].line, format!("PATCH /v1.0/applications/{OBJECT}"));
    assert_eq!(
        seen[0].json(),
        json!({
            "web": { "redirectUris": ["https://by-hand/", "https://same/", "https://new/"] },
            "requiredResourceAccess": [
                { "resourceAppId": GRAPH_APP, "resourceAccess": [{ "id": "by-hand", "type": "Scope" }] },
                { "resourceAppId": "aaaa", "resourceAccess": [{ "id": "role", "type": "Role" }] },
            ],
        })
    );

    spec.redirect_uris.truncate(1);
    spec.permissions.truncate(1);
    world.graph.update_application(&observed, &spec).await.unwrap();
    assert!(world.server.seen().is_empty(), "nothing differs, nothing is sent");
}

#[tokio::test]
async fn a_secret_is_added_with_whole_seconds_and_returned_once() {
    let body = json!({ "keyId": KEY.to_uppercase(), "displayName": "d", "hint": "Q3z", "secretText": "Q3z8Q~value",
        "startDateTime": "2026-11-20T09:00:00Z", "endDateTime": "2027-05-19T09:00:00Z" });
    let world = World::new(vec![Answer::json(200, body.to_string())]).await;
    let (from, until) = (start() + SignedDuration::from_millis(999), start() + SignedDuration::from_hours(24 * 365));

    let added = world.graph.add_password(&object(), "Payroll [ek1 abcdef.1.1]", from, until).await.unwrap();

    assert_eq!(added.value.expose(), b"Q3z8Q~value");
    assert_eq!(added.entry.key_id.as_str(), KEY);
    assert_eq!(added.entry.end.to_string(), "2027-05-19T09:00:00Z", "what Graph granted, not what was asked");
    let seen = world.server.seen();
    assert_eq!(seen[0].line, format!("POST /v1.0/applications/{OBJECT}/addPassword"));
    assert_eq!(
        seen[0].json(),
        json!({ "passwordCredential": { "displayName": "Payroll [ek1 abcdef.1.1]",
            "startDateTime": "2026-11-20T09:00:00Z", "endDateTime": "2027-11-20T09:00:00Z" } })
    );
}

#[tokio::test]
async fn a_secret_is_removed_and_one_that_is_gone_counts_as_removed() {
    let gone = "No password credential found with keyId '4'.";
    let world = World::new(vec![
        Answer::empty(204),
        Answer::error(404, "Request_ResourceNotFound", "no"),
        Answer::error(400, "Request_BadRequest", gone),
        Answer::error(400, "Request_BadRequest", "Something else."),
    ])
    .await;
    for _ in 0..3 {
        world.graph.remove_password(&object(), &KEY.into()).await.unwrap();
    }
    world.graph.remove_password(&object(), &KEY.into()).await.unwrap_err();
    for seen in world.server.seen() {
        assert_eq!(seen.line, format!("POST /v1.0/applications/{OBJECT}/removePassword"));
        assert_eq!(seen.json(), json!({ "keyId": KEY }));
    }
}

fn certificate(key: Option<&[u8]>) -> CertificateEntry {
    CertificateEntry {
        key_id: KEY.into(),
        display_name: Some("CN=payroll".into()),
        thumbprint: None,
        custom_key_identifier: Some("AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D".into()),
        kind: "AsymmetricX509Cert".into(),
        usage: "Verify".into(),
        start: start(),
        end: "2027-11-20T09:00:00.25Z".parse().unwrap(),
        key: key.map(Vec::from),
    }
}

#[tokio::test]
async fn key_bytes_are_read_with_select_on_the_single_object() {
    let body = json!({ "keyCredentials": [{ "keyId": KEY, "displayName": null, "type": "AsymmetricX509Cert",
        "usage": "Verify", "customKeyIdentifier": null, "key": "aGVs\nbG8=",
        "startDateTime": "2026-01-01T00:00:00Z", "endDateTime": "2027-01-01T00:00:00Z" }] });
    let world = World::new(vec![Answer::json(200, body.to_string())]).await;
    let keys = world.graph.key_credentials(&object()).await.unwrap().value;
    assert_eq!(keys[0].key.as_deref(), Some(&b"hello"[..]));
    assert_eq!(world.server.lines(), [format!("GET /v1.0/applications/{OBJECT}?$select=keyCredentials")]);
}

#[tokio::test]
async fn a_key_is_added_and_removed_with_a_proof() {
    let gone = Answer::error(400, "Request_BadRequest", "No key credential found with keyId '4'.");
    let added = Answer::json(200, json!({ "keyId": KEY.to_uppercase() }).to_string());
    let world = World::new(vec![added, Answer::empty(204), gone]).await;
    let proof = Secret::from_text("a.b.c".into());

    assert_eq!(world.graph.add_key(&object(), &certificate(Some(b"hello")), &proof).await.unwrap().as_str(), KEY);
    world.graph.remove_key(&object(), &KEY.into(), &proof).await.unwrap();
    world.graph.remove_key(&object(), &KEY.into(), &proof).await.unwrap();

    let seen = world.server.seen();
    assert_eq!(seen[0].line, format!("POST /v1.0/applications/{OBJECT}/addKey"));
    assert_eq!(
        seen[0].json(),
        json!({
            "keyCredential": { "type": "AsymmetricX509Cert", "usage": "Verify", "key": "aGVsbG8=",
                "displayName": "CN=payroll", "startDateTime": "2026-11-20T09:00:00Z", "endDateTime": "2027-11-20T09:00:00Z" },
            "passwordCredential": null,
            "proof": "a.b.c",
        })
    );
    assert_eq!(seen[1].line, format!("POST /v1.0/applications/{OBJECT}/removeKey"));
    assert_eq!(seen[1].json(), json!({ "keyId": KEY, "proof": "a.b.c" }));

    world.graph.add_key(&object(), &certificate(None), &proof).await.unwrap_err();
    assert!(world.server.seen().is_empty(), "without the certificate nothing is sent");
}

#[tokio::test]
async fn replacing_keys_echoes_every_field() {
    let world = World::new(vec![Answer::empty(204)]).await;
    world.graph.replace_keys(&object(), &[certificate(Some(b"hello")), certificate(None)]).await.unwrap();
    let entry = |key| {
        json!({ "keyId": KEY, "displayName": "CN=payroll", "type": "AsymmetricX509Cert", "usage": "Verify",
            "customKeyIdentifier": "AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D",
            "startDateTime": "2026-11-20T09:00:00Z", "endDateTime": "2027-11-20T09:00:00.25Z", "key": key })
    };
    let seen = world.server.seen();
    assert_eq!(seen[0].line, format!("PATCH /v1.0/applications/{OBJECT}"));
    assert_eq!(seen[0].json(), json!({ "keyCredentials": [entry(json!("aGVsbG8=")), entry(json!(null))] }));
}

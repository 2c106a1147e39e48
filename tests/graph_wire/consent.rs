//! The exact wire of service principals and consent.

use everkey::model::Grants;
use everkey::model::Permission;
use everkey::model::PermissionKind;
use everkey::ports::Directory;
use everkey::ports::PortError;
use serde_json::json;

use super::server::Answer;
use super::world::*;

fn principal(id: &str) -> Answer {
    Answer::json(200, json!({ "id": id, "accountEnabled": false, "tags": ["HideApp"] }).to_string())
}

fn list(entries: serde_json::Value) -> Answer {
    Answer::json(200, json!({ "value": entries }).to_string())
}

fn missing() -> Answer {
    Answer::error(404, "Request_ResourceNotFound", "no")
}

#[tokio::test]
async fn a_principal_is_found_tagged_and_disabled() {
    let own = json!({"id": PRINCIPAL, "accountEnabled": false, "tags": ["HideApp"], "keyCredentials": [],
        "passwordCredentials": [{"keyId": "K"}]});
    let answers = vec![Answer::json(200, own.to_string()), missing(), Answer::empty(204), Answer::empty(204)];
    let world = World::new(answers).await;
    let found = world.graph.principal(&client_id()).await.unwrap().unwrap();
    assert_eq!((found.object_id.as_str(), found.enabled, found.tags), (PRINCIPAL, false, vec!["HideApp".to_owned()]));
    assert_eq!(found.secrets.unwrap()[0].key_id.as_str(), "k", "its own, which the application does not show");
    assert_eq!(world.graph.principal(&client_id()).await.unwrap(), None);
    world.graph.set_principal_tags(&PRINCIPAL.into(), &["HideApp".into()]).await.unwrap();
    world.graph.set_principal_enabled(&PRINCIPAL.into(), false).await.unwrap();
    let seen = world.server.seen();
    let line = format!("GET /v1.0/servicePrincipals(appId='{CLIENT}')");
    assert_eq!((&seen[0].line, &seen[1].line), (&line, &line));
    assert_eq!(seen[2].line, format!("PATCH /v1.0/servicePrincipals/{PRINCIPAL}"));
    assert_eq!(seen[2].json(), json!({ "tags": ["HideApp"] }));
    assert_eq!(seen[3].line, format!("PATCH /v1.0/servicePrincipals/{PRINCIPAL}"));
    assert_eq!(seen[3].json(), json!({ "accountEnabled": false }));
}

#[tokio::test]
async fn a_principal_that_exists_is_read_instead_of_created() {
    let conflict = Answer::error(409, "Request_MultipleObjectsWithSameKeyValue", "it exists");
    let world = World::new(vec![conflict, principal(PRINCIPAL)]).await;
    assert_eq!(world.graph.create_principal(&client_id()).await.unwrap().object_id.as_str(), PRINCIPAL);
    let seen = world.server.seen();
    assert_eq!(seen[0].line, "POST /v1.0/servicePrincipals");
    assert_eq!(seen[0].json(), json!({ "appId": CLIENT }));
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn creating_a_principal_outlasts_every_symptom_of_replication() {
    let refused = |message: &str| Answer::error(400, "Request_BadRequest", message);
    let symptoms = vec![
        missing(),
        Answer::error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
        refused("The appId '3' of the service principal does not reference a valid application object."),
        refused(
            "When using this permission, the backing application of the service principal being created must in the local tenant",
        ),
        Answer::error(409, "Request_MultipleObjectsWithSameKeyValue", "it exists"),
        missing(),
    ];
    let tries = symptoms.len() - 1;
    let mut script = symptoms;
    script.push(Answer::json(201, json!({ "id": PRINCIPAL }).to_string()));
    let world = World::new(script).await;
    assert!(world.graph.create_principal(&client_id()).await.unwrap().enabled);
    assert_eq!(world.clock.waits_ms(), vec![5_000; tries]);
}

#[tokio::test]
async fn creating_a_principal_gives_up_in_the_end_and_at_once_where_waiting_cannot_help() {
    let world = World::new(vec![missing(); 20]).await;
    assert!(matches!(world.graph.create_principal(&client_id()).await, Err(PortError::Missing(_))));
    assert_eq!(world.server.seen().len(), 8);
    for answer in [
        Answer::error(400, "Request_BadRequest", "Invalid value."),
        Answer::error(403, "Directory_QuotaExceeded", "full"),
        Answer::empty(503),
        Answer::empty(429),
    ] {
        let world = World::new(vec![answer]).await;
        world.graph.create_principal(&client_id()).await.unwrap_err();
        assert_eq!(world.server.seen().len(), 1);
    }
}

#[tokio::test]
async fn grants_are_read_from_all_pages_and_resources_are_looked_up_once() {
    let world = World::new(Vec::new()).await;
    let role = |role: &str, resource: &str| json!({ "appRoleId": role, "resourceId": resource, "id": "x" });
    let first = json!({ "value": [role("R1", RESOURCE), role("R2", "gone")],
        "@odata.nextLink": format!("{}/v1.0/next?$skiptoken=a%2Fb", world.server.url) });
    let scopes = |consent: &str, scope: &str| json!({ "id": "g", "consentType": consent, "resourceId": RESOURCE.to_uppercase(), "scope": scope });
    for answer in [
        Answer::json(200, first.to_string()),
        list(json!([role("R3", RESOURCE)])),
        Answer::json(200, json!({ "appId": GRAPH_APP }).to_string()),
        missing(),
        list(json!([scopes("AllPrincipals", " User.Read  Mail.Read"), scopes("Principal", "Mail.Send")])),
    ] {
        world.server.then(answer);
    }

    let grants = world.graph.grants(&PRINCIPAL.into()).await.unwrap();

    let pair = |name: &str| (GRAPH_APP.into(), name.to_owned());
    assert_eq!(grants.roles, [pair("r1"), pair("r3")]);
    assert_eq!(grants.scopes, [pair("User.Read"), pair("Mail.Read")]);
    assert_eq!(
        world.server.lines(),
        [
            format!("GET /v1.0/servicePrincipals/{PRINCIPAL}/appRoleAssignments"),
            "GET /v1.0/next?$skiptoken=a%2Fb".into(),
            format!("GET /v1.0/servicePrincipals/{RESOURCE}?$select=appId"),
            "GET /v1.0/servicePrincipals/gone?$select=appId".into(),
            format!("GET /v1.0/oauth2PermissionGrants?$filter=clientId%20eq%20%27{PRINCIPAL}%27"),
        ]
    );
}

fn wanted() -> [Permission; 4] {
    [
        permission(PermissionKind::Role, "R1", "Mail.Send"),
        permission(PermissionKind::Role, "r2", "Mail.Read"),
        permission(PermissionKind::Scope, "s1", "User.Read"),
        permission(PermissionKind::Scope, "s2", "Mail.Read"),
    ]
}

fn present() -> Grants {
    Grants { roles: vec![(GRAPH_APP.into(), "r1".into())], scopes: vec![(GRAPH_APP.into(), "User.Read".into())] }
}

#[tokio::test]
async fn what_is_missing_is_granted_and_an_existing_grant_is_extended() {
    let grant = json!({ "id": "g/1", "consentType": "AllPrincipals", "resourceId": RESOURCE, "scope": "User.Read" });
    let duplicate = Answer::error(400, "Request_BadRequest", "Permission being assigned already exists on the object");
    let world = World::new(vec![principal(RESOURCE), duplicate, list(json!([grant])), Answer::empty(204)]).await;

    world.graph.grant(&PRINCIPAL.into(), &wanted(), &present()).await.unwrap();

    let seen = world.server.seen();
    assert_eq!(seen[1].line, format!("POST /v1.0/servicePrincipals/{PRINCIPAL}/appRoleAssignments"));
    assert_eq!(seen[1].json(), json!({ "principalId": PRINCIPAL, "resourceId": RESOURCE, "appRoleId": "r2" }));
    assert_eq!(seen[3].line, "PATCH /v1.0/oauth2PermissionGrants/g%2F1");
    assert_eq!(seen[3].json(), json!({ "scope": "Mail.Read User.Read" }));
    assert_eq!(seen.len(), 4);
}

#[tokio::test]
async fn a_first_grant_is_made_and_one_made_meanwhile_is_extended() {
    let created = || Answer::json(201, "{}");
    let world = World::new(vec![principal(RESOURCE), created(), list(json!([])), created()]).await;
    world.graph.grant(&PRINCIPAL.into(), &wanted(), &present()).await.unwrap();
    let seen = world.server.seen();
    assert_eq!(seen[3].line, "POST /v1.0/oauth2PermissionGrants");
    assert_eq!(
        seen[3].json(),
        json!({ "clientId": PRINCIPAL, "consentType": "AllPrincipals", "principalId": null,
            "resourceId": RESOURCE, "scope": "Mail.Read" })
    );

    let raced = [
        Answer::error(409, "Request_MultipleObjectsWithSameKeyValue", "it exists"),
        Answer::error(400, "Request_BadRequest", "Permission entry already exists."),
    ];
    for duplicate in raced {
        let grant = json!({ "id": "g", "consentType": "AllPrincipals", "resourceId": RESOURCE, "scope": "Mail.Read" });
        let script = vec![principal(RESOURCE), created(), list(json!([])), duplicate, list(json!([grant]))];
        let world = World::new(script).await;
        world.graph.grant(&PRINCIPAL.into(), &wanted(), &present()).await.unwrap();
        assert_eq!(world.server.seen().len(), 5, "it holds the scope already: no PATCH");
    }
}

#[tokio::test]
async fn nothing_missing_means_nothing_sent_and_no_resource_means_an_error() {
    let world = World::new(vec![missing()]).await;
    world.graph.grant(&PRINCIPAL.into(), &wanted()[..1], &present()).await.unwrap();
    assert!(world.server.seen().is_empty());
    let error = world.graph.grant(&PRINCIPAL.into(), &wanted(), &present()).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().code, "ResourcePrincipalMissing");
}

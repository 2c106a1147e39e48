//! A whole tenant: pages, owners, repeats, throttling, and deltas that have expired.

use everkey::model::HolderKind;
use everkey::model::ObjectId;
use everkey::ports::Directory as _;
use everkey::ports::PortError;
use everkey::run::inventory;
use serde_json::Value;
use serde_json::json;

use super::server::Answer;
use super::world::World;

fn app(id: &str, secrets: usize) -> Value {
    let secret = |number| json!({"keyId": format!("{id}-{number}"), "endDateTime": "2027-01-01T00:00:00Z"});
    json!({
        "id": id, "appId": format!("client-{id}"), "displayName": id, "keyCredentials": [],
        "passwordCredentials": (0..secrets).map(secret).collect::<Vec<_>>(),
        "owners": [{"@odata.type": "#microsoft.graph.user", "id": "U1", "mail": "d.okoro@contoso.example"}],
    })
}

fn page(rows: &[Value]) -> Answer {
    Answer::json(200, json!({ "value": rows }).to_string())
}

/// Links are absolute, so the server's address has to be known: answers are given one request after the other.
async fn paged(world: &World, rows: &[Value], next: &str) -> Answer {
    let link = format!("{}{next}", world.server.url);
    Answer::json(200, json!({"value": rows, "@odata.nextLink": link}).to_string())
}

#[tokio::test]
async fn a_tenant_is_read_by_pages_of_999_and_each_object_counts_once() {
    let world = World::new(Vec::new()).await;
    // B was moved to the second page by a change between the two; service principals take one page.
    world.server.then(paged(&world, &[app("A", 1), app("B", 2)], "/v1.0/applications?$skiptoken=x").await);
    world.server.then(Answer::json(429, "{}").with("retry-after: 1"));
    world.server.then(page(&[app("B", 2), app("C", 0)]));
    world.server.then(page(&[app("S", 1)]));
    let taken = inventory::take(&world.graph, &mut ()).await.unwrap();
    assert_eq!((taken.applications, taken.principals, taken.rows().len()), (3, 1, 4));
    assert_eq!(taken.holders[0].owner_mail(), Some("d.okoro@contoso.example"));
    let seen = world.server.seen();
    let first = seen[0].line.replace("%24", "$").replace("%2C", ",");
    for part in ["$top=999", "$expand=owners", "passwordCredentials,keyCredentials"] {
        assert!(first.contains(part), "{first}");
    }
    assert!(seen[1].line.contains("$skiptoken=x") && seen[2].line == seen[1].line, "the throttled page is asked again");
    world.waited(&[1000]);
}

#[tokio::test]
async fn without_owners_the_tenant_is_read_all_the_same() {
    let refusal = || Answer::error(400, "Request_UnsupportedQuery", "The expand is not supported");
    let mut plain = app("A", 1);
    plain.as_object_mut().unwrap().remove("owners");
    let world = World::new(vec![refusal(), page(&[plain]), refusal(), page(&[])]).await;
    let taken = inventory::take(&world.graph, &mut ()).await.unwrap();
    assert!(taken.owners_unknown && taken.ownerless() == 0, "unknown is not none");
}

#[tokio::test]
async fn half_a_tenant_is_none() {
    // A page whose objects lack their credentials, one that is denied, and links that run in a circle.
    let bare = json!({"id": "A", "appId": "c", "displayName": "A"});
    let world = World::new(vec![page(&[bare])]).await;
    assert!(matches!(inventory::take(&world.graph, &mut ()).await, Err(PortError::Unsure { .. })));
    let world = World::new(vec![page(&[app("A", 1)]), Answer::error(403, "Authorization_RequestDenied", "no")]).await;
    assert!(matches!(inventory::take(&world.graph, &mut ()).await, Err(PortError::Denied(_))));
    let world = World::new(Vec::new()).await;
    for _ in 0..2 {
        world.server.then(paged(&world, &[app("A", 1)], "/v1.0/applications?$skiptoken=x").await);
    }
    assert!(matches!(inventory::take(&world.graph, &mut ()).await, Err(PortError::Unsure { .. })));
    let away = Answer::json(200, json!({"value": [], "@odata.nextLink": "https://evil.example/v1.0/x"}).to_string());
    let world = World::new(vec![away]).await;
    assert!(inventory::take(&world.graph, &mut ()).await.is_err(), "a link that leaves Graph is not followed");
    assert_eq!(world.server.seen().len(), 1);
}

#[tokio::test]
async fn a_delta_gives_ids_once_and_an_expired_one_says_so() {
    let world = World::new(Vec::new()).await;
    let link = format!("{}/v1.0/applications/delta?$deltatoken=2", world.server.url);
    let rows = [json!({"id": "A"}), json!({"id": "B", "@removed": {"reason": "changed"}})];
    world.server.then(paged(&world, &rows, "/v1.0/applications/delta?$skiptoken=1").await);
    let last = json!({"value": [{"id": "A", "displayName": "again"}], "@odata.deltaLink": link});
    world.server.then(Answer::json(200, last.to_string()));
    let start = format!("{}/v1.0/applications/delta?$deltatoken=1", world.server.url);
    let changes = world.graph.changes(HolderKind::Application, Some(&start)).await.unwrap();
    assert_eq!((changes.changed, changes.removed), (vec![ObjectId::from("a")], vec![ObjectId::from("b")]));
    assert_eq!(changes.link, link);

    world.server.then(Answer::error(410, "resyncRequired", "start over"));
    let error = world.graph.changes(HolderKind::Application, Some(&link)).await.unwrap_err();
    assert_eq!(error.refusal().map(|refusal| refusal.status), Some(410));
    // Neither link at the end: not "nothing changed".
    world.server.then(page(&[]));
    assert!(matches!(world.graph.changes(HolderKind::Principal, Some(&start)).await, Err(PortError::Unsure { .. })));
    let first = page(&[]);
    world.server.then(first);
    assert!(world.graph.changes(HolderKind::Principal, None).await.is_err());
    let asked = world.server.seen().last().unwrap().line.replace("%24", "$");
    assert!(asked.contains("/v1.0/servicePrincipals/delta") && asked.contains("$deltatoken=latest"), "{asked}");
}

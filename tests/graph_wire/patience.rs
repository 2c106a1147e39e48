//! Reads are repeated, within bounds, on the clock that was given.

use std::sync::Arc;

use everkey::graph::Patience;
use everkey::ports::Directory;
use everkey::ports::PortError;
use serde_json::json;

use super::server::Answer;
use super::world::*;

fn application() -> Answer {
    Answer::json(
        200,
        json!({ "id": OBJECT, "appId": CLIENT, "passwordCredentials": [], "keyCredentials": [] }).to_string(),
    )
}

/// After a 429 nothing is sent before its time, and then more slowly than the limits allow, to the whole tenant; a
/// change is refused at once instead of being sent late.
#[tokio::test]
async fn after_a_429_everkey_stays_below_the_limits() {
    let throttled = Answer::empty(429)
        .with("retry-after: 20")
        .with("x-ms-throttle-scope: Tenant_Application/ReadWrite/8f0c1d52/31aa");
    let mut script = vec![throttled];
    script.extend(vec![Answer::empty(204); 600]);
    let world = World::with(script, Arc::new(Tokens::default()), Patience::NONE).await;
    world.graph.application(&object()).await.unwrap_err();
    let remove = async || world.graph.remove_password(&object(), &KEY.into()).await;
    let Err(PortError::Throttled { retry_after: Some(wait), .. }) = remove().await else { panic!("sent too early") };
    assert_eq!((wait.as_secs(), world.server.seen().len()), (20, 1), "nothing was sent");
    world.clock.advance(wait);
    // Two and a half minutes of a caller who always waits as told: half of 3000 writes at most, here by its steps.
    let (mut sent, mut refused) = (0, 0);
    for _ in 0..400 {
        match remove().await {
            Ok(()) => sent += 1,
            Err(PortError::Throttled { retry_after: Some(_), .. }) => refused += 1,
            other => panic!("{other:?}"),
        }
        world.clock.advance(jiff::SignedDuration::from_millis(50));
    }
    // 20 s, at 10 a second.
    assert!((150..=210).contains(&sent), "{sent} sent, {refused} refused");
    assert_eq!(world.server.seen().len(), sent);
}

#[tokio::test]
async fn a_read_survives_three_failures_and_no_more() {
    let throttled = |wait: &str| Answer::empty(429).with(&format!("retry-after: {wait}"));
    let dated = Answer::empty(503)
        .with("date: Fri, 20 Nov 2026 12:00:00 GMT")
        .with("retry-after: Fri, 20 Nov 2026 12:00:09 GMT");
    for (failures, waits) in [
        (vec![Answer::Close, Answer::empty(500), Answer::json(200, "<html>")], [1_000, 2_000, 4_000]),
        (vec![throttled("7"), throttled("0.5"), throttled("86400")], [7_000, 500, 60_000]),
        (vec![throttled("soon"), Answer::empty(429), dated], [1_000, 2_000, 9_000]),
    ] {
        let mut script = failures.clone();
        script.push(application());
        let world = World::new(script).await;
        world.graph.application(&object()).await.unwrap();
        world.waited(&waits);

        let mut script = failures;
        script.push(Answer::empty(502));
        script.push(application());
        let world = World::new(script).await;
        assert!(matches!(world.graph.application(&object()).await, Err(PortError::Unsure { .. })));
        assert_eq!(world.server.seen().len(), 4);
    }
}

#[tokio::test]
async fn a_definite_no_is_not_repeated() {
    for answer in [Answer::empty(400), Answer::empty(403), Answer::empty(404), Answer::empty(409)] {
        let world = World::new(vec![answer, application()]).await;
        world.graph.application(&object()).await.unwrap_err();
        assert_eq!((world.server.seen().len(), world.clock.waits_ms().len()), (1, 0));
    }
}

#[tokio::test]
async fn without_patience_nobody_waits() {
    let missing = || Answer::error(404, "Request_ResourceNotFound", "no");
    let world = World::with(vec![Answer::empty(503), missing()], Arc::new(Tokens::default()), Patience::NONE).await;
    world.graph.application(&object()).await.unwrap_err();
    world.graph.create_principal(&client_id()).await.unwrap_err();
    assert_eq!((world.server.seen().len(), world.clock.waits_ms().len()), (2, 0));
}

#[tokio::test]
async fn each_page_has_its_own_patience_and_nothing_is_read_twice() {
    let world = World::new(Vec::new()).await;
    let page = |number: u32, next: Option<u32>| {
        let next = next.map(|next| format!("{}/v1.0/page/{next}", world.server.url));
        let role = json!({ "appRoleId": format!("r{number}"), "resourceId": RESOURCE });
        Answer::json(200, json!({ "value": [role], "@odata.nextLink": next }).to_string())
    };
    for answer in [
        Answer::empty(503),
        page(0, Some(1)),
        Answer::empty(503),
        Answer::Close,
        page(1, Some(2)),
        page(2, None),
        Answer::json(200, json!({ "appId": GRAPH_APP }).to_string()),
        Answer::json(200, r#"{"value":[]}"#),
    ] {
        world.server.then(answer);
    }
    let roles: Vec<_> =
        world.graph.grants(&PRINCIPAL.into()).await.unwrap().roles.into_iter().map(|role| role.1).collect();
    assert_eq!(roles, ["r0", "r1", "r2"]);
    world.waited(&[1_000, 1_000, 2_000]);
}

#[tokio::test]
async fn pages_may_be_large() {
    let role = json!({ "appRoleId": "r".repeat(2 * 1024 * 1024), "resourceId": RESOURCE });
    let world = World::new(vec![
        Answer::json(200, json!({ "value": [role] }).to_string()),
        Answer::json(200, json!({ "appId": GRAPH_APP }).to_string()),
        Answer::json(200, r#"{"value":[]}"#),
    ])
    .await;
    assert_eq!(world.graph.grants(&PRINCIPAL.into()).await.unwrap().roles.len(), 1);
}

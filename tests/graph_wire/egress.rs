//! Nothing that a far side writes makes a token leave its origin (check 22 of `reliability.md`).

use std::sync::Arc;

use everkey::graph::Graph;
use everkey::graph::GraphOptions;
use everkey::graph::Patience;
use everkey::http;
use everkey::model::HolderKind;
use everkey::ports::Directory;
use everkey::ports::PortError;
use serde_json::json;

use super::server::Answer;
use super::server::Server;
use super::world::*;

/// Links that must not be followed. `{port}` is Graph's port, `{evil}` that of a listening server, trusted by
/// the client, which records whatever arrives.
const TRICKS: [&str; 57] = [
    "https://localhost:{evil}/v1.0/x",
    "https://localhost:{evil}",
    "https://127.0.0.1:{evil}/v1.0/x",
    "https://127.0.0.1:{port}/v1.0/x",
    "https://[::1]:{port}/v1.0/x",
    "https://[::ffff:127.0.0.1]:{port}/v1.0/x",
    "https://2130706433:{port}/v1.0/x",
    "https://0x7f000001:{port}/v1.0/x",
    "https://0177.0.0.1:{port}/v1.0/x",
    "https://127.1:{port}/v1.0/x",
    "https://0.0.0.0:{port}/v1.0/x",
    "https://localhost/v1.0/x",
    "https://localhost:443/v1.0/x",
    "https://localhost:/v1.0/x",
    "https://localhost:{port}0/v1.0/x",
    "https://localhost:{port}@localhost:{evil}/v1.0/x",
    "https://localhost:{port}:x@localhost:{evil}/v1.0/x",
    "https://localhost%3A{port}@localhost:{evil}/v1.0/x",
    "https://localhost:{port}%40localhost:{evil}/v1.0/x",
    "https://admin@localhost:{port}/v1.0/x",
    "https://admin:pw@localhost:{port}/v1.0/x",
    "https://:pw@localhost:{port}/v1.0/x",
    "https://localhost.:{port}/v1.0/x",
    "https://localhost.evil.example:{port}/v1.0/x",
    "https://localhost.localhost:{port}/v1.0/x",
    "https://evil-localhost:{port}/v1.0/x",
    "https://localhost%00.evil.example:{port}/v1.0/x",
    "https://localhost%2eevil.example:{port}/v1.0/x",
    "https://localhost%2fevil.example:{port}/v1.0/x",
    "https://localhost\\@localhost:{evil}/v1.0/x",
    "https://localhost:{evil}\\@localhost:{port}/v1.0/x",
    "https://localhost:{evil}#@localhost:{port}/v1.0/x",
    "https://localhost:{evil}?@localhost:{port}/v1.0/x",
    "https://localhost:{evil}/@localhost:{port}/v1.0/x",
    "https://localhost:{evil};@localhost:{port}/v1.0/x",
    "https:\\\\localhost:{evil}\\v1.0\\x",
    "https:/\\localhost:{port}/v1.0/x",
    "https:localhost:{evil}/v1.0/x",
    "https:////localhost:{evil}/v1.0/x",
    "//localhost:{evil}/v1.0/x",
    "//localhost:{port}/v1.0/x",
    "/v1.0/x",
    "v1.0/x",
    "?$skiptoken=x",
    "",
    " https://localhost:{port}/v1.0/x",
    "https://localhost:{port}/v1.0/x\r\nHost: evil.example",
    "https://local\thost:{port}/v1.0/x",
    "http://localhost:{port}/v1.0/x",
    "http://localhost:{evil}/v1.0/x",
    "HTTP://localhost:{port}/v1.0/x",
    "ftp://localhost:{port}/v1.0/x",
    "file:///etc/hostname",
    "javascript:alert(1)",
    "data:application/json,{}",
    "https://localhost:{port}/v1.0/x?{long}",
    "https://ⓔvil.example:{port}/v1.0/x",
];

#[tokio::test]
async fn no_link_takes_a_token_to_another_origin() {
    let evil = Server::start(vec![Answer::json(200, r#"{"value":[]}"#); 100]).await;
    for trick in TRICKS {
        let world = World::new(Vec::new()).await;
        let port = world.server.port.to_string();
        let link = trick.replace("{port}", &port).replace("{evil}", &evil.port.to_string());
        let link = link.replace("{long}", &"x".repeat(20_000));
        world.server.then(Answer::json(200, json!({ "value": [], "@odata.nextLink": link }).to_string()));
        let error = world.graph.grants(&PRINCIPAL.into()).await.unwrap_err();
        assert_eq!(error.refusal().map(|refusal| refusal.code.as_str()), Some("ForeignOrigin"), "{link}: {error}");
        assert_eq!(world.server.seen().len(), 1, "{link}");
        assert!(error.to_string().chars().all(|c| !c.is_control()), "{link}");
    }
    assert!(evil.seen().is_empty());
}

/// The same for a tenant's pages, whose cursor is kept between calls, for a delta link, which is kept for weeks, and for
/// `Location`.
#[tokio::test]
async fn no_link_that_is_kept_takes_a_token_to_another_origin() {
    let evil = Server::start(vec![Answer::json(200, r#"{"value":[]}"#); 100]).await;
    for trick in TRICKS {
        let world = World::with(Vec::new(), Arc::new(Tokens::default()), Patience::NONE).await;
        let port = world.server.port.to_string();
        let link = trick.replace("{port}", &port).replace("{evil}", &evil.port.to_string());
        let link = link.replace("{long}", &"x".repeat(20_000));
        let foreign = |error: PortError| assert_eq!(error.refusal().unwrap().code, "ForeignOrigin", "{link}");
        world.server.then(Answer::json(200, json!({ "value": [], "@odata.nextLink": link }).to_string()));
        let page = world.graph.holders(HolderKind::Application, None).await.unwrap();
        foreign(world.graph.holders(HolderKind::Application, page.next).await.unwrap_err());
        foreign(world.graph.changes(HolderKind::Application, Some(&link)).await.unwrap_err());
        assert_eq!(world.server.seen().len(), 1, "{link}");
        if link.chars().all(|c| c.is_ascii() && !c.is_ascii_control()) {
            for status in [301, 302, 303, 307, 308] {
                world.server.then(Answer::empty(status).with(&format!("location: {link}")));
                let told = world.graph.application(&object()).await.unwrap_err();
                assert!(matches!(told, PortError::Unsure { .. }), "{link}: {told}");
                assert_eq!(world.server.seen().len(), 1, "{link}");
            }
        }
    }
    assert!(evil.seen().is_empty());
}

#[tokio::test]
async fn odd_spellings_of_the_own_origin_stay_at_home() {
    for link in [
        "HTTPS://LOCALHOST:{port}/v1.0/x",
        "https://localhost:0{port}/v1.0/x",
        "https://%6cocalhost:{port}/v1.0/x",
        "https://ⓛocalhost:{port}/v1.0/x",
        "https://localhost:{port}/../../v1.0/x",
        "https://localhost:{port}/%2e%2e/v1.0/x",
        "https://localhost:{port}//localhost:1/v1.0/x",
        "https://localhost:{port}/v1.0/x#fragment",
    ] {
        let world = World::new(Vec::new()).await;
        let link = link.replace("{port}", &world.server.port.to_string());
        for body in [json!({ "value": [], "@odata.nextLink": link }), json!({ "value": [] }), json!({ "value": [] })] {
            world.server.then(Answer::json(200, body.to_string()));
        }
        world.graph.grants(&PRINCIPAL.into()).await.unwrap();
        let lines = world.server.lines();
        assert_eq!(lines.len(), 3, "{link}");
        assert!(lines[1].ends_with("/v1.0/x"), "{link}: {}", lines[1]);
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let evil = Server::start(vec![Answer::json(200, r#"{"value":[]}"#); 100]).await;
    for status in [301, 302, 303, 307, 308] {
        for target in [format!("{}/v1.0/x", evil.url), "/v1.0/elsewhere".to_owned()] {
            let moved = Answer::empty(status).with(&format!("location: {target}"));
            let world = World::new(vec![moved.clone(), moved.clone(), moved.clone(), moved.clone(), moved]).await;
            let add = world.graph.add_password(&object(), "x", start(), start()).await;
            assert!(matches!(add, Err(PortError::Unsure { .. })), "{status}");
            assert_eq!(world.server.seen().len(), 1);
            world.graph.application(&object()).await.unwrap_err();
            assert!(world.server.lines().iter().all(|line| line.ends_with(OBJECT)), "{status}");
        }
    }
    assert!(evil.seen().is_empty());
}

#[tokio::test]
async fn pages_in_a_circle_end() {
    let world = World::new(Vec::new()).await;
    for number in [1, 2, 1] {
        let link = format!("{}/v1.0/page/{number}", world.server.url);
        world.server.then(Answer::json(200, json!({ "value": [], "@odata.nextLink": link }).to_string()));
    }
    let error = world.graph.grants(&PRINCIPAL.into()).await.unwrap_err();
    assert!(matches!(error, PortError::Unsure { .. }), "{error}");
    assert_eq!(world.server.seen().len(), 3);
}

#[tokio::test]
async fn endless_pages_end() {
    let world = World::new(Vec::new()).await;
    for number in 0..10_001 {
        let link = format!("{}/v1.0/page/{number}", world.server.url);
        world.server.then(Answer::json(200, json!({ "value": [], "@odata.nextLink": link }).to_string()));
    }
    let error = world.graph.grants(&PRINCIPAL.into()).await.unwrap_err();
    assert!(matches!(&error, PortError::Unsure { why, .. } if why.contains("more pages")), "{error}");
    assert_eq!(world.server.seen().len(), 10_000);
}

#[tokio::test]
async fn a_page_beyond_its_cap_is_not_read() {
    let page = format!(r#"{{"value":[]{}}}"#, " ".repeat(32 * 1024 * 1024));
    let server = Server::start(vec![Answer::json(200, page)]).await;
    // So many bytes take their time on a busy machine.
    let timeout = std::time::Duration::from_secs(60);
    let options = http::Options { ca_pem: Some(super::server::ca_pem()), timeout, ..http::Options::default() };
    let graph = Graph::new(GraphOptions {
        http: http::Client::new(&options).unwrap(),
        graph_url: server.url.clone(),
        tenant: tenant(),
        clock: Arc::new(JumpingClock::new()),
        tokens: Arc::new(Tokens::default()),
        patience: Patience::NONE,
    });
    let error = graph.unwrap().grants(&PRINCIPAL.into()).await.unwrap_err();
    assert!(matches!(&error, PortError::Unsure { why, .. } if why.contains("longer than 33554432 bytes")), "{error}");
}

#[tokio::test]
async fn an_id_cannot_change_the_path() {
    let world = World::new(vec![Answer::error(404, "x", "x"); 10]).await;
    for id in ["..", "."] {
        let error = world.graph.application(&id.into()).await.unwrap_err();
        assert!(matches!(error, PortError::Local(_)), "{id}: {error}");
        world.graph.remove_password(&id.into(), &KEY.into()).await.unwrap_err();
    }
    assert!(world.server.seen().is_empty());
    world.graph.application(&"../me?$select=x#".into()).await.unwrap_err();
    assert_eq!(world.server.lines(), ["GET /v1.0/applications/..%2Fme%3F%24select%3Dx%23"]);
}

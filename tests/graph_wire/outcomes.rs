//! Every call against every kind of answer: what may be assumed about its effect, and that no write is repeated.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use everkey::graph::Graph;
use everkey::graph::GraphOptions;
use everkey::graph::Patience;
use everkey::http;
use everkey::model::CertificateEntry;
use everkey::model::Grants;
use everkey::model::PermissionKind;
use everkey::ports::Directory;
use everkey::ports::PortError;
use everkey::ports::Refusal;
use everkey::secret::Secret;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

use super::server::Answer;
use super::server::Server;
use super::world::*;

/// The calls that send one write and nothing else when it fails.
const WRITES: [&str; 8] = [
    "add_key",
    "add_password",
    "create_principal",
    "remove_key",
    "remove_password",
    "replace_keys",
    "set_principal_enabled",
    "set_principal_tags",
];
/// Those whose success has a body that must be read.
const ANSWERED: [&str; 3] = ["add_key", "add_password", "create_principal"];
/// The calls that send one read.
const READS: [&str; 4] = ["application", "find_application", "key_credentials", "principal"];

async fn call(graph: &Graph, name: &str) -> Result<(), PortError> {
    let (object, key_id, proof) = (object(), KEY.into(), Secret::from_text("a.b.c".into()));
    match name {
        "add_key" => graph.add_key(&object, &certificate(), &proof).await.map(drop),
        "add_password" => graph.add_password(&object, "x", start(), start()).await.map(drop),
        "application" => graph.application(&object).await.map(drop),
        "create_principal" => graph.create_principal(&client_id()).await.map(drop),
        "find_application" => graph.find_application(&client_id()).await.map(drop),
        "grant" => {
            let wanted = [permission(PermissionKind::Role, "r", "R")];
            graph.grant(&PRINCIPAL.into(), &wanted, &Grants::default()).await
        }
        "key_credentials" => graph.key_credentials(&object).await.map(drop),
        "principal" => graph.principal(&client_id()).await.map(drop),
        "remove_key" => graph.remove_key(&object, &key_id, &proof).await,
        "remove_password" => graph.remove_password(&object, &key_id).await,
        "replace_keys" => graph.replace_keys(&object, &[certificate()]).await,
        "set_principal_enabled" => graph.set_principal_enabled(&PRINCIPAL.into(), false).await,
        "set_principal_tags" => graph.set_principal_tags(&PRINCIPAL.into(), &[]).await,
        other => panic!("no call {other}"),
    }
}

fn certificate() -> CertificateEntry {
    CertificateEntry {
        key_id: KEY.into(),
        display_name: None,
        thumbprint: None,
        custom_key_identifier: None,
        kind: "AsymmetricX509Cert".into(),
        usage: "Verify".into(),
        start: start(),
        end: start(),
        key: Some(b"hello".to_vec()),
    }
}

fn kind(result: &Result<(), PortError>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(PortError::Conflict(_)) => "conflict",
        Err(PortError::Denied(_)) => "denied",
        Err(PortError::Local(_)) => "local",
        Err(PortError::Missing(_)) => "missing",
        Err(PortError::Refused(_)) => "refused",
        Err(PortError::Throttled { .. }) => "throttled",
        Err(PortError::Unreachable { .. }) => "unreachable",
        Err(PortError::Unsure { .. }) => "unsure",
    }
}

/// Answers that break off, are no HTTP, or say nothing definite, and what each means.
fn faults() -> Vec<(&'static str, Answer, &'static str)> {
    let raw = |text: &str| Answer::Raw(text.as_bytes().to_vec());
    let moved = |status| Answer::empty(status).with("location: https://localhost:1/stolen");
    let mut faults = vec![
        ("closed", Answer::Close, "unsure"),
        ("cut in the status", raw("HTTP/1.1 2"), "unsure"),
        ("cut in a header", raw("HTTP/1.1 200 OK\r\ncontent-le"), "unsure"),
        ("cut in the body", raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"keyId\":"), "unsure"),
        ("cut in a chunk", raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\n{\"keyId\""), "unsure"),
        ("not HTTP", raw("220 mail.contoso.example ESMTP\r\n"), "unsure"),
        ("too long", Answer::json(200, " ".repeat(1024 * 1024 + 1)), "unsure"),
        ("gzip bomb", gzip_bomb(), "unsure"),
        ("429", Answer::error(429, "TooManyRequests", "Too many requests."), "throttled"),
        ("400", Answer::error(400, "Request_BadRequest", "no"), "refused"),
        ("403", Answer::error(403, "Other", "no"), "denied"),
        ("405 without a body", Answer::empty(405), "refused"),
        ("412", Answer::empty(412), "conflict"),
        ("413", Answer::json(413, "<html>"), "refused"),
    ];
    faults.extend([301, 302, 303, 307, 308].map(|status| ("redirect", moved(status), "unsure")));
    faults.extend([408, 500, 502, 503, 504, 599].map(|status| ("server fault", Answer::empty(status), "unsure")));
    faults
}

/// 64 MiB of blanks in 64 KiB.
fn gzip_bomb() -> Answer {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..64 {
        encoder.write_all(&vec![b' '; 1024 * 1024]).unwrap();
    }
    Answer::Http(200, vec!["content-encoding: gzip".into()], encoder.finish().unwrap())
}

#[tokio::test]
async fn a_failing_write_is_sent_once_and_says_what_may_be_assumed() {
    for name in WRITES {
        for (fault, answer, expected) in faults() {
            // 412 makes create_principal look for the principal: that read is answered by the end of the script.
            let world = World::with(vec![answer], Arc::new(Tokens::default()), Patience::NONE).await;
            let result = call(&world.graph, name).await;
            let writes = world.server.lines().iter().filter(|line| !line.starts_with("GET")).count();
            assert_eq!(writes, 1, "{name}, {fault}");
            if (name, fault) != ("create_principal", "412") {
                assert_eq!(kind(&result), expected, "{name}, {fault}: {result:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_success_that_cannot_be_read_is_unsure() {
    let bodies = ["", "{}", "[]", "null", "<html>", "{\"keyId\":\"k\"", "{\"keyId\":null,\"secretText\":\"canary\"}"];
    for name in ANSWERED {
        for body in bodies {
            let world = World::new(vec![Answer::json(200, body)]).await;
            let result = call(&world.graph, name).await;
            assert_eq!(kind(&result), "unsure", "{name}, {body}");
            assert!(!format!("{result:?}").contains("canary"));
            assert_eq!(world.server.seen().len(), 1);
        }
    }
    for name in ["remove_key", "remove_password", "replace_keys", "set_principal_enabled", "set_principal_tags"] {
        let world = World::new(vec![Answer::json(200, "<html>")]).await;
        assert_eq!(kind(&call(&world.graph, name).await), "ok", "{name}: nothing to read");
    }
}

#[tokio::test]
async fn a_read_tells_faults_apart_too() {
    for name in READS {
        for (fault, answer, expected) in faults() {
            let world = World::with(vec![answer], Arc::new(Tokens::default()), Patience::NONE).await;
            let result = call(&world.graph, name).await;
            assert_eq!(kind(&result), expected, "{name}, {fault}: {result:?}");
        }
        for body in ["", "[]", "<html>", "{\"id\":"] {
            let world = World::with(vec![Answer::json(200, body)], Arc::new(Tokens::default()), Patience::NONE).await;
            assert_eq!(kind(&call(&world.graph, name).await), "unsure", "{name}, {body}");
        }
    }
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_renewed_once() {
    for name in WRITES.iter().chain(&READS) {
        let expired = || Answer::error(401, "InvalidAuthenticationToken", "Lifetime validation failed.");
        let body = serde_json::json!({ "id": OBJECT, "appId": CLIENT, "keyId": KEY, "secretText": "s",
            "passwordCredentials": [], "keyCredentials": [] });
        let world = World::new(vec![expired(), Answer::json(200, body.to_string()), expired(), expired()]).await;
        assert_eq!(kind(&call(&world.graph, name).await), "ok", "{name}");
        let seen = world.server.seen();
        let tokens: Vec<_> = seen.iter().filter_map(|seen| seen.header("authorization")).collect();
        assert_eq!(tokens, ["Bearer token-1", "Bearer token-2"], "{name}");
        assert_eq!((&seen[0].line, &seen[0].body), (&seen[1].line, &seen[1].body), "{name}");

        let refused = call(&world.graph, name).await;
        assert_eq!(kind(&refused), "denied", "{name}");
        assert_eq!(refused.unwrap_err().refusal().unwrap().code, "InvalidAuthenticationToken");
        assert_eq!(world.server.seen().len(), 2, "{name}");
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_nothing_is_unsure() {
    let place = || "login.contoso.example".to_owned();
    for (error, expected) in [
        (PortError::Unsure { place: place(), why: "HTTP 500".into(), request_id: None }, "unreachable"),
        (PortError::Unreachable { place: place(), why: "refused".into() }, "unreachable"),
        (PortError::Throttled { retry_after: None, request_id: None }, "throttled"),
        (PortError::Denied(Refusal { code: "AADSTS7000222".into(), ..Refusal::default() }), "denied"),
    ] {
        let world = World::with(Vec::new(), Arc::new(NoToken(error)), Patience::NONE).await;
        for name in WRITES.iter().chain(&READS).chain(&["grant"]) {
            assert_eq!(kind(&call(&world.graph, name).await), expected, "{name}");
        }
        assert!(world.server.seen().is_empty());
    }
}

fn graph_at(url: &str, options: &http::Options) -> Graph {
    Graph::new(GraphOptions {
        http: http::Client::new(options).unwrap(),
        graph_url: url.into(),
        tenant: tenant(),
        clock: Arc::new(JumpingClock::new()),
        tokens: Arc::new(Tokens::default()),
        patience: Patience::NONE,
    })
    .unwrap()
}

#[tokio::test]
async fn no_connection_means_not_sent() {
    let server = Server::start(vec![Answer::empty(204); 100]).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let trusting = http::Options { ca_pem: Some(super::server::ca_pem()), ..http::Options::default() };
    for (case, url, options) in [
        ("refused", format!("https://localhost:{closed}"), trusting.clone()),
        ("no such name", "https://graph.contoso.invalid".into(), trusting.clone()),
        ("unknown authority", server.url.clone(), http::Options { ca_pem: Some(other_ca()), ..trusting.clone() }),
        ("public roots only", server.url.clone(), http::Options::default()),
        ("name not in the certificate", format!("https://[::ffff:127.0.0.1]:{}", server.port), trusting),
    ] {
        let graph = graph_at(&url, &options);
        for name in ["add_password", "application"] {
            let result = call(&graph, name).await;
            assert_eq!(kind(&result), "unreachable", "{case}, {name}: {result:?}");
        }
    }
    assert!(server.seen().is_empty());
}

fn other_ca() -> Vec<u8> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem().into_bytes()
}

#[tokio::test]
async fn an_answer_that_never_comes_is_unsure() {
    let server = Server::start(vec![Answer::Hang; 2]).await;
    let options = http::Options {
        ca_pem: Some(super::server::ca_pem()),
        timeout: Duration::from_millis(500),
        ..http::Options::default()
    };
    let graph = graph_at(&server.url, &options);
    let (write, read) = tokio::join!(call(&graph, "add_password"), call(&graph, "application"));
    assert_eq!((kind(&write), kind(&read)), ("unsure", "unsure"));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_write_on_a_connection_that_breaks_is_not_repeated() {
    // A connection that was used before: clients like to try again on a new one, and must not.
    for answer in [Answer::Close, Answer::Raw(b"HTTP/1.1 200".to_vec())] {
        let body = serde_json::json!({ "id": OBJECT, "appId": CLIENT }).to_string();
        let world = World::new(vec![Answer::json(200, body), answer]).await;
        call(&world.graph, "find_application").await.unwrap();
        assert_eq!(kind(&call(&world.graph, "add_password").await), "unsure");
        assert_eq!(world.server.seen().len(), 2);
    }
}

#[tokio::test]
async fn a_proxy_carries_tls_to_the_far_side() {
    let body = serde_json::json!({ "id": OBJECT, "appId": CLIENT }).to_string();
    let server = Server::start(vec![Answer::json(200, body)]).await;
    let (proxy, asked) = connect_proxy().await;
    let options = http::Options {
        ca_pem: Some(super::server::ca_pem()),
        proxy: Some(format!("http://127.0.0.1:{proxy}")),
        ..http::Options::default()
    };
    call(&graph_at(&server.url, &options), "find_application").await.unwrap();
    assert_eq!(asked.await.unwrap(), format!("CONNECT localhost:{} HTTP/1.1", server.port));
    let result = call(&graph_at(&server.url, &options), "add_password").await;
    assert_eq!(kind(&result), "unreachable", "the proxy has gone: {result:?}");
}

/// A proxy for one connection; gives its port and the first line that it was asked.
async fn connect_proxy() -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = tokio::spawn(async move {
        let mut near = BufReader::new(listener.accept().await.unwrap().0);
        drop(listener);
        let mut first = String::new();
        near.read_line(&mut first).await.unwrap();
        let mut line = String::new();
        while near.read_line(&mut line).await.unwrap() > 2 {
            line.clear();
        }
        let target = first.split(' ').nth(1).unwrap().to_owned();
        let mut far = TcpStream::connect(target).await.unwrap();
        near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        first.trim_end().to_owned()
    });
    (port, asked)
}

#[tokio::test]
async fn error_texts_are_bounded_and_escaped() {
    let long = format!("\u{1b}]0;x\u{7} \u{202e} {}", "y".repeat(10_000));
    let world = World::new(vec![Answer::error(400, "A\nB", &long).with("request-id: r-7")]).await;
    let error = call(&world.graph, "add_password").await.unwrap_err();
    let refusal = error.refusal().unwrap();
    assert!(refusal.message.starts_with("\\u{1b}]0;x\\u{7} \\u{202e} yyy"), "{}", refusal.message);
    assert!(refusal.message.chars().count() < 350);
    assert_eq!((refusal.code.as_str(), refusal.status, refusal.request_id.as_deref()), ("A\\nB", 400, Some("r-7")));
}

/// Every call has an id of its own; where the service tells none, people get that one to ask with.
#[tokio::test]
async fn every_failure_has_an_id_to_ask_with() {
    let busy = || Answer::error(429, "TooManyRequests", "no");
    let answers = vec![
        busy().with("request-id: r-1"),
        Answer::error(503, "UnknownError", "no").with("request-id: r-2"),
        Answer::json(200, "{").with("request-id: r-3"),
        Answer::error(400, "Request_BadRequest", "no").with("request-id: r-4"),
        Answer::error(503, "UnknownError", "no"),
        Answer::Close,
        Answer::error(400, "Request_BadRequest", "no"),
        busy(),
    ];
    let world = World::new(answers).await;
    for told in ["r-1", "r-2", "r-3", "r-4"] {
        let error = call(&world.graph, "add_password").await.unwrap_err();
        assert_eq!(error.request_id(), Some(told), "{error:?}");
        world.clock.advance(jiff::SignedDuration::from_mins(1));
    }
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let error = call(&world.graph, "add_password").await.unwrap_err();
        world.clock.advance(jiff::SignedDuration::from_mins(1));
        let id = error.request_id().unwrap_or_else(|| panic!("{error:?}")).to_owned();
        let seen = world.server.seen();
        let sent = seen.last().unwrap().header("client-request-id").unwrap().to_owned();
        assert_eq!(id, format!("{sent} (client-request-id)"));
        assert!(ids.insert(sent), "an id of its own");
    }
}

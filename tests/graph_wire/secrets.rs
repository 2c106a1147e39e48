//! No secret that passes through these rooms reaches a log, an error or a debug print (threat 4).

use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use everkey::entra::OwnSignIn;
use everkey::graph::Graph;
use everkey::graph::GraphOptions;
use everkey::graph::Patience;
use everkey::ports::Directory;
use everkey::ports::PortError;
use everkey::ports::SignIn;
use everkey::ports::TokenEndpoint;
use everkey::ports::TokenSource;
use everkey::secret::Secret;
use serde_json::json;
use tracing::level_filters::LevelFilter;

use super::server::Answer;
use super::server::Server;
use super::tokens::app;
use super::tokens::entra;
use super::world::*;

const OWN: &str = "own8Q~canary-own";
const MANAGED: &str = "mng8Q~canary-managed";
const TOKEN: &str = "eyJ0.canary-token.c2ln";
const ADDED: &str = "add8Q~canary-added";
const PROOF: &str = "eyJ0.canary-proof.c2ln";

/// Collects the log of the whole process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Tokens;

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self) -> Result<Secret, PortError> {
        Ok(Secret::from_text(TOKEN.into()))
    }

    fn forget(&self) {}
}

#[tokio::test]
async fn canaries_stay_out_of_logs_errors_and_debug_prints() {
    let log = Log::default();
    let writer = log.clone();
    // Events of the `log` crate (rustls, hyper) are collected as well: `init` takes over both.
    tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(move || writer.clone()).init();
    let mut shown = Vec::new();
    let mut show = |value: &dyn Debug| shown.push(format!("{value:?}"));

    // Answers that echo the request's own secrets, and answers with a secret that cannot be read.
    let oauth = |sent: &str| {
        json!({ "error": sent, "error_codes": [1], "error_description": format!("AADSTS1: you sent {sent}") })
            .to_string()
    };
    let granted = json!({ "access_token": TOKEN, "expires_in": 3599 }).to_string();
    let unreadable = granted.replace("3599", "\"canary-not-a-number\"");

    let login = Server::start(Vec::new()).await;
    let own = OwnSignIn::ClientSecret { client_id: "own".into(), secret: Secret::from_text(OWN.into()) };
    show(&own);
    let entra = entra(&login, &JumpingClock::new(), own);
    let managed = Secret::from_text(MANAGED.into());
    for answer in [
        |_: &str, oauth: &str| Answer::json(401, oauth),
        |_: &str, oauth: &str| Answer::json(500, oauth),
        |_: &str, _: &str| Answer::Close,
        |body: &str, _: &str| Answer::json(200, body),
    ] {
        for body in [&unreadable, &granted] {
            login.then(answer(body, &oauth(MANAGED)));
            show(&entra.probe(&app(), SignIn::ClientSecret(&managed)).await);
            login.then(answer(body, &oauth(OWN)));
            show(&entra.token().await);
        }
    }

    let server = Server::start(Vec::new()).await;
    let graph = Graph::new(GraphOptions {
        http: client(),
        graph_url: server.url.clone(),
        tenant: tenant(),
        clock: Arc::new(JumpingClock::new()),
        tokens: Arc::new(Tokens),
        patience: Patience::NONE,
    })
    .unwrap();
    let added = json!({ "keyId": KEY, "secretText": ADDED }).to_string();
    let proof = Secret::from_text(PROOF.into());
    for (add, remove) in [
        (Answer::json(200, added.as_str()), Answer::empty(204)),
        (Answer::json(200, &added[..added.len() - 1]), Answer::Close),
        (Answer::json(200, added.replace(KEY, "\\ud800")), Answer::empty(429)),
        (Answer::error(400, &format!("Bearer {TOKEN}"), TOKEN), Answer::error(400, PROOF, &format!("{TOKEN} {PROOF}"))),
        (Answer::error(503, "x", TOKEN), Answer::error(503, "x", &format!("{TOKEN} {PROOF}"))),
        (Answer::Raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{added}").into_bytes()), Answer::Close),
    ] {
        server.then(add);
        let result = graph.add_password(&object(), "x", start(), start()).await;
        if let Err(error) = &result {
            show(&error.to_string());
        }
        show(&result);
        server.then(remove);
        show(&graph.remove_key(&object(), &KEY.into(), &proof).await);
    }

    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("/addPassword") && log.contains("everkey::http"), "the log was collected");
    assert!(log.contains("TRACE"), "at its most talkative level");
    assert!(server.seen().iter().any(|seen| String::from_utf8_lossy(&seen.body).contains("canary-proof")));
    let shown = shown.join("\n");
    assert!(shown.contains("[REDACTED]"));
    for (place, text) in [("log", &log), ("error or debug print", &shown)] {
        let hit = text.lines().find(|line| line.contains("canary"));
        assert_eq!(hit, None, "a secret in a {place}");
    }
}

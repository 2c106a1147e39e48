//! The token endpoint: what is sent, what each answer means, and how everkey's own token is cached.

use std::sync::Arc;

use everkey::entra::Entra;
use everkey::entra::EntraOptions;
use everkey::entra::OwnSignIn;
use everkey::model::AppRef;
use everkey::ports::PortError;
use everkey::ports::Probe;
use everkey::ports::SignIn;
use everkey::ports::TokenEndpoint;
use everkey::ports::TokenSource;
use everkey::secret::Secret;
use jiff::SignedDuration;
use serde_json::json;
use tokio::sync::Notify;

use super::server::Answer;
use super::server::Server;
use super::world::*;

const OWN: &str = "77777777-0000-4000-8000-000000000007";

pub fn entra(server: &Server, clock: &JumpingClock, own: OwnSignIn) -> Entra {
    Entra::new(EntraOptions {
        http: client(),
        login_url: format!("{}/", server.url),
        graph_url: "https://graph.contoso.example/".into(),
        tenant: tenant(),
        clock: Arc::new(clock.clone()),
        own,
    })
    .unwrap()
}

pub fn own_secret() -> OwnSignIn {
    OwnSignIn::ClientSecret { client_id: OWN.into(), secret: Secret::from_text("own&secret=+ü".into()) }
}

pub fn app() -> AppRef {
    AppRef { tenant_id: tenant(), object_id: object(), client_id: client_id() }
}

fn token(value: &str, seconds: u32) -> Answer {
    let body =
        json!({ "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": value });
    Answer::json(200, body.to_string())
}

fn no(status: u16, error: &str, codes: serde_json::Value, description: &str) -> Answer {
    let body = json!({ "error": error, "error_codes": codes, "error_description": description, "trace_id": "t" });
    Answer::json(status, body.to_string()).with("x-ms-request-id: r-9")
}

async fn probe(answer: Answer) -> Result<Probe, PortError> {
    let server = Server::start(vec![answer]).await;
    let entra = entra(&server, &JumpingClock::new(), own_secret());
    let secret = Secret::from_text("managed".into());
    let probe = entra.probe(&app(), SignIn::ClientSecret(&secret)).await;
    assert_eq!(server.seen().len(), 1, "a probe is one request");
    probe
}

#[tokio::test]
async fn a_sign_in_by_secret_is_a_form() {
    let server = Server::start(vec![token("t", 3599), token("t", 3599)]).await;
    let entra = entra(&server, &JumpingClock::new(), own_secret());
    let managed = Secret::from_text("man&aged".into());
    entra.token().await.unwrap();
    entra.probe(&app(), SignIn::ClientSecret(&managed)).await.unwrap();

    let seen = server.seen();
    let scope = "scope=https%3A%2F%2Fgraph.contoso.example%2F.default";
    for (seen, credentials) in seen.iter().zip([
        format!("client_id={OWN}&grant_type=client_credentials&{scope}&client_secret=own%26secret%3D%2B%C3%BC"),
        format!("client_id={CLIENT}&grant_type=client_credentials&{scope}&client_secret=man%26aged"),
    ]) {
        assert_eq!(seen.line, format!("POST /{TENANT}/oauth2/v2.0/token"));
        assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(seen.header("authorization"), None);
        assert_eq!(String::from_utf8(seen.body.clone()).unwrap(), credentials);
    }
}

#[tokio::test]
async fn a_token_proves_the_credential_with_or_without_roles() {
    // {"roles":["Mail.Send"]}
    let accepted = probe(token("e30.eyJyb2xlcyI6WyJNYWlsLlNlbmQiXX0.c2ln", 3599).with("x-ms-request-id: r-1")).await;
    assert_eq!(accepted.unwrap(), Probe::Accepted { request_id: Some("r-1".into()), roles: vec!["Mail.Send".into()] });
    let opaque = probe(token("opaque", 3599)).await.unwrap();
    assert_eq!(opaque, Probe::Accepted { request_id: None, roles: Vec::new() });
}

#[tokio::test]
async fn each_code_says_what_rotation_md_says() {
    for code in [7_000_215, 7_000_222, 700_027, 700_016, 7_000_229, 53_003, 7_000_112] {
        let description = format!("AADSTS{code}: The first sentence. The second one. Trace ID: x");
        let inconclusive = [53_003, 7_000_112].contains(&code);
        for (status, codes) in [(401, json!([code])), (400, json!([code])), (401, json!([])), (401, json!(null))] {
            let (name, message) = (format!("AADSTS{code}"), "The first sentence.".to_owned());
            let expected = match inconclusive {
                true => Probe::Inconclusive { code: name, message },
                false => Probe::NotYet { code: name, message, request_id: Some("r-9".into()) },
            };
            assert_eq!(probe(no(status, "invalid_client", codes, &description)).await.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn numbers_win_over_text_and_unknown_codes_are_refused() {
    let answer = no(401, "invalid_client", json!([7_000_215]), "AADSTS53003: misleading");
    assert!(matches!(probe(answer).await.unwrap(), Probe::NotYet { code, .. } if code == "AADSTS7000215"));
    for (answer, code) in [
        (no(401, "invalid_client", json!([700_024]), "AADSTS700024: Client assertion is not valid."), "AADSTS700024"),
        (no(400, "invalid_tenant", json!([90_002]), "AADSTS90002: Tenant not found."), "AADSTS90002"),
        (no(400, "invalid_request", json!(null), "No number here."), "invalid_request"),
        (Answer::json(403, "<html>"), ""),
    ] {
        let error = probe(answer).await.unwrap_err();
        assert!(matches!(&error, PortError::Refused(refusal) if refusal.code == code), "{error:?}");
    }
}

#[tokio::test]
async fn no_clear_answer_is_no_verdict() {
    for answer in [
        Answer::Close,
        Answer::empty(500),
        Answer::empty(503),
        Answer::empty(408),
        Answer::empty(302),
        Answer::json(200, "<html>"),
        Answer::json(200, r#"{"access_token":"x"}"#),
        Answer::json(200, r#"{"expires_in":3599}"#),
        Answer::json(200, r#"{"error":"invalid_client"}"#),
    ] {
        let error = probe(answer.clone()).await.unwrap_err();
        assert!(matches!(error, PortError::Unsure { .. }), "{answer:?}: {error:?}");
    }
    let throttled = no(429, "temporarily_unavailable", json!([90_055]), "AADSTS90055: x").with("retry-after: 12");
    let error = probe(throttled).await.unwrap_err();
    assert!(matches!(error, PortError::Throttled { retry_after: Some(wait), .. } if wait.as_secs() == 12), "{error:?}");
}

#[tokio::test]
async fn the_own_token_is_kept_until_five_minutes_before_its_end() {
    let server =
        Server::start(vec![token("one", 3600), token("two", 3600), token("three", 3600), token("four", 60)]).await;
    let clock = JumpingClock::new();
    let entra = entra(&server, &clock, own_secret());
    let ask = async || String::from_utf8(entra.token().await.unwrap().expose().to_vec()).unwrap();

    assert_eq!((ask().await, ask().await), ("one".into(), "one".into()));
    clock.advance(SignedDuration::from_secs(3600 - 301));
    assert_eq!(ask().await, "one");
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(ask().await, "two");
    entra.forget();
    assert_eq!((ask().await, ask().await), ("three".into(), "three".into()));
    entra.forget();
    assert_eq!((ask().await, ask().await), ("four".into(), "four".into()), "a short one is kept for half its life");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn a_hundred_callers_cause_one_request() {
    let server = Server::start(vec![token("one", 3600)]).await;
    let entra = Arc::new(entra(&server, &JumpingClock::new(), own_secret()));
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let entra = entra.clone();
            tokio::spawn(async move { entra.token().await.unwrap().len() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), 3);
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_token_asked_for_before_forget_is_not_kept_after_it() {
    let signal = Arc::new(Notify::new());
    let held = Answer::Held(signal.clone(), Box::new(token("old roles", 3600)));
    let server = Server::start(vec![held, token("new roles", 3600)]).await;
    let entra = Arc::new(entra(&server, &JumpingClock::new(), own_secret()));
    let asking = tokio::spawn({
        let entra = entra.clone();
        async move { entra.token().await.unwrap().hint() }
    });
    while server.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    entra.forget();
    signal.notify_one();
    assert_eq!(asking.await.unwrap(), "old", "whoever asked before gets what was on its way");
    assert_eq!(entra.token().await.unwrap().hint(), "new");
}

#[tokio::test]
async fn the_own_sign_in_that_is_refused_is_denied_and_asked_again_next_time() {
    let refused = no(
        401,
        "invalid_client",
        json!([7_000_222]),
        "AADSTS7000222: The provided client secret keys are expired. Visit x",
    );
    let server = Server::start(vec![refused, Answer::empty(503), token("one", 3600)]).await;
    let entra = entra(&server, &JumpingClock::new(), own_secret());
    let error = entra.token().await.unwrap_err();
    let PortError::Denied(refusal) = &error else { panic!("{error:?}") };
    assert_eq!(refusal.code, "AADSTS7000222");
    assert_eq!(refusal.message, "The provided client secret keys are expired.");
    assert_eq!(refusal.request_id.as_deref(), Some("r-9"));
    assert!(matches!(entra.token().await, Err(PortError::Unsure { .. })));
    assert_eq!(entra.token().await.unwrap().len(), 3);
}

//! Tokens of this machine's managed identity, from the two endpoints that Azure offers: IMDS on virtual machines and
//! what runs on them, and App Service's, which Functions and Container Apps have too (`entra-contract.md` 1.4).

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;

use crate::clock::Clock;
use crate::http::LocalSite;
use crate::http::Reply;
use crate::http::Request;
use crate::model::ClientId;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::ports::TokenSource;
use crate::secret::Secret;

use super::answer::seconds_if_there;
use super::answer::secret;
use super::own::Cache;

/// The code of [`Refusal`] when this machine has no identity, or not the one asked for.
pub const NONE: &str = "ManagedIdentityNone";
/// The code when the endpoint refuses for another reason.
pub const REFUSED: &str = "ManagedIdentityRefused";

/// Waits between tries of a call that may soon work: azure-identity's, 24 s in all.
const WAITS_MS: [i64; 5] = [0, 1_600, 3_200, 6_400, 12_800];
/// The same after 410: IMDS is being updated, which takes up to 70 s.
const UPDATE_WAITS_MS: [i64; 5] = [5_000, 10_000, 15_000, 20_000, 25_000];

/// Which endpoint this machine has.
pub enum Endpoint {
    /// `http://169.254.169.254`, or what stands in for it.
    Imds(String),
    /// `IDENTITY_ENDPOINT` with the value of `IDENTITY_HEADER`.
    AppService {
        /// Its address.
        address: String,
        /// Proves that the caller runs in the app.
        header: Secret,
    },
}

/// The managed identity as the source of everkey's own token.
pub struct ManagedIdentity {
    site: LocalSite,
    path: String,
    header: Option<Secret>,
    /// The user-assigned identity; the system-assigned one when `None`.
    client_id: Option<ClientId>,
    resource: String,
    clock: Arc<dyn Clock>,
    cache: Cache,
}

/// What both endpoints answer; numbers are texts.
#[derive(Deserialize)]
struct Answer {
    #[serde(deserialize_with = "secret")]
    access_token: Secret,
    #[serde(default, deserialize_with = "seconds_if_there")]
    expires_in: Option<i64>,
    #[serde(default, deserialize_with = "seconds_if_there")]
    expires_on: Option<i64>,
}

impl ManagedIdentity {
    /// A source of tokens for the Graph at `graph_url`; asks nothing yet.
    ///
    /// # Errors
    /// [`PortError::Local`] for an endpoint that is not on this machine or its link.
    pub fn new(
        endpoint: Endpoint,
        client_id: Option<ClientId>,
        graph_url: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PortError> {
        let (site, path, header) = match endpoint {
            Endpoint::Imds(address) => (LocalSite::at(&address)?, "/metadata/identity/oauth2/token".to_owned(), None),
            Endpoint::AppService { address, header } => {
                let rest = address.split_once("://").map_or("", |(_, rest)| rest);
                let path = rest.find('/').map_or("/", |at| &rest[at..]).to_owned();
                (LocalSite::at(&address)?, path, Some(header))
            }
        };
        let resource = graph_url.trim_end_matches('/').to_owned();
        Ok(Self { site, path, header, client_id, resource, clock, cache: Cache::default() })
    }

    fn request(&self) -> Result<Request, PortError> {
        let request = Request::get(self.path.as_str());
        let request = match &self.header {
            None => request.query("api-version", "2018-02-01").header("metadata", "true"),
            Some(header) => {
                request.query("api-version", "2019-08-01").secret_header("x-identity-header", "", header)?
            }
        };
        let request = request.query("resource", &self.resource);
        Ok(match &self.client_id {
            Some(client_id) => request.query("client_id", client_id.as_str()),
            None => request,
        })
    }

    async fn ask(&self) -> Result<(Secret, SignedDuration), PortError> {
        let mut tries = 0;
        loop {
            let reply = self.site.send(self.request()?).await.map_err(named)?;
            let waits = match reply.status {
                410 => &UPDATE_WAITS_MS,
                404 | 429 | 500..=599 => &WAITS_MS,
                _ => return self.read(reply),
            };
            let Some(wait) = waits.get(tries) else { return self.read(reply) };
            tries += 1;
            let until = self.clock.now().saturating_add(SignedDuration::from_millis(*wait)).unwrap_or(Timestamp::MAX);
            self.clock.sleep_until(until).await;
        }
    }

    fn read(&self, reply: Reply) -> Result<(Secret, SignedDuration), PortError> {
        let refused = |code: &str| {
            let refusal = reply.refusal();
            PortError::Denied(Refusal { code: code.to_owned(), ..refusal })
        };
        match reply.status {
            // Said for "no identity is assigned" and for "not this one" alike.
            400 => return Err(refused(NONE)),
            401 | 403 | 404 | 410 => return Err(refused(REFUSED)),
            _ => {}
        }
        let answer: Answer = reply.accept()?.json()?;
        let until = answer.expires_on.and_then(|second| Timestamp::from_second(second).ok());
        let life = answer
            .expires_in
            .map(SignedDuration::from_secs)
            .or(until.map(|until| until.duration_since(self.clock.now())))
            .unwrap_or(SignedDuration::ZERO);
        Ok((answer.access_token, life.max(SignedDuration::ZERO)))
    }
}

/// Says which place it is that does not answer; nothing is lost by a token that is asked for again.
fn named(error: PortError) -> PortError {
    match error {
        PortError::Unreachable { place, why } | PortError::Unsure { place, why, .. } => {
            PortError::Unreachable { place: format!("managed identity at {place}"), why }
        }
        error => error,
    }
}

#[async_trait]
impl TokenSource for ManagedIdentity {
    async fn token(&self) -> Result<Secret, PortError> {
        self.cache.token(self.clock.as_ref(), self.ask()).await
    }

    fn forget(&self) {
        self.cache.forget();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// Jumps to whatever instant is waited for.
    struct Jumping(Mutex<Timestamp>);

    #[async_trait]
    impl Clock for Jumping {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }

        async fn sleep_until(&self, until: Timestamp) {
            *self.0.lock().unwrap() = until;
        }
    }

    /// Answers every request so; what came of asking it, how often it was asked, and how long was waited.
    async fn asked(answer: &'static str) -> (Result<Secret, PortError>, usize, SignedDuration) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&requests);
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                *counted.lock().unwrap() += 1;
                let mut request = [0; 4096];
                let read = stream.read(&mut request).await.unwrap();
                let text = String::from_utf8_lossy(&request[..read]).to_ascii_lowercase();
                assert!(text.contains("metadata: true") && !text.contains("authorization"), "{text}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let clock = Arc::new(Jumping(Mutex::new(Timestamp::UNIX_EPOCH)));
        let source = ManagedIdentity::new(Endpoint::Imds(address), None, "https://graph.microsoft.com/", clock.clone());
        let token = source.unwrap().token().await;
        server.abort();
        let number = *requests.lock().unwrap();
        (token, number, clock.now().duration_since(Timestamp::UNIX_EPOCH))
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again_and_not_for_ever() {
        let secs = SignedDuration::from_secs;
        let (token, number, waited) =
            asked("HTTP/1.1 410 Gone\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
        assert!(matches!(token, Err(PortError::Denied(refusal)) if refusal.code == REFUSED));
        assert_eq!((number, waited), (6, secs(75)), "IMDS may be updated for 70 s");
        for head in ["404 Not Found", "429 Too Many Requests", "503 Service Unavailable"] {
            let answer: &'static str = Box::leak(
                format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").into_boxed_str(),
            );
            let (token, number, waited) = asked(answer).await;
            assert!(token.is_err());
            assert_eq!((number, waited), (6, secs(24)), "{head}");
        }
    }

    #[tokio::test]
    async fn no_identity_is_told_at_once_and_no_redirect_is_followed() {
        let body = r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
        let answer =
            format!("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (token, number, _) = asked(Box::leak(answer.into_boxed_str())).await;
        assert!(
            matches!(token, Err(PortError::Denied(refusal)) if refusal.code == NONE && refusal.message == "Identity not found")
        );
        assert_eq!(number, 1);
        let away =
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let (token, number, _) = asked(away).await;
        assert!(token.is_err() && number == 1, "{token:?}");
    }

    #[tokio::test]
    async fn the_end_of_a_token_is_read_in_both_forms() {
        for body in [r#"{"access_token":"t","expires_in":"3599"}"#, r#"{"access_token":"t","expires_on":"3599"}"#] {
            let answer =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let (token, ..) = asked(Box::leak(answer.into_boxed_str())).await;
            assert_eq!(token.unwrap().expose_text(), Some("t"));
        }
    }
}

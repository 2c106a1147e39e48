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

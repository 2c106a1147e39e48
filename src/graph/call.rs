//! How every call is made: with a token, a second time after a 401, and again with patience if it is a read.

use jiff::SignedDuration;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::http::Method;
use crate::http::Reply;
use crate::http::Request;
use crate::http::retry::wait_before_retry;
use crate::http::retry::with_jitter;
use crate::ports::Dated;
use crate::ports::PortError;
use crate::secret::Secret;

use super::Graph;
use super::budget::Cost;

/// Wait between two tries of a call that waits for replication (azure-cli waits the same, `entra-contract.md` 4.4).
const REPLICATION_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// A call that changes something.
pub(super) struct Write<'a, B> {
    /// POST or PATCH.
    pub method: Method,
    /// Encoded path.
    pub path: String,
    /// JSON body.
    pub body: &'a B,
    /// `Prefer` header.
    pub prefer: Option<&'static str>,
    /// A secret inside the body.
    pub hide: Option<&'a Secret>,
}

impl<'a, B: Serialize> Write<'a, B> {
    /// A PATCH of the object at `path`.
    pub fn patch(path: String, body: &'a B) -> Self {
        Self { method: Method::PATCH, path, body, prefer: None, hide: None }
    }

    /// A POST to `path`.
    pub fn post(path: String, body: &'a B) -> Self {
        Self { method: Method::POST, path, body, prefer: None, hide: None }
    }
}

impl Graph {
    /// Reads `path` with its `query` and parses the answer.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Dated<T>, PortError> {
        self.read_patiently(|| {
            query.iter().fold(Request::get(path), |request, (name, value)| request.query(name, value))
        })
        .await
    }

    /// Like [`Graph::read`]; `None` for 404.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<T>, PortError> {
        match self.read(path, query).await {
            Ok(found) => Ok(Some(found.value)),
            Err(PortError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends the read that `request` makes, again while that can help.
    pub(super) async fn read_patiently<T: DeserializeOwned>(
        &self,
        request: impl Fn() -> Request + Send + Sync,
    ) -> Result<Dated<T>, PortError> {
        let mut tries = 0;
        loop {
            tries += 1;
            self.await_budget(&request()).await;
            let (error, asked) = match self.send(|| Ok(request())).await {
                Ok(reply) => {
                    let asked = reply.retry_after;
                    match reply.accept().and_then(|reply| Ok(Dated { value: reply.json()?, date: reply.date })) {
                        Ok(value) => return Ok(value),
                        Err(error) => (error, asked),
                    }
                }
                Err(error) => (error, None),
            };
            match wait_before_retry(tries, &error, asked) {
                // A byte of a random id is dice enough.
                Some(wait) if tries < self.patience.reads => {
                    self.wait(with_jitter(wait, uuid::Uuid::new_v4().as_bytes()[15])).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// Makes a change; returns the reply of a success. Never repeated, but once after a 401.
    pub(super) async fn write<B: Serialize + Sync>(&self, write: Write<'_, B>) -> Result<Reply, PortError> {
        self.send(|| {
            let mut request = Request::new(write.method.clone(), write.path.as_str()).json(write.body)?;
            if let Some(prefer) = write.prefer {
                request = request.header("prefer", prefer);
            }
            Ok(match write.hide {
                Some(secret) => request.hide(secret),
                None => request,
            })
        })
        .await?
        .accept()
    }

    /// Deletes the object at `path`. Never repeated, but once after a 401.
    pub(super) async fn delete(&self, path: String) -> Result<(), PortError> {
        self.send(|| Ok(Request::new(Method::DELETE, path.as_str()))).await?.accept().map(drop)
    }

    /// Waits for Graph to replicate before another try, after the `tries`-th one failed with `error`; gives the
    /// error back when patience is over.
    pub(super) async fn await_replication(&self, tries: u32, error: PortError) -> Result<(), PortError> {
        if tries >= self.patience.replication {
            return Err(error);
        }
        self.wait(REPLICATION_WAIT).await;
        Ok(())
    }

    /// Waits until Graph's limits allow `request`, for those who have patience.
    async fn await_budget(&self, request: &Request) {
        for _ in 1..self.patience.reads {
            match self.budget.wait(Cost::of(request), self.clock.now()) {
                Some(wait) => self.wait(wait).await,
                None => return,
            }
        }
    }

    /// Sends with a token; when Graph does not accept the token, once more with a new one. Sends nothing while Graph's
    /// limits forbid it: a change that waited here could come later than its journal allows.
    async fn send(&self, request: impl Fn() -> Result<Request, PortError> + Send + Sync) -> Result<Reply, PortError> {
        let reply = self.send_once(request()?).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        self.tokens.forget();
        self.send_once(request()?).await
    }

    async fn send_once(&self, request: Request) -> Result<Reply, PortError> {
        if let Some(wait) = self.budget.take(Cost::of(&request), self.clock.now()) {
            return Err(PortError::Throttled { retry_after: Some(wait), request_id: None });
        }
        let reply = self.site.send(request.bearer(&self.token().await?)?).await?;
        self.budget.learn(reply.status, reply.throttle, reply.retry_after, self.clock.now());
        Ok(reply)
    }

    /// A token. Whatever went wrong on the way to it, the call that needs it was not sent: never `Unsure`.
    async fn token(&self) -> Result<Secret, PortError> {
        self.tokens.token().await.map_err(|error| match error {
            PortError::Unsure { place, why, .. } => PortError::Unreachable { place, why: format!("no token: {why}") },
            error => error,
        })
    }

    async fn wait(&self, wait: SignedDuration) {
        let until = self.clock.now().saturating_add(wait).unwrap_or(jiff::Timestamp::MAX);
        self.clock.sleep_until(until).await;
    }
}

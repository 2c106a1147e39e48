//! everkey's own token: cached until shortly before its end, asked for by one request at a time.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use async_trait::async_trait;
use jiff::SignedDuration;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::ports::PortError;
use crate::ports::TokenSource;
use crate::secret::Secret;

use super::Credential;
use super::Entra;
use super::OwnSignIn;
use super::answer::Answer;

/// A token is renewed this long before its end, or at half its life when that is later.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// The cached token.
#[derive(Default)]
pub(super) struct Cache {
    state: Mutex<State>,
    /// Held while a token is asked for, so that a hundred waiting callers cause one request.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    token: Option<(Secret, Timestamp)>,
    /// Counts the calls of `forget`: a token asked for before such a call is not kept after it.
    forgotten: u64,
}

impl Cache {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is one assignment: a panic elsewhere cannot leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cached token, or what `ask` brings: a token and how long it lives. One caller asks at a time.
    pub(super) async fn token(
        &self,
        clock: &dyn Clock,
        ask: impl Future<Output = Result<(Secret, SignedDuration), PortError>> + Send,
    ) -> Result<Secret, PortError> {
        if let Some(token) = self.fresh(clock.now()) {
            return Ok(token);
        }
        let _asking = self.asking.lock().await;
        let now = clock.now();
        if let Some(token) = self.fresh(now) {
            return Ok(token);
        }
        let forgotten = self.state().forgotten;
        let (token, life) = ask.await?;
        let renew = now.saturating_add(life - RENEW_BEFORE.min(life / 2)).unwrap_or(Timestamp::MAX);
        let mut state = self.state();
        if state.forgotten == forgotten {
            state.token = Some((token.duplicate(), renew));
        }
        Ok(token)
    }

    /// Drops the cached token, and one that is being asked for.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.token = None;
        state.forgotten += 1;
    }

    fn fresh(&self, now: Timestamp) -> Option<Secret> {
        let state = self.state();
        let (token, renew) = state.token.as_ref()?;
        (now < *renew).then(|| token.duplicate())
    }
}

#[async_trait]
impl TokenSource for Entra {
    /// # Errors
    /// [`PortError::Denied`] with the AADSTS code when Entra says no; `Throttled`, `Unreachable` and `Unsure` when it
    /// does not answer (no token is ever lost by that: asking again is always safe).
    async fn token(&self) -> Result<Secret, PortError> {
        self.cache.token(self.clock.as_ref(), self.ask()).await
    }

    fn forget(&self) {
        self.cache.forget();
    }
}

impl Entra {
    async fn ask(&self) -> Result<(Secret, SignedDuration), PortError> {
        let assertion;
        let (client_id, credential) = match &self.own {
            OwnSignIn::Workload { client_id, token } => {
                assertion = token.token()?;
                (client_id, Credential::Assertion(&assertion))
            }
            OwnSignIn::Certificate { client_id, key, certificate } => {
                (client_id, Credential::Certificate { key, certificate })
            }
            OwnSignIn::ClientSecret { client_id, secret } => (client_id, Credential::ClientSecret(secret)),
            OwnSignIn::Elsewhere => {
                return Err(PortError::Local("everkey's own token comes from elsewhere".into()));
            }
        };
        match Answer::read(self.request(client_id, credential).await?)? {
            Answer::Token(token) => Ok((token.access_token, SignedDuration::from_secs(token.expires_in.into()))),
            Answer::No(fault) => Err(PortError::Denied(fault.into_refusal())),
        }
    }
}

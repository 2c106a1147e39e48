//! Remembers every credential that was ever signed in with, so that the scan knows what to look for. It stands
//! between the engine and the token endpoint: nothing is used before it was proven, so nothing escapes it.

use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;

use crate::model::AppRef;
use crate::model::ObjectId;
use crate::ports::PortError;
use crate::ports::Probe;
use crate::ports::SignIn;
use crate::ports::TokenEndpoint;
use crate::secret::Fingerprint;
use crate::secret::Secret;

/// A secret that lived.
pub(super) struct Lived {
    /// What it is, for people.
    pub what: &'static str,
    /// Its bytes.
    pub value: Secret,
}

/// The token endpoint, with a memory.
pub(super) struct Recorder {
    inner: Arc<dyn TokenEndpoint>,
    lived: Mutex<Vec<(Fingerprint, Lived)>>,
}

impl Recorder {
    /// Listens in front of `inner`.
    pub fn new(inner: Arc<dyn TokenEndpoint>) -> Self {
        Self { inner, lived: Mutex::default() }
    }

    /// The endpoint itself, for consumers.
    pub fn endpoint(&self) -> &dyn TokenEndpoint {
        self.inner.as_ref()
    }

    /// Adds a secret.
    pub fn remember(&self, what: &'static str, value: &Secret) {
        let fingerprint = value.fingerprint();
        if let Ok(mut lived) = self.lived.lock()
            && !lived.iter().any(|(known, _)| *known == fingerprint)
        {
            lived.push((fingerprint, Lived { what, value: value.duplicate() }));
        }
    }

    /// Works on all of them.
    pub fn with_all<T>(&self, work: impl FnOnce(&[(Fingerprint, Lived)]) -> T) -> Option<T> {
        self.lived.lock().ok().map(|lived| work(&lived))
    }
}

#[async_trait]
impl TokenEndpoint for Recorder {
    async fn probe(&self, app: &AppRef, sign_in: SignIn<'_>) -> Result<Probe, PortError> {
        match &sign_in {
            SignIn::Certificate { key, .. } => self.remember("private key", key),
            SignIn::ClientSecret(secret) => self.remember("client secret", secret),
        }
        self.inner.probe(app, sign_in).await
    }

    fn proof(&self, app: &ObjectId, key: &Secret, certificate: &[u8]) -> Result<Secret, PortError> {
        self.inner.proof(app, key, certificate)
    }
}

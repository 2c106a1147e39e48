//! The token endpoint: sign-in of everkey itself, probes of managed credentials, proofs of possession.
//!
//! What is sent there is a secret (client secret, assertion), and what comes back is one (the token); neither
//! reaches a log or an error. Facts: `entra-contract.md` 1.1, 1.2, 1.5 and 3.4.

mod answer;
pub mod azure_cli;
mod claims;
mod clouds;
mod jwt;
mod managed;
mod own;
mod probe;
mod signer;
mod workload;

use std::sync::Arc;

use crate::clock::Clock;
use crate::http;
use crate::http::Method;
use crate::http::Request;
use crate::http::Site;
use crate::http::segment;
use crate::model::ClientId;
use crate::model::TenantId;
use crate::ports::PortError;
use crate::secret::Secret;

pub use azure_cli::AzureCli;
pub use claims::claims;
pub use claims::roles;
pub use clouds::Cloud;
pub use clouds::EXCHANGE_AUDIENCE;
pub use clouds::Endpoints;
pub use managed::Endpoint as ManagedEndpoint;
pub use managed::ManagedIdentity;
pub use workload::Workload;

/// `client_assertion_type` of every assertion.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What [`Entra`] is made of.
pub struct EntraOptions {
    /// The client to call with.
    pub http: http::Client,
    /// Base address of the login service (`https://login.microsoftonline.com`).
    pub login_url: String,
    /// Base address of Graph: tokens are asked for `<graph_url>/.default`.
    pub graph_url: String,
    /// The tenant to sign in to.
    pub tenant: TenantId,
    /// The clock that assertions are dated by.
    pub clock: Arc<dyn Clock>,
    /// everkey's own identity.
    pub own: OwnSignIn,
}

/// How everkey itself signs in.
#[derive(Debug)]
pub enum OwnSignIn {
    /// By certificate.
    Certificate {
        /// everkey's own app registration.
        client_id: ClientId,
        /// Private key, PKCS#8 DER; RSA.
        key: Secret,
        /// Certificate, DER.
        certificate: Vec<u8>,
    },
    /// By client secret.
    ClientSecret {
        /// everkey's own app registration.
        client_id: ClientId,
        /// The secret's value.
        secret: Secret,
    },
    /// Another source gives everkey's own token ([`AzureCli`], [`ManagedIdentity`]); this one proves credentials of
    /// others.
    Elsewhere,
    /// By the token of the workload that everkey runs as.
    Workload {
        /// everkey's own app registration.
        client_id: ClientId,
        /// Its token.
        token: Workload,
    },
}

/// The token endpoint of one tenant.
///
/// Implements [`crate::ports::TokenSource`] (everkey's own token) and [`crate::ports::TokenEndpoint`] (probes and
/// proofs of managed applications).
pub struct Entra {
    site: Site,
    /// Path of the token endpoint below the login address.
    path: String,
    /// The token endpoint's full address: the audience of assertions.
    audience: String,
    scope: String,
    clock: Arc<dyn Clock>,
    own: OwnSignIn,
    cache: own::Cache,
}

impl Entra {
    /// The token endpoint that `options` describe; sends nothing yet.
    ///
    /// # Errors
    /// [`PortError::Local`] when the login address is not a plain https address.
    pub fn new(options: EntraOptions) -> Result<Self, PortError> {
        let path = format!("/{}/oauth2/v2.0/token", segment(options.tenant.as_str()));
        Ok(Self {
            site: options.http.at(&options.login_url)?,
            audience: format!("{}{path}", options.login_url.trim_end_matches('/')),
            path,
            scope: format!("{}/.default", options.graph_url.trim_end_matches('/')),
            clock: options.clock,
            own: options.own,
            cache: own::Cache::default(),
        })
    }

    /// One client-credentials request; the answer of any status.
    async fn request(&self, client_id: &ClientId, credential: Credential<'_>) -> Result<http::Reply, PortError> {
        let assertion;
        let mut fields = vec![
            ("client_id", client_id.as_str()),
            ("grant_type", "client_credentials"),
            ("scope", self.scope.as_str()),
        ];
        let hidden = match credential {
            Credential::Assertion(assertion) => {
                fields.push(("client_assertion_type", JWT_BEARER));
                fields.push(("client_assertion", text(assertion)?));
                assertion
            }
            Credential::Certificate { key, certificate } => {
                assertion = signer::assertion(client_id, &self.audience, key, certificate, self.clock.now())?;
                fields.push(("client_assertion_type", JWT_BEARER));
                fields.push(("client_assertion", text(&assertion)?));
                &assertion
            }
            Credential::ClientSecret(secret) => {
                fields.push(("client_secret", text(secret)?));
                secret
            }
        };
        self.site.send(Request::new(Method::POST, &self.path).form(&fields).hide(hidden)).await
    }
}

/// What a token request is proven with.
enum Credential<'a> {
    Assertion(&'a Secret),
    Certificate { key: &'a Secret, certificate: &'a [u8] },
    ClientSecret(&'a Secret),
}

/// A form carries text only.
fn text(secret: &Secret) -> Result<&str, PortError> {
    secret.expose_text().ok_or_else(|| PortError::Local("a client secret must be text".into()))
}

//! HashiCorp Vault (or OpenBao) as a sink and an issuer both speak to it: its address, its namespace, and the sign-in.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::error::Result;
use super::remote;
use super::remote::Remote;
use super::remote::not_sent;
use super::remote::read_secret;
use crate::http::Method;
use crate::http::Reply;
use crate::http::Request;
use crate::http::Site;
use crate::http::segment;
use crate::model::VaultAuth;
use crate::ports::PortError;
use crate::secret::Secret;

/// One Vault and the way in.
#[derive(Debug)]
pub(super) struct Vault {
    auth: VaultAuth,
    namespace: Option<String>,
    site: Site,
}

#[derive(Deserialize)]
struct Login {
    auth: LoginAuth,
}

#[derive(Deserialize)]
struct LoginAuth {
    #[serde(deserialize_with = "remote::secret")]
    client_token: Secret,
}

impl Vault {
    pub(super) fn new(
        remote: &Arc<Remote>,
        address: &str,
        auth: &VaultAuth,
        namespace: Option<&String>,
        ca_file: Option<&str>,
    ) -> Result<Self, PortError> {
        Ok(Self { auth: auth.clone(), namespace: namespace.cloned(), site: remote.site(address, ca_file)? })
    }

    /// A request in the namespace of the policy.
    pub(super) fn request(&self, method: Method, path: &str) -> Result<Request, PortError> {
        let request = Request::new(method, path).header("x-vault-request", "true");
        match &self.namespace {
            Some(namespace) => request.text_header("x-vault-namespace", namespace),
            None => Ok(request),
        }
    }

    /// Signs in, then sends `request`.
    pub(super) async fn send(&self, request: Request) -> Result<Reply, PortError> {
        let token = self.token().await?;
        self.site.send(request.secret_header("x-vault-token", "", &token)?).await
    }

    /// A token: of AppRole, or from the file that somebody keeps fresh.
    async fn token(&self) -> Result<Secret, PortError> {
        match &self.auth {
            VaultAuth::Token { token_file } => Ok(read_secret("read the Vault token", token_file)?),
            VaultAuth::AppRole { role_id, secret_id_file } => {
                let secret_id = read_secret("read the secret id", secret_id_file)?;
                let text = secret_id.expose_text().unwrap_or_default();
                let request = self.request(Method::POST, "/v1/auth/approle/login")?;
                let request = request.json(&BTreeMap::from([("role_id", role_id.as_str()), ("secret_id", text)]))?;
                let reply = self.site.send(request.hide(&secret_id)).await.map_err(not_sent)?;
                // Vault answers a wrong role or secret id with 400.
                let login: Login = match reply.accept().and_then(|reply| reply.json()) {
                    Err(PortError::Refused(refusal)) => return Err(PortError::Denied(refusal)),
                    other => other.map_err(not_sent)?,
                };
                Ok(login.auth.client_token)
            }
        }
    }
}

/// A mount, path or role as it stands in an address.
pub(super) fn path(text: &str) -> String {
    text.split('/').map(segment).collect::<Vec<_>>().join("/")
}

//! HashiCorp Vault (or OpenBao) as a sink and an issuer both speak to it: its address, its namespace, and the sign-in.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::remote;
use super::remote::Remote;
use super::remote::not_sent;
use super::remote::read_secret;
use super::vault_leases::Leases;
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
    address: String,
    auth: VaultAuth,
    leases: Arc<Leases>,
    namespace: Option<String>,
    remote: Arc<Remote>,
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
    #[serde(default)]
    lease_duration: i64,
}

impl Vault {
    pub(super) fn new(
        remote: Arc<Remote>,
        leases: Arc<Leases>,
        address: &str,
        auth: &VaultAuth,
        namespace: Option<&String>,
        ca_file: Option<&str>,
    ) -> Result<Self, PortError> {
        let site = remote.site(address, ca_file)?;
        let (address, auth, namespace) = (address.to_owned(), auth.clone(), namespace.cloned());
        Ok(Self { address, auth, leases, namespace, remote, site })
    }

    /// A request in the namespace of the policy.
    pub(super) fn request(&self, method: Method, path: &str) -> Result<Request, PortError> {
        let request = Request::new(method, path).header("x-vault-request", "true");
        match &self.namespace {
            Some(namespace) => request.text_header("x-vault-namespace", namespace),
            None => Ok(request),
        }
    }

    /// Sends with a token; when Vault does not accept one that was kept, once more with a new one.
    pub(super) async fn send(
        &self,
        request: impl Fn() -> Result<Request, PortError> + Send + Sync,
    ) -> Result<Reply, PortError> {
        let signed = |token: Secret| request()?.secret_header("x-vault-token", "", &token);
        let kept = self.leases.token(&self.lease(), self.remote.clock.now()).is_some();
        let reply = self.site.send(signed(self.token().await?)?).await?;
        if reply.status != 403 || !kept {
            return Ok(reply);
        }
        self.leases.forget(&self.lease());
        self.site.send(signed(self.token().await?)?).await
    }

    /// Reads `path`.
    pub(super) async fn get(&self, path: &str) -> Result<Reply, PortError> {
        self.send(|| self.request(Method::GET, path)).await
    }

    /// A token: of AppRole, or from the file that somebody keeps fresh.
    async fn token(&self) -> Result<Secret, PortError> {
        let (role_id, secret_id_file) = match &self.auth {
            VaultAuth::Token { token_file } => return Ok(read_secret("read the Vault token", token_file)?),
            VaultAuth::AppRole { role_id, secret_id_file } => (role_id, secret_id_file),
        };
        let now = self.remote.clock.now();
        if let Some(token) = self.leases.token(&self.lease(), now) {
            return Ok(token);
        }
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
        self.leases.keep(self.lease(), &login.auth.client_token, now, login.auth.lease_duration);
        Ok(login.auth.client_token)
    }

    /// What tokens of this sign-in are kept under.
    fn lease(&self) -> String {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        match &self.auth {
            VaultAuth::AppRole { role_id, secret_id_file } => {
                format!("{}\n{namespace}\n{role_id}\n{secret_id_file}", self.address)
            }
            VaultAuth::Token { token_file } => format!("{}\n{namespace}\n\n{token_file}", self.address),
        }
    }
}

/// A mount, path or role as it stands in an address.
pub(super) fn path(text: &str) -> String {
    text.split('/').map(segment).collect::<Vec<_>>().join("/")
}

//! The sink `hashicorp-vault`: keys of one secret in a KV version 2 store, of Vault or OpenBao.
//!
//! Check-and-set decides every write: whoever writes in between makes ours fail, and we look again. The mark is a key of
//! the same secret, because nothing else changes together with the values. Nothing is written before it is known that the
//! store has versions: version 1 would take our write as a value, beside the one that consumers read.

mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::error::Result;
use super::keyed::Keys;
use super::marks::Holder;
use super::marks::Marked;
use super::remote;
use super::remote::Remote;
use super::remote::Writer;
use super::remote::conflict;
use super::remote::differs;
use super::remote::not_sent;
use super::remote::read_secret;
use super::vault_leases::Leases;
use crate::http::Method;
use crate::http::Reply;
use crate::http::Request;
use crate::http::Site;
use crate::http::segment;
use crate::model::VaultAuth;
use crate::model::VaultKvSpec;
use crate::ports::Payload;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::ports::Sink;
use crate::secret::Fingerprint;
use crate::secret::Secret;

/// One secret of a KV store.
#[derive(Debug)]
pub(super) struct VaultKvSink {
    keys: Keys,
    leases: Arc<Leases>,
    path: String,
    remote: Arc<Remote>,
    site: Site,
    spec: VaultKvSpec,
}

/// What is there: the version for check-and-set, and our keys among others.
#[derive(Debug, Default)]
struct Held {
    /// Number of the latest version, 0 for none.
    version: u64,
    /// It is deleted: there is a version, and nothing in it.
    empty: bool,
    values: BTreeMap<String, Secret>,
}

impl VaultKvSink {
    pub(super) fn new(
        spec: &VaultKvSpec,
        holder: Holder,
        remote: Arc<Remote>,
        leases: Arc<Leases>,
    ) -> Result<Self, PortError> {
        Ok(Self {
            keys: Keys::new(&spec.values, holder)?,
            leases,
            path: format!("/v1/{}/data/{}", parts(&spec.mount), parts(&spec.path)),
            site: remote.site(&spec.address, spec.ca_file.as_deref())?,
            remote,
            spec: spec.clone(),
        })
    }

    /// A request in the namespace of the policy.
    fn request(&self, method: Method, path: &str) -> Result<Request, PortError> {
        let request = Request::new(method, path).header("x-vault-request", "true");
        match &self.spec.namespace {
            Some(namespace) => request.text_header("x-vault-namespace", namespace),
            None => Ok(request),
        }
    }

    /// A token: of AppRole, or from the file that somebody keeps fresh.
    async fn token(&self) -> Result<Secret, PortError> {
        let (role_id, secret_id_file) = match &self.spec.auth {
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
        let login: wire::Login = match reply.accept().and_then(|reply| reply.json()) {
            Err(PortError::Refused(refusal)) => return Err(PortError::Denied(refusal)),
            other => other.map_err(not_sent)?,
        };
        self.leases.keep(self.lease(), &login.auth.client_token, now, login.auth.lease_duration);
        Ok(login.auth.client_token)
    }

    /// What tokens of this sign-in are kept under.
    fn lease(&self) -> String {
        let namespace = self.spec.namespace.as_deref().unwrap_or_default();
        match &self.spec.auth {
            VaultAuth::AppRole { role_id, secret_id_file } => {
                format!("{}\n{namespace}\n{role_id}\n{secret_id_file}", self.spec.address)
            }
            VaultAuth::Token { token_file } => format!("{}\n{namespace}\n\n{token_file}", self.spec.address),
        }
    }

    /// Sends with a token; when Vault does not accept one that was kept, once more with a new one.
    async fn send(&self, request: impl Fn() -> Result<Request, PortError> + Send + Sync) -> Result<Reply, PortError> {
        let signed = |token: Secret| request()?.secret_header("x-vault-token", "", &token);
        let kept = self.leases.token(&self.lease(), self.remote.clock.now()).is_some();
        let reply = self.site.send(signed(self.token().await?)?).await?;
        if reply.status != 403 || !kept {
            return Ok(reply);
        }
        self.leases.forget(&self.lease());
        self.site.send(signed(self.token().await?)?).await
    }

    async fn get(&self, path: &str) -> Result<Reply, PortError> {
        self.send(|| self.request(Method::GET, path)).await
    }

    async fn held(&self) -> Result<Held, PortError> {
        let reply = self.get(&self.path).await?;
        if reply.status == 404 && !reply.json::<wire::Failed>().is_ok_and(|failed| !failed.errors.is_empty()) {
            // A deleted version still has its number; nothing at all has no body to speak of.
            let version = reply.json::<wire::Read>().map_or(0, |read| read.data.metadata.version);
            return Ok(Held { version, empty: true, ..Held::default() });
        }
        let read: wire::Read = reply.accept()?.json()?;
        Ok(Held { version: read.data.metadata.version, empty: false, values: read.data.data })
    }

    /// Refuses a store that is not known to have versions (`entra-contract.md` 9).
    async fn versioned(&self) -> Result<(), PortError> {
        let mount = parts(&self.spec.mount);
        let told = self.get(&format!("/v1/sys/internal/ui/mounts/{mount}")).await?;
        let missing = |message: String| PortError::Missing(Refusal { message, ..Refusal::default() });
        match told.accept() {
            Ok(reply) => {
                let mounted: wire::Mounted = reply.json()?;
                if mounted.is_versioned() {
                    return Ok(());
                }
                let message = format!("`{}` is no KV store of version 2, but {}", self.spec.mount, mounted.described());
                return Err(missing(message));
            }
            Err(PortError::Denied(_) | PortError::Missing(_) | PortError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        // Whoever may not see the mount may perhaps see its configuration, which version 1 has not.
        let message = format!("everkey cannot tell whether `{}` is a KV store of version 2", self.spec.mount);
        match self.get(&format!("/v1/{mount}/config")).await?.accept() {
            Ok(reply) if reply.json::<wire::Config>().is_ok() => Ok(()),
            Ok(_) => Err(missing(message)),
            Err(PortError::Missing(refusal)) => Err(missing(format!("{message}: {}", refusal.message))),
            Err(PortError::Denied(refusal)) => {
                let message =
                    format!("{message}: it may read neither sys/internal/ui/mounts/{mount} nor {mount}/config");
                Err(PortError::Denied(Refusal { message, ..refusal }))
            }
            Err(error) => Err(error),
        }
    }

    fn marked(&self, held: &Held) -> Option<Marked> {
        self.keys.find(held.values.iter().filter_map(|(key, value)| Some((key, value.expose_text()?))))
    }

    /// Writes our keys on condition that nobody wrote since `held`; other keys stay.
    async fn put(&self, held: &Held, values: &BTreeMap<String, Secret>, mark: &Marked) -> Result<(), PortError> {
        let text = mark.text()?;
        let mut data: BTreeMap<&str, &str> = BTreeMap::from([(mark.name.as_str(), text.as_str())]);
        data.extend(values.iter().map(|(key, value)| (key.as_str(), value.expose_text().unwrap_or_default())));
        let body = wire::Written { options: wire::Options { cas: held.version }, data };
        let (method, content_type) = match held.empty {
            true => (Method::POST, "application/json"),
            false => (Method::PATCH, "application/merge-patch+json"),
        };
        let request = || {
            let request = self.request(method.clone(), &self.path)?.json_as(content_type, &body)?;
            Ok(values.values().fold(request, |request, value| request.hide(value)))
        };
        match self.send(request).await?.accept() {
            Ok(_) => Ok(()),
            Err(PortError::Refused(refusal)) if refusal.message.contains("check-and-set") => {
                Err(conflict("check-and-set", format!("somebody wrote to {} at the same time", self.place())))
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Sink for VaultKvSink {
    async fn preflight(&self) -> Result<(), PortError> {
        let held = match self.held().await {
            Ok(held) if held.version > 0 => held,
            // Nothing there, or nothing that version 2 would answer.
            other @ (Ok(_) | Err(PortError::Unsure { .. })) => {
                self.versioned().await?;
                other?
            }
            Err(error) => return Err(error),
        };
        let marked = self.marked(&held);
        match self.keys.writer(&held.values, marked.as_ref().map(|marked| &marked.mark), None) {
            Writer::Other if !self.spec.overwrite_foreign => Err(remote::foreign(&self.place())),
            _ => Ok(()),
        }
    }

    async fn write(&self, payload: &Payload) -> Result<Fingerprint, PortError> {
        let values = self.keys.texts(payload)?;
        let expected = self.keys.fingerprint(&values).ok_or_else(|| differs(&self.place()))?;
        let held = self.held().await?;
        let marked = self.marked(&held);
        let mark = marked.as_ref().map(|marked| &marked.mark);
        let writer = self.keys.writer(&held.values, mark, Some(&values));
        writer.yields_to(payload.generation, self.spec.overwrite_foreign, &self.place())?;
        let there = writer == Writer::Ours(payload.generation)
            && self.keys.fingerprint(&held.values).as_ref() == Some(&expected);
        if !there {
            if held.version == 0 {
                self.versioned().await?;
            }
            let mut all = self.keys.kept(&held.values, mark);
            all.extend(values.iter().map(|(key, value)| (key.clone(), value.duplicate())));
            self.put(&held, &values, &self.keys.mark(payload, &all)?).await?;
        }
        match self.fingerprint().await? {
            Some(found) if found == expected => Ok(found),
            _ => Err(differs(&self.place())),
        }
    }

    async fn fingerprint(&self) -> Result<Option<Fingerprint>, PortError> {
        Ok(self.keys.fingerprint(&self.held().await?.values))
    }

    async fn after(&self) -> Result<(), PortError> {
        Ok(())
    }

    fn compares(&self) -> bool {
        true
    }

    fn place(&self) -> String {
        self.spec.place()
    }
}

/// A path with several parts.
fn parts(text: &str) -> String {
    text.split('/').map(segment).collect::<Vec<_>>().join("/")
}

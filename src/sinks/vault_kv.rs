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
use super::vault;
use super::vault::Vault;
use super::vault_leases::Leases;
use crate::http::Method;
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
    path: String,
    spec: VaultKvSpec,
    vault: Vault,
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
        let ca_file = spec.ca_file.as_deref();
        Ok(Self {
            keys: Keys::new(&spec.values, holder)?,
            path: format!("/v1/{}/data/{}", vault::path(&spec.mount), vault::path(&spec.path)),
            spec: spec.clone(),
            vault: Vault::new(remote, leases, &spec.address, &spec.auth, spec.namespace.as_ref(), ca_file)?,
        })
    }

    async fn held(&self) -> Result<Held, PortError> {
        let reply = self.vault.get(&self.path).await?;
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
        let mount = vault::path(&self.spec.mount);
        let told = self.vault.get(&format!("/v1/sys/internal/ui/mounts/{mount}")).await?;
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
        match self.vault.get(&format!("/v1/{mount}/config")).await?.accept() {
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
            let request = self.vault.request(method.clone(), &self.path)?.json_as(content_type, &body)?;
            Ok(values.values().fold(request, |request, value| request.hide(value)))
        };
        match self.vault.send(request).await?.accept() {
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

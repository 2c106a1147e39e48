//! The sink `hashicorp-vault`: keys of one secret in a KV version 2 store, of Vault or OpenBao.
//!
//! Check-and-set decides every write: whoever writes in between makes ours fail, and we look again. The mark is a key of
//! the same secret, because nothing else changes together with the values.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde::Serialize;

use super::error::Result;
use super::keyed::Keys;
use super::remote;
use super::remote::MARK;
use super::remote::Remote;
use super::remote::Writer;
use super::remote::conflict;
use super::remote::differs;
use super::vault;
use super::vault::Vault;
use crate::http::Method;
use crate::model::VaultKvSpec;
use crate::ports::Payload;
use crate::ports::PortError;
use crate::ports::Sink;
use crate::secret::Fingerprint;
use crate::secret::Secret;

/// One secret of a KV store.
#[derive(Debug)]
pub(super) struct VaultKvSink {
    keys: Keys,
    path: String,
    remote: Arc<Remote>,
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

#[derive(Deserialize)]
struct Read {
    data: ReadData,
}

#[derive(Deserialize)]
struct ReadData {
    #[serde(default, deserialize_with = "remote::secrets")]
    data: BTreeMap<String, Secret>,
    metadata: ReadMetadata,
}

#[derive(Deserialize)]
struct ReadMetadata {
    version: u64,
}

#[derive(Serialize)]
struct Written<'a> {
    options: Options,
    data: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Options {
    cas: u64,
}

impl VaultKvSink {
    pub(super) fn new(spec: &VaultKvSpec, remote: Arc<Remote>) -> Result<Self, PortError> {
        let ca_file = spec.ca_file.as_deref();
        Ok(Self {
            keys: Keys::new(&spec.values)?,
            path: format!("/v1/{}/data/{}", vault::path(&spec.mount), vault::path(&spec.path)),
            vault: Vault::new(&remote, &spec.address, &spec.auth, spec.namespace.as_ref(), ca_file)?,
            remote,
            spec: spec.clone(),
        })
    }

    async fn held(&self) -> Result<Held, PortError> {
        let reply = self.vault.send(self.vault.request(Method::GET, &self.path)?).await?;
        if reply.status == 404 {
            // A deleted version still has its number; nothing at all has no body to speak of.
            let version = reply.json::<Read>().map_or(0, |read| read.data.metadata.version);
            return Ok(Held { version, empty: true, ..Held::default() });
        }
        let read: Read = reply.accept()?.json()?;
        Ok(Held { version: read.data.metadata.version, empty: false, values: read.data.data })
    }

    fn writer(&self, held: &Held) -> Writer {
        self.keys.writer(&self.remote, &held.values, held.values.get(MARK).and_then(Secret::expose_text))
    }

    /// Writes our keys on condition that nobody wrote since `held`; other keys stay.
    async fn put(&self, held: &Held, values: &BTreeMap<String, Secret>, mark: &str) -> Result<(), PortError> {
        let mut data: BTreeMap<&str, &str> = BTreeMap::from([(MARK, mark)]);
        data.extend(values.iter().map(|(key, value)| (key.as_str(), value.expose_text().unwrap_or_default())));
        let body = Written { options: Options { cas: held.version }, data };
        let (method, content_type) = match held.empty {
            true => (Method::POST, "application/json"),
            false => (Method::PATCH, "application/merge-patch+json"),
        };
        let mut request = self.vault.request(method, &self.path)?.json_as(content_type, &body)?;
        for value in values.values() {
            request = request.hide(value);
        }
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
        match self.writer(&self.held().await?) {
            Writer::Other if !self.spec.overwrite_foreign => Err(remote::foreign(&self.place())),
            _ => Ok(()),
        }
    }

    async fn write(&self, payload: &Payload) -> Result<Fingerprint, PortError> {
        let values = self.keys.texts(payload)?;
        let expected = self.keys.fingerprint(&values).ok_or_else(|| differs(&self.place()))?;
        let held = self.held().await?;
        let writer = self.writer(&held);
        writer.yields_to(payload.generation, self.spec.overwrite_foreign, &self.place())?;
        let there = writer == Writer::Ours(payload.generation)
            && self.keys.fingerprint(&held.values).as_ref() == Some(&expected);
        if !there {
            self.put(&held, &values, &self.keys.mark(&self.remote, payload.generation, &expected)).await?;
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

//! The sink `json-file`: values at JSON pointers inside a file that an application also edits.
//!
//! Every byte outside our values stays as it is. What is compared are the values, not the file.

mod edit;
mod preflight;
mod replace;
mod scan;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::after;
use super::error::Result;
use super::error::SinkError;
use super::error::payload_value;
use super::factory;
use super::mounts;
use super::owner::Owner;
use crate::model::JsonFileSpec;
use crate::model::ValueName;
use crate::ports::Payload;
use crate::ports::PortError;
use crate::ports::Sink;
use crate::secret::Fingerprint;
use crate::secret::Secret;
use edit::Pointer;

/// Where the file is, and how it is written.
#[derive(Clone, Debug)]
struct Target {
    /// The directory that holds it.
    parent: PathBuf,
    /// Its name.
    name: String,
    /// Our pointers, in the order of the policy.
    pointers: Vec<Pointer>,
    /// `None` keeps the file's own.
    mode: Option<u32>,
    /// `None` keeps the file's own.
    owner: Option<Owner>,
    /// Into the existing inode, for bind-mounted files.
    in_place: bool,
    /// Whether one of the values is secret.
    secret: bool,
}

impl Target {
    /// The file, for people.
    fn path(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    /// Name of the lock and generation file.
    fn sidecar(&self) -> String {
        format!(".{}.everkey", self.name)
    }

    /// A refusal that names the file.
    fn refused(&self, why: impl std::fmt::Display) -> SinkError {
        SinkError::refused(format!("{}: {why}", self.path().display()))
    }
}

/// Values inside a JSON file.
#[derive(Debug)]
pub(super) struct JsonFileSink {
    target: Arc<Target>,
    values: Vec<ValueName>,
    after: Vec<String>,
    compares: bool,
}

impl JsonFileSink {
    /// Checks `spec` as far as that is possible without touching the file.
    pub(super) fn new(spec: &JsonFileSpec) -> Result<Self> {
        after::check(&spec.after)?;
        let (parent, name) = factory::split(&spec.path)?;
        let mut pointers = Vec::new();
        for (text, _) in &spec.values {
            let pointer = Pointer::parse(text).map_err(SinkError::refused)?;
            if pointers.contains(&pointer) {
                return Err(SinkError::refused(format!("JSON pointer `{text}` is given twice")));
            }
            pointers.push(pointer);
        }
        if pointers.is_empty() {
            return Err(SinkError::refused("a json-file sink without any value"));
        }
        let secret = spec.values.iter().any(|(_, value)| value.is_secret());
        if let Some(mode) = spec.mode
            && (mode & 0o600 != 0o600 || mode & !0o666 != 0 || (secret && mode & 0o006 != 0))
        {
            let why = "a file that holds a secret may be readable by owner and group only";
            return Err(SinkError::refused(format!("mode {mode:04o}: {why} (0600, 0640, 0660)")));
        }
        let owner = spec.owner.as_deref().map(Owner::parse).transpose()?;
        let compares = !mounts::is_network(&parent);
        let (mode, in_place) = (spec.mode, spec.in_place);
        let target = Arc::new(Target { parent, name, pointers, mode, owner, in_place, secret });
        let values = spec.values.iter().map(|(_, value)| *value).collect();
        Ok(Self { target, values, after: spec.after.clone(), compares })
    }

    /// The texts to write, one for each pointer.
    fn texts(&self, payload: &Payload) -> Result<Vec<Zeroizing<String>>> {
        self.values.iter().map(|name| as_text(*name, payload_value(payload, *name)?)).collect()
    }
}

/// A PFX is binary and becomes base64; everything else is text already.
fn as_text(name: ValueName, value: &Secret) -> Result<Zeroizing<String>> {
    if name == ValueName::Pfx {
        return Ok(Zeroizing::new(BASE64_STANDARD.encode(value.expose())));
    }
    let text = value.expose_text().ok_or_else(|| SinkError::refused(format!("the value {name:?} is not text")))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[async_trait]
impl Sink for JsonFileSink {
    async fn preflight(&self) -> Result<(), PortError> {
        let target = Arc::clone(&self.target);
        factory::blocking(move || preflight::check(&target)).await
    }

    async fn write(&self, payload: &Payload) -> Result<Fingerprint, PortError> {
        let texts = self.texts(payload)?;
        let (target, generation) = (Arc::clone(&self.target), payload.generation);
        factory::blocking(move || replace::publish(&target, generation, texts)).await
    }

    async fn fingerprint(&self) -> Result<Option<Fingerprint>, PortError> {
        let target = Arc::clone(&self.target);
        factory::blocking(move || replace::fingerprint(&target)).await
    }

    async fn after(&self) -> Result<(), PortError> {
        Ok(after::run(&self.after).await?)
    }

    fn compares(&self) -> bool {
        self.compares
    }

    fn place(&self) -> String {
        self.target.path().display().to_string()
    }
}

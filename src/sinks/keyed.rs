//! What stores with several keys under one name share (HashiCorp Vault, Kubernetes): our keys among others, a mark that says
//! which rotation wrote them, and whether they are still what it wrote.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::error::Result;
use super::error::SinkError;
use super::error::payload_value;
use super::remote::Remote;
use super::remote::Writer;
use crate::model::RotationId;
use crate::model::ValueName;
use crate::ports::Payload;
use crate::secret::Fingerprint;
use crate::secret::Secret;

/// Characters of the digest in a mark.
const DIGEST_CHARS: usize = 16;

/// The keys of a store that are ours, each with what goes there.
#[derive(Clone, Debug)]
pub(super) struct Keys(Vec<(String, ValueName)>);

impl Keys {
    pub(super) fn new(values: &[(String, ValueName)]) -> Result<Self> {
        if values.is_empty() {
            return Err(SinkError::refused("a store without any value"));
        }
        Ok(Self(values.to_vec()))
    }

    /// What goes to each key, as text; a PFX in base64.
    pub(super) fn texts(&self, payload: &Payload) -> Result<BTreeMap<String, Secret>> {
        let text = |(key, name): &(String, ValueName)| {
            let value = payload_value(payload, *name)?;
            if *name == ValueName::Pfx {
                return Ok((key.clone(), Secret::from_text(BASE64_STANDARD.encode(value.expose()))));
            }
            if value.expose_text().is_none() {
                return Err(SinkError::refused(format!("the value {name:?} is not text")));
            }
            Ok((key.clone(), value.duplicate()))
        };
        self.0.iter().map(text).collect()
    }

    /// The fingerprint of our keys; `None` when one of them is not there.
    pub(super) fn fingerprint(&self, held: &BTreeMap<String, Secret>) -> Option<Fingerprint> {
        let mut parts = String::new();
        for (key, _) in &self.0 {
            parts.push_str(&format!("{key}={}\n", held.get(key)?.fingerprint().0));
        }
        Some(Fingerprint::of(parts.as_bytes()))
    }

    /// The mark of values with this fingerprint: store, rotation and a digest, so that a change by hand shows.
    pub(super) fn mark(&self, remote: &Remote, generation: RotationId, print: &Fingerprint) -> String {
        format!("{}/{}", remote.mark(generation), digest(print))
    }

    /// Who wrote what is held. Other keys of the same name are nobody's business.
    pub(super) fn writer(&self, remote: &Remote, held: &BTreeMap<String, Secret>, mark: Option<&str>) -> Writer {
        if mark.is_none() && !self.0.iter().any(|(key, _)| held.contains_key(key)) {
            return Writer::Nobody;
        }
        let marked = mark.and_then(|mark| mark.rsplit_once('/'));
        let print = self.fingerprint(held);
        match marked.and_then(|(mark, of)| Some((remote.generation(Some(mark))?, of))) {
            Some((generation, of)) if print.is_some_and(|print| digest(&print) == of) => Writer::Ours(generation),
            _ => Writer::Other,
        }
    }
}

fn digest(print: &Fingerprint) -> String {
    print.0.chars().take(DIGEST_CHARS).collect()
}

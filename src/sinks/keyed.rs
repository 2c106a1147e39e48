//! What stores with several keys under one name share (HashiCorp Vault, Kubernetes): our keys among others, a mark that says
//! which rotation wrote them, and whether they are still what it wrote.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::error::Result;
use super::error::SinkError;
use super::error::payload_value;
use super::marks::Holder;
use super::marks::Mark;
use super::marks::Marked;
use super::remote::Writer;
use crate::model::ValueName;
use crate::ports::Payload;
use crate::secret::Fingerprint;
use crate::secret::Secret;

/// The keys of a store that are ours, each with what goes there, and whose they are.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    holder: Holder,
    wanted: Vec<(String, ValueName)>,
}

impl Keys {
    pub(super) fn new(values: &[(String, ValueName)], holder: Holder) -> Result<Self> {
        if values.is_empty() {
            return Err(SinkError::refused("a store without any value"));
        }
        Ok(Self { holder, wanted: values.to_vec() })
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
        self.wanted.iter().map(text).collect()
    }

    /// Whether `key` is one of the policy's.
    pub(super) fn wants(&self, key: &str) -> bool {
        self.wanted.iter().any(|(wanted, _)| wanted == key)
    }

    /// The keys whose values are new with every credential.
    pub(super) fn changing(&self) -> impl Iterator<Item = &str> {
        let same = |name: &ValueName| matches!(name, ValueName::ClientId | ValueName::TenantId);
        self.wanted.iter().filter(move |(_, name)| !same(name)).map(|(key, _)| key.as_str())
    }

    /// The fingerprint of our keys; `None` when one of them is not there.
    pub(super) fn fingerprint(&self, held: &BTreeMap<String, Secret>) -> Option<Fingerprint> {
        print(self.wanted.iter().map(|(key, _)| key), held)
    }

    /// Our mark among what is named there.
    pub(super) fn find<'n>(&self, named: impl Iterator<Item = (&'n String, &'n str)>) -> Option<Marked> {
        self.holder.find(named)
    }

    /// The mark of everything that is ours from now on: store, rotation, keys, and a digest, so that a change by hand
    /// shows.
    pub(super) fn mark(&self, payload: &Payload, all: &BTreeMap<String, Secret>) -> Result<Marked> {
        let missing = || SinkError::refused("a store without any value");
        let print = print(all.keys(), all).ok_or_else(missing)?;
        self.holder.mark(payload.generation, all.keys().cloned().collect(), &print)
    }

    /// What we wrote under keys that the policy no longer names. It stays, as it is, until a person removes it.
    pub(super) fn kept(&self, held: &BTreeMap<String, Secret>, mark: Option<&Mark>) -> BTreeMap<String, Secret> {
        let keys = mark.map(|mark| mark.keys.as_slice()).unwrap_or_default();
        let kept = keys.iter().filter(|key| !self.wants(key));
        kept.filter_map(|key| Some((key.clone(), held.get(key)?.duplicate()))).collect()
    }

    /// Who wrote what is held. Other keys of the same name are nobody's business. A key that the mark does not name is
    /// free while nothing is there, or what is there is what we bring.
    pub(super) fn writer(
        &self,
        held: &BTreeMap<String, Secret>,
        mark: Option<&Mark>,
        brought: Option<&BTreeMap<String, Secret>>,
    ) -> Writer {
        let same = |key: &str, there: &Secret| {
            let brought = brought.and_then(|brought| brought.get(key));
            brought.is_some_and(|brought| brought.fingerprint() == there.fingerprint())
        };
        let marked = |key: &String| mark.is_some_and(|mark| mark.keys.contains(key));
        let free = |key: &String| marked(key) || held.get(key).is_none_or(|there| same(key, there));
        if !self.wanted.iter().all(|(key, _)| free(key)) {
            return Writer::Other;
        }
        match mark {
            None => Writer::Nobody,
            Some(mark) if print(mark.keys.iter(), held).is_some_and(|print| mark.says(&print)) => {
                Writer::Ours(mark.generation())
            }
            Some(mark) if mark.keys.iter().all(|key| !held.contains_key(key)) => Writer::Nobody,
            Some(_) => Writer::Other,
        }
    }
}

/// The fingerprint of these keys; `None` when one of them is not there.
fn print<'k>(keys: impl Iterator<Item = &'k String>, held: &BTreeMap<String, Secret>) -> Option<Fingerprint> {
    let mut parts = String::new();
    for key in keys {
        parts.push_str(&format!("{key}={}\n", held.get(key)?.fingerprint().0));
    }
    Some(Fingerprint::of(parts.as_bytes()))
}

//! What goes over the wire to HashiCorp Vault, and what comes back.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::secret::Secret;
use crate::sinks::remote;

#[derive(Deserialize)]
pub(super) struct Read {
    pub(super) data: ReadData,
}

#[derive(Deserialize)]
pub(super) struct ReadData {
    #[serde(default, deserialize_with = "remote::secrets")]
    pub(super) data: BTreeMap<String, Secret>,
    pub(super) metadata: ReadMetadata,
}

#[derive(Deserialize)]
pub(super) struct ReadMetadata {
    pub(super) version: u64,
}

/// A refusal; one without texts means that nothing is there.
#[derive(Deserialize)]
pub(super) struct Failed {
    pub(super) errors: Vec<String>,
}

/// What is mounted at a path.
#[derive(Deserialize)]
pub(super) struct Mounted {
    data: Mount,
}

#[derive(Deserialize)]
struct Mount {
    #[serde(rename = "type")]
    kind: String,
    options: Option<BTreeMap<String, String>>,
}

impl Mounted {
    fn version(&self) -> &str {
        self.data.options.as_ref().and_then(|options| options.get("version")).map_or("1", String::as_str)
    }

    /// Whether it is KV version 2.
    pub(super) fn is_versioned(&self) -> bool {
        self.data.kind == "kv" && self.version() == "2"
    }

    /// What it is, for people.
    pub(super) fn described(&self) -> String {
        match self.data.kind.as_str() {
            "kv" | "generic" => format!("KV version {}", self.version()),
            kind => format!("a store of the type {kind}"),
        }
    }
}

/// The configuration of a KV store, which version 2 alone has.
#[derive(Deserialize)]
pub(super) struct Config {
    #[serde(rename = "data")]
    _data: ConfigData,
}

#[derive(Deserialize)]
struct ConfigData {
    #[serde(rename = "cas_required")]
    _cas_required: bool,
    #[serde(rename = "max_versions")]
    _max_versions: u64,
}

#[derive(Serialize)]
pub(super) struct Written<'a> {
    pub(super) options: Options,
    pub(super) data: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
pub(super) struct Options {
    pub(super) cas: u64,
}

//! What goes over the wire to Kubernetes, and what comes back.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::secret::Secret;
use crate::sinks::remote;

#[derive(Deserialize)]
pub(super) struct Object {
    #[serde(default, deserialize_with = "remote::secrets")]
    pub(super) data: BTreeMap<String, Secret>,
    pub(super) metadata: Metadata,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) managed_fields: Vec<Manager>,
    pub(super) resource_version: Option<String>,
}

/// Who owns which fields.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manager {
    #[serde(default)]
    manager: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    fields_v1: Value,
}

impl Manager {
    pub(super) fn name(&self) -> &str {
        &self.manager
    }

    /// Whether it is what applies under this name.
    pub(super) fn applies_as(&self, name: &str) -> bool {
        self.operation == "Apply" && self.manager == name
    }

    /// The keys whose values it owns.
    pub(super) fn keys(&self) -> Vec<String> {
        let fields = self.fields_v1["f:data"].as_object();
        fields.map_or_else(Vec::new, |all| {
            all.keys().filter_map(|key| key.strip_prefix("f:")).map(str::to_owned).collect()
        })
    }

    pub(super) fn owns_key(&self, key: &str) -> bool {
        self.fields_v1["f:data"].get(format!("f:{key}")).is_some()
    }

    pub(super) fn owns_annotation(&self, name: &str) -> bool {
        self.fields_v1["f:metadata"]["f:annotations"].get(format!("f:{name}")).is_some()
    }
}

/// A refusal, as far as its causes.
#[derive(Deserialize)]
pub(super) struct Failed {
    #[serde(default)]
    details: Details,
}

#[derive(Default, Deserialize)]
struct Details {
    #[serde(default)]
    causes: Vec<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

impl Failed {
    /// Whether this is one of the causes.
    pub(super) fn is(&self, reason: &str) -> bool {
        self.details.causes.iter().any(|cause| cause.reason == reason)
    }

    /// What the first cause says.
    pub(super) fn message(&self) -> &str {
        self.details.causes.first().map_or("", |cause| cause.message.as_str())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Value,
    #[serde(rename = "type")]
    secret_type: &'static str,
    data: BTreeMap<&'a str, &'a str>,
}

impl<'a> Written<'a> {
    pub(super) fn new(metadata: Value, secret_type: &'static str, data: BTreeMap<&'a str, &'a str>) -> Self {
        Self { api_version: "v1", kind: "Secret", metadata, secret_type, data }
    }
}

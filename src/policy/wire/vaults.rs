//! Places beyond this machine, as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model;

/// A secret or certificate in an Azure key vault of the tenant's cloud.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyVault {
    /// Name of the vault, never a URL: the cloud says the rest of its host.
    pub vault: Option<String>,
    /// Name of the secret, or of the certificate where the credential is one.
    pub name: Option<String>,
    /// Recover the name when it is deleted there; default: refuse.
    #[serde(default)]
    pub recover_deleted: bool,
    /// Write also over a version that everkey did not make; default: refuse.
    #[serde(default)]
    pub overwrite_foreign: bool,
}

/// Keys of one secret in a KV version 2 store of HashiCorp Vault or OpenBao.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VaultKv {
    /// Base address, `https://vault.contoso.example:8200`.
    pub address: Option<String>,
    /// Where the KV store is mounted; default `secret`.
    pub mount: Option<String>,
    /// Path within it.
    pub path: Option<String>,
    /// Key and the value to put there; other keys stay.
    #[serde(default)]
    #[schemars(schema_with = "super::sinks::values")]
    pub values: BTreeMap<String, model::ValueName>,
    /// AppRole: id of the role.
    pub role_id: Option<String>,
    /// AppRole: file with the secret id.
    pub secret_id_file: Option<String>,
    /// Instead of AppRole: file with a token that somebody keeps fresh.
    pub token_file: Option<String>,
    /// Namespace of Vault Enterprise.
    pub namespace: Option<String>,
    /// PEM file of the only CA to trust; default: the machine's.
    pub ca_file: Option<String>,
    /// Write also over values that everkey did not write; default: refuse.
    #[serde(default)]
    pub overwrite_foreign: bool,
}

/// A role of a PKI engine of HashiCorp Vault or OpenBao that signs this certificate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VaultPki {
    /// Base address, `https://vault.contoso.example:8200`.
    pub address: Option<String>,
    /// Where the PKI engine is mounted; default `pki`.
    pub mount: Option<String>,
    /// The role that signs.
    pub role: Option<String>,
    /// AppRole: id of the role that signs in.
    pub role_id: Option<String>,
    /// AppRole: file with the secret id.
    pub secret_id_file: Option<String>,
    /// Instead of AppRole: file with a token that somebody keeps fresh.
    pub token_file: Option<String>,
    /// Namespace of Vault Enterprise.
    pub namespace: Option<String>,
    /// PEM file of the only CA to trust; default: the machine's.
    pub ca_file: Option<String>,
}

/// Keys of one Kubernetes Secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kubernetes {
    /// Address of the API server; default: of the cluster everkey runs in.
    pub address: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
    /// Name of the Secret.
    pub name: Option<String>,
    /// Its type; default `Opaque`.
    #[serde(rename = "type", default)]
    #[schemars(schema_with = "super::kubernetes_type")]
    pub kind: Option<model::KubernetesType>,
    /// Key and the value to put there; other keys stay. For `kubernetes.io/tls`: certificate and key.
    #[serde(default)]
    #[schemars(schema_with = "super::sinks::values")]
    pub values: BTreeMap<String, model::ValueName>,
    /// File with the bearer token; default: the pod's service account.
    pub token_file: Option<String>,
    /// PEM file of the only CA to trust; default: the pod's, or the machine's where `address` is given.
    pub ca_file: Option<String>,
    /// Take over keys that another manager owns; default: refuse.
    #[serde(default)]
    pub overwrite_foreign: bool,
}

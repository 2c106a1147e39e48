//! Places beyond this machine that give consumers a credential.

use serde::Deserialize;
use serde::Serialize;

use super::ValueName;

/// A secret or a certificate in an Azure key vault.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyVaultSpec {
    /// The vault's name; its host is this and the suffix of the tenant's cloud, never a URL of the policy.
    pub vault: String,
    /// Name of the secret or certificate.
    pub name: String,
    /// It is a certificate: a PFX is imported.
    pub certificate: bool,
    /// Brings a deleted name back instead of refusing.
    pub recover_deleted: bool,
    /// Writes also over a version that everkey did not make.
    pub overwrite_foreign: bool,
}

impl KeyVaultSpec {
    /// Vault, kind and name.
    pub fn place(&self) -> String {
        format!("{}/{}/{}", self.vault, if self.certificate { "certificates" } else { "secrets" }, self.name)
    }

    /// What goes there, with what the marks on it say.
    pub fn values(&self) -> Vec<ValueName> {
        let mut values = vec![ValueName::ClientId, ValueName::Expires];
        values.extend(if self.certificate {
            [ValueName::Pfx, ValueName::PfxPassword, ValueName::Thumbprint]
        } else {
            [ValueName::Secret, ValueName::SecretId, ValueName::TenantId]
        });
        values
    }
}

/// How everkey signs in to a HashiCorp Vault.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaultAuth {
    /// AppRole: the role's id, and the file that holds its secret id.
    AppRole {
        /// Role id; no secret.
        role_id: String,
        /// File with the secret id.
        secret_id_file: String,
    },
    /// A file that holds a token, for instance one that a Vault agent keeps fresh.
    Token {
        /// The file.
        token_file: String,
    },
}

/// Keys of one secret in a KV version 2 store of HashiCorp Vault or OpenBao.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct VaultKvSpec {
    /// Base address.
    pub address: String,
    /// Where the KV store is mounted.
    pub mount: String,
    /// Path within it.
    pub path: String,
    /// Key and the value to put there; other keys stay.
    pub values: Vec<(String, ValueName)>,
    /// How to sign in.
    pub auth: VaultAuth,
    /// Vault Enterprise namespace.
    pub namespace: Option<String>,
    /// PEM file of the only CA to trust.
    pub ca_file: Option<String>,
    /// Writes also over values that everkey did not write.
    pub overwrite_foreign: bool,
}

impl VaultKvSpec {
    /// Address, namespace, mount and path: Vault itself takes a namespace as the front of a path.
    pub fn place(&self) -> String {
        let namespace = self.namespace.as_deref().unwrap_or_default().trim_matches('/');
        let slash = if namespace.is_empty() { "" } else { "/" };
        format!("{}/{namespace}{slash}{}/{}", self.address, self.mount, self.path)
    }
}

/// A role of a PKI engine of HashiCorp Vault or OpenBao, which signs requests.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct VaultPkiSpec {
    /// Base address.
    pub address: String,
    /// Where the PKI engine is mounted.
    pub mount: String,
    /// The role.
    pub role: String,
    /// Common name of the certificate, for roles that do not take it from the request.
    pub common_name: String,
    /// How to sign in.
    pub auth: VaultAuth,
    /// Vault Enterprise namespace.
    pub namespace: Option<String>,
    /// PEM file of the only CA to trust.
    pub ca_file: Option<String>,
}

impl VaultPkiSpec {
    /// Address, mount and role.
    pub fn place(&self) -> String {
        format!("{}/{}/sign/{}", self.address, self.mount, self.role)
    }
}

/// Type of a Kubernetes Secret.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum KubernetesType {
    /// Any keys.
    Opaque,
    /// `tls.crt` and `tls.key`.
    #[serde(rename = "kubernetes.io/tls")]
    Tls,
}

impl KubernetesType {
    /// As the API spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Opaque => "Opaque",
            Self::Tls => "kubernetes.io/tls",
        }
    }
}

/// Keys of one Kubernetes Secret.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KubernetesSpec {
    /// Address of the API server.
    pub address: String,
    /// Namespace.
    pub namespace: String,
    /// Name of the Secret.
    pub name: String,
    /// Its type.
    pub kind: KubernetesType,
    /// Key and the value to put there; other keys stay.
    pub values: Vec<(String, ValueName)>,
    /// File with the bearer token; read for every request, because Kubernetes renews it.
    pub token_file: String,
    /// PEM file of the only CA to trust.
    pub ca_file: Option<String>,
    /// Takes over keys that another manager owns.
    pub overwrite_foreign: bool,
}

impl KubernetesSpec {
    /// Address, namespace and name.
    pub fn place(&self) -> String {
        format!("{}/{}/{}", self.address, self.namespace, self.name)
    }
}

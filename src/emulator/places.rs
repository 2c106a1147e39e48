//! Where consumers of the emulated tenant read their credentials: stores that give values back. They are kept
//! with the tenant, in the state file that only its owner can read.

use serde::Deserialize;
use serde::Serialize;

use super::key_vault::Vaults;
use super::kubernetes::Cluster;
use super::vault::Vault;

/// All of them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Places {
    /// Azure Key Vault.
    pub key_vaults: Vaults,
    /// A Kubernetes cluster.
    pub kubernetes: Cluster,
    /// HashiCorp Vault.
    pub vault: Vault,
}

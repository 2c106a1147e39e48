//! ADOPT (I5 of `rotation.md`): a named person gave a credential of somebody else into everkey's care. Until its
//! removal is intended it can be taken back.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::IntegrationName;
use super::KeyId;
use super::ListedKind;
use super::ObjectId;
use super::SlotName;
use super::Thumbprint;

/// One adopted credential, as the store keeps it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Adoption {
    /// `keyId`.
    #[serde(default = "unnamed")]
    pub key_id: KeyId,
    /// Who adopted it, in their own words.
    pub by: String,
    /// The user of the machine on which that was said.
    pub os_user: String,
    /// When.
    pub at: Timestamp,
    /// The integration whose policy speaks of it.
    pub integration: IntegrationName,
    /// What it is.
    pub credential: ListedKind,
    /// End of validity.
    pub end: Timestamp,
    /// SHA-1 of a certificate.
    #[serde(default)]
    pub thumbprint: Option<Thumbprint>,
    /// First characters of a client secret.
    #[serde(default)]
    pub hint: Option<String>,
    /// The slot of the policy that was written for it; `None` for one that ended, or that no slot was written for.
    #[serde(default)]
    pub slot: Option<SlotName>,
}

/// Older records have it in their name only.
fn unnamed() -> KeyId {
    KeyId(String::new())
}

impl Adoption {
    /// The name of its record in the store.
    pub fn record(holder: &ObjectId, key_id: &KeyId) -> String {
        format!("{}{key_id}", Self::records(holder))
    }

    /// What the names of all records of a holder begin with.
    pub fn records(holder: &ObjectId) -> String {
        format!("adopt/{holder}/")
    }
}

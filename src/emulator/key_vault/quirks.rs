//! What the documents of Key Vault leave open, as switches (`POST /_emulator/quirks`, `key_vault`).

use jiff::SignedDuration;
use serde::Deserialize;
use serde::Serialize;

/// How the vaults behave; the default is what entra-contract 8 holds for likely.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyVaultQuirks {
    /// A caller without the right meets `AccessDenied` (access policies) instead of `ForbiddenByRbac`.
    pub access_policies: bool,
    /// A secret before its `nbf` or after its `exp` cannot be read.
    pub refuses_outdated: bool,
    /// Most tags of an object.
    pub tags: u32,
    /// For so long after a delete or a recover the object is neither here nor there.
    pub transition: SignedDuration,
}

impl Default for KeyVaultQuirks {
    fn default() -> Self {
        Self { access_policies: false, refuses_outdated: false, tags: 15, transition: SignedDuration::ZERO }
    }
}

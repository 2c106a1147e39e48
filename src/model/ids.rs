//! Identifiers, each a type of its own so that a client id can never be passed for an object id.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    )*};
}

text_id! {
    /// Application (client) id of an app registration: the `appId` of Graph, a GUID in lower case.
    ClientId;
    /// A hand-off: `h-0001`, numbered by the store.
    HandoffId;
    /// Name of an integration: the stem of its policy file.
    IntegrationName;
    /// `keyId` of a client secret or key credential, a GUID in lower case.
    KeyId;
    /// Directory object id (`id` of Graph), a GUID in lower case; never the client id.
    ObjectId;
    /// A sealed value in the store: `<rotation>/<attempt>/<column>`.
    SealId;
    /// A sink of one credential, stable across edits of the policy: its kind and place (`files:/var/lib/x`).
    SinkId;
    /// Name of a credential within its integration (`primary`).
    SlotName;
    /// Directory (tenant) id, a GUID in lower case.
    TenantId;
    /// SHA-1 of a certificate's DER, 40 upper-case hexadecimal digits, as Entra shows it.
    Thumbprint;
}

/// Number of a rotation, monotone within a store; also the generation of what it writes to a sink.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct RotationId(pub u64);

impl fmt::Display for RotationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r-{:04}", self.0)
    }
}

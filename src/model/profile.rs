//! Certificate profiles: everything about a certificate that the one who asks for it does not decide.

use serde::Deserialize;
use serde::Serialize;

/// What the key may be used for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyUse {
    /// Content commitment (non-repudiation).
    ContentCommitment,
    /// Data encipherment.
    DataEncipherment,
    /// Digital signature.
    DigitalSignature,
    /// Key agreement.
    KeyAgreement,
    /// Key encipherment.
    KeyEncipherment,
}

impl KeyUse {
    /// Its name in RFC 5280.
    pub fn label(self) -> &'static str {
        match self {
            Self::ContentCommitment => "contentCommitment",
            Self::DataEncipherment => "dataEncipherment",
            Self::DigitalSignature => "digitalSignature",
            Self::KeyAgreement => "keyAgreement",
            Self::KeyEncipherment => "keyEncipherment",
        }
    }
}

/// What the certificate is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Signing in as a client.
    ClientAuth,
    /// Being a TLS server.
    ServerAuth,
}

impl Purpose {
    /// Its name in RFC 5280.
    pub fn label(self) -> &'static str {
        match self {
            Self::ClientAuth => "clientAuth",
            Self::ServerAuth => "serverAuth",
        }
    }
}

/// What is done with the DNS names of a request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameRule {
    /// A request with names is refused.
    Forbidden,
    /// Taken over, when there are any.
    Optional,
    /// A request without names is refused.
    Required,
}

/// A certificate profile. Key, subject and (by its rule) DNS names come from the request, all else from here.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CertProfile {
    /// Its name.
    pub name: String,
    /// Key usages; never empty.
    pub key_usage: Vec<KeyUse>,
    /// Extended key usages; may be empty.
    pub extended_key_usage: Vec<Purpose>,
    /// DNS names.
    pub dns_names: NameRule,
    /// Whether `*.contoso.example` may be among them.
    pub wildcards: bool,
    /// Longest validity, in whole days.
    pub max_days: u32,
}

impl CertProfile {
    /// Name of the built-in profile.
    pub const ENTRA_CLIENT: &str = "entra-client";

    /// The built-in profile: a certificate an app signs in to Entra with.
    pub fn entra_client() -> Self {
        Self {
            name: Self::ENTRA_CLIENT.to_owned(),
            key_usage: vec![KeyUse::DigitalSignature],
            extended_key_usage: vec![Purpose::ClientAuth],
            dns_names: NameRule::Optional,
            wildcards: false,
            max_days: 3650,
        }
    }
}

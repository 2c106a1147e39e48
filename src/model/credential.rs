//! Credentials: what a policy asks of one slot, and what everkey's journal knows of the ones it made.

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::AppRef;
use super::IntegrationName;
use super::KeyId;
use super::RotationId;
use super::SealId;
use super::SinkSpec;
use super::SlotName;
use super::Thumbprint;
use super::VaultPkiSpec;

/// Key type of a certificate. Entra accepts only RSA 2048 and up for sign-in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum KeyType {
    /// P-256; not for sign-in to Entra.
    #[serde(rename = "ec-p256")]
    EcP256,
    /// P-384; not for sign-in to Entra.
    #[serde(rename = "ec-p384")]
    EcP384,
    /// RSA 2048.
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    /// RSA 3072.
    #[serde(rename = "rsa-3072")]
    Rsa3072,
    /// RSA 4096.
    #[serde(rename = "rsa-4096")]
    Rsa4096,
}

impl KeyType {
    /// The name in policies and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::EcP256 => "ec-p256",
            Self::EcP384 => "ec-p384",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
        }
    }

    /// For people: `RSA 3072`.
    pub fn label(self) -> &'static str {
        match self {
            Self::EcP256 => "EC P-256",
            Self::EcP384 => "EC P-384",
            Self::Rsa2048 => "RSA 2048",
            Self::Rsa3072 => "RSA 3072",
            Self::Rsa4096 => "RSA 4096",
        }
    }
}

/// Who signs a certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerKind {
    /// A local CA: its name in `everkey.toml`.
    Ca(String),
    /// Program and arguments; the request goes in on standard input, the certificate comes out.
    Command(Vec<String>),
    /// An outside CA that a person goes to.
    Csr,
    /// The key itself.
    SelfSigned,
    /// A PKI engine of HashiCorp Vault.
    VaultPki(Box<VaultPkiSpec>),
}

/// What a policy asks of a certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CertificateSpec {
    /// Subject, RFC 4514 (`CN=enate-graph-mail`).
    pub subject: String,
    /// Key type.
    pub key: KeyType,
    /// Issuer.
    pub issuer: IssuerKind,
}

/// Client secret or certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// A key credential of type `AsymmetricX509Cert`.
    Certificate(CertificateSpec),
    /// A client secret (`passwordCredential`).
    ClientSecret,
}

impl CredentialKind {
    /// `secret` or `certificate`, as screens and JSON say it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "certificate",
            Self::ClientSecret => "secret",
        }
    }
}

/// What counts as proof when Entra cannot answer (Conditional Access, disabled principal).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prove {
    /// Deliver although sign-in is blocked for a reason that is not the credential's.
    AcceptBlocked,
    /// Three sign-ins over at least a minute.
    Required,
}

/// When the old credential leaves.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retire {
    /// Once confirmed and the overlap has passed.
    AfterOverlap,
    /// At its own end; the default where a person carries the value.
    AtExpiry,
}

/// How long a certificate's private key is kept sealed in the store.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeepPrivateKey {
    /// Destroyed once delivered; PATCH is then the way to add its successor.
    UntilDelivered,
    /// Kept until its successor is in place, so that addKey and removeKey can be proven with it.
    UntilReplaced,
}

/// What counts as evidence that the consumer uses the new credential.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfirmMethod {
    /// The overlap alone.
    Overlap,
    /// A person's word.
    Person,
    /// The beta sign-in report shows the new key used and the old ones quiet.
    SignInReport,
    /// A token obtained with what the sink now holds.
    TokenRequest,
}

/// Evidence asked for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConfirmSpec {
    /// Method.
    pub method: ConfirmMethod,
    /// How often the consumer signs in; the report needs this much quiet on the old key.
    pub consumer_use_interval: Option<SignedDuration>,
}

/// One slot of an integration with every default filled in: a rotation carries a copy, so that an edited
/// policy never changes a rotation under way.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CredentialSpec {
    /// Name of the slot.
    pub slot: SlotName,
    /// Secret or certificate.
    pub kind: CredentialKind,
    /// The vendor's description; becomes the front of `displayName`.
    pub description: String,
    /// Validity of a new credential.
    pub lifetime: SignedDuration,
    /// How long before its end a successor is staged.
    pub rotate_before: SignedDuration,
    /// How long both stay valid after delivery and confirmation.
    pub overlap: SignedDuration,
    /// Time reserved for failed attempts.
    pub retry_budget: SignedDuration,
    /// How long a consumer may hold a value before it reads the sink again (G).
    pub consumer_refresh: SignedDuration,
    /// Least remaining life of the new credential when the old one is removed.
    pub min_life: SignedDuration,
    /// Key ids that are never removed, whatever else says so.
    pub retain: Vec<KeyId>,
    /// What counts as proof.
    pub prove: Prove,
    /// How long private keys are kept.
    pub keep_private_key: KeepPrivateKey,
    /// When the old credential leaves.
    pub retire: Retire,
    /// Where it is delivered; never empty.
    pub sinks: Vec<SinkSpec>,
    /// Evidence asked for.
    pub confirm: ConfirmSpec,
}

impl CredentialSpec {
    /// Whether a person carries the value to any of the sinks.
    pub fn needs_person(&self) -> bool {
        self.sinks.iter().any(|sink| sink.handoff().is_some())
    }

    /// The longest lead time any hand-off of this slot asks for; zero without hand-offs.
    pub fn lead(&self) -> SignedDuration {
        self.sinks
            .iter()
            .filter_map(|sink| sink.handoff().map(|handoff| handoff.lead))
            .max()
            .unwrap_or(SignedDuration::ZERO)
    }
}

/// Where a credential that everkey made stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialStatus {
    /// Attached, on its way to become current.
    Fresh,
    /// The one consumers are meant to use.
    Current,
    /// Replaced; still attached until the guard lets it go.
    Old,
    /// Given up before anybody depended on it; the sweep removes it.
    Abandoned,
    /// No longer attached.
    Retired,
}

/// A credential that everkey made: the journal's own record, the only ground for ever removing it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OwnCredential {
    /// `keyId` as Graph reported it.
    pub key_id: KeyId,
    /// Integration it belongs to.
    pub integration: IntegrationName,
    /// Slot it belongs to.
    pub slot: SlotName,
    /// The application it is attached to.
    pub app: AppRef,
    /// Rotation that made it.
    pub rotation: RotationId,
    /// Attempt within that rotation.
    pub attempt: u32,
    /// `secret` or `certificate`.
    pub word: String,
    /// First three characters of a client secret.
    pub hint: Option<String>,
    /// SHA-1 thumbprint of a certificate.
    pub thumbprint: Option<Thumbprint>,
    /// The certificate, DER.
    #[serde(default, with = "super::bytes")]
    pub certificate: Option<Vec<u8>>,
    /// Start of validity.
    pub start: Timestamp,
    /// End of validity.
    pub end: Timestamp,
    /// Where it stands.
    pub status: CredentialStatus,
    /// Its sealed values, by column (`secret`, `private_key`, `pfx_password`).
    pub seals: Vec<SealId>,
}

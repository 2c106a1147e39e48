//! Where a credential is delivered to.

use jiff::SignedDuration;
use serde::Deserialize;
use serde::Serialize;

use super::ClientId;
use super::KeyVaultSpec;
use super::KubernetesSpec;
use super::SinkId;
use super::SlotName;
use super::VaultKvSpec;

/// A value that a sink or a hand-off may carry.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueName {
    /// The certificate, PEM.
    Certificate,
    /// Application (client) id.
    ClientId,
    /// End of validity, RFC 3339.
    Expires,
    /// The PFX file (binary; base64 where text is wanted).
    Pfx,
    /// Password of the PFX file.
    PfxPassword,
    /// The private key, PKCS#8 PEM.
    PrivateKey,
    /// The client secret's value.
    Secret,
    /// The client secret's `keyId`.
    SecretId,
    /// Directory (tenant) id.
    TenantId,
    /// SHA-1 thumbprint.
    Thumbprint,
    /// SHA-256 thumbprint, lower-case hex.
    ThumbprintSha256,
}

impl ValueName {
    /// Whether the value must stay secret.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Pfx | Self::PfxPassword | Self::PrivateKey | Self::Secret)
    }
}

/// Encryption of a PFX file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum PfxProfile {
    /// PBES2 AES-256, HMAC-SHA-256.
    #[serde(rename = "modern")]
    Modern,
    /// 3DES/SHA-1 for Windows Server 2016 and older.
    #[serde(rename = "legacy-3des")]
    Legacy3des,
}

/// Where a PFX's password comes from or goes to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PfxPassword {
    /// Generated (24 ASCII characters, 10,000 rounds) and written beside the PFX under this file name.
    WrittenTo(String),
    /// Read from this file: a person's password (600,000 rounds).
    ReadFrom(String),
}

/// The PFX of a `files` sink.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PfxFile {
    /// File name within the directory.
    pub name: String,
    /// Encryption.
    pub profile: PfxProfile,
    /// Its password.
    pub password: PfxPassword,
}

/// Encoding of a `.cer` file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CerEncoding {
    /// PEM-framed base64 ("Base-64 encoded X.509").
    Base64,
    /// DER.
    Der,
}

/// The CER of a `files` sink.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CerFile {
    /// File name within the directory.
    pub name: String,
    /// Encoding.
    pub encoding: CerEncoding,
}

/// A directory that is swapped as one unit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FilesSpec {
    /// The directory consumers read; a symlink to the current generation.
    pub directory: String,
    /// PFX file.
    pub pfx: Option<PfxFile>,
    /// Certificate, PEM.
    pub pem: Option<String>,
    /// Private key, PKCS#8 PEM.
    pub key: Option<String>,
    /// Certificate and key in one PEM file.
    pub bundle: Option<String>,
    /// Public part.
    pub cer: Option<CerFile>,
    /// Octal mode of files that hold a key (`0600` by default).
    pub mode: u32,
    /// `user:group` of the files.
    pub owner: Option<String>,
    /// Command run after a successful write; argv, never a shell string.
    pub after: Vec<String>,
}

/// Values inside a JSON file that an application also edits.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct JsonFileSpec {
    /// The file.
    pub path: String,
    /// JSON pointer and the value to put there.
    pub values: Vec<(String, ValueName)>,
    /// Octal mode; `None` keeps the file's own.
    pub mode: Option<u32>,
    /// `user:group`; `None` keeps the file's own.
    pub owner: Option<String>,
    /// Command run after a successful write; argv, never a shell string.
    pub after: Vec<String>,
    /// Write into the existing inode instead of renaming (bind-mounted single files).
    pub in_place: bool,
}

/// How the doer gets the value.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandoffVia {
    /// A file sealed to an X.509 recipient.
    Cms,
    /// An operator opens it with `everkey handoff open`.
    Command,
    /// Through a Key Vault.
    KeyVault,
    /// One-time reveal on the dashboard.
    Page,
}

/// One line of a hand-off sheet, in the vendor's words and order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HandoffField {
    /// The vendor's label.
    pub label: String,
    /// What to type there; `None` where the field stays blank or is the reader's own choice.
    pub value: Option<ValueName>,
    /// Remark beside the field (`leave blank`).
    pub note: Option<String>,
}

/// A sealed item that a named person carries to where no interface exists.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HandoffSpec {
    /// Who carries it (e-mail address).
    pub doer: String,
    /// Who receives it ("Reapit support").
    pub recipient_name: String,
    /// Where it goes: a URL or a sentence.
    pub place: String,
    /// How the doer gets it.
    pub via: HandoffVia,
    /// How long the doer needs.
    pub lead: SignedDuration,
    /// Text for the vendor's ticket; never holds a secret.
    pub ticket_text: Option<String>,
    /// The sheet.
    pub fields: Vec<HandoffField>,
}

/// What a sink is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "to")]
pub enum SinkTarget {
    /// A secret or certificate in an Azure key vault.
    AzureKeyVault(KeyVaultSpec),
    /// PFX, PEM, KEY, CER in one directory.
    Files(FilesSpec),
    /// A person.
    Handoff(HandoffSpec),
    /// Keys of a secret in HashiCorp Vault.
    HashicorpVault(VaultKvSpec),
    /// Values inside a JSON file.
    JsonFile(JsonFileSpec),
    /// A Kubernetes Secret.
    Kubernetes(KubernetesSpec),
}

impl SinkTarget {
    /// The word of the policy, and the place, for people.
    pub fn described(&self) -> (&'static str, String) {
        match self {
            Self::AzureKeyVault(spec) => ("azure-key-vault", spec.place()),
            Self::Files(spec) => ("files", spec.directory.clone()),
            Self::Handoff(spec) => ("handoff", spec.recipient_name.clone()),
            Self::HashicorpVault(spec) => ("hashicorp-vault", spec.place()),
            Self::JsonFile(spec) => ("json-file", spec.path.clone()),
            Self::Kubernetes(spec) => ("kubernetes", spec.place()),
        }
    }

    /// Takes over from `today` how to sign in and what may be overwritten: a person's word of today. What is delivered
    /// and where stays.
    pub fn permitted_by(&mut self, today: &Self) {
        match (self, today) {
            (Self::AzureKeyVault(spec), Self::AzureKeyVault(today)) => {
                spec.overwrite_foreign = today.overwrite_foreign;
                spec.recover_deleted = today.recover_deleted;
            }
            (Self::HashicorpVault(spec), Self::HashicorpVault(today)) => {
                spec.auth.clone_from(&today.auth);
                spec.ca_file.clone_from(&today.ca_file);
                spec.overwrite_foreign = today.overwrite_foreign;
            }
            (Self::Kubernetes(spec), Self::Kubernetes(today)) => {
                spec.token_file.clone_from(&today.token_file);
                spec.ca_file.clone_from(&today.ca_file);
                spec.overwrite_foreign = today.overwrite_foreign;
            }
            _ => {}
        }
    }

    /// Whether it is a store that many may read, beyond this machine: what it holds does not show who uses it.
    pub fn is_shared_store(&self) -> bool {
        matches!(self, Self::AzureKeyVault(_) | Self::HashicorpVault(_) | Self::Kubernetes(_))
    }
}

/// Whose values a sink holds: what the marks of a shared store say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SinkOwner {
    /// The application; `None` where only a policy is looked at, which may have none yet.
    pub app: Option<ClientId>,
    /// The credential within its integration.
    pub slot: SlotName,
}

/// One place a credential is delivered to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SinkSpec {
    /// Stable id.
    pub id: SinkId,
    /// What and where.
    #[serde(flatten)]
    pub target: SinkTarget,
}

impl SinkSpec {
    /// The hand-off, when this sink is a person.
    pub fn handoff(&self) -> Option<&HandoffSpec> {
        match &self.target {
            SinkTarget::Handoff(spec) => Some(spec),
            _ => None,
        }
    }
}

//! `[[credential.deliver]]` as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::vaults::KeyVault;
use super::vaults::Kubernetes;
use super::vaults::VaultKv;
use crate::model;

/// Where a credential is delivered to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "to")]
pub(crate) enum Deliver {
    /// A secret or certificate in an Azure key vault of the tenant's cloud.
    AzureKeyVault(KeyVault),
    /// PFX, PEM, KEY, CER in one directory that is swapped as one unit.
    Files(Files),
    /// A named person carries it to where no interface exists.
    Handoff(Handoff),
    /// Keys of one secret in a KV version 2 store of HashiCorp Vault or OpenBao.
    HashicorpVault(VaultKv),
    /// Values inside a JSON file that an application also edits.
    JsonFile(JsonFile),
    /// Keys of one Kubernetes Secret.
    Kubernetes(Kubernetes),
}

/// PFX, PEM, KEY, CER in one directory that is swapped as one unit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Files {
    /// The directory, absolute.
    pub directory: Option<String>,
    /// PFX file.
    pub pfx: Option<Pfx>,
    /// Certificate, PEM.
    pub pem: Option<Named>,
    /// Private key, PKCS#8 PEM.
    pub key: Option<Named>,
    /// The issuers' certificates, PEM.
    pub chain: Option<Named>,
    /// Certificate and key in one PEM file.
    pub bundle: Option<Named>,
    /// Public part.
    pub cer: Option<Cer>,
    /// Octal mode of files that hold a key; default `0600`.
    pub mode: Option<String>,
    /// `user:group` of the files.
    pub owner: Option<String>,
    /// Command run after a successful write; argv, never a shell string.
    #[serde(default)]
    pub after: Vec<String>,
}

/// A named person carries it to where no interface exists.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Handoff {
    /// Who carries it; default: `people.pm`, else `people.owner`.
    pub doer: Option<String>,
    /// Who receives it; default: `people.vendor`.
    pub recipient_name: Option<String>,
    /// Where it goes: a URL or a sentence.
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// How the doer gets it; default `command`.
    #[serde(default)]
    #[schemars(schema_with = "super::via")]
    pub via: Option<model::HandoffVia>,
    /// How long the doer needs; default `14d`.
    pub lead: Option<String>,
    /// Text for the vendor's ticket.
    pub ticket_text: Option<String>,
    /// The vendor's form, in its order.
    #[serde(default)]
    pub fields: Vec<Field>,
}

/// Values inside a JSON file that an application also edits.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JsonFile {
    /// The file, absolute.
    pub path: Option<String>,
    /// JSON pointer and the value to put there.
    #[serde(default)]
    #[schemars(schema_with = "values")]
    pub values: BTreeMap<String, model::ValueName>,
    /// Octal mode; default: the file's own.
    pub mode: Option<String>,
    /// `user:group`; default: the file's own.
    pub owner: Option<String>,
    /// Command run after a successful write; argv, never a shell string.
    #[serde(default)]
    pub after: Vec<String>,
    /// `rename` (atomic) or `in-place` (bind-mounted single files).
    #[serde(default)]
    #[schemars(schema_with = "super::write")]
    pub write: Option<WriteWord>,
}

/// How a JSON file is replaced.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WriteWord {
    InPlace,
    Rename,
}

pub(crate) fn values(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "additionalProperties": super::value(generator) })
}

/// A file of a `files` sink.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    /// File name within the directory.
    #[schemars(required)]
    pub name: Option<String>,
}

/// The PFX of a `files` sink.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pfx {
    /// File name within the directory.
    #[schemars(required)]
    pub name: Option<String>,
    /// Encryption; default `modern`.
    #[serde(default)]
    #[schemars(schema_with = "super::pfx_profile")]
    pub profile: Option<model::PfxProfile>,
    /// A password is generated and written beside it under this file name.
    pub password_to: Option<String>,
    /// The password is read from this file.
    pub password_file: Option<String>,
}

/// The CER of a `files` sink.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cer {
    /// File name within the directory.
    #[schemars(required)]
    pub name: Option<String>,
    /// Encoding; default `base64`.
    #[serde(default)]
    #[schemars(schema_with = "super::cer_encoding")]
    pub encoding: Option<model::CerEncoding>,
}

/// One line of a hand-off sheet.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    /// The vendor's label.
    #[schemars(required)]
    pub label: Option<String>,
    /// What to type there; none where it stays blank or is the reader's choice.
    #[serde(default)]
    #[schemars(schema_with = "super::value")]
    pub value: Option<model::ValueName>,
    /// Remark beside the field.
    pub note: Option<String>,
}

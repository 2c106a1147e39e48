//! History: what happened, who did it; the hash-chained record every commit extends.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::AppRef;
use super::HandoffId;
use super::IntegrationName;
use super::RotationId;

/// One entry to be appended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// Integration concerned; `None` for the tool itself.
    pub integration: Option<IntegrationName>,
    /// Rotation concerned.
    pub rotation: Option<RotationId>,
    /// Kind of entry (`rotation`, `provision`, `handoff`, `mail`, `sweep`).
    pub kind: String,
    /// One line for people; holds no secret.
    pub text: String,
    /// The event itself, for machines; holds no secret.
    pub body: serde_json::Value,
}

/// One entry of the history as it stands.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Recorded {
    /// Position, from 1, without gaps.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who (`everkey`, `priya.shah@contoso.example`).
    pub actor: String,
    /// What.
    #[serde(flatten)]
    pub entry: Entry,
    /// SHA-256 over the entry and the hash before it, lower-case hex.
    pub hash: String,
}

/// One entry of the history as its hash covers it: each field as it stands in the store.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChainLink {
    /// Position, from 1, without gaps.
    pub seq: i64,
    /// When, RFC 3339, as written.
    pub at: String,
    /// Who.
    pub actor: String,
    /// Integration.
    pub integration: Option<String>,
    /// Number of the rotation.
    pub rotation: Option<i64>,
    /// State of the rotation committed with it.
    pub state: Option<String>,
    /// Version of the rotation committed with it.
    pub version: Option<i64>,
    /// Kind of entry.
    pub kind: String,
    /// One line.
    pub text: String,
    /// The event, JSON text as written.
    pub body: String,
    /// SHA-256, lower-case hex.
    pub hash: String,
}

/// What the store knows of an integration beyond its policy file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct IntegrationRecord {
    /// Its name.
    pub name: IntegrationName,
    /// The application it was provisioned as.
    pub app: AppRef,
    /// When consent was seen complete.
    pub consented: Option<Timestamp>,
}

/// A person's word about an alert.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Acknowledgement {
    /// Integration.
    pub integration: IntegrationName,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Hand-off it was said about, if any.
    pub handoff: Option<HandoffId>,
    /// Silence until then, for a snooze.
    pub until: Option<Timestamp>,
}

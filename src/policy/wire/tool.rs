//! `everkey.toml` as it is written (`policy.md`, "everkey.toml").

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::KeyUse;
use crate::model::NameRule;
use crate::model::Purpose;
use crate::policy::Channel;
use crate::policy::MailAuth;
use crate::policy::Mode;
use crate::policy::Tls;
use crate::policy::Transport;

/// The tool's own configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolFile {
    /// Schema of a JSON file, for editors.
    #[serde(rename = "$schema")]
    #[expect(dead_code, reason = "only editors read it")]
    pub schema: Option<String>,
    /// Always 1.
    #[schemars(required)]
    #[expect(dead_code, reason = "checked on the tree, before anything else of the file is believed")]
    pub version: Option<u64>,
    /// Directory of the policy files; default `policies`.
    pub policies: Option<String>,
    /// `sqlite://PATH` or `postgres://…` without a password; default `sqlite:///var/lib/everkey/everkey.db`.
    pub store: Option<String>,
    /// PostgreSQL: password, a path, or `credential:NAME`.
    pub store_password_file: Option<String>,
    /// PostgreSQL: name of an environment variable with the password.
    pub store_password_env: Option<String>,
    /// Permissions that `consent.grant = "grant"` may grant, where a tenant has no list of its own.
    pub permissions_allowed: Option<Vec<String>>,
    /// Encryption of secrets at rest.
    pub seal: Option<Seal>,
    /// Tenants by name.
    #[serde(default)]
    pub tenants: BTreeMap<String, Tenant>,
    /// What policies do not say themselves.
    pub defaults: Option<Defaults>,
    /// Who hears when.
    pub alerts: Option<Alerts>,
    /// How mail leaves.
    pub mail: Option<Mail>,
    /// Local issuing CAs by name.
    #[serde(default)]
    pub ca: BTreeMap<String, Ca>,
    /// Certificate profiles by name, beside the built-in `entra-client`.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
    /// The dashboard and API.
    pub serve: Option<Serve>,
}

/// Encryption of secrets at rest; kept outside the store.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seal {
    /// The key: a path, or `credential:NAME`.
    pub key_file: Option<String>,
    /// The key: name of an environment variable.
    pub key_env: Option<String>,
    /// An X.509 certificate that can open a backup of the key.
    pub recovery_recipient: Option<String>,
}

/// How everkey signs in to a tenant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AuthWord {
    AzureCli,
    Certificate,
    ManagedIdentity,
    Secret,
    WorkloadIdentity,
}

/// Which cloud.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CloudWord {
    China,
    Custom,
    Public,
    Usgov,
    UsgovDod,
}

/// A tenant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tenant {
    /// Directory (tenant) id.
    #[schemars(required)]
    pub tenant_id: Option<String>,
    /// Client id of everkey's own app registration; not needed for `azure-cli` and a system-assigned
    /// identity; for `workload-identity` the default is `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// Cloud; default `public`.
    #[serde(default)]
    #[schemars(schema_with = "super::cloud")]
    pub cloud: Option<CloudWord>,
    /// Custom cloud: login URL.
    pub login_url: Option<String>,
    /// Custom cloud: Graph URL.
    pub graph_url: Option<String>,
    /// Custom cloud: suffix of Key Vault hosts.
    pub vault_suffix: Option<String>,
    /// Custom cloud: PEM file of the CA to trust.
    pub ca_file: Option<String>,
    /// How everkey signs in.
    #[schemars(schema_with = "super::auth", required)]
    pub auth: Option<AuthWord>,
    /// `certificate`: PEM or PFX file.
    pub certificate_file: Option<String>,
    /// `certificate`: private key, PEM; default: `certificate_file`.
    pub key_file: Option<String>,
    /// `certificate`: password of the PFX or of the key, a file, or `credential:NAME`.
    pub password_file: Option<String>,
    /// `certificate`: name of an environment variable with that password.
    pub password_env: Option<String>,
    /// `workload-identity`: file of the platform's token; default: the one of `AZURE_FEDERATED_TOKEN_FILE`.
    pub token_file: Option<String>,
    /// `secret`: file, or `credential:NAME`.
    pub secret_file: Option<String>,
    /// `secret`: name of an environment variable.
    pub secret_env: Option<String>,
    /// This tenant is an emulator: its clock is used and shown.
    #[serde(default)]
    pub emulator: bool,
    /// Only with `emulator`: file sinks are written below it.
    pub sink_root: Option<String>,
    /// Permissions that `consent.grant = "grant"` may grant.
    pub permissions_allowed: Option<Vec<String>>,
}

/// What policies do not say themselves.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Defaults {
    /// Tenant; default: the only one.
    pub tenant: Option<String>,
    /// Mode; default `alert`.
    #[serde(default)]
    #[schemars(schema_with = "super::mode")]
    pub mode: Option<Mode>,
    /// When rotations may start, five-field cron; default `0 6 * * MON-FRI`.
    pub schedule: Option<String>,
    /// IANA time zone; default `UTC`.
    pub timezone: Option<String>,
    /// Inclusive local dates `2026-12-18/2027-01-04`.
    #[serde(default)]
    pub freeze: Vec<String>,
    /// Default 5.
    pub max_new_rotations_per_day: Option<u64>,
    /// Local time of day in which rotations may start, `06:00/10:00`.
    pub window: Option<String>,
    /// Spread of starts; default `0s`.
    pub jitter: Option<String>,
}

/// Who hears when.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alerts {
    /// Days before the end at which people hear; default 60, 30, 14, 7, 3, 1, 0.
    pub before: Option<Vec<String>>,
    /// Local time of day; default `09:00`.
    pub send_at: Option<String>,
    /// Not on weekends and holidays, except at 7 days or less; default true.
    pub working_days_only: Option<bool>,
    /// An iCalendar file of days on which nobody works.
    pub holidays: Option<String>,
    /// Where no owner is known.
    pub fallback_to: Option<String>,
    /// Hears of credentials nobody registered, and of emergencies.
    pub security_to: Option<String>,
    /// Weekly digest, `Mon 08:30`.
    pub digest: Option<String>,
    /// Called after each good cycle.
    pub heartbeat_url: Option<String>,
    /// Directory of own mail templates.
    pub templates: Option<String>,
    /// How single people are told, by address.
    #[serde(default)]
    pub people: BTreeMap<String, Person>,
    /// Hears when nobody acts.
    #[serde(default)]
    pub escalate_to: Vec<String>,
}

/// How one person is told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Person {
    /// Channel; default: the mail transport.
    #[serde(default)]
    #[schemars(schema_with = "super::channel")]
    pub channel: Option<Channel>,
    /// Language tag; default `en`.
    pub language: Option<String>,
}

/// How mail leaves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mail {
    /// Sender, `Name <address>`.
    #[schemars(required)]
    pub from: Option<String>,
    /// Default `smtp`.
    #[serde(default)]
    #[schemars(schema_with = "super::transport")]
    pub transport: Option<Transport>,
    /// SMTP server.
    pub host: Option<String>,
    /// Default 587 for `starttls`, 465 for `implicit`.
    pub port: Option<u64>,
    /// Default `starttls`.
    #[serde(default)]
    #[schemars(schema_with = "super::tls")]
    pub tls: Option<Tls>,
    /// PEM file of a private CA to trust for the server.
    pub ca_file: Option<String>,
    /// `password` or `xoauth2`; default `password` when a password is named.
    #[serde(default)]
    #[schemars(schema_with = "super::mail_auth")]
    pub auth: Option<MailAuth>,
    /// User name.
    pub username: Option<String>,
    /// Password: a path, or `credential:NAME`.
    pub password_file: Option<String>,
    /// Password: name of an environment variable.
    pub password_env: Option<String>,
}

/// A local issuing CA.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ca {
    /// PEM file.
    #[schemars(required)]
    pub certificate: Option<String>,
    /// Private key, PEM: a path, or `credential:NAME`.
    #[schemars(required)]
    pub key_file: Option<String>,
    /// Password of the private key: a path, or `credential:NAME`.
    pub key_password_file: Option<String>,
    /// Password of the private key: name of an environment variable.
    pub key_password_env: Option<String>,
}

/// A certificate profile: what a certificate says besides key, subject and names.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// Key usages; default `digital-signature`.
    #[serde(default)]
    #[schemars(schema_with = "super::key_uses")]
    pub key_usage: Option<Vec<KeyUse>>,
    /// Extended key usages; default `client-auth`.
    #[serde(default)]
    #[schemars(schema_with = "super::purposes")]
    pub extended_key_usage: Option<Vec<Purpose>>,
    /// DNS names of a request; default `optional`.
    #[serde(default)]
    #[schemars(schema_with = "super::name_rule")]
    pub dns_names: Option<NameRule>,
    /// Allow names such as `*.contoso.example`; default false.
    #[serde(default)]
    pub wildcards: bool,
    /// Longest validity, whole days; default `398d`.
    pub max_lifetime: Option<String>,
}

/// The dashboard and API.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Serve {
    /// Address; default `127.0.0.1:8080`.
    pub listen: Option<String>,
    /// Mails carry links only when this is set and answers.
    pub public_url: Option<String>,
}

//! A policy file as it is written (`policy.md`, "A policy, all parts").

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model;

use super::sinks::Deliver;
use super::vaults::VaultPki;

/// One integration: its app registration, its credentials, its people.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyFile {
    /// Schema of a JSON policy, for editors.
    #[serde(rename = "$schema")]
    #[expect(dead_code, reason = "only editors read it")]
    pub schema: Option<String>,
    /// Always 1.
    #[schemars(required)]
    #[expect(dead_code, reason = "checked on the tree, before anything else of the file is believed")]
    pub version: Option<u64>,
    /// Name of the integration; equals the file's stem.
    #[schemars(required)]
    pub name: Option<String>,
    /// Name for people; default: `name`.
    pub title: Option<String>,
    /// What stops when the credential ends, a sentence for a project manager, 10 to 120 characters.
    pub impact: Option<String>,
    /// `watch` only looks, `alert` tells people, `rotate` renews.
    #[serde(default)]
    #[schemars(schema_with = "super::mode")]
    pub mode: Option<crate::policy::Mode>,
    /// Tenant, a name of `everkey.toml`; default: `defaults.tenant`.
    pub tenant: Option<String>,
    /// Free labels, to select by.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Another policy may name the same app; exactly one of them then describes it.
    #[serde(default)]
    pub shared: bool,
    /// When rotations may start, five-field cron; default: `defaults.schedule`.
    pub schedule: Option<String>,
    /// IANA time zone; default: `defaults.timezone`.
    pub timezone: Option<String>,
    /// Local time of day in which rotations may start, `06:00/10:00` or `22:00/02:00`; default: `defaults.window`.
    pub window: Option<String>,
    /// Inclusive local dates `2026-12-18/2027-01-04` in which nothing is staged or retired, besides `defaults.freeze`.
    #[serde(default)]
    pub freeze: Vec<String>,
    /// Watch all of the tenant instead of one app: for alerts only, in a file of its own.
    pub watch: Option<Watch>,
    /// The app registration.
    pub app: Option<App>,
    /// Requested permissions by resource: `graph`, `exchange`, or another resource's app id.
    #[serde(default)]
    pub permissions: BTreeMap<String, Permissions>,
    /// How permissions are consented.
    pub consent: Option<Consent>,
    /// Mailboxes the app is limited to; everkey writes the Exchange script, a person runs it.
    pub mailboxes: Option<Mailboxes>,
    /// One or more credentials; each is a slot of its own.
    #[serde(default)]
    pub credential: Vec<Credential>,
    /// Who is told.
    pub people: Option<People>,
}

/// What is watched without a policy of its own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Watch {
    /// Every application and service principal that no other policy describes. Always true.
    #[serde(default)]
    #[schemars(required)]
    pub all: bool,
    /// Client ids that nobody is told about.
    #[serde(default)]
    pub except: Vec<String>,
}

/// The app registration.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct App {
    /// Application (client) id of one that exists, instead of creating one.
    pub app_id: Option<String>,
    /// `displayName`; required unless `app_id` is given.
    pub display_name: Option<String>,
    /// Supported account types; default `single`.
    #[serde(default)]
    #[schemars(schema_with = "super::audience")]
    pub audience: Option<model::Audience>,
    /// Redirect URIs that must be there.
    #[serde(default)]
    pub redirect_uris: Vec<RedirectUri>,
    /// Hide the enterprise application from users.
    #[serde(default)]
    pub hidden_from_users: bool,
}

/// One redirect URI.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedirectUri {
    /// Platform.
    #[serde(default)]
    #[schemars(schema_with = "super::platform")]
    pub platform: Option<model::Platform>,
    /// The URI.
    #[schemars(required)]
    pub uri: Option<String>,
}

/// Permissions of one resource.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Permissions {
    /// App roles: names, or role ids for a resource everkey has no names of.
    #[serde(default)]
    pub application: Vec<String>,
    /// Delegated scopes: names, or scope ids.
    #[serde(default)]
    pub delegated: Vec<String>,
}

/// How permissions are consented.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Consent {
    /// `link` (a person clicks), `grant` (everkey grants, only `permissions_allowed`), `none`.
    #[serde(default)]
    #[schemars(schema_with = "super::consent")]
    pub grant: Option<model::Consent>,
}

/// Mailboxes the app is limited to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mailboxes {
    /// Addresses of the mailboxes it may reach.
    #[serde(default)]
    pub allow: Vec<String>,
    /// `access-policy` (the Entra grant stays) or `rbac` (no Entra grant).
    #[serde(default)]
    #[schemars(schema_with = "super::mailbox_method")]
    pub method: Option<crate::policy::MailboxMethod>,
    /// What the app may do there, Graph names; `rbac` only.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Mail-enabled security group the mailboxes belong to; default: `everkey-NAME@` the first mailbox's domain.
    pub group: Option<String>,
    /// The script makes missing mailboxes as shared ones.
    #[serde(default)]
    pub create: bool,
    /// Users who get Full Access and Send As on the mailboxes.
    #[serde(default)]
    pub delegates: Vec<String>,
    /// A mailbox that must be denied; the script's test.
    pub denied: Option<String>,
}

/// `certificate` or `client-secret`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KindWord {
    Certificate,
    ClientSecret,
}

/// One credential: a slot that always holds a valid one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credential {
    /// Name of the slot; default `primary`.
    pub name: Option<String>,
    /// Client secret or certificate.
    #[schemars(schema_with = "super::kind", required)]
    pub kind: Option<KindWord>,
    /// The vendor's description, shown in Entra; default: the title.
    pub description: Option<String>,
    /// Validity of a new one, `180d`; default `180d` for a secret, `365d` for a certificate.
    pub lifetime: Option<String>,
    /// How long before its end a successor is staged.
    pub rotate_before: Option<String>,
    /// How long both stay valid after delivery and confirmation.
    pub overlap: Option<String>,
    /// Time reserved for failed attempts; default `7d`.
    pub retry_budget: Option<String>,
    /// How long a consumer may hold a value before it reads the sink again; default `1h`.
    pub consumer_refresh: Option<String>,
    /// Least remaining life of the new credential when the old one is removed; default `24h`.
    pub min_life: Option<String>,
    /// Key ids that are never removed.
    #[serde(default)]
    pub retain: Vec<String>,
    /// `accept-blocked` delivers although sign-in is blocked for a reason that is not the credential's.
    #[serde(default)]
    #[schemars(schema_with = "super::prove")]
    pub prove: Option<model::Prove>,
    /// How long a certificate's private key is kept sealed.
    #[serde(default)]
    #[schemars(schema_with = "super::keep_private_key")]
    pub keep_private_key: Option<model::KeepPrivateKey>,
    /// Hand-off with a lifetime under 120 d.
    #[serde(default)]
    pub accept_frequent_handoff: bool,
    /// When the old one leaves; hand-offs default to `at-expiry`, others to `after-overlap`.
    #[serde(default)]
    #[schemars(schema_with = "super::retire")]
    pub retire: Option<model::Retire>,
    /// Certificate: subject, RFC 4514; default `CN=` and the integration's name.
    pub subject: Option<String>,
    /// Certificate: key type; default `rsa-3072`.
    #[serde(default)]
    #[schemars(schema_with = "super::key_type")]
    pub key: Option<model::KeyType>,
    /// Certificate: who signs it; default `self-signed`.
    pub issuer: Option<String>,
    /// Certificate: the command of `issuer = "command"`.
    #[serde(default)]
    pub issuer_command: Vec<String>,
    /// Certificate: the engine of `issuer = "vault-pki"`.
    pub vault_pki: Option<VaultPki>,
    /// Certificate: profile; default `entra-client`.
    pub profile: Option<String>,
    /// Where it is delivered.
    #[serde(default)]
    pub deliver: Vec<Deliver>,
    /// Evidence that the consumer uses it.
    pub confirm: Option<Confirm>,
}

/// Evidence asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirm {
    /// Method.
    #[serde(default)]
    #[schemars(schema_with = "super::confirm_method")]
    pub method: Option<model::ConfirmMethod>,
    /// How often the consumer signs in.
    pub consumer_use_interval: Option<String>,
    /// How long the evidence may take before people are told.
    pub within: Option<String>,
}

/// Who is told; every address is an e-mail address.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct People {
    /// Gets the technical mail; default: `alerts.fallback_to`.
    pub owner: Option<String>,
    /// Project manager: gets the plain one.
    pub pm: Option<String>,
    /// Stands in for the project manager.
    pub backup: Option<String>,
    /// The vendor's contact, free text.
    pub vendor: Option<String>,
}

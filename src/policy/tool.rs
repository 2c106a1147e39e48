//! The tool's configuration as the rest of the house sees it: valid, with every default filled in and every
//! relative path resolved against the directory of `everkey.toml`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::civil::Time;
use jiff::civil::Weekday;
use serde::Deserialize;
use serde::Serialize;

use crate::model::CertProfile;
use crate::model::ClientId;
use crate::model::TenantId;

use super::Mode;

/// Where a secret is read from; never the secret.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSource {
    /// A name in systemd's credential directory (`$CREDENTIALS_DIRECTORY`).
    Credential(String),
    /// An environment variable.
    Environment(String),
    /// A file.
    File(PathBuf),
}

/// Where rotations, journals and sealed secrets are kept.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreUrl {
    /// PostgreSQL; the URL holds no password (`~/.pgpass`, a socket, or a client certificate).
    Postgres(String),
    /// SQLite file, absolute unless the directory of `everkey.toml` is relative.
    Sqlite(PathBuf),
}

/// Encryption of secrets at rest.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Seal {
    /// The key.
    pub key: SecretSource,
    /// An X.509 certificate that can open a backup of the key.
    pub recovery_recipient: Option<PathBuf>,
}

/// How everkey signs in to a tenant.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// The signed-in Azure CLI.
    AzureCli,
    /// A certificate.
    Certificate {
        /// PEM or PFX file.
        certificate: PathBuf,
        /// Private key, PEM; may be the same file, and is for a PFX.
        key: SecretSource,
        /// Password of the PFX or of the key.
        password: Option<SecretSource>,
    },
    /// The host's managed identity.
    ManagedIdentity,
    /// A client secret.
    Secret(SecretSource),
    /// A federated token file.
    WorkloadIdentity {
        /// The file; `None`: the one of `AZURE_FEDERATED_TOKEN_FILE`.
        token_file: Option<PathBuf>,
    },
}

/// Which cloud.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// 21Vianet.
    China,
    /// Named by its URLs, for instance the emulator.
    Custom {
        /// Login URL without trailing slash.
        login_url: String,
        /// Graph URL without trailing slash and without version.
        graph_url: String,
        /// Suffix of Key Vault hosts.
        vault_suffix: Option<String>,
        /// PEM file of the CA to trust.
        ca_file: Option<PathBuf>,
    },
    /// Global.
    Public,
    /// US Government L4 (GCC High).
    Usgov,
    /// US Government L5 (DoD).
    UsgovDod,
}

/// A tenant.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Tenant {
    /// Directory (tenant) id.
    pub tenant_id: TenantId,
    /// everkey's own app registration; `None` for `azure-cli`, a system-assigned identity, and where
    /// `AZURE_CLIENT_ID` names it.
    pub client_id: Option<ClientId>,
    /// Cloud.
    pub cloud: Cloud,
    /// How everkey signs in.
    pub auth: Auth,
    /// Its clock is used and shown.
    pub emulator: bool,
    /// File sinks are written below it ([`super::reroot`]).
    pub sink_root: Option<PathBuf>,
    /// Names everkey may grant; `None` (an emulator without a list) means any.
    pub permissions_allowed: Option<Vec<String>>,
}

/// What policies do not say themselves.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Defaults {
    /// Tenant: the named one, or the only one.
    pub tenant: Option<String>,
    /// Mode.
    pub mode: Mode,
    /// Five-field cron, checked.
    pub schedule: String,
    /// IANA zone, checked.
    pub timezone: String,
    /// Inclusive local dates.
    pub freeze: Vec<(Date, Date)>,
    /// Local time of day in which rotations may start.
    pub window: Option<(Time, Time)>,
    /// New rotations per day unless a lapse is near.
    pub max_new_rotations_per_day: u32,
    /// Spread of starts.
    pub jitter: SignedDuration,
}

/// How a person is told.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// Graph `sendMail`.
    Graph,
    /// SMTP.
    Smtp,
    /// A Teams card.
    Teams,
    /// A webhook.
    Webhook,
}

/// How one person is told.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Person {
    /// Channel; `None`: the mail transport.
    pub channel: Option<Channel>,
    /// Language tag.
    pub language: String,
}

/// Who hears when.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Alerts {
    /// Days before the end, largest first, without repeats.
    pub before_days: Vec<u32>,
    /// Local time of day.
    pub send_at: Time,
    /// Not on weekends and holidays, except at 7 days or less.
    pub working_days_only: bool,
    /// The iCalendar file.
    pub holidays_file: Option<PathBuf>,
    /// Days on which nobody works; filled by [`super::ToolConfig::with_holidays`].
    pub holidays: Vec<Date>,
    /// Where no owner is known.
    pub fallback_to: Option<String>,
    /// Hears of credentials nobody registered, and of emergencies.
    pub security_to: Option<String>,
    /// Weekly digest.
    #[serde(serialize_with = "show_digest")]
    pub digest: Option<(Weekday, Time)>,
    /// Called after each good cycle.
    pub heartbeat_url: Option<String>,
    /// Directory of own mail templates.
    pub templates: Option<PathBuf>,
    /// By address.
    pub people: BTreeMap<String, Person>,
    /// Hears when nobody acts.
    pub escalate_to: Vec<String>,
}

fn show_digest<S: serde::Serializer>(digest: &Option<(Weekday, Time)>, to: S) -> Result<S::Ok, S::Error> {
    digest.map(|(day, time)| format!("{:.3} {}", format!("{day:?}"), time.strftime("%H:%M"))).serialize(to)
}

/// How mail leaves.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Graph `sendMail`.
    Graph,
    /// SMTP.
    Smtp,
}

/// When TLS starts on an SMTP connection; there is no way without it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// From the first byte.
    Implicit,
    /// After STARTTLS, which is required.
    Starttls,
}

/// How everkey signs in to the SMTP server.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailAuth {
    /// User name and password.
    Password,
    /// A token of Entra.
    Xoauth2,
}

/// Mail settings.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Mail {
    /// `Name <address>` or an address.
    pub from: String,
    /// Transport.
    pub transport: Transport,
    /// SMTP server; empty for `graph`.
    pub host: String,
    /// SMTP port.
    pub port: u16,
    /// TLS.
    pub tls: Tls,
    /// PEM file of a private CA.
    pub ca_file: Option<PathBuf>,
    /// `None`: no sign-in.
    pub auth: Option<MailAuth>,
    /// User name.
    pub username: Option<String>,
    /// Password; set exactly when `auth` is a password.
    pub password: Option<SecretSource>,
}

/// A local issuing CA.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct LocalCa {
    /// PEM file.
    pub certificate: PathBuf,
    /// Private key.
    pub key: SecretSource,
    /// Its password; `None`: the key lies open.
    pub key_password: Option<SecretSource>,
}

/// The dashboard and API.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Serve {
    /// Address.
    pub listen: SocketAddr,
    /// Mails carry links only when this is set and answers.
    pub public_url: Option<String>,
}

/// `everkey.toml`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ToolConfig {
    /// The file it was read from.
    pub file: PathBuf,
    /// SHA-256 of the file, lower-case hex.
    pub digest: String,
    /// Directory of the policy files.
    pub policies: PathBuf,
    /// Store.
    pub store: StoreUrl,
    /// Password of a PostgreSQL store; `None`: the server asks for none, or `~/.pgpass` has it.
    pub store_password: Option<SecretSource>,
    /// Seal; `None` when the file has no `[seal]`: nothing can then be rotated.
    pub seal: Option<Seal>,
    /// Tenants by name; never empty.
    pub tenants: BTreeMap<String, Tenant>,
    /// Defaults.
    pub defaults: Defaults,
    /// Alerts.
    pub alerts: Alerts,
    /// Mail; `None`: nobody can be mailed.
    pub mail: Option<Mail>,
    /// Local CAs by name.
    pub ca: BTreeMap<String, LocalCa>,
    /// Certificate profiles by name, the built-in one among them.
    pub profiles: BTreeMap<String, CertProfile>,
    /// The dashboard and API.
    pub serve: Option<Serve>,
}

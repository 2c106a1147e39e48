//! An emulator of Microsoft Entra ID and Microsoft Graph over https on loopback: a feature for people who
//! test their own Graph code, and the far side of our demo, simulation and tests. It shares no code with
//! the client (`entra`, `graph`, `http`, `pki`), so that no mistake is made on both sides at once.
//!
//! `directory` is the tenant as pure state; `login` and `graph` translate requests to it and back, also
//! without a socket (`tenant`); `server` puts that behind https and keeps it in a directory on disk;
//! `mail` catches what is sent by SMTP. What is known of the real service, and from where, is in the
//! document `entra-contract.md`; comments cite its sections as "entra-contract 3.4".

mod admin;
mod call;
mod certificate;
pub mod directory;
mod entropy;
mod error;
mod fault;
mod files;
mod graph;
mod history;
mod issuer;
mod jws;
mod key_vault;
mod kubernetes;
mod line;
mod log;
mod login;
mod machine;
mod mail;
mod operator;
mod options;
mod places;
mod quirks;
mod quotas;
mod serve;
mod server;
mod standing;
mod tenant;
mod tls;
mod vault;

pub use self::error::EmulatorError;
pub use self::fault::Effect;
pub use self::fault::Fault;
pub use self::fault::FaultPlan;
pub use self::fault::PageTrick;
pub use self::fault::PlanError;
pub use self::fault::RetryAfter;
pub use self::fault::Rule;
pub use self::fault::WrongBody;
pub use self::files::Saved;
pub use self::files::saved;
pub use self::key_vault::KeyVaultQuirks;
pub use self::log::LogEntry;
pub use self::mail::CaughtMail;
pub use self::mail::MailCatcher;
pub use self::mail::MailOptions;
pub use self::operator::Operator;
pub use self::options::MailSettings;
pub use self::options::Options;
pub use self::quirks::Quirks;
pub use self::quotas::TenantSize;
pub use self::server::Emulator;
pub use self::server::TokenKey;
pub use self::tls::Tls;

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
mod files;
mod graph;
mod history;
mod jws;
mod key_vault;
mod kubernetes;
mod line;
mod login;
mod mail;
mod operator;
mod options;
mod places;
mod quirks;
mod serve;
mod server;
mod tenant;
mod tls;
mod vault;

pub use self::error::EmulatorError;
pub use self::files::Saved;
pub use self::files::saved;
pub use self::key_vault::KeyVaultQuirks;
pub use self::mail::CaughtMail;
pub use self::mail::MailCatcher;
pub use self::mail::MailOptions;
pub use self::operator::Operator;
pub use self::options::MailSettings;
pub use self::options::Options;
pub use self::quirks::Effect;
pub use self::quirks::Fault;
pub use self::quirks::Quirks;
pub use self::server::Emulator;
pub use self::tls::Tls;

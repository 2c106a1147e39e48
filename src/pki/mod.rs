//! Keys, certificates, and PFX, PEM and CER in and out.
//!
//! - [`Tool`] makes and packs key material (the port `CertTool`).
//! - [`open`] and [`inspect`] read what a file holds, whatever its name says.
//! - [`load_pair`] reads everkey's own sign-in certificate.
//!
//! Everything here is CPU-heavy and synchronous: call it off the async threads. Private keys travel as
//! PKCS#8 DER inside a `Secret`; every private-key operation is aws-lc-rs.

mod command;
mod error;
mod inspect;
mod issued;
mod keys;
mod load;
mod name;
mod password;
mod pemtext;
mod pfx;
mod request;
mod self_signed;
mod thumbprint;
mod tool;
mod x509;

pub use command::CommandIssuer;
pub use error::PkiError;
pub use inspect::CertificateFacts;
pub use inspect::Inspected;
pub use inspect::KeyState;
pub use inspect::inspect;
pub use load::Format;
pub use load::Opened;
pub use load::load_pair;
pub use load::open;
pub use tool::Tool;

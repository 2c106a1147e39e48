//! Keys, certificates and requests; PFX, PEM and CER in and out; a local CA.
//!
//! - [`Tool`] makes and packs key material for the engine (the port `CertTool`); the functions below do what only
//!   the command line needs so far, in the same shapes.
//! - [`open`], [`inspect`] and [`read_request`] read what a file holds, whatever its name says; what a file may ask
//!   for is bounded before any work (`limits`).
//! - [`Authority`] signs requests under a profile.
//! - [`load_pair`] reads everkey's own sign-in certificate.
//!
//! Everything here is CPU-heavy and synchronous: call it off the async threads. Private keys travel as
//! PKCS#8 DER inside a `Secret`; every private-key operation is aws-lc-rs.

mod authority;
mod chain;
mod command;
mod dns;
mod error;
mod inspect;
mod issued;
mod keys;
mod limits;
mod load;
mod local_ca;
mod name;
mod password;
mod pemtext;
mod pfx;
mod public_key;
mod request;
mod sealed_key;
mod self_signed;
mod signature;
mod thumbprint;
mod tlv;
mod tool;
mod x509;

pub use authority::Authority;
pub use authority::MOST_DAYS;
pub use authority::Terms;
pub use chain::arrange;
pub use command::CommandIssuer;
pub use error::PkiError;
pub use inspect::CertificateFacts;
pub use inspect::Inspected;
pub use inspect::KeyState;
pub use inspect::RequestFacts;
pub use inspect::describe;
pub use inspect::facts;
pub use inspect::inspect;
pub use limits::LARGEST_FILE;
pub use load::Format;
pub use load::Opened;
pub use load::load_pair;
pub use load::matching;
pub use load::open;
pub use local_ca::LocalCa;
pub use request::Request;
pub use request::make_request;
pub use request::read_request;
pub use tool::Tool;

use jiff::Timestamp;

use crate::model::CertProfile;
use crate::model::PfxProfile;
use crate::ports::MadeCertificate;
use crate::secret::Secret;

/// A self-signed certificate of any profile; `CertTool::self_signed` is this for `entra-client`, without names.
///
/// # Errors
/// [`PkiError::Subject`], [`PkiError::Validity`], and what the profile does not allow.
pub fn self_signed(
    key: &Secret,
    subject: &str,
    dns_names: &[String],
    profile: &CertProfile,
    start: Timestamp,
    end: Timestamp,
) -> Result<MadeCertificate, PkiError> {
    self_signed::make(key, subject, dns_names, profile, start, end)
}

/// A PFX as `CertTool::pfx` makes it, with the certificates of the issuers in it.
///
/// # Errors
/// [`PkiError::Mismatch`], [`PkiError::Password`].
pub fn pfx(
    key: &Secret,
    certificate: &[u8],
    chain: &[Vec<u8>],
    password: &Secret,
    profile: PfxProfile,
    generated: bool,
) -> Result<Secret, PkiError> {
    pfx::write(key, certificate, chain, password, profile, generated)
}

/// The key under a password, as PEM (`ENCRYPTED PRIVATE KEY`). `generated` as for a PFX.
///
/// # Errors
/// [`PkiError::Password`] for an empty one.
pub fn sealed_key_pem(key: &Secret, password: &Secret, generated: bool) -> Result<Secret, PkiError> {
    sealed_key::write(key, password, generated)
}

/// A request as PEM.
pub fn request_pem(der: &[u8]) -> String {
    pemtext::block("CERTIFICATE REQUEST", der)
}

/// The public half of a key, as SubjectPublicKeyInfo.
///
/// # Errors
/// [`PkiError::Key`].
pub fn public_key(key: &Secret) -> Result<Vec<u8>, PkiError> {
    Ok(keys::signer(key)?.public_key_info())
}

/// The public key of a certificate (DER), as SubjectPublicKeyInfo.
///
/// # Errors
/// [`PkiError::Certificate`].
pub fn certificate_key(certificate: &[u8]) -> Result<Vec<u8>, PkiError> {
    Ok(x509::part(certificate, x509::PUBLIC_KEY)?.to_vec())
}

//! How work with keys and certificates fails. No variant holds a secret, nor the text of one.

use crate::ports::PortError;
use crate::ports::Refusal;

/// How work with keys and certificates fails.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    /// A certificate that cannot be read as X.509 v3 DER.
    #[error("the certificate cannot be read: {0}")]
    Certificate(String),
    /// The cryptographic library failed: no randomness, no memory, or a fault of its own.
    #[error("{0} failed in the cryptographic library")]
    Crypto(&'static str),
    /// The issuing CA cannot issue this, or not now.
    #[error("the CA cannot sign: {0}")]
    Authority(String),
    /// A valid request for something that its profile does not allow.
    #[error("the request is refused: {0}")]
    Denied(String),
    /// A private key behind a passphrase (`ENCRYPTED PRIVATE KEY`), and no password was given.
    #[error("the private key is encrypted, and no password was given")]
    EncryptedKey,
    /// A private key encrypted in a way that is not read.
    #[error("the private key is encrypted in a way that is not supported ({0})")]
    Encryption(String),
    /// What was made does not read back as what was asked for. Never expected; nothing was delivered.
    #[error("{0} does not read back as it was written")]
    ReadBack(&'static str),
    /// What an issuer gave back is not the answer to our request.
    #[error("this is not the certificate that was asked for: {0}")]
    Issued(String),
    /// A private key of a kind that everkey does not use.
    #[error("the private key is of no supported kind (RSA of 2048 bits and more, EC P-256, EC P-384)")]
    Key,
    /// Key and certificate are not one pair.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
    /// The file holds no private key, no certificate, or neither.
    #[error("the file holds no {0}")]
    Missing(&'static str),
    /// A password that PKCS#12 cannot carry.
    #[error("the PFX password {0}")]
    Password(&'static str),
    /// A damaged PFX, or one that uses an encryption that is not supported.
    #[error("the PFX cannot be read: {0}")]
    Pfx(String),
    /// A subject that cannot be put into a certificate without loss.
    #[error("subject `{subject}`: {why}")]
    Subject {
        /// The subject as it was given.
        subject: String,
        /// Why not, and what to write instead.
        why: String,
    },
    /// A certificate signing request that is malformed, forged or too weak.
    #[error("the certificate request is not valid: {0}")]
    Request(String),
    /// A file that asks for more than is ever done: size, nesting, key derivation.
    #[error("the file is refused before it is read: {0}")]
    TooMuch(String),
    /// Not PEM, DER or PFX.
    #[error("neither PEM nor a DER certificate, request, key or PFX, or damaged")]
    Unrecognised,
    /// Dates that X.509 cannot express, or an end that is not after the start.
    #[error("validity from {start} to {end}: {why}")]
    Validity {
        /// notBefore.
        start: jiff::Timestamp,
        /// notAfter.
        end: jiff::Timestamp,
        /// Why not.
        why: &'static str,
    },
    /// The password does not open the file (a damaged one looks the same).
    #[error("wrong password (or the file is damaged)")]
    WrongPassword,
}

impl PkiError {
    /// Stable word for the kind of failure, used as the code of a [`Refusal`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::Authority(_) => "authority",
            Self::Certificate(_) => "certificate",
            Self::Crypto(_) => "crypto",
            Self::Denied(_) => "denied",
            Self::EncryptedKey => "encrypted-key",
            Self::Issued(_) => "issued",
            Self::Encryption(_) => "encryption",
            Self::Key => "key",
            Self::Mismatch => "mismatch",
            Self::Missing(_) => "missing",
            Self::Password(_) => "password",
            Self::Pfx(_) => "pfx",
            Self::ReadBack(_) => "read-back",
            Self::Request(_) => "request",
            Self::Subject { .. } => "subject",
            Self::TooMuch(_) => "too-much",
            Self::Unrecognised => "unrecognised",
            Self::Validity { .. } => "validity",
            Self::WrongPassword => "wrong-password",
        }
    }
}

impl From<PkiError> for PortError {
    /// Faults of this machine are `Local`; what repeating cannot help is `Refused`.
    fn from(error: PkiError) -> Self {
        match error {
            PkiError::Crypto(_) | PkiError::ReadBack(_) => Self::Local(error.to_string()),
            _ => Self::Refused(Refusal {
                status: 0,
                code: error.code().to_owned(),
                message: error.to_string(),
                request_id: None,
            }),
        }
    }
}

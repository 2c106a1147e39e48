//! Reading the X.509 certificates that apps register: thumbprints, validity, the RSA key to check with.

use aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
use aws_lc_rs::digest::digest;
use const_oid::db::rfc5912::RSA_ENCRYPTION;
use der::Decode as _;
use jiff::Timestamp;

use super::entropy::sha256;

/// What the directory needs to know of a registered certificate.
#[derive(Clone, Debug)]
pub struct CertificateFacts {
    /// End of validity.
    pub not_after: Timestamp,
    /// Start of validity.
    pub not_before: Timestamp,
    /// The RSAPublicKey in DER; `None` for keys of other kinds, which can be uploaded but never sign in.
    pub rsa_public_key: Option<Vec<u8>>,
    /// SHA-1 of the DER: what `x5t` names, and the default customKeyIdentifier.
    pub sha1: [u8; 20],
    /// SHA-256 of the DER: what `x5t#S256` names.
    pub sha256: [u8; 32],
}

impl CertificateFacts {
    /// Reads a DER certificate; `None` when it is not one (nor followed by other bytes).
    pub fn read(der: &[u8]) -> Option<Self> {
        let certificate = x509_cert::Certificate::from_der(der).ok()?;
        let tbs = certificate.tbs_certificate();
        let seconds = |time: x509_cert::time::Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
            Timestamp::from_second(seconds).ok()
        };
        let spki = tbs.subject_public_key_info();
        let rsa_public_key = (spki.algorithm.oid == RSA_ENCRYPTION)
            .then(|| spki.subject_public_key.as_bytes().map(<[u8]>::to_vec))
            .flatten();
        Some(Self {
            not_after: seconds(tbs.validity().not_after)?,
            not_before: seconds(tbs.validity().not_before)?,
            rsa_public_key,
            sha1: sha1(der),
            sha256: sha256(der),
        })
    }
}

/// Upper-case hex, as the directory writes thumbprints.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn sha1(data: &[u8]) -> [u8; 20] {
    let mut out = [0; 20];
    out.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, data).as_ref());
    out
}

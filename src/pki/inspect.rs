//! What a file of key material holds, for people and for `everkey cert inspect`. Shows no secret.

use const_oid::db::rfc5912::ID_EC_PUBLIC_KEY;
use const_oid::db::rfc5912::RSA_ENCRYPTION;
use const_oid::db::rfc5912::SECP_256_R_1;
use const_oid::db::rfc5912::SECP_384_R_1;
use der::Decode;
use der::asn1::ObjectIdentifier;
use der::asn1::Uint;
use jiff::Timestamp;
use serde::Serialize;
use x509_cert::Certificate;

use super::Format;
use super::PkiError;
use super::load;
use super::thumbprint;
use super::x509;
use crate::model::Thumbprint;
use crate::secret::Secret;

/// Whether a private key is there, and whose.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// No private key in the file.
    Absent,
    /// A private key without any certificate.
    Alone,
    /// It belongs to none of the certificates.
    Differs,
    /// It belongs to the first certificate of [`Inspected::certificates`].
    Matches,
}

/// One certificate, for people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CertificateFacts {
    /// Subject, RFC 4514.
    pub subject: String,
    /// Issuer, RFC 4514.
    pub issuer: String,
    /// Serial number, lower-case hexadecimal without separators.
    pub serial: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// `RSA 3072`, `EC P-256`, or the algorithm's object identifier.
    pub key_type: String,
    /// SHA-1 thumbprint, as Entra shows it.
    pub thumbprint: Thumbprint,
    /// SHA-256 thumbprint.
    pub thumbprint_sha256: String,
}

/// What a file holds.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Inspected {
    /// How it is written.
    pub format: Format,
    /// Whether a private key is there, and whose.
    pub key: KeyState,
    /// The certificates; the one that belongs to the key first, else in the order of the file.
    pub certificates: Vec<CertificateFacts>,
}

/// Tells what `bytes` hold; `password` is that of a PFX.
///
/// # Errors
/// As [`open`](super::open).
pub fn inspect(bytes: &[u8], password: Option<&Secret>) -> Result<Inspected, PkiError> {
    let mut opened = load::open(bytes, password)?;
    let key = match &opened.key {
        None => KeyState::Absent,
        Some(_) if opened.certificates.is_empty() => KeyState::Alone,
        Some(key) => match load::matching(key, &opened.certificates)? {
            None => KeyState::Differs,
            Some(position) => {
                opened.certificates[..=position].rotate_right(1);
                KeyState::Matches
            }
        },
    };
    let certificates = opened.certificates.iter().map(|der| facts(der)).collect::<Result<_, _>>()?;
    Ok(Inspected { format: opened.format, key, certificates })
}

fn facts(der: &[u8]) -> Result<CertificateFacts, PkiError> {
    let certificate = x509::read(der)?;
    let tbs = certificate.tbs_certificate();
    Ok(CertificateFacts {
        subject: tbs.subject().to_string(),
        issuer: tbs.issuer().to_string(),
        serial: tbs.serial_number().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect(),
        not_before: x509::timestamp(&tbs.validity().not_before)?,
        not_after: x509::timestamp(&tbs.validity().not_after)?,
        key_type: key_type(&certificate),
        thumbprint: thumbprint::sha1(der),
        thumbprint_sha256: thumbprint::sha256(der),
    })
}

/// The kind of public key, in the words of `KeyType::label` where it is one of those.
fn key_type(certificate: &Certificate) -> String {
    let info = certificate.tbs_certificate().subject_public_key_info();
    let algorithm = info.algorithm.oid;
    if algorithm == RSA_ENCRYPTION {
        let bits = info.subject_public_key.as_bytes().and_then(modulus_bits);
        return bits.map_or_else(|| "RSA".to_owned(), |bits| format!("RSA {bits}"));
    }
    let curve = info.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    match curve {
        Some(SECP_256_R_1) if algorithm == ID_EC_PUBLIC_KEY => "EC P-256".into(),
        Some(SECP_384_R_1) if algorithm == ID_EC_PUBLIC_KEY => "EC P-384".into(),
        _ => algorithm.to_string(),
    }
}

/// Length of the modulus of `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017).
fn modulus_bits(public_key: &[u8]) -> Option<usize> {
    let numbers = Vec::<Uint>::from_der(public_key).ok()?;
    let bytes = numbers.first()?.as_bytes();
    let leading = bytes.first()?.leading_zeros();
    Some(bytes.len() * 8 - usize::try_from(leading).ok()?)
}

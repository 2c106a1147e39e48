//! Public keys as they stand in certificates and requests: their kind, and why one is too weak to be certified.

use const_oid::db::rfc5912::ID_EC_PUBLIC_KEY;
use const_oid::db::rfc5912::RSA_ENCRYPTION;
use const_oid::db::rfc5912::SECP_256_R_1;
use const_oid::db::rfc5912::SECP_384_R_1;
use der::Decode;
use der::asn1::ObjectIdentifier;
use spki::SubjectPublicKeyInfoRef;

use super::tlv::Tlv;

/// The least RSA key, and the least public exponent: smaller ones are legal and were broken in practice.
const LEAST_BITS: usize = 2048;
const MOST_BITS: usize = 8192;
const LEAST_EXPONENT: u64 = 65_537;

/// The kind of a public key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum PublicKey {
    /// P-256.
    EcP256,
    /// P-384.
    EcP384,
    /// Another algorithm, curve, or something unreadable.
    Other(String),
    /// RSA.
    Rsa {
        /// Length of the modulus.
        bits: usize,
        /// Public exponent; the largest number stands for any that is larger.
        exponent: u64,
    },
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo.
    pub(super) fn read(info: &[u8]) -> Self {
        let Ok(info) = SubjectPublicKeyInfoRef::from_der(info) else { return Self::Other("unreadable".into()) };
        let algorithm = info.algorithm.oid;
        if algorithm == RSA_ENCRYPTION {
            let key = info.subject_public_key.as_bytes().and_then(rsa);
            return key.unwrap_or_else(|| Self::Other("RSA, unreadable".into()));
        }
        let curve = info.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        match curve {
            Some(SECP_256_R_1) if algorithm == ID_EC_PUBLIC_KEY => Self::EcP256,
            Some(SECP_384_R_1) if algorithm == ID_EC_PUBLIC_KEY => Self::EcP384,
            _ => Self::Other(algorithm.to_string()),
        }
    }

    /// `RSA 3072`, `EC P-256`, or the algorithm's object identifier.
    pub(super) fn label(&self) -> String {
        match self {
            Self::EcP256 => "EC P-256".into(),
            Self::EcP384 => "EC P-384".into(),
            Self::Other(name) => name.clone(),
            Self::Rsa { bits, .. } => format!("RSA {bits}"),
        }
    }

    /// Why no certificate is issued for it.
    pub(super) fn weakness(&self) -> Option<String> {
        match self {
            Self::EcP256 | Self::EcP384 => None,
            Self::Other(name) => Some(format!("its key is neither RSA nor EC P-256 or P-384 ({name})")),
            Self::Rsa { bits, .. } if *bits < LEAST_BITS => {
                Some(format!("its RSA key has {bits} bits; {LEAST_BITS} is the least"))
            }
            Self::Rsa { bits, .. } if *bits > MOST_BITS => {
                Some(format!("its RSA key has {bits} bits; {MOST_BITS} is the most"))
            }
            Self::Rsa { exponent, .. } if *exponent < LEAST_EXPONENT || exponent % 2 == 0 => {
                Some(format!("its RSA key has the public exponent {exponent}; {LEAST_EXPONENT} is the least"))
            }
            Self::Rsa { .. } => None,
        }
    }

    /// Why Entra takes no sign-in with it; the same rule as for an app's certificate in a policy.
    pub(super) fn not_for_entra(&self) -> Option<String> {
        match self {
            Self::Rsa { bits, .. } if *bits >= LEAST_BITS => None,
            other => Some(format!("Entra signs in with RSA keys of {LEAST_BITS} bits and more, not {}", other.label())),
        }
    }
}

/// `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017).
fn rsa(public_key: &[u8]) -> Option<PublicKey> {
    let numbers: Vec<Tlv<'_>> = Tlv::only(public_key)?.children().collect();
    let [modulus, exponent] = numbers.as_slice() else { return None };
    let digits: Vec<u8> = modulus.value.iter().copied().skip_while(|octet| *octet == 0).collect();
    let leading = usize::try_from(digits.first()?.leading_zeros()).ok()?;
    Some(PublicKey::Rsa { bits: digits.len() * 8 - leading, exponent: exponent.number()? })
}

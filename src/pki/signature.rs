//! Signatures of certificates and requests, checked by aws-lc-rs over the bytes that were signed, never over a
//! re-encoding. MD5 and SHA-1 are refused by name.

use aws_lc_rs::signature;
use aws_lc_rs::signature::UnparsedPublicKey;
use aws_lc_rs::signature::VerificationAlgorithm;
use const_oid::db::rfc5912 as oid;
use der::Decode;
use der::asn1::ObjectIdentifier;
use spki::SubjectPublicKeyInfoRef;

use super::public_key::PublicKey;
use super::tlv;
use super::tlv::Tlv;

/// Context tags of RSASSA-PSS-params: hash, mask generation, salt length.
const PSS_HASH: u8 = 0xa0;
const PSS_MASK: u8 = 0xa1;
const PSS_SALT: u8 = 0xa2;

/// Checks the signature of a certificate or request with the key `info` (SubjectPublicKeyInfo, DER). The error
/// says why not, in words that follow "the signature".
pub(super) fn verify(signed: &[u8], info: &[u8]) -> Result<(), String> {
    let (content, algorithm, bits) = tlv::signed(signed).ok_or("cannot be found in the file")?;
    let key = SubjectPublicKeyInfoRef::from_der(info).map_err(|_| "belongs to a key that cannot be read")?;
    let key = key.subject_public_key.as_bytes().ok_or("belongs to a key that cannot be read")?;
    let method = method(algorithm, &PublicKey::read(info))?;
    UnparsedPublicKey::new(method, key)
        .verify(content.whole, bits)
        .map_err(|_| "does not fit: the content was changed, or it was signed with another key".to_owned())
}

/// The name of a signature algorithm, for people.
pub(super) fn name(algorithm: ObjectIdentifier) -> String {
    match algorithm {
        oid::ECDSA_WITH_SHA_256 => "ECDSA with SHA-256".into(),
        oid::ECDSA_WITH_SHA_384 => "ECDSA with SHA-384".into(),
        oid::ECDSA_WITH_SHA_512 => "ECDSA with SHA-512".into(),
        oid::ID_RSASSA_PSS => "RSA-PSS".into(),
        oid::MD_5_WITH_RSA_ENCRYPTION => "RSA with MD5".into(),
        oid::SHA_1_WITH_RSA_ENCRYPTION => "RSA with SHA-1".into(),
        oid::SHA_256_WITH_RSA_ENCRYPTION => "RSA with SHA-256".into(),
        oid::SHA_384_WITH_RSA_ENCRYPTION => "RSA with SHA-384".into(),
        oid::SHA_512_WITH_RSA_ENCRYPTION => "RSA with SHA-512".into(),
        other => other.to_string(),
    }
}

fn method(algorithm: Tlv<'_>, key: &PublicKey) -> Result<&'static dyn VerificationAlgorithm, String> {
    let mut parts = algorithm.children();
    let found = parts.next().and_then(|name| ObjectIdentifier::from_der(name.whole).ok());
    let found = found.ok_or("has no readable algorithm")?;
    if found == oid::SHA_1_WITH_RSA_ENCRYPTION || found == oid::MD_5_WITH_RSA_ENCRYPTION {
        return Err(format!("was made with {}, which can be forged", name(found)));
    }
    let method: &'static dyn VerificationAlgorithm = match (found, key) {
        (oid::SHA_256_WITH_RSA_ENCRYPTION, PublicKey::Rsa { .. }) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (oid::SHA_384_WITH_RSA_ENCRYPTION, PublicKey::Rsa { .. }) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (oid::SHA_512_WITH_RSA_ENCRYPTION, PublicKey::Rsa { .. }) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (oid::ID_RSASSA_PSS, PublicKey::Rsa { .. }) => pss(parts.next())?,
        (oid::ECDSA_WITH_SHA_256, PublicKey::EcP256) => &signature::ECDSA_P256_SHA256_ASN1,
        (oid::ECDSA_WITH_SHA_384, PublicKey::EcP256) => &signature::ECDSA_P256_SHA384_ASN1,
        (oid::ECDSA_WITH_SHA_512, PublicKey::EcP256) => &signature::ECDSA_P256_SHA512_ASN1,
        (oid::ECDSA_WITH_SHA_256, PublicKey::EcP384) => &signature::ECDSA_P384_SHA256_ASN1,
        (oid::ECDSA_WITH_SHA_384, PublicKey::EcP384) => &signature::ECDSA_P384_SHA384_ASN1,
        (oid::ECDSA_WITH_SHA_512, PublicKey::EcP384) => &signature::ECDSA_P384_SHA512_ASN1,
        _ => return Err(format!("of kind {} does not go with a key of kind {}", name(found), key.label())),
    };
    Ok(method)
}

/// PSS with one hash throughout and a salt of its length, which is what RFC 8017 recommends and TLS demands.
fn pss(parameters: Option<Tlv<'_>>) -> Result<&'static dyn VerificationAlgorithm, String> {
    let (mut hash, mut mask, mut salt) = (None, None, 20);
    for part in parameters.into_iter().flat_map(Tlv::children) {
        let inside = part.children().next();
        match part.tag {
            PSS_HASH => hash = inside.and_then(algorithm),
            PSS_MASK => mask = inside.and_then(|mask| mask.children().nth(1)).and_then(algorithm),
            PSS_SALT => salt = inside.and_then(Tlv::number).unwrap_or(0),
            _ => {}
        }
    }
    let method: &'static dyn VerificationAlgorithm = match (hash, salt) {
        (Some(oid::ID_SHA_256), 32) => &signature::RSA_PSS_2048_8192_SHA256,
        (Some(oid::ID_SHA_384), 48) => &signature::RSA_PSS_2048_8192_SHA384,
        (Some(oid::ID_SHA_512), 64) => &signature::RSA_PSS_2048_8192_SHA512,
        (None, _) => return Err("was made with RSA-PSS and SHA-1, which can be forged".into()),
        _ => return Err(format!("is RSA-PSS with a salt of {salt} bytes; only the length of the hash is checked")),
    };
    if hash != mask {
        return Err("is RSA-PSS with two different hashes, which is not checked".into());
    }
    Ok(method)
}

/// The name in an AlgorithmIdentifier.
fn algorithm(identifier: Tlv<'_>) -> Option<ObjectIdentifier> {
    identifier.children().next().and_then(|name| ObjectIdentifier::from_der(name.whole).ok())
}

//! Private keys: made, read in any of their DER forms, and compared with a certificate.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::Pkcs8V1Der;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
use aws_lc_rs::signature::ECDSA_P384_SHA384_ASN1_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use rcgen::KeyPair;
use rcgen::PublicKeyData;
use rcgen::RsaKeySize;
use zeroize::Zeroize;

use super::PkiError;
use crate::model::KeyType;
use crate::secret::Secret;

/// A new private key, PKCS#8 v1 DER.
pub(super) fn generate(key: KeyType) -> Result<Secret, PkiError> {
    let made = match key {
        KeyType::EcP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        KeyType::EcP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        KeyType::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
        KeyType::Rsa3072 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_3072),
        KeyType::Rsa4096 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096),
    };
    let mut pair = made.map_err(|_| PkiError::Crypto("key generation"))?;
    let key = normalise(pair.serialized_der());
    pair.zeroize();
    key
}

/// Brings a private key in PKCS#8, PKCS#1 or SEC1 DER to PKCS#8 v1, the one form everkey passes around.
///
/// Refuses whatever is not RSA of at least 2048 bits, P-256 or P-384 (Ed25519 and RSA-PSS keys too).
pub(super) fn normalise(der: &[u8]) -> Result<Secret, PkiError> {
    let rsa = rsa::KeyPair::from_pkcs8(der).or_else(|_| rsa::KeyPair::from_der(der));
    if let Ok(pair) = rsa {
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| PkiError::Crypto("encoding a key"))?;
        return Ok(Secret::new(pkcs8.as_ref().to_vec()));
    }
    for curve in [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING] {
        if let Ok(pair) = EcdsaKeyPair::from_private_key_der(curve, der) {
            let pkcs8 = pair.to_pkcs8v1().map_err(|_| PkiError::Crypto("encoding a key"))?;
            return Ok(Secret::new(pkcs8.as_ref().to_vec()));
        }
    }
    Err(PkiError::Key)
}

/// The key as something rcgen can sign with: SHA-256 for RSA and P-256, SHA-384 for P-384.
pub(super) fn signer(key: &Secret) -> Result<Signer, PkiError> {
    KeyPair::try_from(key.expose()).map(Signer).map_err(|_| PkiError::Key)
}

/// A key pair of rcgen whose copy of the private key is zeroed when it goes.
pub(super) struct Signer(KeyPair);

impl Signer {
    /// The pair.
    pub(super) fn pair(&self) -> &KeyPair {
        &self.0
    }

    /// SubjectPublicKeyInfo, DER.
    pub(super) fn public_key_info(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

//! Private keys under a password: PKCS#8 `ENCRYPTED PRIVATE KEY`, read as openssl, Java and Python write it, written
//! with PBES2, AES-256 and PBKDF2-SHA-256.

use der::Decode;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::PrivateKeyInfoRef;
use pkcs8::pkcs5;
use pkcs8::pkcs5::pbes2;

use super::PkiError;
use super::keys;
use super::pemtext;
use super::pfx;
use crate::secret::Secret;

/// Whether `der` is an encrypted PKCS#8 key.
pub(super) fn is_one(der: &[u8]) -> bool {
    EncryptedPrivateKeyInfoRef::from_der(der).is_ok()
}

/// Opens one. What the wrong password makes of it is not told apart from damage.
pub(super) fn open(der: &[u8], password: Option<&Secret>) -> Result<Secret, PkiError> {
    let sealed =
        EncryptedPrivateKeyInfoRef::from_der(der).map_err(|_| PkiError::Encryption("not PBES2, or damaged".into()))?;
    let password = password.ok_or(PkiError::EncryptedKey)?;
    let opened = sealed.decrypt(password.expose()).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(pkcs5::Error::DecryptFailed) | pkcs8::Error::Asn1(_) => {
            PkiError::WrongPassword
        }
        other => PkiError::Encryption(other.to_string()),
    })?;
    // One wrong password in 256 leaves valid padding, and then bytes that are no key.
    PrivateKeyInfoRef::from_der(opened.as_bytes()).map_err(|_| PkiError::WrongPassword)?;
    keys::normalise(opened.as_bytes())
}

/// The key under `password`, as PEM; opened again to be sure. `generated` as for a PFX.
pub(super) fn write(key: &Secret, password: &Secret, generated: bool) -> Result<Secret, PkiError> {
    if password.is_empty() {
        return Err(PkiError::Password("is empty"));
    }
    let plain = PrivateKeyInfoRef::from_der(key.expose()).map_err(|_| PkiError::Key)?;
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    for bytes in [&mut salt, &mut iv] {
        aws_lc_rs::rand::fill(bytes).map_err(|_| PkiError::Crypto("random numbers"))?;
    }
    let parameters = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(pfx::rounds(generated), &salt, iv)
        .map_err(|_| PkiError::Crypto("key derivation"))?;
    let sealed =
        plain.encrypt_with_params(parameters, password.expose()).map_err(|_| PkiError::Crypto("encrypting a key"))?;
    let back = open(sealed.as_bytes(), Some(password))?;
    if back.expose() != key.expose() {
        return Err(PkiError::ReadBack("the encrypted key"));
    }
    Ok(Secret::from_text(pemtext::block("ENCRYPTED PRIVATE KEY", sealed.as_bytes())))
}

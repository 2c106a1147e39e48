//! PFX (PKCS#12) files in and out, around p12-keystore.
//!
//! The library writes a key beside a certificate it does not belong to, and accepts any number of rounds:
//! both are checked here. Its own copies of a private key are freed without being zeroed.

use p12_keystore::Certificate;
use p12_keystore::EncryptionAlgorithm;
use p12_keystore::KeyStore;
use p12_keystore::KeyStoreEntry;
use p12_keystore::MacAlgorithm;
use p12_keystore::Pkcs12Archive;
use p12_keystore::PrivateKey;
use p12_keystore::PrivateKeyChain;
use p12_keystore::error::Error;

use super::PkiError;
use super::keys;
use super::password;
use super::thumbprint;
use super::x509;
use crate::model::PfxProfile;
use crate::secret::Secret;

/// Rounds behind a random password: it cannot be guessed, so they only cost.
const ROUNDS_GENERATED: u32 = 10_000;

/// Rounds behind a person's password.
///
/// .NET 9 and later refuse more than 300,000 in `X509CertificateLoader` unless the program raises its
/// `Pkcs12LoaderLimits` (their defaults, runtime sources); the older constructors stop at 600,000.
const ROUNDS_PERSON: u32 = 600_000;

/// Name of the key inside the file, as `keytool -list` and Windows show it.
const ALIAS: &str = "everkey";

/// What a PFX holds.
pub(super) struct Contents {
    /// Private keys, PKCS#8 DER as stored.
    pub(super) keys: Vec<Secret>,
    /// Certificates, DER, in the order of the file.
    pub(super) certificates: Vec<Vec<u8>>,
}

/// Rounds of key derivation behind a password.
pub(super) fn rounds(generated: bool) -> u32 {
    if generated { ROUNDS_GENERATED } else { ROUNDS_PERSON }
}

/// Packs key, certificate and the certificates of its issuers, after checking that key and certificate are one
/// pair, and opens the result again.
pub(super) fn write(
    key: &Secret,
    certificate: &[u8],
    chain: &[Vec<u8>],
    password: &Secret,
    profile: PfxProfile,
    generated: bool,
) -> Result<Secret, PkiError> {
    let password_text = password::text(password)?;
    if keys::signer(key)?.public_key_info() != x509::public_key_info(&x509::read(certificate)?)? {
        return Err(PkiError::Mismatch);
    }

    let local_key_id = thumbprint::sha1(certificate).0;
    let all: Vec<&[u8]> = std::iter::once(certificate).chain(chain.iter().map(Vec::as_slice)).collect();
    let certificates = all
        .iter()
        .map(|der| Certificate::from_der(der).map_err(|error| PkiError::Certificate(error.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    let packed = PrivateKeyChain::new(
        local_key_id,
        PrivateKey::from_der(key.expose()).map_err(|_| PkiError::Key)?,
        certificates,
    );
    let mut store = KeyStore::new();
    store.add_entry(ALIAS, KeyStoreEntry::PrivateKeyChain(packed));

    let rounds = rounds(generated);
    let (encryption, mac) = match profile {
        PfxProfile::Legacy3des => (EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc, MacAlgorithm::HmacSha1),
        PfxProfile::Modern => (EncryptionAlgorithm::PbeWithHmacSha256AndAes256, MacAlgorithm::HmacSha256),
    };
    let written = store
        .writer(password_text)
        .encryption_algorithm(encryption)
        .encryption_iterations(rounds)
        .mac_algorithm(mac)
        .mac_iterations(rounds)
        .write()
        .map(Secret::new)
        .map_err(|error| PkiError::Pfx(error.to_string()))?;

    let back = open(written.expose(), Some(password))?;
    let same_key = matches!(back.keys.as_slice(), [only] if only.expose() == key.expose());
    if !same_key || back.certificates != all {
        return Err(PkiError::ReadBack("the PFX"));
    }
    Ok(written)
}

/// Opens a PFX; no password is the empty one. The library refuses more than 1,000,000 rounds.
pub(super) fn open(bytes: &[u8], password: Option<&Secret>) -> Result<Contents, PkiError> {
    let text = match password {
        Some(secret) => secret.expose_text().ok_or(PkiError::Password("is not UTF-8 text"))?,
        None => "",
    };
    let archive = Pkcs12Archive::from_pkcs12(bytes, text).map_err(|error| explain(&error))?;
    Ok(Contents {
        keys: archive.keys.iter().map(|bag| Secret::new(bag.key.as_der().to_vec())).collect(),
        certificates: archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect(),
    })
}

/// A file without a MAC shows a wrong password only as padding or ciphertext that makes no sense.
fn explain(error: &Error) -> PkiError {
    match error {
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => PkiError::WrongPassword,
        Error::InvalidParameters => PkiError::Pfx("its parameters are out of range (too many rounds?)".into()),
        Error::UnsupportedEncryptionScheme => PkiError::Pfx(
            "its encryption or MAC is not supported (RC2-128, 3DES with two keys, PBMAC1); export it again with AES-256"
                .into(),
        ),
        other => PkiError::Pfx(other.to_string()),
    }
}

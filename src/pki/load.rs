//! Opens a file of key material by its content: PEM, DER or PFX, whatever its name says.

use der::Decode;
use p12_keystore::PrivateKey;
use serde::Serialize;
use x509_cert::Certificate;
use zeroize::Zeroize;

use super::PkiError;
use super::keys;
use super::pfx;
use super::x509;
use crate::secret::Secret;

/// How a file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// DER: one certificate or one key.
    Der,
    /// PEM: any number of certificates, at most one key.
    Pem,
    /// PFX (PKCS#12).
    Pfx,
}

/// What a file holds.
#[derive(Debug)]
pub struct Opened {
    /// How it is written.
    pub format: Format,
    /// The private key, PKCS#8 DER.
    pub key: Option<Secret>,
    /// Certificates, DER, in the order of the file.
    pub certificates: Vec<Vec<u8>>,
}

/// Opens `bytes`. `password` is that of a PFX; PEM and DER ignore it.
///
/// # Errors
/// [`PkiError::WrongPassword`], [`PkiError::EncryptedKey`], [`PkiError::Key`] for a key of another kind,
/// [`PkiError::Unrecognised`] for anything else; none holds a byte of the file.
pub fn open(bytes: &[u8], password: Option<&Secret>) -> Result<Opened, PkiError> {
    if contains(bytes, b"-----BEGIN ") {
        return from_pem(bytes);
    }
    if is_pfx(bytes) {
        let contents = pfx::open(bytes, password)?;
        let key = match contents.keys.as_slice() {
            [] => None,
            [only] => Some(keys::normalise(only.expose())?),
            _ => return Err(PkiError::Pfx("it holds more than one private key".into())),
        };
        return Ok(Opened { format: Format::Pfx, key, certificates: contents.certificates });
    }
    if Certificate::from_der(bytes).is_ok() {
        return Ok(Opened { format: Format::Der, key: None, certificates: vec![bytes.to_vec()] });
    }
    match keys::normalise(bytes) {
        Ok(key) => Ok(Opened { format: Format::Der, key: Some(key), certificates: Vec::new() }),
        // It is a PKCS#8 key, but of a kind that we do not use.
        Err(_) if PrivateKey::from_der(bytes).is_ok() => Err(PkiError::Key),
        Err(_) => Err(PkiError::Unrecognised),
    }
}

/// Key (PKCS#8 DER) and certificate (DER) of everkey's own sign-in certificate, from one PEM or PFX file.
///
/// Where the file holds a chain, the certificate that belongs to the key is taken.
///
/// # Errors
/// As [`open`]; [`PkiError::Missing`] when a half is not there, [`PkiError::Mismatch`] when they are no pair.
pub fn load_pair(bytes: &[u8], password: Option<&Secret>) -> Result<(Secret, Vec<u8>), PkiError> {
    let opened = open(bytes, password)?;
    let key = opened.key.ok_or(PkiError::Missing("private key"))?;
    if opened.certificates.is_empty() {
        return Err(PkiError::Missing("certificate"));
    }
    let position = matching(&key, &opened.certificates)?.ok_or(PkiError::Mismatch)?;
    let certificate = opened.certificates.into_iter().nth(position).ok_or(PkiError::Mismatch)?;
    Ok((key, certificate))
}

/// Position of the certificate that belongs to `key`.
pub(super) fn matching(key: &Secret, certificates: &[Vec<u8>]) -> Result<Option<usize>, PkiError> {
    let public_key = keys::signer(key)?.public_key_info();
    for (position, certificate) in certificates.iter().enumerate() {
        if x509::public_key_info(&x509::read(certificate)?)? == public_key {
            return Ok(Some(position));
        }
    }
    Ok(None)
}

/// Reads every block of a PEM text.
fn from_pem(bytes: &[u8]) -> Result<Opened, PkiError> {
    if contains(bytes, b"ENCRYPTED") {
        // `ENCRYPTED PRIVATE KEY`, or the older `Proc-Type: 4,ENCRYPTED` header.
        return Err(PkiError::EncryptedKey);
    }
    let mut opened = Opened { format: Format::Pem, key: None, certificates: Vec::new() };
    for block in pem::parse_many(bytes).map_err(|_| PkiError::Unrecognised)? {
        let tag = block.tag().to_owned();
        let mut contents = block.into_contents();
        match tag.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" => {
                x509::read(&contents)?;
                opened.certificates.push(contents);
            }
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => {
                let key = keys::normalise(&contents);
                contents.zeroize();
                if opened.key.replace(key?).is_some() {
                    return Err(PkiError::Missing("single private key, but several"));
                }
            }
            // OpenSSL writes it before an EC key; the key names its curve itself.
            "EC PARAMETERS" => {}
            _ => return Err(PkiError::Unrecognised),
        }
    }
    if opened.key.is_none() && opened.certificates.is_empty() {
        return Err(PkiError::Unrecognised);
    }
    Ok(opened)
}

/// Whether this is `SEQUENCE { INTEGER 3, SEQUENCE { OBJECT IDENTIFIER …`: the start of every PFX, and of
/// nothing else that is handled here.
fn is_pfx(bytes: &[u8]) -> bool {
    after_header(bytes, 0x30)
        .and_then(|inner| inner.strip_prefix(&[0x02, 0x01, 0x03]))
        .and_then(|inner| after_header(inner, 0x30))
        .is_some_and(|inner| inner.first() == Some(&0x06))
}

/// What follows the tag and the length octets, when the tag is `tag`. Takes BER's indefinite length too.
fn after_header(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (&first, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let more = if length & 0x80 == 0 { 0 } else { usize::from(length & 0x7f) };
    (first == tag).then(|| rest.get(more..)).flatten()
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

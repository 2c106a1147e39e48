//! Opens a file of key material by its content: PEM, DER, base64, PFX or P7B, whatever its name says.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use der::Decode;
use p12_keystore::PrivateKey;
use serde::Serialize;
use x509_cert::Certificate;
use x509_cert::request::CertReq;
use zeroize::Zeroize;

use super::PkiError;
use super::keys;
use super::limits;
use super::pfx;
use super::sealed_key;
use super::tlv;
use super::tlv::Tlv;
use super::x509;
use crate::secret::Secret;

/// signedData (RFC 5652), DER content of its identifier.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// Context tag of the certificates in it.
const CERTIFICATES: u8 = 0xa0;

/// How a file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Base64 of one of the binary forms, without PEM's frame.
    Base64,
    /// DER: one certificate, request or key.
    Der,
    /// A bundle of certificates (PKCS#7), as Windows and many CAs hand them out.
    P7b,
    /// PEM: any number of certificates and requests, at most one key.
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
    /// Whether the key lay under a password.
    pub key_was_sealed: bool,
    /// Certificates, DER, in the order of the file.
    pub certificates: Vec<Vec<u8>>,
    /// Certificate requests, DER.
    pub requests: Vec<Vec<u8>>,
}

impl Opened {
    fn new(format: Format) -> Self {
        Self { format, key: None, key_was_sealed: false, certificates: Vec::new(), requests: Vec::new() }
    }

    fn put_key(&mut self, key: Secret) -> Result<(), PkiError> {
        match self.key.replace(key) {
            None => Ok(()),
            Some(_) => Err(PkiError::Missing("single private key, but several")),
        }
    }
}

/// Opens `bytes`. `password` is that of a PFX or of an encrypted key; what is open ignores it.
///
/// # Errors
/// [`PkiError::WrongPassword`], [`PkiError::EncryptedKey`] without a password, [`PkiError::Key`] for a key of another
/// kind, [`PkiError::TooMuch`] before any work, [`PkiError::Unrecognised`] for anything else; none holds a byte of the
/// file.
pub fn open(bytes: &[u8], password: Option<&Secret>) -> Result<Opened, PkiError> {
    limits::size(bytes)?;
    if contains(bytes, b"-----BEGIN ") {
        return from_pem(bytes, password);
    }
    match from_base64(bytes) {
        Some(mut inside) => {
            let opened = binary(&inside, password);
            inside.zeroize();
            Ok(Opened { format: Format::Base64, ..opened? })
        }
        None => binary(bytes, password),
    }
}

/// Opens DER or PFX.
fn binary(bytes: &[u8], password: Option<&Secret>) -> Result<Opened, PkiError> {
    limits::check(bytes)?;
    if is_pfx(bytes) {
        let mut opened = Opened { key_was_sealed: true, ..Opened::new(Format::Pfx) };
        let contents = pfx::open(bytes, password)?;
        if contents.keys.len() > 1 {
            return Err(PkiError::Pfx("it holds more than one private key".into()));
        }
        opened.key = contents.keys.first().map(|key| keys::normalise(key.expose())).transpose()?;
        opened.certificates = contents.certificates;
        return Ok(opened);
    }
    if let Some(certificates) = bundled(bytes)? {
        return Ok(Opened { certificates, ..Opened::new(Format::P7b) });
    }
    let mut opened = Opened::new(Format::Der);
    if Certificate::from_der(bytes).is_ok() {
        opened.certificates.push(bytes.to_vec());
    } else if CertReq::from_der(bytes).is_ok() {
        opened.requests.push(bytes.to_vec());
    } else if sealed_key::is_one(bytes) {
        (opened.key, opened.key_was_sealed) = (Some(sealed_key::open(bytes, password)?), true);
    } else {
        opened.key = Some(keys::normalise(bytes).map_err(|error| {
            // A PKCS#8 key, but of a kind that we do not use?
            if PrivateKey::from_der(bytes).is_ok() { error } else { PkiError::Unrecognised }
        })?);
    }
    Ok(opened)
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
///
/// # Errors
/// [`PkiError::Certificate`], [`PkiError::Key`].
pub fn matching(key: &Secret, certificates: &[Vec<u8>]) -> Result<Option<usize>, PkiError> {
    let public_key = keys::signer(key)?.public_key_info();
    for (position, certificate) in certificates.iter().enumerate() {
        if x509::public_key_info(&x509::read(certificate)?)? == public_key {
            return Ok(Some(position));
        }
    }
    Ok(None)
}

/// Reads every block of a PEM text.
fn from_pem(bytes: &[u8], password: Option<&Secret>) -> Result<Opened, PkiError> {
    let mut opened = Opened::new(Format::Pem);
    for block in pem::parse_many(bytes).map_err(|_| PkiError::Unrecognised)? {
        let tag = block.tag().to_owned();
        let old_encryption = block.headers().get("Proc-Type").is_some_and(|kind| kind.contains("ENCRYPTED"));
        let mut contents = block.into_contents();
        let read = if old_encryption {
            Err(PkiError::Encryption("the old PEM form, `Proc-Type: 4,ENCRYPTED`".into()))
        } else {
            opened.take(&tag, &contents, password)
        };
        contents.zeroize();
        read?;
    }
    if opened.key.is_none() && opened.certificates.is_empty() && opened.requests.is_empty() {
        return Err(PkiError::Unrecognised);
    }
    Ok(opened)
}

impl Opened {
    /// Adds one PEM block.
    fn take(&mut self, tag: &str, contents: &[u8], password: Option<&Secret>) -> Result<(), PkiError> {
        limits::check(contents)?;
        if self.certificates.len() + self.requests.len() >= limits::MOST_ITEMS {
            return Err(PkiError::TooMuch(format!("it holds more than {} certificates", limits::MOST_ITEMS)));
        }
        match tag {
            "CERTIFICATE" | "X509 CERTIFICATE" => {
                x509::read(contents)?;
                self.certificates.push(contents.to_vec());
            }
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
                CertReq::from_der(contents).map_err(|error| PkiError::Request(format!("it is malformed ({error})")))?;
                self.requests.push(contents.to_vec());
            }
            "PKCS7" | "CMS" => self.certificates.extend(bundled(contents)?.ok_or(PkiError::Unrecognised)?),
            "ENCRYPTED PRIVATE KEY" => {
                self.put_key(sealed_key::open(contents, password)?)?;
                self.key_was_sealed = true;
            }
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => self.put_key(keys::normalise(contents)?)?,
            // OpenSSL writes it before an EC key; the key names its curve itself.
            "EC PARAMETERS" => {}
            _ => return Err(PkiError::Unrecognised),
        }
        Ok(())
    }
}

/// The certificates of `ContentInfo { signedData, [0] SignedData { …, [0] certificates, … } }` (RFC 5652); `None` when
/// it is something else. Their bytes are taken as they stand.
fn bundled(bytes: &[u8]) -> Result<Option<Vec<Vec<u8>>>, PkiError> {
    let Some(outer) = Tlv::only(bytes).filter(|outer| outer.tag == tlv::SEQUENCE) else { return Ok(None) };
    let mut parts = outer.children();
    let is_signed_data = parts.next().is_some_and(|kind| kind.tag == tlv::OID && kind.value == SIGNED_DATA);
    let Some(signed) = parts.next().filter(|_| is_signed_data).and_then(|wrapped| wrapped.children().next()) else {
        return Ok(None);
    };
    let set = signed.children().find(|part| part.tag == CERTIFICATES);
    let certificates: Vec<Vec<u8>> = set.into_iter().flat_map(Tlv::children).map(|one| one.whole.to_vec()).collect();
    if certificates.is_empty() {
        return Err(PkiError::Missing("certificate"));
    }
    if certificates.len() > limits::MOST_ITEMS {
        return Err(PkiError::TooMuch(format!("it holds more than {} certificates", limits::MOST_ITEMS)));
    }
    for certificate in &certificates {
        x509::read(certificate)?;
    }
    Ok(Some(certificates))
}

/// What stands in a text of nothing but base64, as Key Vault and portals show certificates.
fn from_base64(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(bytes).ok()?;
    // Any DER begins with a SEQUENCE, which base64 writes as `M`.
    let mut text: String = text.trim_start_matches('\u{feff}').split_ascii_whitespace().collect();
    let decoded = if text.starts_with('M') { BASE64_STANDARD.decode(&text).ok() } else { None };
    text.zeroize();
    decoded
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

//! Keys and certificates on their way in and out: PFX and PEM.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use der::Decode as _;
use der::Encode as _;
use p12_keystore::Certificate;
use p12_keystore::KeyStore;
use p12_keystore::KeyStoreEntry;
use p12_keystore::Pkcs12Archive;
use p12_keystore::PrivateKey;
use p12_keystore::PrivateKeyChain;
use rcgen::KeyPair;
use rcgen::PublicKeyData as _;

use super::Problem;
use super::problem::Told;

/// The vault's PFX files have no password, so rounds of key derivation protect nothing.
const ROUNDS: u32 = 2048;

/// Content types of a certificate's secret.
pub(super) const PFX: &str = "application/x-pkcs12";
pub(super) const PEM: &str = "application/x-pem-file";

/// A private key (PKCS#8) and its certificate with those of its issuers, all DER.
pub(super) struct Material {
    pub(super) key: Vec<u8>,
    pub(super) certificates: Vec<Vec<u8>>,
}

impl Material {
    /// Reads what a client imports, and tells its content type: PEM text, as it is or in base64 (the SDKs), or a PFX in
    /// base64. The certificate of the key comes first afterwards.
    pub(super) fn read(value: &str, password: &str) -> Told<(Self, &'static str)> {
        const BEGIN: &str = "-----BEGIN";
        if value.contains(BEGIN) {
            return Ok((Self::from_pem(value)?.paired()?, PEM));
        }
        let bytes = BASE64_STANDARD.decode(value.split_whitespace().collect::<String>());
        let bytes = bytes.map_err(|_| Problem::bad("The certificate value is not base64."))?;
        match std::str::from_utf8(&bytes) {
            Ok(text) if text.contains(BEGIN) => Ok((Self::from_pem(text)?.paired()?, PEM)),
            _ => Ok((Self::from_pfx(&bytes, password)?.paired()?, PFX)),
        }
    }

    fn from_pem(text: &str) -> Told<Self> {
        let bad = |_| Problem::bad("The specified PEM X.509 certificate content is in an unexpected format.");
        let blocks = pem::parse_many(text).map_err(bad)?;
        let of = |tag: &str| -> Vec<Vec<u8>> {
            blocks.iter().filter(|block| block.tag() == tag).map(|block| block.contents().to_vec()).collect()
        };
        let key = of("PRIVATE KEY").into_iter().next();
        let key = key.ok_or_else(|| Problem::bad("The PEM content holds no PRIVATE KEY (PKCS#8)."))?;
        Ok(Self { key, certificates: of("CERTIFICATE") })
    }

    fn from_pfx(bytes: &[u8], password: &str) -> Told<Self> {
        let bad = || {
            Problem::bad(
                "The specified PKCS#12 X.509 certificate content can not be read. Please check if certificate is in valid PKCS#12 format.",
            )
        };
        let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(|_| bad())?;
        let key = archive.keys.first().map(|bag| bag.key.as_der().to_vec()).ok_or_else(bad)?;
        Ok(Self { key, certificates: archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect() })
    }

    fn paired(mut self) -> Told<Self> {
        let public = public_key(&self.key)?;
        let own = self.certificates.iter().position(|der| info(der).as_deref() == Some(public.as_slice()));
        let own = own.ok_or_else(|| {
            Problem::bad(
                "The public key of the end-entity certificate in the specified content does not match the private key.",
            )
        })?;
        self.certificates[..=own].rotate_right(1);
        Ok(self)
    }

    /// The certificate itself.
    pub(super) fn certificate(&self) -> Vec<u8> {
        self.certificates.first().cloned().unwrap_or_default()
    }

    /// The value of the certificate's secret.
    pub(super) fn secret(&self, content_type: &str, exportable: bool) -> Told<String> {
        if content_type == PEM {
            let certificates = self.certificates.iter().map(|der| ("CERTIFICATE", der));
            let key = exportable.then_some(("PRIVATE KEY", &self.key));
            let block = |(tag, der): (&str, &Vec<u8>)| pem::encode(&pem::Pem::new(tag, der.clone()));
            return Ok(key.into_iter().chain(certificates).map(block).collect());
        }
        let failed = |error| Problem::crypto("PFX", error);
        let certificate = |der: &Vec<u8>| Certificate::from_der(der).map_err(failed);
        let mut store = KeyStore::new();
        if exportable {
            let key = PrivateKey::from_der(&self.key).map_err(failed)?;
            let certificates = self.certificates.iter().map(certificate).collect::<Told<Vec<_>>>()?;
            store.add_entry("key", KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new("key", key, certificates)));
        } else {
            for (index, der) in self.certificates.iter().enumerate() {
                store.add_entry(&format!("{index}"), KeyStoreEntry::Certificate(certificate(der)?));
            }
        }
        let writer = store.writer("").encryption_iterations(ROUNDS).mac_iterations(ROUNDS);
        writer.write().map(|pfx| BASE64_STANDARD.encode(pfx)).map_err(failed)
    }
}

/// The SubjectPublicKeyInfo of a private key.
pub(super) fn public_key(key: &[u8]) -> Told<Vec<u8>> {
    let pair = KeyPair::try_from(key).map_err(|_| Problem::bad("The private key is of a kind that is not known."))?;
    Ok(pair.subject_public_key_info())
}

/// The SubjectPublicKeyInfo of a certificate.
pub(super) fn info(certificate: &[u8]) -> Option<Vec<u8>> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    certificate.tbs_certificate().subject_public_key_info().to_der().ok()
}

/// Subject of a certificate and kind of its key, for the policy.
pub(super) fn described(certificate: &[u8]) -> Option<(String, &'static str, usize)> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let tbs = certificate.tbs_certificate();
    let spki = tbs.subject_public_key_info();
    let rsa = spki.algorithm.oid == const_oid::db::rfc5912::RSA_ENCRYPTION;
    let bytes = spki.subject_public_key.raw_bytes();
    // An RSAPublicKey is its modulus and some thirty bytes around it.
    let bits = if rsa { (bytes.len() * 8 / 512) * 512 } else { 256 };
    Some((tbs.subject().to_string(), if rsa { "RSA" } else { "EC" }, bits))
}

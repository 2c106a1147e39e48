//! Certificate requests (PKCS#10) as the PKI engine reads them: key and common name, the request's own signature checked.

use aws_lc_rs::signature;
use aws_lc_rs::signature::UnparsedPublicKey;
use aws_lc_rs::signature::VerificationAlgorithm;
use const_oid::db::rfc4519::CN;
use const_oid::db::rfc5912 as oid;
use der::Decode as _;
use der::Encode as _;
use der::Sequence;
use der::asn1::AnyRef;
use der::asn1::BitStringRef;
use der::asn1::ObjectIdentifier;
use rcgen::PublicKeyData;
use rcgen::SignatureAlgorithm;
use x509_cert::request::CertReq;

/// What a certificate is made of.
#[derive(Debug)]
pub(super) struct Request {
    /// Its common name; empty when it has none.
    pub(super) common_name: String,
    pub(super) key: Key,
}

/// The key that is to be certified.
#[derive(Debug)]
pub(super) struct Key {
    bytes: Vec<u8>,
    kind: &'static SignatureAlgorithm,
}

/// The parts as they were sent: what is signed is never encoded anew.
#[derive(Sequence)]
struct Signed<'a> {
    content: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: BitStringRef<'a>,
}

impl Request {
    /// Reads PEM; the error is in Vault's words.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let block = pem::parse(text).map_err(|_| "csr contains no data".to_owned())?;
        let malformed = |error: der::Error| format!("certificate request could not be parsed: {error}");
        let request = CertReq::from_der(block.contents()).map_err(malformed)?;
        let parts = Signed::from_der(block.contents()).map_err(malformed)?;
        let signed = parts.content.to_der().map_err(malformed)?;
        let info = &request.info.public_key;
        let named = info.algorithm.parameters.as_ref().and_then(|named| named.decode_as::<ObjectIdentifier>().ok());
        let kind = match (info.algorithm.oid, named) {
            (oid::RSA_ENCRYPTION, _) => &rcgen::PKCS_RSA_SHA256,
            (oid::ID_EC_PUBLIC_KEY, Some(oid::SECP_256_R_1)) => &rcgen::PKCS_ECDSA_P256_SHA256,
            (oid::ID_EC_PUBLIC_KEY, Some(oid::SECP_384_R_1)) => &rcgen::PKCS_ECDSA_P384_SHA384,
            _ => return Err("certificate request could not be parsed: unknown public key algorithm".into()),
        };
        let bytes = info.subject_public_key.raw_bytes().to_vec();
        // The modulus of 2048 bits alone takes 256 bytes.
        if *kind == rcgen::PKCS_RSA_SHA256 && bytes.len() < 256 {
            return Err("RSA keys < 2048 bits are unsafe and not supported".into());
        }
        let method = method(request.algorithm.oid, kind).ok_or("request signature invalid: unsupported algorithm")?;
        UnparsedPublicKey::new(method, &bytes)
            .verify(&signed, parts.signature.raw_bytes())
            .map_err(|_| "request signature invalid: verification error".to_owned())?;
        let attributes = request.info.subject.iter();
        let common_name = attributes.filter(|part| part.oid == CN).find_map(|part| text_of(part.value.value()));
        Ok(Self { common_name: common_name.unwrap_or_default(), key: Key { bytes, kind } })
    }
}

impl Key {
    /// `rsa` or `ec`, as roles say it.
    pub(super) fn word(&self) -> &'static str {
        if *self.kind == rcgen::PKCS_RSA_SHA256 { "rsa" } else { "ec" }
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.kind
    }
}

fn text_of(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn method(signed: ObjectIdentifier, key: &'static SignatureAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
    let rsa = *key == rcgen::PKCS_RSA_SHA256;
    let p256 = *key == rcgen::PKCS_ECDSA_P256_SHA256;
    Some(match signed {
        oid::SHA_256_WITH_RSA_ENCRYPTION if rsa => &signature::RSA_PKCS1_2048_8192_SHA256,
        oid::SHA_384_WITH_RSA_ENCRYPTION if rsa => &signature::RSA_PKCS1_2048_8192_SHA384,
        oid::SHA_512_WITH_RSA_ENCRYPTION if rsa => &signature::RSA_PKCS1_2048_8192_SHA512,
        oid::ECDSA_WITH_SHA_256 if p256 => &signature::ECDSA_P256_SHA256_ASN1,
        oid::ECDSA_WITH_SHA_384 if !rsa && !p256 => &signature::ECDSA_P384_SHA384_ASN1,
        _ => return None,
    })
}

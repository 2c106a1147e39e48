//! Compact JSON Web Signatures: reading them (client assertions, proofs, our own tokens), checking
//! RS256 and PS256, and signing access tokens. Entra takes no other algorithm for certificates.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature;
use aws_lc_rs::signature::KeyPair as _;
use aws_lc_rs::signature::UnparsedPublicKey;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::EmulatorError;
use super::entropy::sha256;

/// base64url with or without `=`: real clients send both (entra-contract 1.2).
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes base64url, padded or not.
pub fn decode_lenient(text: &str) -> Option<Vec<u8>> {
    LENIENT.decode(text).ok()
}

/// A signature algorithm that Entra accepts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

/// Why a text is not a token that can be checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Malformed {
    /// Not three base64url segments of JSON.
    Shape,
    /// An `alg` that is neither RS256 nor PS256.
    Algorithm,
}

/// A token taken apart; nothing in it is trusted before [`Jws::verify`].
#[derive(Debug)]
pub struct Jws {
    /// The algorithm named in the header.
    pub algorithm: Algorithm,
    /// The claims.
    pub claims: Map<String, Value>,
    /// The header.
    pub header: Map<String, Value>,
    signature: Vec<u8>,
    signed: String,
}

impl Jws {
    /// Takes `token` apart. Padding in the segments is accepted.
    pub fn parse(token: &str) -> Result<Self, Malformed> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Malformed::Shape)?;
        let (header, claims) = signed.split_once('.').ok_or(Malformed::Shape)?;
        let object = |segment: &str| {
            let bytes = decode_lenient(segment)?;
            serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
        };
        let header = object(header).ok_or(Malformed::Shape)?;
        let claims = object(claims).ok_or(Malformed::Shape)?;
        let signature = decode_lenient(signature).ok_or(Malformed::Shape)?;
        let algorithm = match header.get("alg").and_then(Value::as_str) {
            Some("RS256") => Algorithm::Rs256,
            Some("PS256") => Algorithm::Ps256,
            _ => return Err(Malformed::Algorithm),
        };
        Ok(Self { algorithm, claims, header, signature, signed: signed.to_owned() })
    }

    /// Whether `public_key` (an RSAPublicKey in DER) made the signature.
    pub fn verify(&self, public_key: &[u8]) -> bool {
        let parameters = match self.algorithm {
            Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(parameters, public_key).verify(self.signed.as_bytes(), &self.signature).is_ok()
    }

    /// A claim that is a text.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }

    /// A claim that is an instant: seconds since the epoch. MSAL sends floats; the fraction is dropped.
    pub fn seconds(&self, claim: &str) -> Option<i64> {
        let value = self.claims.get(claim)?;
        // Float to integer casts saturate, and an instant that far off is refused by whoever compares it.
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
    }
}

/// A token as it was shown: what is signed, and the signature.
type Shown = (String, Vec<u8>);

/// The emulator's own token key. Made at every start, kept nowhere: a restart is a key rollover, and
/// clients sign in again.
#[derive(Clone)]
pub struct Signer {
    key: Arc<rsa::KeyPair>,
    kid: String,
    /// The token found good last: a client shows the same one with each of its calls.
    proven: Arc<Mutex<Option<Shown>>>,
}

impl Signer {
    /// Makes a key.
    pub fn generate() -> Result<Self, EmulatorError> {
        let key =
            rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|error| EmulatorError::crypto("token key", error))?;
        let kid = BASE64_URL_SAFE_NO_PAD.encode(&sha256(key.public_key().as_ref())[..20]);
        Ok(Self { key: Arc::new(key), kid, proven: Arc::default() })
    }

    /// Signs `claims` as an RS256 JWT.
    pub fn sign(&self, claims: &Value) -> Result<String, EmulatorError> {
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": self.kid});
        let segment = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", segment(&header), segment(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|error| EmulatorError::crypto("token", error))?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Whether `token` was signed by this key.
    pub fn made(&self, token: &Jws) -> bool {
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |(signed, signature): &Shown| *signed == token.signed && *signature == token.signature;
        let made = token.algorithm == Algorithm::Rs256
            && (proven.as_ref().is_some_and(is_known) || token.verify(self.key.public_key().as_ref()));
        if made && !proven.as_ref().is_some_and(is_known) {
            *proven = Some((token.signed.clone(), token.signature.clone()));
        }
        made
    }

    /// The public half as a JSON Web Key set, for whoever checks tokens of the emulated tenant.
    pub fn key_set(&self, issuer: &str) -> Value {
        let public = self.key.public_key();
        let number = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "x5t": self.kid, "issuer": issuer,
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        }]})
    }
}

//! JSON web tokens, made by hand on aws-lc-rs: header and claims in, compact serialisation out (RFC 7515, 7518).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use aws_lc_rs::signature::RSA_PSS_SHA256;
use aws_lc_rs::signature::RsaEncoding;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::ports::PortError;
use crate::secret::Secret;

/// Signature algorithm. RSA only: Entra accepts no other key for sign-in (`entra-contract.md` 1.2).
#[derive(Clone, Copy, Debug)]
pub(super) enum Algorithm {
    /// RSASSA-PSS, SHA-256, salt of 32 bytes.
    Ps256,
    /// RSASSA-PKCS1-v1_5, SHA-256.
    Rs256,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    fn encoding(self) -> &'static dyn RsaEncoding {
        match self {
            Self::Ps256 => &RSA_PSS_SHA256,
            Self::Rs256 => &RSA_PKCS1_SHA256,
        }
    }
}

/// Signs `claims`; `header` gets `alg` and `typ` added. No padding anywhere, which the Graph proof insists on.
///
/// # Errors
/// [`PortError::Local`] when `key` is not an RSA key in PKCS#8 DER.
pub(super) fn sign(algorithm: Algorithm, mut header: Value, claims: &Value, key: &Secret) -> Result<Secret, PortError> {
    header["alg"] = algorithm.name().into();
    header["typ"] = "JWT".into();
    let pair = KeyPair::from_pkcs8(key.expose()).map_err(|_| {
        PortError::Local("the private key is not an RSA key in PKCS#8 form; Entra accepts RSA only".into())
    })?;
    let mut token = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(algorithm.encoding(), &SystemRandom::new(), token.as_bytes(), &mut signature)
        .map_err(|_| PortError::Local("the private key cannot sign".into()))?;
    token.push('.');
    token.push_str(&encode(signature));
    Ok(Secret::from_text(token))
}

/// Base64url without padding.
pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

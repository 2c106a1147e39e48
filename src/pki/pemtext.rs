//! PEM framing, with line feeds only: OpenSSL, Python, Java and Windows all read it.

use pem::EncodeConfig;
use pem::LineEnding;
use pem::Pem;
use zeroize::Zeroize;

use crate::secret::Secret;

const CONFIG: EncodeConfig = EncodeConfig::new().set_line_ending(LineEnding::LF);

/// A certificate's DER as PEM.
pub(super) fn certificate(der: &[u8]) -> String {
    block("CERTIFICATE", der)
}

/// Anything that is no plain secret, as PEM.
pub(super) fn block(label: &str, der: &[u8]) -> String {
    pem::encode_config(&Pem::new(label, der), CONFIG)
}

/// A PKCS#8 key as PEM.
pub(super) fn key(key: &Secret) -> Secret {
    let framed = Pem::new("PRIVATE KEY", key.expose());
    let text = Secret::from_text(pem::encode_config(&framed, CONFIG));
    framed.into_contents().zeroize();
    text
}

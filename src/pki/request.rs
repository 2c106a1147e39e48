//! Certificate requests (PKCS#10).

use rcgen::CertificateParams;

use super::PkiError;
use super::keys;
use super::name;
use crate::secret::Secret;

/// The request of `key` for `subject`, PEM.
pub(super) fn make(key: &Secret, subject: &str) -> Result<String, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = name::parse(subject)?.name;
    let signer = keys::signer(key)?;
    let request = params.serialize_request(signer.pair()).map_err(|_| PkiError::Crypto("signing a request"))?;
    request.pem().map_err(|_| PkiError::Crypto("writing a request"))
}

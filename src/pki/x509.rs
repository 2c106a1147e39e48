//! The one place that reads a certificate's DER (x509-cert), for writing and for inspection.

use der::Decode;
use der::Encode;
use jiff::Timestamp;
use x509_cert::Certificate;
use x509_cert::time::Time;

use super::PkiError;

/// Reads one certificate; trailing bytes are an error.
pub(super) fn read(der: &[u8]) -> Result<Certificate, PkiError> {
    Certificate::from_der(der).map_err(|error| PkiError::Certificate(error.to_string()))
}

/// SubjectPublicKeyInfo, DER.
pub(super) fn public_key_info(certificate: &Certificate) -> Result<Vec<u8>, PkiError> {
    let info = certificate.tbs_certificate().subject_public_key_info();
    info.to_der().map_err(|error| PkiError::Certificate(error.to_string()))
}

/// A date of a certificate; X.509 has whole seconds only.
pub(super) fn timestamp(time: &Time) -> Result<Timestamp, PkiError> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs());
    seconds
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or_else(|| PkiError::Certificate("a date is out of range".into()))
}

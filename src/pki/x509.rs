//! The one place that reads a certificate's DER (x509-cert), for writing and for inspection.

use const_oid::AssociatedOid;
use der::Decode;
use der::Encode;
use jiff::Timestamp;
use x509_cert::Certificate;
use x509_cert::ext::Extension;
use x509_cert::time::Time;

use super::PkiError;
use super::tlv;

/// Places of the parts of a certificate, counted without its version.
pub(super) const ISSUER: usize = 2;
pub(super) const SUBJECT: usize = 4;
pub(super) const PUBLIC_KEY: usize = 5;

/// Context tag of the version.
const VERSION: u8 = 0xa0;

/// Reads one certificate; trailing bytes are an error.
pub(super) fn read(der: &[u8]) -> Result<Certificate, PkiError> {
    Certificate::from_der(der).map_err(|error| PkiError::Certificate(error.to_string()))
}

/// One part of a certificate as it was encoded: x509-cert does not always encode a name again as it was.
pub(super) fn part(der: &[u8], place: usize) -> Result<&[u8], PkiError> {
    let parts = tlv::signed(der).map(|(content, ..)| content.children().filter(|part| part.tag != VERSION));
    let found = parts.and_then(|mut parts| parts.nth(place));
    found.map(|part| part.whole).ok_or_else(|| PkiError::Certificate("parts are missing".into()))
}

/// SubjectPublicKeyInfo, DER.
pub(super) fn public_key_info(certificate: &Certificate) -> Result<Vec<u8>, PkiError> {
    let info = certificate.tbs_certificate().subject_public_key_info();
    info.to_der().map_err(|error| PkiError::Certificate(error.to_string()))
}

/// The extensions.
pub(super) fn extensions(certificate: &Certificate) -> &[Extension] {
    certificate.tbs_certificate().extensions().map(Vec::as_slice).unwrap_or_default()
}

/// The extension of type `T`, if it is there.
pub(super) fn extension<T>(extensions: &[Extension]) -> Result<Option<T>, PkiError>
where
    T: AssociatedOid + for<'a> Decode<'a, Error = der::Error>,
{
    let found = extensions.iter().find(|extension| extension.extn_id == T::OID);
    let read = found.map(|extension| T::from_der(extension.extn_value.as_bytes()));
    read.transpose().map_err(|error| PkiError::Certificate(format!("an extension: {error}")))
}

/// A date of a certificate; X.509 has whole seconds only.
pub(super) fn timestamp(time: &Time) -> Result<Timestamp, PkiError> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs());
    seconds
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or_else(|| PkiError::Certificate("a date is out of range".into()))
}

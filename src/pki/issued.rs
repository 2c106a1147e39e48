//! What an issuer gave back for a request: the certificate for our key is found and checked.

use super::PkiError;
use super::load;
use super::name;
use super::thumbprint;
use super::x509;
use crate::ports::MadeCertificate;
use crate::secret::Secret;

/// Much more than any chain of certificates.
const MOST_BYTES: usize = 1024 * 1024;

/// The certificate for `key` among what was given.
///
/// # Errors
/// [`PkiError::Issued`] with the reason: nothing readable, another key, another name.
pub(super) fn check(key: &Secret, subject: &str, given: &[u8]) -> Result<MadeCertificate, PkiError> {
    if given.len() > MOST_BYTES {
        return Err(PkiError::Issued("it is larger than 1 MiB".into()));
    }
    let opened = load::open(given, None)?;
    let Some(ours) = load::matching(key, &opened.certificates)? else {
        return Err(PkiError::Issued(match opened.certificates.len() {
            0 => "there is no certificate in it".into(),
            _ => "it is for another key than the request".into(),
        }));
    };
    let der = &opened.certificates[ours];
    let certificate = x509::read(der)?;
    let tbs = certificate.tbs_certificate();
    // A CA may add its own organisation; the name that people look for must be the one that was asked for.
    let named = tbs.subject().to_string();
    if common_name(subject) != common_name(&named) {
        return Err(PkiError::Issued(format!("its subject is {named:?}, and the request asked for {subject:?}")));
    }
    let validity = tbs.validity();
    Ok(MadeCertificate {
        der: der.clone(),
        thumbprint: thumbprint::sha1(der),
        thumbprint_sha256: thumbprint::sha256(der),
        start: x509::timestamp(&validity.not_before)?,
        end: x509::timestamp(&validity.not_after)?,
    })
}

/// The common name in an RFC 4514 subject.
fn common_name(subject: &str) -> Option<String> {
    let parts = name::split(subject).ok()?;
    parts.into_iter().find_map(|part| {
        let (kind, value) = part.split_once('=')?;
        kind.eq_ignore_ascii_case("CN").then(|| value.to_owned())
    })
}

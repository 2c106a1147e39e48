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

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::Timestamp;

    use super::*;
    use crate::model::KeyType;
    use crate::pki::Tool;
    use crate::ports::CertTool as _;

    fn made(key: &Secret, subject: &str) -> Vec<u8> {
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        Tool.self_signed(key, subject, start, start + SignedDuration::from_hours(24)).unwrap().der
    }

    #[test]
    fn only_the_answer_to_our_request_is_taken() {
        let ours = Tool.generate_key(KeyType::EcP256).unwrap();
        let other = Tool.generate_key(KeyType::EcP256).unwrap();
        let refused = |given: &[u8]| check(&ours, "CN=enate", given).unwrap_err().to_string();
        assert!(refused(&made(&other, "CN=enate")).contains("another key"));
        assert!(refused(&made(&ours, "CN=somebody")).contains("CN=somebody"));
        assert!(refused(&vec![b'x'; MOST_BYTES + 1]).contains("1 MiB"));
        check(&ours, "CN=enate", b"nothing readable").unwrap_err();
        // A CA may add its organisation, and send its chain along.
        let der = made(&ours, "CN=enate,O=Contoso");
        let chain = [Tool.certificate_pem(&made(&other, "CN=the CA")), Tool.certificate_pem(&der)].concat();
        assert_eq!(check(&ours, "CN=enate", chain.as_bytes()).unwrap().der, der);
    }
}

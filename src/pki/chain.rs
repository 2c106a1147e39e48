//! Which certificate of a file is meant, and which ones issued it.

use super::PkiError;
use super::load;
use super::x509;
use crate::secret::Secret;

/// Puts the certificate that is meant first (the key's; without a key, one that issued none of the others), its
/// issuers after it in their order, then whatever else there is.
///
/// # Errors
/// [`PkiError::Missing`] when there is no certificate, [`PkiError::Mismatch`] when none belongs to the key.
pub fn arrange(mut certificates: Vec<Vec<u8>>, key: Option<&Secret>) -> Result<Vec<Vec<u8>>, PkiError> {
    if certificates.is_empty() {
        return Err(PkiError::Missing("certificate"));
    }
    let first = match key {
        Some(key) => load::matching(key, &certificates)?.ok_or(PkiError::Mismatch)?,
        None => leaf(&certificates)?,
    };
    let mut arranged = vec![certificates.remove(first)];
    while let Some(last) = arranged.last() {
        let issuer = x509::part(last, x509::ISSUER)?.to_vec();
        let mut next = None;
        for (place, certificate) in certificates.iter().enumerate() {
            if x509::part(certificate, x509::SUBJECT)? == issuer {
                next = Some(place);
                break;
            }
        }
        let Some(next) = next else { break };
        arranged.push(certificates.remove(next));
    }
    arranged.append(&mut certificates);
    Ok(arranged)
}

/// The first certificate whose subject is nobody else's issuer; the first of all when they go in a circle.
fn leaf(certificates: &[Vec<u8>]) -> Result<usize, PkiError> {
    for (place, certificate) in certificates.iter().enumerate() {
        let subject = x509::part(certificate, x509::SUBJECT)?;
        let mut issued = false;
        for (other, der) in certificates.iter().enumerate() {
            issued |= other != place && x509::part(der, x509::ISSUER)? == subject;
        }
        if !issued {
            return Ok(place);
        }
    }
    Ok(0)
}

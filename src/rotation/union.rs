//! The body of a PATCH of `keyCredentials`: the call replaces the whole collection, and what was read may be stale
//! (F3, F4). So the body never depends on the read alone.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Mutation;
use super::Rules;
use super::numbers::DRAIN;
use crate::model::CertificateEntry;
use crate::model::OwnCredential;
use crate::model::Rotation;
use crate::model::State;
use crate::model::Thumbprint;

/// Latest read ∪ `live` own ∪ what the pre-image shows of others ∪ {`new`} \ {`gone`}.
///
/// - `live`: every own certificate of the application that somebody may still use;
/// - the pre-image counts only until the first proof: later, somebody may have removed theirs on purpose.
pub fn body(
    r: &Rotation,
    read: &[CertificateEntry],
    live: &[OwnCredential],
    new: Option<CertificateEntry>,
    gone: Option<&CertificateEntry>,
    rules: Rules,
) -> Vec<CertificateEntry> {
    let mut body: Vec<CertificateEntry> = read.to_vec();
    if let Some(gone) = gone {
        // Of a certificate that is listed twice, only the copy leaves.
        let is_copy = live.iter().any(|own| own.key_id != gone.key_id && is_same(gone, own.thumbprint.as_ref()));
        body.retain(|entry| if is_copy { entry.key_id != gone.key_id } else { !same_entry(entry, gone) });
    }
    if !rules.breaks(Mutation::PatchFromReadOnly) {
        for own in live {
            if !body.iter().any(|entry| is_same(entry, own.thumbprint.as_ref())) {
                body.extend(own_entry(own));
            }
        }
        let is_unproven = r.state == State::Attached && r.probes.first_try.is_none();
        let repairs = r.state == State::UploadIntent || is_unproven;
        let repairs = repairs && !rules.breaks(Mutation::NoPreImageRepair);
        let pre_image = if repairs { r.pre_image.as_slice() } else { &[] };
        for entry in pre_image {
            let intended = r.removals.iter().any(|removal| removal.key_id == entry.key_id)
                || gone.is_some_and(|gone| same_entry(entry, gone));
            if !intended && !body.iter().any(|listed| same_entry(listed, entry)) {
                body.push(entry.clone());
            }
        }
    }
    if let Some(new) = new
        && !body.iter().any(|entry| is_same(entry, new.thumbprint.as_ref()))
    {
        body.push(new);
    }
    let mut seen = BTreeSet::new();
    body.retain(|entry| seen.insert(entry.key_id.clone()));
    body
}

/// Whether a PATCH sent at `sent`, whose fate nobody knows, may have dropped something of the pre-image of `r`.
pub fn may_have_dropped(r: &Rotation, sent: Option<Timestamp>) -> bool {
    let began = r.attempt().filter(|_| !r.pre_image.is_empty()).map(|attempt| attempt.started);
    sent.zip(began).is_some_and(|(sent, began)| sent + DRAIN > began)
}

/// Identity of a certificate is its thumbprint.
pub fn is_same(entry: &CertificateEntry, thumbprint: Option<&Thumbprint>) -> bool {
    thumbprint.is_some() && entry.thumbprint.as_ref() == thumbprint
}

/// The same entry: by thumbprint where both have one, else by key id.
pub fn same_entry(a: &CertificateEntry, b: &CertificateEntry) -> bool {
    match (&a.thumbprint, &b.thumbprint) {
        (Some(x), Some(y)) => x == y,
        _ => a.key_id == b.key_id,
    }
}

/// An own certificate as a PATCH entry: a duplicate of a thumbprint collapses, an absent one comes back.
fn own_entry(own: &OwnCredential) -> Option<CertificateEntry> {
    Some(CertificateEntry {
        key_id: own.key_id.clone(),
        display_name: Some(format!("{} {}", own.integration, own.slot)),
        thumbprint: own.thumbprint.clone(),
        custom_key_identifier: own.thumbprint.as_ref().map(ToString::to_string),
        kind: "AsymmetricX509Cert".into(),
        usage: "Verify".into(),
        start: own.start,
        end: own.end,
        key: Some(own.certificate.clone()?),
    })
}

//! Orphans (rule D3): credentials on an application that an attempt of ours made and nobody can use,
//! because their value was never saved. Only the journal decides; the name only helps to find them.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use super::Mutation;
use super::Rules;
use super::tag;
use crate::model::AppObserved;
use crate::model::Attempt;
use crate::model::CredentialStatus;
use crate::model::KeyId;
use crate::model::Outcome;
use crate::model::OwnCredential;
use crate::model::Rotation;
use crate::model::RotationId;

/// Dates that Graph gives back may be rounded.
const ROUNDING: SignedDuration = SignedDuration::from_secs(2);

/// A credential that the sweep may remove.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Orphan {
    /// Rotation whose attempt made it.
    pub rotation: RotationId,
    /// The attempt.
    pub attempt: u32,
    /// Its `keyId`.
    pub key_id: KeyId,
    /// A certificate rather than a client secret.
    pub is_certificate: bool,
}

/// The orphans among what `app` shows.
///
/// An orphan carries a tag of this store's own `instance` whose attempt the journal knows as unknown or
/// abandoned, or was saved under another `keyId`, and it is valid as that attempt asked. A tag that the journal does not
/// know is no orphan: it proves a rolled-back journal ([`beyond`]); an attempt from before a restore is none either. Nor
/// is what carries the tag and other dates: a journal that is lost gave the number before, or somebody copied the name.
pub fn orphans(instance: &str, rotations: &[Rotation], app: &AppObserved, rules: Rules) -> Vec<Orphan> {
    if rules.breaks(Mutation::NoSweep) {
        return Vec::new();
    }
    if rules.breaks(Mutation::SweepEverything) {
        return all_but(rotations.last().and_then(|r| r.fresh.as_ref()).map(|fresh| &fresh.key_id), rotations, app);
    }
    if rules.breaks(Mutation::SweepForeign) {
        let fresh = rotations.iter().filter_map(|r| r.fresh.as_ref()).map(|fresh| &fresh.key_id);
        let old = rotations.iter().flat_map(|r| &r.old).map(|old| &old.key_id);
        return all_but(fresh.chain(old), rotations, app);
    }
    let is_echoed = echoes(rotations);
    listed(app)
        .filter_map(|(key_id, name, is_certificate)| {
            let tag = tag::parse(name?).filter(|tag| tag.instance == instance)?;
            let rotation = rotations.iter().find(|rotation| rotation.id == tag.rotation)?;
            if rules.breaks(Mutation::TagIsOwnership) && !rotation.attempts.iter().any(|one| one.number == tag.attempt)
            {
                let (rotation, attempt, key_id) = (rotation.id, tag.attempt, key_id.clone());
                return Some(Orphan { rotation, attempt, key_id, is_certificate });
            }
            let attempt = rotation.attempts.iter().find(|attempt| attempt.number == tag.attempt)?;
            // Either of the two rules alone protects what most lost journals made: the mutant breaks both.
            let is_dated = is_certificate || !is_echoed || is_dated(attempt, key_id, app);
            if !is_dated && !rules.breaks(Mutation::BeyondUnnoticed) {
                return None;
            }
            if rotations.iter().any(|rotation| rotation.spec.retain.contains(key_id)) {
                return None;
            }
            // A lost journal may have saved and delivered what this one knows as a lost answer.
            if attempt.number <= rotation.forgotten {
                return None;
            }
            let is_orphan = match attempt.outcome {
                Outcome::Unknown | Outcome::Refused => true,
                Outcome::Abandoned => true,
                Outcome::Open => false,
                Outcome::Saved if is_certificate => {
                    !is_recorded(rotation, key_id) && is_second_copy(rotation, rotations, key_id, app)
                }
                Outcome::Saved => !is_recorded(rotation, key_id),
            };
            is_orphan.then(|| Orphan {
                rotation: rotation.id,
                attempt: attempt.number,
                key_id: key_id.clone(),
                is_certificate,
            })
        })
        .collect()
}

/// What the journal's counters know nothing of, and Entra shows: the journal was rolled back.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Beyond {
    /// The greatest rotation beyond the newest one.
    pub rotation: Option<RotationId>,
    /// Rotations of the journal with an attempt beyond their last one, and its number.
    pub attempts: Vec<(RotationId, u32)>,
}

/// The tags of this store's own `instance` on `app` that are greater than the journal's counters; `newest` is the last
/// rotation it knows of, or knows to have been forgotten.
pub fn beyond(instance: &str, newest: Option<RotationId>, rotations: &[Rotation], app: &AppObserved) -> Beyond {
    let mut beyond = Beyond::default();
    let tags = listed(app).filter_map(|(_, name, _)| tag::parse(name?));
    for tag in tags.filter(|tag| tag.instance == instance) {
        if newest.is_none_or(|newest| tag.rotation > newest) {
            beyond.rotation = beyond.rotation.max(Some(tag.rotation));
        } else if let Some(rotation) = rotations.iter().find(|rotation| rotation.id == tag.rotation) {
            let last =
                rotation.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0).max(rotation.forgotten);
            if tag.attempt > last {
                beyond.attempts.retain(|(id, number)| *id != tag.rotation || *number > tag.attempt);
                if !beyond.attempts.iter().any(|(id, _)| *id == tag.rotation) {
                    beyond.attempts.push((tag.rotation, tag.attempt));
                }
            }
        }
    }
    beyond
}

/// The credentials of `own` that consumers are meant to use, and `app` does not show. A journal whose current credential is
/// gone may be an older one, which does not know what replaced it; what a rotation of its own removed is no sign of that.
pub fn current_gone<'a>(
    own: &'a [OwnCredential],
    rotations: &'a [Rotation],
    app: &'a AppObserved,
) -> impl Iterator<Item = &'a OwnCredential> {
    let removed =
        |own: &OwnCredential| rotations.iter().flat_map(|r| &r.removals).any(|removal| removal.key_id == own.key_id);
    let shown = |own: &OwnCredential| {
        listed(app).any(|(key_id, _, _)| *key_id == own.key_id)
            || app.certificates.iter().any(|entry| own.thumbprint.is_some() && entry.thumbprint == own.thumbprint)
    };
    own.iter()
        .filter(move |own| own.status == CredentialStatus::Current && own.app.object_id == app.object_id)
        .filter(move |own| !removed(own) && !shown(own))
}

fn is_recorded(rotation: &Rotation, key_id: &KeyId) -> bool {
    rotation.fresh.as_ref().is_some_and(|fresh| fresh.key_id == *key_id)
        || rotation.old.iter().any(|old| old.key_id == *key_id)
}

/// Whether Graph gave client secrets the dates that they were asked with, as far as `rotations` show. That it does is
/// documented for neither date (UNVERIFIED); where it does not, dates tell nothing.
pub fn echoes(rotations: &[Rotation]) -> bool {
    let answered = rotations.iter().filter_map(|r| r.fresh.as_ref().map(|fresh| (r, fresh)));
    answered.filter(|(_, fresh)| fresh.certificate.is_none()).all(|(r, fresh)| {
        let asked = r.attempts.iter().find(|attempt| attempt.number == fresh.attempt);
        asked.is_none_or(|asked| close(fresh.start, asked.start) && close(fresh.end, asked.end))
    })
}

/// Graph may round.
fn close(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() <= ROUNDING
}

/// Whether the client secret `key_id` is valid from when and until when `attempt` asked.
pub fn is_dated(attempt: &Attempt, key_id: &KeyId, app: &AppObserved) -> bool {
    let mut named = app.secrets.iter().filter(|entry| entry.key_id == *key_id);
    named.any(|entry| close(entry.start, attempt.start) && close(entry.end, attempt.end))
}

/// Whether `key_id` holds a recorded certificate that is listed under its own id as well, or was removed: Graph may have given
/// it another id (a PATCH that was sent twice, an addKey that landed late); listed under that alone, it serves all the
/// same. Identity of a certificate is its thumbprint.
fn is_second_copy(rotation: &Rotation, rotations: &[Rotation], key_id: &KeyId, app: &AppObserved) -> bool {
    let removed = |recorded: &KeyId| rotations.iter().flat_map(|r| &r.removals).any(|one| one.key_id == *recorded);
    let Some(entry) = app.certificates.iter().find(|entry| entry.key_id == *key_id) else { return false };
    let fresh = rotation.fresh.iter().map(|fresh| (&fresh.key_id, &fresh.thumbprint));
    let old = rotation.old.iter().map(|old| (&old.key_id, &old.thumbprint));
    entry.thumbprint.is_some()
        && fresh.chain(old).filter(|(_, thumbprint)| **thumbprint == entry.thumbprint).any(|(recorded, _)| {
            removed(recorded)
                || app.certificates.iter().any(|it| it.key_id == *recorded && it.thumbprint == entry.thumbprint)
        })
}

fn listed(app: &AppObserved) -> impl Iterator<Item = (&KeyId, Option<&str>, bool)> {
    let secrets = app.secrets.iter().map(|entry| (&entry.key_id, entry.display_name.as_deref(), false));
    let certificates = app.certificates.iter().map(|entry| (&entry.key_id, entry.display_name.as_deref(), true));
    secrets.chain(certificates)
}

/// What the mutants sweep.
fn all_but<'a>(kept: impl IntoIterator<Item = &'a KeyId>, rotations: &[Rotation], app: &AppObserved) -> Vec<Orphan> {
    let Some(rotation) = rotations.last() else { return Vec::new() };
    let kept: BTreeSet<&KeyId> = kept.into_iter().collect();
    listed(app)
        .filter(|(key_id, _, _)| !kept.contains(key_id))
        .map(|(key_id, _, is_certificate)| Orphan {
            rotation: rotation.id,
            attempt: 0,
            key_id: key_id.clone(),
            is_certificate,
        })
        .collect()
}

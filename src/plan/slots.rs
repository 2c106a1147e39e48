//! Which slot needs a new credential: an ordered list of rules, the first that applies wins.

use jiff::SignedDuration;
use jiff::Timestamp;

use super::Note;
use super::ObservedIntegration;
use super::Plan;
use super::PlanInput;
use super::Reason;
use super::Step;
use super::WaitingFor;
use crate::model::Adoption;
use crate::model::CertificateEntry;
use crate::model::CredentialKind;
use crate::model::CredentialSpec;
use crate::model::CredentialStatus;
use crate::model::KeyId;
use crate::model::ListedKind;
use crate::model::OldCredential;
use crate::model::OwnCredential;
use crate::model::Retire;
use crate::model::Rotation;
use crate::model::State;
use crate::policy::Policy;

/// A credential this young may be missing from a read that is merely stale.
const STALE_READ: SignedDuration = SignedDuration::from_hours(1);

/// Adds the rotations of one policy.
pub(super) fn steps(
    input: &PlanInput<'_>,
    policy: &Policy,
    observed: &ObservedIntegration,
    steps: &mut Vec<Step>,
    reasons: &mut Vec<Reason>,
    plan: &mut Plan,
) {
    foreign(policy, observed, plan);
    for spec in &policy.credentials {
        let own: Vec<&OwnCredential> = observed.own.iter().filter(|own| own.slot == spec.slot).collect();
        if let Some(open) = observed.rotations.iter().find(|r| r.spec.slot == spec.slot && r.is_open()) {
            plan.waiting.push(WaitingFor {
                integration: policy.name.clone(),
                what: "rotation".into(),
                text: progress(open),
                link: None,
            });
            continue;
        }
        let Some(reason) = reason(input, policy, spec, &own, observed) else { continue };
        reasons.push(reason);
        let adopted = adopted(input, policy, spec, observed);
        steps.push(rotate(input, policy, spec, &own, adopted, reason));
    }
}

/// The rules, in order.
fn reason(
    input: &PlanInput<'_>,
    policy: &Policy,
    spec: &CredentialSpec,
    own: &[&OwnCredential],
    observed: &ObservedIntegration,
) -> Option<Reason> {
    let current = own.iter().find(|credential| credential.status == CredentialStatus::Current);
    // Nothing of ours serves this slot yet.
    let Some(current) = current else { return Some(Reason::NoneYet) };
    // It has ended: urgent, an overlap is no longer possible.
    if current.end <= input.now {
        return Some(Reason::Expired);
    }
    // Somebody removed it by hand: never silent.
    if is_gone(current, input.now, observed) {
        return Some(Reason::CredentialVanished);
    }
    // Its date has come.
    if current.end.duration_since(input.now) <= spec.rotate_before {
        return Some(Reason::ExpiresWithinRotateBefore);
    }
    // Somebody asked.
    input.asked.contains(&policy.name).then_some(Reason::Asked)
}

fn is_gone(current: &OwnCredential, now: Timestamp, observed: &ObservedIntegration) -> bool {
    let Some(app) = &observed.app else { return false };
    // A certificate is its thumbprint: Graph may list it under another id than the one it first gave.
    let same = |entry: &CertificateEntry| {
        entry.key_id == current.key_id || (entry.thumbprint.is_some() && entry.thumbprint == current.thumbprint)
    };
    let listed = app.secrets.iter().any(|entry| entry.key_id == current.key_id) || app.certificates.iter().any(same);
    !listed && now.duration_since(current.start) > STALE_READ
}

/// What was adopted for `spec`: what no slot of the policy names belongs to the first of its kind.
pub fn adopted_for<'a>(
    policy: &'a Policy,
    spec: &'a CredentialSpec,
    adopted: &'a [Adoption],
) -> impl Iterator<Item = &'a Adoption> {
    let is_certificate = |spec: &CredentialSpec| matches!(spec.kind, CredentialKind::Certificate(_));
    let first = policy.credentials.iter().find(|other| is_certificate(other) == is_certificate(spec));
    let is_first = first.is_some_and(|first| first.slot == spec.slot);
    adopted.iter().filter(move |adoption| {
        let named = policy.credentials.iter().any(|other| Some(&other.slot) == adoption.slot.as_ref());
        (adoption.credential == ListedKind::Certificate) == is_certificate(spec)
            && if named { adoption.slot.as_ref() == Some(&spec.slot) } else { is_first }
    })
}

/// Adopted credentials that the next rotation of `spec` replaces. One that outlives the new credential's own successor
/// is left to that one: a rotation must not stay open for so long.
fn adopted(
    input: &PlanInput<'_>,
    policy: &Policy,
    spec: &CredentialSpec,
    observed: &ObservedIntegration,
) -> Vec<OldCredential> {
    let end = input.now.checked_add(spec.lifetime).unwrap_or(Timestamp::MAX);
    let successor_due = end.checked_sub(spec.rotate_before).unwrap_or(input.now);
    // The tail of the rotation before may still wait for it.
    let is_leaving =
        |adoption: &Adoption| observed.rotations.iter().any(|r| r.old.iter().any(|old| old.key_id == adoption.key_id));
    adopted_for(policy, spec, &observed.adopted)
        .filter(|adoption| adoption.end < successor_due && !is_leaving(adoption))
        .map(old_of)
        .collect()
}

/// An adopted credential as one that a rotation replaces.
pub fn old_of(adoption: &Adoption) -> OldCredential {
    OldCredential {
        key_id: adoption.key_id.clone(),
        end: adoption.end,
        thumbprint: adoption.thumbprint.clone(),
        hint: adoption.hint.clone(),
        replaced: false,
        adopted: true,
    }
}

fn rotate(
    input: &PlanInput<'_>,
    policy: &Policy,
    spec: &CredentialSpec,
    own: &[&OwnCredential],
    adopted: Vec<OldCredential>,
    reason: Reason,
) -> Step {
    let old: Vec<OldCredential> = own
        .iter()
        .filter(|own| matches!(own.status, CredentialStatus::Current | CredentialStatus::Old))
        .map(|own| OldCredential {
            key_id: own.key_id.clone(),
            end: own.end,
            thumbprint: own.thumbprint.clone(),
            hint: own.hint.clone(),
            replaced: own.status == CredentialStatus::Old,
            adopted: false,
        })
        .chain(adopted)
        .collect();
    let end = old.iter().filter(|old| !old.replaced).map(|old| old.end).max();
    let retire_not_before = end.map(|end| match spec.retire {
        Retire::AtExpiry => end,
        // What was adopted leaves at its own end.
        Retire::AfterOverlap if old.iter().all(|old| old.adopted) => end,
        Retire::AfterOverlap => input.now.checked_add(spec.overlap).unwrap_or(end),
    });
    Step::Rotate {
        reason,
        not_after: input.now.checked_add(spec.lifetime).unwrap_or(Timestamp::MAX),
        retire_not_before,
        // Certificates have room of their own.
        capped: policy.app.audience.is_capped() && matches!(spec.kind, CredentialKind::ClientSecret),
        urgent: end.is_some_and(|end| end.duration_since(input.now) < spec.overlap),
        spec: Box::new(spec.clone()),
        old,
    }
}

/// Credentials that everkey did not make: listed, never touched.
fn foreign(policy: &Policy, observed: &ObservedIntegration, plan: &mut Plan) {
    let Some(app) = &observed.app else { return };
    let own = |key_id: &KeyId| {
        observed.own.iter().any(|own| own.key_id == *key_id)
            || observed.rotations.iter().any(|r| {
                r.fresh.as_ref().is_some_and(|fresh| fresh.key_id == *key_id)
                    || r.old.iter().any(|old| old.key_id == *key_id)
            })
    };
    let secrets = app.secrets.iter().map(|e| (&e.key_id, e.display_name.as_deref(), e.end, "secret"));
    let certificates = app.certificates.iter().map(|e| (&e.key_id, e.display_name.as_deref(), e.end, "certificate"));
    for (key_id, name, end, word) in secrets.chain(certificates).filter(|(key_id, ..)| !own(key_id)) {
        let name = name.unwrap_or("without a name");
        let fate = match observed.adopted.iter().find(|adoption| adoption.key_id == *key_id) {
            Some(adoption) => format!("was adopted by {}; it leaves after its own end", adoption.by),
            None => "was made by somebody else; left alone".to_owned(),
        };
        plan.notes.push(Note {
            integration: policy.name.clone(),
            text: format!("{word} {name:?} ({key_id}, to {}) {fate}", end.strftime("%Y-%m-%d")),
        });
    }
}

/// One line on a rotation under way.
pub fn progress(r: &Rotation) -> String {
    if let Some(failure) = &r.failure {
        return format!("rotation {} at {}: {}", r.id, r.state.step(), failure.problem.summary);
    }
    if r.waits_for_certificate() {
        return format!("rotation {}: its request waits for a certificate of your CA", r.id);
    }
    match r.state {
        State::Attached => format!("rotation {}: being proven by sign-in", r.id),
        State::Delivered => format!("rotation {}: delivered, waiting for confirmation", r.id),
        State::Confirmed | State::RetireIntent => {
            format!("rotation {}: confirmed, the old one leaves later", r.id)
        }
        state => format!("rotation {} at {}", r.id, state.step()),
    }
}

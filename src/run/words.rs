//! One line for people for each event of a rotation.

use jiff::Timestamp;

use crate::model::AmbiguousCall;
use crate::model::Event;
use crate::model::Proof;
use crate::model::Rotation;

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// What a credential is called for people: hint or thumbprint.
pub fn name(rotation: &Rotation) -> String {
    let Some(fresh) = &rotation.fresh else { return rotation.spec.kind.word().to_owned() };
    match (&fresh.thumbprint, &fresh.hint) {
        (Some(thumbprint), _) => short(thumbprint.as_str()),
        (None, Some(hint)) => format!("hint {hint:?}"),
        (None, None) => fresh.key_id.to_string(),
    }
}

/// `6F2B...11D0`
pub fn short(thumbprint: &str) -> String {
    match (thumbprint.get(..4), thumbprint.get(thumbprint.len().saturating_sub(4)..)) {
        (Some(head), Some(tail)) if thumbprint.len() > 8 => format!("{head}...{tail}"),
        _ => thumbprint.to_owned(),
    }
}

/// The line. `after` is the rotation as the event left it.
pub fn event(after: &Rotation, event: &Event) -> String {
    let word = after.spec.kind.word();
    match event {
        Event::PreflightPassed => "stage: preflight passed".to_owned(),
        Event::AttemptStarted { number, end, .. } => format!("stage: attempt {number}, {word} to {}", day(*end)),
        Event::Respecified { spec } => format!("stage: follows its policy, {} d", spec.lifetime.as_hours() / 24),
        Event::AttemptRefused => "stage: refused, nothing was made".to_owned(),
        Event::AttemptUnknown => "stage: no answer; the attempt counts as unknown and will be swept".to_owned(),
        Event::AttemptSeen { number, present: true } => format!("sweep: attempt {number} shows in Entra"),
        Event::AttemptSeen { number, present: false } => format!("sweep: attempt {number} does not show in Entra"),
        Event::AttemptSwept { number, key_id } => format!("sweep: orphan {key_id} of attempt {number} removed"),
        Event::AttemptsForgotten { up_to } => {
            format!(
                "sweep: attempts up to {up_to} are in Entra and not in the journal: it is an older one; they are left alone"
            )
        }
        Event::KeySealed { .. } => "stage: private key made and sealed".to_owned(),
        Event::CertificateMade { fresh } => format!("stage: certificate {} made, to {}", name(after), day(fresh.end)),
        Event::Requested { .. } => "stage: certificate request made".to_owned(),
        Event::UploadAccepted => "stage: upload taken, not yet read back".to_owned(),
        Event::UploadIntended { pre_image } => format!("stage: upload, {} certificates before it", pre_image.len()),
        Event::CallAmbiguous { call } => match call {
            AmbiguousCall::Add => "stage: no clear answer to an upload".to_owned(),
            AmbiguousCall::Patch => "no clear answer to a change of the certificates".to_owned(),
            AmbiguousCall::Remove => "retire: no clear answer to a removal".to_owned(),
        },
        Event::CallSent { .. } => "a change of the certificates is sent".to_owned(),
        Event::CallAnswered { .. } => "the change of the certificates is answered".to_owned(),
        Event::Attached { fresh } => format!("stage: {word} {} added, to {}", name(after), day(fresh.end)),
        Event::ProbeAccepted { .. } => format!("prove: accepted ({} of 3)", after.probes.count.min(3)),
        Event::ProbeRefused { code, .. } => format!("prove: not yet ({code})"),
        Event::ProbeInconclusive { code } => format!("prove: Entra cannot answer ({code})"),
        Event::Unproven => format!("prove: NOT proven; --force goes on with the new {word}"),
        Event::Verified => format!("prove: {} tokens issued with the new {word}", after.probes.count),
        Event::Abandoned => "prove: never accepted; given up, a new attempt follows".to_owned(),
        Event::Delivered { delivery } => match &delivery.proof {
            Proof::ReadBack(_) => format!("deliver: {}, read back", delivery.sink),
            Proof::Sealed(handoff) => format!("deliver: sealed as hand-off {handoff}"),
        },
        Event::SinkDrifted { sink } => format!("deliver: {sink} no longer shows what was delivered; again"),
        Event::Redated => "dates of a clock that was ahead count from now".to_owned(),
        Event::Unlisted => format!("deliver: the new {word} has ended, or the application does not list it"),
        Event::AllDelivered => "deliver: complete".to_owned(),
        Event::EvidenceSeen { confirmation } => format!("confirm: {}", confirmation.evidence),
        Event::Confirmed => "confirm: complete".to_owned(),
        Event::ReceiptVoided { handoff, .. } => format!("confirm: receipt of {handoff} is void, issued again"),
        Event::Renewed => "stage: a new value takes the place of one that was lost".to_owned(),
        Event::OwnGone => {
            "retire: what is left leaves at its own end; the next rotation does not wait for it".to_owned()
        }
        Event::AdoptionEnded { key_id } => format!("retire: {key_id} is no longer adopted; it is left alone"),
        Event::RetireIntended { key_ids } => format!("retire: {} old to be removed", key_ids.len()),
        Event::ExpiredIntended { key_ids } => format!("retire: {} expired to be removed", key_ids.len()),
        Event::RemovalSent { key_id } => format!("retire: {key_id} removed"),
        Event::RemovalSeen { key_id, present: true } => format!("retire: {key_id} is still listed"),
        Event::RemovalSeen { key_id, present: false } => format!("retire: {key_id} is gone"),
        Event::Superseded => "nobody confirmed before the old one ended; the new one is current".to_owned(),
        Event::SupersededByEmergency { by } => format!("closed: emergency {by} takes its place"),
        Event::EmergencyWidened { now, force, also, disable_sign_in } => {
            let flags = [(*now, "--now"), (*force, "--force"), (*disable_sign_in, "--disable-sign-in")];
            let asked = flags.map(|(asked, flag)| (asked, flag.to_owned())).into_iter();
            let also = also.iter().map(|old| (true, format!("--also {}", old.key_id)));
            let asked: Vec<String> = asked.chain(also).filter(|(asked, _)| *asked).map(|(_, flag)| flag).collect();
            format!("emergency: {} asked for as well", asked.join(", "))
        }
        Event::SignInDisabled => "retire: sign-in of the application disabled".to_owned(),
        Event::Retains { retain } => format!("the policy retains {} of what is there", retain.len()),
        Event::RoomIntended { key_ids } => format!("retire: {} to be removed first, to make room", key_ids.len()),
        Event::OldRefused { key_id, code, .. } => format!("retire: {key_id} is refused at sign-in ({code})"),
        Event::OldAccepted { key_id, .. } => format!("retire: {key_id} is still accepted at sign-in"),
        Event::RefusalUnseen { key_id, why } => format!("retire: {key_id} is not seen refused: {why}"),
        Event::Finished => "done".to_owned(),
        Event::Failed { problem, .. } => {
            format!("{} FAILED [{}]: {}", after.state.step(), problem.code, problem.summary)
        }
    }
}

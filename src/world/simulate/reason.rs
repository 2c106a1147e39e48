//! Why a consumer stands without a credential, from what the journal and the mails show.

use jiff::Timestamp;

use crate::error::Result;
use crate::model::CredentialKind;
use crate::model::IntegrationName;
use crate::model::Problem;
use crate::model::SlotName;
use crate::policy::person_name;
use crate::ports::Store;
use crate::run::explain;

use super::consumers::Change;
use super::consumers::Refused;
use super::record::Happening;
use super::record::Record;
use super::record::What;
use super::report::Stop;

/// Why a consumer is refused, from what the journal and the mails show.
pub(super) async fn stop(
    store: &dyn Store,
    record: &Record,
    change: &Change,
    refused: Refused,
    now: Timestamp,
) -> Result<Stop> {
    let (cause, reason, problem) = match refused {
        Refused::Unknown => ("removed", "Entra no longer knows the credential that is in its place".to_owned(), None),
        Refused::UnknownBefore => {
            ("removed", "the old credential was removed while a consumer may still hold it".to_owned(), None)
        }
        Refused::Ended => not_ready(store, record, change, now).await?,
    };
    Ok(told(&change.integration, &change.slot, now, (cause, reason, problem)))
}

/// A consumer that never got anything, since `at`.
pub(super) fn never_started(
    integration: &IntegrationName,
    slot: &SlotName,
    at: Timestamp,
    problem: Option<&Problem>,
) -> Stop {
    let why = problem.map_or_else(|| "everkey had no step to take".to_owned(), said);
    told(integration, slot, at, ("never-started", format!("nothing was ever delivered: {why}"), problem.cloned()))
}

fn told(integration: &IntegrationName, slot: &SlotName, at: Timestamp, (cause, reason, problem): Found) -> Stop {
    Stop {
        at,
        cause: cause.into(),
        code: problem.as_ref().map(|problem| problem.code.clone()),
        credential: slot.to_string(),
        help: problem.and_then(|problem| problem.fix),
        integration: integration.to_string(),
        reason,
        until: None,
    }
}

fn said(problem: &Problem) -> String {
    format!("{} [{}]", problem.summary, problem.code)
}

/// Cause, reason, and the error that stood in the way.
type Found = (&'static str, String, Option<Problem>);

/// What the tenant's app management policies refuse.
const FORBIDDEN: [&str; 2] = ["G041", "G042"];

/// What was missing when a credential ended.
async fn not_ready(store: &dyn Store, record: &Record, change: &Change, now: Timestamp) -> Result<Found> {
    let rotations = store.rotations(&change.integration).await.map_err(|error| explain::store(&error))?;
    let handoffs = store.handoffs().await.map_err(|error| explain::store(&error))?;
    let latest = rotations.iter().rev().find(|rotation| rotation.spec.slot == change.slot);
    let asked = latest.and_then(|rotation| {
        handoffs
            .iter()
            .find(|handoff| handoff.rotation == rotation.id && handoff.opened.is_none() && handoff.old_end.is_some())
    });
    if let Some(handoff) = asked {
        let number = record.handoff(&handoff.id);
        let book = record.book();
        let about = |happening: &&Happening| {
            matches!(happening.what, What::Mail | What::Escalation)
                && happening.integration == change.integration.as_str()
                && happening.handoff == number
        };
        let mails = book.happened.iter().filter(about).count();
        let (who, days) = (person_name(&handoff.doer), now.duration_since(handoff.created).as_hours() / 24);
        let since = handoff.created.strftime("%Y-%m-%d");
        return Ok((
            "person",
            format!(
                "{who} did not open hand-off {} in {days} days since {since}, after {mails} mails",
                number.unwrap_or(0)
            ),
            None,
        ));
    }
    let waits = latest.filter(|rotation| {
        rotation.request.is_some()
            && rotation.fresh.is_none()
            && matches!(rotation.spec.kind, CredentialKind::Certificate(_))
    });
    if let Some(rotation) = waits {
        let since = rotation.planned.strftime("%Y-%m-%d");
        return Ok(("person", format!("nobody brought back the certificate that was asked for on {since}"), None));
    }
    let book = record.book();
    let forbidden = latest.and_then(|rotation| Some((rotation, rotation.failure.as_ref()?)));
    if let Some((rotation, failure)) =
        forbidden.filter(|(_, failure)| FORBIDDEN.contains(&failure.problem.code.as_str()))
    {
        let number = book.traces.get(&rotation.id).map_or(0, |trace| trace.rotation);
        let since = failure.since.strftime("%Y-%m-%d");
        let reason = format!("rotation {number} is refused since {since}: {}", said(&failure.problem));
        return Ok(("tenant-policy", reason, Some(failure.problem.clone())));
    }
    if let Some(problem) = book.failures.get(&change.integration) {
        return Ok(("failure", format!("its successor was not ready: {}", said(problem)), Some(problem.clone())));
    }
    Ok(("not-ready", "its successor was not in place when it ended".to_owned(), None))
}

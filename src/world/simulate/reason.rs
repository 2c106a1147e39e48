//! Why a consumer stands without a credential, from what the journal and the mails show.

use jiff::Timestamp;

use crate::error::Result;
use crate::model::CredentialKind;
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
    let (cause, reason) = match refused {
        Refused::Unknown => ("removed", "Entra no longer knows the credential that is in its place".to_owned()),
        Refused::UnknownBefore => {
            ("removed", "the old credential was removed while a consumer may still hold it".to_owned())
        }
        Refused::Ended => not_ready(store, record, change, now).await?,
    };
    Ok(Stop {
        at: now,
        cause: cause.into(),
        credential: change.slot.to_string(),
        integration: change.integration.to_string(),
        reason,
        until: None,
    })
}

/// What was missing when a credential ended.
async fn not_ready(
    store: &dyn Store,
    record: &Record,
    change: &Change,
    now: Timestamp,
) -> Result<(&'static str, String)> {
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
        ));
    }
    let waits = latest.filter(|rotation| {
        rotation.request.is_some()
            && rotation.fresh.is_none()
            && matches!(rotation.spec.kind, CredentialKind::Certificate(_))
    });
    if let Some(rotation) = waits {
        let since = rotation.planned.strftime("%Y-%m-%d");
        return Ok(("person", format!("nobody brought back the certificate that was asked for on {since}")));
    }
    if let Some(failure) = record.book().failures.get(&change.integration) {
        return Ok(("failure", format!("its successor was not ready: {failure}")));
    }
    Ok(("not-ready", "its successor was not in place when it ended".to_owned()))
}

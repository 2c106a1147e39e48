//! Gathers what a plan may depend on. Decides nothing.

use std::collections::BTreeMap;

use crate::model::AppRef;
use crate::model::ClientId;
use crate::model::CredentialStatus;
use crate::model::Grants;
use crate::model::IntegrationName;
use crate::model::IntegrationRecord;
use crate::plan::Observed;
use crate::plan::ObservedIntegration;
use crate::ports::Directory;
use crate::ports::PortError;
use crate::ports::Store;
use crate::run::adoption;
use crate::run::setup::FarClock;
use crate::run::setup::RunError;

/// What to look at: the name, and the client id where the policy names an existing application.
pub struct Target {
    /// Integration.
    pub name: IntegrationName,
    /// `app_id` of the policy.
    pub client_id: Option<ClientId>,
}

/// Looks at the applications of `targets` and at the journal.
pub async fn observe(
    store: &dyn Store,
    directory: &dyn Directory,
    far: &FarClock,
    targets: &[Target],
) -> Result<Observed, RunError> {
    let records: BTreeMap<IntegrationName, IntegrationRecord> =
        store.integrations().await?.into_iter().map(|record| (record.name.clone(), record)).collect();
    let unfinished = store.unfinished().await?;
    let mut observed = Observed::default();
    for target in targets {
        let record = records.get(&target.name).cloned();
        let mut seen = ObservedIntegration {
            own: store
                .credentials(Some(&target.name))
                .await?
                .into_iter()
                .filter(|own| own.status != CredentialStatus::Retired)
                .collect(),
            rotations: unfinished.iter().filter(|r| r.integration == target.name).cloned().collect(),
            ..ObservedIntegration::default()
        };
        let app = match (&record, &target.client_id) {
            (Some(record), _) => Some(record.app.clone()),
            (None, Some(client_id)) => {
                observed.requests += 1;
                directory.find_application(client_id).await.map_err(RunError::port("read the application"))?
            }
            (None, None) => None,
        };
        if let Some(app) = &app {
            look(directory, far, app, &mut seen, &mut observed.requests).await?;
            seen.adopted = adoption::adopted(store, app, &target.name, seen.app.as_ref()).await?;
        }
        seen.record =
            record.or_else(|| app.map(|app| IntegrationRecord { name: target.name.clone(), app, consented: None }));
        observed.integrations.insert(target.name.clone(), seen);
    }
    Ok(observed)
}

async fn look(
    directory: &dyn Directory,
    far: &FarClock,
    app: &AppRef,
    seen: &mut ObservedIntegration,
    requests: &mut u64,
) -> Result<(), RunError> {
    *requests += 2;
    match directory.application(&app.object_id).await {
        Ok(read) => {
            far.note(read.date);
            seen.app = Some(read.value);
        }
        Err(PortError::Missing(_)) => return Ok(()),
        Err(error) => return Err(RunError::port("read the application")(error)),
    }
    seen.principal = directory.principal(&app.client_id).await.map_err(RunError::port("read the service principal"))?;
    if let Some(principal) = &seen.principal {
        *requests += 2;
        seen.grants = directory.grants(&principal.object_id).await.map_err(RunError::port("read the consents"))?;
    } else {
        seen.grants = Grants::default();
    }
    Ok(())
}

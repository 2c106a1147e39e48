//! Reads who adopted what (I5): what was adopted may be removed like our own, but only after its own end or on the
//! sign-in report's evidence, and only as long as nobody took it back.

use crate::model::Adoption;
use crate::model::AppObserved;
use crate::model::AppRef;
use crate::model::Event;
use crate::model::IntegrationName;
use crate::model::KeyId;
use crate::model::ObjectId;
use crate::model::Rotation;
use crate::ports::Store;
use crate::rotation::Mutation;
use crate::run::engine::Engine;
use crate::run::setup::RunError;

/// Every adoption on `holder`. A record that cannot be read is nobody's word, and counts for nothing.
pub(super) async fn on(store: &dyn Store, holder: &ObjectId) -> Result<Vec<Adoption>, RunError> {
    let prefix = Adoption::records(holder);
    let read = |mark: crate::ports::Mark| {
        let key_id = KeyId(mark.name.strip_prefix(&prefix)?.to_owned());
        let adoption: Adoption = serde_json::from_str(&mark.body?).ok()?;
        Some(Adoption { key_id, ..adoption })
    };
    Ok(store.marks(&prefix).await?.into_iter().filter_map(read).collect())
}

/// Those for `integration` that `seen` still lists.
pub(super) async fn adopted(
    store: &dyn Store,
    app: &AppRef,
    integration: &IntegrationName,
    seen: Option<&AppObserved>,
) -> Result<Vec<Adoption>, RunError> {
    let Some(seen) = seen else { return Ok(Vec::new()) };
    let listed = |key_id: &KeyId| {
        seen.secrets.iter().any(|entry| entry.key_id == *key_id)
            || seen.certificates.iter().any(|entry| entry.key_id == *key_id)
    };
    let mut adopted = on(store, &app.object_id).await?;
    adopted.retain(|adoption| adoption.integration == *integration && listed(&adoption.key_id));
    Ok(adopted)
}

impl Engine {
    /// The mutant forgets a removal that is under way when its adoption ends.
    pub(super) fn forgets_removal(&self, rotation: &Rotation, event: &Event) -> Option<Rotation> {
        let Event::AdoptionEnded { key_id } = event else { return None };
        self.options.rules.breaks(Mutation::UnadoptLate).then(|| {
            let mut forgetful = rotation.clone();
            forgetful.removals.retain(|removal| removal.key_id != *key_id);
            forgetful
        })
    }

    /// What is adopted right now among what `r` replaces.
    pub(super) async fn adopted(&self, r: &Rotation) -> Result<Vec<KeyId>, RunError> {
        if !r.old.iter().any(|old| old.adopted) {
            return Ok(Vec::new());
        }
        let all = on(self.ports.store.as_ref(), &r.app.object_id).await?;
        let ours = all.into_iter().filter(|adoption| adoption.integration == r.integration);
        Ok(ours.map(|adoption| adoption.key_id).collect())
    }
}

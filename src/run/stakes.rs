//! What others have on an application while a PATCH of ours, whose answer was lost, may still land and drop it: remembered,
//! compared when it can land no more, and told. Uploads put back what they dropped; a removal does not, and neither sees
//! what came after its own last look.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::AmbiguousCall;
use crate::model::HolderKind;
use crate::model::Listed;
use crate::model::ListedKind;
use crate::model::ObjectId;
use crate::model::Rotation;
use crate::rotation::numbers::DRAIN;
use crate::rotation::numbers::SETTLE;
use crate::run::around::Met;
use crate::run::around::identity;
use crate::run::engine::Engine;
use crate::run::older::noticed_at;
use crate::run::setup::RunError;

/// By identity: what was there.
pub(super) type Stakes = BTreeMap<String, Listed>;

/// What one look makes of the last one.
#[derive(Default)]
pub(super) struct Compared {
    /// To be remembered until the next look.
    pub at_stake: Stakes,
    /// Was there while a PATCH could land, and is not listed now that it cannot.
    pub gone: Vec<Listed>,
    /// When to look again.
    pub again: Option<Timestamp>,
}

impl Engine {
    /// What others have there that may still be dropped, and what was.
    pub(super) async fn stakes(
        &self,
        one: &Met<'_>,
        listed: &[Listed],
        before: Option<&Stakes>,
    ) -> Result<Compared, RunError> {
        let certificates = || listed.iter().filter(|one| one.kind == ListedKind::Certificate);
        let before = before.cloned().unwrap_or_default();
        let nothing = before.is_empty() && certificates().next().is_none();
        // What no policy of its own speaks of, everkey never changes.
        if one.holder.kind != HolderKind::Application || nothing || one.policy.watch.is_some() {
            return Ok(Compared::default());
        }
        let rotations = self.rotations_on(&one.holder.object_id).await?;
        let sent = youngest_patch(&rotations);
        // A moment more, so that a read that is a little stale does not count as a loss.
        let until = sent.and_then(|at| at.checked_add(DRAIN + SETTLE).ok()).filter(|until| *until > self.now());
        let Some(until) = until else {
            let is_gone = |(known, _): &(String, Listed)| !certificates().any(|one| identity(one) == *known);
            let gone = before.into_iter().filter(is_gone).map(|(_, listed)| listed);
            let gone = gone.filter(|listed| !is_leaving(&rotations, listed)).collect();
            return Ok(Compared { gone, ..Compared::default() });
        };
        let ours = self.ours().await?;
        let mut at_stake = before;
        for certificate in certificates() {
            let is_ours = ours.made(certificate) || self.is_attempt(certificate).await?;
            if !is_ours && !is_leaving(&rotations, certificate) {
                at_stake.insert(identity(certificate), certificate.clone());
            }
        }
        let again = (!at_stake.is_empty()).then_some(until + SignedDuration::from_secs(1));
        Ok(Compared { at_stake, gone: Vec::new(), again })
    }

    /// When the youngest PATCH on the application was sent whose fate nobody knows, by any rotation of any integration; a
    /// journal that turned out to be an older one may have forgotten one that was sent until then.
    pub(super) async fn last_patch(&self, app: &ObjectId) -> Result<Option<Timestamp>, RunError> {
        let noticed = self.ports.store.marks(&noticed_at(app)).await?;
        let noticed = noticed.iter().filter_map(|mark| mark.body.as_deref()?.parse().ok()).max();
        Ok(youngest_patch(&self.rotations_on(app).await?).max(noticed))
    }

    /// Several policies may share an application: a PATCH of one replaces the certificates of all.
    async fn rotations_on(&self, app: &ObjectId) -> Result<Vec<Rotation>, RunError> {
        let mut all = Vec::new();
        for record in self.ports.store.integrations().await? {
            if record.app.object_id == *app {
                all.extend(self.ports.store.rotations(&record.name).await?);
            }
        }
        all.retain(|r| r.app.object_id == *app);
        Ok(all)
    }
}

fn youngest_patch(rotations: &[Rotation]) -> Option<Timestamp> {
    let calls = rotations.iter().flat_map(|r| &r.ambiguous);
    calls.filter(|(call, _)| *call == AmbiguousCall::Patch).map(|(_, at)| *at).max()
}

/// Whether a rotation removes `listed`: then it is no loss (an adopted one, or what an emergency revokes beside ours).
fn is_leaving(rotations: &[Rotation], listed: &Listed) -> bool {
    rotations.iter().any(|r| {
        r.removals.iter().any(|removal| {
            let old = r.old.iter().find(|old| old.key_id == removal.key_id);
            let thumbprint = old.and_then(|old| old.thumbprint.as_ref());
            removal.key_id == listed.key_id || (thumbprint.is_some() && thumbprint == listed.thumbprint.as_ref())
        })
    })
}

//! Gathers what the decision about one rotation may see, and asks for it.

use jiff::Timestamp;

use crate::model::AmbiguousCall;
use crate::model::CredentialKind;
use crate::model::CredentialStatus;
use crate::model::Rotation;
use crate::model::State;
use crate::policy;
use crate::policy::Policy;
use crate::rotation;
use crate::rotation::Next;
use crate::rotation::View;
use crate::run::engine::Engine;
use crate::run::setup::Pace;
use crate::run::setup::RunError;

impl Engine {
    pub(super) async fn next(&self, rotation: &Rotation, policies: &[Policy]) -> Result<Next, RunError> {
        let handoffs: Vec<_> =
            self.ports.store.handoffs().await?.into_iter().filter(|h| h.rotation == rotation.id).collect();
        let secrets_present = self.secrets_present(rotation).await?;
        let patch_in_flight = self.patch_in_flight(rotation).await?;
        let policy = policies.iter().find(|policy| policy.name == rotation.integration);
        let instance = self.ports.store.instance();
        let clocks = self.clocks();
        let now = clocks.local;
        let view = View {
            instance: &instance,
            clocks,
            secrets_present,
            handoffs: &handoffs,
            patch_in_flight,
            stage_from: policy.map_or(now, |policy| self.stage_from(rotation, policy, now)),
            retire_from: policy.map_or(now, |policy| policy::gate::next_unfrozen(&policy.calendar, now)),
            rules: self.options.rules,
        };
        Ok(rotation::next(rotation, &view))
    }

    /// When the calendar lets a rotation start. A first issuance never waits; a freeze yields when it would
    /// cost the overlap.
    fn stage_from(&self, rotation: &Rotation, policy: &Policy, now: Timestamp) -> Timestamp {
        let Some(end) = rotation.old_end() else { return now };
        if end.duration_since(now) < rotation.spec.overlap + rotation.spec.retry_budget {
            return now;
        }
        match self.options.pace {
            Pace::Now => policy::gate::next_unfrozen(&policy.calendar, now),
            Pace::Scheduled => policy::gate::next_start(&policy.calendar, rotation.planned),
        }
    }

    /// How many secrets a capped application shows; read only when it matters.
    async fn secrets_present(&self, rotation: &Rotation) -> Result<Option<usize>, RunError> {
        if !rotation.capped || !matches!(rotation.state, State::Planned | State::Unknown) {
            return Ok(None);
        }
        self.ready().await?;
        match self.ports.directory.application(&rotation.app.object_id).await {
            Ok(read) => {
                self.far.note(read.date);
                Ok(Some(read.value.secrets.len()))
            }
            Err(_) => Ok(None),
        }
    }

    /// When the youngest ambiguous PATCH on the same application was sent.
    async fn patch_in_flight(&self, rotation: &Rotation) -> Result<Option<Timestamp>, RunError> {
        if rotation.state != State::Verified || !matches!(rotation.spec.kind, CredentialKind::Certificate(_)) {
            return Ok(None);
        }
        let all = self.ports.store.rotations(&rotation.integration).await?;
        Ok(all
            .iter()
            .filter(|r| r.app.object_id == rotation.app.object_id)
            .flat_map(|r| &r.ambiguous)
            .filter(|(call, _)| *call == AmbiguousCall::Patch)
            .map(|(_, at)| *at)
            .max())
    }

    /// When the next successor of a policy's slots is due.
    pub(super) async fn next_rotation_date(&self, policy: &Policy) -> Result<Option<Timestamp>, RunError> {
        let own = self.ports.store.credentials(Some(&policy.name)).await?;
        let open = self.ports.store.unfinished().await?;
        Ok(policy
            .credentials
            .iter()
            .filter(|spec| {
                !open.iter().any(|r| r.integration == policy.name && r.spec.slot == spec.slot && r.is_open())
            })
            .filter_map(|spec| {
                let current =
                    own.iter().find(|own| own.slot == spec.slot && own.status == CredentialStatus::Current)?;
                current.end.checked_sub(spec.rotate_before).ok()
            })
            .min())
    }
}

//! Gathers what the decision about one rotation may see, and asks for it.

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::Calendar;
use crate::model::CredentialKind;
use crate::model::CredentialStatus;
use crate::model::Retire;
use crate::model::Rotation;
use crate::model::State;
use crate::plan::Reason;
use crate::policy::Policy;
use crate::policy::gate;
use crate::rotation;
use crate::rotation::Next;
use crate::rotation::View;
use crate::rotation::guard;
use crate::run::engine::Engine;
use crate::run::setup::Pace;
use crate::run::setup::RunError;

impl Engine {
    pub(super) async fn next(&self, rotation: &Rotation, policies: &[Policy]) -> Result<Next, RunError> {
        let handoffs: Vec<_> =
            self.ports.store.handoffs().await?.into_iter().filter(|h| h.rotation == rotation.id).collect();
        let secrets_present = self.secrets_present(rotation).await?;
        let waits_for_patch = matches!(rotation.state, State::Attached | State::Verified)
            && matches!(rotation.spec.kind, CredentialKind::Certificate(_));
        let patch_in_flight = if waits_for_patch { self.patch_in_flight(rotation).await? } else { None };
        let policy = policies.iter().find(|policy| policy.name == rotation.integration);
        let instance = self.ports.store.instance();
        let clocks = self.clocks();
        let now = clocks.local;
        let (stage_from, retire_from) = match policy {
            Some(policy) => (
                self.stage_from(rotation, policy, policies, now).await?,
                self.retire_from(rotation, &policy.calendar, now),
            ),
            None => (now, now),
        };
        let adopted = self.adopted(rotation).await?;
        let view = View {
            instance: &instance,
            clocks,
            secrets_present,
            handoffs: &handoffs,
            adopted: &adopted,
            patch_in_flight,
            stage_from,
            retire_from,
            rules: self.options.rules,
        };
        Ok(rotation::next(rotation, &view))
    }

    /// When the calendar and the daily limit let a rotation start. A first issuance never waits, and nothing does
    /// that is urgent.
    async fn stage_from(
        &self,
        rotation: &Rotation,
        policy: &Policy,
        policies: &[Policy],
        now: Timestamp,
    ) -> Result<Timestamp, RunError> {
        if rotation.emergency.is_some() {
            return self.room_from(rotation, now).await;
        }
        let Some(end) = rotation.old_end() else { return Ok(now) };
        if rotation.state != State::Planned || is_urgent(rotation, end, now) {
            return Ok(now);
        }
        let start = self.calendar_start(rotation, end, policy, policies, now).await?;
        // Whatever the calendar says, the wait ends where it would begin to cost the overlap.
        Ok(start.min(urgent_from(rotation, end)))
    }

    /// When the calendar and the daily limit would let it start.
    async fn calendar_start(
        &self,
        rotation: &Rotation,
        end: Timestamp,
        policy: &Policy,
        policies: &[Policy],
        now: Timestamp,
    ) -> Result<Timestamp, RunError> {
        let calendar = &policy.calendar;
        let limits = match self.options.pace {
            Pace::Scheduled(limits) if !has_reason(rotation, Reason::Asked) => limits,
            // Somebody asked for it now.
            Pace::Now | Pace::Scheduled(_) => return Ok(gate::next_unfrozen(calendar, now)),
        };
        // Its date may have come while nobody was there to plan it.
        let date = end.checked_sub(rotation.spec.rotate_before).unwrap_or(rotation.planned);
        let spread = |day| gate::spread(rotation.integration.as_str(), day, limits.jitter);
        let start = gate::start(calendar, date.min(rotation.planned), now, spread);
        // The start that used the limit up: the next one comes at the first fire of a later day.
        let last = self.starts(policies).await?.into_iter().nth_back(limits.new_per_day.max(1) as usize - 1);
        let later = last.and_then(|at| at.to_zoned(calendar.zone()).tomorrow().and_then(|day| day.start_of_day()).ok());
        Ok(later.map_or(start, |day| start.max(gate::start(calendar, day.timestamp(), now, spread))))
    }

    /// When successors began, urgent ones too; oldest first.
    async fn starts(&self, policies: &[Policy]) -> Result<Vec<Timestamp>, RunError> {
        let mut starts = Vec::new();
        for policy in policies {
            let rotations = self.ports.store.rotations(&policy.name).await?;
            let successors = rotations.iter().filter(|rotation| !rotation.old.is_empty());
            starts.extend(successors.filter_map(|rotation| Some(rotation.attempts.first()?.started)));
        }
        starts.sort_unstable();
        Ok(starts)
    }

    /// When the calendar lets the old credentials of a rotation leave: at the first fire after their time has come.
    fn retire_from(&self, rotation: &Rotation, calendar: &Calendar, now: Timestamp) -> Timestamp {
        if rotation.emergency.is_some() {
            return now;
        }
        if self.options.pace == Pace::Now {
            return gate::next_unfrozen(calendar, now);
        }
        let ready = match rotation.spec.retire {
            Retire::AfterOverlap => guard::overlap_end(rotation),
            Retire::AtExpiry => guard::removable(rotation).map(|old| old.end).min(),
        };
        gate::start(calendar, ready.unwrap_or(now), now, |_| SignedDuration::ZERO)
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

    /// When a sign-in of ours happened, as the sign-in report will say: by Graph's clock, as far as that is known.
    pub(super) fn signed_in(&self) -> Timestamp {
        let clocks = self.clocks();
        clocks.far.unwrap_or(clocks.local)
    }

    /// When the youngest ambiguous PATCH on the same application was sent.
    pub(super) async fn patch_in_flight(&self, rotation: &Rotation) -> Result<Option<Timestamp>, RunError> {
        self.last_patch(&rotation.app.object_id).await
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

/// Whether waiting for a schedule, a freeze or a limit would cost the overlap, or somebody stands still already.
fn is_urgent(rotation: &Rotation, end: Timestamp, now: Timestamp) -> bool {
    now >= urgent_from(rotation, end) || has_reason(rotation, Reason::CredentialVanished)
}

/// From when on waiting would cost the overlap.
fn urgent_from(rotation: &Rotation, end: Timestamp) -> Timestamp {
    end.checked_sub(rotation.spec.overlap + rotation.spec.retry_budget).unwrap_or(Timestamp::MIN)
}

/// Whether it was planned for this reason.
fn has_reason(rotation: &Rotation, reason: Reason) -> bool {
    serde_json::to_value(reason).is_ok_and(|word| word == rotation.reason.as_str())
}

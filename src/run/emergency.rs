//! Emergencies: what one would do, its beginning in one transaction, and the steps that are its own. Everything after
//! the beginning is carried on from the journal, by whichever process comes next.

pub mod sign_in;
mod steps;

use jiff::Timestamp;

use crate::error::Class;
use crate::error::Error;
use crate::model::Adoption;
use crate::model::AppObserved;
use crate::model::AppRef;
use crate::model::CredentialKind;
use crate::model::CredentialSpec;
use crate::model::CredentialStatus;
use crate::model::Delivery;
use crate::model::Emergency;
use crate::model::Entry;
use crate::model::Event;
use crate::model::IntegrationRecord;
use crate::model::KeyId;
use crate::model::ListedKind;
use crate::model::OldCredential;
use crate::model::Outcome;
use crate::model::Proof;
use crate::model::Rotation;
use crate::model::SlotName;
use crate::model::State;
use crate::plan;
use crate::plan::ObservedIntegration;
use crate::policy::Policy;
use crate::ports::Commit;
use crate::ports::Mark;
use crate::rotation;
use crate::run::engine::Engine;
use crate::run::ring::Entry as RingEntry;
use crate::run::ring::ring;
use crate::run::seals;
use crate::run::setup::RunError;
use crate::run::words;

/// Why an emergency was planned, in the journal.
pub const REASON: &str = "emergency";

/// What somebody asks for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Why.
    pub reason: String,
    /// Which credential of the integration.
    pub slot: Option<SlotName>,
    /// The outage of people is accepted.
    pub now: bool,
    /// Go on without a proof.
    pub force: bool,
    /// Credentials of others that leave as well.
    pub also: Vec<KeyId>,
    /// Nobody gets a token any more once the old ones are gone.
    pub disable_sign_in: bool,
}

impl Asked {
    /// Whether it asks for more than `emergency` does already; of `also` nothing is said.
    pub fn is_more_than(&self, emergency: &Emergency) -> bool {
        (self.now && !emergency.now)
            || (self.force && !emergency.force)
            || (self.disable_sign_in && !emergency.disable_sign_in)
    }
}

/// What an emergency would do.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The application.
    pub app: AppRef,
    /// The slot, with every default.
    pub spec: CredentialSpec,
    /// An emergency of this slot that is under way: it goes on.
    pub under_way: Option<Rotation>,
    /// The open rotation that it closes.
    pub closes: Option<Rotation>,
    /// What it replaces.
    pub old: Vec<OldCredential>,
    /// What leaves with it.
    pub targets: Vec<KeyId>,
    /// Every credential on the application.
    pub ring: Vec<RingEntry>,
    /// Whether the sign-in report could be read: else nobody knows when a credential was last used.
    pub usage_known: bool,
    also: Vec<OldCredential>,
    unused: Vec<KeyId>,
}

impl Engine {
    /// What an emergency of `policy` would do.
    ///
    /// # Errors
    /// `U074` when the slot must be named, `R081` when there is nothing to revoke, `R082` when `also` names what it may not,
    /// `R086` when the policy retains what would have to leave.
    pub async fn emergency_draft(&self, policy: &Policy, asked: &Asked) -> Result<Draft, RunError> {
        let spec = slot(policy, asked.slot.as_ref())?;
        let observed = self.observe(std::slice::from_ref(policy)).await?;
        let nothing = || {
            Error::new(Class::Failed, "R081", format!("{}: there is no credential to revoke", policy.name))
                .why("neither everkey's journal nor an adoption names one that is in use")
                .help(format!("see what the application has: everkey inventory; name one: --also KEYID, after everkey apply --only {}", policy.name))
        };
        let seen = observed.integrations.get(&policy.name).ok_or_else(nothing)?;
        let (Some(record), Some(app)) = (&seen.record, &seen.app) else { return Err(nothing().into()) };
        let rotations = self.ports.store.rotations(&policy.name).await?;
        let open = rotations.iter().find(|r| r.spec.slot == spec.slot && r.is_open());
        let (under_way, closes) = match open {
            Some(r) if r.emergency.is_some() => (Some(r.clone()), None),
            other => (None, other.cloned()),
        };
        let usage = {
            self.ready().await?;
            self.ports.directory.sign_in_activities().await.ok()
        };
        let adopted_by_anybody = crate::run::adoption::on(self.ports.store.as_ref(), &record.app.object_id).await?;
        let own = self.ports.store.credentials(None).await?;
        let ring = ring(app, &own, &adopted_by_anybody, usage.as_deref());
        let mut old = in_use(seen, &spec, closes.as_ref());
        let mine = plan::adopted_for(policy, &spec, &seen.adopted).map(plan::old_of);
        let adopted: Vec<OldCredential> = mine.filter(|one| !old.iter().any(|o| o.key_id == one.key_id)).collect();
        // Where nothing of ours serves the slot yet, what was adopted does: also what an open rotation has of it.
        let serves = old.iter().any(|one| !one.adopted && !one.replaced);
        if !serves {
            old.extend(adopted);
        }
        let leaves = |one: &&OldCredential| !one.adopted || !serves;
        let mut targets: Vec<KeyId> = old.iter().filter(leaves).map(|one| one.key_id.clone()).collect();
        let known = under_way.as_ref().map_or(&[][..], |r| &r.old);
        let mut also = Vec::new();
        for key_id in &asked.also {
            if !known.iter().chain(&old).any(|one| one.key_id == *key_id && targets.contains(key_id)) {
                also.push(self.named(policy, key_id, app, &own)?);
            }
        }
        for one in &also {
            targets.push(one.key_id.clone());
            old.retain(|known| known.key_id != one.key_id);
            old.push(one.clone());
        }
        if under_way.is_none() && targets.is_empty() {
            return Err(nothing().into());
        }
        if let Some(kept) = targets.iter().find(|key_id| spec.retain.contains(key_id)) {
            let what = format!("{kept} would stay: the policy retains it");
            return Err(Error::new(Class::Failed, "R086", what)
                .why("nothing removes what `retain` names, an emergency neither")
                .help("take it out of `retain` in the policy, then run the same command again; nothing was changed")
                .into());
        }
        let unused = self.unused(closes.as_ref()).await?;
        let app = record.app.clone();
        let usage_known = usage.is_some();
        Ok(Draft { app, spec, under_way, closes, old, targets, ring, usage_known, also, unused })
    }

    /// A credential that somebody names with `--also`.
    fn named(
        &self,
        policy: &Policy,
        key_id: &KeyId,
        app: &AppObserved,
        own: &[crate::model::OwnCredential],
    ) -> Result<OldCredential, Error> {
        let refused = |what: String| Error::new(Class::Failed, "R082", what);
        if let Some(own) = own.iter().find(|own| own.key_id == *key_id && own.status != CredentialStatus::Retired) {
            return Err(refused(format!("{key_id} is everkey's own, of {} ({})", own.integration, own.slot))
                .help(format!("everkey revoke {} --emergency --slot {}", own.integration, own.slot)));
        }
        let secret = app.secrets.iter().find(|entry| entry.key_id == *key_id).map(|entry| (entry.end, None));
        let certificate = app.certificates.iter().find(|entry| entry.key_id == *key_id);
        let certificate = certificate.map(|entry| (entry.end, entry.thumbprint.clone()));
        let Some((end, thumbprint)) = secret.or(certificate) else {
            return Err(refused(format!("{key_id} is not on the application of {}", policy.name))
                .help("copy the key id from the list that this command prints"));
        };
        Ok(OldCredential { key_id: key_id.clone(), end, thumbprint, hint: None, replaced: false, adopted: true })
    }

    /// Of what `closes` saved: what nobody can have seen.
    async fn unused(&self, closes: Option<&Rotation>) -> Result<Vec<KeyId>, RunError> {
        let Some((r, fresh)) = closes.and_then(|r| Some((r, r.fresh.as_ref()?))) else { return Ok(Vec::new()) };
        let only_people = r.spec.sinks.iter().all(|sink| sink.handoff().is_some());
        let opened = self.ports.store.handoffs().await?.iter().any(|h| h.rotation == r.id && h.opened.is_some());
        let delivering = matches!(r.state, State::Verified | State::Delivered);
        let nobody = r.state == State::Attached || (only_people && delivering);
        Ok(if nobody && !opened { vec![fresh.key_id.clone()] } else { Vec::new() })
    }

    /// Begins what `draft` says, or asks for more in the emergency under way. One transaction closes an open rotation
    /// and plans the emergency; from then on the journal carries it.
    pub async fn begin_emergency(&self, policy: &Policy, draft: &Draft, asked: &Asked) -> Result<Rotation, RunError> {
        let by = self.options.os_user.clone().unwrap_or_else(|| self.actor.clone());
        let mut commit = Commit::new(self.now(), &by);
        commit.marks = draft.also.iter().map(|old| self.adoption(policy, draft, old, &by, asked)).collect();
        if let Some(r) = &draft.under_way {
            if !r.emergency.as_deref().is_some_and(|known| asked.is_more_than(known) || !draft.also.is_empty()) {
                return Ok(r.clone());
            }
            let event = Event::EmergencyWidened {
                now: asked.now,
                force: asked.force,
                also: draft.also.clone(),
                disable_sign_in: asked.disable_sign_in,
            };
            return self.commit(r, &event, commit).await;
        }
        let id = self.ports.store.next_rotation(self.fence).await?;
        let emergency = Emergency {
            reason: asked.reason.clone(),
            by: by.clone(),
            closed: draft.closes.as_ref().map(|r| r.id),
            targets: draft.targets.clone(),
            unused: draft.unused.clone(),
            written: self.written(policy, draft).await?,
            now: asked.now,
            force: asked.force,
            unproven: false,
            refused: Vec::new(),
            disable_sign_in: asked.disable_sign_in,
            disabled: None,
        };
        let rotation = Rotation {
            capped: policy.app.audience.is_capped() && matches!(draft.spec.kind, CredentialKind::ClientSecret),
            reason: REASON.to_owned(),
            old: draft.old.clone(),
            emergency: Some(Box::new(emergency)),
            ..Rotation::planned(
                id,
                policy.name.clone(),
                policy.title.clone(),
                draft.app.clone(),
                draft.spec.clone(),
                self.now(),
            )
        };
        if let Some(closes) = &draft.closes {
            self.close(closes, &rotation, &mut commit).await?;
        }
        // No value of before is handed over any more, of a rotation that is over neither.
        commit.handoffs.extend(self.overtaken(&rotation).await?);
        commit.entries.push(Entry {
            integration: Some(rotation.integration.clone()),
            rotation: Some(id),
            kind: "emergency".into(),
            text: format!("EMERGENCY: {}", asked.reason),
            body: serde_json::json!({
                "by": {"claim": "user of this machine", "os_user": by}, "reason": asked.reason,
                "now": asked.now, "force": asked.force, "also": asked.also,
                "disable_sign_in": asked.disable_sign_in, "targets": draft.targets,
                "closes": draft.closes.as_ref().map(|r| r.id), "ring": draft.ring,
            }),
        });
        // An application that only a policy named so far has no record yet.
        if !self.ports.store.integrations().await?.iter().any(|record| record.name == policy.name) {
            let record = IntegrationRecord { name: policy.name.clone(), app: draft.app.clone(), consented: None };
            commit.integrations.push(record);
        }
        commit.notices.extend(self.emergency_begun(&rotation));
        commit.rotation = Some(rotation.clone());
        self.ports.store.commit(self.fence, commit).await?;
        Ok(rotation)
    }

    fn adoption(&self, policy: &Policy, draft: &Draft, old: &OldCredential, by: &str, asked: &Asked) -> Mark {
        let kind = if old.thumbprint.is_some() { ListedKind::Certificate } else { ListedKind::Secret };
        let adoption = Adoption {
            key_id: old.key_id.clone(),
            by: format!("{by}, in an emergency: {}", asked.reason),
            os_user: by.to_owned(),
            at: self.now(),
            integration: policy.name.clone(),
            credential: kind,
            end: old.end,
            thumbprint: old.thumbprint.clone(),
            hint: None,
            slot: Some(draft.spec.slot.clone()),
        };
        let name = Adoption::record(&draft.app.object_id, &old.key_id);
        Mark { name, body: serde_json::to_string(&adoption).ok() }
    }

    /// The open rotation ends here: what was intended counts as unknown, what was saved joins the old ones.
    async fn close(&self, open: &Rotation, by: &Rotation, commit: &mut Commit) -> Result<(), RunError> {
        let event = Event::SupersededByEmergency { by: by.id };
        let after = rotation::after(open, &event, self.now()).map_err(|impossible| {
            Error::new(Class::Failed, "R010", impossible.to_string())
                .help("this is a defect of everkey or a damaged store; nothing was changed. Please report it")
        })?;
        match &after.fresh {
            // Somebody may hold it: it stays in force until the emergency's guard lets it go.
            Some(fresh) => {
                let own = self.own(open, &fresh.key_id, CredentialStatus::Old).await?;
                commit.credentials.extend(own.into_iter().map(|now| match open.state {
                    State::Confirmed | State::RetireIntent => {
                        crate::model::OwnCredential { status: CredentialStatus::Current, ..now }
                    }
                    _ => now,
                }));
            }
            None => {
                let unsaved = open.attempts.last().filter(|attempt| attempt.outcome == Outcome::Open);
                commit.destroy.extend(unsaved.into_iter().flat_map(|attempt| {
                    [seals::PRIVATE_KEY, seals::PFX_PASSWORD].map(|column| seals::id(open.id, attempt.number, column))
                }));
            }
        }
        commit.entries.push(Entry {
            integration: Some(open.integration.clone()),
            rotation: Some(open.id),
            kind: "rotation".into(),
            text: words::event(&after, &event),
            body: serde_json::to_value(&event).unwrap_or_default(),
        });
        commit.closes = Some(after);
        Ok(())
    }

    /// When a value that the emergency replaces may last have been written: a delivery that was read back had its
    /// writes before that; one that is still open may have a write under way now.
    async fn written(&self, policy: &Policy, draft: &Draft) -> Result<Timestamp, RunError> {
        let mut written = Timestamp::MIN;
        for r in self.ports.store.rotations(&policy.name).await?.iter().filter(|r| r.spec.slot == draft.spec.slot) {
            let machines = r.spec.sinks.iter().filter(|sink| sink.handoff().is_none());
            let whole = machines.into_iter().all(|sink| r.deliveries.iter().any(|d| d.sink == sink.id));
            let read_back = |d: &&Delivery| matches!(d.proof, Proof::ReadBack(_));
            let last = r.deliveries.iter().filter(read_back).map(|d| d.at).max();
            written = written.max(last.unwrap_or(Timestamp::MIN));
            let may_write = matches!(r.state, State::Verified | State::SupersededUnconfirmed);
            if may_write && !whole {
                written = self.now();
            }
        }
        // A zombie of this very moment counts as one that wrote.
        Ok(if draft.closes.is_some() { self.now() } else { written.max(Timestamp::UNIX_EPOCH) })
    }
}

/// The slot that is meant.
fn slot(policy: &Policy, named: Option<&SlotName>) -> Result<CredentialSpec, Error> {
    let slots = || policy.credentials.iter().map(|spec| spec.slot.as_str()).collect::<Vec<_>>().join(", ");
    match (named, policy.credentials.as_slice()) {
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Error::new(Class::Usage, "U074", format!("{} has several credentials", policy.name))
            .help(format!("name one: --slot {}", slots()))),
        (Some(slot), all) => all.iter().find(|spec| spec.slot == *slot).cloned().ok_or_else(|| {
            Error::new(Class::Usage, "U074", format!("{} has no slot {slot}", policy.name))
                .help(format!("known: {}", slots()))
        }),
    }
}

/// Own credentials of the slot that somebody may use, and what the open rotation still has of others; without those
/// that the open rotation is removing already.
fn in_use(seen: &ObservedIntegration, spec: &CredentialSpec, closes: Option<&Rotation>) -> Vec<OldCredential> {
    let leaving = |key_id: &KeyId| closes.is_some_and(|r| r.removals.iter().any(|one| one.key_id == *key_id));
    let own = seen.own.iter().filter(|own| own.slot == spec.slot && own.status != CredentialStatus::Abandoned);
    let own = own.map(|own| OldCredential {
        key_id: own.key_id.clone(),
        end: own.end,
        thumbprint: own.thumbprint.clone(),
        hint: own.hint.clone(),
        replaced: own.status != CredentialStatus::Current,
        adopted: false,
    });
    let mut old: Vec<OldCredential> = own.filter(|one| !leaving(&one.key_id)).collect();
    let carried = closes.into_iter().flat_map(|r| &r.old).filter(|one| one.adopted && !leaving(&one.key_id));
    old.extend(carried.cloned());
    old
}

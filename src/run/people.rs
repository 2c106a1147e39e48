//! What people do: a hand-off is sealed for them, opened once, confirmed, issued again.

use jiff::SignedDuration;

use crate::error::Class;
use crate::error::Error;
use crate::model::Confirmation;
use crate::model::CredentialKind;
use crate::model::Delivery;
use crate::model::Entry;
use crate::model::Event;
use crate::model::Fresh;
use crate::model::Handoff;
use crate::model::HandoffField;
use crate::model::HandoffId;
use crate::model::HandoffSpec;
use crate::model::HandoffStatus;
use crate::model::PfxProfile;
use crate::model::Proof;
use crate::model::Rotation;
use crate::model::SealId;
use crate::model::SinkId;
use crate::model::State;
use crate::model::ValueName;
use crate::ports::Commit;
use crate::rotation::numbers::CAPPED_SLOTS;
use crate::run::act::Acted;
use crate::run::engine::Engine;
use crate::run::seals::PackError;
use crate::run::setup::RunError;
use crate::secret::Secret;

/// So long a person has in an emergency.
const URGENT: SignedDuration = SignedDuration::from_hours(1);

/// A hand-off that was opened: the sheet's lines with their values, for the doer's eyes only.
pub struct Opened {
    /// The hand-off.
    pub handoff: Handoff,
    /// Label, value (`None` where the field stays blank), whether it is binary.
    pub lines: Vec<(HandoffField, Option<Secret>)>,
}

impl Engine {
    /// S3 for a person: sealed, and the first mail journalled, in one transaction.
    pub(super) async fn seal_handoff(&self, r: &Rotation, fresh: &Fresh, sink: &SinkId, spec: &HandoffSpec) -> Acted {
        let handoff = self.new_handoff(r, fresh, sink, spec).await?;
        let delivery = Delivery { sink: sink.clone(), at: self.later(), proof: Proof::Sealed(handoff.id.clone()) };
        let mut commit = self.blank();
        commit.notices.extend(self.handoff_ready(r, &handoff));
        commit.handoffs.push(handoff);
        commit.handoffs.extend(self.overtaken(r).await?);
        self.commit(r, &Event::Delivered { delivery }, commit).await?;
        Ok(None)
    }

    /// What other rotations of the slot left waiting, closed: a value from there would soon be removed under the guard.
    pub(super) async fn overtaken(&self, r: &Rotation) -> Result<Vec<Handoff>, RunError> {
        let mut all = self.ports.store.handoffs().await?;
        all.retain(|h| h.integration == r.integration && h.slot == r.spec.slot && h.rotation != r.id && h.is_waiting());
        for handoff in &mut all {
            handoff.status = HandoffStatus::Closed;
        }
        Ok(all)
    }

    async fn new_handoff(
        &self,
        r: &Rotation,
        fresh: &Fresh,
        sink: &SinkId,
        spec: &HandoffSpec,
    ) -> Result<Handoff, RunError> {
        let number = self.ports.store.next_handoff(self.fence).await?;
        let now = self.now();
        let urgent = r.emergency.is_some();
        let now_gone = r.emergency.as_ref().is_some_and(|emergency| emergency.now);
        Ok(Handoff {
            id: HandoffId(format!("h-{number:04}")),
            integration: r.integration.clone(),
            title: r.title.clone(),
            slot: r.spec.slot.clone(),
            rotation: r.id,
            sink: sink.clone(),
            key_id: fresh.key_id.clone(),
            word: r.spec.kind.word().to_owned(),
            app: r.app.clone(),
            doer: spec.doer.clone(),
            recipient_name: spec.recipient_name.clone(),
            place: spec.place.clone(),
            via: spec.via,
            ticket_text: spec.ticket_text.clone(),
            fields: spec.fields.clone(),
            seals: fresh.seals.clone(),
            created: now,
            due: if urgent { now + URGENT } else { self.handoff_due(r, spec, now) },
            old_end: if now_gone { Some(now) } else { r.old_end() },
            new_end: fresh.end,
            opened: None,
            status: HandoffStatus::Waiting,
        })
    }

    /// A person's act. The name is stated, not proven; who started everkey is known to the operating system.
    fn said(&self, handoff: &Handoff, text: &str) -> Entry {
        Entry {
            integration: Some(handoff.integration.clone()),
            rotation: Some(handoff.rotation),
            kind: "handoff".into(),
            text: text.to_owned(),
            body: serde_json::json!({"by": {"claim": "stated", "os_user": self.options.os_user}}),
        }
    }

    async fn handoff(&self, id: &HandoffId) -> Result<Handoff, RunError> {
        let all = self.ports.store.handoffs().await?;
        all.into_iter().find(|handoff| handoff.id == *id).ok_or_else(|| {
            Error::new(Class::Failed, "H010", format!("there is no hand-off {id}"))
                .help("list them with `everkey handoff list`")
                .into()
        })
    }

    /// The rotation behind a hand-off and what is handed over, which must be on the application still: somebody may have
    /// removed it, or the journal is an older one, and whoever installs its value would put it over one that works.
    async fn handed(&self, handoff: &Handoff) -> Result<(Rotation, Fresh), RunError> {
        let id = &handoff.id;
        let rotation = self.ports.store.rotation(handoff.rotation).await?.ok_or_else(|| no_longer_kept(id))?;
        let own = self.ports.store.credentials(Some(&handoff.integration)).await?;
        let own = own.into_iter().find(|own| own.key_id == handoff.key_id).ok_or_else(|| no_longer_kept(id))?;
        let fresh = Fresh::from(own);
        if !self.is_listed(&rotation, &fresh).await? {
            let renewable = is_renewable(&rotation);
            let anew = if renewable {
                format!("handoff reissue {id} --fresh")
            } else {
                format!("rotate {}", handoff.integration)
            };
            return Err(Error::new(Class::Failed, "H016", format!("the {} of {id} is gone from Entra", handoff.word))
                .why("the application does not list it: somebody removed it, or the store is an older copy of itself")
                .help(format!(
                    "hand nothing over. If it is minutes old, ask again shortly; else make a new one: everkey {anew}"
                ))
                .into());
        }
        Ok((rotation, fresh))
    }

    /// Opens a hand-off: shows the values once, to `by`, and says so in the history before they are shown.
    ///
    /// # Errors
    /// `H010` no such hand-off; `H011` opened already; `H012` void, closed, or its value is no longer kept; `H016` gone from
    /// Entra.
    pub async fn open_handoff(&self, id: &HandoffId, by: &str) -> Result<Opened, RunError> {
        let mut handoff = self.handoff(id).await?;
        if let Some((at, who)) = &handoff.opened {
            return Err(Error::new(Class::Failed, "H011", format!("{id} was opened already"))
                .why(format!("by {who}, {}", at.strftime("%Y-%m-%d %H:%M UTC")))
                .help(format!("if it was lost: everkey handoff reissue {id}"))
                .into());
        }
        if let HandoffStatus::Void { by } = &handoff.status {
            return Err(Error::new(Class::Failed, "H012", format!("{id} is void"))
                .help(format!("its place was taken by {by}: everkey handoff open {by}"))
                .into());
        }
        if handoff.status == HandoffStatus::Closed {
            return Err(Error::new(
                Class::Failed,
                "H012",
                format!("{id} is closed: its value was replaced or has ended"),
            )
            .help("see which one waits: everkey handoff list")
            .into());
        }
        let (rotation, fresh) = self.handed(&handoff).await?;
        let wanted: Vec<ValueName> = handoff.fields.iter().filter_map(|field| field.value).collect();
        let packed = self.packer().pack(&rotation, &fresh, &wanted, PfxProfile::Modern).await;
        let payload = match packed {
            Ok(payload) => payload,
            Err(PackError::Store(_)) => return Err(no_longer_kept(id)),
            Err(PackError::Port(error)) => return Err(RunError::port("open the hand-off")(error)),
        };
        let now = self.now();
        handoff.opened = Some((now, by.to_owned()));
        let mut commit = Commit::new(now, by);
        commit.entries.push(self.said(&handoff, &format!("opened hand-off {id}")));
        commit.handoffs.push(handoff.clone());
        self.ports.store.commit(self.fence, commit).await?;
        let mut values = payload.values;
        let lines = handoff
            .fields
            .iter()
            .map(|field| (field.clone(), field.value.and_then(|name| values.get_mut(&name).map(|v| v.duplicate()))))
            .collect();
        Ok(Opened { handoff, lines })
    }

    /// Records that the recipient uses it, on the word of `by`. Never shortens what leaves at its own end.
    ///
    /// # Errors
    /// `H010`; `H012` when it is void; `H013` when it was never opened: nobody can have handed it over.
    pub async fn confirm_handoff(&self, id: &HandoffId, by: &str) -> Result<Handoff, RunError> {
        let mut handoff = self.handoff(id).await?;
        match &handoff.status {
            HandoffStatus::Confirmed { .. } => return Ok(handoff),
            HandoffStatus::Void { by } => {
                return Err(Error::new(Class::Failed, "H012", format!("{id} is void"))
                    .help(format!("its place was taken by {by}: confirm that one"))
                    .into());
            }
            HandoffStatus::Waiting | HandoffStatus::Closed => {}
        }
        if handoff.opened.is_none() {
            return Err(Error::new(Class::Failed, "H013", format!("{id} was never opened"))
                .why("nobody can have handed over a value that nobody has seen")
                .help(format!("everkey handoff open {id}"))
                .into());
        }
        let now = self.now();
        let waited = handoff.is_waiting();
        handoff.status = HandoffStatus::Confirmed { at: now, by: by.to_owned() };
        let mut commit = Commit::new(now, by);
        commit.handoffs.push(handoff.clone());
        commit.entries.push(self.said(&handoff, &format!("confirmed hand-off {id}")));
        let rotation = self.ports.store.rotation(handoff.rotation).await?;
        match rotation {
            Some(r) if matches!(r.state, State::Verified | State::Delivered) => {
                let confirmation = Confirmation {
                    sink: Some(handoff.sink.clone()),
                    handoff: Some(id.clone()),
                    at: self.later(),
                    evidence: format!("{by} says that {} uses it ({id})", handoff.recipient_name),
                };
                self.commit(&r, &Event::EvidenceSeen { confirmation }, commit).await?;
            }
            // Superseded or further: the word ends reminders, and in an emergency the value is not kept any longer.
            r => {
                if let Some(r) = r.filter(|r| waited && is_over_but_for(r, &handoff)) {
                    commit.destroy.extend(self.carried_seals(&r, id).await?);
                }
                self.ports.store.commit(self.fence, commit).await?;
            }
        }
        Ok(handoff)
    }

    /// What is kept of a secret that only people carry, once the hand-off `last` was the last to be confirmed.
    async fn carried_seals(&self, r: &Rotation, last: &HandoffId) -> Result<Vec<SealId>, RunError> {
        let carried = r.spec.sinks.iter().all(|sink| sink.handoff().is_some());
        let handoffs = self.ports.store.handoffs().await?;
        let open = handoffs.iter().any(|h| h.rotation == r.id && h.id != *last && h.is_waiting());
        if open || !carried || r.spec.kind != CredentialKind::ClientSecret {
            return Ok(Vec::new());
        }
        Ok(r.fresh.iter().flat_map(|fresh| fresh.seals.iter().cloned()).collect())
    }

    /// A new link to the same sealed value; the old receipt is void.
    ///
    /// # Errors
    /// `H010` no such hand-off; `H012` reissued or closed already; `H015` confirmed; `H016` gone from Entra.
    pub async fn reissue_handoff(&self, id: &HandoffId, by: &str) -> Result<Handoff, RunError> {
        let mut old = self.handoff(id).await?;
        if let HandoffStatus::Void { by } = &old.status {
            return Err(Error::new(Class::Failed, "H012", format!("{id} was reissued already, as {by}"))
                .help(format!("everkey handoff open {by}"))
                .into());
        }
        if let HandoffStatus::Confirmed { at, by } = &old.status {
            return Err(Error::new(Class::Failed, "H015", format!("{id} is confirmed: nothing is left to hand over"))
                .why(format!("{by} said on {} that it is used", at.strftime("%Y-%m-%d")))
                .help(format!("if it does not work after all, make a new one: everkey rotate {}", old.integration))
                .into());
        }
        if old.status == HandoffStatus::Closed {
            return Err(Error::new(
                Class::Failed,
                "H012",
                format!("{id} is closed: its value was replaced or has ended"),
            )
            .help("see which one waits: everkey handoff list")
            .into());
        }
        let (r, _) = self.handed(&old).await?;
        let number = self.ports.store.next_handoff(self.fence).await?;
        let now = self.now();
        let new = Handoff {
            id: HandoffId(format!("h-{number:04}")),
            created: now,
            opened: None,
            status: HandoffStatus::Waiting,
            ..old.clone()
        };
        old.status = HandoffStatus::Void { by: new.id.clone() };
        let mut commit = Commit::new(now, by);
        commit.entries.push(self.said(&new, &format!("reissued hand-off {id} as {}", new.id)));
        commit.handoffs = vec![old.clone(), new.clone()];
        commit.notices.extend(self.handoff_ready(&r, &new));
        if is_renewable(&r) {
            let delivery = Delivery { sink: old.sink.clone(), at: self.later(), proof: Proof::Sealed(new.id.clone()) };
            let event = Event::ReceiptVoided { handoff: id.clone(), delivery };
            self.commit(&r, &event, commit).await?;
        } else {
            self.ports.store.commit(self.fence, commit).await?;
        }
        Ok(new)
    }

    /// A new value in the place of one that was lost; the lost one leaves under the guard.
    ///
    /// # Errors
    /// `H014` when the rotation is over, or both slots of a capped audience are in use.
    pub async fn renew_handoff(&self, id: &HandoffId, by: &str) -> Result<(), RunError> {
        let old = self.handoff(id).await?;
        let rotation = self.ports.store.rotation(old.rotation).await?;
        let open = rotation.filter(is_renewable);
        let Some(r) = open else {
            return Err(Error::new(Class::Failed, "H014", format!("the rotation behind {id} is over"))
                .help(format!("start a new one: everkey rotate {}", old.integration))
                .into());
        };
        let is_full = r.capped && r.spec.kind == CredentialKind::ClientSecret && !r.old.is_empty();
        // What is gone from Entra has left its slot.
        let holds_slot = match &r.fresh {
            Some(fresh) if is_full => self.is_listed(&r, fresh).await?,
            _ => is_full,
        };
        if holds_slot {
            return Err(Error::new(Class::Failed, "H014", "both secrets of this application are in use")
                .why(format!("its audience allows {CAPPED_SLOTS}"))
                .help(format!("show the same value again: everkey handoff reissue {id}"))
                .into());
        }
        let mut commit = Commit::new(self.now(), by);
        let voided = self.ports.store.handoffs().await?.into_iter().filter(|h| h.rotation == r.id && h.is_waiting());
        for mut handoff in voided {
            handoff.status = HandoffStatus::Closed;
            commit.handoffs.push(handoff);
        }
        commit.entries.push(self.said(&old, &format!("asked for a new value in place of {id}")));
        // It stays attached and journal-live until the guard lets it go.
        if let Some(fresh) = &r.fresh {
            commit.credentials = self.own(&r, &fresh.key_id, crate::model::CredentialStatus::Old).await?;
        }
        self.commit(&r, &Event::Renewed, commit).await?;
        Ok(())
    }
}

/// Whether a new value can take the place of what `r` issued: it is not over yet.
fn is_renewable(r: &Rotation) -> bool {
    matches!(r.state, State::Verified | State::Delivered | State::Confirmed)
}

/// Whether an emergency needs the value of `handoff` no longer once that is confirmed: it is the one that was proven, and
/// delivered. A value issued afresh since is another.
fn is_over_but_for(r: &Rotation, handoff: &Handoff) -> bool {
    let carries = r.fresh.as_ref().is_some_and(|fresh| fresh.key_id == handoff.key_id);
    let past = matches!(
        r.state,
        State::Confirmed | State::RetireIntent | State::Trailing | State::Done | State::SupersededUnconfirmed
    );
    r.emergency.is_some() && carries && past
}

fn no_longer_kept(id: &HandoffId) -> RunError {
    Error::new(Class::Failed, "H012", format!("the value of {id} is no longer kept"))
        .why("it was confirmed or has been replaced, and then its sealed copy is destroyed")
        .help("make a new one: everkey rotate NAME")
        .into()
}

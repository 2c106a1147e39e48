//! What a store in memory holds, and the rules under which it changes: those of `journal/write.rs`, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::Acknowledgement;
use crate::model::AppRef;
use crate::model::ChainLink;
use crate::model::Entry;
use crate::model::Handoff;
use crate::model::IntegrationName;
use crate::model::IntegrationRecord;
use crate::model::KeyId;
use crate::model::OwnCredential;
use crate::model::Recorded;
use crate::model::Rotation;
use crate::model::RotationId;
use crate::model::SealId;
use crate::ports::Commit;
use crate::ports::Fence;
use crate::ports::Outgoing;
use crate::ports::StoreError;
use crate::secret::Secret;
use crate::store::chain::GENESIS;
use crate::store::chain::Link;
use crate::store::record;

/// A hold on the store: the handle, who, since when.
type Holder = Option<(u64, String, Timestamp)>;

/// An entry and the state and version of the rotation committed with it.
#[derive(Clone)]
pub(super) struct Line {
    at: Timestamp,
    actor: String,
    entry: Entry,
    moved: Option<(crate::model::State, u64)>,
}

#[derive(Clone)]
pub(super) struct State {
    epoch: u64,
    handles: u64,
    hold: Holder,
    leader: Holder,
    pub(super) last_rotation: u64,
    pub(super) last_handoff: u64,
    pub(super) history: Vec<Line>,
    pub(super) sealed: BTreeMap<SealId, (AppRef, Arc<Secret>)>,
    pub(super) acknowledgements: Vec<Acknowledgement>,
    pub(super) credentials: Vec<OwnCredential>,
    pub(super) handoffs: Vec<Handoff>,
    pub(super) integrations: BTreeMap<IntegrationName, IntegrationRecord>,
    pub(super) marks: BTreeMap<String, String>,
    pub(super) outbox: Vec<Outgoing>,
    pub(super) rotations: BTreeMap<RotationId, Rotation>,
    pub(super) sign_ins: Vec<(KeyId, Timestamp, Option<String>)>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            epoch: 0,
            handles: 1,
            hold: None,
            leader: None,
            last_rotation: 0,
            last_handoff: 0,
            history: Vec::new(),
            sealed: BTreeMap::new(),
            acknowledgements: Vec::new(),
            credentials: Vec::new(),
            handoffs: Vec::new(),
            integrations: BTreeMap::new(),
            marks: BTreeMap::new(),
            outbox: Vec::new(),
            rotations: BTreeMap::new(),
            sign_ins: Vec::new(),
        }
    }

    pub(super) fn next_handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// No epoch up to `epoch` is ever given again.
    pub(super) fn beyond(&mut self, epoch: u64) {
        self.epoch = self.epoch.max(epoch) + 1;
    }

    /// Numbers that a lost journal may have given are left out.
    pub(super) fn skip_numbers(&mut self, by: u64) {
        self.last_rotation += by;
        self.last_handoff += by;
        for rotation in self.rotations.values_mut().filter(|rotation| !rotation.is_finished()) {
            let known = rotation.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0);
            rotation.forgotten = known.max(rotation.forgotten).saturating_add(u32::try_from(by).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn let_go(&mut self) {
        self.hold = None;
        self.leader = None;
    }

    /// A handle goes away, and what it held with it.
    pub(super) fn forget(&mut self, handle: u64) {
        let mine = |holder: &mut (u64, String, Timestamp)| holder.0 == handle;
        self.hold.take_if(mine);
        self.leader.take_if(mine);
    }

    pub(super) fn acquire(&mut self, handle: u64, holder: &str, now: Timestamp) -> Result<Fence, StoreError> {
        refuse_second(&self.hold)?;
        self.hold = Some((handle, holder.to_owned(), now));
        self.epoch += 1;
        Ok(Fence(self.epoch))
    }

    pub(super) fn lead(&mut self, handle: u64, holder: &str, now: Timestamp) -> Result<(), StoreError> {
        refuse_second(&self.leader)?;
        self.leader = Some((handle, holder.to_owned(), now));
        Ok(())
    }

    pub(super) fn release(&mut self, fence: Fence) -> Result<(), StoreError> {
        self.check(fence)?;
        self.hold = None;
        self.epoch += 1;
        Ok(())
    }

    pub(super) fn check(&self, fence: Fence) -> Result<(), StoreError> {
        if fence.0 == self.epoch { Ok(()) } else { Err(StoreError::Fenced) }
    }

    pub(super) fn next_rotation(&mut self) -> u64 {
        self.last_rotation += 1;
        self.last_rotation
    }

    pub(super) fn next_handoff(&mut self) -> u64 {
        self.last_handoff += 1;
        self.last_handoff
    }

    /// All of `commit`, or nothing: everything that may refuse is asked before anything is changed.
    pub(super) fn commit(&mut self, commit: Commit) -> Result<(), StoreError> {
        // What is closed frees its slot within the same commit.
        let closed = commit.closes.as_ref().filter(|rotation| !rotation.is_open()).map(|rotation| rotation.id);
        for rotation in commit.closes.iter().chain(&commit.rotation) {
            self.check_rotation(rotation, closed)?;
        }
        self.check_seals(&commit)?;
        for id in &commit.destroy {
            self.sealed.remove(id);
        }
        for item in commit.seal {
            self.sealed.insert(item.id, (item.app, Arc::new(item.value)));
        }
        for credential in commit.credentials {
            let same = |own: &&mut OwnCredential| {
                own.key_id == credential.key_id
                    && own.app.object_id == credential.app.object_id
                    && own.app.tenant_id == credential.app.tenant_id
            };
            match self.credentials.iter_mut().find(same) {
                Some(known) => *known = credential,
                None => self.credentials.push(credential),
            }
        }
        for handoff in commit.handoffs {
            match self.handoffs.iter_mut().find(|known| known.id == handoff.id) {
                Some(known) => *known = handoff,
                None => self.handoffs.push(handoff),
            }
        }
        for notice in commit.notices {
            if !self.outbox.iter().any(|known| known.notice.key == notice.key) {
                self.outbox.push(Outgoing { notice, created: commit.at, sent: None, tries: 0 });
            }
        }
        self.integrations.extend(commit.integrations.into_iter().map(|one| (one.name.clone(), one)));
        self.acknowledgements.extend(commit.acknowledgements);
        self.sign_ins.extend(commit.sign_ins);
        for mark in commit.marks {
            match mark.body {
                Some(body) => drop(self.marks.insert(mark.name, body)),
                None => drop(self.marks.remove(&mark.name)),
            }
        }
        let both = || commit.rotation.iter().chain(&commit.closes);
        let moved: Vec<_> = both().map(|r| (r.id, r.state, r.version)).collect();
        for entry in commit.entries {
            let moved = moved.iter().find(|(id, ..)| entry.rotation == Some(*id));
            let moved = moved.map(|(_, state, version)| (*state, *version));
            self.history.push(Line { at: commit.at, actor: commit.actor.clone(), entry, moved });
        }
        for rotation in commit.closes.into_iter().chain(commit.rotation) {
            self.rotations.insert(rotation.id, rotation);
        }
        Ok(())
    }

    fn check_rotation(&self, rotation: &Rotation, closed: Option<RotationId>) -> Result<(), StoreError> {
        match self.rotations.get(&rotation.id) {
            None if rotation.version == 1 => {}
            Some(known) if known.version + 1 == rotation.version => {}
            _ => return Err(StoreError::Fenced),
        }
        let rival = self.rotations.values().find(|other| {
            other.id != rotation.id
                && Some(other.id) != closed
                && other.is_open()
                && other.app.object_id == rotation.app.object_id
                && other.integration == rotation.integration
                && other.spec.slot == rotation.spec.slot
        });
        match rival.filter(|_| rotation.is_open()) {
            Some(_) => Err(StoreError::Failed(format!(
                "slot {} of {} has another open rotation (I4): {} was not written",
                rotation.spec.slot, rotation.integration, rotation.id
            ))),
            None => Ok(()),
        }
    }

    fn check_seals(&self, commit: &Commit) -> Result<(), StoreError> {
        for (at, item) in commit.seal.iter().enumerate() {
            let twice = commit.seal[..at].iter().any(|other| other.id == item.id);
            let there = self.sealed.contains_key(&item.id) && !commit.destroy.contains(&item.id);
            if twice || there {
                return Err(StoreError::Failed(format!(
                    "sealed value {} is in the store already: nothing was written",
                    item.id
                )));
            }
        }
        Ok(())
    }

    pub(super) fn unseal(&self, id: &SealId, app: &AppRef) -> Result<Secret, StoreError> {
        let (of, value) = self.sealed.get(id).ok_or_else(|| {
            StoreError::Failed(format!("sealed value {id} is not in the store: it was destroyed, or never sealed"))
        })?;
        let bound = (&of.tenant_id, &of.object_id) == (&app.tenant_id, &app.object_id);
        if bound { Ok(value.duplicate()) } else { Err(StoreError::Unseal(id.clone())) }
    }

    pub(super) fn mark_sent(&mut self, key: &str, at: Timestamp) -> Result<(), StoreError> {
        let waiting = self.outbox.iter_mut().find(|one| one.notice.key == key).ok_or_else(|| unknown(key))?;
        if waiting.sent.is_some() {
            return Ok(());
        }
        waiting.sent = Some(at);
        waiting.tries += 1;
        let entry = record::mail_sent(&waiting.notice);
        self.history.push(Line { at, actor: "everkey".to_owned(), entry, moved: None });
        Ok(())
    }

    pub(super) fn mark_failed(&mut self, key: &str) -> Result<(), StoreError> {
        let waiting = self.outbox.iter_mut().find(|one| one.notice.key == key).ok_or_else(|| unknown(key))?;
        waiting.tries += u32::from(waiting.sent.is_none());
        Ok(())
    }

    /// The chain is computed when it is asked for: nobody reads it between two steps.
    fn chain(&self) -> Result<Vec<(Link, String)>, StoreError> {
        let mut previous = GENESIS.to_owned();
        let mut chain = Vec::with_capacity(self.history.len());
        for (seq, line) in (1..).zip(&self.history) {
            let link = Link {
                seq,
                at: line.at.to_string(),
                actor: line.actor.clone(),
                integration: line.entry.integration.as_ref().map(|name| name.0.clone()),
                rotation: line.entry.rotation.map(|id| record::signed(id.0)).transpose()?,
                state: line.moved.map(|(state, _)| record::name("a rotation's state", &state)).transpose()?,
                version: line.moved.map(|(_, version)| record::signed(version)).transpose()?,
                kind: line.entry.kind.clone(),
                text: line.entry.text.clone(),
                body: record::write("a history entry", &line.entry.body)?,
            };
            previous = link.hash(&previous);
            chain.push((link, previous.clone()));
        }
        Ok(chain)
    }

    pub(super) fn history(&self) -> Result<Vec<Recorded>, StoreError> {
        let recorded = |(line, (link, hash)): (&Line, (Link, String))| {
            let (at, actor, entry) = (line.at, line.actor.clone(), line.entry.clone());
            Ok(Recorded { seq: record::unsigned("the history", link.seq)?, at, actor, entry, hash })
        };
        self.history.iter().zip(self.chain()?).map(recorded).collect()
    }

    pub(super) fn links(&self, first: u64, last: u64) -> Result<Vec<ChainLink>, StoreError> {
        let span = record::signed(first)?..=record::signed(last)?;
        let chain = self.chain()?.into_iter().filter(|(link, _)| span.contains(&link.seq));
        Ok(chain.map(|(link, hash)| link.shown(hash)).collect())
    }
}

fn refuse_second(holder: &Holder) -> Result<(), StoreError> {
    match holder {
        Some((_, holder, since)) => Err(StoreError::Held { holder: holder.clone(), since: *since }),
        None => Ok(()),
    }
}

fn unknown(key: &str) -> StoreError {
    StoreError::Failed(format!("no notice has the key {key}"))
}

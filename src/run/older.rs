//! An older journal in the place of the store, and no word of it (a snapshot of the machine, a tool of the database server,
//! `cp`): what Entra shows beyond its counters is in use. It is left alone for ever, and its numbers are not given again.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::model::AppObserved;
use crate::model::AppRef;
use crate::model::Delivery;
use crate::model::Event;
use crate::model::IntegrationName;
use crate::model::ObjectId;
use crate::model::OwnCredential;
use crate::model::Proof;
use crate::model::Rotation;
use crate::model::RotationId;
use crate::model::State;
use crate::ports::Mark;
use crate::ports::PortError;
use crate::rotation::Mutation;
use crate::rotation::orphan;
use crate::rotation::orphan::Beyond;
use crate::rotation::orphan::Orphan;
use crate::run::deliver::shows_delivered;
use crate::run::engine::Engine;
use crate::run::explain;
use crate::run::provision::entry;
use crate::run::setup::RunError;

/// Records of the rotations that an application shows and the journal has forgotten.
const MARKS: &str = "beyond/";

/// More numbers were never given between two backups that anybody would restore, each restore's own ones included; a
/// greater one is somebody's joke, and only stops the sweep.
const MOST_SKIPPED: u64 = 10_000;

/// A credential that was made longer ago than this is missing from no stale read.
const LONG_CURRENT: SignedDuration = SignedDuration::from_hours(2);

impl Engine {
    /// Whether `seen` shows what the journal's counters know nothing of. Then the counters are moved beyond it, so that what
    /// comes next cannot be taken for what is there; nothing is swept in this look.
    pub(super) async fn is_rolled_back(
        &self,
        name: &IntegrationName,
        seen: &AppObserved,
        rotations: &[Rotation],
    ) -> Result<bool, RunError> {
        if self.options.rules.breaks(Mutation::BeyondUnnoticed) {
            return Ok(false);
        }
        let store = self.ports.store.as_ref();
        let mark = format!("{MARKS}{}", seen.object_id);
        let marks = store.marks(&mark).await?;
        let forgotten = marks.iter().filter_map(|mark| mark.body.as_deref()?.parse().ok()).map(RotationId).max();
        let unfinished = store.unfinished().await?.iter().map(|r| r.id).max();
        let newest = rotations.iter().map(|r| r.id).max().max(unfinished).max(forgotten);
        let beyond = orphan::beyond(&store.instance(), newest, rotations, seen);
        if beyond == Beyond::default() {
            return Ok(false);
        }
        // A PATCH of the lost journal may be under way, which this one does not know. Not for what is left as it is: it
        // would be noticed, and waited for, again and again.
        let noticed = || Mark { name: noticed_at(&seen.object_id), body: Some(self.later().to_string()) };
        for (id, up_to) in beyond.attempts {
            let Some(rotation) = rotations.iter().find(|r| r.id == id) else { continue };
            let last =
                rotation.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0).max(rotation.forgotten);
            if u64::from(up_to - last) <= MOST_SKIPPED {
                let mut commit = self.blank();
                commit.marks.push(noticed());
                self.commit(rotation, &Event::AttemptsForgotten { up_to }, commit).await?;
            }
        }
        let Some(RotationId(last)) = beyond.rotation else { return Ok(true) };
        let text = "a tag of this store that its journal does not know: restored or rolled back; nothing is removed";
        let mut commit = self.blank();
        commit.entries.push(entry(name, "sweep", text));
        // The counter serves all integrations: it may be far beyond the newest of this one.
        let mut given = store.next_rotation(self.fence).await?.0;
        if last.saturating_sub(given) <= MOST_SKIPPED {
            while given < last {
                given = store.next_rotation(self.fence).await?.0;
            }
            commit.marks.push(Mark { name: mark, body: Some(last.to_string()) });
            commit.marks.push(noticed());
        }
        store.commit(self.fence, commit).await?;
        Ok(true)
    }

    /// The look before a first issuance, of which no earlier look of this tick knew: the journal may be one from before all
    /// others, and would give the numbers of what is in use a second time.
    pub(super) async fn look_first(&self, name: &IntegrationName, app: &AppRef) -> Result<(), RunError> {
        match self.ports.directory.application(&app.object_id).await {
            Ok(read) => {
                self.far.note(read.date);
                self.is_rolled_back(name, &read.value, &self.ports.store.rotations(name).await?).await.map(drop)
            }
            // It was made a moment ago: nothing is on it.
            Err(PortError::Missing(_)) => Ok(()),
            Err(error) => Err(explain::explain(&error, "read the application").into()),
        }
    }

    /// Whether the journal may be an older one although its counters say nothing (a copy taken between an intent and its
    /// answer): its current credential is gone, or a sink shows what it never delivered. Then what looks like an orphan may
    /// be what is in use: it is left alone, for ever where there is no other explanation.
    pub(super) async fn may_be_older(
        &self,
        name: &IntegrationName,
        seen: &AppObserved,
        rotations: &[Rotation],
        orphans: &[Orphan],
    ) -> Result<bool, RunError> {
        if self.options.rules.breaks(Mutation::SweepOlder) {
            return Ok(false);
        }
        // A sink that is being written shows what is not recorded yet.
        if rotations.iter().any(|r| r.state == State::Verified) {
            return Ok(true);
        }
        let own = self.ports.store.credentials(Some(name)).await?;
        let now = self.now();
        let settled = |own: &OwnCredential| now.duration_since(own.start) > LONG_CURRENT;
        let gone: Vec<&OwnCredential> = orphan::current_gone(&own, rotations, seen).collect();
        let is_older = gone.iter().any(|own| settled(own))
            || match self.shown_last(rotations).await {
                Some(Last::Delivered) => false,
                Some(Last::Unknown) => true,
                // A write that was late, or a person who put it back: it is delivered again, and looked at then. An older
                // journal has delivered nothing since the attempt.
                Some(Last::Former) if orphans.iter().all(|orphan| is_delivered_since(rotations, orphan)) => {
                    return Ok(true);
                }
                Some(Last::Unrecorded) => return Ok(true),
                Some(Last::Former) => true,
                // It may show what the journal has forgotten: nothing is swept until it can be read.
                None => return Ok(true),
            };
        if is_older {
            for orphan in orphans {
                let Some(rotation) = self.ports.store.rotation(orphan.rotation).await? else { continue };
                if rotation.forgotten < orphan.attempt {
                    let event = Event::AttemptsForgotten { up_to: orphan.attempt };
                    self.commit(&rotation, &event, self.blank()).await?;
                }
            }
        }
        Ok(is_older)
    }

    /// What the sinks show, the strangest of it; `None` when one cannot be read.
    async fn shown_last(&self, rotations: &[Rotation]) -> Option<Last> {
        let mut last = Last::Delivered;
        let all = || rotations.iter().flat_map(|r| r.deliveries.iter().chain(&r.former));
        let slots: BTreeSet<_> = rotations.iter().map(|r| &r.spec.slot).collect();
        for slot in slots {
            let read_back = |one: &Delivery| matches!(one.proof, Proof::ReadBack(_));
            let delivers = |r: &&Rotation| r.deliveries.iter().chain(&r.former).any(read_back);
            let Some(latest) = rotations.iter().filter(|r| r.spec.slot == *slot).rfind(delivers) else { continue };
            let mut latest = latest.clone();
            // A value that was made anew stands there until the next one is delivered.
            for former in std::mem::take(&mut latest.former).into_iter().rev() {
                if latest.deliveries.iter().all(|one| one.sink != former.sink) {
                    latest.deliveries.push(former);
                }
            }
            let of_slot = || rotations.iter().filter(|r| r.spec.slot == *slot);
            let newest = of_slot().map(|r| r.id).max();
            // What an emergency closed. The newest one itself may be what an older journal makes anew.
            let closed = || of_slot().filter(|r| r.id > latest.id && Some(r.id) < newest);
            for one in self.shown(&latest).await.ok()? {
                let shows = one.shows.as_ref();
                let is_former = || all().any(|it| it.sink == one.delivery.sink && shows_delivered(shows, it));
                last = last.max(match shows_delivered(shows, &one.delivery) {
                    true => Last::Delivered,
                    false if is_former() => Last::Former,
                    false if closed().any(|r| may_have_written(r, &one.delivery)) => Last::Unrecorded,
                    false => Last::Unknown,
                });
            }
        }
        Some(last)
    }
}

/// The record of when the journal was last seen to be an older one, by what an application shows.
pub(super) fn noticed_at(app: &ObjectId) -> String {
    format!("older/{app}")
}

/// Whether the journal has delivered something since it started the attempt that made `orphan`.
fn is_delivered_since(rotations: &[Rotation], orphan: &Orphan) -> bool {
    let Some(rotation) = rotations.iter().find(|r| r.id == orphan.rotation) else { return false };
    let Some(attempt) = rotation.attempts.iter().find(|one| one.number == orphan.attempt) else { return false };
    let of_slot = rotations.iter().filter(|r| r.spec.slot == rotation.spec.slot);
    of_slot.flat_map(|r| &r.deliveries).any(|delivery| delivery.at > attempt.started)
}

/// Whether `r` has a value that it may have written where `delivery` went, and no record of it.
fn may_have_written(r: &Rotation, delivery: &Delivery) -> bool {
    let is_here = |one: &Delivery| one.sink == delivery.sink;
    let has_sink = r.spec.sinks.iter().any(|sink| sink.id == delivery.sink);
    has_sink && r.fresh.is_some() && !r.deliveries.iter().chain(&r.former).any(is_here)
}

/// What a sink shows, of what the journal knows.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Last {
    /// What was delivered to it last.
    Delivered,
    /// What was delivered to it before that.
    Former,
    /// Perhaps what a rotation wrote that was broken off before the write was on record: the next delivery ends it.
    Unrecorded,
    /// What the journal never delivered.
    Unknown,
}

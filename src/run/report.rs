//! Asks the sign-in report: does the consumer use the new key, and is the old one quiet?

use std::borrow::Cow;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::Confirmation;
use crate::model::Event;
use crate::model::Rotation;
use crate::model::SinkSpec;
use crate::rotation::Mutation;
use crate::rotation::evidence::Activity;
use crate::rotation::evidence::Report;
use crate::rotation::evidence::Verdict;
use crate::run::act::Acted;
use crate::run::engine::Engine;
use crate::run::setup::RunError;

/// The report lags by hours: no need to ask more often.
const ASK_AGAIN: SignedDuration = SignedDuration::from_hours(6);

impl Engine {
    /// S4 by `sign-in-report`.
    pub(super) async fn ask_report(&self, r: &Rotation) -> Acted {
        let later = self.now() + ASK_AGAIN;
        let Some(report) = self.report(r).await? else { return Ok(Some(later)) };
        let rules = self.options.rules;
        match report.verdict(&self.reported(r), self.now()) {
            Some(Verdict::Confirmed) => {}
            Some(Verdict::OldInUse(..) | Verdict::TooEarly(_)) if rules.breaks(Mutation::ReportNewUsedAlone) => {}
            Some(Verdict::OldInUse(_, until) | Verdict::TooEarly(until)) => return Ok(Some(until.max(later))),
            Some(Verdict::NewUnused) | None => return Ok(Some(later)),
        }
        // Without a declared interval the report alone never confirms what a person carries: somebody trying the
        // new value by hand is not the consumer.
        let declared = r.spec.confirm.consumer_use_interval.is_some();
        let covered = |sink: &&SinkSpec| sink.handoff().is_none() || declared;
        let handoffs = self.ports.store.handoffs().await?;
        let mut r = r.clone();
        let mut confirmed = false;
        for sink in r.spec.sinks.clone().iter().filter(covered) {
            let handoff = handoffs.iter().rfind(|h| h.rotation == r.id && h.sink == sink.id && h.is_waiting());
            let mut commit = self.blank();
            if let Some(handoff) = handoff {
                let mut handoff = handoff.clone();
                handoff.status = crate::model::HandoffStatus::Confirmed { at: self.now(), by: "sign-in report".into() };
                commit.handoffs.push(handoff);
            }
            let confirmation = Confirmation {
                sink: Some(sink.id.clone()),
                handoff: handoff.map(|handoff| handoff.id.clone()),
                at: self.later(),
                evidence: "sign-in report: the new key is used, the old one is quiet".into(),
            };
            r = self.commit(&r, &Event::EvidenceSeen { confirmation }, commit).await?;
            confirmed = true;
        }
        Ok(if confirmed { None } else { Some(later) })
    }

    /// Until when an old key forbids RETIRE_INTENT because somebody used it after the delivery. A report that
    /// cannot be read is unknown, and forbids nothing.
    pub(super) async fn old_key_in_use(&self, r: &Rotation) -> Result<Option<Timestamp>, RunError> {
        let Some(report) = self.report(r).await? else { return Ok(None) };
        if self.options.rules.breaks(Mutation::ReportNewUsedAlone) {
            return Ok(None);
        }
        Ok(report.old_in_use(&self.reported(r), self.now()).map(|(_, until)| until.max(self.now() + ASK_AGAIN)))
    }

    /// `r` as the report is asked about it; the mutant forgets how often the consumer signs in.
    fn reported<'a>(&self, r: &'a Rotation) -> Cow<'a, Rotation> {
        if !self.options.rules.breaks(Mutation::QuietTooShort) {
            return Cow::Borrowed(r);
        }
        let mut forgetful = r.clone();
        forgetful.spec.confirm.consumer_use_interval = None;
        Cow::Owned(forgetful)
    }

    /// The report on the keys of `r`; `None` when it cannot be read (right, licence, cloud).
    async fn report(&self, r: &Rotation) -> Result<Option<Report>, RunError> {
        self.ready().await?;
        let Ok(lines) = self.ports.directory.sign_in_activities().await else { return Ok(None) };
        let mut report = Report::default();
        let keys = r.old.iter().map(|old| &old.key_id).chain(r.fresh.as_ref().map(|fresh| &fresh.key_id));
        for key_id in keys {
            if !self.options.rules.breaks(Mutation::OwnProbeCounts) {
                report.own.insert(key_id.clone(), self.ports.store.sign_ins(key_id).await?);
            }
            if let Some(line) = lines.iter().find(|line| line.key_id == *key_id) {
                let activity = Activity { last: line.last, request_id: line.request_id.clone() };
                report.activities.insert(key_id.clone(), activity);
            }
        }
        Ok(Some(report))
    }
}

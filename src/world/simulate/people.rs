//! The people: they know what their mail tells them. Some act at once, some only when they are reminded, some never.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::time;

use crate::model::Calendar;
use crate::model::Handoff;
use crate::model::HandoffId;
use crate::model::IntegrationName;
use crate::model::Notice;
use crate::model::NoticeKind;
use crate::policy::calendar::add_working_days;

use super::Manner;
use super::SimulateOptions;
use super::dice::between;

/// How soon people act on the day on which an integration is set up.
const SET_UP: SignedDuration = SignedDuration::from_hours(1);

/// Something that a person does.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Act {
    /// Brings back the certificate for a request (PEM).
    Answer { integration: IntegrationName, request: String, by: String },
    /// Opens a hand-off and passes it on.
    Open { id: HandoffId, by: String },
    /// Says that it is in use.
    Confirm { id: HandoffId, by: String },
}

/// What the people have read, and will do.
pub(super) struct People {
    absent: BTreeSet<String>,
    manner: Manner,
    seed: u64,
    planned: BTreeSet<(Timestamp, Act)>,
    decided: BTreeSet<HandoffId>,
    /// How many mails the doer got about a hand-off.
    heard: BTreeMap<HandoffId, i64>,
    /// Keys of the notices that asked for a certificate and were followed.
    answered: BTreeSet<String>,
}

impl People {
    pub(super) fn new(options: &SimulateOptions) -> Self {
        Self {
            absent: options.absent.clone(),
            manner: options.manner,
            seed: options.seed,
            planned: BTreeSet::new(),
            decided: BTreeSet::new(),
            heard: BTreeMap::new(),
            answered: BTreeSet::new(),
        }
    }

    /// Somebody reads their mail. `handoffs` are those that wait.
    pub(super) fn read(&mut self, notice: &Notice, handoffs: &[&Handoff], calendar: &Calendar, now: Timestamp) {
        if notice.kind == NoticeKind::CertificateRequest {
            self.asked_for_certificate(notice, calendar, now);
        }
        for handoff in handoffs.iter().filter(|handoff| handoff.integration == notice.integration) {
            if self.decided.contains(&handoff.id) {
                continue;
            }
            if handoff.old_end.is_none() {
                // The day on which it is set up: whoever does that is at the desk.
                let (open, confirm) = (now + SET_UP, now + SET_UP + SET_UP);
                self.decide(handoff, &handoff.doer, open, confirm);
                continue;
            }
            if notice.to.contains(&handoff.doer) {
                *self.heard.entry(handoff.id.clone()).or_default() += 1;
                self.doer_hears(handoff, calendar, now);
            }
            if notice.kind == NoticeKind::Escalation && !self.decided.contains(&handoff.id) {
                let helper = notice.to.iter().find(|to| **to != handoff.doer && self.acts(to)).cloned();
                if let Some(helper) = helper {
                    self.decide_in_days(handoff, &helper, calendar, now, (1, 2), (1, 2));
                }
            }
        }
    }

    fn acts(&self, address: &str) -> bool {
        self.manner != Manner::Absent && !self.absent.contains(address)
    }

    fn doer_hears(&mut self, handoff: &Handoff, calendar: &Calendar, now: Timestamp) {
        if !self.acts(&handoff.doer) {
            return;
        }
        let doer = handoff.doer.clone();
        match self.manner {
            Manner::Prompt => self.decide_in_days(handoff, &doer, calendar, now, (1, 2), (1, 2)),
            Manner::Slow => {
                let mails = between(self.seed, &["patience", &handoff.id.0, handoff.integration.as_str()], 2, 3);
                if self.heard.get(&handoff.id).is_some_and(|heard| *heard >= mails) {
                    self.decide_in_days(handoff, &doer, calendar, now, (1, 3), (3, 6));
                }
            }
            Manner::Absent => {}
        }
    }

    fn decide_in_days(
        &mut self,
        handoff: &Handoff,
        by: &str,
        calendar: &Calendar,
        now: Timestamp,
        open: (i64, i64),
        confirm: (i64, i64),
    ) {
        let words = |what| [what, handoff.integration.as_str(), handoff.id.as_str()];
        let open = self.at_work(calendar, now, &words("open"), open);
        let confirm = self.at_work(calendar, open, &words("confirm"), confirm);
        self.decide(handoff, by, open, confirm);
    }

    fn decide(&mut self, handoff: &Handoff, by: &str, open: Timestamp, confirm: Timestamp) {
        self.decided.insert(handoff.id.clone());
        let (id, by) = (handoff.id.clone(), by.to_owned());
        self.planned.insert((open, Act::Open { id: id.clone(), by: by.clone() }));
        self.planned.insert((confirm, Act::Confirm { id, by }));
    }

    fn asked_for_certificate(&mut self, notice: &Notice, calendar: &Calendar, now: Timestamp) {
        let Some(request) = &notice.request else { return };
        let by = notice.to.first().cloned().unwrap_or_default();
        let first = notice.stops_at.is_none();
        if (!first && !self.acts(&by)) || !self.answered.insert(notice.key.clone()) {
            return;
        }
        let days = if self.manner == Manner::Slow { (5, 8) } else { (1, 3) };
        let words = ["answer", notice.integration.as_str(), &notice.thread];
        let at = if first { now + SET_UP } else { self.at_work(calendar, now, &words, days) };
        let (integration, request) = (notice.integration.clone(), request.pem.clone());
        self.planned.insert((at, Act::Answer { integration, request, by }));
    }

    /// An hour at work, some working days after `now`.
    fn at_work(&self, calendar: &Calendar, now: Timestamp, words: &[&str], (least, most): (i64, i64)) -> Timestamp {
        let zone = calendar.zone();
        // A freeze is no holiday: who is asked in one is at work.
        let calendar = &Calendar { freeze: Vec::new(), ..calendar.clone() };
        let days = between(self.seed, words, least, most);
        let hour = between(self.seed, &[words, &["hour"]].concat(), 10, 15);
        let minute = between(self.seed, &[words, &["minute"]].concat(), 0, 59);
        let clock = time(i8::try_from(hour).unwrap_or(10), i8::try_from(minute).unwrap_or(0), 0, 0);
        let day = add_working_days(now.to_zoned(zone.clone()).date(), usize::try_from(days).unwrap_or(1), calendar);
        let at = day.to_datetime(clock).to_zoned(zone).map_or(now, |at| at.timestamp());
        at.max(now + SET_UP)
    }

    /// When somebody acts next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.planned.first().map(|(at, _)| *at)
    }

    /// Takes what is due.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Act> {
        let mut due = Vec::new();
        while self.planned.first().is_some_and(|(at, _)| *at <= now) {
            due.extend(self.planned.pop_first().map(|(_, act)| act));
        }
        due
    }
}

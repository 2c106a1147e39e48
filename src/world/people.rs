//! The people of the demo. They know what their mail tells them, hand values over, and confirm; one is late, one
//! never says that it is done.

use jiff::SignedDuration;
use jiff::Timestamp;
use mail_parser::MessageParser;

use crate::emulator::CaughtMail;
use crate::model::Handoff;
use crate::model::HandoffId;

/// How long a person takes to read a mail and act.
const REACTION: SignedDuration = SignedDuration::from_hours(49);
/// How long the vendor takes to try the value.
const TRIAL: SignedDuration = SignedDuration::from_hours(25);
/// How soon a person acts once the lead has asked.
const AFTER_ESCALATION: SignedDuration = SignedDuration::from_hours(5);

/// Acts late, once: only when the matter was escalated.
const LATE: &str = "securends-office365";
/// Hands over, once, and never says so.
const SILENT: &str = "roger365-replicator";

/// Something a person does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Act {
    /// Opens the hand-off and types the value in.
    Open(HandoffId),
    /// Says that it works.
    Confirm(HandoffId),
}

/// What the people have read and will do.
#[derive(Default)]
pub(super) struct People {
    /// Escalation mails that reached a lead.
    pub escalations: usize,
    planned: Vec<(Timestamp, Act)>,
    read: usize,
    decided: Vec<HandoffId>,
    late: Option<HandoffId>,
    silent: Option<HandoffId>,
}

impl People {
    /// Reads the mails that came since the last time; decides about the hand-offs they speak of.
    pub fn read(&mut self, mails: &[CaughtMail], handoffs: &[Handoff], now: Timestamp) {
        for mail in &mails[self.read.min(mails.len())..] {
            let kind = header(mail, "X-Everkey-Kind");
            let integration = header(mail, "X-Everkey-Integration");
            if kind == "escalation" {
                self.escalations += 1;
            }
            let mine = handoffs.iter().filter(|handoff| {
                handoff.is_waiting()
                    && handoff.integration.as_str() == integration
                    && (mail.to.contains(&handoff.doer) || kind == "escalation")
            });
            for handoff in mine {
                self.decide(handoff, &kind, now);
            }
        }
        self.read = mails.len();
    }

    fn decide(&mut self, handoff: &Handoff, kind: &str, now: Timestamp) {
        let renewal = handoff.old_end.is_some();
        let name = handoff.integration.as_str();
        if renewal && name == LATE && self.late.is_none() {
            self.late = Some(handoff.id.clone());
        }
        if renewal && name == SILENT && self.silent.is_none() {
            self.silent = Some(handoff.id.clone());
        }
        let is_late = self.late.as_ref() == Some(&handoff.id);
        if self.decided.contains(&handoff.id) || (is_late && kind != "escalation") {
            return;
        }
        self.decided.push(handoff.id.clone());
        let open = now + if is_late { AFTER_ESCALATION } else { REACTION };
        self.planned.push((open, Act::Open(handoff.id.clone())));
        if self.silent.as_ref() != Some(&handoff.id) {
            self.planned.push((open + TRIAL, Act::Confirm(handoff.id.clone())));
        }
    }

    /// When somebody acts next.
    pub fn next(&self) -> Option<Timestamp> {
        self.planned.iter().map(|(at, _)| *at).min()
    }

    /// Takes what is due.
    pub fn due(&mut self, now: Timestamp) -> Vec<Act> {
        let (due, later): (Vec<_>, Vec<_>) = self.planned.drain(..).partition(|(at, _)| *at <= now);
        self.planned = later;
        due.into_iter().map(|(_, act)| act).collect()
    }
}

/// The text of a header of a caught mail, decoded; empty when it is not there.
pub(super) fn header(mail: &CaughtMail, name: &str) -> String {
    let parsed = MessageParser::default().parse(&mail.data);
    parsed.and_then(|mail| mail.header(name)?.as_text().map(str::to_owned)).unwrap_or_default()
}

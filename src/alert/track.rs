//! A track: the rungs of one reader about one credential, in the order of their instants. Only the latest that has
//! passed may be sent, and none below one that was sent (rule 9).

use jiff::Timestamp;

use crate::model::Calendar;
use crate::model::Handoff;
use crate::model::IntegrationName;
use crate::model::NoticeKind;
use crate::model::Reader;

use super::days;
use super::input::AlertInput;
use super::silence;

/// One instant at which the reader of a track hears one thing.
#[derive(Clone, Debug)]
pub(super) struct Rung {
    pub(super) at: Timestamp,
    pub(super) key: String,
    pub(super) stage: String,
    pub(super) kind: NoticeKind,
    pub(super) pace: Pace,
    /// Whether the backup gets a copy.
    pub(super) with_backup: bool,
}

/// How a rung treats the peace of its reader.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pace {
    /// A stage; when late, it waits for a working day and for the hour of sending.
    Calm,
    /// A repetition between stages, which an acknowledgement of the stage before silences.
    Daily,
    /// A stage; whenever it is due.
    Prompt,
    /// Whenever it is due, and no acknowledgement silences it.
    Unstoppable,
}

/// The rungs of one reader about one credential.
#[derive(Clone, Debug)]
pub(super) struct Track<'a> {
    pub(super) integration: &'a IntegrationName,
    pub(super) reader: Reader,
    pub(super) to: Vec<String>,
    pub(super) cc: Vec<String>,
    pub(super) handoff: Option<&'a Handoff>,
    /// Ordered by instant once [`Track::sorted`] has run.
    pub(super) rungs: Vec<Rung>,
}

impl Track<'_> {
    /// Brings the rungs in order; among those of one instant the later stage wins, so the order given is kept.
    pub(super) fn sorted(mut self) -> Self {
        self.rungs.sort_by_key(|rung| rung.at);
        self
    }

    /// The rung to be sent now.
    pub(super) fn due(&self, input: &AlertInput, calendar: &Calendar) -> Option<&Rung> {
        let position = self.pending(input)?;
        let rung = &self.rungs[position];
        (rung.pace != Pace::Calm || gate_is_open(input, calendar)).then_some(rung)
    }

    /// The next instant at which this track may give something new.
    pub(super) fn next(&self, input: &AlertInput, calendar: &Calendar) -> Option<Timestamp> {
        let waits = self
            .pending(input)
            .is_some_and(|position| self.rungs[position].pace == Pace::Calm && !gate_is_open(input, calendar));
        let gate = waits.then(|| next_gate(input, calendar)).flatten();
        let rung = self
            .rungs
            .iter()
            .filter(|rung| rung.at > input.now && !input.sent.contains_key(&rung.key))
            .map(|rung| rung.at)
            .min();
        gate.into_iter().chain(rung).min()
    }

    /// The latest rung that has passed, unless it or one above it was sent, or its reader asked for silence.
    fn pending(&self, input: &AlertInput) -> Option<usize> {
        let position = self.rungs.iter().rposition(|rung| rung.at <= input.now)?;
        let told = self.rungs[position..].iter().any(|rung| input.sent.contains_key(&rung.key));
        (!told && !silence::silences(self, position, input)).then_some(position)
    }
}

/// Whether calm mails may leave now.
fn gate_is_open(input: &AlertInput, calendar: &Calendar) -> bool {
    let day = days::local_date(calendar, input.now);
    let works = !input.rules.working_days_only || days::is_working(calendar, day);
    works && days::local_time(calendar, input.now) >= input.rules.send_at
}

/// The next instant after now at which calm mails may leave.
pub(super) fn next_gate(input: &AlertInput, calendar: &Calendar) -> Option<Timestamp> {
    let mut day = days::local_date(calendar, input.now);
    // Today's hour may lie ahead or behind; the second candidate lies ahead in any case.
    for _ in 0..2 {
        let candidate = if input.rules.working_days_only { days::working_on_or_after(calendar, day) } else { day };
        let at = days::instant(calendar, candidate, input.rules.send_at);
        if at > input.now {
            return Some(at);
        }
        day = days::shift(candidate, 1);
    }
    None
}

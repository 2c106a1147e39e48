//! What the decision is made of: the rules of `everkey.toml`, and each credential as it stands.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Time;

use crate::model::Acknowledgement;
use crate::model::Calendar;
use crate::model::Handoff;
use crate::model::IntegrationName;
use crate::model::NoticeIds;
use crate::model::People;
use crate::model::Problem;
use crate::model::SlotName;
use crate::model::StepLine;

/// The `[alerts]` table, as far as this room needs it.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Days left at which people hear. 3, 2, 1 and 0 always count, and so does 7 for the escalation.
    pub before_days: Vec<u32>,
    /// Local time of day at which mails leave.
    pub send_at: Time,
    /// Whether mails with more than 7 days left move to the previous working day.
    pub working_days_only: bool,
    /// Who hears when nobody acts; the owner where it is empty.
    pub escalate_to: Vec<String>,
    /// Stands in where no owner is known.
    pub fallback_to: Option<String>,
    /// Hears of credentials that nobody registered.
    pub security_to: Option<String>,
    /// Where the web face answers, without a slash at the end; mails carry no link without it (rule 13).
    pub public_url: Option<String>,
}

/// Everything [`due`](super::due) looks at.
#[derive(Clone, Copy, Debug)]
pub struct AlertInput<'a> {
    /// The instant of the decision.
    pub now: Timestamp,
    /// The rules.
    pub rules: &'a Rules,
    /// One entry per credential that somebody watches.
    pub watched: &'a [Watched],
    /// Keys of every notice ever committed (those inside summaries too), and when.
    pub sent: &'a BTreeMap<String, Timestamp>,
    /// People's words, in any order; those of the future are ignored.
    pub acknowledgements: &'a [Acknowledgement],
}

/// One credential slot, as far as people are concerned.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Integration.
    pub integration: IntegrationName,
    /// Its title.
    pub title: String,
    /// What stops, a sentence.
    pub impact: String,
    /// Slot.
    pub slot: SlotName,
    /// `secret` or `certificate`.
    pub word: String,
    /// Who is told.
    pub people: People,
    /// In which calendar they live.
    pub calendar: Calendar,
    /// Ids for the technical mail; `key_id` is the credential that ends.
    pub ids: NoticeIds,
    /// Whether a person has to do something at each renewal.
    pub needs_person: bool,
    /// How often that is, in a year.
    pub times_a_year: u32,
    /// When consumers stop if nobody acts: the end of what they use now. `None` before the first issuance is
    /// in use. For [`Situation::Superseded`] and [`Situation::Expired`] it stays the end that has passed.
    pub ends: Option<Timestamp>,
    /// End of the new one, once it is staged.
    pub new_until: Option<Timestamp>,
    /// Where it stands.
    pub situation: Situation,
    /// All mails and the calendar entry of one credential share it; the same until the renewal is over.
    pub thread: String,
    /// The command that makes it everkey's business, for a credential that it did not make.
    pub adopt: Option<String>,
}

/// Where a credential stands, in the eyes of people.
#[derive(Clone, Debug)]
pub enum Situation {
    /// Confirmed; nothing to do any more. Those who were told hear it once, and nothing after.
    Done {
        /// When it was confirmed.
        at: Timestamp,
        /// The rotation or hand-off that was confirmed: makes the key of the last mail.
        id: String,
    },
    /// Ended, and nothing valid is left on the application (rule 12).
    Expired,
    /// The rotation does not get on by itself.
    Failed {
        /// Why.
        problem: Problem,
        /// Since when.
        since: Timestamp,
        /// The step it stopped at (`prove`).
        step: String,
        /// All five steps.
        steps: Vec<StepLine>,
    },
    /// In use, and no rotation is open.
    Healthy,
    /// Ours ended, yet another credential that everkey did not make is in use (rule 12).
    Replaced {
        /// Who made the other one, as far as known.
        made_by: String,
        /// When the other one was made.
        made: Timestamp,
    },
    /// A rotation is under way and waits for nobody.
    Rotating {
        /// Since when.
        since: Timestamp,
    },
    /// The old one ended before anybody confirmed: stopped, unless somebody changed it without saying so.
    Superseded {
        /// When that was committed.
        at: Timestamp,
    },
    /// A key of an emergency waits for people.
    Urgent {
        /// The hand-offs; those that wait no longer are skipped.
        handoffs: Vec<Handoff>,
        /// Since when people can act.
        since: Timestamp,
        /// Why it is an emergency.
        reason: String,
    },
    /// Keys wait for people.
    Waiting {
        /// The hand-offs; those that wait no longer are skipped.
        handoffs: Vec<Handoff>,
    },
}

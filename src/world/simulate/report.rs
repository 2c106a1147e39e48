//! The document of a simulation: the verdict, each integration's credentials, what each person is asked, every event.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::limits::TenantLimits;
use super::record::Happening;

/// A consumer without a working credential.
#[derive(Clone, Debug, Serialize)]
pub struct Stop {
    /// The exact instant at which it was refused first.
    pub at: Timestamp,
    /// `person`, `tenant-policy`, `failure`, `not-ready`, `removed`, `never-started`.
    pub cause: String,
    /// The error that stood in the way last (`G041`), where there was one.
    pub code: Option<String>,
    /// Credential within the integration.
    pub credential: String,
    /// What to change, where everkey knows it.
    pub help: Option<String>,
    /// Integration.
    pub integration: String,
    /// One sentence.
    pub reason: String,
    /// When it worked again; `null` when it never did.
    pub until: Option<Timestamp>,
}

/// Whether anything would stop.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Nothing would.
    pub good: bool,
    /// One sentence.
    pub text: String,
    /// What would, soonest first.
    pub stops: Vec<Stop>,
}

/// The figures of the whole.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Integrations.
    pub integrations: usize,
    /// Rotations that replaced a credential.
    pub rotations: usize,
    /// First credentials.
    pub issued: usize,
    /// Mails, escalations among them.
    pub mails: usize,
    /// Mails to whoever must make others act.
    pub escalations: usize,
    /// Hand-offs of renewals.
    pub handoffs: usize,
    /// Rotations that ended because the old credential did, before anybody confirmed.
    pub superseded: usize,
    /// Steps that failed and were tried again.
    pub failures: usize,
    /// Steps that a freeze put off.
    pub freeze_moved: usize,
    /// Steps that went on in a freeze.
    pub freeze_forced: usize,
    /// Instants at which every consumer was asked.
    pub instants: u64,
    /// Sign-ins that consumers made.
    pub sign_ins: u64,
}

/// The life of one credential.
#[derive(Clone, Debug, Serialize)]
pub struct Life {
    /// Credential within the integration.
    pub credential: String,
    /// `secret` or `certificate`.
    pub kind: &'static str,
    /// Which rotation of the integration made it, from 1; the first is the first issuance.
    pub rotation: u32,
    /// When it was attached.
    pub staged: Timestamp,
    /// When every place had it.
    pub delivered: Option<Timestamp>,
    /// When there was evidence that it is used.
    pub confirmed: Option<Timestamp>,
    /// Its end.
    pub end: Timestamp,
    /// When it left or ended; `null` when it outlives the period.
    pub gone: Option<Timestamp>,
    /// Days in which this and the one before both worked, after delivery.
    pub overlap_days: Option<i64>,
    /// The one before ended before anybody confirmed this one.
    pub superseded: bool,
}

/// A freeze in the way of a step.
#[derive(Clone, Debug, Serialize)]
pub struct Conflict {
    /// Which rotation.
    pub rotation: u32,
    /// `stage` or `retire`.
    pub step: &'static str,
    /// First day of the freeze.
    pub freeze_from: Date,
    /// Its last day.
    pub freeze_to: Date,
    /// When it would have happened.
    pub wanted: Timestamp,
    /// When it happened.
    pub actual: Timestamp,
    /// It happened within the freeze, because waiting would have cost the overlap.
    pub forced: bool,
}

/// One integration.
#[derive(Clone, Debug, Serialize)]
pub struct Integration {
    /// Its name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What stops, a sentence.
    pub impact: String,
    /// What is renewed: slot, kind, lifetime.
    pub credentials: Vec<String>,
    /// Days, each inclusive, in which nothing is staged or retired.
    pub freezes: Vec<(Date, Date)>,
    /// Rotations that replaced a credential.
    pub rotations: usize,
    /// Least and most days of overlap.
    pub overlap_days: Option<(i64, i64)>,
    /// Every credential, oldest first.
    pub lives: Vec<Life>,
    /// Who carries it, and how often in all.
    pub carried_by: BTreeMap<String, usize>,
    /// Hand-offs that were confirmed after the day on which they were due, or never.
    pub late: usize,
    /// Mails about it.
    pub mails: usize,
    /// Freezes in the way.
    pub conflicts: Vec<Conflict>,
    /// What would stop.
    pub stops: Vec<Stop>,
}

/// What one person is asked.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Asked {
    /// E-mail address.
    pub person: String,
    /// Name for people.
    pub name: String,
    /// Hand-offs of renewals to carry.
    pub handoffs: usize,
    /// The same for each year.
    pub handoffs_a_year: f64,
    /// Mails.
    pub mails: usize,
    /// The same for each year.
    pub mails_a_year: f64,
    /// Escalations among them.
    pub escalations: usize,
    /// Longest time from a hand-off to its confirmation, in days.
    pub longest_wait_days: Option<i64>,
    /// Hand-offs that nobody ever confirmed, and that have no time left.
    pub unanswered: usize,
}

/// The whole document.
#[derive(Clone, Debug, Serialize)]
pub struct Simulation {
    /// `everkey.simulate/v1`.
    pub schema: &'static str,
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub until: Timestamp,
    /// The dice.
    pub seed: u64,
    /// How the far side behaved.
    pub faults: &'static str,
    /// How people acted.
    pub manner: &'static str,
    /// What the tenant was taken to allow; `null` where nothing was said of it.
    pub tenant_limits: Option<TenantLimits>,
    /// Whether anything would stop.
    pub verdict: Verdict,
    /// The figures of the whole.
    pub summary: Summary,
    /// What stood in for what, and what else to know.
    pub notes: Vec<String>,
    /// Each integration.
    pub integrations: Vec<Integration>,
    /// Each person.
    pub people: Vec<Asked>,
    /// Everything, oldest first.
    pub events: Vec<Happening>,
}

impl Integration {
    /// Whether a rotation made the first credential of its slot.
    pub fn is_first(&self, rotation: u32) -> bool {
        let life = self.lives.iter().find(|life| life.rotation == rotation);
        let earliest =
            |slot: &str| self.lives.iter().filter(|life| life.credential == slot).map(|life| life.rotation).min();
        life.is_some_and(|life| earliest(&life.credential) == Some(rotation))
    }
}

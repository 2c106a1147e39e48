//! What came of it: the verdict, each integration's credentials, what each person is asked, every event.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::error::Result;
use crate::model::CredentialKind;
use crate::model::Handoff;
use crate::model::HandoffStatus;
use crate::policy::person_name;
use crate::ports::Store;
use crate::run::explain;

use super::Manner;
use super::SimulateOptions;
use super::Weather;
use super::cohort::Played;
use super::consumers::Change;
use super::consumers::Refused;
use super::record::Happening;
use super::record::Record;
use super::record::Trace;
use super::record::What;
use super::subject::Subject;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A consumer without a working credential.
#[derive(Clone, Debug, Serialize)]
pub struct Stop {
    /// The exact instant at which it was refused first.
    pub at: Timestamp,
    /// `person`, `failure`, `not-ready`, `removed`, `never-started`.
    pub cause: String,
    /// Credential within the integration.
    pub credential: String,
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

impl Weather {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Rough => "rough",
            Self::Hostile => "hostile",
        }
    }
}

impl Manner {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Slow => "slow",
            Self::Absent => "absent",
        }
    }
}

/// Why a consumer is refused, from what the journal and the mails show.
pub(super) async fn stop(
    store: &dyn Store,
    record: &Record,
    change: &Change,
    refused: Refused,
    now: Timestamp,
) -> Result<Stop> {
    let (cause, reason) = match refused {
        Refused::Unknown => ("removed", "Entra no longer knows the credential that is in its place".to_owned()),
        Refused::UnknownBefore => {
            ("removed", "the old credential was removed while a consumer may still hold it".to_owned())
        }
        Refused::Ended => not_ready(store, record, change, now).await?,
    };
    Ok(Stop {
        at: now,
        cause: cause.into(),
        credential: change.slot.to_string(),
        integration: change.integration.to_string(),
        reason,
        until: None,
    })
}

/// What was missing when a credential ended.
async fn not_ready(
    store: &dyn Store,
    record: &Record,
    change: &Change,
    now: Timestamp,
) -> Result<(&'static str, String)> {
    let rotations = store.rotations(&change.integration).await.map_err(|error| explain::store(&error))?;
    let handoffs = store.handoffs().await.map_err(|error| explain::store(&error))?;
    let latest = rotations.iter().rev().find(|rotation| rotation.spec.slot == change.slot);
    let asked = latest.and_then(|rotation| {
        handoffs
            .iter()
            .find(|handoff| handoff.rotation == rotation.id && handoff.opened.is_none() && handoff.old_end.is_some())
    });
    if let Some(handoff) = asked {
        let number = record.handoff(&handoff.id);
        let book = record.book();
        let about = |happening: &&Happening| {
            matches!(happening.what, What::Mail | What::Escalation)
                && happening.integration == change.integration.as_str()
                && happening.handoff == number
        };
        let mails = book.happened.iter().filter(about).count();
        let (who, days) = (person_name(&handoff.doer), now.duration_since(handoff.created).as_hours() / 24);
        let since = handoff.created.strftime("%Y-%m-%d");
        return Ok((
            "person",
            format!(
                "{who} did not open hand-off {} in {days} days since {since}, after {mails} mails",
                number.unwrap_or(0)
            ),
        ));
    }
    let waits = latest.filter(|rotation| {
        rotation.request.is_some()
            && rotation.fresh.is_none()
            && matches!(rotation.spec.kind, CredentialKind::Certificate(_))
    });
    if let Some(rotation) = waits {
        let since = rotation.planned.strftime("%Y-%m-%d");
        return Ok(("person", format!("nobody brought back the certificate that was asked for on {since}")));
    }
    if let Some(failure) = record.book().failures.get(&change.integration) {
        return Ok(("failure", format!("its successor was not ready: {failure}")));
    }
    Ok(("not-ready", "its successor was not in place when it ended".to_owned()))
}

/// Puts the groups together.
pub(super) fn report(subject: &Subject, options: &SimulateOptions, played: Vec<Played>, groups: usize) -> Simulation {
    let mut notes = subject.notes.clone();
    notes.push("begins with every integration set up, handed over and confirmed on its first day".into());
    if groups > 1 {
        notes.push(format!("simulated in {groups} groups, each with the daily limits of everkey.toml to itself"));
    }
    let mut summary = Summary { integrations: subject.policies.len(), ..Summary::default() };
    let mut integrations = Vec::new();
    let (mut stops, mut events, mut handoffs) = (Vec::new(), Vec::new(), Vec::new());
    for one in &played {
        summary.instants += one.instants;
        summary.sign_ins += one.sign_ins;
        handoffs.extend(one.handoffs.iter().filter(|handoff| handoff.old_end.is_some()));
        stops.extend(one.stops.iter().cloned());
        events.extend(one.book.happened.iter().cloned());
    }
    for one in &played {
        let names: BTreeSet<&str> = one.book.traces.values().map(|trace| trace.integration.as_str()).collect();
        for joining in subject.policies.iter().filter(|joining| names.contains(joining.policy.name.as_str())) {
            integrations.push(integration(joining, one, options));
        }
    }
    // Those that never came as far as a rotation.
    let missing: Vec<_> = subject
        .policies
        .iter()
        .filter(|joining| !integrations.iter().any(|one: &Integration| one.name == joining.policy.name.as_str()))
        .collect();
    let nothing = Played { book: <_>::default(), handoffs: Vec::new(), instants: 0, sign_ins: 0, stops: stops.clone() };
    integrations.extend(missing.into_iter().map(|joining| integration(joining, &nothing, options)));
    stops.sort_by(|a, b| (a.at, &a.integration, &a.credential).cmp(&(b.at, &b.integration, &b.credential)));
    events.sort_by(|a: &Happening, b| (a.at, &a.integration).cmp(&(b.at, &b.integration)));
    for happening in &events {
        match happening.what {
            What::Mail => summary.mails += 1,
            What::Escalation => {
                summary.mails += 1;
                summary.escalations += 1;
            }
            What::Superseded => summary.superseded += 1,
            What::Failed => summary.failures += 1,
            What::FreezeMoved => summary.freeze_moved += 1,
            What::FreezeForced => summary.freeze_forced += 1,
            _ => {}
        }
    }
    summary.handoffs = handoffs.len();
    summary.rotations = integrations.iter().map(|one| one.rotations).sum();
    summary.issued = integrations.iter().map(|one| one.lives.len() - one.rotations).sum();
    let people = people(&events, &handoffs, options);
    Simulation {
        schema: "everkey.simulate/v1",
        from: options.from,
        until: options.until,
        seed: options.seed,
        faults: options.weather.word(),
        manner: options.manner.word(),
        verdict: verdict(stops, options),
        summary,
        notes,
        integrations,
        people,
        events,
    }
}

fn verdict(stops: Vec<Stop>, options: &SimulateOptions) -> Verdict {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let text = match stops.first() {
        None => format!(
            "No integration is ever without a working credential, {} to {}.",
            day(options.from),
            day(options.until)
        ),
        Some(stop) => {
            let names: BTreeSet<&str> = stops.iter().map(|stop| stop.integration.as_str()).collect();
            let more =
                if names.len() > 1 { format!(" {} integrations stop in all.", names.len()) } else { String::new() };
            let at = stop.at.strftime("%Y-%m-%d %H:%M:%S UTC");
            format!("{} stops on {at}: {}.{more}", stop.integration, stop.reason)
        }
    };
    Verdict { good: stops.is_empty(), text, stops }
}

fn integration(joining: &super::subject::Joining, played: &Played, options: &SimulateOptions) -> Integration {
    let policy = &joining.policy;
    let name = policy.name.as_str();
    let traces: Vec<&Trace> = played.book.traces.values().filter(|trace| trace.integration == policy.name).collect();
    let mut lives = Vec::new();
    for (at, trace) in traces.iter().enumerate() {
        let (Some(staged), Some(end)) = (trace.staged, trace.end) else { continue };
        let successor = traces[at + 1..].iter().find(|next| next.slot == trace.slot);
        let left = successor.and_then(|next| next.old_gone).map_or(end, |gone| gone.min(end));
        let both = trace.old_end.map(|old_end| old_end.min(trace.old_gone.unwrap_or(old_end)));
        lives.push(Life {
            credential: trace.slot.clone(),
            kind: trace.word,
            rotation: trace.rotation,
            staged,
            delivered: trace.delivered,
            confirmed: trace.confirmed,
            end,
            gone: (left <= options.until).then_some(left),
            overlap_days: match (trace.delivered, both) {
                (Some(from), Some(to)) if to <= options.until => Some(to.duration_since(from).as_hours() / 24),
                _ => None,
            },
            superseded: trace.superseded && trace.old_end.is_some(),
        });
    }
    let overlaps = || lives.iter().filter_map(|life| life.overlap_days);
    let mine: Vec<&Handoff> = played
        .handoffs
        .iter()
        .filter(|handoff| handoff.integration == policy.name && handoff.old_end.is_some())
        .collect();
    let mut carried_by = BTreeMap::new();
    for handoff in &mine {
        *carried_by.entry(handoff.doer.clone()).or_default() += 1;
    }
    let late = |handoff: &&&Handoff| match handoff.status {
        HandoffStatus::Confirmed { at, .. } => at > handoff.due,
        HandoffStatus::Void { .. } => false,
        HandoffStatus::Closed | HandoffStatus::Waiting => handoff.due < options.until,
    };
    let mails = played.book.happened.iter().filter(|one| one.integration == name);
    let first = traces.iter().filter(|trace| trace.old_end.is_none() && trace.staged.is_some()).count();
    Integration {
        name: name.to_owned(),
        title: policy.title.clone(),
        impact: policy.impact.clone(),
        credentials: policy
            .credentials
            .iter()
            .map(|spec| format!("{} {}, {} days", spec.slot, spec.kind.word(), spec.lifetime.as_hours() / 24))
            .collect(),
        freezes: policy.calendar.freeze.clone(),
        rotations: lives.len().saturating_sub(first),
        overlap_days: overlaps().min().zip(overlaps().max()),
        late: mine.iter().filter(late).count(),
        mails: mails.filter(|one| matches!(one.what, What::Mail | What::Escalation)).count(),
        carried_by,
        conflicts: played
            .book
            .hindrances
            .iter()
            .filter(|one| one.integration == policy.name)
            .map(|one| Conflict {
                rotation: one.rotation,
                step: one.step,
                freeze_from: one.freeze.0,
                freeze_to: one.freeze.1,
                wanted: one.wanted,
                actual: one.actual,
                forced: one.forced,
            })
            .collect(),
        stops: played.stops.iter().filter(|stop| stop.integration == name).cloned().collect(),
        lives,
    }
}

fn people(events: &[Happening], handoffs: &[&Handoff], options: &SimulateOptions) -> Vec<Asked> {
    let years = (options.until.duration_since(options.from).as_hours() as f64 / (24.0 * 365.25)).max(f64::EPSILON);
    let mut people: BTreeMap<&str, Asked> = BTreeMap::new();
    for happening in events.iter().filter(|one| matches!(one.what, What::Mail | What::Escalation)) {
        for person in &happening.people {
            let asked = people.entry(person).or_default();
            asked.mails += 1;
            asked.escalations += usize::from(happening.what == What::Escalation);
        }
    }
    for handoff in handoffs {
        let asked = people.entry(&handoff.doer).or_default();
        let waited = |until: Timestamp| until.duration_since(handoff.created).as_hours() / DAY.as_hours();
        asked.handoffs += 1;
        match (&handoff.status, handoff.old_end) {
            (HandoffStatus::Confirmed { at, .. }, _) => {
                asked.longest_wait_days = asked.longest_wait_days.max(Some(waited(*at)));
            }
            (HandoffStatus::Void { .. }, _) => {}
            (HandoffStatus::Closed | HandoffStatus::Waiting, end) => {
                let ended = end.filter(|end| *end <= options.until);
                asked.unanswered += usize::from(ended.is_some());
                asked.longest_wait_days = asked.longest_wait_days.max(Some(waited(ended.unwrap_or(options.until))));
            }
        }
    }
    let a_year = |count: usize| (count as f64 / years * 10.0).round() / 10.0;
    people
        .into_iter()
        .map(|(person, asked)| Asked {
            person: person.to_owned(),
            name: person_name(person),
            handoffs_a_year: a_year(asked.handoffs),
            mails_a_year: a_year(asked.mails),
            ..asked
        })
        .collect()
}

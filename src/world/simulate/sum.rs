//! Puts the groups together into one document.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::Handoff;
use crate::model::HandoffStatus;
use crate::policy::person_name;

use super::Manner;
use super::SimulateOptions;
use super::Weather;
use super::cohort::Played;
use super::record::Happening;
use super::record::Trace;
use super::record::What;
use super::report::Asked;
use super::report::Conflict;
use super::report::Integration;
use super::report::Life;
use super::report::Simulation;
use super::report::Stop;
use super::report::Summary;
use super::report::Verdict;
use super::subject::Subject;

const DAY: SignedDuration = SignedDuration::from_hours(24);

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
        tenant_limits: options.limits.clone(),
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
            match stop.cause.as_str() {
                "never-started" => format!("{} never works, from {at} on: {}.{more}", stop.integration, stop.reason),
                _ => format!("{} stops on {at}: {}.{more}", stop.integration, stop.reason),
            }
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

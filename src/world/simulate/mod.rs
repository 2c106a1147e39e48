//! `simulate`: what the policies will do, years ahead, before anything touches a tenant. The real engine, planner,
//! alerts and file sinks run against the embedded emulator in this process under a clock that jumps; no network, no
//! mail, no command and no file of the user is touched (`subject` and `places` say what stands in for what).
//!
//! The verdict is judged from outside: by consumers that know only their sink, or what a person typed in, and may
//! hold a value for as long as their policy says. All chance comes from one seed, so equal runs give equal bytes.

mod acts;
mod cohort;
mod consumers;
mod dice;
mod far;
mod limits;
mod page;
mod people;
mod picture;
mod places;
mod reason;
mod record;
mod report;
mod subject;
mod sum;
mod tools;
mod weather;

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::emulator::TokenKey;
use crate::error::Class;
use crate::error::Error;
use crate::error::Result;
use crate::rotation::Rules;

pub use limits::TenantLimits;
pub use page::page;
pub use record::Happening;
pub use record::What;
pub use report::Asked;
pub use report::Conflict;
pub use report::Integration;
pub use report::Life;
pub use report::Simulation;
pub use report::Stop;
pub use report::Summary;
pub use report::Verdict;
pub use subject::Subject;
pub use subject::bare;

/// So many integrations share an engine at most; more are simulated in groups, because every step of one looks at all.
const TOGETHER: usize = 25;

/// Over how long copies of `--apps` begin.
const STAGGER: SignedDuration = SignedDuration::from_hours(24 * 180);

/// How the far side behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Weather {
    /// It answers at once and always.
    None,
    /// Throttling, server errors, lost answers, stale reads, a token endpoint that lags.
    Rough,
    /// The same, worse; with late effects, outages of hours and days, crashes of everkey, and other administrators.
    Hostile,
}

/// How people act.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Manner {
    /// Within two working days.
    Prompt,
    /// Only once they were reminded.
    Slow,
    /// Never.
    Absent,
}

/// How to simulate.
#[derive(Clone, Debug)]
pub struct SimulateOptions {
    /// People who never act, whatever the others do.
    pub absent: BTreeSet<String>,
    /// How many integrations, by copying those there are; as many as there are without it.
    pub apps: Option<usize>,
    /// When it begins.
    pub from: Timestamp,
    /// What the tenant allows, where it is known.
    pub limits: Option<TenantLimits>,
    /// How people act.
    pub manner: Manner,
    /// The rules in force; a test build may break one.
    pub rules: Rules,
    /// The dice.
    pub seed: u64,
    /// When it ends.
    pub until: Timestamp,
    /// How the far side behaves.
    pub weather: Weather,
}

/// Simulates `subject`; `hear` is told how far it is, between 0 and 1.
///
/// # Errors
/// `D021` when there is nothing to simulate, `D022` when a part cannot start or time does not move on. What would
/// stop is in the report, not an error.
pub async fn simulate(subject: Subject, options: &SimulateOptions, hear: &dyn Fn(f64)) -> Result<Simulation> {
    let subject = subject.copied(options);
    if subject.policies.is_empty() {
        return Err(Error::new(Class::Data, "D021", "there is nothing to simulate")
            .why("no policy has a [[credential]] that everkey would renew")
            .help(
                "see docs/how-to/see-what-your-policies-will-do.md, or start from a guide: everkey new --from NAME",
            ));
    }
    let key = TokenKey::generate().map_err(cannot)?;
    let tools = tools::Tools::new(options)?;
    // Copies are a world of their own, beside the policies that they were copied with.
    let together = options.apps.map_or(TOGETHER, |_| subject.originals.len().clamp(1, TOGETHER));
    let groups: Vec<&[subject::Joining]> = subject.policies.chunks(together).collect();
    let mut played = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        let (done, all) = (number as f64, groups.len() as f64);
        let hear = |part: f64| hear((done + part) / all);
        let stage = cohort::Stage { subject: &subject, group, key: &key, tools: &tools, number };
        played.push(cohort::play(&stage, options, &hear).await?);
    }
    Ok(sum::report(&subject, options, played, groups.len()))
}

/// `once`, `twice`, `3 times`.
pub fn times(number: usize) -> String {
    match number {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        many => format!("{many} times"),
    }
}

/// How long two credentials of an integration work side by side: `14 days`, `7 to 9 days`.
pub fn overlap(one: &Integration) -> Option<String> {
    let (least, most) = one.overlap_days?;
    Some(if least == most { format!("{least} days") } else { format!("{least} to {most} days") })
}

/// A part that cannot start.
fn cannot(why: impl std::fmt::Display) -> Error {
    Error::new(Class::Failed, "D022", "the simulation cannot go on").why(why).help("see the reason above")
}

//! `everkey simulate`: what the policies will do, before anything touches a tenant.

mod events;
mod table;

use std::path::Path;

use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;
use jiff::SignedDuration;
use jiff::Span;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::OK;
use super::args::Cli;
use super::args::Form;
use super::args::SimulateArgs;
use super::output::Output;
use crate::config;
use crate::config::Settings;
use crate::error::Class;
use crate::error::Error;
use crate::rotation::Rules;
use crate::world::simulate;
use crate::world::simulate::SimulateOptions;
use crate::world::simulate::Simulation;
use crate::world::simulate::Subject;
use crate::world::simulate::TenantLimits;

/// Code, title, explanation, what to do; as [`crate::run::codes::CODES`].
pub const CODES: &[(&str, &str, &str, &str)] = &[
    (
        "D020",
        "something would stop",
        "In the simulation a consumer was without a working credential. The verdict names the first instant, the \
         integration and what was missing: a person's act, a step that kept failing, a start that never came.",
        "Change what the reason names (who is asked, `lead`, `lifetime`, the freeze) and simulate again. Nothing \
         outside was touched.",
    ),
    (
        "D021",
        "there is nothing to simulate",
        "No policy has a credential that everkey would renew.",
        "Name another directory with -p DIR, or start from a guide: everkey new --from NAME",
    ),
    (
        "D022",
        "the simulation cannot go on",
        "A part of it could not start, or its time did not move on. Nothing outside was touched.",
        "See the reason. Where time does not move on, report it with the policy and the seed.",
    ),
    (
        "D023",
        "no such period",
        "--for is a time such as 3y, 18mo or 400d, at most 30 years; --from is a date.",
        "Write for instance --for 3y --from 2026-12-01",
    ),
    (
        "D024",
        "no such limit of the tenant",
        "--max-secret-lifetime and --max-certificate-lifetime are times such as 180d or 1y, from a day to 30 years; \
         --limits-from is a date within the period.",
        "Write for instance --max-secret-lifetime 180d --limits-from 2027-06-01",
    ),
];

/// Longest period, in years.
const MOST_YEARS: i64 = 30;

/// The hour of the first day, UTC.
const FIRST_HOUR: i8 = 9;

/// Runs it.
pub async fn run(cli: &Cli, args: &SimulateArgs, out: &Output) -> Result<u8, Error> {
    let options = options(args)?;
    let bar = progress(out);
    let simulation =
        simulate::simulate(subject(cli)?, &options, &|part| bar.set_position((part * 1000.0) as u64)).await;
    bar.finish_and_clear();
    let simulation = simulation?;
    tell(&simulation, out)?;
    if let Some(file) = &args.html {
        config::write_file(file, simulate::page(&simulation).as_bytes())?;
        out.print(&format!("\nThe picture is in {}\n", file.display()));
    }
    if simulation.verdict.good {
        return Ok(OK);
    }
    if out.form() == Form::Table {
        let change = simulation.verdict.stops.first().and_then(|stop| stop.help.as_deref());
        let change = change.unwrap_or("change what the reason names");
        out.error(
            &Error::new(Class::Failed, "D020", "something would stop")
                .why(&simulation.verdict.text)
                .help(format!("{change}; then simulate again: nothing outside was touched")),
        );
    }
    Ok(Class::Failed.exit_code())
}

fn tell(simulation: &Simulation, out: &Output) -> Result<(), Error> {
    match out.form() {
        Form::Csv => out.verbatim(&events::csv(simulation)?),
        Form::Ndjson => out.verbatim(&events::lines(simulation)),
        Form::Json | Form::Sarif | Form::Table => {
            out.print(&table::table(simulation, out.columns()));
            let document: Value = serde_json::to_value(simulation).unwrap_or_default();
            out.document(&document);
        }
    }
    Ok(())
}

/// The installation's policies, those of a directory, or the guides.
fn subject(cli: &Cli) -> Result<Subject, Error> {
    let (file, dir) = (&cli.global.config, cli.global.policy.as_deref());
    // A file that was named must be there; the default one need not.
    if file.exists() || file.as_path() != Path::new("everkey.toml") {
        let settings: Settings = config::load(file, dir, cli.global.tenant.as_deref())?;
        return Subject::of(&settings);
    }
    let settings = simulate::bare(dir.unwrap_or(Path::new("policies")).to_path_buf())?;
    let own = dir.is_some() || Path::new("policies").is_dir();
    if own { Subject::of(&settings) } else { Subject::guides(&settings) }
}

fn options(args: &SimulateArgs) -> Result<SimulateOptions, Error> {
    let wrong =
        |what: String| Error::new(Class::Usage, "D023", what).help("write for instance --for 3y --from 2026-12-01");
    let from = match &args.from {
        None => first_hour(config::real_now().to_zoned(TimeZone::UTC).date()),
        Some(text) => instant(text),
    };
    let from = from.ok_or_else(|| wrong(format!("{:?} is no date", args.from.clone().unwrap_or_default())))?;
    let begin = from.to_zoned(TimeZone::UTC);
    let span = args.period.parse::<Span>().ok();
    let until = span.and_then(|span| begin.checked_add(span).ok()).map(|end| end.timestamp());
    let longest = begin.checked_add(Span::new().years(MOST_YEARS)).map_or(from, |end| end.timestamp());
    let shortest = from + SignedDuration::from_hours(24);
    let until = until.filter(|until| *until >= shortest && *until <= longest);
    let until = until.ok_or_else(|| wrong(format!("{:?} is no period that can be simulated", args.period)))?;
    Ok(SimulateOptions {
        absent: args.absent.iter().cloned().collect(),
        apps: args.apps.map(|apps| apps as usize),
        from,
        limits: limits(args, from, until)?,
        manner: args.people,
        rules: rules(args),
        seed: args.seed,
        until,
        weather: args.faults,
    })
}

/// What the tenant allows, where it was said.
fn limits(args: &SimulateArgs, from: Timestamp, until: Timestamp) -> Result<Option<TenantLimits>, Error> {
    let wrong = |what: String| {
        Error::new(Class::Usage, "D024", what)
            .help("write for instance --max-secret-lifetime 180d --limits-from 2027-06-01")
    };
    let most = |text: &Option<String>| -> Result<Option<Span>, Error> {
        let Some(text) = text else { return Ok(None) };
        let begin = from.to_zoned(TimeZone::UTC);
        let span = text.parse::<Span>().ok().filter(|span| {
            let ends = |span: Span| begin.checked_add(span).ok().map(|end| end.timestamp());
            let (least, longest) = (ends(Span::new().days(1)), ends(Span::new().years(MOST_YEARS)));
            ends(*span).is_some_and(|end| Some(end) >= least && Some(end) <= longest)
        });
        span.map(Some).ok_or_else(|| wrong(format!("{text:?} is no lifetime that a tenant could allow")))
    };
    let since = match &args.limits_from {
        None => Some(from),
        Some(text) => instant(text).filter(|since| (from..until).contains(since)),
    };
    let since = since.ok_or_else(|| {
        wrong(format!("{:?} is no date within the period", args.limits_from.clone().unwrap_or_default()))
    })?;
    let (certificates, secrets) = (most(&args.max_certificate_lifetime)?, most(&args.max_secret_lifetime)?);
    Ok((certificates.is_some() || secrets.is_some()).then_some(TenantLimits { certificates, secrets, since }))
}

/// An instant, or the first hour of a date.
fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| first_hour(text.parse::<Date>().ok()?))
}

fn first_hour(day: Date) -> Option<Timestamp> {
    day.at(FIRST_HOUR, 0, 0, 0).to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
}

/// A moving line, for a person who waits.
fn progress(out: &Output) -> ProgressBar {
    let target = if out.shows_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(1000), target);
    if let Ok(style) = ProgressStyle::with_template("simulating {bar:30} {percent} %") {
        bar.set_style(style);
    }
    bar
}

#[cfg(feature = "mutants")]
fn rules(args: &SimulateArgs) -> Rules {
    crate::world::rules(args.sabotage)
}

#[cfg(not(feature = "mutants"))]
fn rules(_args: &SimulateArgs) -> Rules {
    Rules::default()
}

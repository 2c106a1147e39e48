//! A simulation for people: the verdict first, then what each integration does and what each person is asked.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::output::clean;
use crate::cli::output::count;
use crate::world::simulate::Asked;
use crate::world::simulate::Integration;
use crate::world::simulate::Simulation;
use crate::world::simulate::overlap;
use crate::world::simulate::times;

/// More integrations than this are shown in short; `-o json` has all of them.
const SHOWN: usize = 30;

/// Dates shown for an integration.
const DATES: usize = 12;

/// Widest timeline where standard output is no terminal.
const COLUMNS: usize = 120;

/// The whole text.
pub fn table(simulation: &Simulation, columns: Option<usize>) -> String {
    let mut text = format!("{}\n\n", clean(&simulation.verdict.text));
    let figures = &simulation.summary;
    text.push_str(&format!(
        "{}, {}: {}, {}, {} ({}). Seed {}, faults {}, people {}.\n\
         Every consumer signed in at each of {} instants ({} sign-ins).\n\n",
        count(figures.integrations, "integration", "integrations"),
        period(simulation),
        count(figures.rotations, "rotation", "rotations"),
        count(figures.handoffs, "hand-off", "hand-offs"),
        count(figures.mails, "mail", "mails"),
        count(figures.escalations, "escalation", "escalations"),
        simulation.seed,
        simulation.faults,
        simulation.manner,
        figures.instants,
        figures.sign_ins
    ));
    // Those that stop come first: they are why somebody looks.
    let mut shown: Vec<&Integration> = simulation.integrations.iter().collect();
    shown.sort_by_key(|one| one.stops.is_empty());
    shown.truncate(SHOWN);
    text.push_str(&timeline(simulation, &shown, columns.unwrap_or(COLUMNS)));
    for one in &shown {
        text.push('\n');
        text.push_str(&integration(one));
    }
    if simulation.integrations.len() > SHOWN {
        text.push_str(&format!("\n{} more: see -o json or --html\n", simulation.integrations.len() - SHOWN));
    }
    text.push_str("\nPEOPLE\n");
    let width = simulation.people.iter().map(|one| one.name.chars().count()).max().unwrap_or(0);
    for one in &simulation.people {
        text.push_str(&format!("  {:<width$}  {}\n", clean(&one.name), person(one)));
    }
    if !simulation.notes.is_empty() {
        text.push_str("\nNOTES\n");
        for note in &simulation.notes {
            text.push_str(&format!("  {}\n", clean(note)));
        }
    }
    text
}

fn period(simulation: &Simulation) -> String {
    format!("{} to {}", day(simulation.from), day(simulation.until))
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// How many quarters since the year 0 an instant is.
fn quarter(at: Timestamp) -> i64 {
    let date = at.to_zoned(TimeZone::UTC).date();
    i64::from(date.year()) * 4 + i64::from((date.month() - 1) / 3)
}

/// One line for each integration, quarters as columns.
fn timeline(simulation: &Simulation, shown: &[&Integration], columns: usize) -> String {
    let (first, last) = (quarter(simulation.from), quarter(simulation.until));
    let names = shown.iter().map(|one| clean(&one.name).chars().count()).max().unwrap_or(0).min(40);
    let quarters = usize::try_from(last - first + 1).unwrap_or(1);
    // Three characters a quarter where they fit, else one.
    let cell = if names + 4 + quarters * 3 <= columns { 3 } else { 1 };
    let mut years = String::new();
    let mut marks = String::new();
    for number in first..=last {
        let (year, part) = (number.div_euclid(4), number.rem_euclid(4) + 1);
        // A year stands over its first quarter, where there is room for it before the next.
        let room = usize::try_from((4 - (part - 1)).min(last - number + 1)).unwrap_or(0) * cell;
        let wanted = number == first || part == 1;
        let at = usize::try_from(number - first).unwrap_or(0) * cell;
        if wanted && room >= 4 {
            years = format!("{years:<at$}{year}");
        }
        marks.push_str(&if cell == 3 { format!("Q{part} ") } else { part.to_string() });
    }
    let mut text = format!("  {:names$}  {years}\n", "");
    if cell == 3 {
        text.push_str(&format!("  {:names$}  {}\n", "", marks.trim_end()));
    }
    for one in shown {
        let cells: String = (first..=last).map(|number| mark(one, number, cell)).collect();
        let name: String = clean(&one.name).chars().take(names).collect();
        text.push_str(&format!("  {name:<names$}  {}\n", cells.trim_end()));
    }
    text.push_str(&format!(
        "  {:names$}  + set up   R rotation   F rotation in or after a freeze   X stopped   . nothing\n",
        ""
    ));
    text
}

/// What an integration does in a quarter.
fn mark(one: &Integration, number: i64, cell: usize) -> String {
    let is_in = |at: &Timestamp| quarter(*at) == number;
    let stopped = one.stops.iter().any(|stop| {
        stop.cause != "never-started"
            && quarter(stop.at) <= number
            && stop.until.is_none_or(|until| quarter(until) >= number)
    });
    let begun = one.lives.iter().filter(|life| is_in(&life.staged));
    let (first, renewed): (Vec<_>, Vec<_>) = begun.partition(|life| one.is_first(life.rotation));
    let frozen = one.conflicts.iter().any(|conflict| conflict.step == "stage" && is_in(&conflict.actual));
    let letter = match (stopped, frozen, renewed.len(), first.len()) {
        (true, ..) => "X".to_owned(),
        (_, true, ..) => "F".to_owned(),
        (_, _, 0, 0) => ".".to_owned(),
        (_, _, 0, _) => "+".to_owned(),
        (_, _, 1, _) => "R".to_owned(),
        (_, _, many, _) if cell == 3 => format!("R{many}"),
        _ => "R".to_owned(),
    };
    if cell == 3 { format!("{letter:<3}") } else { letter }
}

fn integration(one: &Integration) -> String {
    let mut text = format!("{}  ({})\n", clean(&one.name), clean(&one.credentials.join("; ")));
    let dates: Vec<String> =
        one.lives.iter().filter(|life| !one.is_first(life.rotation)).map(|life| day(life.staged)).collect();
    let more = if dates.len() > DATES { format!(" and {} more", dates.len() - DATES) } else { String::new() };
    let dates = dates.iter().take(DATES).cloned().collect::<Vec<_>>().join(", ");
    text.push_str(&match one.rotations {
        0 => "  renewed   never in this time\n".to_owned(),
        _ => format!("  renewed   {}: {dates}{more}\n", times(one.rotations)),
    });
    if let Some(days) = overlap(one) {
        text.push_str(&format!("  overlap   {days}: the old one works on, after the new one is in place\n"));
    }
    if one.carried_by.is_empty() {
        text.push_str(&format!("  asks      nobody ({})\n", count(one.mails, "mail", "mails")));
    }
    for (person, often) in &one.carried_by {
        let late = if one.late > 0 { format!(", {} late", one.late) } else { String::new() };
        text.push_str(&format!(
            "  asks      {} {}{late} ({})\n",
            clean(&crate::policy::person_name(person)),
            times(*often),
            count(one.mails, "mail", "mails")
        ));
    }
    for conflict in &one.conflicts {
        let what = if conflict.forced { "goes on in the freeze" } else { "waits for the end of the freeze" };
        text.push_str(&format!(
            "  freeze    {} of rotation {}, wanted {}, {what} {} to {}: {}\n",
            conflict.step,
            conflict.rotation,
            day(conflict.wanted),
            conflict.freeze_from,
            conflict.freeze_to,
            day(conflict.actual)
        ));
    }
    for stop in one.stops.iter().take(DATES) {
        let until = stop.until.map_or_else(|| "the end".to_owned(), |until| until.to_string());
        text.push_str(&format!("  STOPPED   {} until {until}: {}\n", stop.at, clean(&stop.reason)));
        text.push_str(&format!("            {}\n", clean(&one.impact)));
        if let Some(help) = &stop.help {
            text.push_str(&format!("            help: {}\n", clean(help)));
        }
    }
    text
}

fn person(one: &Asked) -> String {
    let mut text = format!(
        "{} a year ({} in all), {} mails a year",
        match one.handoffs_a_year {
            1.0 => "1 hand-off".to_owned(),
            many => format!("{many} hand-offs"),
        },
        one.handoffs,
        one.mails_a_year
    );
    if one.escalations > 0 {
        text.push_str(&format!(", {}", count(one.escalations, "escalation", "escalations")));
    }
    if let Some(days) = one.longest_wait_days {
        text.push_str(&format!(", longest wait {}", count(usize::try_from(days).unwrap_or(0), "day", "days")));
    }
    if one.unanswered > 0 {
        text.push_str(&format!(", {} never answered", one.unanswered));
    }
    text
}

//! The picture of a simulation in numbers: a lane for each credential slot, everything placed by its time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Integration;
use super::Life;
use super::Simulation;
use super::record::Happening;
use super::record::What;

/// Left edge of the time axis: names stand before it.
const LEFT: f64 = 236.0;
/// Width of the whole.
pub(super) const WIDTH: f64 = 1200.0;
const RIGHT: f64 = 14.0;
/// Height of the heading with the years.
pub(super) const TOP: f64 = 40.0;
/// Characters of a name that fit.
const NAME: usize = 31;

/// Something with a place on the axis.
pub(super) struct Band {
    pub x: String,
    pub width: String,
    pub y: String,
    pub height: String,
    pub class: &'static str,
    pub tip: String,
}

/// A point in time.
pub(super) struct Mark {
    pub x: String,
    pub y: String,
    pub tip: String,
}

/// A heading on the axis.
pub(super) struct Tick {
    pub x: String,
    pub text: String,
    pub class: &'static str,
}

/// One lane.
pub(super) struct Lane {
    pub y: String,
    pub middle: String,
    pub below: String,
    pub height: String,
    pub name: String,
    pub credential: String,
    pub title: String,
    pub description: String,
    pub stops: Vec<Band>,
    pub freezes: Vec<Band>,
    pub overlaps: Vec<Band>,
    pub lives: Vec<Band>,
    pub waits: Vec<Band>,
    pub rotations: Vec<Mark>,
    pub escalations: Vec<Mark>,
    pub mails: Vec<Band>,
    pub is_striped: bool,
    /// Whether there is room for a second line under the name.
    pub is_tall: bool,
    pub is_stopped: bool,
}

/// The whole picture.
pub(super) struct Picture {
    pub height: String,
    pub bottom: String,
    /// Where the years stand again, below the last lane.
    pub foot: String,
    pub left: String,
    pub lanes: Vec<Lane>,
    pub ticks: Vec<Tick>,
}

fn px(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// Where instants lie on the axis.
struct Axis {
    from: Timestamp,
    until: Timestamp,
}

impl Axis {
    fn x(&self, at: Timestamp) -> f64 {
        let whole = self.until.duration_since(self.from).as_secs_f64().max(1.0);
        let part = at.duration_since(self.from).as_secs_f64() / whole;
        LEFT + part.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn band(
        &self,
        (from, to): (Timestamp, Timestamp),
        (y, height): (f64, f64),
        class: &'static str,
        tip: String,
    ) -> Band {
        let (left, right) = (self.x(from), self.x(to));
        // What is short is still to be seen.
        let width = (right - left).max(1.6);
        Band { x: px(left), width: px(width), y: px(y), height: px(height), class, tip }
    }

    fn shows(&self, at: Timestamp) -> bool {
        (self.from..=self.until).contains(&at)
    }
}

/// Places everything.
pub(super) fn picture(simulation: &Simulation) -> Picture {
    let axis = Axis { from: simulation.from, until: simulation.until };
    let slots: Vec<(&Integration, String)> = simulation.integrations.iter().flat_map(slots).collect();
    let height = match slots.len() {
        0..=12 => 46.0,
        13..=30 => 30.0,
        _ => 25.0,
    };
    let mut events: BTreeMap<&str, Vec<&Happening>> = BTreeMap::new();
    for event in &simulation.events {
        events.entry(&event.integration).or_default().push(event);
    }
    let mut lanes = Vec::new();
    for (number, (one, slot)) in slots.iter().enumerate() {
        let y = TOP + height * number as f64;
        let mine = events.get(one.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        lanes.push(lane(&axis, mine, one, slot, (y, height), number % 2 == 1));
    }
    let bottom = TOP + height * slots.len() as f64;
    Picture {
        height: px(bottom + 22.0),
        bottom: px(bottom),
        foot: px(bottom + 16.0),
        left: px(LEFT),
        lanes,
        ticks: ticks(&axis),
    }
}

/// The credentials of an integration, also of one that never got any.
fn slots(one: &Integration) -> Vec<(&Integration, String)> {
    let mut slots: Vec<String> = Vec::new();
    for life in &one.lives {
        if !slots.contains(&life.credential) {
            slots.push(life.credential.clone());
        }
    }
    if slots.is_empty() {
        slots.push(String::new());
    }
    slots.into_iter().map(|slot| (one, slot)).collect()
}

fn ticks(axis: &Axis) -> Vec<Tick> {
    let first = axis.from.to_zoned(TimeZone::UTC).date();
    let mut ticks = Vec::new();
    let whole_years = axis.until.duration_since(axis.from).as_hours() > 24 * 365 * 8;
    let mut at = Date::new(first.year(), 1, 1).unwrap_or(first);
    while let Ok(start) = at.to_zoned(TimeZone::UTC) {
        let instant = start.timestamp();
        if instant > axis.until {
            break;
        }
        let (is_year, is_shown) = (at.month() == 1, axis.shows(instant));
        if is_shown && (is_year || !whole_years) {
            let text = if is_year { at.year().to_string() } else { format!("Q{}", (at.month() - 1) / 3 + 1) };
            let class = if is_year { "year" } else { "quarter" };
            ticks.push(Tick { x: px(axis.x(instant)), text, class });
        }
        at = at.saturating_add(jiff::Span::new().months(3));
    }
    ticks
}

fn lane(
    axis: &Axis,
    mine: &[&Happening],
    one: &Integration,
    slot: &str,
    (y, height): (f64, f64),
    is_striped: bool,
) -> Lane {
    let lives: Vec<&Life> = one.lives.iter().filter(|life| life.credential == slot).collect();
    let is_first_slot = one.lives.first().is_none_or(|life| life.credential == slot);
    let row = (height - 12.0) / 2.0;
    let rows = |at: usize| y + 3.0 + (at % 2) as f64 * (row + 1.0);
    let end = |life: &Life| life.gone.unwrap_or(life.end).min(axis.until);
    let whole = (y + 1.0, height - 2.0);
    let mut lane = Lane {
        y: px(y),
        middle: px(y + height / 2.0 + if height > 40.0 { -3.0 } else { 4.0 }),
        below: px(y + height / 2.0 + 12.0),
        height: px(height),
        name: short(&one.name),
        credential: one.credentials.iter().find(|text| text.starts_with(slot)).cloned().unwrap_or_default(),
        title: format!("{} ({})", one.title, one.name),
        description: description(one, &lives),
        stops: Vec::new(),
        freezes: Vec::new(),
        overlaps: Vec::new(),
        lives: Vec::new(),
        waits: Vec::new(),
        rotations: Vec::new(),
        escalations: Vec::new(),
        mails: Vec::new(),
        is_striped,
        is_tall: height > 40.0,
        is_stopped: !one.stops.is_empty(),
    };
    for (from, to) in &one.freezes {
        let at = |date: Date| date.to_zoned(TimeZone::UTC).map_or(axis.from, |at| at.timestamp());
        let span = (at(*from), at(to.tomorrow().unwrap_or(*to)));
        if span.1 > axis.from && span.0 < axis.until {
            lane.freezes.push(axis.band(span, (y, height), "freeze", format!("freeze {from} to {to}")));
        }
    }
    for (at, life) in lives.iter().enumerate() {
        let tip = format!("{} of rotation {}: {} to {}", life.kind, life.rotation, day(life.staged), day(life.end));
        let class = if at % 2 == 0 { "life" } else { "life other" };
        lane.lives.push(axis.band((life.staged, end(life)), (rows(at), row), class, tip));
        if at == 0 {
            continue;
        }
        let number = life.rotation;
        lane.rotations.push(Mark {
            x: px(axis.x(life.staged)),
            y: px(rows(at) + row / 2.0),
            tip: format!("rotation {number}, {}", day(life.staged)),
        });
        let before = end(lives[at - 1]);
        if let Some(delivered) = life.delivered.filter(|delivered| *delivered < before) {
            let tip = format!("both work, {} to {}", day(delivered), day(before));
            lane.overlaps.push(axis.band((delivered, before), (y + 2.0, row * 2.0 + 3.0), "overlap", tip));
        }
    }
    for stop in one.stops.iter().filter(|stop| stop.credential == slot || slot.is_empty()) {
        let until = stop.until.unwrap_or(axis.until);
        lane.stops.push(axis.band((stop.at, until), whole, "stop", format!("STOPPED {}: {}", stop.at, stop.reason)));
    }
    let events = || mine.iter().filter(|_| is_first_slot);
    for event in events() {
        let x = axis.x(event.at);
        match event.what {
            What::Mail => {
                let tip = format!("mail {} to {}: {}", day(event.at), event.people.join(", "), event.text);
                let (mark, place) = ((event.at, event.at), (y + height - 6.0, 4.0));
                lane.mails.push(axis.band(mark, place, "mail", tip));
            }
            What::Escalation => lane.escalations.push(Mark {
                x: px(x),
                y: px(y + height - 4.0),
                tip: format!("escalation {} to {}: {}", day(event.at), event.people.join(", "), event.text),
            }),
            What::Handoff => {
                let done = events().find(|other| other.what == What::Confirmed && other.handoff == event.handoff);
                let until = done.map_or(axis.until, |done| done.at);
                let who = event.people.join(", ");
                let tip =
                    format!("hand-off {}, {who}: {} to {}", event.handoff.unwrap_or(0), day(event.at), day(until));
                lane.waits.push(axis.band((event.at, until), (y + height - 8.5, 2.0), "wait", tip));
            }
            _ => {}
        }
    }
    lane
}

fn short(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}

/// The lane in words, for whoever does not see it.
fn description(one: &Integration, lives: &[&Life]) -> String {
    let renewed: Vec<String> = lives.iter().skip(1).map(|life| day(life.staged)).collect();
    let mut text = match renewed.len() {
        0 => "Not renewed in this time.".to_owned(),
        _ => format!("Renewed on {}.", renewed.join(", ")),
    };
    for stop in &one.stops {
        text.push_str(&format!(" Stopped on {}: {}.", day(stop.at), stop.reason));
    }
    text
}

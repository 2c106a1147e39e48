//! How the far side behaves: plans of faults from a seed, outages, crashes of everkey, other administrators.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::emulator::FaultPlan;
use crate::emulator::Quirks;
use crate::error::Result;

use super::SimulateOptions;
use super::Weather;
use super::cannot;
use super::dice::between;
use super::dice::dice;

/// Without end: a rule hits as often as its chance says.
const ALWAYS: u32 = u32::MAX;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Something that befalls the whole installation.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Blow {
    Crash,
    ForeignCredential,
    Limits,
    OutageBegins,
    OutageEnds,
}

/// The blows of one simulation, and how the service misbehaves all the time.
pub(super) struct Sky {
    blows: BTreeSet<(Timestamp, Blow)>,
    plan: Option<FaultPlan>,
}

impl Sky {
    pub(super) fn of(options: &SimulateOptions, number: usize) -> Result<Self> {
        let number = number.to_string();
        let plan = match options.weather {
            Weather::None => None,
            Weather::Rough | Weather::Hostile => Some(plan(options, &number)?),
        };
        let mut blows: BTreeSet<(Timestamp, Blow)> = BTreeSet::new();
        blows.extend(options.limits.iter().map(|limits| (limits.since, Blow::Limits)));
        if options.weather == Weather::Hostile {
            let throw = |what: &str, turn: i64, least, most| {
                between(options.seed, &[what, &number, &turn.to_string()], least, most)
            };
            let mut at = options.from + DAY * 3;
            for turn in 0.. {
                // One every four weeks or so; every fourth lasts for days.
                at += HOUR * i32::try_from(throw("pause", turn, 24 * 14, 24 * 42)).unwrap_or(24 * 28);
                if at >= options.until {
                    break;
                }
                let hours = if turn % 4 == 3 { throw("days", turn, 30, 72) } else { throw("hours", turn, 1, 9) };
                blows.insert((at, Blow::OutageBegins));
                blows.insert((at + HOUR * i32::try_from(hours).unwrap_or(1), Blow::OutageEnds));
                let crash = at + HOUR * i32::try_from(throw("crash", turn, 1, 24 * 12)).unwrap_or(1);
                blows.insert((crash, Blow::Crash));
                if turn % 3 == 0 {
                    let foreign = HOUR * i32::try_from(throw("foreign", turn, 1, 24 * 10)).unwrap_or(1);
                    blows.insert((at + foreign, Blow::ForeignCredential));
                }
            }
        }
        Ok(Self { blows, plan })
    }

    /// How the service misbehaves all the time.
    pub(super) fn plan(&self) -> Option<&FaultPlan> {
        self.plan.as_ref()
    }

    /// How far the token endpoint lags at worst.
    pub(super) fn lag(&self) -> SignedDuration {
        self.plan.as_ref().and_then(|plan| plan.quirks.as_ref()).map_or(SignedDuration::ZERO, |quirks| quirks.token_lag)
    }

    /// When the next blow falls.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.blows.first().map(|(at, _)| *at)
    }

    /// Takes what falls now.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Blow> {
        let mut due = Vec::new();
        while self.blows.first().is_some_and(|(at, _)| *at <= now) {
            due.extend(self.blows.pop_first().map(|(_, blow)| blow));
        }
        due
    }
}

/// Single faults by chance, and standing conditions.
fn plan(options: &SimulateOptions, number: &str) -> Result<FaultPlan> {
    let hostile = options.weather == Weather::Hostile;
    let of = |rough: f64, worse: f64| if hostile { worse } else { rough };
    let rule = |name: &str, method: Option<&str>, path: &str, chance: f64, effect: Value| {
        json!({
            "name": name, "method": method, "path_contains": path, "chance": chance, "count": ALWAYS, "effect": effect,
        })
    };
    let mut faults = vec![
        rule("lost", Some("POST"), "addPassword", of(0.05, 0.2), json!({"kind": "reset-after-effect"})),
        rule("lost", Some("POST"), "addKey", of(0.05, 0.2), json!({"kind": "reset-after-effect"})),
        rule("lost", Some("POST"), "remove", of(0.05, 0.2), json!({"kind": "reset-after-effect"})),
        rule("lost", Some("PATCH"), "/v1.0/applications", of(0.02, 0.1), json!({"kind": "reset-after-effect"})),
        rule("throttled", None, "/v1.0/", of(0.01, 0.03), json!({"kind": "answer", "status": 429, "retry_after": 30})),
        rule("error", None, "/v1.0/", of(0.01, 0.03), json!({"kind": "answer", "status": 503})),
        rule("reset", None, "/v1.0/", of(0.005, 0.02), json!({"kind": "reset-before-effect"})),
        rule("sign-in", Some("POST"), "/oauth2/v2.0/token", of(0.01, 0.03), json!({"kind": "answer", "status": 503})),
    ];
    if hostile {
        // Late, but within Z: what a gateway can hold back.
        let late = |seconds| json!({"kind": "delay-effect", "seconds": seconds});
        faults.push(rule("late", Some("POST"), "addPassword", 0.1, late(240)));
        faults.push(rule("late", Some("POST"), "remove", 0.1, late(600)));
        faults.push(rule("late", Some("PATCH"), "/v1.0/applications", 0.05, late(420)));
    }
    let quirks = Quirks {
        read_lag: SignedDuration::from_secs(if hostile { 90 } else { 20 }),
        front_ends: 3,
        token_lag: SignedDuration::from_secs(if hostile { 50 } else { 20 }),
        token_flapping: true,
        ..Quirks::default()
    };
    let seed = dice(options.seed, &["faults", number]);
    let faults =
        faults.into_iter().map(serde_json::from_value).collect::<std::result::Result<_, _>>().map_err(cannot)?;
    let plan = FaultPlan { seed, faults, quirks: Some(quirks) };
    match plan.nonsense() {
        Some((_, why)) => Err(cannot(why)),
        None => Ok(plan),
    }
}

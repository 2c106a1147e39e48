//! Schedules against two oracles: the `croner` crate over thousands of expressions, and a walk minute by minute.

use std::str::FromStr;

use everkey::policy::Schedule;
use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;

const ZONES: [&str; 6] =
    ["America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin", "UTC"];

/// xorshift64: the same cases on every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    fn field(&mut self, least: u64, most: u64, stars: u64) -> String {
        if self.below(10) < stars {
            return if self.below(4) == 0 { format!("*/{}", self.between(1, most.min(20))) } else { "*".into() };
        }
        let count = if self.below(3) == 0 { 3 } else { 1 };
        let items: Vec<String> = (0..count).map(|_| self.item(least, most)).collect();
        items.join(",")
    }

    fn item(&mut self, least: u64, most: u64) -> String {
        let from = self.between(least, most);
        let to = self.between(from, most);
        match self.below(4) {
            0 => format!("{from}-{to}"),
            1 => format!("{from}-{to}/{}", self.between(1, 5)),
            _ => from.to_string(),
        }
    }

    fn expression(&mut self) -> String {
        let (minute, hour) = (self.field(0, 59, 3), self.field(0, 23, 4));
        let (day, month) = (self.field(1, 31, 7), self.field(1, 12, 7));
        format!("{minute} {hour} {day} {month} {}", self.field(0, 6, 6))
    }
}

/// The three known ways in which croner differs from crontab(5) (`crates.md` section 5).
fn is_known_difference(expression: &str, near: Timestamp, zone: &TimeZone) -> bool {
    let fields: Vec<&str> = expression.split(' ').collect();
    let (minute, hour, day, weekday) = (fields[0], fields[1], fields[2], fields[4]);
    let restricted = |field: &str| field != "*";
    let stepped_days = (day.starts_with("*/") && restricted(weekday)) || (weekday.starts_with("*/") && restricted(day));
    let week = SignedDuration::from_hours(36);
    let change = zone.following(near - week).next().is_some_and(|change| change.timestamp() <= near + week);
    let listed = |field: &str| field.contains([',', '-']);
    let listed_at_a_change = change && (listed(minute) || listed(hour));
    let whole_week = weekday.split(',').any(|item| item.starts_with("0-0"));
    stepped_days || listed_at_a_change || whole_week
}

#[test]
fn croner_agrees_but_for_its_three_known_differences() {
    let mut random = Random(0x5eed_cafe);
    let (mut compared, mut refused, mut known) = (0, 0, 0);
    for _ in 0..4_000 {
        let expression = random.expression();
        let Ok(ours) = Schedule::parse(&expression) else { panic!("{expression} must be read") };
        let Ok(theirs) = croner::Cron::from_str(&expression) else {
            refused += 1;
            continue;
        };
        let zone = TimeZone::get(ZONES[random.below(6) as usize]).unwrap();
        // 2015 to 2030: Sao Paulo still changed its clocks in the first years.
        let mut at = Timestamp::from_second(random.between(1_420_070_400, 1_893_456_000) as i64).unwrap();
        for _ in 0..4 {
            let Some(next) = ours.next_after(at, &zone) else { break };
            let oracle = theirs.find_next_occurrence(&at.to_zoned(zone.clone()), false).map(|next| next.timestamp());
            match oracle {
                Ok(oracle) if oracle == next => compared += 1,
                // It gives up on schedules that are years apart.
                Err(_) if next.duration_since(at) > SignedDuration::from_hours(24 * 365) => break,
                other => {
                    let near = other.as_ref().map_or(next, |other| next.min(*other));
                    assert!(
                        is_known_difference(&expression, near, &zone),
                        "`{expression}` in {zone:?} after {at}: {next}, croner says {other:?}"
                    );
                    known += 1;
                }
            }
            at = next;
        }
    }
    assert!(compared > 10_000 && refused < 400, "compared {compared}, refused {refused}, known {known}");
}

/// By elapsed time: a wildcard job runs at every minute whose local time fits, in both passes of an overlap.
#[test]
fn wildcard_jobs_follow_a_walk_minute_by_minute() {
    let minute = SignedDuration::from_mins(1);
    for zone in ZONES {
        let zone = TimeZone::get(zone).unwrap();
        for (step, hours) in [(15, vec![0, 1, 2, 3]), (7, vec![2]), (30, vec![0, 23])] {
            let list = hours.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let schedule = Schedule::parse(&format!("*/{step} {list} * * *")).unwrap();
            let changes: Vec<Timestamp> = zone
                .following("2017-01-01T00:00:00Z".parse().unwrap())
                .take(2)
                .map(|change| change.timestamp())
                .collect();
            for change in changes.into_iter().chain(["2026-06-01T00:00:00Z".parse().unwrap()]) {
                let from = change - SignedDuration::from_hours(26);
                let until = change + SignedDuration::from_hours(26);
                let mut walked = Vec::new();
                let mut at = Timestamp::from_second(from.as_second().div_euclid(60) * 60).unwrap() + minute;
                while at <= until {
                    let local = at.to_zoned(zone.clone());
                    if i64::from(local.minute()) % step == 0 && hours.contains(&local.hour()) {
                        walked.push(at);
                    }
                    at += minute;
                }
                let fires =
                    std::iter::successors(schedule.next_after(from, &zone), |at| schedule.next_after(*at, &zone));
                let fires: Vec<Timestamp> = fires.take_while(|at| *at <= until).collect();
                assert_eq!(fires, walked, "*/{step} {list} in {zone:?} around {change}");
            }
        }
    }
}

/// Fixed jobs run exactly once on every day, whatever the clocks do.
#[test]
fn a_fixed_daily_job_runs_once_a_day() {
    for zone in ZONES {
        let zone = TimeZone::get(zone).unwrap();
        for expression in ["30 2 * * *", "0 0 * * *", "15 1 * * *", "59 23 * * *"] {
            let schedule = Schedule::parse(expression).unwrap();
            let mut at: Timestamp = "2016-12-31T12:00:00Z".parse().unwrap();
            let mut day = at.to_zoned(zone.clone()).date();
            for _ in 0..800 {
                let next = schedule.next_after(at, &zone).unwrap();
                let date = next.to_zoned(zone.clone()).date();
                if day < date {
                    assert_eq!(date, day.tomorrow().unwrap(), "`{expression}` in {zone:?}");
                } else {
                    assert!(
                        day == date && at < "2017-01-01T12:00:00Z".parse().unwrap(),
                        "`{expression}` twice on {date}"
                    );
                }
                (at, day) = (next, date);
            }
        }
    }
}

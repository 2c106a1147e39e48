//! Schedules against two oracles: the `croner` crate over thousands of expressions, and a walk minute by minute.

use std::str::FromStr;

use everkey::policy::Schedule;
use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;

const ZONES: [&str; 9] = [
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/London",
    "Pacific/Apia",
    "Pacific/Auckland",
    "UTC",
];

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
        let weekday = if self.below(8) == 0 { "MON-FRI".to_owned() } else { self.field(0, 6, 6) };
        format!("{minute} {hour} {day} {month} {weekday}")
    }
}

/// The three known ways in which croner differs from crontab(5) (`crates.md` section 5); the walk below decides them.
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

/// What a field allows, read in another way than the program reads it.
fn allowed(field: &str, least: i64, most: i64) -> Vec<i64> {
    let named = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let number = |text: &str| {
        named
            .iter()
            .position(|name| *name == text)
            .map_or_else(|| text.parse().unwrap(), |at| i64::try_from(at).unwrap())
    };
    let fits = |value: i64, item: &str| {
        let (range, step) = item.split_once('/').map_or((item, 1), |(range, step)| (range, step.parse().unwrap()));
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((from, to)) => (number(from), number(to)),
            None => (number(range), number(range)),
        };
        from <= value && value <= to && (value - from) % step == 0
    };
    (least..=most).filter(|value| field.split(',').any(|item| fits(*value, item))).collect()
}

/// The oracle that knows nothing but the rules: it walks the wall clock minute by minute.
fn walked(expression: &str, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let fields: Vec<&str> = expression.split(' ').collect();
    let (minutes, hours) = (allowed(fields[0], 0, 59), allowed(fields[1], 0, 23));
    let (days, months, weekdays) = (allowed(fields[2], 1, 31), allowed(fields[3], 1, 12), allowed(fields[4], 0, 6));
    let either = !fields[2].starts_with('*') && !fields[4].starts_with('*');
    let on = |date: jiff::civil::Date| {
        let day = days.contains(&i64::from(date.day()));
        let weekday = weekdays.contains(&i64::from(date.weekday().to_sunday_zero_offset()));
        let fits = if either { day || weekday } else { day && weekday };
        months.contains(&i64::from(date.month())) && fits
    };
    let wildcard = fields[0].starts_with('*') || fields[1].starts_with('*');
    let minute = SignedDuration::from_mins(1);
    let mut date = after.to_zoned(zone.clone()).date().yesterday().unwrap();
    while date.year() <= 2100 {
        if on(date) {
            // From the evening before to the morning after, so that every pass of every hour is seen.
            let begin = date.to_datetime(jiff::civil::time(0, 0, 0, 0)).to_zoned(TimeZone::UTC).unwrap().timestamp();
            let begin = begin - SignedDuration::from_hours(18);
            let mut wanted: Vec<jiff::civil::DateTime> = Vec::new();
            for hour in &hours {
                let at = |m: &i64| date.at(*hour as i8, *m as i8, 0, 0);
                wanted.extend(minutes.iter().map(at));
            }
            let mut wanted = wanted.into_iter().peekable();
            let mut at = begin;
            for _ in 0..62 * 60 {
                let local = zone.to_datetime(at);
                if wildcard {
                    let fits = minutes.contains(&i64::from(local.minute())) && hours.contains(&i64::from(local.hour()));
                    if local.date() == date && fits && at > after {
                        return Some(at);
                    }
                } else {
                    // The first instant whose wall clock shows the time or has jumped over it.
                    let mut ran = false;
                    while wanted.next_if(|civil| local >= *civil).is_some() {
                        ran = true;
                    }
                    if ran && at > after {
                        return Some(at);
                    }
                }
                at += minute;
            }
        }
        date = date.tomorrow().unwrap();
    }
    None
}

#[test]
fn two_oracles_agree() {
    let mut random = Random(0x5eed_cafe);
    let (mut compared, mut refused, mut known, mut checked) = (0, 0, 0, 0);
    for round in 0..4_000 {
        let expression = random.expression();
        let Ok(ours) = Schedule::parse(&expression) else { panic!("{expression} must be read") };
        let Ok(theirs) = croner::Cron::from_str(&expression) else {
            refused += 1;
            continue;
        };
        let zone = TimeZone::get(ZONES[random.below(ZONES.len() as u64) as usize]).unwrap();
        // 2000 to 2100.
        let mut at = Timestamp::from_second(random.between(946_684_800, 4_099_680_000) as i64).unwrap();
        for _ in 0..4 {
            let Some(next) = ours.next_after(at, &zone) else { break };
            let oracle = theirs.find_next_occurrence(&at.to_zoned(zone.clone()), false).map(|next| next.timestamp());
            let case = || format!("`{expression}` in {zone:?} after {at}: {next}, croner says {oracle:?}");
            let agrees = matches!(&oracle, Ok(oracle) if *oracle == next);
            if agrees {
                compared += 1;
            } else if oracle.is_ok() || next.duration_since(at) <= SignedDuration::from_hours(24 * 365) {
                let near = oracle.as_ref().map_or(next, |other| next.min(*other));
                assert!(is_known_difference(&expression, near, &zone), "{}", case());
                known += 1;
            }
            // Where croner is known to be wrong, or gives up on what is years apart, the rules themselves decide;
            // and now and then where it agrees.
            if !agrees || round % 20 == 0 {
                assert_eq!(walked(&expression, at, &zone), Some(next), "{}", case());
                checked += 1;
            }
            at = next;
        }
    }
    assert!(
        compared > 10_000 && refused < 400 && known > 50 && checked > 500,
        "{compared} {refused} {known} {checked}"
    );
}

/// What people write, on the days that are special.
#[test]
fn usual_schedules_on_unusual_days() {
    let fires = |expression: &str, zone: &str, from: &str, count: usize| -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let schedule = Schedule::parse(expression).unwrap();
        let first = schedule.next_after(from.parse().unwrap(), &zone);
        let all = std::iter::successors(first, |at| schedule.next_after(*at, &zone)).take(count);
        all.map(|at| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M%:z").to_string()).collect()
    };
    for (expression, zone, from, expected) in [
        // Friday to Monday, over the clock change of London.
        ("0 6 * * MON-FRI", "Europe/London", "2027-03-26T06:00:00Z", &["2027-03-29 06:00+01:00"][..]),
        ("0 6 29 2 *", "UTC", "2096-03-01T00:00:00Z", &[]),
        ("0 6 29 2 *", "UTC", "2026-01-01T00:00:00Z", &["2028-02-29 06:00+00:00", "2032-02-29 06:00+00:00"]),
        ("0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", &["2026-03-31 00:00+00:00", "2026-05-31 00:00+00:00"]),
        ("0 6,18 1-7/3 */6 *", "UTC", "2026-07-04T07:00:00Z", &["2026-07-04 18:00+00:00", "2026-07-07 06:00+00:00"]),
        ("59 23 31 12 *", "Asia/Kolkata", "2099-12-31T18:29:00Z", &["2100-12-31 23:59+05:30"]),
        ("@monthly", "America/New_York", "2026-10-31T12:00:00Z", &["2026-11-01 00:00-04:00"]),
    ] {
        assert_eq!(fires(expression, zone, from, expected.len().max(1)), expected, "{expression} in {zone}");
    }
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

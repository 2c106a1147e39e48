//! What may start when: schedule, window, freeze, spread, daily limit, catching up; and that nothing of it holds up
//! a rotation that runs. Also the modes under which nothing is changed at all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use everkey::clock::Clock as _;
use everkey::model::IntegrationName;
use everkey::model::Rotation;
use everkey::model::State;
use everkey::policy;
use everkey::policy::Mode;
use everkey::policy::Policy;
use everkey::rotation::Rules;
use everkey::run::Limits;
use everkey::run::Pace;
use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::date;
use jiff::civil::time;

use crate::campaign_ledger::Part;
use crate::kinds::Kind;
use crate::kinds::tool;
use crate::lab::Lab;
use crate::process::Process;
use crate::world::World;

const JITTER: SignedDuration = SignedDuration::from_mins(15);

/// A client secret in a JSON file, renewed by itself; the schedule is `0 6 * * MON-FRI` in UTC.
fn policy(name: &str, lifetime: &str) -> Policy {
    let text = format!(
        r#"
version = 1
name = "{name}"
impact = "The test stops."
mode = "rotate"
schedule = "0 6 * * MON-FRI"
timezone = "UTC"
[app]
display_name = "{name}"
audience = "single"
[[credential]]
kind = "client-secret"
lifetime = "{lifetime}"
[[credential.deliver]]
to = "json-file"
path = "/srv/{name}.json"
values = {{ "/id" = "client_id", "/secret" = "secret" }}
[credential.confirm]
method = "token-request"
[people]
owner = "platform@contoso.example"
"#
    );
    let files = [(PathBuf::from(format!("{name}.toml")), text)];
    let read = policy::read_policies(&files, &tool());
    read.value.into_iter().next().unwrap_or_else(|| panic!("{:#?}", read.diagnostics))
}

/// A tenant in which these are provisioned, delivered and confirmed.
async fn provisioned(lab: &Arc<Lab>, policies: Vec<Policy>, new_per_day: u32) -> World {
    let mut world = World::new(lab, Kind::Secret);
    world.pace = Pace::Scheduled(Limits { jitter: JITTER, new_per_day });
    world.policies = policies;
    for policy in &world.policies {
        let file = world.sinks().join(format!("srv/{}.json", policy.name));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, r#"{ "id": "", "secret": "" }"#).unwrap();
    }
    go_on(&world, world.clock.now() + SignedDuration::from_hours(1)).await;
    for policy in &world.policies {
        let latest = latest(&world, &policy.name.0).await;
        assert!(latest.confirmed_at().is_some(), "first issuance waits for no schedule: {latest:?}");
    }
    world
}

/// One daemon that lives until `until`, and ticks when something is due.
async fn go_on(world: &World, until: Timestamp) {
    let process = Process::start(world, None, Rules::default()).await;
    for _ in 0..400 {
        let tick = process.engine.tick(&world.policies, &[]).await.unwrap();
        assert!(tick.failed.is_empty(), "{:?}", tick.failed);
        let now = world.clock.now();
        match tick.next_due {
            Some(due) if due <= until => world.clock.set(due.max(now + SignedDuration::from_secs(1))),
            _ => {
                world.clock.set(until);
                return;
            }
        }
    }
    panic!("it spins: 400 ticks, and it is only {}", world.clock.now());
}

async fn all(world: &World, name: &str) -> Vec<Rotation> {
    let process = Process::start(world, None, Rules::default()).await;
    process.store.rotations(&IntegrationName::from(name)).await.unwrap()
}

async fn latest(world: &World, name: &str) -> Rotation {
    all(world, name).await.pop().unwrap()
}

/// When its latest rotation was staged; `None` while it waits.
async fn staged(world: &World, name: &str) -> Option<Timestamp> {
    latest(world, name).await.attempts.first().map(|attempt| attempt.started)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Down for months, back on a Saturday with four dates passed and two starts a day allowed.
#[tokio::test]
async fn after_downtime_the_soonest_start_first_and_the_rest_on_the_next_fire() {
    let lab = Lab::start().await;
    // In another order than that of their ends.
    let policies = [("m", "186d"), ("k", "182d"), ("n", "188d"), ("l", "184d")].map(|(name, life)| policy(name, life));
    let world = provisioned(&lab, policies.to_vec(), 2).await;
    // Issued on 20 November; the last date is 20 November + 188 d - 60 d = 28 March. 3 April 2027 is a Saturday.
    world.clock.set(at("2027-04-03T12:00:00Z"));
    go_on(&world, at("2027-04-04T23:00:00Z")).await;
    for name in ["k", "l"] {
        assert_eq!(staged(&world, name).await.unwrap().as_second() / 60, at("2027-04-03T12:00:00Z").as_second() / 60);
        // Started on a Saturday, and proven and delivered within minutes: no schedule holds that up.
        let delivered = latest(&world, name).await.delivered_at().unwrap();
        assert!(delivered < at("2027-04-03T12:05:00Z"), "{name} {delivered}");
    }
    for name in ["m", "n"] {
        assert_eq!(latest(&world, name).await.state, State::Planned, "{name} waits: two a day, and Sunday is no day");
    }
    go_on(&world, at("2027-04-05T07:00:00Z")).await;
    let (m, n) = (staged(&world, "m").await.unwrap(), staged(&world, "n").await.unwrap());
    for start in [m, n] {
        assert!((at("2027-04-05T06:00:00Z")..at("2027-04-05T06:15:01Z")).contains(&start), "{start}");
    }
    assert_ne!(m, n, "the spread keeps them apart");
    // Once: what was made up for is not made up for again.
    for name in ["k", "l", "m", "n"] {
        assert_eq!(all(&world, name).await.len(), 2, "{name}");
    }
}

/// Twelve come due at once, and five may start on a day.
#[tokio::test]
async fn five_start_on_a_day_and_the_rest_on_the_next() {
    let lab = Lab::start().await;
    let names: Vec<String> = ('a'..='l').map(|name| name.to_string()).collect();
    let world = provisioned(&lab, names.iter().map(|name| policy(name, "186d")).collect(), 5).await;
    // Their date was 26 March. 5 April 2027 is a Monday.
    world.clock.set(at("2027-04-05T05:00:00Z"));
    for day in ["2027-04-06T05:00:00Z", "2027-04-07T05:00:00Z", "2027-04-08T05:00:00Z"] {
        go_on(&world, at(day)).await;
    }
    let mut days: BTreeMap<String, usize> = BTreeMap::new();
    for name in &names {
        let start = staged(&world, name).await.unwrap_or_else(|| panic!("{name} has not started"));
        *days.entry(start.strftime("%F").to_string()).or_default() += 1;
    }
    assert_eq!(days.values().copied().collect::<Vec<_>>(), [5, 5, 2], "{days:?}");
    let mut part = Part::new("cap-new-per-day", "twelve rotations come due at once: five start on a day");
    part.count("rotations", names.len());
    part.count("of them on the busiest day", days.values().max().copied().unwrap_or_default());
    part.done();
}

#[tokio::test]
async fn near_a_lapse_neither_freeze_nor_limit_holds() {
    let lab = Lab::start().await;
    let mut policies = [("a", "186d"), ("b", "150d"), ("c", "184d")].map(|(name, life)| policy(name, life));
    for policy in &mut policies {
        policy.calendar.freeze = vec![(date(2027, 3, 29), date(2027, 4, 30))];
    }
    let world = provisioned(&lab, policies.to_vec(), 1).await;
    // In the freeze: b ends on 19 April, less than overlap and retry budget (7 d each) from now; a and c have time.
    world.clock.set(at("2027-04-06T09:00:00Z"));
    go_on(&world, at("2027-04-30T23:00:00Z")).await;
    let urgent = staged(&world, "b").await.unwrap();
    assert!(urgent < at("2027-04-06T09:01:00Z"), "{urgent}");
    assert!(latest(&world, "b").await.delivered_at().is_some(), "a freeze holds up no rotation that runs");
    assert!(latest(&world, "b").await.removals.is_empty(), "nothing is retired in a freeze");
    for name in ["a", "c"] {
        assert_eq!(latest(&world, name).await.state, State::Planned, "{name}");
    }
    // The freeze ends with 30 April, a Friday; one a day: first the sooner one.
    go_on(&world, at("2027-05-04T05:00:00Z")).await;
    let soonest = staged(&world, "c").await.unwrap();
    assert!((at("2027-05-03T06:00:00Z")..at("2027-05-03T06:15:01Z")).contains(&soonest), "{soonest}");
    assert_eq!(latest(&world, "a").await.state, State::Planned);
    go_on(&world, at("2027-05-04T07:00:00Z")).await;
    assert!(staged(&world, "a").await.unwrap() < at("2027-05-04T06:15:01Z"));
    // b was ready to retire on 13 April; no fire counts in a freeze, so it is the first one after it.
    let removed = latest(&world, "b").await.removals[0].sent.unwrap();
    assert!((at("2027-05-03T06:00:00Z")..at("2027-05-03T06:01:00Z")).contains(&removed), "{removed}");
}

/// Down past the end of what is in use: whoever reads the sink gets the new value at once.
#[tokio::test]
async fn what_expired_meanwhile_is_renewed_and_delivered() {
    let lab = Lab::start().await;
    let world = provisioned(&lab, vec![policy("x", "180d")], 5).await;
    let sink = world.sinks().join("srv/x.json");
    let before = std::fs::read_to_string(&sink).unwrap();
    world.clock.set(at("2027-06-12T12:00:00Z"));
    go_on(&world, at("2027-06-12T13:00:00Z")).await;
    let rotation = latest(&world, "x").await;
    assert_eq!(rotation.deliveries.len(), 1, "{:?}", rotation.state);
    assert_ne!(std::fs::read_to_string(&sink).unwrap(), before);
    // The overlap ends on a Saturday, the expired one leaves on Monday.
    go_on(&world, at("2027-06-22T13:00:00Z")).await;
    assert_eq!(all(&world, "x").await.len(), 2, "once");
    assert_eq!(latest(&world, "x").await.removals.len(), 1, "the expired one has left");
}

/// On time: planned when its date comes, staged at the first fire after it, retired at the first fire after the
/// overlap, and both inside the window.
#[tokio::test]
async fn on_time_everything_happens_at_its_fire() {
    let lab = Lab::start().await;
    let mut policies = vec![policy("w", "180d")];
    policies[0].calendar.schedule = "30 * * * *".to_owned();
    policies[0].calendar.window = Some((time(22, 0, 0, 0), time(2, 0, 0, 0)));
    let world = provisioned(&lab, policies, 5).await;
    // Its date: 20 November 09:0x + 180 d - 60 d = 20 March 2027, at about 9 in the morning.
    go_on(&world, at("2027-03-21T12:00:00Z")).await;
    let rotation = latest(&world, "w").await;
    let start = staged(&world, "w").await.unwrap();
    assert!((at("2027-03-20T22:30:00Z")..at("2027-03-20T22:45:00Z")).contains(&start), "{start}");
    assert!(rotation.planned < at("2027-03-20T09:10:00Z"), "{}", rotation.planned);
    // Confirmed minutes later; the overlap of 7 d ends on 27 March between 22:31 and 22:50.
    go_on(&world, at("2027-03-29T12:00:00Z")).await;
    let removed = latest(&world, "w").await.removals[0].sent.unwrap();
    let over = rotation.confirmed_at().unwrap() + SignedDuration::from_hours(7 * 24);
    assert!(removed > over && removed < at("2027-03-28T00:32:00Z"), "{removed}, the overlap ended {over}");
    assert_eq!(removed.strftime("%M").to_string(), "30", "at a fire");
}

/// Under `watch` and `alert` nothing is changed in Entra, whatever was under way.
#[tokio::test]
async fn only_rotate_changes_anything() {
    let lab = Lab::start().await;
    let policies = [("p", "180d"), ("q", "180d"), ("r", "180d"), ("s", "180d")].map(|(name, life)| policy(name, life));
    let mut world = provisioned(&lab, policies.to_vec(), 9).await;
    // p and q are in the middle of their proof, the others in their overlap, when the modes change.
    world.clock.set(at("2027-03-22T05:00:00Z"));
    for policy in &mut world.policies[..2] {
        policy.mode = Mode::Watch;
    }
    go_on(&world, at("2027-03-22T09:00:00Z")).await;
    for policy in &mut world.policies[..2] {
        policy.mode = Mode::Rotate;
    }
    {
        let process = Process::start(&world, None, Rules::default()).await;
        process.engine.tick(&world.policies, &[]).await.unwrap();
    }
    for (name, state) in
        [("p", State::Attached), ("q", State::Attached), ("r", State::Confirmed), ("s", State::Confirmed)]
    {
        assert_eq!(latest(&world, name).await.state, state, "{name}");
    }
    world.policies[0].mode = Mode::Alert;
    world.policies[1].mode = Mode::Watch;
    world.policies[2].mode = Mode::Alert;
    world.policies[3].mode = Mode::Watch;
    // A fifth, never provisioned.
    world.policies.push(Policy { mode: Mode::Alert, ..policy("t", "180d") });
    let tenant = || {
        let apps = lab.emulator.with_directory(|directory, _| serde_json::to_value(directory).unwrap());
        apps["applications"].clone()
    };
    let before = tenant();
    let journal = |rotations: Vec<Rotation>| serde_json::to_value(rotations).unwrap();
    let mut records = Vec::new();
    for name in ["p", "q", "r", "s", "t"] {
        records.push(journal(all(&world, name).await));
    }
    // A year: overlaps end, old ones and new ones expire.
    go_on(&world, at("2028-03-22T09:00:00Z")).await;
    assert_eq!(tenant(), before);
    for (name, before) in ["p", "q", "r", "s", "t"].into_iter().zip(&records) {
        assert_eq!(journal(all(&world, name).await), *before, "{name}");
    }
    // And back: everything goes on, and what is over is renewed.
    for policy in &mut world.policies {
        policy.mode = Mode::Rotate;
    }
    std::fs::write(world.sinks().join("srv/t.json"), r#"{ "id": "", "secret": "" }"#).unwrap();
    go_on(&world, at("2028-03-23T09:00:00Z")).await;
    for name in ["p", "q", "r", "s", "t"] {
        let fresh = latest(&world, name).await;
        assert!(fresh.confirmed_at().is_some(), "{name}: {:?} {:?}", fresh.state, fresh.failure);
        assert!(fresh.fresh.unwrap().end > world.clock.now(), "{name}");
    }
}

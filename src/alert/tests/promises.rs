//! Expectations 29 to 31 and the scheduler's: once each, one after an outage, silence after the end, nothing missed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::date;

use super::fixture::*;
use crate::alert::Situation;
use crate::alert::days::is_working;
use crate::alert::look;
use crate::model::Acknowledgement;
use crate::model::NoticeKind;
use crate::model::Reader;

#[test]
fn after_an_outage_each_reader_gets_the_most_urgent_stage_and_the_rest_never() {
    let mut world = World::new(watched(Situation::Healthy));
    world.tick(end() - 60 * DAY);
    let before = world.mails.len();
    world.hourly(at("2026-12-08T02:00:00Z"), at("2026-12-12T23:00:00Z"));
    let late: Vec<_> = world.mails[before..].iter().map(|n| (n.reader, n.stage.as_str(), n.at)).collect();
    assert_eq!(late, [(Reader::Pm, "14", at("2026-12-08T09:00:00Z"))], "30 was passed over, the night is spared");
}

#[test]
fn nothing_less_urgent_follows_when_the_end_or_the_clock_moves() {
    let mut world = World::new(watched(Situation::Healthy));
    world.tick(at("2026-12-04T09:00:00Z"));
    assert_eq!(world.told(Reader::Pm), ["14 12-04T09"]);
    assert_eq!(world.tick(at("2026-11-25T09:00:00Z")), 0, "the clock was set back into the month before");
    world.watched[0].ends = Some(end() + 10 * DAY);
    assert_eq!(world.tick(at("2026-12-05T09:00:00Z")), 0, "the end moved back");
}

#[test]
fn in_the_last_week_a_late_mail_waits_for_nothing() {
    let mut world = World::new(waiting());
    assert_eq!(world.tick(at("2026-12-19T02:00:00Z")), 2, "Saturday night, 2 days left by stage");
    assert_eq!(world.told(Reader::Pm), ["2 12-19T02"]);
    assert_eq!(world.told(Reader::Lead), ["3 12-19T02"]);
}

#[test]
fn those_who_were_told_hear_the_end_once_and_then_nothing() {
    let mut world = World::new(waiting());
    world.hourly(at("2026-11-20T09:00:00Z"), at("2026-12-08T09:00:00Z"));
    let before = world.mails.len();
    world.watched[0].situation = Situation::Done { at: at("2026-12-08T10:00:00Z"), id: "r-0007".into() };
    world.watched[0].new_until = Some(at("2027-05-19T09:00:00Z"));
    world.hourly(at("2026-12-08T10:00:00Z"), end() + 30 * DAY);
    let after: Vec<_> = world.mails[before..].iter().map(|n| (n.kind, n.reader, n.to[0].as_str())).collect();
    assert_eq!(after, [(NoticeKind::Resolved, Reader::Pm, PM), (NoticeKind::Resolved, Reader::Lead, LEAD)]);
    assert_eq!(world.mails[before].cc, [OWNER, BACKUP]);
    // The next renewal starts afresh: only its own readers hear its end.
    world.watched[0].situation = Situation::Healthy;
    world.watched[0].ends = Some(at("2027-05-19T09:00:00Z"));
    world.watched[0].ids.key_id = Some("aaaa3f40-0000-4000-8000-000000000002".into());
    world.hourly(at("2027-03-19T09:00:00Z"), at("2027-03-21T09:00:00Z"));
    let before = world.mails.len();
    world.watched[0].situation = Situation::Done { at: at("2027-04-01T10:00:00Z"), id: "r-0008".into() };
    world.tick(at("2027-04-01T10:00:00Z"));
    let after: Vec<_> = world.mails[before..].iter().map(|n| (n.kind, n.reader)).collect();
    assert_eq!(after, [(NoticeKind::Resolved, Reader::Pm)]);
}

#[test]
fn more_than_ten_for_one_person_become_one_and_are_not_told_again() {
    let many: Vec<_> = (0..11)
        .map(|n| {
            let mut one = watched(Situation::Healthy);
            one.integration = format!("app-{n:02}").into();
            one
        })
        .collect();
    let mut world = World::new(many[0].clone());
    world.watched = many.clone();
    assert_eq!(world.tick(at("2026-11-20T09:00:00Z")), 1);
    assert_eq!(world.mails[0].kind, NoticeKind::Summary);
    assert_eq!(world.mails[0].merged.len(), 11);
    assert_eq!(world.tick(at("2026-11-20T10:00:00Z")), 0);

    let mut world = World::new(many[0].clone());
    world.watched = many[..10].to_vec();
    assert_eq!(world.tick(at("2026-11-20T09:00:00Z")), 10, "ten are still sent one by one");
}

#[test]
fn another_credential_in_use_is_not_called_stopped() {
    let replaced = Situation::Replaced { made_by: "j.lee@contoso.example".into(), made: at("2026-12-01T09:00:00Z") };
    let mut world = World::new(watched(replaced));
    world.hourly(end(), end() + 20 * DAY);
    let told: Vec<_> = world.mails.iter().map(|n| (n.kind, n.to[0].as_str())).collect();
    assert_eq!(told, [(NoticeKind::Reminder, OWNER)]);
    assert!(world.mails[0].problem.as_ref().unwrap().summary.contains("2026-12-01"));
}

/// Stages that spare the weekend.
const CALM: [&str; 7] = ["60", "30", "14", "half", "deadline", "escalation", "done"];

/// Steps from instant to instant as a scheduler does; the keys told, and when.
fn by_instants(mut world: World, from: Timestamp, to: Timestamp) -> BTreeMap<String, Timestamp> {
    let mut now = from;
    let mut steps = 0;
    while now <= to {
        world.tick(now);
        let Some(next) = look(&world.input(now)).next else { break };
        assert!(next > now, "no progress at {now}");
        now = next;
        steps += 1;
        assert!(steps < 200, "too many steps");
    }
    world.sent
}

#[test]
fn jumping_from_instant_to_instant_tells_what_hourly_steps_tell() {
    let from = at("2026-10-18T00:00:00Z");
    let to = end() + 20 * DAY;
    let words: Vec<Vec<Acknowledgement>> = vec![
        Vec::new(),
        vec![seen(PM, "2026-12-17T12:00:00Z"), seen(OWNER, "2026-12-04T12:00:00Z")],
        vec![Acknowledgement { until: Some(at("2026-12-05T03:00:00Z")), ..seen(PM, "2026-10-18T00:00:00Z") }],
        vec![Acknowledgement { until: Some(at("2027-12-05T03:00:00Z")), ..seen(PM, "2026-10-18T00:00:00Z") }],
    ];
    let places = [
        ("Europe/London", "2026-12-20T10:00:00Z"),
        ("Asia/Tokyo", "2026-12-20T00:00:00Z"),
        ("America/Los_Angeles", "2027-01-04T23:00:00Z"),
        ("Europe/London", "2026-12-27T17:00:00Z"),
    ];
    for (zone, end) in places {
        for words in &words {
            for situation in 0..5 {
                let mut one = match situation {
                    0 => watched(Situation::Healthy),
                    1 => waiting(),
                    2 => failed(at("2026-11-28T03:00:00Z")),
                    3 => watched(Situation::Superseded { at: at(end) }),
                    _ => watched(Situation::Done { at: at("2026-12-05T06:00:00Z"), id: "r-0007".into() }),
                };
                one.ends = Some(at(end));
                one.calendar.timezone = zone.into();
                one.calendar.freeze = vec![(date(2026, 11, 30), date(2026, 12, 6))];
                let world = || {
                    let mut world = World::new(one.clone());
                    world.words.clone_from(words);
                    world
                };
                let mut hourly = world();
                // A situation that begins later is not shown earlier.
                let from = match &one.situation {
                    Situation::Waiting { .. } => at("2026-11-20T09:00:00Z"),
                    Situation::Failed { since, .. } => *since,
                    _ => from,
                };
                hourly.hourly(from, to);
                for calm in hourly.mails.iter().filter(|mail| CALM.contains(&mail.stage.as_str())) {
                    let day = calm.at.to_zoned(one.calendar.zone()).date();
                    assert!(is_working(&one.calendar, day), "{} on {day}", calm.key);
                }
                assert_eq!(by_instants(world(), from, to), hourly.sent, "{zone} {end} {situation} {words:?}");
                assert!(!hourly.sent.is_empty());
            }
        }
    }
}

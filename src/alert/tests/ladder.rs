//! Rules 7 and 11: who hears when.

use jiff::SignedDuration;
use jiff::civil::date;

use super::fixture::*;
use crate::alert::Situation;
use crate::alert::due_date;
use crate::alert::handoff_ready;
use crate::model::NoticeKind;
use crate::model::Reader;

#[test]
fn a_person_needed_hears_every_stage_once_and_never_on_a_weekend_before_the_last_week() {
    let mut world = World::new(watched(Situation::Healthy));
    world.hourly(end() - 61 * DAY, end() + 3 * DAY);
    // 60 days before is Wednesday 21 October (summer time, so 08:00Z); 20 November is a Friday, 6 December a Sunday.
    let expected = [
        "60 10-21T08",
        "30 11-20T09",
        "14 12-04T09",
        "7 12-13T09",
        "3 12-17T09",
        "2 12-18T09",
        "1 12-19T09",
        "0 12-20T10",
        "-1 12-21T09",
        "-2 12-22T09",
        "-3 12-23T09",
    ];
    assert_eq!(world.told(Reader::Pm), expected);
    assert_eq!(
        world.told(Reader::Lead),
        ["7 12-13T09", "3 12-17T09", "1 12-19T09", "0 12-20T10", "-1 12-21T09", "-2 12-22T09", "-3 12-23T09"]
    );
    let pm: Vec<_> = world.mails.iter().filter(|n| n.reader == Reader::Pm).collect();
    assert!(pm.iter().all(|n| n.to == [PM]));
    assert_eq!(pm[0].cc, [OWNER]);
    assert_eq!(pm[2].cc, [OWNER, BACKUP], "the backup hears from 14 days on");
    assert!(pm.iter().all(|n| n.ids.is_none()), "no id in a plain mail");
}

#[test]
fn a_waiting_hand_off_goes_by_its_deadline_until_the_last_week() {
    let mut world = World::new(waiting());
    world.hourly(at("2026-11-20T09:00:00Z"), end() + DAY);
    assert_eq!(
        world.told(Reader::Pm),
        [
            "ready 11-20T09",
            "half 11-27T09",
            "deadline 12-04T09",
            "7 12-13T09",
            "3 12-17T09",
            "2 12-18T09",
            "1 12-19T09",
            "0 12-20T10",
            "-1 12-21T09",
        ]
    );
    assert_eq!(
        world.told(Reader::Lead),
        ["escalation 12-08T09", "7 12-13T09", "3 12-17T09", "1 12-19T09", "0 12-20T10", "-1 12-21T09"]
    );
    assert_eq!(world.told(Reader::Engineer), ["0 12-20T10", "-1 12-21T09"]);
    let first = &world.mails[0];
    assert_eq!(first.kind, NoticeKind::HandoffReady);
    assert_eq!(first.next_reminder, Some(date(2026, 11, 27)));
    assert_eq!(first.link.as_deref(), Some("https://everkey.contoso.example/h/0192"));
    assert_eq!(first.handoff.as_ref().unwrap().due, date(2026, 12, 4));
    let escalation = world.mails.iter().find(|n| n.stage == "escalation").unwrap();
    assert_eq!(
        (escalation.to.as_slice(), escalation.cc.as_slice()),
        (&[LEAD.to_owned()][..], &[PM.to_owned(), BACKUP.to_owned(), OWNER.to_owned()][..])
    );
    let told: Vec<_> = escalation.told.iter().map(|t| (t.person.as_str(), t.dates.len(), t.answer.as_str())).collect();
    assert_eq!(told, [(PM, 3, "not opened"), (BACKUP, 1, "not opened")]);
}

#[test]
fn the_first_mail_of_a_delivery_is_the_one_due_would_give() {
    let mut world = World::new(waiting());
    let Situation::Waiting { handoffs } = world.watched[0].situation.clone() else { panic!() };
    let now = at("2026-11-20T09:00:00Z");
    let ready = handoff_ready(&world.watched[0], &handoffs[0], &world.rules, now);
    world.tick(now);
    assert_eq!(world.mails, [ready]);
}

#[test]
fn a_failed_rotation_is_the_owners_at_30_days_and_everybodys_at_14() {
    let mut world = World::new(failed(at("2026-11-01T03:00:00Z")));
    world.hourly(at("2026-11-01T03:00:00Z"), end() + DAY);
    assert_eq!(
        world.told(Reader::Engineer),
        [
            "failed 11-20T09",
            "14 12-04T09",
            "7 12-13T09",
            "3 12-17T09",
            "2 12-18T09",
            "1 12-19T09",
            "0 12-20T10",
            "-1 12-21T09"
        ]
    );
    assert_eq!(
        world.told(Reader::Pm),
        ["14 12-04T09", "7 12-13T09", "3 12-17T09", "2 12-18T09", "1 12-19T09", "0 12-20T10", "-1 12-21T09"]
    );
    assert_eq!(world.told(Reader::Lead), ["7 12-13T09", "3 12-17T09", "1 12-19T09", "0 12-20T10", "-1 12-21T09"]);
    let first = &world.mails[0];
    assert_eq!(first.to, [OWNER]);
    assert_eq!((first.steps[0].step.as_str(), first.steps[0].outcome.as_str()), ("prove", "FAILED"));
}

#[test]
fn a_failure_in_the_last_month_is_told_at_once_even_at_night() {
    let mut world = World::new(failed(at("2026-11-28T03:00:00Z")));
    assert_eq!(world.tick(at("2026-11-28T03:00:00Z")), 1, "a Saturday night");
    assert_eq!(world.told(Reader::Engineer), ["failed 11-28T03"]);
}

#[test]
fn a_first_issuance_that_fails_is_told_at_once_and_one_that_waits_goes_by_its_deadline_alone() {
    let mut first = failed(at("2026-11-20T09:00:00Z"));
    first.ends = None;
    let mut world = World::new(first);
    world.hourly(at("2026-11-20T09:00:00Z"), at("2026-12-20T09:00:00Z"));
    assert_eq!(world.told(Reader::Engineer), ["failed 11-20T09"]);

    let mut first = waiting();
    first.ends = None;
    let Situation::Waiting { handoffs } = &mut first.situation else { panic!() };
    handoffs[0].old_end = None;
    let mut world = World::new(first);
    world.hourly(at("2026-11-20T09:00:00Z"), at("2027-02-20T09:00:00Z"));
    assert_eq!(world.told(Reader::Pm), ["ready 11-20T09", "half 11-27T09", "deadline 12-04T09"]);
    assert_eq!(world.told(Reader::Lead), ["escalation 12-08T09"]);
}

#[test]
fn what_renews_itself_is_told_once_when_it_is_done_and_in_working_hours() {
    let mut automatic = watched(Situation::Rotating { since: end() - 60 * DAY });
    automatic.needs_person = false;
    let mut world = World::new(automatic);
    world.hourly(end() - 61 * DAY, end());
    assert!(world.mails.is_empty());
    world.watched[0].situation = Situation::Done { at: at("2026-12-05T06:00:00Z"), id: "r-0007".into() };
    world.hourly(at("2026-12-05T06:00:00Z"), at("2026-12-30T00:00:00Z"));
    assert_eq!(world.told(Reader::Engineer), ["done 12-07T09"], "5 December is a Saturday");
}

#[test]
fn stopped_mails_end_after_fourteen_and_go_on_over_the_change_to_superseded() {
    let mut world = World::new(waiting());
    world.hourly(end() - DAY, end());
    world.watched[0].situation = Situation::Superseded { at: end() + HOUR };
    world.watched[0].ids.key_id = Some("another".into());
    world.hourly(end() + HOUR, end() + 40 * DAY);
    for reader in [Reader::Pm, Reader::Engineer, Reader::Lead] {
        let stopped = world.mails.iter().filter(|n| n.reader == reader && n.kind == NoticeKind::Stopped).count();
        assert_eq!(stopped, 14, "{reader:?}");
    }
}

#[test]
fn without_people_the_owner_or_whoever_stands_in_hears() {
    let mut alone = watched(Situation::Healthy);
    alone.people = Default::default();
    let mut world = World::new(alone);
    world.rules.escalate_to.clear();
    world.hourly(end() - 8 * DAY, end());
    assert!(!world.mails.is_empty());
    assert!(world.mails.iter().all(|n| n.to == ["fallback@contoso.example"]));
}

#[test]
fn deadlines_fall_on_working_days() {
    let calendar = calendar();
    let due = |created: &str, lead: i64, end: Option<&str>, overlap: i64| {
        let days = |n| SignedDuration::from_hours(24 * n);
        due_date(at(created), days(lead), end.map(at), days(overlap), &calendar).1
    };
    // 20 December minus 14 days is a Sunday.
    assert_eq!(due("2026-10-21T06:00:00Z", 14, Some("2026-12-20T09:00:00Z"), 14), date(2026, 12, 4));
    // First issuance: 14 days after a Sunday is a Sunday.
    assert_eq!(due("2026-11-22T06:00:00Z", 14, None, 14), date(2026, 12, 4));
    // Christmas is a holiday.
    assert_eq!(due("2026-12-11T06:00:00Z", 14, None, 14), date(2026, 12, 24));
    // Too late: the next working day, never the same day.
    assert_eq!(due("2026-12-18T06:00:00Z", 14, Some("2026-12-20T09:00:00Z"), 14), date(2026, 12, 21));
    // A freeze counts as well.
    let frozen = crate::model::Calendar { freeze: vec![(date(2026, 11, 30), date(2026, 12, 6))], ..calendar.clone() };
    let overlap = SignedDuration::from_hours(14 * 24);
    assert_eq!(due_date(at("2026-10-21T06:00:00Z"), overlap, Some(end()), overlap, &frozen).1, date(2026, 11, 27));
}

#[test]
fn what_stopped_nobody_knows_when_is_told_once_at_once() {
    let mut gone = watched(Situation::Expired);
    gone.ends = None;
    let mut world = World::new(gone);
    world.hourly(at("2026-12-05T03:00:00Z"), at("2026-12-30T03:00:00Z"));
    for reader in [Reader::Pm, Reader::Engineer, Reader::Lead] {
        assert_eq!(world.told(reader), ["0 12-05T03"]);
    }
}

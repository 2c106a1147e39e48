//! Rule 8: what acknowledgements and snoozes stop, and what they never stop.

use super::fixture::*;
use crate::model::Acknowledgement;
use crate::model::Reader;

#[test]
fn an_acknowledgement_silences_repeats_and_the_escalation_of_the_seventh_day_but_nothing_later() {
    let mut world = World::new(waiting());
    world.words = vec![seen(PM, "2026-12-09T12:00:00Z"), seen(PM, "2026-12-17T12:00:00Z")];
    world.hourly(at("2026-11-20T09:00:00Z"), end() + DAY);
    assert_eq!(
        world.told(Reader::Pm),
        [
            "ready 11-20T09",
            "half 11-27T09",
            "deadline 12-04T09",
            "7 12-13T09",
            "3 12-17T09",
            "1 12-19T09",
            "0 12-20T10",
            "-1 12-21T09",
        ],
        "the daily one at 2 days is silenced"
    );
    assert_eq!(
        world.told(Reader::Lead),
        ["escalation 12-08T09", "3 12-17T09", "1 12-19T09", "0 12-20T10", "-1 12-21T09"]
    );
}

#[test]
fn a_late_mail_is_not_sent_once_its_reader_has_acknowledged_the_stage() {
    let mut world = World::new(waiting());
    world.words = vec![seen(PM, "2026-11-27T12:00:00Z")];
    world.sent.insert(
        "reapit-lead-imports/primary/h-0192/ready/pm:priya.shah@contoso.example".into(),
        at("2026-11-20T09:00:00Z"),
    );
    world.hourly(at("2026-11-27T13:00:00Z"), at("2026-12-03T00:00:00Z"));
    assert!(world.mails.is_empty(), "half-way passed while the tool was off");
}

#[test]
fn a_snooze_gives_the_latest_missed_stage_at_its_end_and_ends_at_seven_days() {
    let snooze = |until: &str| Acknowledgement { until: Some(at(until)), ..seen(PM, "2026-11-21T12:00:00Z") };
    let mut world = World::new(waiting());
    world.words = vec![snooze("2026-12-07T09:00:00Z")];
    world.hourly(at("2026-11-20T09:00:00Z"), at("2026-12-13T09:00:00Z"));
    assert_eq!(world.told(Reader::Pm), ["ready 11-20T09", "deadline 12-07T09", "7 12-13T09"]);

    let mut world = World::new(waiting());
    world.words = vec![snooze("2027-01-30T09:00:00Z")];
    world.hourly(at("2026-11-20T09:00:00Z"), at("2026-12-17T09:00:00Z"));
    assert_eq!(world.told(Reader::Pm), ["ready 11-20T09", "7 12-13T09", "3 12-17T09"]);
    assert_eq!(
        world.told(Reader::Lead),
        ["escalation 12-08T09", "7 12-13T09", "3 12-17T09"],
        "a snooze is no acknowledgement"
    );
}

#[test]
fn somebody_elses_word_or_one_about_another_hand_off_silences_nobody() {
    let mut world = World::new(waiting());
    let other = Acknowledgement { handoff: Some("h-0001".into()), ..seen(PM, "2026-12-17T12:00:00Z") };
    world.words = vec![seen(BACKUP, "2026-12-17T12:00:00Z"), other];
    world.hourly(at("2026-12-17T09:00:00Z"), at("2026-12-18T09:00:00Z"));
    assert_eq!(world.told(Reader::Pm), ["3 12-17T09", "2 12-18T09"]);
}

#[test]
fn a_new_doer_hears_the_present_stage() {
    use crate::alert::Situation;
    let mut world = World::new(waiting());
    world.hourly(at("2026-11-20T09:00:00Z"), at("2026-12-04T09:00:00Z"));
    let Situation::Waiting { handoffs } = &mut world.watched[0].situation else { panic!() };
    handoffs[0].doer = BACKUP.to_owned();
    world.hourly(at("2026-12-04T10:00:00Z"), at("2026-12-04T12:00:00Z"));
    let last = world.mails.last().unwrap();
    assert_eq!((last.to.as_slice(), last.stage.as_str()), (&[BACKUP.to_owned()][..], "deadline"));
}

//! An emergency is told at once to everybody it concerns, and every hour to whoever still has to act.

use super::fixture::*;
use crate::alert;
use crate::alert::Rules;
use crate::alert::Situation;
use crate::model::HandoffStatus;
use crate::model::NoticeKind;
use crate::model::Reader;

const SECURITY: &str = "soc@contoso.example";

fn with_security() -> Rules {
    Rules { security_to: Some(SECURITY.to_owned()), ..rules() }
}

#[test]
fn its_beginning_is_told_to_each_once_and_the_reason_to_those_who_may_read_it() {
    let now = at("2026-11-21T03:00:00Z");
    let one = watched(Situation::Rotating { since: now });
    let told = alert::emergency_begun(&one, "r-0009", "secret pasted in a ticket", &with_security(), now);
    let who: Vec<_> = told.iter().map(|notice| (notice.reader, notice.to[0].as_str())).collect();
    let expected = [
        (Reader::Engineer, SECURITY),
        (Reader::Engineer, OWNER),
        (Reader::Lead, LEAD),
        (Reader::Pm, PM),
        (Reader::Pm, BACKUP),
    ];
    assert_eq!(who, expected);
    for notice in &told {
        let reason = notice.problem.as_ref().map(|problem| problem.summary.as_str());
        assert_eq!(reason, (notice.reader != Reader::Pm).then_some("secret pasted in a ticket"));
        assert_eq!(notice.ids.is_some(), notice.reader == Reader::Engineer);
    }
    let mut same = one;
    same.people.owner = SECURITY.to_owned();
    same.people.pm = Some(LEAD.to_owned());
    assert_eq!(alert::emergency_begun(&same, "r-0009", "r", &with_security(), now).len(), 3, "one mail per person");
}

/// Through a night and a weekend, whatever somebody acknowledges, until the hand-off is confirmed.
#[test]
fn the_doer_and_those_above_hear_every_hour() {
    let friday = at("2026-11-20T17:30:00Z");
    let carried = handoff(friday, friday + HOUR);
    let reason = "laptop stolen".to_owned();
    let urgent = Situation::Urgent { handoffs: vec![carried.clone()], since: friday, reason: reason.clone() };
    let mut world = World::new(watched(urgent));
    world.rules = with_security();
    let ready = alert::urgent_handoff_ready(&world.watched[0], &carried, &world.rules, friday);
    assert_eq!((ready.kind, ready.to[0].as_str()), (NoticeKind::Emergency, PM));
    for copied in [OWNER, SECURITY, BACKUP] {
        assert!(ready.cc.iter().any(|cc| cc == copied), "{copied}: {:?}", ready.cc);
    }
    world.sent.insert(ready.key.clone(), friday);
    world.words.push(seen(PM, "2026-11-20T18:00:00Z"));
    world.hourly(friday, friday + 6 * HOUR);
    let to = |address: &str| world.mails.iter().filter(|mail| mail.to[0] == address).count();
    assert_eq!((to(PM), to(LEAD)), (6, 6), "{:?}", world.mails.iter().map(|mail| &mail.key).collect::<Vec<_>>());
    assert!(world.mails.iter().all(|mail| mail.kind == NoticeKind::Emergency));

    let done = HandoffStatus::Confirmed { at: friday + 6 * HOUR, by: PM.to_owned() };
    let confirmed = crate::model::Handoff { status: done, ..carried };
    world.watched[0].situation = Situation::Urgent { handoffs: vec![confirmed], since: friday, reason };
    let before = world.mails.len();
    world.hourly(friday + 7 * HOUR, friday + 9 * HOUR);
    assert_eq!(world.mails.len(), before);
}

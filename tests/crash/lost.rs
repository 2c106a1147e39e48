//! Somebody takes away what everkey made: a certificate comes back from the journal, a client secret, whose value
//! Entra does not take twice, is replaced. What others have there stays as it is. And everkey itself takes away little
//! in a day.

use everkey::clock::Clock as _;
use everkey::model::AmbiguousCall;
use everkey::model::KeyId;
use everkey::model::Notice;
use everkey::rotation::Rules;
use jiff::SignedDuration;
use uuid::Uuid;

use crate::campaign::issued;
use crate::campaign_ledger::Part;
use crate::faults::settle;
use crate::foreign;
use crate::foreign::Listed;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::process::Process;
use crate::world::Ended;
use crate::world::World;

/// Key id and entry of everkey's one credential on the application, beside what a test put there.
pub fn ours(world: &World, others: &[&KeyId]) -> (String, Listed) {
    let seeded = world.outside.seen().foreign.clone();
    let all = foreign::listed(&world.lab.emulator, &world.app());
    let theirs = |key_id: &String| seeded.contains_key(key_id) || others.iter().any(|other| other.0 == *key_id);
    let mut ours = all.into_iter().filter(|(key_id, _)| !theirs(key_id));
    let one = ours.next().unwrap();
    assert!(ours.next().is_none(), "one credential of ours");
    one
}

/// Somebody removes it; what the consumers meet until everkey acts is theirs.
pub fn taken_away(world: &World, key_id: &str) {
    let holder: Uuid = world.app().object_id.as_str().parse().unwrap();
    let key_id: Uuid = key_id.parse().unwrap();
    world.lab.emulator.with_directory(|directory, now| {
        let removed = directory.remove_key(holder, key_id, now);
        removed.or_else(|_| directory.remove_password(holder, key_id, now)).unwrap();
    });
}

#[tokio::test]
async fn a_certificate_that_somebody_removed_comes_back() {
    for kind in [Kind::AddKey, Kind::Patch] {
        let lab = Lab::start().await;
        let world = issued(&lab, kind).await;
        let (key_id, before) = ours(&world, &[]);
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
        taken_away(&world, &key_id);
        world.visit().await;
        settle(&world).await;
        let (_, after) = ours(&world, &[]);
        assert_eq!(after.content, before.content, "{kind:?}: the same certificate");
        world.outside.seen().violations.clear();
        assert_eq!(world.verdict().await, Vec::<String>::new(), "{kind:?}");
    }
}

/// Killed between the PATCH that puts it back and its answer: that it may still land stays on record.
#[tokio::test]
async fn what_puts_a_certificate_back_is_on_record_before_it_is_sent() {
    let lab = Lab::start().await;
    let mut kill_at = None;
    for is_killed in [false, true] {
        let world = issued(&lab, Kind::Patch).await;
        let (key_id, _) = ours(&world, &[]);
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
        let start = world.clock.now();
        taken_away(&world, &key_id);
        let (ended, passed) = world.live(kill_at, Rules::default(), 2).await;
        let sent = passed.iter().position(|at| at.starts_with("after replace_keys")).unwrap();
        kill_at = Some(sent + 1);
        if is_killed {
            assert_eq!((ended, passed.len()), (Ended::Died, sent + 1));
            let first = world.rotations().await.pop().unwrap();
            let recorded = |(call, at): &(AmbiguousCall, _)| *call == AmbiguousCall::Patch && *at >= start;
            assert!(first.ambiguous.iter().any(recorded), "{first:?}");
        }
        world.recover(Rules::default(), 2).await;
        settle(&world).await;
        world.outside.seen().violations.clear();
        assert_eq!(world.verdict().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_secret_that_somebody_removed_is_replaced() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    let (key_id, _) = ours(&world, &[]);
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    taken_away(&world, &key_id);
    world.recover(Rules::default(), 2).await;
    settle(&world).await;
    let (now, _) = ours(&world, &[]);
    assert_ne!(now, key_id);
    let last = world.rotations().await.pop().unwrap();
    assert_eq!(last.reason, "credential_vanished");
    world.outside.seen().violations.clear();
    assert_eq!(world.verdict().await, Vec::<String>::new());
}

/// How often people were told that a daily limit holds.
pub async fn limits_told(world: &World) -> usize {
    let process = Process::start(world, None, Rules::default()).await;
    let outbox = process.store.outbox().await.unwrap();
    let code = |notice: &Notice| notice.problem.as_ref().map(|problem| problem.code.clone());
    outbox.iter().filter(|one| code(&one.notice).as_deref() == Some("R044")).count()
}

/// However many rotations are asked for, ten removals in twenty-four hours are the most; the rest waits, and comes.
#[tokio::test]
async fn removals_have_a_daily_cap() {
    let lab = Lab::start().await;
    let mut world = issued(&lab, Kind::Secret).await;
    // Fast enough that the pace of the rotations alone would not keep within it.
    world.policies[0].credentials[0].overlap = SignedDuration::from_mins(60);
    for done in 2..=16 {
        let mut lives = 0;
        while world.live(None, Rules::default(), done).await.0 != Ended::Converged {
            lives += 1;
            assert!(lives < 5, "rotation {done} never ends");
            world.jump(world.clock.now() + SignedDuration::from_hours(8));
        }
    }
    let rotations = world.rotations().await;
    let mut sent: Vec<_> = rotations.iter().flat_map(|r| &r.removals).filter_map(|removal| removal.sent).collect();
    sent.sort();
    assert_eq!(sent.len(), 15, "one for each rotation after the first");
    let day = SignedDuration::from_hours(24);
    let most = sent.iter().map(|start| sent.iter().filter(|at| **at >= *start && **at < *start + day).count()).max();
    assert_eq!(most, Some(10), "{sent:?}");
    assert!(limits_told(&world).await >= 1, "nobody was told");
    assert_eq!(world.verdict().await, Vec::<String>::new());
    let mut part = Part::new("cap-removals", "sixteen rotations one upon the other: at most ten removals in 24 hours");
    part.count("removals", sent.len());
    part.count("of them in the busiest 24 hours", most.unwrap_or_default());
    part.done();
}

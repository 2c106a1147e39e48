//! Emergencies that are not the plain one: the policy asks for another kind of credential since, an answer is lost.

use everkey::clock::Clock as _;
use everkey::model::Outcome;
use everkey::rotation::Rules;
use jiff::SignedDuration;

use crate::campaign::issued;
use crate::emergency::asked;
use crate::emergency::excuse;
use crate::emergency::life;
use crate::emergency::number;
use crate::emergency::verdict;
use crate::faults::late;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::world::Ended;

/// The old one is what it is, whatever its slot holds now: it is seen refused with what was sealed of it.
#[tokio::test]
async fn after_a_change_of_kind_the_old_one_is_seen_refused() {
    for (was, is) in [(Kind::Secret, Kind::AddKey), (Kind::AddKey, Kind::Secret)] {
        let lab = Lab::start().await;
        let mut world = issued(&lab, was).await;
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
        world.policies[0].credentials = is.policy().credentials;
        let asked = asked(false);
        excuse(&world, was, Some(&asked));
        let (ended, passed) = life(&world, None, Rules::default(), &asked, 1).await;
        assert_eq!(ended, Ended::Converged, "{was:?} {passed:#?}");
        let r = world.rotations().await.pop().unwrap();
        let refused = &r.emergency.unwrap().refused;
        assert!(refused.len() == 1 && refused[0].unseen.is_none() && refused[0].count >= 3, "{was:?} {refused:?}");
    }
}

/// A lost answer costs an emergency no hour: what bounds its attempts is the fuse.
#[tokio::test]
async fn a_lost_answer_costs_an_emergency_no_hour() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    for lost in 1..=2 {
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
        for _ in 0..lost {
            lab.emulator.inject(late("/addPassword"));
        }
        let asked = asked(false);
        excuse(&world, Kind::Secret, Some(&asked));
        let (ended, _) = life(&world, None, Rules::default(), &asked, lost).await;
        let wrong = verdict(&world, &asked, lost, ended).await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let r = world.rotations().await.pop().unwrap();
        assert_eq!(r.attempts.iter().filter(|one| one.outcome == Outcome::Unknown).count(), lost);
        let took = r.removals[0].sent.unwrap().duration_since(r.planned);
        assert!(took < SignedDuration::from_mins(6), "{took:?}");
    }
}

/// A rotation wrote its sink and was broken off before that was on record, and the emergency that closed it lost an answer:
/// what the sink shows is no sign of an older journal, and the orphan leaves.
#[tokio::test]
async fn an_orphan_leaves_although_a_write_is_not_on_record() {
    let lab = Lab::start().await;
    let written = number(&lab, Kind::Secret, "after sink write").await;
    let begin = || async {
        let world = issued(&lab, Kind::Secret).await;
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
        world.live(Some(written), Rules::default(), usize::MAX).await;
        excuse(&world, Kind::Secret, Some(&asked(false)));
        world
    };
    let (_, passed) = life(&begin().await, None, Rules::default(), &asked(false), 1).await;
    let added = passed.iter().position(|at| at.starts_with("after add_password")).unwrap() + 1;
    let world = begin().await;
    let (ended, _) = life(&world, Some(added), Rules::default(), &asked(false), 1).await;
    assert_eq!(ended, Ended::Died);
    let wrong = verdict(&world, &asked(false), 1, ended).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unknown = |r: &everkey::model::Rotation| r.attempts.iter().any(|one| one.outcome == Outcome::Unknown);
    assert!(world.rotations().await.iter().any(unknown), "an answer was lost");
}

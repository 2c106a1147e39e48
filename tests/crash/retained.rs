//! What a policy names in `retain` is never removed, whatever else would be due.

use everkey::clock::Clock as _;
use everkey::model::KeyId;
use everkey::rotation::Rules;
use jiff::SignedDuration;

use crate::campaign::issued;
use crate::campaign_ledger::Part;
use crate::faults::settle;
use crate::foreign;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::lost::ours;
use crate::world::Ended;

#[tokio::test]
async fn what_is_to_be_kept_outlives_its_rotation_and_its_own_end() {
    let mut part = Part::new("retained", "a credential that the policy retains: retired, expired");
    for kind in [Kind::Secret, Kind::AddKey, Kind::Patch, Kind::Handoff] {
        let lab = Lab::start().await;
        let mut world = issued(&lab, kind).await;
        let (kept, entry) = ours(&world, &[]);
        world.policies[0].credentials[0].retain = vec![KeyId(kept.clone())];
        if kind == Kind::Handoff {
            world.jump(world.clock.now() + SignedDuration::from_hours(24 * 70));
        }
        let listed = || foreign::listed(&lab.emulator, &world.app()).contains_key(&kept);
        let ended = world.live(None, Rules::default(), 2).await.0;
        assert_eq!(ended, Ended::Converged, "{kind:?}");
        settle(&world).await;
        assert!(listed(), "{kind:?}: retired");
        world.idle_person(true);
        world.jump(entry.end + SignedDuration::from_mins(30));
        for _ in 0..4 {
            world.visit().await;
            settle(&world).await;
        }
        assert!(listed(), "{kind:?}: expired");
    }
    part.count("kinds", 4);
    part.done();
}

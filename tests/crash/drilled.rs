//! What a drill left behind when its answer was lost: one stale read does not make everkey forget it.

use everkey::clock::Clock as _;
use everkey::emulator::directory::NewPassword;
use everkey::ports::Commit;
use everkey::ports::Mark;
use everkey::rotation::Rules;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::campaign::issued;
use crate::faults::settle;
use crate::foreign;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::process::Process;
use crate::world::World;

/// What `drill` commits before it asks for a throw-away secret; its tag.
pub async fn intended(world: &World, started: Timestamp) -> String {
    let process = Process::start(world, None, Rules::default()).await;
    let tag = format!("[ekd1 {}.0123456789]", process.store.instance());
    let body = json!({"integration": world.name(), "app": world.app(), "tag": tag, "started": started});
    let mut commit = Commit::new(started, "everkey");
    commit.marks.push(Mark { name: format!("drill/{tag}"), body: Some(body.to_string()) });
    process.store.commit(process.fence, commit).await.unwrap();
    tag
}

#[tokio::test]
async fn a_stale_read_does_not_lose_sight_of_a_throw_away_secret() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    let started = world.clock.now();
    let tag = intended(&world, started).await;
    let drilled = || {
        let listed = foreign::listed(&lab.emulator, &world.app());
        listed.values().any(|one| one.name.as_deref().is_some_and(|name| name.starts_with("[ekd1 ")))
    };
    // A read of an old replica: the secret is there, and not seen.
    world.jump(started + SignedDuration::from_mins(16));
    world.visit().await;
    let holder: Uuid = world.app().object_id.as_str().parse().unwrap();
    lab.emulator.with_directory(|directory, now| {
        let new = NewPassword { display_name: Some(tag), end_date_time: None, start_date_time: None };
        directory.add_password(holder, new, now).unwrap();
    });
    settle(&world).await;
    assert!(!drilled(), "it was forgotten after one read");
    // Two reads that agree end the obligation.
    settle(&world).await;
    settle(&world).await;
    let process = Process::start(&world, None, Rules::default()).await;
    assert_eq!(process.store.marks("drill/").await.unwrap().len(), 0);
}

//! A credential that somebody else made and a named person adopted (I5): it leaves, but only after its own end, and
//! only as long as nobody took the adoption back. What nobody adopted stays for ever.

use everkey::clock::Clock as _;
use everkey::emulator::directory::NewPassword;
use everkey::model::Adoption;
use everkey::model::CredentialSpec;
use everkey::model::KeyId;
use everkey::model::ListedKind;
use everkey::model::Rotation;
use everkey::model::SlotName;
use everkey::model::State;
use everkey::ports::Commit;
use everkey::ports::Mark;
use everkey::rotation::Rules;
use jiff::SignedDuration;
use jiff::Timestamp;
use uuid::Uuid;

use crate::campaign::issued;
use crate::faults::settle;
use crate::foreign;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::lost::ours;
use crate::lost::taken_away;
use crate::process::Process;
use crate::world::World;

/// Somebody's secret on the application, ending in thirty days; its key id and end.
pub fn made_by_hand(world: &World, name: &str) -> (KeyId, Timestamp) {
    let end = world.clock.now() + SignedDuration::from_hours(24 * 30);
    (made_as(world, name, None, end), end)
}

/// A secret with these dates; its key id.
pub fn made_as(world: &World, name: &str, start: Option<Timestamp>, end: Timestamp) -> KeyId {
    let holder: Uuid = world.app().object_id.as_str().parse().unwrap();
    let made = world.lab.emulator.with_directory(|directory, now| {
        let new = NewPassword { display_name: Some(name.to_owned()), end_date_time: Some(end), start_date_time: start };
        directory.add_password(holder, new, now).unwrap()
    });
    KeyId(made.0.key_id.to_string())
}

/// ADOPT as `everkey adopt` writes it, or its end.
pub async fn adopt(world: &World, key_id: &KeyId, end: Option<Timestamp>) {
    let process = Process::start(world, None, Rules::default()).await;
    let body = end.map(|end| {
        let adoption = Adoption {
            key_id: key_id.clone(),
            by: "r.khan@contoso.example".into(),
            os_user: "r.khan".into(),
            at: world.clock.now(),
            integration: world.name(),
            credential: ListedKind::Secret,
            end,
            thumbprint: None,
            hint: None,
            slot: None,
        };
        serde_json::to_string(&adoption).unwrap()
    });
    let mut commit = Commit::new(world.clock.now(), "r.khan");
    commit.marks.push(Mark { name: Adoption::record(&world.app().object_id, key_id), body });
    process.store.commit(process.fence, commit).await.unwrap();
}

/// One rotation that somebody asked for, as far as it goes within its horizon.
async fn rotate(world: &World) {
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    let _ = world.live(None, Rules::default(), 2).await;
}

pub fn listed(world: &World, key_id: &KeyId) -> bool {
    foreign::listed(&world.lab.emulator, &world.app()).contains_key(key_id.as_str())
}

#[tokio::test]
async fn an_adopted_secret_leaves_after_its_own_end_and_its_neighbour_stays() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    let (adopted, end) = made_by_hand(&world, "adopted");
    let (neighbour, _) = made_by_hand(&world, "nobody adopted it");
    adopt(&world, &adopted, Some(end)).await;
    rotate(&world).await;
    let rotation = world.rotations().await.pop().unwrap();
    assert_eq!(rotation.old.len(), 2, "ours and the adopted one: {:?}", rotation.old);
    assert_eq!(rotation.removals.len(), 1, "only ours left with the overlap");
    assert!(listed(&world, &adopted));

    // Meanwhile the slot goes on: what vanishes is replaced at once, not in a month.
    assert_eq!(rotation.state, State::Trailing);
    let (key_id, _) = ours(&world, &[&adopted, &neighbour]);
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    taken_away(&world, &key_id);
    world.recover(Rules::default(), 3).await;
    let last = world.rotations().await.pop().unwrap();
    assert_eq!((last.reason.as_str(), last.old.iter().filter(|old| old.adopted).count()), ("credential_vanished", 0));

    world.jump(end - SignedDuration::from_mins(1));
    world.visit().await;
    assert!(listed(&world, &adopted), "a minute before its end");
    world.jump(end + SignedDuration::from_mins(11));
    for _ in 0..3 {
        world.visit().await;
        settle(&world).await;
    }
    assert!(!listed(&world, &adopted), "past its end and the margin");
    assert!(listed(&world, &neighbour), "the same date, but nobody adopted it");
    assert!(world.rotations().await.iter().all(Rotation::is_finished));
}

/// Two slots and one adopted credential: exactly one of them replaces it.
#[test]
fn what_was_adopted_belongs_to_one_slot() {
    let mut policy = Kind::Secret.policy();
    let mut second = policy.credentials[0].clone();
    second.slot = SlotName::from("second");
    policy.credentials.push(second);
    policy.credentials.push(Kind::AddKey.policy().credentials[0].clone());
    policy.credentials[2].slot = SlotName::from("third");
    for (credential, slot, belongs) in [
        (ListedKind::Secret, None, "primary"),
        (ListedKind::Secret, Some("primary"), "primary"),
        (ListedKind::Secret, Some("second"), "second"),
        (ListedKind::Secret, Some("of an earlier policy"), "primary"),
        (ListedKind::Certificate, None, "third"),
    ] {
        let adoption = Adoption {
            key_id: "adopted".into(),
            by: "r.khan@contoso.example".into(),
            os_user: "r.khan".into(),
            at: Timestamp::UNIX_EPOCH,
            integration: policy.name.clone(),
            credential,
            end: Timestamp::UNIX_EPOCH,
            thumbprint: None,
            hint: None,
            slot: slot.map(SlotName::from),
        };
        let all = [adoption];
        let of = |spec: &&CredentialSpec| everkey::plan::adopted_for(&policy, spec, &all).count() == 1;
        let slots: Vec<&str> = policy.credentials.iter().filter(of).map(|spec| spec.slot.as_str()).collect();
        assert_eq!(slots, [belongs], "{credential:?} {slot:?}");
    }
}

#[tokio::test]
async fn an_adoption_that_is_taken_back_leaves_the_secret_alone() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    let (adopted, end) = made_by_hand(&world, "adopted in error");
    adopt(&world, &adopted, Some(end)).await;
    rotate(&world).await;
    assert!(!world.rotations().await.pop().unwrap().is_finished(), "it waits for the adopted one's end");
    adopt(&world, &adopted, None).await;
    world.visit().await;
    world.jump(end + SignedDuration::from_mins(11));
    for _ in 0..3 {
        world.visit().await;
        settle(&world).await;
    }
    assert!(listed(&world, &adopted));
    let rotation = world.rotations().await.pop().unwrap();
    assert!(rotation.is_finished() && rotation.old.iter().all(|old| !old.adopted), "{rotation:?}");
}

/// An answer was lost, somebody found the secret in the portal, uses it (how, nobody knows) and adopts it.
#[tokio::test]
async fn the_sweep_leaves_alone_what_was_adopted_whatever_its_name_says() {
    let lab = Lab::start().await;
    let world = issued(&lab, Kind::Secret).await;
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    lab.emulator.inject(crate::faults::late("/addPassword"));
    let before = foreign::listed(&lab.emulator, &world.app());
    {
        let process = Process::start(&world, None, Rules::default()).await;
        while lab.emulator.faults_waiting() > 0 {
            process.step(&[world.name()]).await.unwrap();
            world.jump(world.clock.now() + SignedDuration::from_secs(30));
        }
    }
    let after = foreign::listed(&lab.emulator, &world.app());
    let (orphan, entry) = after.into_iter().find(|(key_id, _)| !before.contains_key(key_id)).unwrap();
    assert!(entry.name.as_deref().unwrap_or_default().contains("[ek1 "), "{entry:?}");
    let orphan = KeyId(orphan);
    adopt(&world, &orphan, Some(entry.end)).await;
    for _ in 0..4 {
        settle(&world).await;
    }
    assert!(listed(&world, &orphan), "swept though somebody adopted it");
    adopt(&world, &orphan, None).await;
    settle(&world).await;
    assert!(!listed(&world, &orphan), "not adopted any more, it is the orphan it was");
}

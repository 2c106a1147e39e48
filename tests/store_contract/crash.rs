//! A process that is killed: what it was told is committed stays, what it was not is whole or absent.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use everkey::model::IntegrationName;
use everkey::model::RotationId;
use everkey::model::SealId;
use everkey::ports::Commit;
use everkey::ports::Fence;
use everkey::ports::Store;
use everkey::ports::StoreError;
use everkey::store::Options;
use everkey::store::Sqlite;

use crate::samples::app;
use crate::samples::now;
use crate::samples::one_of_everything;
use crate::samples::seal_item;
use crate::sqlite::Place;
use crate::sqlite::key;

/// Names the store to a child; a test binary that finds it is a child.
pub const STORE: &str = "EVERKEY_TEST_STORE";

/// The store to work on, in a child.
#[expect(clippy::disallowed_methods, reason = "the parent speaks to the child through its environment")]
pub fn in_child() -> Option<PathBuf> {
    std::env::var_os(STORE).map(PathBuf::from)
}

/// This binary again, running the one test `name` on the store of `place`, with `prefix` before it.
pub fn child(place: &Place, name: &str, prefix: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{prefix} exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(STORE, place.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// The commit of number `id`: one of everything and a value of several pages, in place of the value before.
pub fn numbered(id: u64, before: Option<u64>) -> Commit {
    let mut commit = one_of_everything(id);
    commit.seal.push(seal_item(&format!("{id}/1/pfx"), &"p".repeat(20_000)));
    commit.destroy.extend(before.map(|before| SealId(format!("{before}/1/pfx"))));
    commit
}

/// Commits from where the store stands, and says each number once it is committed, until it is killed.
async fn commit_for_ever(path: PathBuf) {
    let store = Sqlite::open(&path, key(), Options::default()).await.unwrap();
    let fence = store.acquire("child", now()).await.unwrap();
    let mut before = store.unfinished().await.unwrap().last().map(|rotation| rotation.id.0);
    loop {
        // A kill between these two leaves a gap in the numbers.
        let id = store.next_rotation(fence).await.unwrap().0;
        store.commit(fence, numbered(id, before)).await.unwrap();
        before = Some(id);
        std::io::stderr().write_all(format!("ack {id}\n").as_bytes()).unwrap();
    }
}

/// Which numbers are there; each must be there with all of its parts.
pub async fn whole_commits(store: &dyn Store) -> Vec<u64> {
    let rotations = store.rotations(&IntegrationName::from("reapit-lead-imports")).await.unwrap();
    let there: Vec<u64> = rotations.iter().map(|rotation| rotation.id.0).collect();
    let credentials = store.credentials(None).await.unwrap();
    let handoffs = store.handoffs().await.unwrap();
    let outbox = store.outbox().await.unwrap();
    let history = store.history(None).await.unwrap();
    let names = |kind: &str| there.iter().map(|id| format!("{kind}-{id}")).collect::<Vec<_>>();
    assert_eq!(credentials.iter().map(|one| one.key_id.0.clone()).collect::<Vec<_>>(), names("k"));
    assert_eq!(outbox.iter().map(|one| one.notice.key.clone()).collect::<Vec<_>>(), names("n"));
    assert_eq!(handoffs.len(), there.len());
    assert_eq!(store.acknowledgements().await.unwrap().len(), there.len());
    let told: Vec<u64> = history.iter().filter_map(|entry| entry.entry.rotation).map(|RotationId(id)| id).collect();
    assert_eq!(told, there.iter().flat_map(|id| [*id, *id]).collect::<Vec<_>>());
    for id in &there {
        let value = store.unseal(&SealId(format!("{id}/1/secret")), &app()).await.unwrap();
        assert_eq!(value.expose_text(), Some(format!("Q3z8Q~value-{id}").as_str()));
    }
    // The large value of the last one is there, those before were destroyed with the commit after.
    for pair in there.windows(2) {
        assert!(store.unseal(&SealId(format!("{}/1/pfx", pair[0])), &app()).await.is_err());
    }
    if let Some(last) = there.last() {
        assert_eq!(store.unseal(&SealId(format!("{last}/1/pfx")), &app()).await.unwrap().len(), 20_000);
    }
    assert_eq!(store.verify_history().await.unwrap(), None);
    there
}

#[tokio::test]
async fn acknowledged_commits_survive_a_kill_and_no_commit_is_half_there() {
    if let Some(path) = in_child() {
        return commit_for_ever(path).await;
    }
    let name = "crash::acknowledged_commits_survive_a_kill_and_no_commit_is_half_there";
    let place = Place::new();
    let mut known = Vec::new();
    for round in 0_u32..40 {
        let mut child = child(&place, name, "").stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut acknowledged: Vec<u64> = Vec::new();
        while acknowledged.len() <= usize::try_from(round % 4).unwrap() {
            let line = said.next().expect("the child goes on until it is killed").unwrap();
            acknowledged.push(line.strip_prefix("ack ").unwrap_or_else(|| panic!("{line}")).parse().unwrap());
        }
        // The child is in its next commit by now; each round cuts it elsewhere.
        (0..round * 7919 % 400_000).for_each(|_| std::hint::spin_loop());
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(said.map(|line| line.unwrap()["ack ".len()..].parse::<u64>().unwrap()));

        let store = place.store().await;
        store.acquire("parent", now()).await.expect("the lock ends with its process");
        let there = whole_commits(&store).await;
        assert!(known.iter().chain(&acknowledged).all(|id| there.contains(id)), "round {round}: lost one");
        let unasked = there.iter().filter(|id| !known.contains(id) && !acknowledged.contains(id)).count();
        assert!(unasked <= 1, "round {round}: only the commit under way may be there unacknowledged");
        known = there;
    }
}

/// Takes the store, says so, and waits to be killed.
async fn hold_for_ever(path: PathBuf) {
    let store = Sqlite::open(&path, key(), Options::default()).await.unwrap();
    let fence = store.acquire("the other process", now()).await.unwrap();
    std::io::stderr().write_all(format!("ack {}\n", fence.0).as_bytes()).unwrap();
    std::future::pending().await
}

#[tokio::test]
async fn a_store_held_by_another_process_is_free_once_that_is_dead() {
    if let Some(path) = in_child() {
        return hold_for_ever(path).await;
    }
    let place = Place::new();
    let name = "crash::a_store_held_by_another_process_is_free_once_that_is_dead";
    let mut child = child(&place, name, "").stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap()).lines().next().unwrap().unwrap();
    let stale = Fence(said["ack ".len()..].parse().unwrap());
    let store = place.store().await;
    match store.acquire("this process", now()).await {
        Err(StoreError::Held { holder, since }) => {
            assert_eq!((holder.as_str(), since), ("the other process", now()));
        }
        other => panic!("{other:?}"),
    }
    store.check_fence(stale).await.expect("asking has not disturbed the holder");
    child.kill().unwrap();
    child.wait().unwrap();
    let fence = store.acquire("this process", now()).await.unwrap();
    assert!(matches!(store.check_fence(stale).await, Err(StoreError::Fenced)));
    store.commit(fence, one_of_everything(1)).await.unwrap();
}

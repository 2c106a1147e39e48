//! A disk that fails with EIO at every call that the store makes on its files: a commit that was acknowledged is there,
//! one that was refused is whole or absent, and the store goes on afterwards.

use std::path::PathBuf;
use std::process::Command;

use everkey::ports::Store;
use everkey::store::Options;
use everkey::store::Sqlite;

use crate::crash::STORE;
use crate::crash::in_child;
use crate::crash::numbered;
use crate::crash::whole_commits;
use crate::eio;
use crate::samples::now;
use crate::sqlite::Place;
use crate::sqlite::key;

/// What stands in the path of every file of the store.
const FILES: &str = "everkey.db";

/// Says something to the test that started this process.
#[expect(clippy::print_stderr, reason = "a child speaks to its test by its standard error")]
fn say(what: &str) {
    eprintln!("{what}");
}

/// Opens the store and commits once, and again where that was refused; says what was acknowledged. A failure is said
/// and is no panic.
async fn commit_or_try_again(path: PathBuf) {
    let done = async {
        let store = Sqlite::open(&path, key(), Options::default()).await?;
        let fence = store.acquire("child", now()).await?;
        let before = store.unfinished().await?.last().map(|rotation| rotation.id.0);
        for _ in 0..2 {
            let id = store.next_rotation(fence).await?.0;
            match store.commit(fence, numbered(id, before)).await {
                Ok(()) => {
                    say(&format!("ack {id}"));
                    break;
                }
                Err(error) => say(&format!("refused: {error}")),
            }
        }
        store.release(fence).await
    };
    if let Err(error) = done.await {
        say(&format!("refused: {error}"));
    }
}

#[tokio::test]
async fn acknowledged_commits_survive_a_failing_disk() {
    if let Some(path) = in_child() {
        return commit_or_try_again(path).await;
    }
    let name = "failing::acknowledged_commits_survive_a_failing_disk";
    let again = |place: &Place| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", name, "--nocapture"]).env(STORE, place.path());
        command
    };
    let staged = async || {
        let place = Place::new();
        let store = place.store().await;
        let fence = store.acquire("parent", now()).await.unwrap();
        let id = store.next_rotation(fence).await.unwrap().0;
        store.commit(fence, numbered(id, None)).await.unwrap();
        place
    };
    let points = eio::points(&again(&staged().await), FILES);
    let (mut hit, mut refused) = (0, 0);
    for point in &points {
        let place = staged().await;
        let failed = eio::failing(&again(&place), point, FILES);
        let Some(call) = failed.call else { continue };
        hit += 1;
        let said = String::from_utf8_lossy(&failed.output.stderr).into_owned();
        let acknowledged: Vec<u64> =
            said.lines().filter_map(|line| line.strip_prefix("ack ")).map(|id| id.parse().unwrap()).collect();
        refused += usize::from(said.contains("refused: "));
        let store = place.store().await;
        let there = whole_commits(&store).await;
        assert!(there.contains(&1), "{call}: the commit from before is gone");
        assert!(acknowledged.iter().all(|id| there.contains(id)), "{call}: {acknowledged:?}, but {there:?}\n{said}");
        let fence = store.acquire("parent", now()).await.unwrap();
        let id = store.next_rotation(fence).await.unwrap().0;
        store
            .commit(fence, numbered(id, there.last().copied()))
            .await
            .unwrap_or_else(|error| panic!("{call}: {error}"));
    }
    assert!(hit > 15 && refused > 5, "{hit} of {} calls failed, {refused} refused a commit: {points:?}", points.len());
}

//! Disks that refuse: the error says so, nothing is half-written, and the store goes on once there is room.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use everkey::ports::Store;
use everkey::ports::StoreError;
use everkey::store::Options;
use everkey::store::Sqlite;

use crate::contract::everything;
use crate::crash::child;
use crate::crash::in_child;
use crate::samples::now;
use crate::samples::one_of_everything;
use crate::samples::seal_item;
use crate::sqlite::Place;
use crate::sqlite::key;

/// Commits large values until the disk takes no more; a passed preflight must be a promise kept.
async fn fill(path: &Path) {
    let store = Sqlite::open(path, key(), Options::default()).await.unwrap();
    let fence = store.acquire("child", now()).await.unwrap();
    let mut id = 0;
    let refused = loop {
        id += 1;
        if let Err(refused) = store.preflight(fence).await {
            break refused;
        }
        let mut commit = one_of_everything(id);
        commit.seal.push(seal_item(&format!("{id}/1/pfx"), &"p".repeat(40_000)));
        store.commit(fence, commit).await.expect("the preflight promised it");
    };
    assert!(id > 3, "the limit is so low that nothing was tried");
    assert!(matches!(&refused, StoreError::Failed(why) if why.contains("the disk")), "{refused}");

    // Without asking first, commits fail sooner or later, and then all of them is missing.
    let mut failed = None;
    for id in id..id + 1000 {
        let before = everything(&store).await;
        let mut commit = one_of_everything(id);
        commit.seal.push(seal_item(&format!("{id}/1/pfx"), &"p".repeat(40_000)));
        if let Err(error) = store.commit(fence, commit).await {
            assert_eq!(everything(&store).await, before);
            failed = Some(error);
            break;
        }
    }
    assert!(matches!(&failed, Some(StoreError::Failed(why)) if why.contains("the disk")), "{failed:?}");
    assert_eq!(store.verify_history().await.unwrap(), None);
    store.check_fence(fence).await.unwrap();
}

#[tokio::test]
async fn a_disk_that_takes_no_more_loses_nothing_and_preflight_says_so_first() {
    if let Some(path) = in_child() {
        return fill(&path).await;
    }
    let place = Place::new();
    // No file may grow beyond some hundred kilobytes; the signal that goes with it is ignored, so write fails.
    let name = "faults::a_disk_that_takes_no_more_loses_nothing_and_preflight_says_so_first";
    let done = child(&place, name, "ulimit -f 1500; trap '' XFSZ;").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let store = place.store().await;
    let fence = store.acquire("parent", now()).await.unwrap();
    assert_eq!(store.verify_history().await.unwrap(), None);
    store.preflight(fence).await.unwrap();
    store.commit(fence, one_of_everything(5000)).await.unwrap();
    assert_eq!(store.verify_history().await.unwrap(), None);
}

#[tokio::test]
async fn a_place_that_takes_no_files_is_named_in_the_error() {
    let root = tempfile::tempdir().unwrap();
    let closed = root.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o500)).unwrap();
    let mut refused = 0;
    // To root the closed directory is open, and Linux has /proc, where not even root makes files.
    for directory in [closed.as_path(), Path::new("/proc")] {
        if fs::write(directory.join("probe"), "").is_ok() {
            continue;
        }
        let path = directory.join("everkey.db");
        match Sqlite::open(&path, key(), Options::default()).await {
            Err(StoreError::Failed(why)) => assert!(why.contains(path.to_str().unwrap()), "{why}"),
            other => panic!("{other:?}"),
        }
        refused += 1;
    }
    assert!(refused > 0, "no place here refuses files");
    assert!(Sqlite::open(Path::new("/dev/null/everkey.db"), key(), Options::default()).await.is_err());
}

#[tokio::test]
async fn a_store_that_is_not_there_is_not_made_unasked() {
    let place = Place::new();
    let options = Options { create: false, ..Options::default() };
    let said = Sqlite::open(&place.path(), key(), options.clone()).await.unwrap_err().to_string();
    assert!(said.contains("everkey.db"), "{said}");
    assert!(!place.path().exists());
    place.store().await.close().await;
    Sqlite::open(&place.path(), key(), options).await.unwrap();
}

/// The same on a real file system of one mebibyte, mounted in a namespace of the test's own.
#[tokio::test]
async fn a_file_system_of_one_mebibyte_loses_nothing() {
    if let Some(path) = in_child() {
        let filler = path.with_file_name("filler");
        fs::write(&filler, vec![0; 300_000]).unwrap();
        fill(&path).await;
        fs::remove_file(filler).unwrap();
        let store = Sqlite::open(&path, key(), Options::default()).await.unwrap();
        let fence = store.acquire("child, with room", now()).await.unwrap();
        store.preflight(fence).await.unwrap();
        store.commit(fence, one_of_everything(5000)).await.unwrap();
        assert_eq!(store.verify_history().await.unwrap(), None);
        assert!(store.examine().await.unwrap().damage.is_empty());
        return;
    }
    let place = Place::new();
    let name = "faults::a_file_system_of_one_mebibyte_loses_nothing";
    let directory = place.path().parent().unwrap().display().to_string();
    let script = format!("mount -t tmpfs -o size=1m,mode=700 none '{directory}' || exit 99; exec \"$0\" \"$@\"");
    let inner = child(&place, name, "");
    let mut command = std::process::Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).stdout(std::process::Stdio::null());
    for (variable, value) in inner.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        command.env(variable, value);
    }
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

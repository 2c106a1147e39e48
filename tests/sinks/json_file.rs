//! The sink `json-file` and its file: owner, mode, readers, rivals, symlinks, crashes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;

use everkey::model::SinkTarget;
use everkey::ports::PortError;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::*;

const BEFORE: &str = "{\n\t\"MS-OfficeMail-365\": {\"clientId\": \"\", \"clientSecret\": \"\"},\n\t\"theirs\": 1\n}";

fn prepared() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("integrations.json");
    fs::write(&path, BEFORE).unwrap();
    (root, path)
}

#[tokio::test]
async fn values_are_compared_and_not_the_file() {
    let (_root, path) = prepared();
    let sink = json(json_spec(&path));
    sink.preflight().await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), BEFORE, "preflight writes nothing");
    assert_eq!(sink.fingerprint().await.unwrap(), None, "empty values are nothing of ours");

    let written = sink.write(&credential(1, "id", "first")).await.unwrap();
    assert_eq!(sink.fingerprint().await.unwrap(), Some(written.clone()));
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, BEFORE.replace("\"clientId\": \"\"", "\"clientId\": \"id\"").replace("\"\"", "\"first\""));

    fs::write(&path, text.replace("\"theirs\": 1", "\"theirs\": 2, \"more\": []")).unwrap();
    assert_eq!(sink.fingerprint().await.unwrap(), Some(written.clone()), "the application's keys are its own");
    fs::write(&path, text.replace("first", "second")).unwrap();
    assert_ne!(sink.fingerprint().await.unwrap(), Some(written.clone()), "drift of our value shows");
    assert_eq!(sink.write(&credential(1, "id", "first")).await.unwrap(), written);

    let inode = fs::metadata(&path).unwrap().ino();
    assert_eq!(sink.write(&credential(1, "id", "first")).await.unwrap(), written);
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode, "nothing to change, nothing replaced");
    fs::remove_file(&path).unwrap();
    assert_eq!(sink.fingerprint().await.unwrap(), None);
}

#[tokio::test]
async fn mode_and_owner_are_kept_or_set() {
    let (root, path) = prepared();
    let am_root = nix::unistd::geteuid().is_root();
    for kept in [0o600, 0o640, 0o644, 0o660] {
        fs::set_permissions(&path, fs::Permissions::from_mode(kept)).unwrap();
        if am_root {
            std::os::unix::fs::chown(&path, Some(1234), Some(4321)).unwrap();
        }
        let before = fs::metadata(&path).unwrap();
        json(json_spec(&path)).write(&credential(1, "id", &format!("secret {kept}"))).await.unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.uid(), after.gid(), mode(&path)), (before.uid(), before.gid(), kept));
        assert_ne!(after.ino(), before.ino());
    }
    let mut spec = json_spec(&path);
    spec.mode = Some(0o640);
    spec.owner = am_root.then(|| "0:12".to_owned());
    json(spec).write(&credential(1, "id", "set")).await.unwrap();
    assert_eq!(mode(&path), 0o640);
    if am_root {
        assert_eq!((fs::metadata(&path).unwrap().uid(), fs::metadata(&path).unwrap().gid()), (0, 12));
    }
    assert_eq!(mode(&root.path().join(".integrations.json.everkey")), 0o600);
}

#[tokio::test]
async fn a_mode_that_shows_a_secret_to_everybody_is_refused() {
    let (_root, path) = prepared();
    for mode in [0o644, 0o604, 0o700, 0o4600] {
        let mut spec = json_spec(&path);
        spec.mode = Some(mode);
        assert!(refused(SinkTarget::JsonFile(spec)).contains("owner and group only"), "{mode:o}");
    }
    let mut spec = json_spec(&path);
    spec.values.truncate(1);
    spec.mode = Some(0o644);
    json(spec).write(&credential(1, "public", "unused")).await.unwrap();
    for pointer in ["", "clientId", "/a~b", "/a~2"] {
        let mut spec = json_spec(&path);
        spec.values[0].0 = pointer.into();
        assert!(refused(SinkTarget::JsonFile(spec)).contains("JSON pointer"), "{pointer}");
    }
    let mut spec = json_spec(&path);
    spec.values[1].0 = spec.values[0].0.clone();
    assert!(refused(SinkTarget::JsonFile(spec)).contains("twice"));
}

/// A reader never sees a part of a file, nor the id of one rotation beside the secret of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_whole_files_with_one_pair() {
    let (_root, path) = prepared();
    let sink = json(json_spec(&path));
    sink.write(&credential(1, "1", "1")).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (done, path) = (Arc::clone(&done), path.clone());
        thread::spawn(move || {
            let mut reads = 0_u64;
            while !done.load(Ordering::Relaxed) {
                let document: Value = serde_json::from_slice(&fs::read(&path).unwrap()).expect("a whole file");
                let mail = &document["MS-OfficeMail-365"];
                assert_eq!(mail["clientId"], mail["clientSecret"], "a mixture");
                assert_eq!(document["theirs"], 1);
                reads += 1;
            }
            reads
        })
    };
    for number in 2..=200 {
        let value = "x".repeat(usize::try_from(number * 37 % 5000).unwrap());
        sink.write(&credential(number, &value, &value)).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(reader.join().unwrap() > 200, "the reader must have been at work");
}

#[tokio::test]
async fn an_older_rotation_and_a_held_lock_change_nothing() {
    let (root, path) = prepared();
    let sink = json(json_spec(&path));
    sink.write(&credential(9, "id", "nine")).await.unwrap();
    let before = fs::read(&path).unwrap();
    let error = sink.write(&credential(8, "id", "eight")).await.unwrap_err();
    assert!(is_conflict(&error), "{error}");
    let held = fs::File::open(root.path().join(".integrations.json.everkey")).unwrap();
    held.lock().unwrap();
    let error = sink.write(&credential(10, "id", "ten")).await.unwrap_err();
    assert!(matches!(&error, PortError::Local(text) if text.contains("lock")), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    let sidecar = fs::read_to_string(root.path().join(".integrations.json.everkey")).unwrap();
    assert!(!sidecar.contains("nine"), "{sidecar}");
}

#[tokio::test]
async fn leftovers_of_a_crash_are_removed() {
    let (root, path) = prepared();
    let leftover = root.path().join(".integrations.json.everkey-new");
    fs::write(&leftover, "secret of a dead process").unwrap();
    json(json_spec(&path)).write(&credential(1, "id", "s")).await.unwrap();
    assert_eq!(names(root.path()), [".integrations.json.everkey", "integrations.json"]);

    // The same name as a symlink: removed, not followed.
    let victim = root.path().join("victim");
    symlink(&victim, &leftover).unwrap();
    json(json_spec(&path)).write(&credential(2, "id", "t")).await.unwrap();
    assert!(!victim.exists() && fs::symlink_metadata(&leftover).is_err());
}

#[tokio::test]
async fn files_that_must_not_be_replaced_are_refused() {
    let (root, path) = prepared();
    let says = async |path: &Path| {
        let sink = json(json_spec(path));
        let (tried, written) = (sink.preflight().await, sink.write(&credential(1, "id", "s")).await);
        let (tried, written) = (tried.unwrap_err().to_string(), written.unwrap_err().to_string());
        assert_eq!(tried, written);
        tried
    };
    let link = root.path().join("link.json");
    symlink("integrations.json", &link).unwrap();
    let error = says(&link).await;
    assert!(error.contains("symlink to integrations.json"), "{error}");
    assert!(says(&root.path().join("none.json")).await.contains("there is no such file"));
    fs::create_dir(root.path().join("dir.json")).unwrap();
    assert!(says(&root.path().join("dir.json")).await.contains("not a regular file"));
    let pipe = root.path().join("pipe.json");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(says(&pipe).await.contains("not a regular file"), "and it does not hang");
    fs::write(root.path().join("latin1.json"), b"{\"MS-OfficeMail-365\": {\"x\": \"\xe9\"}}").unwrap();
    assert!(says(&root.path().join("latin1.json")).await.contains("not UTF-8"));
    assert!(says(&root.path().join("nowhere/x.json")).await.contains("nowhere"));

    let twin = root.path().join("twin.json");
    fs::hard_link(&path, &twin).unwrap();
    assert!(says(&path).await.contains("hard link"));
    let mut spec = json_spec(&path);
    spec.in_place = true;
    json(spec).write(&credential(1, "id", "s")).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&twin).unwrap(), "in place, both names show the new value");
}

#[tokio::test]
async fn a_directory_that_more_people_write_than_read_the_file_is_refused() {
    let (root, path) = prepared();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for (directory, file, fine) in [
        (0o755, 0o600, true),
        (0o777, 0o600, false),
        (0o757, 0o640, false),
        (0o775, 0o600, false),
        (0o775, 0o640, true),
        (0o1777, 0o600, true),
    ] {
        set(root.path(), directory);
        set(&path, file);
        let tried = json(json_spec(&path)).preflight().await;
        assert_eq!(tried.is_ok(), fine, "directory {directory:o}, file {file:o}: {tried:?}");
    }
    set(root.path(), 0o700);
}

#[tokio::test]
async fn in_place_keeps_the_inode_and_leaves_no_tail() {
    let (_root, path) = prepared();
    let mut spec = json_spec(&path);
    spec.in_place = true;
    let sink = json(spec);
    sink.preflight().await.unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    for (generation, length) in [(1, 4000), (2, 3), (3, 60)] {
        let secret = "s".repeat(length);
        sink.write(&credential(generation, "id", &secret)).await.unwrap();
        let expected =
            BEFORE.replace("\"clientId\": \"\"", "\"clientId\": \"id\"").replace("\"\"", &format!("\"{secret}\""));
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    }
}

//! The sink `files` when something is in its way: a newer value, a foreign file, a symlink, a crash.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use everkey::model::PfxFile;
use everkey::model::PfxPassword;
use everkey::model::PfxProfile;
use everkey::model::SinkTarget;
use everkey::model::ValueName;
use everkey::ports::PortError;

use crate::support::*;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn an_older_rotation_never_overwrites_a_newer_one() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("credential");
    let sink = files(files_spec(&directory));
    let newer = sink.write(&numbered(43)).await.unwrap();
    let error = sink.write(&numbered(42)).await.unwrap_err();
    assert!(is_conflict(&error), "{error}");
    assert!(error.to_string().contains("r-0043") && error.to_string().contains(".credential.everkey"), "{error}");
    assert_eq!(sink.fingerprint().await.unwrap(), Some(newer));
    assert_eq!(names(root.path()), [".credential.everkey", ".credential.r-0043.1", "credential"]);
}

#[tokio::test]
async fn a_lock_that_is_held_is_told_at_once() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("credential");
    let sink = files(files_spec(&directory));
    let before = sink.write(&numbered(1)).await.unwrap();
    let held = fs::File::open(root.path().join(".credential.everkey")).unwrap();
    held.lock().unwrap();
    let error = sink.write(&numbered(2)).await.unwrap_err();
    assert!(matches!(&error, PortError::Local(text) if text.contains("lock")), "{error}");
    assert_eq!(sink.fingerprint().await.unwrap(), Some(before));
    drop(held);
    sink.write(&numbered(2)).await.unwrap();
}

#[tokio::test]
async fn leftovers_of_a_crash_are_removed_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("credential");
    let sink = files(files_spec(&directory));
    sink.write(&numbered(3)).await.unwrap();
    // A process that died while it filled a generation, before its link, and before its sweep.
    for leftover in [".credential.r-0004.1", ".credential.r-0002.17"] {
        fs::create_dir(root.path().join(leftover)).unwrap();
        fs::write(root.path().join(leftover).join("enate.key"), "key of a dead process").unwrap();
    }
    symlink(".credential.r-0004.1", root.path().join(".credential.everkey-link")).unwrap();
    // What looks alike but is somebody else's.
    let others = [".credential.r-0004", ".credential.r-x.1", ".credential2.r-0001.1", "credential.r-0001.1"];
    for other in others {
        fs::create_dir(root.path().join(other)).unwrap();
    }
    fs::write(root.path().join(".credential.r-0009.9"), "a file").unwrap();

    sink.write(&numbered(4)).await.unwrap();
    let mut expected: Vec<_> = others.iter().map(|name| (*name).to_owned()).collect();
    expected
        .extend([".credential.everkey", ".credential.r-0004.1", ".credential.r-0009.9", "credential"].map(Into::into));
    expected.sort();
    assert_eq!(names(root.path()), expected);
    assert_eq!(fs::read_to_string(directory.join("enate.key")).unwrap(), "key 4\n");
}

#[tokio::test]
async fn an_empty_directory_is_replaced_and_a_full_one_is_not() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("credential");
    fs::create_dir(&directory).unwrap();
    let sink = files(files_spec(&directory));
    fs::write(directory.join("theirs"), "x").unwrap();
    for error in [sink.preflight().await.unwrap_err(), sink.write(&numbered(1)).await.unwrap_err()] {
        assert!(
            matches!(&error, PortError::Refused(_)) && error.to_string().contains("move the files away"),
            "{error}"
        );
    }
    assert_eq!(names(&directory), ["theirs"]);
    assert_eq!(names(root.path()), [".credential.everkey", "credential"]);

    fs::remove_file(directory.join("theirs")).unwrap();
    sink.preflight().await.unwrap();
    sink.write(&numbered(1)).await.unwrap();
    assert!(fs::symlink_metadata(&directory).unwrap().is_symlink());
}

#[tokio::test]
async fn what_everkey_did_not_make_is_neither_followed_nor_replaced() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("credential");
    let elsewhere = root.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let traps: [(&str, &dyn Fn()); 4] = [
        ("did not make", &|| symlink(&elsewhere, &directory).unwrap()),
        ("did not make", &|| symlink("/nonexistent", &directory).unwrap()),
        ("did not make", &|| symlink("elsewhere/.credential.r-0001.1", &directory).unwrap()),
        ("not a directory", &|| fs::write(&directory, "x").unwrap()),
    ];
    for (word, trap) in traps {
        trap();
        let sink = files(files_spec(&directory));
        assert!(sink.preflight().await.unwrap_err().to_string().contains(word));
        assert!(sink.write(&numbered(1)).await.unwrap_err().to_string().contains(word));
        assert_eq!(sink.fingerprint().await.unwrap(), None);
        fs::remove_file(&directory).unwrap();
    }
    assert_eq!(names(&elsewhere), Vec::<String>::new());
}

/// Names that a write is about to use, taken beforehand by symlinks to a victim.
#[tokio::test]
async fn a_symlink_laid_in_wait_gets_nothing() {
    let root = tempfile::tempdir().unwrap();
    let victim = root.path().join("victim");
    fs::create_dir(&victim).unwrap();
    let directory = root.path().join("credential");
    let sink = files(files_spec(&directory));
    for trap in [".credential.r-0001.1", ".credential.r-0001.2", ".credential.everkey-link"] {
        symlink(&victim, root.path().join(trap)).unwrap();
    }
    sink.write(&numbered(1)).await.unwrap();
    assert_eq!(fs::read_link(&directory).unwrap(), Path::new(".credential.r-0001.3"));
    assert_eq!(names(&victim), Vec::<String>::new());

    fs::remove_file(root.path().join(".credential.everkey")).unwrap();
    symlink(victim.join("lock"), root.path().join(".credential.everkey")).unwrap();
    sink.write(&numbered(2)).await.unwrap_err();
    assert_eq!(names(&victim), Vec::<String>::new());
    assert_eq!(fs::read_to_string(directory.join("enate.key")).unwrap(), "key 1\n");
}

#[tokio::test]
async fn a_parent_that_others_may_write_is_refused_unless_sticky() {
    let root = tempfile::tempdir().unwrap();
    let parent = root.path().join("parent");
    fs::create_dir(&parent).unwrap();
    let sink = files(files_spec(&parent.join("credential")));
    for open in [0o775, 0o777, 0o757] {
        set_mode(&parent, open);
        for error in [sink.preflight().await.unwrap_err(), sink.write(&numbered(1)).await.unwrap_err()] {
            assert!(error.to_string().contains("chmod go-w"), "{error}");
        }
    }
    assert_eq!(names(&parent), Vec::<String>::new());
    set_mode(&parent, 0o1777);
    sink.preflight().await.unwrap();
    sink.write(&numbered(1)).await.unwrap();
    assert_eq!(names(&parent).len(), 3, "preflight left nothing behind");
}

#[tokio::test]
async fn specifications_that_cannot_be_safe_are_refused_when_read() {
    let good = files_spec(Path::new("/var/lib/enate/credential"));
    let change = |change: &dyn Fn(&mut everkey::model::FilesSpec)| {
        let mut spec = good.clone();
        change(&mut spec);
        refused(SinkTarget::Files(spec))
    };
    let pfx = |name: &str, password: &str| {
        let password = PfxPassword::WrittenTo(password.into());
        Some(PfxFile { name: name.into(), profile: PfxProfile::Modern, password })
    };
    for name in ["", ".", "..", "a/b", "/etc/passwd", "nul\0"] {
        assert!(change(&|spec| spec.key = Some(name.into())).contains("plain file name"), "{name:?}");
    }
    assert!(change(&|spec| spec.key = spec.pem.clone()).contains("two files"));
    assert!(change(&|spec| spec.pfx = pfx("x.pfx", "x.pfx")).contains("two files"));
    for mode in [0o644, 0o700, 0o400, 0o4600, 0o666] {
        assert!(change(&|spec| spec.mode = mode).contains("owner and group only"), "{mode:o}");
    }
    assert!(change(&|spec| (spec.pem, spec.key) = (None, None)).contains("without any file"));
    assert!(change(&|spec| spec.directory = "/".into()).contains("does not name"));
    assert!(change(&|spec| spec.directory = "/var/..".into()).contains("does not name"));
    assert!(change(&|spec| spec.owner = Some("nobody-of-this-name".into())).contains("no user"));
    assert!(change(&|spec| spec.after = vec!["./reload".into()]).contains("full path"));
}

#[tokio::test]
async fn a_payload_without_a_value_writes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let sink = files(files_spec(&root.path().join("credential")));
    let half = payload(1, &[(ValueName::Certificate, "certificate without its key")]);
    let error = sink.write(&half).await.unwrap_err();
    assert!(matches!(&error, PortError::Refused(_)) && error.to_string().contains("PrivateKey"), "{error}");
    let empty = payload(1, &[(ValueName::Certificate, "certificate"), (ValueName::PrivateKey, "")]);
    assert!(sink.write(&empty).await.unwrap_err().to_string().contains("empty"));
    assert_eq!(names(root.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_parent_that_is_not_there_is_named() {
    let root = tempfile::tempdir().unwrap();
    let sink = files(files_spec(&root.path().join("missing/credential")));
    let error = sink.preflight().await.unwrap_err().to_string();
    assert!(error.contains("missing") && error.contains("No such file"), "{error}");
    assert_eq!(sink.fingerprint().await.unwrap(), None);
}

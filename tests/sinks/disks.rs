//! Disks that are full, read-only or mounted over: the old content stays, and the error says what is wrong.
//!
//! Each scenario needs mounts. The test prepares them in a user and mount namespace of its own (`unshare -rm`, which
//! needs no privilege) and runs itself again in there; it knows that it is inside by the directory it starts in.

use std::fs;
use std::path::Path;

use everkey::model::ValueName;
use everkey::ports::PortError;

use crate::support::*;

/// Whether the mounts are there. If not, runs test `name` again where `script` has made them.
fn inside(name: &str, script: &str) -> bool {
    if Path::new("everkey-test-disk").exists() {
        return true;
    }
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("everkey-test-disk")).unwrap();
    run_again(root.path(), name, &["unshare", "-rm", "sh"], script);
    false
}

const SMALL: &str = "mount -t tmpfs -o size=256k,mode=700 none everkey-test-disk";

#[tokio::test]
async fn a_full_disk_leaves_the_old_files() {
    if !inside("disks::a_full_disk_leaves_the_old_files", SMALL) {
        return;
    }
    let root = Path::new("everkey-test-disk");
    let directory = root.join("credential");
    let sink = files(files_spec(&directory));
    sink.preflight().await.unwrap();
    let before = sink.write(&numbered(1)).await.unwrap();

    let large = "k".repeat(400_000);
    let payload = payload(2, &[(ValueName::Certificate, "certificate 2\n"), (ValueName::PrivateKey, &large)]);
    let error = sink.write(&payload).await.unwrap_err();
    assert!(matches!(&error, PortError::Local(text) if text.contains("No space left")), "{error}");
    assert_eq!(sink.fingerprint().await.unwrap(), Some(before));
    assert_eq!(names(root), [".credential.everkey", ".credential.r-0001.1", "credential"], "no half key is left");

    // Little room: preflight says so before a credential is made.
    fs::write(root.join("filler"), vec![0; 200_000]).unwrap();
    let error = sink.preflight().await.unwrap_err().to_string();
    assert!(error.contains("No space left"), "{error}");
    fs::remove_file(root.join("filler")).unwrap();
    sink.preflight().await.unwrap();
    sink.write(&numbered(3)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_json() {
    if !inside("disks::a_full_disk_leaves_the_old_json", SMALL) {
        return;
    }
    let root = Path::new("everkey-test-disk");
    let path = root.join("integrations.json");
    let text = "{\"MS-OfficeMail-365\": {\"clientId\": \"old\", \"clientSecret\": \"old\"}}";
    let large = "s".repeat(400_000);
    for in_place in [false, true] {
        fs::write(&path, text).unwrap();
        let mut spec = json_spec(&path);
        spec.in_place = in_place;
        let sink = json(spec);
        let error = sink.write(&credential(1, "id", &large)).await.unwrap_err();
        assert!(matches!(&error, PortError::Local(text) if text.contains("No space left")), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "in place: {in_place}");
        assert_eq!(names(root), [".integrations.json.everkey", "integrations.json"]);
        sink.write(&credential(1, "id", "fits")).await.unwrap();
    }
}

#[tokio::test]
async fn a_read_only_directory_is_told_and_keeps_its_content() {
    let script = "mount -t tmpfs -o mode=700 none everkey-test-disk\n\
                  mkdir everkey-test-disk/.credential.r-0001.1\n\
                  echo 'certificate 1' > everkey-test-disk/.credential.r-0001.1/enate.crt\n\
                  echo 'key 1' > everkey-test-disk/.credential.r-0001.1/enate.key\n\
                  ln -s .credential.r-0001.1 everkey-test-disk/credential\n\
                  echo '{\"MS-OfficeMail-365\": {}}' > everkey-test-disk/integrations.json\n\
                  mount -o remount,bind,ro everkey-test-disk";
    if !inside("disks::a_read_only_directory_is_told_and_keeps_its_content", script) {
        return;
    }
    let root = Path::new("everkey-test-disk");
    let (directory, path) = (root.join("credential"), root.join("integrations.json"));
    let (files, json) = (files(files_spec(&directory)), json(json_spec(&path)));
    let before = files.fingerprint().await.unwrap();
    assert!(before.is_some());
    let errors = [
        files.preflight().await.unwrap_err(),
        files.write(&numbered(2)).await.unwrap_err(),
        json.preflight().await.unwrap_err(),
        json.write(&credential(2, "id", "s")).await.unwrap_err(),
    ];
    for error in errors {
        let text = error.to_string();
        assert!(matches!(error, PortError::Local(_)), "{text}");
        assert!(text.contains("everkey-test-disk/") && text.contains("Read-only file system"), "{text}");
    }
    assert_eq!(files.fingerprint().await.unwrap(), before);
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"MS-OfficeMail-365\": {}}\n");
}

#[tokio::test]
async fn a_bind_mounted_file_is_written_in_place_or_not_at_all() {
    let script = "mkdir everkey-test-disk/app\n\
                  echo '{\"MS-OfficeMail-365\": {}}' > everkey-test-disk/host.json\n\
                  touch everkey-test-disk/app/integrations.json\n\
                  mount --bind everkey-test-disk/host.json everkey-test-disk/app/integrations.json";
    if !inside("disks::a_bind_mounted_file_is_written_in_place_or_not_at_all", script) {
        return;
    }
    let path = Path::new("everkey-test-disk/app/integrations.json");
    let mut spec = json_spec(path);
    for error in [
        json(spec.clone()).preflight().await.unwrap_err(),
        json(spec.clone()).write(&credential(1, "id", "s")).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("bind-mounted") && error.to_string().contains("in-place"), "{error}");
    }
    spec.in_place = true;
    json(spec.clone()).preflight().await.unwrap();
    json(spec).write(&credential(1, "id", "s")).await.unwrap();
    let host = fs::read_to_string("everkey-test-disk/host.json").unwrap();
    assert_eq!(host, "{\"MS-OfficeMail-365\": {\"clientId\": \"id\",\"clientSecret\": \"s\"}}\n");
}

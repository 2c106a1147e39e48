//! A disk that fails with EIO at every call of a write: what consumers read is the old value or the new one, whole; a
//! write that says it is done is done; and the next one puts everything in order.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::eio;
use crate::stages::Files;
use crate::stages::Json;
use crate::stages::Stage;

/// Directory of one write; where it exists, this process is the one whose disk fails.
const STAGE: &str = "everkey-test-eio";

async fn fail_everywhere<S: Stage>(name: &str) {
    if Path::new(STAGE).exists() {
        return S::write(Path::new(STAGE)).await;
    }
    let again = |root: &Path| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", name]).current_dir(root);
        command
    };
    let staged = async || {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(STAGE)).unwrap();
        S::prepare(&root.path().join(STAGE)).await;
        root
    };
    let points = eio::points(&again(staged().await.path()), STAGE);
    let (mut hit, mut told) = (0, 0);
    for point in &points {
        let root = staged().await;
        let failed = eio::failing(&again(root.path()), point, STAGE);
        let Some(call) = failed.call else { continue };
        hit += 1;
        let is_new = S::check(&root.path().join(STAGE)).await;
        if failed.output.status.success() {
            assert!(is_new, "{call}: it said it was done, and wrote nothing");
        } else {
            told += 1;
        }
    }
    assert!(hit > 12 && told > 8, "{hit} of {} calls failed, {told} were told: {points:?}", points.len());
}

#[tokio::test]
async fn files_survive_a_failing_disk() {
    fail_everywhere::<Files>("failing::files_survive_a_failing_disk").await;
}

#[tokio::test]
async fn json_survives_a_failing_disk() {
    fail_everywhere::<Json>("failing::json_survives_a_failing_disk").await;
}

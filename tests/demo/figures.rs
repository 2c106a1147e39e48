//! The three figures: zero in the honest run, and exactly the right one not zero when a promise is broken.

use super::count;
use super::demo;

#[test]
fn two_years_pass_without_a_broken_promise() {
    let dir = tempfile::tempdir().unwrap();
    let (output, report) = demo(&dir.path().join("kept"), &[]);
    assert!(output.status.success(), "{report:#}");
    for figure in ["down", "copies", "foreign"] {
        assert_eq!(count(&report, figure), 0, "{figure}: {report:#}");
    }
    // The figures mean something: consumers asked often, files were read, others had credentials.
    assert!(count(&report, "instants") > 200, "{report:#}");
    assert!(count(&report, "sign_ins") > 1000, "{report:#}");
    assert!(count(&report, "files") > 100, "{report:#}");
    assert_eq!(count(&report, "foreign_seeded"), 11, "a certificate on six applications, a secret on five");
    // Twenty-two successors in two years by the policies' own dates, each secret and key known to the scan.
    assert_eq!((count(&report, "issued"), count(&report, "rotations")), (5, 22), "{report:#}");
    assert!(count(&report, "secrets") >= 27, "{report:#}");
    assert!(count(&report, "escalations") >= 1, "the late person was escalated");
    assert_eq!(count(&report, "superseded"), 1, "one person never says so");
    assert!(count(&report, "retired") >= 17, "{report:#}");
}

#[test]
fn an_early_removal_shows_as_instants_down_and_nothing_else() {
    let (down, copies, foreign) = sabotage("early-retire");
    assert!(down > 0);
    assert_eq!((copies, foreign), (0, 0));
}

#[test]
fn a_leak_shows_as_a_copy_and_nothing_else() {
    let (down, copies, foreign) = sabotage("leak");
    assert_eq!(copies, 1);
    assert_eq!((down, foreign), (0, 0));
}

#[test]
fn a_foreign_credential_removed_shows_as_touched_and_nothing_else() {
    let (down, copies, foreign) = sabotage("touch-foreign");
    assert!(foreign > 0);
    assert_eq!((down, copies), (0, 0));
}

fn sabotage(name: &str) -> (u64, u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let (output, report) = demo(&dir.path().join("kept"), &["--sabotage", name]);
    assert_eq!(output.status.code(), Some(1), "a figure that is not zero is exit 1: {report:#}");
    (count(&report, "down"), count(&report, "copies"), count(&report, "foreign"))
}

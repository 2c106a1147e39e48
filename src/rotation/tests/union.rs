//! A PATCH drops nobody's certificate, however stale the read was.

use super::sample::*;
use crate::model::*;
use crate::rotation::Mutation;
use crate::rotation::Rules;
use crate::rotation::union::body;

fn uploading(pre_image: Vec<CertificateEntry>) -> Rotation {
    Rotation { state: State::UploadIntent, pre_image, ..planned() }
}

fn names(body: &[CertificateEntry]) -> Vec<&str> {
    body.iter().map(|entry| entry.key_id.as_str()).collect()
}

#[test]
fn a_stale_read_loses_neither_ours_nor_others() {
    let r = uploading(vec![certificate("theirs", "T1"), certificate("ours", "O1")]);
    let new = certificate("new", "N1");
    let live = [own("ours", "O1")];
    let sent = body(&r, &[], &live, Some(new.clone()), None, Rules::default());
    assert_eq!(names(&sent), ["ours", "theirs", "new"]);
    assert!(sent.iter().all(|entry| entry.key.is_some()), "every entry carries its key bytes");

    let broken = body(&r, &[], &live, Some(new), None, Rules::without(Mutation::PatchFromReadOnly));
    assert_eq!(names(&broken), ["new"], "the mutant would send this, and everybody else is out");
}

#[test]
fn later_the_read_alone_speaks_for_others() {
    let r = Rotation { state: State::RetireIntent, pre_image: vec![certificate("theirs", "T1")], ..planned() };
    let read = [certificate("ours", "O1"), certificate("old", "O0")];
    let sent = body(&r, &read, &[own("ours", "O1")], None, Some(&read[1]), Rules::default());
    assert_eq!(names(&sent), ["ours"]);
}

#[test]
fn a_thumbprint_is_sent_once_whatever_its_key_id() {
    let read = [certificate("given-by-graph", "N1"), certificate("theirs", "T1")];
    let r = uploading(vec![certificate("theirs", "T1")]);
    let sent = body(&r, &read, &[own("new", "N1")], Some(certificate("new", "N1")), None, Rules::default());
    assert_eq!(names(&sent), ["given-by-graph", "theirs"]);
}

#[test]
fn of_a_certificate_listed_twice_only_the_copy_leaves() {
    let read = [certificate("ours", "O1"), certificate("copy", "O1")];
    let r = Rotation { state: State::Confirmed, ..planned() };
    let sent = body(&r, &read, &[own("ours", "O1")], None, Some(&read[1]), Rules::default());
    assert_eq!(names(&sent), ["ours"]);
}

#[test]
fn what_is_intended_to_leave_does_not_come_back_from_the_pre_image() {
    let mut r = uploading(vec![certificate("leaving", "L1"), certificate("theirs", "T1")]);
    r.removals = vec![Removal { key_id: "leaving".into(), sent: None, looked: None, absent: None }];
    assert_eq!(names(&body(&r, &[], &[], None, None, Rules::default())), ["theirs"]);
}

//! More than ten mails for one person in one run become one (rule 9).

use jiff::Timestamp;

use crate::model::Notice;
use crate::model::NoticeKind;
use crate::model::Reader;

/// So many mails in one run are still sent one by one.
const LIMIT: usize = 10;

/// Replaces the notices of everybody who has more than [`LIMIT`] by one summary, in the place of the first.
pub(super) fn merge(notices: Vec<Notice>, now: Timestamp) -> Vec<Notice> {
    let mut groups: Vec<Vec<Notice>> = Vec::new();
    for notice in notices {
        match groups.iter_mut().find(|group| group[0].to == notice.to) {
            Some(group) => group.push(notice),
            None => groups.push(vec![notice]),
        }
    }
    // What must be done now stands alone.
    let urgent = |group: &[Notice]| group.iter().any(|notice| notice.kind == NoticeKind::Emergency);
    groups
        .into_iter()
        .flat_map(|group| if group.len() > LIMIT && !urgent(&group) { vec![summary(group, now)] } else { group })
        .collect()
}

/// One notice that stands for all of `merged`, most pressing first. `merged` is not empty.
fn summary(mut merged: Vec<Notice>, now: Timestamp) -> Notice {
    merged.sort_by_key(|notice| (notice.kind != NoticeKind::Stopped, notice.stops_at.unwrap_or(Timestamp::MAX)));
    let mut notice = merged[0].clone();
    let reader = [Reader::Pm, Reader::Lead].into_iter().find(|reader| merged.iter().all(|n| n.reader == *reader));
    let mut cc: Vec<String> = Vec::new();
    for address in merged.iter().flat_map(|notice| &notice.cc) {
        if !cc.contains(address) && !notice.to.contains(address) {
            cc.push(address.clone());
        }
    }
    notice.key = format!("summary/{}/{now}", notice.to.join(","));
    notice.thread = notice.key.clone();
    notice.kind = NoticeKind::Summary;
    notice.stage = "summary".to_owned();
    notice.reader = reader.unwrap_or(Reader::Engineer);
    notice.cc = cc;
    notice.at = now;
    notice.handoff = None;
    notice.problem = None;
    notice.steps = Vec::new();
    notice.ids = None;
    notice.told = Vec::new();
    notice.link = None;
    notice.merged = merged;
    notice
}

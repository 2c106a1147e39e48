//! The keys of notices: `integration/slot/anchor/stage/reader:address`. The same key is never told twice, and
//! what was told to whom can be read back from them.
//!
//! The anchor is the hand-off, the key id, or `end-2026-12-20` for "has stopped", because the key id changes
//! when a rotation is superseded while the stop stays the same.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::Notice;
use crate::model::Reader;

use super::input::AlertInput;
use super::input::Watched;

/// The stage of the last mail to those who were told.
pub(super) const RESOLVED: &str = "resolved";
/// The stage of the one mail about a renewal that needed nobody.
pub(super) const DONE: &str = "done";

/// One earlier notice, read back from its key.
#[derive(Clone, Debug)]
pub(super) struct Sent<'a> {
    pub(super) stage: &'a str,
    pub(super) reader: Reader,
    /// To whom; empty for the leads, who are told as a group.
    pub(super) address: &'a str,
    pub(super) at: Timestamp,
}

/// Every key that a committed notice stands for: its own, and those of the notices merged into it.
pub fn keys_of(notice: &Notice) -> Vec<&str> {
    std::iter::once(notice.key.as_str()).chain(notice.merged.iter().flat_map(keys_of)).collect()
}

/// Makes a key.
pub(super) fn key(watched: &Watched, anchor: &str, stage: &str, reader: Reader, address: &str) -> String {
    let role = match reader {
        Reader::Engineer => "engineer",
        Reader::Lead => return [prefix(watched).as_str(), anchor, "/", stage, "/lead"].concat(),
        Reader::Pm => "pm",
    };
    // Made for every rung at every look: joined, not formatted.
    [prefix(watched).as_str(), anchor, "/", stage, "/", role, ":", address].concat()
}

/// What was told about this credential since its last renewal was over, oldest first. `current` is the anchor of
/// the end of the present renewal, which does not end it.
pub(super) fn told<'a>(input: &AlertInput<'a>, watched: &Watched, current: Option<&str>) -> Vec<Sent<'a>> {
    let prefix = prefix(watched);
    let all = slot_keys(input.sent, &prefix);
    let is_end = |stage: &str| stage == RESOLVED || stage == DONE;
    let since = all
        .iter()
        .filter(|(anchor, sent)| is_end(sent.stage) && Some(*anchor) != current)
        .map(|(_, sent)| sent.at)
        .max();
    let mut told: Vec<Sent<'a>> = all
        .into_iter()
        .map(|(_, sent)| sent)
        .filter(|sent| !is_end(sent.stage) && since.is_none_or(|since| sent.at > since))
        .collect();
    told.sort_by_key(|sent| sent.at);
    told
}

fn prefix(watched: &Watched) -> String {
    [watched.integration.as_str(), "/", watched.slot.as_str(), "/"].concat()
}

fn slot_keys<'a>(sent: &'a BTreeMap<String, Timestamp>, prefix: &str) -> Vec<(&'a str, Sent<'a>)> {
    sent.range(prefix.to_owned()..)
        .map_while(|(key, at)| Some((key.strip_prefix(prefix)?, *at)))
        .filter_map(|(rest, at)| {
            let (anchor, rest) = rest.split_once('/')?;
            let (stage, role) = rest.split_once('/')?;
            let (role, address) = role.split_once(':').unwrap_or((role, ""));
            let reader = match role {
                "engineer" => Reader::Engineer,
                "lead" => Reader::Lead,
                "pm" => Reader::Pm,
                _ => return None,
            };
            Some((anchor, Sent { stage, reader, address, at }))
        })
        .collect()
}

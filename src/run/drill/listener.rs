//! What the engine of a sandbox does, heard and put into words for its evidence.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::Timestamp;

use crate::model::Event;
use crate::model::Rotation;
use crate::rotation::Waiting;
use crate::run::Progress;
use crate::run::words;

/// Hears what the sandbox's engine does.
#[derive(Default)]
pub struct Listener {
    heard: Mutex<Vec<Heard>>,
    waits: Mutex<BTreeMap<String, (Option<Timestamp>, Waiting)>>,
}

pub(super) struct Heard {
    pub(super) step: &'static str,
    pub(super) text: String,
    pub(super) request_id: Option<String>,
    /// Whether it is blocked, and why.
    pub(super) failed: Option<(bool, String)>,
}

impl Listener {
    fn hear(&self, heard: Heard) {
        if let Ok(mut all) = self.heard.lock() {
            all.push(heard);
        }
    }

    pub(super) fn take(&self) -> Vec<Heard> {
        self.heard.lock().map(|mut heard| std::mem::take(&mut *heard)).unwrap_or_default()
    }

    /// What is waited for, in words.
    pub(super) fn waits(&self) -> String {
        let waits = self.waits.lock().map(|mut waits| std::mem::take(&mut *waits)).unwrap_or_default();
        let each = waits.into_iter().map(|(name, (until, why))| {
            let why = match why {
                Waiting::Overlap => "the overlap",
                Waiting::Propagation => "the next sign-in of its proof",
                Waiting::Settling => "reads that agree",
                _ => "the next try",
            };
            let until = until.map_or_else(String::new, |at| at.strftime(", %H:%M:%S UTC").to_string());
            format!("{name}: {why}{until}")
        });
        each.collect::<Vec<_>>().join("; ")
    }
}

impl Progress for Listener {
    fn provisioned(&self, _integration: &str, what: &str) {
        self.hear(Heard { step: "create", text: what.to_owned(), request_id: None, failed: None });
    }

    fn committed(&self, rotation: &Rotation, event: &Event) {
        let step = match event {
            Event::Attached { .. } | Event::AttemptUnknown | Event::AttemptRefused | Event::Abandoned => "stage",
            Event::Verified => "prove",
            Event::Delivered { .. } => "deliver",
            Event::Confirmed => "confirm",
            Event::RemovalSent { .. } => "retire",
            Event::Finished if !rotation.old.is_empty() => "gone",
            Event::Failed { .. } => rotation.state.step(),
            _ => return,
        };
        let turn = if rotation.old.is_empty() { "first" } else { "second" };
        let said = words::event(rotation, event);
        let said = said.split_once(": ").map_or(said.as_str(), |(_, rest)| rest);
        let said = match event {
            Event::Verified => {
                let span = rotation.probes.successes.map_or(0, |(first, last)| last.duration_since(first).as_secs());
                format!("{} sign-ins in a row were accepted, over {span} s", rotation.probes.count)
            }
            Event::Finished => "two reads, minutes apart, do not list the old one".to_owned(),
            _ => said.to_owned(),
        };
        let (request_id, failed) = match event {
            Event::Failed { problem, blocked, .. } => {
                (problem.request_id.clone(), Some((*blocked, format!("{} [{}]", problem.summary, problem.code))))
            }
            _ => (None, None),
        };
        let text = format!("{turn} {}: {said}", rotation.spec.kind.word());
        self.hear(Heard { step, text, request_id, failed });
    }

    fn waiting(&self, rotation: &Rotation, until: Option<Timestamp>, why: &Waiting) {
        if let Ok(mut waits) = self.waits.lock() {
            waits.insert(rotation.spec.kind.word().to_owned(), (until, why.clone()));
        }
    }
}

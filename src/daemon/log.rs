//! The daemon's lines: a message that reads alone, and fields. Texts of the outside are cleaned; no secret gets here.

use jiff::Timestamp;

use crate::error::Error;
use crate::model::Event;
use crate::model::Rotation;
use crate::rotation::Waiting;
use crate::run::Progress;
use crate::run::words;

/// Writes what the engine does into the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logged;

impl Progress for Logged {
    fn provisioned(&self, integration: &str, what: &str) {
        tracing::info!(integration, "provision: {}", clean(what));
    }

    fn committed(&self, rotation: &Rotation, event: &Event) {
        let (integration, rotation_id) = (rotation.integration.as_str(), rotation.id.to_string());
        let text = clean(&words::event(rotation, event));
        match event {
            Event::Failed { .. } | Event::Abandoned | Event::AttemptUnknown | Event::Superseded => {
                tracing::warn!(integration, rotation = rotation_id, "{text}");
            }
            _ => tracing::info!(integration, rotation = rotation_id, "{text}"),
        }
    }

    fn waiting(&self, rotation: &Rotation, until: Option<Timestamp>, why: &Waiting) {
        tracing::debug!(integration = rotation.integration.as_str(), ?until, ?why, "waits");
    }
}

/// An error on one line.
pub(super) fn line(error: &Error) -> String {
    let why = error.why.first().map_or_else(String::new, |why| format!(": {why}"));
    clean(&format!("[{}] {}{why}", error.code, error.what))
}

/// A line stays a line, whatever the far side wrote.
fn clean(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;

    #[test]
    fn a_line_stays_a_line() {
        let error = Error::new(Class::Failed, "G010", "no\nINFO all is well").why("\u{1b}[2Jx");
        assert_eq!(line(&error), "[G010] no\\nINFO all is well: \\u{1b}[2Jx");
    }
}

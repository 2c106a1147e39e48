//! The fault campaign's ledger: how deep a part goes, and the figures it found.
//!
//! A part runs in the test command in its quick form. `tests/campaign` sets `EVERKEY_CAMPAIGN` to a directory: then each
//! part goes to its full depth and leaves `NAME.json` there, from which the tables of `docs/reliability.md` are made:
//! sheets that try the same promise become one row, their figures added up.

use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

/// One part of the campaign.
pub struct Part {
    figures: Vec<Value>,
    name: String,
    promise: String,
}

impl Part {
    /// A part with this file name, that tries this promise (one line for a person).
    pub fn new(name: impl Into<String>, promise: impl Into<String>) -> Self {
        Self { figures: Vec::new(), name: name.into(), promise: promise.into() }
    }

    /// `quick` in the test command, `full` in the campaign.
    #[allow(dead_code, reason = "some parts ask before they have a ledger")]
    pub fn depth(&self, quick: usize, full: usize) -> usize {
        depth(quick, full)
    }

    /// Notes a figure under its words, in the order given.
    pub fn count(&mut self, words: &str, figure: impl Into<Value>) {
        self.figures.push(json!([words, figure.into()]));
    }

    /// Writes the ledger when the campaign asked for one; to be called after the assertions.
    pub fn done(self) {
        let Some(directory) = directory() else { return };
        let sheet = json!({
            "name": self.name, "promise": self.promise, "figures": self.figures,
        });
        std::fs::create_dir_all(&directory).expect("the campaign's directory");
        let text = serde_json::to_string_pretty(&sheet).expect("a ledger is JSON");
        std::fs::write(directory.join(format!("{}.json", self.name)), text).expect("the campaign's ledger");
    }
}

/// `quick` in the test command, `full` in the campaign.
pub fn depth(quick: usize, full: usize) -> usize {
    if directory().is_some() { full } else { quick }
}

#[expect(clippy::disallowed_methods, reason = "the campaign's script asks through the environment")]
fn directory() -> Option<PathBuf> {
    std::env::var_os("EVERKEY_CAMPAIGN").map(PathBuf::from)
}

//! Files of faults, TOML or JSON: a seed, rules in their order, standing conditions.

use std::path::Path;

use serde::Deserialize;
use serde::Serialize;

use super::Rule;
use crate::emulator::quirks::Quirks;

/// What a file of faults says.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// The dice of rules with a `chance`.
    #[serde(default)]
    pub seed: u64,
    /// The rules; the first that matches hits.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Rule>,
    /// Standing conditions.
    #[serde(default)]
    pub quirks: Option<Quirks>,
}

/// Why a file of faults cannot be followed. `Display` never repeats its source.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not there, or not readable.
    #[error("cannot read the faults in {path}")]
    Read {
        /// The file.
        path: String,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Not TOML or JSON of this shape.
    #[error("{path}:{line}: {message}")]
    Shape {
        /// The file.
        path: String,
        /// Counted from 1.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// A rule that can never do what it says.
    #[error("{path}: fault {number}: {why}")]
    Meaning {
        /// The file.
        path: String,
        /// Which rule, counted from 1.
        number: usize,
        /// What is wrong.
        why: String,
    },
}

impl FaultPlan {
    /// Reads a file; `.json` is JSON, everything else TOML.
    ///
    /// # Errors
    /// Unreadable, of another shape, or with a rule that makes no sense: then nothing of it is followed.
    pub fn read(file: &Path) -> Result<Self, PlanError> {
        let path = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|source| PlanError::Read { path: path.clone(), source })?;
        let is_json = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        let plan = if is_json { json(&path, &text) } else { toml(&path, &text) }?;
        match plan.nonsense() {
            Some((number, why)) => Err(PlanError::Meaning { path, number, why }),
            None => Ok(plan),
        }
    }

    /// The first rule that makes no sense, counted from 1, and why.
    pub fn nonsense(&self) -> Option<(usize, String)> {
        let told = |(index, rule): (usize, &Rule)| Some((index + 1, rule.nonsense()?));
        self.faults.iter().enumerate().find_map(told)
    }
}

fn json(path: &str, text: &str) -> Result<FaultPlan, PlanError> {
    serde_json::from_str(text).map_err(|error| {
        let (path, line) = (path.to_owned(), error.line());
        PlanError::Shape { path, line, message: error.to_string() }
    })
}

fn toml(path: &str, text: &str) -> Result<FaultPlan, PlanError> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let (path, line) = (path.to_owned(), before.matches('\n').count() + 1);
        PlanError::Shape { path, line, message: error.message().to_owned() }
    })
}

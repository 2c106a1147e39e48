//! What an examination of a store found.

use crate::model::SealId;

/// What an examination found.
#[derive(Clone, Debug, Default)]
pub struct Examined {
    /// What the database says is damaged; empty when nothing is.
    pub damage: Vec<String>,
    /// The first entry of the history that does not fit.
    pub broken_at: Option<u64>,
    /// Entries of the history.
    pub entries: u64,
    /// Hash of the last one.
    pub head: String,
    /// Sealed values.
    pub sealed: usize,
    /// Those that do not open.
    pub unopened: Vec<SealId>,
    /// Bytes that the store takes.
    pub bytes: u64,
}

impl Examined {
    /// Whether everything is as it should be.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.broken_at.is_none() && self.unopened.is_empty()
    }
}

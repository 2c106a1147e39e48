//! Earlier states of the directory, for reads that lag behind writes (`read_lag`).

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::Timestamp;

use super::directory::Directory;

/// States of the past, each with the instant until which it was the present.
#[derive(Debug, Default)]
pub struct History(VecDeque<(Timestamp, Arc<Directory>)>);

/// The directory as a read sees it.
pub enum View<'a> {
    /// As it is.
    Now(&'a Directory),
    /// As it was.
    Past(Arc<Directory>),
}

impl Deref for View<'_> {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        match self {
            Self::Now(directory) => directory,
            Self::Past(directory) => directory,
        }
    }
}

impl History {
    /// Keeps the state before a write at `now`, and forgets what is older than `keep`. With nothing to
    /// keep it costs nothing: no state is copied.
    pub fn record(&mut self, before: &Directory, keep: SignedDuration, now: Timestamp) {
        if keep <= SignedDuration::ZERO {
            self.0.clear();
            return;
        }
        while self.0.front().is_some_and(|(until, _)| now.duration_since(*until) > keep) {
            self.0.pop_front();
        }
        self.0.push_back((now, Arc::new(before.clone())));
    }

    /// The state at `at`; `None` when that is the present one.
    pub fn at(&self, at: Timestamp) -> Option<Arc<Directory>> {
        self.0.iter().find(|(until, _)| *until > at).map(|(_, directory)| Arc::clone(directory))
    }
}

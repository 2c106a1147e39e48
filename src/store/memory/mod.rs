//! The store in memory: for mass simulation, where thousands of worlds live and die in a second. It promises what the
//! others promise (the contract suite runs on it), but durability and encryption: it ends with its process.

mod canonical;
mod port;
mod state;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use state::State;

use crate::model::IntegrationName;

/// One handle on a store in memory; [`Memory::open`] makes another, as another process would have it.
pub struct Memory {
    handle: u64,
    instance: String,
    state: Arc<Mutex<State>>,
}

/// A store as it was at one moment: a backup.
#[derive(Clone)]
pub struct Snapshot(State);

impl Memory {
    /// A new store. `instance` is its name in every tag (rule D1): six lower-case letters or digits.
    pub fn new(instance: &str) -> Self {
        Self { handle: 1, instance: instance.to_owned(), state: Arc::new(Mutex::new(State::new())) }
    }

    /// The store that a snapshot shows, on its own.
    pub fn of(instance: &str, snapshot: &Snapshot) -> Self {
        let mut state = snapshot.0.clone();
        state.let_go();
        Self { handle: 1, instance: instance.to_owned(), state: Arc::new(Mutex::new(state)) }
    }

    /// Another handle on the same store.
    #[must_use]
    pub fn open(&self) -> Self {
        let handle = self.lock().next_handle();
        Self { handle, instance: self.instance.clone(), state: Arc::clone(&self.state) }
    }

    /// Whoever holds it has not renewed the lease: another may take it, and learns nothing of the first.
    pub fn lapse(&self) {
        self.lock().let_go();
    }

    /// All of it as it is now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.lock().clone())
    }

    /// How many rotations of `integration` are finished, and whether one is not: for whoever asks after each step of
    /// thousands of worlds.
    pub fn standing(&self, integration: &IntegrationName) -> (usize, bool) {
        let state = self.lock();
        let mine = || state.rotations.values().filter(|r| r.integration == *integration);
        (mine().filter(|r| r.is_finished()).count(), mine().any(|r| !r.is_finished()))
    }

    /// Puts an earlier state back in its place, under the feet of every handle: a restore behind everkey's back. No fence
    /// given before stands.
    pub fn put_back(&self, snapshot: &Snapshot) {
        let mut state = self.lock();
        let epoch = state.epoch();
        *state = snapshot.0.clone();
        state.let_go();
        state.beyond(epoch);
    }

    /// As `store restore` puts a backup in its place: no number that was given since is given again.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.put_back(snapshot);
        self.lock().skip_numbers(u64::from(super::SKIPPED));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave it half-written: a commit is checked first and then applied.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.lock().forget(self.handle);
    }
}

//! Counts the boundaries of a process (before and after every write of the journal and every call to the
//! outside), lets the world be looked at from outside at each, and kills the process at one of them, or asks it to
//! stop.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;

use crate::outside::Outside;

/// The boundaries of one process.
pub struct Breaker {
    fail_at: Option<usize>,
    kill_at: Option<usize>,
    killed: Notify,
    outside: Arc<Outside>,
    passed: Mutex<Vec<String>>,
    stop: Arc<AtomicBool>,
    stop_at: Option<usize>,
}

impl Breaker {
    /// Kills, asks to stop, or lets the journal fail, at the boundary of this number, counted from 1; never without
    /// one.
    pub fn new(
        outside: Arc<Outside>,
        kill_at: Option<usize>,
        stop_at: Option<usize>,
        fail_at: Option<usize>,
    ) -> Arc<Self> {
        Arc::new(Self {
            fail_at,
            kill_at,
            killed: Notify::new(),
            outside,
            passed: Mutex::default(),
            stop: Arc::default(),
            stop_at,
        })
    }

    /// What a signal sets.
    pub fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// A boundary. At the fatal one this never returns.
    pub async fn point(&self, what: &str) {
        let number = {
            let mut passed = self.passed.lock().unwrap();
            passed.push(what.to_owned());
            passed.len()
        };
        self.outside.look(what);
        if self.stop_at == Some(number) {
            self.stop.store(true, Ordering::Relaxed);
        }
        if self.kill_at == Some(number) {
            self.killed.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// A boundary of the journal; whether its disk fails here.
    pub async fn disk(&self, what: &str) -> bool {
        self.point(what).await;
        self.fail_at == Some(self.passed.lock().unwrap().len())
    }

    /// Returns once the process is dead.
    pub async fn death(&self) {
        self.killed.notified().await;
    }

    /// What stands outside.
    pub fn outside(&self) -> &Outside {
        &self.outside
    }

    /// The names of the boundaries passed so far.
    pub fn passed(&self) -> Vec<String> {
        self.passed.lock().unwrap().clone()
    }
}

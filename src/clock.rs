//! The one door to time: every other room asks a [`Clock`], so that a test, `demo` and `simulate` can
//! decide what time it is. TLS and HTTP timeouts are the exception: they use real time (see `http`).

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use jiff::SignedDuration;
use jiff::Timestamp;
use tokio::sync::watch;

/// A source of time. Everything that waits waits here.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The instant now, UTC.
    fn now(&self) -> Timestamp;

    /// Returns once [`Clock::now`] is at or after `until`; at once when it already is.
    async fn sleep_until(&self, until: Timestamp);
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        Timestamp::now()
    }

    async fn sleep_until(&self, until: Timestamp) {
        sleep_real(until.duration_since(self.now())).await;
    }
}

/// Time that only grows, and goes on while the machine sleeps: for a lease whose end another machine decides.
pub fn since_boot() -> std::time::Duration {
    #[cfg(target_os = "linux")]
    if let Ok(time) = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME) {
        return time.into();
    }
    static STARTED: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(real_instant);
    real_instant().duration_since(*STARTED)
}

#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn real_instant() -> Instant {
    Instant::now()
}

/// A clock that stands still until somebody moves it; for tests, `demo` and `simulate`.
///
/// Cloning shares the hands: all clones show the same time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    hands: Arc<watch::Sender<Timestamp>>,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self { hands: Arc::new(watch::Sender::new(start)) }
    }

    /// Moves the hands to `to` and wakes whoever waited for that instant. Never moves them backwards.
    pub fn advance_to(&self, to: Timestamp) {
        self.hands.send_if_modified(|now| {
            let moves = to > *now;
            if moves {
                *now = to;
            }
            moves
        });
    }

    /// Sets the hands to any instant, backwards too: the clock faults of the tests.
    pub fn set(&self, to: Timestamp) {
        self.hands.send_replace(to);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.hands.borrow()
    }

    async fn sleep_until(&self, until: Timestamp) {
        let mut hands = self.hands.subscribe();
        // The sender lives in `self`, so the wait can only end by reaching the instant.
        let _ = hands.wait_for(|now| *now >= until).await;
    }
}

/// A clock that runs from an instant of its own, at real rate or a multiple of it: an emulator's `--clock`, or the
/// command line beside such an emulator (it reads the emulator's time once and runs along).
#[derive(Clone, Copy, Debug)]
pub struct OffsetClock {
    anchor: Timestamp,
    rate: u32,
    since: Instant,
}

impl OffsetClock {
    /// A clock that shows `anchor` now, and `rate` seconds more in each real second (at least one).
    pub fn starting_at(anchor: Timestamp, rate: u32) -> Self {
        Self { anchor, rate: rate.max(1), since: real_instant() }
    }
}

#[async_trait]
impl Clock for OffsetClock {
    fn now(&self) -> Timestamp {
        let elapsed = self.since.elapsed().saturating_mul(self.rate);
        let elapsed = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX);
        self.anchor.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    async fn sleep_until(&self, until: Timestamp) {
        let rate = i32::try_from(self.rate).unwrap_or(i32::MAX);
        sleep_real(until.duration_since(self.now()) / rate).await;
    }
}

/// Sleeps for `wait` of real time; not at all when it is zero or negative.
async fn sleep_real(wait: SignedDuration) {
    if let Ok(wait) = std::time::Duration::try_from(wait) {
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_only_when_their_instant_is_reached() {
        let start: Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
        let clock = ManualClock::new(start);
        let due = start + SignedDuration::from_secs(60);
        let sleeper = {
            let clock = clock.clone();
            tokio::spawn(async move { clock.sleep_until(due).await })
        };
        clock.advance_to(start + SignedDuration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance_to(due);
        sleeper.await.unwrap();
        clock.advance_to(start);
        assert_eq!(clock.now(), due, "advance_to never goes back");
    }
}

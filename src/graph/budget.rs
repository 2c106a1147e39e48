//! What may still be sent after Graph has throttled once: a token bucket for each kind of call, so that everkey stays
//! below the published limits (`entra-contract.md` 4.1) instead of running into them again. Pure but for its lock.
//!
//! Until the first 429, or the first answer that says that four fifths of a limit are used, nothing is held back. From
//! then on everkey takes half of what the smallest tenant has, halved again by each 429 that comes later, and nothing
//! until `Retry-After` has passed; ten minutes without another one, and the budget is forgotten.

use std::sync::Mutex;
use std::sync::PoisonError;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::http::Request;
use crate::http::Throttle;
use crate::http::ThrottleScope;
use crate::http::retry::LONGEST_WAIT;

/// What a call counts against.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cost {
    /// A read that names `keyCredentials`: 150 a minute.
    Keys,
    /// Any other read: 3500 units in 10 s, two units each.
    Read,
    /// A change: 3000 in 150 s.
    Write,
}

impl Cost {
    /// What `request` counts against.
    pub fn of(request: &Request) -> Self {
        match request.is_read() {
            true if request.mentions("keyCredentials") => Self::Keys,
            true => Self::Read,
            false => Self::Write,
        }
    }
}

/// Calls a second that the smallest tenant's published limits allow.
const fn published(cost: Cost) -> f64 {
    match cost {
        Cost::Keys => 150.0 / 60.0,
        Cost::Read => 3500.0 / 10.0 / 2.0,
        Cost::Write => 3000.0 / 150.0,
    }
}

/// How much of it everkey takes after the first 429.
const FIRST_SHARE: f64 = 0.5;
const LEAST_SHARE: f64 = 1.0 / 64.0;
/// So long the budget lasts after the last sign of a limit.
const LASTS: SignedDuration = SignedDuration::from_mins(10);
/// One throttled moment is one sign, however many calls it hits.
const ONE_SIGN: SignedDuration = SignedDuration::from_secs(10);
/// From this part of a limit on Graph says how much of it is used.
const NEARLY: f64 = 0.8;

/// The budget of one tenant.
#[derive(Default)]
pub(super) struct Budget(Mutex<Option<State>>);

struct State {
    buckets: [Bucket; 3],
    last_sign: Timestamp,
    share: f64,
}

#[derive(Clone, Copy)]
struct Bucket {
    /// Calls that may be made now.
    calls: f64,
    filled: Timestamp,
    not_before: Timestamp,
}

impl Budget {
    /// Counts a call, or says how long it must wait.
    pub fn take(&self, cost: Cost, now: Timestamp) -> Option<SignedDuration> {
        self.look(cost, now, 1.0)
    }

    /// How long a call must wait; `None` when it may be made now.
    pub fn wait(&self, cost: Cost, now: Timestamp) -> Option<SignedDuration> {
        self.look(cost, now, 0.0)
    }

    fn look(&self, cost: Cost, now: Timestamp, taken: f64) -> Option<SignedDuration> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = guard.as_mut()?;
        if now.duration_since(state.last_sign) >= LASTS {
            *guard = None;
            return None;
        }
        let rate = published(cost) * state.share;
        let bucket = &mut state.buckets[cost as usize];
        if now < bucket.not_before {
            return Some(bucket.not_before.duration_since(now));
        }
        bucket.fill(rate, now);
        if bucket.calls >= 1.0 {
            bucket.calls -= taken;
            return None;
        }
        let missing = SignedDuration::try_from_secs_f64((1.0 - bucket.calls) / rate).unwrap_or(LONGEST_WAIT);
        // A millisecond more than computed: whoever waits exactly so long must not find a rounding error in the way.
        Some(missing.min(LONGEST_WAIT) + SignedDuration::from_millis(1))
    }

    /// Learns from an answer.
    pub fn learn(&self, status: u16, throttle: Throttle, asked: Option<SignedDuration>, now: Timestamp) {
        let is_throttled = status == 429;
        if !is_throttled && throttle.used.is_none_or(|used| used < NEARLY) {
            return;
        }
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = Bucket { calls: 0.0, filled: now, not_before: now };
        let begins = guard.is_none();
        let state = guard.get_or_insert(State { buckets: [empty; 3], last_sign: now, share: FIRST_SHARE });
        if !begins && is_throttled && now.duration_since(state.last_sign) >= ONE_SIGN {
            state.share = (state.share / 2.0).max(LEAST_SHARE);
        }
        state.last_sign = now;
        if !is_throttled {
            return;
        }
        let until = now.saturating_add(asked.unwrap_or(SignedDuration::ZERO).min(LONGEST_WAIT)).unwrap_or(now);
        for cost in [Cost::Keys, Cost::Read, Cost::Write] {
            let concerned = match throttle.scope {
                Some(ThrottleScope::Read) => cost != Cost::Write,
                Some(ThrottleScope::Write) => cost == Cost::Write,
                Some(ThrottleScope::Both) | None => true,
            };
            if concerned {
                let bucket = &mut state.buckets[cost as usize];
                bucket.not_before = bucket.not_before.max(until);
            }
        }
    }
}

impl Bucket {
    /// At most one second's worth is saved up, or one call.
    fn fill(&mut self, rate: f64, now: Timestamp) {
        let passed = now.duration_since(self.filled).as_secs_f64().max(0.0);
        self.calls = (self.calls + passed * rate).min(rate.max(1.0));
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2026-11-20T09:00:00Z".parse().unwrap()
    }

    #[test]
    fn whoever_waits_as_told_may_call() {
        for cost in [Cost::Keys, Cost::Read, Cost::Write] {
            let budget = Budget::default();
            let mut now = start();
            budget.learn(429, Throttle::default(), Some(SignedDuration::ZERO), now);
            for _ in 0..1000 {
                if let Some(wait) = budget.wait(cost, now) {
                    now += wait;
                }
                assert!(budget.take(cost, now).is_none(), "{cost:?} at {now}");
            }
        }
    }

    /// Calls that a caller who always waits as told makes within `seconds`.
    fn made(budget: &Budget, cost: Cost, from: Timestamp, seconds: i64) -> usize {
        let (mut now, mut made) = (from, 0);
        while now.duration_since(from).as_secs() < seconds {
            match budget.take(cost, now) {
                None => made += 1,
                Some(wait) => now += wait,
            }
        }
        made
    }

    #[test]
    fn nothing_is_held_back_before_the_first_sign() {
        let budget = Budget::default();
        budget.learn(200, Throttle { used: Some(0.79), scope: None }, None, start());
        budget.learn(503, Throttle::default(), Some(SignedDuration::from_secs(9)), start());
        assert!((0..100_000).all(|_| budget.take(Cost::Write, start()).is_none()));
    }

    #[test]
    fn after_a_429_every_window_stays_below_the_published_limit() {
        for (cost, window, limit) in [(Cost::Read, 10, 1750), (Cost::Write, 150, 3000), (Cost::Keys, 60, 150)] {
            let budget = Budget::default();
            budget.learn(429, Throttle::default(), None, start());
            let made = made(&budget, cost, start(), window);
            assert!(made < limit * 6 / 10, "{cost:?}: {made} of {limit}");
            assert!(made > limit * 4 / 10, "{cost:?}: {made} of {limit}");
        }
    }

    #[test]
    fn retry_after_holds_what_it_is_about_and_is_capped() {
        let secs = SignedDuration::from_secs;
        let budget = Budget::default();
        let writes = Throttle { used: None, scope: Some(ThrottleScope::Write) };
        budget.learn(429, writes, Some(secs(17)), start());
        assert_eq!(budget.take(Cost::Write, start()), Some(secs(17)));
        assert!(budget.take(Cost::Read, start() + secs(1)).is_none());
        let budget = Budget::default();
        budget.learn(429, Throttle::default(), Some(SignedDuration::MAX), start());
        assert_eq!(budget.take(Cost::Read, start()), Some(LONGEST_WAIT));
    }

    #[test]
    fn later_signs_halve_and_quiet_ends_it() {
        let budget = Budget::default();
        let mut now = start();
        budget.learn(200, Throttle { used: Some(0.85), scope: None }, None, now);
        let first = made(&budget, Cost::Write, now, 100);
        now += SignedDuration::from_secs(100);
        for _ in 0..40 {
            budget.learn(429, Throttle::default(), None, now);
        }
        let second = made(&budget, Cost::Write, now, 100);
        assert!((first / 2).abs_diff(second) < 20, "{first}, then {second}: forty at once are one sign");
        for _ in 0..20 {
            now += SignedDuration::from_secs(100);
            budget.learn(429, Throttle::default(), None, now);
        }
        assert!(made(&budget, Cost::Write, now, 100) > 20, "it never stops altogether");
        assert!(budget.take(Cost::Write, now + LASTS).is_none());
        assert!((0..1000).all(|_| budget.take(Cost::Write, now + LASTS).is_none()), "forgotten");
    }
}

//! Moves the clock: one second before and after everything that happens, the consumers check.

use jiff::SignedDuration;
use jiff::Timestamp;

use super::consumers::Consumers;
use super::recorder::Recorder;
use crate::clock::Clock as _;
use crate::clock::ManualClock;
use crate::emulator::Emulator;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Moves to just before `instant`, lets the consumers check, and moves to it.
pub(super) async fn approach(
    clock: &ManualClock,
    emulator: &Emulator,
    recorder: &Recorder,
    consumers: &mut Consumers,
    instant: Timestamp,
) {
    let before = instant - SECOND;
    if before > clock.now() {
        jump(clock, emulator, before).await;
        consumers.check(recorder, clock.now()).await;
    }
    jump(clock, emulator, instant).await;
}

/// Moves one second on and lets the consumers check.
pub(super) async fn step_past(
    clock: &ManualClock,
    emulator: &Emulator,
    recorder: &Recorder,
    consumers: &mut Consumers,
) {
    jump(clock, emulator, clock.now() + SECOND).await;
    consumers.check(recorder, clock.now()).await;
}

/// Moves the clock, once no call is in flight.
async fn jump(clock: &ManualClock, emulator: &Emulator, to: Timestamp) {
    while emulator.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    clock.advance_to(to);
}

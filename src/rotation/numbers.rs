//! The numbers of `rotation.md`, "Numbers to start with", in one place.

use jiff::SignedDuration;

/// Z: after this long no call that was sent can still land.
pub const DRAIN: SignedDuration = SignedDuration::from_mins(15);

/// Two reads this far apart count as two replicas' opinion.
pub const SETTLE: SignedDuration = SignedDuration::from_mins(5);

/// Pause between two looks at something that a read should no longer show.
pub const LOOK_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// Successes in a row that prove a credential.
pub const PROBE_SUCCESSES: u32 = 3;

/// The successes must span at least this long.
pub const PROBE_SPAN: SignedDuration = SignedDuration::from_secs(60);

/// Pause between two successes in a row.
pub const PROBE_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// Pause after a refusal within the first minute; longer after it.
pub const PROBE_RETRY: SignedDuration = SignedDuration::from_secs(5);

/// Pause after a refusal once the first minute has passed.
pub const PROBE_RETRY_LATE: SignedDuration = SignedDuration::from_secs(20);

/// Pause while Entra cannot answer for a reason that is not the credential's.
pub const PROBE_BLOCKED_RETRY: SignedDuration = SignedDuration::from_mins(30);

/// A credential that Entra has not accepted for this long is abandoned.
pub const PROBE_WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// With `--force`, an emergency waits for a proof this long after the new one was attached.
pub const FORCE_AFTER: SignedDuration = SignedDuration::from_secs(90);

/// Longest pause after failures in an emergency.
pub const EMERGENCY_BACKOFF_MAX: SignedDuration = SignedDuration::from_mins(2);

/// Safety margin around a credential's end.
pub const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// Greatest difference of the two clocks at which anything is removed.
pub const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// Ambiguous attempts that may be open at once: the fuse (I4).
pub const FUSE: usize = 3;

/// Least time between two attempts once one of them was ambiguous.
pub const AMBIGUOUS_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// The same in an emergency: once for whatever passes by itself, then longer. The fuse bounds what may lie about.
pub fn emergency_pause(unknown: usize) -> SignedDuration {
    if unknown <= 1 { BACKOFF_MIN } else { EMERGENCY_BACKOFF_MAX }
}

/// First pause after a failure; doubles up to [`BACKOFF_MAX`].
pub const BACKOFF_MIN: SignedDuration = SignedDuration::from_secs(15);

/// Longest pause after failures.
pub const BACKOFF_MAX: SignedDuration = SignedDuration::from_hours(6);

/// Client secrets that an app for personal accounts may have, all counted.
pub const CAPPED_SLOTS: usize = 2;

/// Longest `displayName` of a credential (entra-contract 2.5).
pub const DISPLAY_NAME_MAX: usize = 90;

/// Retirements allowed in a rolling day, and sweeps apart from them: at least this many, or a twentieth of the apps.
pub const REMOVALS_PER_DAY_MIN: usize = 10;

/// Pause before the `count`-th repetition of a failed step, `count` from 1.
pub fn backoff(count: u32) -> SignedDuration {
    let doubled = BACKOFF_MIN.as_secs().saturating_mul(1_i64 << count.saturating_sub(1).min(20));
    SignedDuration::from_secs(doubled.min(BACKOFF_MAX.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_maximum() {
        assert_eq!(backoff(1), BACKOFF_MIN);
        assert_eq!(backoff(2), BACKOFF_MIN * 2);
        assert_eq!(backoff(60), BACKOFF_MAX);
    }
}

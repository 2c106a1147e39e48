//! What to do when a call fails, in one table, and how long to wait before doing it again: pure, so that the caller
//! waits on its own clock.
//!
//! Changes are never repeated here or by a caller of this room: whether they may be is the engine's decision
//! (facts F1 to F4 of the rotation protocol). `docs/reference/retries.md` is this table.

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::ports::PortError;

/// How often a read is tried in all, by default.
pub const READ_TRIES: u32 = 4;
/// Longest wait between two tries of a read, whatever the far side asks for.
pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);

/// What repeating a call can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Safety {
    /// Nothing: it reads.
    Read,
    /// A second effect, or one too late.
    Write,
    /// The same effect again: what it makes exists once at most.
    Same,
    /// A sign-in: nothing, but whoever asked knows better when to ask again.
    SignIn,
}

/// What to do with a failed call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Wait as asked, or 1 s, 2 s, 4 s, and send it again.
    Again,
    /// If the error is a sign that Graph does not see yet what was made a moment ago: wait 5 s and send it again.
    AgainOnceReplicated,
    /// Tell the caller. (A token that is not accepted was renewed before that, once.)
    Tell,
}

/// The table: what may be done about `error` of a call.
pub fn action(call: Safety, error: &PortError) -> Action {
    match (call, error) {
        (Safety::SignIn | Safety::Write, _) => Action::Tell,
        (Safety::Read, PortError::Throttled { .. } | PortError::Unreachable { .. } | PortError::Unsure { .. }) => {
            Action::Again
        }
        (
            Safety::Same,
            PortError::Conflict(_) | PortError::Denied(_) | PortError::Missing(_) | PortError::Refused(_),
        ) => Action::AgainOnceReplicated,
        (
            Safety::Read,
            PortError::Conflict(_)
            | PortError::Denied(_)
            | PortError::Local(_)
            | PortError::Missing(_)
            | PortError::Refused(_),
        )
        | (
            Safety::Same,
            PortError::Local(_)
            | PortError::Throttled { .. }
            | PortError::Unreachable { .. }
            | PortError::Unsure { .. },
        ) => Action::Tell,
    }
}

/// How long to wait before sending a read again after its `tries`-th try failed with `error`; `None` when
/// repeating cannot help. Without a wish of the far side (`asked`): 1 s, 2 s, 4 s and so on.
pub fn wait_before_retry(tries: u32, error: &PortError, asked: Option<SignedDuration>) -> Option<SignedDuration> {
    if action(Safety::Read, error) != Action::Again {
        return None;
    }
    let asked = match error {
        PortError::Throttled { retry_after, .. } => retry_after.or(asked),
        _ => asked,
    };
    let backoff = SignedDuration::from_secs(1 << tries.saturating_sub(1).min(6));
    Some(asked.unwrap_or(backoff).clamp(SignedDuration::ZERO, LONGEST_WAIT))
}

/// `wait` and up to a fifth more, by the dice, so that many who were told the same do not come back together.
pub fn with_jitter(wait: SignedDuration, dice: u8) -> SignedDuration {
    wait.saturating_add(wait / (5 * 255) * i32::from(dice))
}

/// Reads `Retry-After`: seconds, decimals (seen from Graph: microsoft-graph-docs#3877), or an HTTP date, which
/// is compared with the `date` of the same answer, so that this machine's clock does not matter.
///
/// Garbage, an infinite number and a date without a `date` to compare it with give `None`.
pub fn retry_after(value: &str, date: Option<Timestamp>) -> Option<SignedDuration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return seconds
            .is_finite()
            .then(|| SignedDuration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(SignedDuration::MAX));
    }
    let until = http_date(value)?;
    Some(until.duration_since(date?).max(SignedDuration::ZERO))
}

/// Reads an HTTP date in the one form that servers may send (RFC 9110, IMF-fixdate).
pub(super) fn http_date(value: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(value.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "Fri, 20 Nov 2026 12:00:00 GMT";

    #[test]
    fn every_form_of_retry_after() {
        let noon = http_date(NOON);
        let seconds = |value| retry_after(value, noon).map(|wait| wait.as_secs_f64());
        assert_eq!(noon.unwrap().to_string(), "2026-11-20T12:00:00Z");
        assert_eq!(seconds("30"), Some(30.0));
        assert_eq!(seconds(" 0 "), Some(0.0));
        assert_eq!(seconds("2.5"), Some(2.5));
        assert_eq!(seconds("-4"), Some(0.0));
        assert_eq!(seconds("Fri, 20 Nov 2026 12:01:30 GMT"), Some(90.0));
        assert_eq!(seconds("Fri, 20 Nov 2026 11:00:00 GMT"), Some(0.0));
        assert_eq!(retry_after("Fri, 20 Nov 2026 12:01:30 GMT", None), None);
        for garbage in ["", "soon", "NaN", "inf", "1e999", "12 s", "Fri, 99 Nov 2026 12:00:00 GMT"] {
            assert_eq!(seconds(garbage), None, "{garbage}");
        }
        assert_eq!(retry_after("1e300", None), Some(SignedDuration::MAX));
    }

    #[test]
    fn jitter_only_lengthens() {
        let wait = SignedDuration::from_secs(60);
        assert_eq!((with_jitter(wait, 0), with_jitter(wait, 255).as_secs()), (wait, 71));
        assert_eq!(with_jitter(SignedDuration::ZERO, 255), SignedDuration::ZERO);
        let _ = with_jitter(SignedDuration::MAX, 255);
    }

    #[test]
    fn only_throttled_unreachable_and_unsure_are_repeated() {
        let place = || "graph.contoso.example".to_owned();
        let secs = SignedDuration::from_secs;
        let throttled = PortError::Throttled { retry_after: Some(secs(17)), request_id: None };
        assert_eq!(wait_before_retry(1, &throttled, None), Some(secs(17)));
        let huge = PortError::Throttled { retry_after: Some(SignedDuration::MAX), request_id: None };
        assert_eq!(wait_before_retry(1, &huge, None), Some(LONGEST_WAIT));
        let unreachable = PortError::Unreachable { place: place(), why: String::new() };
        let waits: Vec<_> =
            (1..=9).map(|tries| wait_before_retry(tries, &unreachable, None).unwrap().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let unsure = PortError::Unsure { place: place(), why: String::new(), request_id: None };
        assert_eq!(wait_before_retry(1, &unsure, Some(secs(5))), Some(secs(5)), "a 503 may carry Retry-After");
        for error in [
            PortError::Conflict(Default::default()),
            PortError::Denied(Default::default()),
            PortError::Local(String::new()),
            PortError::Missing(Default::default()),
            PortError::Refused(Default::default()),
        ] {
            assert_eq!(wait_before_retry(1, &error, Some(secs(5))), None, "{error:?}");
        }
    }
}

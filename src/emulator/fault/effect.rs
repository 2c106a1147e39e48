//! What a fault does: the outcomes of a call that `rotation.md` lives with (F5), and answers that no client should
//! believe.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

/// What a fault does to one request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "kind")]
pub enum Effect {
    /// The request is answered so, whatever the service would say.
    Answer {
        /// Whether it takes effect all the same.
        #[serde(default)]
        applied: bool,
        /// The body; an error of the called service when absent.
        #[serde(default)]
        body: Option<WrongBody>,
        /// The error's code.
        #[serde(default)]
        code: Option<String>,
        /// More headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// The error's message.
        #[serde(default)]
        message: Option<String>,
        /// Retry-After.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
        /// The HTTP status.
        status: u16,
    },
    /// The connection is reset now, and the request takes effect so much later: a paused gateway.
    DelayEffect {
        /// How much later, by the emulator's clock.
        seconds: u32,
    },
    /// The request takes effect, and its answer's body comes a few bytes at a time.
    Drip {
        /// How many bytes at a time.
        bytes: usize,
        /// Milliseconds, of real time, before each.
        interval_ms: u64,
    },
    /// A list's link to the next page becomes this one.
    NextLink {
        /// The link.
        to: String,
    },
    /// A page of a list is not what it should be.
    Page {
        /// In which way.
        trick: PageTrick,
    },
    /// The client is sent elsewhere.
    Redirect {
        /// Whether the request takes effect all the same.
        #[serde(default)]
        applied: bool,
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// `Location`.
        to: String,
    },
    /// The request takes effect, and the connection is reset before the answer.
    ResetAfterEffect,
    /// The connection is reset before the request does anything.
    ResetBeforeEffect,
    /// The request takes effect and gets its status, with this body instead of its own.
    Spoil {
        /// The body.
        body: WrongBody,
    },
    /// No answer ever comes.
    Stall {
        /// Whether the request takes effect all the same.
        #[serde(default)]
        applied: bool,
    },
    /// The request is answered so and does nothing.
    Status {
        /// The body; an empty Graph error when absent.
        #[serde(default)]
        body: Option<Value>,
        /// The HTTP status.
        code: u16,
        /// Retry-After in seconds.
        #[serde(default)]
        retry_after: Option<u32>,
    },
    /// The request takes effect, and its answer ends in the middle of the body.
    Truncate {
        /// In the middle of a chunk; otherwise short of its Content-Length.
        #[serde(default)]
        chunked: bool,
    },
}

/// Bodies that are none of those a client may expect.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WrongBody {
    /// `[]`.
    Array,
    /// JSON, 100,000 levels deep.
    Deep,
    /// An error message that repeats the request: its token and its body.
    Echo,
    /// Nothing.
    Empty,
    /// A page of a proxy, as `text/html`.
    Html,
    /// 40 MiB of blanks.
    Huge,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// `null`.
    Null,
    /// `{}`.
    Object,
    /// The right body, said to be `text/html`.
    WrongType,
}

/// What can be wrong with a page of a list.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageTrick {
    /// Each entry stands there twice.
    Doubled,
    /// Nothing on it, and a link to itself: legal once, a circle when repeated.
    Empty,
    /// It is said to be the last one.
    Last,
    /// Its link leads to itself, so that its entries come again: a circle when repeated.
    Repeated,
    /// Its entries come backwards: legal.
    Reversed,
}

/// `Retry-After` in whatever form: a number, any text, or `date+30` and `date-30` for an HTTP date so many seconds from
/// the emulator's present.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RetryAfter {
    /// Seconds, whole or not.
    Number(f64),
    /// Anything else.
    Text(String),
}

impl RetryAfter {
    /// The header's value at `now`.
    pub fn text(&self, now: Timestamp) -> String {
        match self {
            Self::Number(seconds) => seconds.to_string(),
            Self::Text(text) => date(text, now).unwrap_or_else(|| text.clone()),
        }
    }
}

fn date(text: &str, now: Timestamp) -> Option<String> {
    let seconds = text.strip_prefix("date")?.parse().ok()?;
    let at = now.checked_add(SignedDuration::from_secs(seconds)).ok()?;
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_retry_after_is_written() {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        for (json, text) in [
            ("5", "5"),
            ("2.5", "2.5"),
            ("-4", "-4"),
            ("1e30", "1000000000000000000000000000000"),
            ("\"soon\"", "soon"),
            ("\"date+30\"", "Fri, 20 Nov 2026 12:00:30 GMT"),
            ("\"date-30\"", "Fri, 20 Nov 2026 11:59:30 GMT"),
            ("\"date\"", "date"),
        ] {
            assert_eq!(serde_json::from_str::<RetryAfter>(json).unwrap().text(now), text, "{json}");
        }
    }
}

//! Which notice is due for whom: a pure function of credentials, ladder, acknowledgements and now.
//!
//! Every notice stands on a *rung*: an instant at which one reader hears one thing. The rungs of one
//! reader about one credential form a *track*; only the latest rung that has passed may be sent, so an
//! outage costs one mail and never a flood (`mail.md` rules 7, 8, 9, 11). What was sent is known by key.

mod after;
mod appeared;
mod build;
mod days;
mod emergency;
mod input;
mod key;
mod ladder;
mod merge;
mod rungs;
mod silence;
#[cfg(test)]
mod tests;
mod track;

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::Calendar;
use crate::model::Handoff;
use crate::model::Notice;
use crate::model::NoticeRequest;

pub use appeared::Appeared;
pub use appeared::appeared;
pub use appeared::sentence;
pub use appeared::vanished;
pub use appeared::vanished_sentence;
pub use build::operation;
pub use build::test_notice;
pub use build::welcome;
pub use days::due_date;
pub use emergency::begun as emergency_begun;
pub use emergency::handoff_ready as urgent_handoff_ready;
pub use input::AlertInput;
pub use input::Rules;
pub use input::Situation;
pub use input::Watched;
pub use key::keys_of;

/// What is due, and when something may be due next.
#[derive(Debug)]
pub struct Look {
    /// The notices due at `input.now`, each with a key that is not in `input.sent`.
    ///
    /// Whoever commits them adds the keys of each (see [`keys_of`]) to what the next look gets as `sent`.
    pub due: Vec<Notice>,
    /// When the next look may give something that this one does not give; never later than that, strictly after
    /// `input.now`, `None` when only a change of the input can bring anything. Where something is due, look again for it.
    pub next: Option<Timestamp>,
}

/// Looks at every credential at `input.now`.
pub fn look(input: &AlertInput) -> Look {
    let mut seen = BTreeSet::new();
    let mut notices = Vec::new();
    let mut next = None;
    for watched in input.watched {
        for track in ladder::tracks(input, watched) {
            next = next.into_iter().chain(track.next(input, &watched.calendar)).min();
            let Some(rung) = track.due(input, &watched.calendar) else { continue };
            // Two hand-offs of one credential share the mails that say it has stopped.
            if seen.insert(rung.key.clone()) {
                notices.push(build::notice(input, watched, &track, rung));
            }
        }
    }
    Look { due: merge::merge(notices, input.now), next }
}

/// The one mail that brings a certificate request to the owner, committed in the transaction that makes it.
pub fn request_ready(watched: &Watched, request: NoticeRequest, rules: &Rules, now: Timestamp) -> Notice {
    build::request_ready(watched, request, rules, now)
}

/// The local date of an instant, in this calendar.
pub fn local_date(calendar: &Calendar, at: Timestamp) -> Date {
    days::local_date(calendar, at)
}

/// The first mail about a hand-off, committed in the transaction of its delivery. [`due`] knows it by the same key.
pub fn handoff_ready(watched: &Watched, handoff: &Handoff, rules: &Rules, now: Timestamp) -> Notice {
    let nothing = std::collections::BTreeMap::new();
    let input = AlertInput { now, rules, watched: &[], sent: &nothing, acknowledgements: &[] };
    let track = ladder::handoff_track(&input, watched, handoff);
    let rung = ladder::ready_rung(watched, handoff);
    build::notice(&input, watched, &track, &rung)
}

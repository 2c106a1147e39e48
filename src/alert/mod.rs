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

/// The notices due at `input.now`, each with a key that is not in `input.sent`.
///
/// Whoever commits them adds the keys of each (see [`keys_of`]) to what the next call gets as `sent`.
pub fn due(input: &AlertInput) -> Vec<Notice> {
    let mut seen = BTreeSet::new();
    let mut notices = Vec::new();
    for watched in input.watched {
        for track in ladder::tracks(input, watched) {
            let Some(rung) = track.due(input, &watched.calendar) else { continue };
            // Two hand-offs of one credential share the mails that say it has stopped.
            if seen.insert(rung.key.clone()) {
                notices.push(build::notice(input, watched, &track, rung));
            }
        }
    }
    merge::merge(notices, input.now)
}

/// When [`due`] may next give something that it does not give now; never later than that, strictly after
/// `input.now`, `None` when only a change of the input can bring anything.
pub fn next_instant(input: &AlertInput) -> Option<Timestamp> {
    input
        .watched
        .iter()
        .flat_map(|watched| {
            ladder::tracks(input, watched).into_iter().filter_map(|track| track.next(input, &watched.calendar))
        })
        .min()
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

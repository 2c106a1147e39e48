//! What was called and what became of it, without secrets: with a plan of faults and its seed, a run can be repeated.

use std::collections::BTreeSet;
use std::collections::VecDeque;

use axum::http::header;
use jiff::Timestamp;
use serde::Serialize;
use url::form_urlencoded;
use uuid::Uuid;

use super::call::Call;
use super::jws::Jws;

/// Entries kept; the oldest go first.
const MOST_ENTRIES: usize = 20_000;

/// One request.
#[derive(Clone, Debug, Serialize)]
pub struct LogEntry {
    /// Counted from 1.
    pub number: u64,
    /// When it arrived.
    pub at: Timestamp,
    /// Its method.
    pub method: String,
    /// Its path, as it was sent.
    pub path: String,
    /// The `$…` options of its query.
    pub options: Vec<(String, String)>,
    /// The client id it came from, as far as it says.
    pub caller: Option<Uuid>,
    /// Its id.
    pub request_id: Uuid,
    /// Requests of the same method and path that had no answer when it came.
    pub beside: usize,
    /// The fault that hit it.
    pub fault: Option<String>,
    /// The status of the answer; none when there was no answer, or not yet.
    pub status: Option<u16>,
    /// Whether it still waits.
    pub open: bool,
}

/// The requests so far.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<LogEntry>,
    last: u64,
    /// Numbers of the entries that still wait: few, while there may be thousands of entries.
    open: BTreeSet<u64>,
}

impl Log {
    /// Notes a request; gives its number.
    pub fn note(&mut self, call: &Call, caller: Option<Uuid>, fault: Option<String>) -> u64 {
        self.last += 1;
        let same = |entry: &&LogEntry| entry.path == call.path && entry.method == call.method.as_str();
        let entry = LogEntry {
            number: self.last,
            at: call.received,
            method: call.method.to_string(),
            path: call.path.clone(),
            options: call.query_pairs().filter(|(name, _)| name.starts_with('$')).collect(),
            caller,
            request_id: call.request_id,
            beside: self.open.iter().filter_map(|number| self.entry(*number)).filter(same).count(),
            fault,
            status: None,
            open: true,
        };
        if self.entries.len() == MOST_ENTRIES {
            let oldest = self.entries.pop_front();
            oldest.map(|entry| self.open.remove(&entry.number));
        }
        self.open.insert(self.last);
        self.entries.push_back(entry);
        self.last
    }

    /// Notes the status of an answer.
    pub fn answered(&mut self, number: u64, status: u16) {
        self.with(number, |entry| entry.status = Some(status));
    }

    /// Notes that nobody waits for it any more.
    pub fn closed(&mut self, number: u64) {
        self.open.remove(&number);
        self.with(number, |entry| entry.open = false);
    }

    /// All that is kept, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &LogEntry> {
        self.entries.iter()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.open.clear();
    }

    /// Where an entry stands: numbers follow one another, and the oldest go first.
    fn place(&self, number: u64) -> Option<usize> {
        let first = self.entries.front()?.number;
        number.checked_sub(first).and_then(|place| usize::try_from(place).ok())
    }

    fn entry(&self, number: u64) -> Option<&LogEntry> {
        self.entries.get(self.place(number)?)
    }

    fn with(&mut self, number: u64, change: impl FnOnce(&mut LogEntry)) {
        if let Some(entry) = self.place(number).and_then(|place| self.entries.get_mut(place)) {
            change(entry);
        }
    }
}

/// The client id that a request names: in its token, or in the form of a token request. Nothing is verified.
pub fn caller(call: &Call) -> Option<Uuid> {
    let token = call.header(header::AUTHORIZATION).and_then(|text| text.split_once(' '));
    if let Some((_, token)) = token {
        return Jws::parse(token.trim()).ok()?.text("appid")?.parse().ok();
    }
    let is_form = call.header(header::CONTENT_TYPE)?.starts_with("application/x-www-form-urlencoded");
    let client = is_form.then(|| form_urlencoded::parse(&call.body).find(|(name, _)| name == "client_id"))??;
    client.1.parse().ok()
}

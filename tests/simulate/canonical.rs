//! When two states are the same: the journal and the outside as text, in which numbers are named in the order in which they
//! appear, and instants are told by their distance from now.
//!
//! An instant within half an hour of now is told to the second: Z, settle and the proof all are shorter. One that is further
//! away is told to ten minutes, one beyond 36 hours to the day; so states are merged that differ by less in what is
//! long over or far ahead.

use std::collections::HashMap;
use std::fmt::Debug;
use std::fmt::Write as _;
use std::hash::DefaultHasher;
use std::hash::Hasher as _;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::kinds::Kind;
use crate::schedule::Begin;
use crate::world::App;
use crate::world::Late;
use crate::world::OLDEST_READ;
use crate::world::Outside;

/// What two states have in common if and only if they are the same (but for a collision in 128 bits).
pub fn digest(state: &Begin) -> u128 {
    let text = text(state);
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        hasher.write(text.as_bytes());
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}

/// The text that is compared.
pub fn text(state: &Begin) -> String {
    let mut raw = state.snapshot.canonical();
    if state.outside.kind == Kind::Report {
        raw.push_str(&state.snapshot.sign_ins());
    }
    outside(&mut raw, &state.outside);
    Renamed::of(&raw, state.outside.now)
}

fn line(text: &mut String, of: impl Debug) {
    writeln!(text, "{of:?}").unwrap();
}

fn outside(text: &mut String, of: &Outside) {
    line(text, (of.offsets, of.exists, of.is_idle, of.excused_until, of.use_interval));
    app(text, &of.app);
    // What no read shows any more is left out.
    for (at, then) in of.past.iter().filter(|(at, _)| *at > of.now - OLDEST_READ) {
        line(text, at);
        app(text, then);
    }
    for (at, late) in &of.flying {
        match late {
            Late::Sink { place, value, generation, expects } => {
                let writes = of.places.get(place).map_or(0, |place| place.writes);
                line(text, (at, place, value, generation, expects.map(|expects| expects == writes)));
            }
            Late::AddKey(entry) => line(text, (at, &entry.key_id, &entry.thumbprint)),
            Late::Patch(body) => {
                let body: Vec<_> = body.iter().map(|entry| (&entry.key_id, &entry.thumbprint)).collect();
                line(text, (at, body));
            }
            late => line(text, (at, late)),
        }
    }
    for (name, place) in &of.places {
        line(text, (name, &place.value, place.generation));
    }
    let is_report = of.kind == Kind::Report;
    for held in &of.held {
        line(text, (&held.value, &held.by, held.until, is_report.then_some(held.since)));
    }
    for (value, one) in &of.credentials {
        let shown = of.places.values().any(|place| place.value.as_ref() == Some(value));
        if shown || of.lists(one) || of.held.iter().any(|held| held.value == *value) {
            line(text, (value, &one.id, one.end, one.known.map(|known| known.max(of.now))));
        }
    }
    line(text, (&of.foreign, &of.foreign_seen, &of.looked, &of.unsaid));
    line(text, (&of.adopted, &of.kept, &of.replacing));
    line(text, &of.forgotten);
    line(text, (&of.saved, &of.statuses, &of.intended, &of.in_hand));
    if is_report {
        line(text, &of.uses);
    }
    if of.kind == Kind::Capped {
        line(text, &of.unsure);
    }
}

fn app(text: &mut String, of: &App) {
    line(text, &of.secrets);
    for entry in &of.certificates {
        line(text, (&entry.key_id, &entry.thumbprint, entry.end, &entry.display_name));
    }
}

/// A text in which numbers and instants are told as above.
struct Renamed {
    now: Timestamp,
    /// Old names to new ones.
    names: HashMap<String, usize>,
    out: String,
}

impl Renamed {
    fn of(raw: &str, now: Timestamp) -> String {
        let mut renamed = Self { now, names: HashMap::new(), out: String::with_capacity(raw.len()) };
        let mut rest = raw;
        while let Some(first) = rest.chars().next() {
            let len = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
            rest = if len == 0 {
                renamed.out.push(first);
                &rest[first.len_utf8()..]
            } else {
                &rest[renamed.word(rest, len)..]
            };
        }
        renamed.out
    }

    /// Writes what begins with a word of `len` letters; returns how much of `rest` that was.
    fn word(&mut self, rest: &str, len: usize) -> usize {
        let (word, behind) = rest.split_at(len);
        let next = behind.bytes().next();
        match word {
            "s" | "c" | "f" | "key" | "cert" | "own" | "request" if next == Some(b'-') => {
                if let Some(took) = self.numbered(word, &behind[1..]) {
                    return len + 1 + took;
                }
            }
            "sim" if next == Some(b'~') => {
                if let Some(took) = self.numbered(word, &behind[1..]) {
                    return len + 1 + took;
                }
            }
            _ if len == 4 && next == Some(b'-') && word.starts_with('2') => {
                if let Some(end) = rest.find('Z').filter(|end| *end < 32)
                    && let Ok(at) = rest[..=end].parse::<Timestamp>()
                {
                    self.instant(at);
                    return end + 1;
                }
            }
            // A key id that everkey chose.
            _ if len == 8
                && word.bytes().all(|one| one.is_ascii_hexdigit())
                && rest.len() >= 36
                && rest.as_bytes()[23] == b'-'
                && rest.as_bytes()[18] == b'-' =>
            {
                self.name("id", &rest[..36]);
                return 36;
            }
            // A thumbprint.
            _ if len == 40 || len == 64 => {
                self.name("print", word.trim_start_matches(['0', 'F']));
                return len;
            }
            _ => {}
        }
        self.out.push_str(word);
        len
    }

    fn numbered(&mut self, prefix: &str, rest: &str) -> Option<usize> {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0).then(|| self.name(prefix, &rest[..digits]))?;
        Some(digits)
    }

    fn name(&mut self, prefix: &str, old: &str) {
        let next = self.names.len();
        let new = *self.names.entry(old.to_owned()).or_insert(next);
        write!(self.out, "{prefix}#{new}").unwrap();
    }

    fn instant(&mut self, at: Timestamp) {
        let away = at.duration_since(self.now);
        let (seconds, unit) = match away.abs() {
            near if near <= SignedDuration::from_mins(30) => (1, "s"),
            far if far <= SignedDuration::from_hours(36) => (600, "x"),
            _ => (86_400, "d"),
        };
        write!(self.out, "{}{unit}", away.as_secs().div_euclid(seconds)).unwrap();
    }
}

#[test]
fn numbers_and_instants_that_mean_the_same_are_told_the_same() {
    let told = |raw: &str, now: &str| Renamed::of(raw, now.parse().unwrap());
    let one = told("s-12 sim~12 at 2026-11-20T09:00:05Z", "2026-11-20T09:00:00Z");
    assert_eq!(one, told("s-7 sim~7 at 2027-01-20T10:00:05Z", "2027-01-20T10:00:00Z"));
    assert_eq!(one, "s#0 sim#0 at 5s");
    assert_ne!(one, told("s-7 sim~8 at 2027-01-20T10:00:05Z", "2027-01-20T10:00:00Z"));
    let print = format!("{:0>40}", 12);
    assert_eq!(told(&format!("key-12 {print}"), "2026-11-20T09:00:00Z"), "key#0 print#0");
}

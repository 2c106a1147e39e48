//! The outside of one schedule: the application as Entra has it, the sinks, the consumers, what is still in flight, and
//! the time. Everything that a decision may go wrong about is decided by the chooser.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

use everkey::model::CertificateEntry;
use everkey::model::CredentialStatus;
use everkey::model::SecretEntry;
use jiff::SignedDuration;
use jiff::Timestamp;

use crate::chooser::Chooser;
use crate::chooser::Point;
use crate::kinds::Kind;
use crate::restored::Copy;
use crate::restored::Forgotten;

pub const TENANT: &str = "8f0c1d52-0000-4000-8000-0000000031aa";
pub const CLIENT: &str = "3f0c1d52-0000-4000-8000-00000000aaaa";
pub const OBJECT: &str = "3f0c1d52-0000-4000-8000-00000000bbbb";

/// How old the oldest read may be; above it everkey's own assumption (settle) does not hold.
pub const OLDEST_READ: SignedDuration = SignedDuration::from_secs(290);

/// Credentials on the application.
#[derive(Clone, Debug, Default)]
pub struct App {
    pub secrets: Vec<SecretEntry>,
    pub certificates: Vec<CertificateEntry>,
}

/// What stands behind a value that a consumer may hold.
#[derive(Clone, Debug)]
pub struct Credential {
    /// `keyId` of a secret, thumbprint of a certificate.
    pub id: String,
    pub is_certificate: bool,
    pub end: Timestamp,
    /// From when on each front-end of the token endpoint knows it.
    pub known: [Timestamp; 2],
}

/// A write that was sent and has not landed.
#[derive(Clone, Debug)]
pub enum Late {
    AddPassword {
        name: String,
        start: Timestamp,
        end: Timestamp,
    },
    RemovePassword(String),
    AddKey(Box<CertificateEntry>),
    RemoveKey(String),
    Patch(Vec<CertificateEntry>),
    /// A sink's write: place, value, generation, and the write count that it expects where it compares.
    Sink {
        place: String,
        value: String,
        generation: u64,
        expects: Option<u64>,
    },
}

/// A place that a machine reads.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub value: Option<String>,
    pub generation: u64,
    pub writes: u64,
}

/// A value that a consumer holds.
#[derive(Clone, Debug)]
pub struct Held {
    pub value: String,
    /// Whose: the place, or the person's system.
    pub by: String,
    pub since: Timestamp,
    /// Until when; the present one has none.
    pub until: Option<Timestamp>,
}

/// How a process stopped in the middle of a cycle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    Died,
    Paused,
}

/// What one schedule came to, beside its violations.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub crashes: u64,
    pub pauses: u64,
    pub clock_jumps: u64,
    /// Earlier journals that came back.
    pub put_back: u64,
    /// Schedules that end with a rotation of an earlier journal which a lost one has overtaken.
    pub overtaken: u64,
    /// Credentials in use that were removed within the limit of earlier journals.
    pub admitted: u64,
    pub looks: u64,
    /// Entries of others that a PATCH dropped before everkey ever saw them: the one loss that the protocol admits.
    pub unseen_losses: u64,
    /// Of these: dropped late, when a cycle had seen them, and told.
    pub missed: u64,
    /// A forged tag made the journal look like an earlier one.
    pub misled: bool,
}

/// A call of addPassword that nobody answered.
#[derive(Clone, Debug)]
pub struct Unsure {
    pub sent: Timestamp,
    /// The name it gives to what it makes.
    pub name: String,
    /// When it made something after all, and under which key id.
    pub landed: Option<(Timestamp, String)>,
}

/// Everything outside of everkey.
#[derive(Clone, Debug)]
pub struct Outside {
    pub kind: Kind,
    pub chooser: Chooser,
    /// The true time, which is Graph's.
    pub now: Timestamp,
    /// How far the clock of each process is off.
    pub offsets: [SignedDuration; 3],
    pub exists: bool,
    pub app: App,
    /// The application before each change: what a stale read shows.
    pub past: Vec<(Timestamp, App)>,
    pub flying: Vec<(Timestamp, Late)>,
    pub places: BTreeMap<String, Place>,
    pub held: Vec<Held>,
    /// By value (for a certificate: the text of its key).
    pub credentials: BTreeMap<String, Credential>,
    /// Key ids and thumbprints of others.
    pub foreign: BTreeSet<String>,
    /// Of these: what everkey has recorded in a pre-image.
    pub foreign_seen: BTreeSet<String>,
    /// What the present cycle has looked at of others, and what those before it have.
    pub looking: BTreeSet<String>,
    pub looked: BTreeSet<String>,
    /// A call that was late lands.
    pub is_late: bool,
    /// What a late PATCH dropped of these, and nobody has told yet.
    pub unsaid: BTreeSet<String>,
    /// Key ids that a named person adopted.
    pub adopted: BTreeSet<String>,
    /// Values that the journal has.
    pub saved: BTreeSet<String>,
    /// Adopted ones that the present rotation replaces.
    pub replacing: BTreeSet<String>,
    /// Own key ids as the journal has them.
    pub statuses: BTreeMap<String, CredentialStatus>,
    /// Key ids whose removal the journal intends.
    pub intended: BTreeSet<String>,
    /// When each key id was last used, and under which request id.
    pub uses: BTreeMap<String, (Timestamp, Option<String>)>,
    /// How often a consumer signs in.
    pub use_interval: SignedDuration,
    /// What the person has in hand, by hand-off.
    pub in_hand: BTreeSet<String>,
    /// The person does nothing until the faults are over.
    pub is_idle: bool,
    /// What ends up to here is not held against everkey: see `absent` and `clock_wrong`.
    pub excused_until: Timestamp,
    /// Calls of addPassword that nobody answered.
    pub unsure: Vec<Unsure>,
    /// Rotation and attempt in names that somebody else forged.
    pub forged: BTreeSet<(u64, u32)>,
    /// Adoptions that were taken back before a removal was intended: somebody else's again.
    pub kept: BTreeSet<String>,
    /// What an earlier journal that came back cannot know.
    pub forgotten: Forgotten,
    /// A copy of the journal that may come back.
    pub copy: Option<Arc<Copy>>,
    pub signal: Option<Signal>,
    pub changed: bool,
    pub figures: Figures,
    pub numbers: u64,
    pub violations: Vec<String>,
    /// What happened, for the reader of a failure.
    pub story: Option<Vec<String>>,
}

impl Outside {
    pub fn new(kind: Kind, chooser: Chooser) -> Self {
        let now = "2026-11-20T09:00:00Z".parse().unwrap();
        Self {
            kind,
            chooser,
            now,
            offsets: [SignedDuration::ZERO; 3],
            exists: false,
            app: App::default(),
            past: Vec::new(),
            flying: Vec::new(),
            places: BTreeMap::new(),
            held: Vec::new(),
            credentials: BTreeMap::new(),
            foreign: BTreeSet::new(),
            foreign_seen: BTreeSet::new(),
            looking: BTreeSet::new(),
            looked: BTreeSet::new(),
            is_late: false,
            unsaid: BTreeSet::new(),
            adopted: BTreeSet::new(),
            saved: BTreeSet::new(),
            replacing: BTreeSet::new(),
            statuses: BTreeMap::new(),
            intended: BTreeSet::new(),
            uses: BTreeMap::new(),
            use_interval: SignedDuration::from_hours(60),
            in_hand: BTreeSet::new(),
            is_idle: false,
            excused_until: Timestamp::MIN,
            unsure: Vec::new(),
            forged: BTreeSet::new(),
            kept: BTreeSet::new(),
            forgotten: Forgotten::default(),
            copy: None,
            signal: None,
            changed: false,
            figures: Figures::default(),
            numbers: 0,
            violations: Vec::new(),
            story: None,
        }
    }

    /// A call of addPassword that nobody will answer is sent.
    pub fn unanswered(&mut self, name: &str) {
        self.unsure.push(Unsure { sent: self.now, name: name.to_owned(), landed: None });
    }

    /// A call of addPassword made something.
    pub fn landed(&mut self, name: &str, key_id: &str) {
        if let Some(open) = self.unsure.iter_mut().find(|one| one.name == name && one.landed.is_none()) {
            open.landed = Some((self.now, key_id.to_owned()));
        }
    }

    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{} {}", self.now, what()));
        }
    }

    /// The application is about to change: a stale read may still show it as it is.
    pub fn changing(&mut self) {
        let oldest = self.now - OLDEST_READ;
        let keep = self.past.iter().rposition(|(at, _)| *at < oldest).unwrap_or(0);
        self.past.drain(..keep);
        self.past.push((self.now, self.app.clone()));
        self.changed = true;
    }

    /// The application as a read shows it.
    pub fn read(&mut self, is_stale: bool) -> App {
        if !is_stale {
            return self.app.clone();
        }
        let ages = [20, 100, OLDEST_READ.as_secs()];
        let age = SignedDuration::from_secs(ages[self.chooser.detail(Point::HowLong, 3) as usize]);
        let then = self.now - age;
        // The state before the first change after `then`.
        self.past.iter().find(|(at, _)| *at > then).map_or_else(|| self.app.clone(), |(_, app)| app.clone())
    }

    /// When a write that is sent now lands, if it is late.
    pub fn landing(&mut self, bounded: bool) -> Timestamp {
        // Z bounds what a target that cannot compare may still do; the others may be as late as they like.
        let minutes: [i64; 5] = if bounded { [1, 3, 7, 12, 14] } else { [1, 4, 14, 90, 60 * 24 * 9] };
        self.now + SignedDuration::from_mins(minutes[self.chooser.detail(Point::HowLong, 5) as usize])
    }

    /// Sends `late`, to land at `at`.
    pub fn fly(&mut self, at: Timestamp, late: Late) {
        self.tell(|| format!("  late: {late:?} lands at {at}"));
        self.flying.push((at, late));
    }

    /// Moves the time to `to`, and does what falls due on the way.
    pub fn pass(&mut self, to: Timestamp) {
        loop {
            let landings = self.flying.iter().map(|(at, _)| *at);
            let releases = self.held.iter().filter_map(|held| held.until);
            let ends = self.held.iter().filter_map(|held| self.credentials.get(&held.value)).map(|one| one.end);
            let next = landings.chain(releases).chain(ends).filter(|at| *at > self.now).min();
            let at = next.map_or(to, |next| next.min(to));
            if at < self.now {
                return;
            }
            self.consume(at);
            self.now = at;
            self.changed = true;
            self.look("time");
            while let Some(due) = self.flying.iter().position(|(due, _)| *due <= at) {
                let (_, late) = self.flying.remove(due);
                self.tell(|| format!("  landing: {late:?}"));
                // One that is refused when it lands has nobody to tell.
                self.is_late = true;
                let _ = self.land(late);
                self.is_late = false;
                self.look("a late call landed");
            }
            self.held.retain(|held| held.until.is_none_or(|until| until > at));
            if at >= to {
                return;
            }
        }
    }

    /// Consumers sign in with what they hold, until `at`.
    fn consume(&mut self, at: Timestamp) {
        if self.kind != Kind::Report {
            return;
        }
        for held in &self.held {
            let last = at.min(held.until.unwrap_or(at));
            let Some(credential) = self.credentials.get(&held.value) else { continue };
            let uses = last.duration_since(held.since).as_secs() / self.use_interval.as_secs();
            if uses > 0 {
                let used = held.since + SignedDuration::from_secs(uses * self.use_interval.as_secs());
                let line = self.uses.entry(credential.id.clone()).or_insert((used, None));
                if used > line.0 {
                    *line = (used, None);
                }
            }
        }
    }

    /// A consumer at `by` holds `value` from now on, and what it held before for as long as it may.
    pub fn take(&mut self, by: &str, value: &str) {
        if self.held.iter().any(|held| held.by == by && held.until.is_none() && held.value == value) {
            return;
        }
        let refresh = self.kind.policy().credentials[0].consumer_refresh;
        for held in self.held.iter_mut().filter(|held| held.by == by) {
            held.until.get_or_insert(self.now + refresh);
        }
        self.held.push(Held { value: value.to_owned(), by: by.to_owned(), since: self.now, until: None });
        self.changed = true;
    }
}

/// Shared by the ports of every process.
pub struct World(Mutex<Outside>);

impl World {
    pub fn new(outside: Outside) -> Arc<Self> {
        Arc::new(Self(Mutex::new(outside)))
    }

    pub fn lock(&self) -> MutexGuard<'_, Outside> {
        self.0.lock().unwrap()
    }

    /// A boundary: the outside is looked at, and the process may die here, or be paused.
    pub async fn boundary(&self, what: &str) {
        let signal = {
            let mut outside = self.lock();
            outside.look(what);
            outside.meddle();
            let way = outside.chooser.fault(Point::Boundary, 3);
            let signal = [None, Some(Signal::Died), Some(Signal::Paused)][way as usize];
            if let Some(signal) = signal {
                outside.tell(|| format!("{signal:?} at {what}"));
                outside.signal = Some(signal);
            }
            signal
        };
        match signal {
            None => {}
            Some(Signal::Died) => std::future::pending().await,
            Some(Signal::Paused) => {
                let mut waited = false;
                std::future::poll_fn(|_| {
                    let ready = std::mem::replace(&mut waited, true);
                    if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
                })
                .await;
            }
        }
    }
}

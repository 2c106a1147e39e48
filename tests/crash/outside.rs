//! The view from outside: a consumer that knows only its sink (or what a person typed in) and may hold a value
//! for G, and everything that a call returned. Nobody tells it what everkey knows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

use everkey::clock::Clock as _;
use everkey::emulator::directory::Presented;
use everkey::emulator::directory::Verdict;
use everkey::model::AppRef;
use everkey::model::KeyId;
use everkey::pki;
use everkey::ports::CertTool as _;
use everkey::secret::Fingerprint;
use everkey::secret::Secret;
use jiff::SignedDuration;
use jiff::Timestamp;
use uuid::Uuid;

use crate::foreign;
use crate::foreign::Listed;
use crate::kinds::DIRECTORY;
use crate::kinds::JSON;
use crate::kinds::Kind;
use crate::lab::Lab;

/// G: so long a consumer may hold what it read.
const HOLDS: SignedDuration = SignedDuration::from_hours(1);

/// A value that a consumer holds.
pub struct Held {
    pub shown: Shown,
    /// What it is, for comparison.
    pub print: Fingerprint,
    /// Until when; the present one has none.
    pub until: Option<Timestamp>,
}

/// What the consumer presents.
pub enum Shown {
    Secret(Secret),
    Certificate { key: Secret, der: Vec<u8>, sha1: Vec<u8> },
}

/// A write that has no answer and lands later.
pub struct Landing {
    pub at: Timestamp,
    /// The files as it leaves them.
    pub files: Vec<(PathBuf, Vec<u8>)>,
}

/// Everything seen from outside.
#[derive(Default)]
pub struct Seen {
    pub app: Option<AppRef>,
    pub held: Vec<Held>,
    /// Credentials of somebody else.
    pub foreign: BTreeMap<String, Listed>,
    /// Secrets that reached us.
    pub received: Vec<(KeyId, Fingerprint)>,
    /// How often a consumer looked.
    pub looks: u64,
    /// What is wrong.
    pub violations: Vec<String>,
    /// The file as last read: it is parsed only when it changed.
    last: Option<Fingerprint>,
    /// How far the token endpoint lags.
    pub lag: SignedDuration,
    /// An emergency: what a consumer read earlier may be refused; never what its place shows.
    pub old_excused: bool,
    /// An emergency that accepts the outage of people: all may be refused until the new value is typed in.
    pub all_excused: bool,
    /// The sink writes without comparing.
    pub plain: bool,
    /// The next write of the sink has no answer, and lands so much later.
    pub delay: Option<SignedDuration>,
    /// A write that has not landed yet.
    pub landing: Option<Landing>,
}

/// The outside of one world; it outlives every process.
pub struct Outside {
    kind: Kind,
    lab: Arc<Lab>,
    sinks: PathBuf,
    seen: Mutex<Seen>,
    /// Somebody who acts at these instants; it is told which they are.
    actor: Mutex<Option<Actor>>,
}

/// Does something at an instant of this name.
pub type Actor = Box<dyn FnMut(&str) + Send>;

impl Outside {
    pub fn new(lab: Arc<Lab>, kind: Kind, sinks: PathBuf) -> Arc<Self> {
        Arc::new(Self { kind, lab, sinks, seen: Mutex::default(), actor: Mutex::default() })
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// The application was made: somebody else puts credentials on it at once.
    pub fn app_is(&self, app: &AppRef) {
        let mut seen = self.seen();
        if seen.app.is_none() {
            seen.app = Some(app.clone());
            seen.foreign = foreign::seed(&self.lab.emulator, app);
        }
    }

    /// Where the consumer of a secret finds it.
    pub fn place(&self) -> PathBuf {
        self.sinks.join(JSON).parent().unwrap().to_path_buf()
    }

    /// The true time.
    pub fn now(&self) -> Timestamp {
        self.lab.clock.now()
    }

    /// A secret's value reached us.
    pub fn received(&self, key_id: &KeyId, value: &Secret) {
        self.seen().received.push((key_id.clone(), value.fingerprint()));
    }

    /// A person typed a value in.
    pub fn typed(&self, value: &Secret) {
        let now = self.lab.clock.now();
        take(&mut self.seen(), Shown::Secret(value.duplicate()), value.fingerprint(), now);
    }

    /// From now on this one acts at every instant looked at.
    pub fn joins(&self, actor: Option<Actor>) {
        *self.actor.lock().unwrap() = actor;
    }

    /// The consumer reads its sink and signs in with everything it may hold now.
    pub fn look(&self, at: &str) {
        if let Some(actor) = self.actor.lock().unwrap().as_mut() {
            actor(at);
        }
        let mut seen = self.seen();
        let Some(app) = seen.app.clone() else { return };
        seen.looks += 1;
        let now = self.lab.clock.now();
        if let Some(landing) = seen.landing.take_if(|landing| landing.at <= now) {
            put(&landing.files);
        }
        if let Err(broken) = self.read(&mut seen, now) {
            seen.violations.push(format!("{now} {at}: the sink is broken: {broken}"));
        }
        seen.held.retain(|held| held.until.is_none_or(|until| until > now));
        let client: Uuid = app.client_id.as_str().parse().unwrap();
        let presented: Vec<Presented<'_>> = seen
            .held
            .iter()
            .map(|held| match &held.shown {
                Shown::Secret(secret) => Presented::Secret(secret.expose_text().unwrap()),
                Shown::Certificate { sha1, .. } => Presented::Sha1(sha1),
            })
            .collect();
        let lag = seen.lag;
        let verdicts: Vec<Verdict> = self.lab.emulator.with_directory(|directory, now| {
            presented.iter().map(|presented| directory.judge(client, *presented, lag, now)).collect()
        });
        let mut down = Vec::new();
        for (held, verdict) in seen.held.iter().zip(verdicts) {
            let excused = seen.all_excused || (seen.old_excused && held.until.is_some());
            if !excused && !matches!(verdict, Verdict::Secret(_) | Verdict::Certificate(_)) {
                let which = if held.until.is_some() { "value it may still hold" } else { "value in its sink" };
                down.push(format!("{now} {at}: ACCESS LOST, {which} is refused: {verdict:?}"));
            }
        }
        // The same loss at every later boundary says nothing new.
        if seen.violations.len() < 5 {
            seen.violations.extend(down);
        }
        let here = foreign::listed(&self.lab.emulator, &app);
        let touched = seen.foreign.iter().any(|(key_id, was)| here.get(key_id) != Some(was));
        if touched && seen.violations.len() < 5 {
            seen.violations.push(format!("{now} {at}: FOREIGN credential touched"));
        }
    }

    fn read(&self, seen: &mut Seen, now: Timestamp) -> Result<(), String> {
        let path = match self.kind {
            Kind::Secret => self.sinks.join(JSON),
            Kind::AddKey | Kind::Ca | Kind::Patch => self.sinks.join(DIRECTORY).join("app.pem"),
            Kind::Handoff => return Ok(()),
        };
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && seen.last.is_none() => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        let print = Fingerprint::of(&bytes);
        if seen.last.as_ref() == Some(&print) {
            return Ok(());
        }
        seen.last = Some(print);
        if self.kind == Kind::Secret {
            let document: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
            if document["other"] != "kept" {
                return Err("the application's own setting is gone".into());
            }
            let (id, secret) = (&document["app"]["id"], document["app"]["secret"].as_str().unwrap_or_default());
            if secret.is_empty() {
                return Ok(());
            }
            let client = seen.app.as_ref().map(|app| app.client_id.to_string());
            if id.as_str() != client.as_deref() {
                return Err(format!("client id {id}"));
            }
            let secret = Secret::from_text(secret.to_owned());
            let print = secret.fingerprint();
            take(seen, Shown::Secret(secret), print, now);
            return Ok(());
        }
        let (key, der) = pki::load_pair(&bytes, None).map_err(|error| error.to_string())?;
        let dir = self.sinks.join(DIRECTORY);
        let mut apart = std::fs::read(dir.join("app.crt")).map_err(|error| error.to_string())?;
        apart.extend(std::fs::read(dir.join("app.key")).map_err(|error| error.to_string())?);
        let (key_apart, der_apart) = pki::load_pair(&apart, None).map_err(|error| error.to_string())?;
        if der != der_apart || key.fingerprint() != key_apart.fingerprint() {
            return Err("the files do not belong together".into());
        }
        let (thumbprint, _) = pki::Tool.thumbprints(&der);
        let sha1 = hex(&thumbprint.to_string());
        let print = Fingerprint::of(&der);
        take(seen, Shown::Certificate { key, der, sha1 }, print, now);
        Ok(())
    }
}

/// Every file below a directory.
pub fn files(dir: &std::path::Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

/// Writes them again.
pub fn put(files: &[(PathBuf, Vec<u8>)]) {
    for (path, bytes) in files {
        std::fs::write(path, bytes).unwrap();
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The new value is held from now on; the ones before for G.
fn take(seen: &mut Seen, shown: Shown, print: Fingerprint, now: Timestamp) {
    if seen.held.iter().any(|held| held.until.is_none() && held.print == print) {
        return;
    }
    for held in &mut seen.held {
        held.until.get_or_insert(now + HOLDS);
    }
    seen.held.push(Held { shown, print, until: None });
}

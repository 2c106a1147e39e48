//! The consumers: each knows only its place, or what a person typed in, and may hold a value for as long as its policy
//! says. They ask the far side itself; nobody tells them what everkey knows.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::SignedDuration;
use jiff::Timestamp;
use uuid::Uuid;

use crate::emulator::Emulator;
use crate::emulator::directory::Presented;
use crate::emulator::directory::Verdict;
use crate::model::ConfirmMethod;
use crate::model::CredentialSpec;
use crate::model::FilesSpec;
use crate::model::IntegrationName;
use crate::model::JsonFileSpec;
use crate::model::PfxPassword;
use crate::model::SinkId;
use crate::model::SinkTarget;
use crate::model::SlotName;
use crate::model::ValueName;
use crate::pki;
use crate::pki::Tool;
use crate::policy::Policy;
use crate::ports::CertTool as _;
use crate::secret::Fingerprint;
use crate::secret::Secret;

use super::places::PASSWORD;
use super::places::Places;
use super::places::Shelf;

/// Where a consumer gets its value.
enum Feed {
    Files(PathBuf, FilesSpec),
    Json(PathBuf, JsonFileSpec),
    Person,
    Shelf(Arc<Shelf>),
}

/// A value that a consumer holds.
struct Held {
    print: Fingerprint,
    shown: Shown,
    /// Until when it may still be held; the present one has none.
    until: Option<Timestamp>,
}

enum Shown {
    /// SHA-1 of the certificate whose key is in hand.
    Certificate(Vec<u8>),
    Secret(Secret),
}

/// One consumer.
pub(super) struct Consumer {
    pub integration: IntegrationName,
    pub slot: SlotName,
    sink: SinkId,
    feed: Feed,
    client: Option<Uuid>,
    held: Vec<Held>,
    /// What the place looked like when it was last read: changed time, size, inode.
    seen: Option<(i64, i64, u64, u64)>,
    /// G.
    holds: SignedDuration,
    /// Whether its sign-ins are looked for in the report.
    reported: bool,
    down: bool,
    /// What its stand-in held when it was last read.
    shelved: Option<Fingerprint>,
}

/// A consumer's access changed.
pub(super) struct Change {
    pub integration: IntegrationName,
    pub slot: SlotName,
    /// What the far side said; `None` when it lets the consumer in again.
    pub refused: Option<Refused>,
}

/// Why a consumer is not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refused {
    /// What it holds has ended.
    Ended,
    /// The far side does not know it (any more).
    Unknown,
    /// A value that it may still hold after its place changed is not known any more.
    UnknownBefore,
}

/// All consumers of a cohort.
#[derive(Default)]
pub(super) struct Consumers {
    all: Vec<Consumer>,
    /// How far the token endpoint lags at worst.
    lag: SignedDuration,
    /// Instants checked, and sign-ins made.
    pub instants: u64,
    pub sign_ins: u64,
}

impl Consumers {
    /// Nobody yet; a token endpoint that lags so far at worst.
    pub(super) fn under(lag: SignedDuration) -> Self {
        Self { lag, ..Self::default() }
    }

    /// The consumers of `policy` begin to look at their places.
    pub(super) fn join(&mut self, policy: &Policy, places: &Places) {
        for spec in &policy.credentials {
            self.all.extend(spec.sinks.iter().map(|sink| {
                let feed = match &sink.target {
                    SinkTarget::Files(files) => Feed::Files(places.moved(&files.directory), files.clone()),
                    SinkTarget::JsonFile(json) => Feed::Json(places.moved(&json.path), json.clone()),
                    SinkTarget::Handoff(_) => Feed::Person,
                    SinkTarget::AzureKeyVault(_) | SinkTarget::HashicorpVault(_) | SinkTarget::Kubernetes(_) => {
                        Feed::Shelf(places.shelf(sink))
                    }
                };
                consumer(policy, spec, sink.id.clone(), feed)
            }));
        }
    }

    /// What an administrator wrote down once beside the value: the client id.
    pub(super) fn configure(&mut self, integration: &IntegrationName, client: &str) {
        for one in self.all.iter_mut().filter(|one| one.integration == *integration && one.client.is_none()) {
            one.client = client.parse().ok();
        }
    }

    /// A person typed in what a hand-off held.
    pub(super) fn typed(
        &mut self,
        (integration, slot, sink): (&IntegrationName, &SlotName, &SinkId),
        values: BTreeMap<ValueName, Secret>,
        now: Timestamp,
    ) {
        let mine = |one: &&mut Consumer| one.integration == *integration && one.slot == *slot && one.sink == *sink;
        if let (Some(one), Some(shown)) = (self.all.iter_mut().find(mine), shown(&values)) {
            one.take(shown, now);
        }
    }

    /// Who was never given anything.
    pub(super) fn without(&self) -> impl Iterator<Item = (&IntegrationName, &SlotName)> {
        self.all.iter().filter(|one| one.held.is_empty()).map(|one| (&one.integration, &one.slot))
    }

    /// Every consumer reads its place and signs in with everything that it may hold at `now`.
    pub(super) fn check(&mut self, emulator: &Emulator, now: Timestamp) -> Vec<Change> {
        self.instants += 1;
        for one in &mut self.all {
            one.read(now);
            one.held.retain(|held| held.until.is_none_or(|until| until > now));
        }
        let lag = self.lag;
        let (all, sign_ins) = (&mut self.all, &mut self.sign_ins);
        emulator.with_directory(|directory, now| {
            let mut changes = Vec::new();
            for one in all.iter_mut() {
                let Some(client) = one.client else { continue };
                let mut refused = None;
                for held in &one.held {
                    *sign_ins += 1;
                    let presented = match &held.shown {
                        Shown::Certificate(sha1) => Presented::Sha1(sha1),
                        Shown::Secret(secret) => Presented::Secret(secret.expose_text().unwrap_or_default()),
                    };
                    match directory.judge(client, presented, lag, now) {
                        verdict @ (Verdict::Certificate(_) | Verdict::Secret(_)) => {
                            if one.reported {
                                directory.record_sign_in(client, &verdict, None, Uuid::nil(), now);
                            }
                        }
                        Verdict::Expired { .. } => refused = refused.or(Some(Refused::Ended)),
                        Verdict::Federated(_) | Verdict::Unknown if held.until.is_some() => {
                            refused = Some(Refused::UnknownBefore);
                        }
                        Verdict::Federated(_) | Verdict::Unknown => refused = Some(Refused::Unknown),
                    }
                }
                if refused.is_some() != one.down {
                    one.down = refused.is_some();
                    changes.push(Change { integration: one.integration.clone(), slot: one.slot.clone(), refused });
                }
            }
            changes
        })
    }
}

fn consumer(policy: &Policy, spec: &CredentialSpec, sink: SinkId, feed: Feed) -> Consumer {
    Consumer {
        integration: policy.name.clone(),
        slot: spec.slot.clone(),
        sink,
        feed,
        client: None,
        held: Vec::new(),
        seen: None,
        holds: spec.consumer_refresh,
        reported: spec.confirm.method == ConfirmMethod::SignInReport,
        down: false,
        shelved: None,
    }
}

impl Consumer {
    /// Takes a new value; the one before may be held for G.
    fn take(&mut self, shown: Shown, now: Timestamp) {
        let print = match &shown {
            Shown::Certificate(sha1) => Fingerprint::of(sha1),
            Shown::Secret(secret) => secret.fingerprint(),
        };
        if self.held.iter().any(|held| held.until.is_none() && held.print == print) {
            return;
        }
        for held in &mut self.held {
            held.until.get_or_insert(now + self.holds);
        }
        self.held.push(Held { print, shown, until: None });
    }

    fn read(&mut self, now: Timestamp) {
        let shown = match &self.feed {
            Feed::Person => None,
            Feed::Shelf(shelf) => {
                let Some((print, values)) = shelf.read(self.shelved.as_ref()) else { return };
                self.shelved = Some(print);
                shown(&values)
            }
            Feed::Json(path, spec) => {
                let Some(seen) = changed(path, self.seen) else { return };
                self.seen = Some(seen);
                json_values(path, spec).and_then(|values| shown(&values))
            }
            Feed::Files(dir, spec) => {
                let Some(file) = names(spec).first().map(|name| dir.join(name)) else { return };
                let Some(seen) = changed(&file, self.seen) else { return };
                self.seen = Some(seen);
                pair(dir, spec)
            }
        };
        if let Some(shown) = shown {
            self.take(shown, now);
        }
    }
}

/// How a file looks now, when it is not as it was.
fn changed(path: &Path, before: Option<(i64, i64, u64, u64)>) -> Option<(i64, i64, u64, u64)> {
    let found = std::fs::metadata(path).ok()?;
    let now = (found.mtime(), found.mtime_nsec(), found.size(), found.ino());
    (before != Some(now)).then_some(now)
}

/// What `values` let a consumer present.
fn shown(values: &BTreeMap<ValueName, Secret>) -> Option<Shown> {
    if let Some(secret) = values.get(&ValueName::Secret).filter(|secret| !secret.is_empty()) {
        return Some(Shown::Secret(secret.duplicate()));
    }
    if let (Some(key), Some(certificate)) = (values.get(&ValueName::PrivateKey), values.get(&ValueName::Certificate)) {
        if certificate.expose_text().is_none() {
            // A store that keeps the certificate as it is.
            return Some(thumbprint(certificate.expose()));
        }
        let both = [certificate.expose(), b"\n", key.expose()].concat();
        return pki::load_pair(&both, None).ok().map(|(_, der)| thumbprint(&der));
    }
    let (pfx, password) = (values.get(&ValueName::Pfx)?, values.get(&ValueName::PfxPassword)?);
    let decoded = pfx.expose_text().and_then(|text| BASE64_STANDARD.decode(text.trim()).ok()).map(Secret::new);
    let pfx = decoded.as_ref().unwrap_or(pfx);
    pki::load_pair(pfx.expose(), Some(password)).ok().map(|(_, der)| thumbprint(&der))
}

fn thumbprint(der: &[u8]) -> Shown {
    let text = Tool.thumbprints(der).0.to_string();
    let sha1 = (0..text.len()).step_by(2).filter_map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok());
    Shown::Certificate(sha1.collect())
}

fn json_values(path: &Path, spec: &JsonFileSpec) -> Option<BTreeMap<ValueName, Secret>> {
    let document: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    let value = |(pointer, name): &(String, ValueName)| {
        let text = document.pointer(pointer)?.as_str()?;
        Some((*name, Secret::from_text(text.to_owned())))
    };
    Some(spec.values.iter().filter_map(value).collect())
}

/// The files of a directory, those that a consumer can sign in with first.
fn names(spec: &FilesSpec) -> Vec<&str> {
    let pem = [spec.bundle.as_deref(), spec.pem.as_deref(), spec.key.as_deref()];
    let pfx = spec.pfx.as_ref().map(|pfx| pfx.name.as_str());
    pem.into_iter().flatten().chain(pfx).collect()
}

/// Key and certificate of a directory, which must belong together.
fn pair(dir: &Path, spec: &FilesSpec) -> Option<Shown> {
    let read = |name: &str| std::fs::read(dir.join(name)).ok();
    if let Some(bundle) = &spec.bundle {
        return pki::load_pair(&read(bundle)?, None).ok().map(|(_, der)| thumbprint(&der));
    }
    if let (Some(pem), Some(key)) = (&spec.pem, &spec.key) {
        let both = Secret::new([read(pem)?, b"\n".to_vec(), read(key)?].concat());
        return pki::load_pair(both.expose(), None).ok().map(|(_, der)| thumbprint(&der));
    }
    let pfx = spec.pfx.as_ref()?;
    let password = match &pfx.password {
        PfxPassword::ReadFrom(_) => PASSWORD.to_owned(),
        PfxPassword::WrittenTo(name) => String::from_utf8(read(name)?).ok()?.trim_end().to_owned(),
    };
    let (_, der) = pki::load_pair(&read(&pfx.name)?, Some(&Secret::from_text(password))).ok()?;
    Some(thumbprint(&der))
}

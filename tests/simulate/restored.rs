//! An earlier journal in the place of the present one: what the judge still knows then, and what it does not hold against
//! everkey.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use everkey::model::CredentialStatus;
use everkey::model::IntegrationName;
use everkey::model::Outcome;
use everkey::model::Rotation;
use everkey::model::State;
use everkey::ports::Store as _;
use everkey::store::Memory;
use everkey::store::Snapshot;
use jiff::SignedDuration;

use crate::kinds::Kind;
use crate::schedule::Run;
use crate::world::Late;
use crate::world::Outside;

/// What the judge has learned from commits: as old as the journal that they went to.
#[derive(Clone, Default)]
struct Knows {
    saved: BTreeSet<String>,
    statuses: BTreeMap<String, CredentialStatus>,
    intended: BTreeSet<String>,
    replacing: BTreeSet<String>,
    adopted: BTreeSet<String>,
    kept: BTreeSet<String>,
    foreign_seen: BTreeSet<String>,
    in_hand: BTreeSet<String>,
}

/// A copy of the journal.
#[derive(Clone)]
pub struct Copy {
    snapshot: Snapshot,
    knows: Knows,
    /// Attempts between their intent and their answer: rotation and number.
    asking: BTreeSet<(u64, u32)>,
    /// A machine's sink was delivered to before: it can be read back.
    is_readable: bool,
    /// Rotations that are not finished.
    open: BTreeSet<u64>,
    /// Ambiguous calls: when each was sent.
    unsure: BTreeSet<jiff::Timestamp>,
}

/// What an earlier journal cannot know.
#[derive(Clone, Debug, Default)]
pub struct Forgotten {
    /// Key ids that a lost journal had saved, and that reached a sink or a consumer: never to be removed.
    used: BTreeSet<String>,
    /// Made before the journal came back, and unknown to it: may stay for ever.
    made: BTreeSet<String>,
    /// Names under which calls of a lost journal may still make something.
    sent: BTreeSet<String>,
    /// Of `used`: what came of an intent that the copy has without its answer, where no sink shows it.
    hidden: BTreeSet<String>,
    /// What the copy has for current.
    current: Vec<String>,
    /// Rotations that the copy has for unfinished.
    open: BTreeSet<u64>,
    /// Rotations of which the journal leaves attempts alone, up to a number, since an earlier one came back.
    alone: BTreeMap<u64, u32>,
    /// What a lost journal removed, or was about to.
    intended: BTreeSet<String>,
    /// Of `hidden`: removed, as `docs/decisions/2026-11-21-older-journals.md` admits.
    lost: BTreeSet<String>,
}

impl Forgotten {
    /// What a lost journal made is put back, under another id: the same certificate.
    pub fn came_back(&mut self, was: &str, is: &str) {
        if self.made.contains(was) {
            self.made.insert(is.to_owned());
        }
    }

    /// Whether a lost journal removed `key_id`, by its own rules.
    pub fn took(&self, key_id: &str) -> bool {
        self.intended.contains(key_id)
    }
}

/// The rotation and attempt that a name tells.
fn tag(name: &str) -> Option<(u64, u32)> {
    let tag = name.rsplit_once("[ek1 ")?.1.strip_suffix(']')?;
    let mut parts = tag.split('.').skip(1);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl Run {
    /// A copy of the journal as it is at the beginning: an empty one, where nothing is issued yet.
    pub async fn take_copy(&mut self) {
        let outside = self.setting.world.lock().clone();
        let copy = Copy::of(&self.setting.store, &outside).await;
        self.setting.world.lock().copy = Some(Arc::new(copy));
    }

    /// The copy takes the journal's place, and everkey is started again.
    pub fn put_back(&mut self, by_hand: bool) {
        let Some(copy) = self.setting.world.lock().copy.clone() else { return };
        self.processes.iter_mut().zip(&mut self.resting).for_each(|(process, rest)| {
            process.kill();
            *rest = None;
        });
        if by_hand {
            self.setting.store.put_back(&copy.snapshot);
        } else {
            self.setting.store.restore(&copy.snapshot);
        }
        self.setting.world.lock().forget(&copy, by_hand);
    }
}

impl Copy {
    /// The journal as it is now, and what the judge knows of it.
    pub async fn of(store: &Memory, outside: &Outside) -> Self {
        let rotations = store.rotations(&IntegrationName(outside.kind.name().into())).await.unwrap();
        let attempts = rotations.iter().flat_map(|r| r.attempts.iter().map(move |attempt| (r, attempt)));
        let asking = attempts.filter(|(_, attempt)| attempt.outcome == Outcome::Open);
        let delivered = |r: &Rotation| !r.deliveries.is_empty();
        Self {
            snapshot: store.snapshot(),
            knows: Knows {
                saved: outside.saved.clone(),
                statuses: outside.statuses.clone(),
                intended: outside.intended.clone(),
                replacing: outside.replacing.clone(),
                adopted: outside.adopted.clone(),
                kept: outside.kept.clone(),
                foreign_seen: outside.foreign_seen.clone(),
                in_hand: outside.in_hand.clone(),
            },
            asking: asking.map(|(r, attempt)| (r.id.0, attempt.number)).collect(),
            is_readable: !outside.places.is_empty() && rotations.iter().any(delivered),
            open: rotations.iter().filter(|r| !r.is_finished()).map(|r| r.id.0).collect(),
            unsure: outside.unsure.iter().map(|one| one.sent).collect(),
        }
    }
}

impl Outside {
    /// The journal is `copy` again. What the directory, the sinks and the consumers have is as it was: I1 is judged as ever.
    fn forget(&mut self, copy: &Copy, by_hand: bool) {
        self.figures.put_back += 1;
        self.tell(|| format!("the journal is an earlier one, {}", if by_hand { "by hand" } else { "restored" }));
        let knows = copy.knows.clone();
        let in_use =
            |status: &CredentialStatus| !matches!(status, CredentialStatus::Abandoned | CredentialStatus::Retired);
        let lost = self.statuses.iter().filter(|(id, status)| in_use(status) && !knows.statuses.contains_key(*id));
        // What was saved and reached nobody is lost with the journal: an orphan.
        let flying = self.flying.iter().filter_map(|(_, late)| match late {
            Late::Sink { value, .. } => Some(value),
            _ => None,
        });
        let shown = self.places.values().filter_map(|place| place.value.as_ref());
        let values = self.held.iter().map(|held| &held.value).chain(shown).chain(flying);
        let reached: BTreeSet<&String> = values.filter_map(|value| Some(&self.credentials.get(value)?.id)).collect();
        let lost = lost.filter(|(id, _)| self.kind.is_certificate() || reached.contains(id));
        let lost: Vec<String> = lost.map(|(id, _)| id.clone()).collect();
        let names: BTreeMap<&String, (u64, u32)> = self
            .app
            .secrets
            .iter()
            .filter_map(|entry| Some((&entry.key_id.0, tag(entry.display_name.as_deref()?)?)))
            .collect();
        // The one limit: only by hand, only the intent's own answer, and only where nothing can be read that shows it.
        if by_hand && !copy.is_readable {
            let hidden = lost.iter().filter(|id| names.get(id).is_some_and(|tag| copy.asking.contains(tag)));
            self.forgotten.hidden.extend(hidden.cloned().collect::<Vec<_>>());
        }
        let listed = self.app.secrets.iter().map(|entry| &entry.key_id.0);
        let listed = listed.chain(self.app.certificates.iter().map(|entry| &entry.key_id.0));
        // What the copy has in hand may be given up, and is left alone then.
        let is_current = |id: &String| knows.statuses.get(id) == Some(&CredentialStatus::Current);
        let made = listed.filter(|id| !is_current(id) && !self.foreign.contains(*id));
        self.forgotten.made.extend(made.cloned());
        self.forgotten.used.extend(lost);
        self.forgotten.open.extend(&copy.open);
        self.forgotten.intended.append(&mut self.intended);
        let current = knows.statuses.iter().filter(|(_, status)| **status == CredentialStatus::Current);
        self.forgotten.current = current.map(|(id, _)| id.clone()).collect();
        self.forgotten.sent.extend(self.flying.iter().filter_map(|(_, late)| match late {
            Late::AddPassword { name, .. } => Some(name.clone()),
            _ => None,
        }));
        self.unsure.retain(|one| copy.unsure.contains(&one.sent));
        self.looked.clear();
        self.unsaid.clear();
        Knows {
            saved: self.saved,
            statuses: self.statuses,
            intended: self.intended,
            replacing: self.replacing,
            adopted: self.adopted,
            kept: self.kept,
            foreign_seen: self.foreign_seen,
            in_hand: self.in_hand,
        } = knows;
    }

    /// A call of a lost journal made `key_id` after all.
    pub fn made(&mut self, name: &str, key_id: &str) {
        if self.forgotten.sent.contains(name) {
            self.forgotten.made.insert(key_id.to_owned());
        }
    }

    /// The journal leaves the attempts of a rotation alone: only one that is an earlier one may, or one that looks like it,
    /// because somebody else forged a tag (`docs/reliability.md`).
    pub fn left_alone(&mut self, attempts: Option<(u64, u32)>) {
        let is_misled = attempts.is_some_and(|attempts| self.forged.contains(&attempts));
        if self.figures.put_back > 0 || is_misled {
            self.forgotten.alone.extend(attempts);
        }
        self.figures.misled |= self.figures.put_back == 0 && is_misled;
    }

    /// Whether an earlier journal may leave `key_id` where it is.
    pub fn may_stay(&self, key_id: &str) -> bool {
        let name = self.app.secrets.iter().find(|entry| entry.key_id.0 == key_id);
        let tag = name.and_then(|entry| tag(entry.display_name.as_deref()?));
        let alone = tag.is_some_and(|(rotation, attempt)| {
            self.forgotten.alone.get(&rotation).is_some_and(|up_to| attempt <= *up_to)
        });
        alone || self.forgotten.made.contains(key_id)
    }

    /// Whether `key_id` was removed within the limit that is known.
    pub fn is_admitted(&self, key_id: &str) -> bool {
        self.forgotten.lost.contains(key_id)
    }

    /// Where both of two slots are taken after a journal was lost, the owner removes what nobody uses, as everkey asks (R020).
    pub fn given_back(&mut self) {
        if self.kind != Kind::Capped {
            return;
        }
        let used: BTreeSet<String> = self.held.iter().map(|held| held.value.replace("sim~", "s-")).collect();
        if self.app.secrets.len() > 1 && !self.forgotten.made.is_empty() {
            self.changing();
            self.app.secrets.retain(|entry| used.contains(&entry.key_id.0));
        }
    }

    /// Whether all that is open is a rotation of an earlier journal whose sink a lost journal has moved on, or one that finds
    /// both of two slots taken by what a lost journal made: it is blocked and says so, until a person acts.
    pub fn is_overtaken(&self, open: &[Rotation]) -> bool {
        let is_one = |r: &Rotation| {
            let code = r.failure.as_ref().map_or("", |failure| failure.problem.code.as_str());
            match r.state {
                State::Verified => ["G014", "S010"].contains(&code) && self.forgotten.open.contains(&r.id.0),
                State::Planned => code == "R020" && self.kind == Kind::Capped && !self.forgotten.made.is_empty(),
                _ => false,
            }
        };
        !open.is_empty() && open.iter().all(is_one)
    }

    /// The removal of `key_id` is asked for: it must be nothing that a lost journal had in use.
    pub fn removing_forgotten(&mut self, key_id: &str) {
        let known = self.statuses.contains_key(key_id) || self.intended.contains(key_id);
        if known || !self.forgotten.used.contains(key_id) {
            return;
        }
        // What was current for more than two hours, and is gone, would have shown that the journal is an older one.
        let listed = |id: &String| self.app.secrets.iter().any(|entry| entry.key_id.0 == *id);
        let ended = self.now - SignedDuration::from_hours(2);
        let is_new = |id: &String| {
            let value = id.replace("s-", "sim~");
            self.credentials.get(&value).is_some_and(|one| one.known[0] > ended)
        };
        let nothing_gone = self.forgotten.current.iter().all(|id| listed(id) || is_new(id));
        if self.forgotten.hidden.contains(key_id) && nothing_gone {
            self.figures.admitted += u64::from(self.forgotten.lost.insert(key_id.to_owned()));
        } else {
            self.wrong(format!("I5 FORGOTTEN: {key_id} was in use under a lost journal, and its removal is asked for"));
        }
    }
}

impl std::fmt::Debug for Copy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a copy with {} credentials", self.knows.statuses.len())
    }
}

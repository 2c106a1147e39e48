//! The judge: looks from outside at every instant, and shares nothing with the rules it judges. What it knows of the
//! journal are the commits that it saw go by.

use everkey::model::CertificateEntry;
use everkey::model::CredentialStatus;
use everkey::model::Rotation;
use everkey::model::State;
use everkey::ports::Commit;
use jiff::SignedDuration;

use crate::world::Late;
use crate::world::Outside;
use crate::world::Unsure;

/// Below this a rotation goes on as urgent, without a promise.
const MIN_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// What was committed, as far as the judge wants to know.
pub struct Seen {
    seals: Vec<String>,
    statuses: Vec<(String, CredentialStatus)>,
    intended: Vec<String>,
    pre_image: Vec<String>,
    /// Attempts of a rotation, up to a number, that a lost journal may have used: left alone.
    alone: Option<(u64, u32)>,
    /// What the rotation still replaces, by adoption.
    adopted: Option<Vec<String>>,
    /// What it says of credentials of others.
    said: Vec<String>,
}

impl Seen {
    pub fn of(commit: &Commit) -> Self {
        let of = |r: &Rotation| r.removals.iter().map(|removal| removal.key_id.0.clone()).collect();
        let before = |r: &Rotation| match r.state {
            State::UploadIntent => r.pre_image.iter().map(|entry| entry.key_id.0.clone()).collect(),
            _ => Vec::new(),
        };
        let text = |value: &everkey::secret::Secret| value.expose_text().unwrap_or_default().to_owned();
        let said = commit.entries.iter().filter(|entry| entry.kind == "foreign").map(|entry| entry.text.clone());
        Self {
            said: said.collect(),
            seals: commit.seal.iter().map(|item| text(&item.value)).collect(),
            statuses: commit.credentials.iter().map(|own| (own.key_id.0.clone(), own.status)).collect(),
            intended: commit.rotation.as_ref().map(of).unwrap_or_default(),
            pre_image: commit.rotation.as_ref().map(before).unwrap_or_default(),
            alone: commit.rotation.as_ref().map(|r| (r.id.0, r.forgotten)).filter(|(_, up_to)| *up_to > 0),
            adopted: commit
                .rotation
                .as_ref()
                .map(|r| r.old.iter().filter(|old| old.adopted).map(|old| old.key_id.0.clone()).collect()),
        }
    }
}

impl Outside {
    pub fn wrong(&mut self, what: String) {
        self.tell(|| format!("VIOLATION {what}"));
        // The same loss at every later instant says nothing new.
        if self.violations.len() < 5 {
            self.violations.push(format!("{} {what}", self.now));
        }
    }

    /// The journal took a commit.
    pub fn committed(&mut self, seen: Seen) {
        self.saved.extend(seen.seals);
        self.statuses.extend(seen.statuses);
        // An adoption ends as long as its removal is not intended; from then on it is somebody else's again.
        if let Some(adopted) = seen.adopted {
            let gone: Vec<String> = self.replacing.iter().filter(|id| !adopted.contains(id)).cloned().collect();
            let gone = gone.into_iter().filter(|id| !self.adopted.contains(id));
            self.kept.extend(gone.collect::<Vec<_>>());
            self.replacing = adopted.into_iter().collect();
        }
        self.left_alone(seen.alone);
        self.intended.extend(seen.intended);
        let foreign = seen.pre_image.into_iter().filter(|id| self.foreign.contains(id));
        self.foreign_seen.extend(foreign.collect::<Vec<_>>());
        self.unsaid.retain(|id| !seen.said.iter().any(|text| text.contains(id.as_str())));
    }

    /// Nobody is there for `hours`. Longer than a credential lives: nobody can keep alive what ends meanwhile, nor, without
    /// a promise, what has less than `min_life` left when somebody is there again (rotation.md, S0).
    pub fn absent(&mut self, hours: i64) {
        let to = self.now + SignedDuration::from_hours(hours);
        if hours > 24 * 300 {
            self.excused_until = self.excused_until.max(to + MIN_LIFE);
        }
        self.pass(to);
    }

    /// Whoever lives on another day lets end what should have been renewed: `doctor` says so, and nothing can prevent it. A
    /// clock that was ahead leaves its own instants in the journal, and what counts from them waits until they have come:
    /// what ends up to then is not held against everkey, and whatever ends later is.
    pub fn clocks_wrong(&mut self) {
        let wrong = self.offsets.iter().filter(|offset| offset.abs() >= SignedDuration::from_hours(24));
        if let Some(ahead) = wrong.max() {
            let shown = self.now + (*ahead).max(SignedDuration::ZERO);
            self.excused_until = self.excused_until.max(shown + MIN_LIFE);
        }
    }

    /// I1: everything that a consumer may hold is accepted.
    pub fn look(&mut self, at: &str) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        self.figures.looks += 1;
        self.clocks_wrong();
        let mut wrong = Vec::new();
        for held in &self.held {
            if let Some(why) = self.refused(&held.value, held.by == "person") {
                let still = if held.until.is_some() { "may still hold" } else { "holds" };
                wrong.push(format!("I1 ACCESS LOST at {at}: {} {still} {}, and {why}", held.by, held.value));
            }
        }
        wrong.into_iter().for_each(|what| self.wrong(what));
        self.lapse();
    }

    /// However long nobody confirms anything, there is always one that has not ended.
    fn lapse(&mut self) {
        // What was lost in the one way that is admitted may have been the last.
        if self.figures.admitted > 0 {
            return;
        }
        let own = self.app.secrets.iter().filter(|entry| !self.foreign.contains(&entry.key_id.0));
        let last = own.map(|entry| entry.end).max();
        if let Some(last) = last.filter(|last| *last <= self.now && *last > self.excused_until) {
            self.wrong(format!("I1 LAPSE: the last of our secrets ended on {last}, and no other was made"));
        }
    }

    /// Why the token endpoint would refuse `value`; `None` when it would not.
    fn refused(&self, value: &str, by_person: bool) -> Option<String> {
        let Some(one) = self.credentials.get(value) else { return Some("nobody knows it".into()) };
        // What a person never changed ends by itself: told as STOPPED, no fault of the protocol.
        if one.end <= self.now {
            return (!by_person && one.end > self.excused_until).then(|| format!("it ended on {}", one.end));
        }
        if !self.lists(one) {
            if self.is_admitted(&one.id) {
                return None;
            }
            return Some("it is not on the application".into());
        }
        let late = one.known.iter().max().filter(|known| **known > self.now);
        late.map(|known| format!("the token endpoint knows it from {known} on"))
    }

    /// Whether the application has it.
    pub fn lists(&self, one: &crate::world::Credential) -> bool {
        if one.is_certificate {
            let same = |thumbprint: &Option<everkey::model::Thumbprint>| {
                thumbprint.as_ref().is_some_and(|thumbprint| thumbprint.0 == one.id)
            };
            self.app.certificates.iter().any(|entry| same(&entry.thumbprint))
        } else {
            self.app.secrets.iter().any(|entry| entry.key_id.0 == one.id)
        }
    }

    /// I3: a value is about to be written into a sink.
    pub fn delivering(&mut self, place: &str, value: &str) {
        if !self.saved.contains(value) {
            self.wrong(format!("I3 not saved: {value} is written to {place} before the journal has it"));
        }
    }

    /// I4: another attempt is about to be made.
    pub fn adding(&mut self) {
        let unsaved = self.app.secrets.iter().filter(|entry| {
            !self.foreign.contains(&entry.key_id.0)
                && !self.may_stay(&entry.key_id.0)
                && !self.statuses.contains_key(&entry.key_id.0)
        });
        let orphans = unsaved.count();
        if self.kind == crate::kinds::Kind::Capped {
            self.adding_capped();
        }
        if orphans > 3 {
            self.wrong(format!("I4 fuse: {orphans} secrets that nobody has are there, and another is asked for"));
        }
    }

    /// Capped audiences: an attempt whose fate is not known takes a slot until two reads after Z say that it does not.
    fn adding_capped(&mut self) {
        let z = jiff::SignedDuration::from_mins(15);
        let still = |one: &&Unsure| match &one.landed {
            // What lands later than Z is no concern of the rule.
            Some((landed, id)) => {
                let there = self.app.secrets.iter().any(|entry| entry.key_id.0 == *id);
                there && !self.adopted.contains(id) && landed.duration_since(one.sent) < z
            }
            None => self.now.duration_since(one.sent) < z,
        };
        let open = self.unsure.iter().find(still).cloned();
        let by_clock = self.offsets.iter().all(|offset| offset.is_zero());
        if let Some(open) = open.filter(|_| by_clock) {
            self.wrong(format!("CAPPED: another secret is asked for while the fate of {open:?} is not known"));
        }
    }

    /// Somebody adopted `id`, or took that back.
    pub fn adoption(&mut self, id: String, back: bool) {
        // What is being removed already, as an orphan, goes all the same: nobody had its value.
        let is_going = |late: &Late| matches!(late, Late::RemovePassword(gone) | Late::RemoveKey(gone) if *gone == id);
        if back {
            self.adopted.remove(&id);
        } else {
            if !self.flying.iter().any(|(_, late)| is_going(late)) {
                self.foreign.insert(id.clone());
            }
            self.adopted.insert(id);
        }
    }

    /// A removal lands. What somebody took back in time is not to be touched, however late a call was sent.
    pub fn removed(&mut self, key_id: &str) {
        if self.kept.contains(key_id) && self.app.secrets.iter().any(|entry| entry.key_id.0 == key_id) {
            self.wrong(format!("I5 FOREIGN: {key_id} was taken back in time, and is removed"));
        }
    }

    /// I2 and I5: `key_id` is about to be removed.
    pub fn removing(&mut self, key_id: &str) {
        let intended = self.intended.contains(key_id);
        if self.foreign.contains(key_id) && !intended {
            self.wrong(format!("I5 FOREIGN: {key_id} is somebody else's, and its removal is asked for"));
            return;
        }
        self.removing_forgotten(key_id);
        let given_up = self.statuses.get(key_id).is_none_or(|status| *status == CredentialStatus::Abandoned);
        let gone = self.statuses.get(key_id) == Some(&CredentialStatus::Retired);
        if !intended && !given_up && !gone {
            self.wrong(format!(
                "I2 unguarded: the removal of {key_id} is asked for, and the journal never intended it"
            ));
        }
    }

    /// A cycle reads what the application shows.
    pub fn looks_at(&mut self, certificates: &[CertificateEntry]) {
        let foreign = certificates.iter().map(|entry| &entry.key_id.0).filter(|id| self.foreign.contains(*id));
        self.looking.extend(foreign.cloned().collect::<Vec<_>>());
    }

    /// A cycle is over. What it saw while a PATCH can still land late it must miss later; one that was cut off need not.
    pub fn has_looked(&mut self, is_whole: bool) {
        let mut seen = std::mem::take(&mut self.looking);
        if !self.flying.iter().any(|(_, late)| matches!(late, Late::Patch(_))) {
            self.looked.clear();
        } else if is_whole {
            self.looked.append(&mut seen);
        }
    }

    /// What a PATCH leaves out.
    pub fn replaced(&mut self, left_out: &[String]) {
        for key_id in left_out.iter().filter(|id| self.foreign.contains(*id)).cloned().collect::<Vec<_>>() {
            if !self.foreign_seen.contains(&key_id) {
                self.figures.unseen_losses += 1;
                self.foreign.remove(&key_id);
                // One that a cycle looked at while the PATCH was under way is missed when it can land no more.
                if self.is_late && self.looked.contains(&key_id) {
                    self.figures.missed += 1;
                    self.unsaid.insert(key_id);
                }
            }
        }
    }

    /// At the end: somebody else's entries are as they were, and own ones are exactly the current ones.
    pub fn settled(&mut self, current: &[String], slots: usize) {
        for lost in std::mem::take(&mut self.unsaid) {
            self.wrong(format!("I5 FOREIGN: a late PATCH dropped {lost}, everkey had seen it, and nobody was told"));
        }
        let listed: Vec<String> = self
            .app
            .secrets
            .iter()
            .map(|entry| entry.key_id.0.clone())
            .chain(self.app.certificates.iter().map(|entry| entry.key_id.0.clone()))
            .collect();
        for lost in self.foreign.iter().filter(|id| !listed.contains(id)).cloned().collect::<Vec<_>>() {
            if !self.intended.contains(&lost) && !self.forgotten.took(&lost) {
                self.wrong(format!("I5 FOREIGN: {lost} is gone"));
            }
        }
        // A value that was replaced before anybody confirmed it leaves with the next rotation, where all leave at their ends.
        let carried = |id: &String| {
            self.kind == crate::kinds::Kind::Handoff && self.statuses.get(id) == Some(&CredentialStatus::Old)
        };
        let own = listed.iter().filter(|id| {
            let stays = self.may_stay(id) && !current.contains(id);
            !self.foreign.contains(*id) && !carried(id) && !stays
        });
        let own: Vec<&String> = own.collect();
        if current.len() != slots || own.iter().any(|id| !current.contains(id)) || own.len() != slots {
            self.wrong(format!("I8 orphans or losses: the application has {own:?} of ours, the journal {current:?}"));
        }
        let stale: Vec<String> = self
            .places
            .iter()
            .filter(|(_, place)| {
                let shown = place.value.as_ref().and_then(|value| self.credentials.get(value));
                !shown.is_some_and(|one| self.lists(one))
            })
            .map(|(name, place)| format!("{name} shows {:?}", place.value))
            .collect();
        if !stale.is_empty() {
            self.wrong(format!("I8 sinks: {}", stale.join(", ")));
        }
    }
}

//! Somebody else works on the same application while everkey rotates: adds certificates and secrets, and takes own ones
//! away, at any instant between two of everkey's calls. With addKey and removeKey nobody loses anything. A PATCH replaces
//! the whole list: what was added between everkey's reading and its PATCH, everkey never saw, and no client could keep it.

use std::sync::Arc;
use std::sync::Mutex;

use everkey::clock::Clock as _;
use everkey::emulator::directory::NewPassword;
use everkey::rotation::Mutation;
use everkey::rotation::Rules;
use everkey::secret::Fingerprint;
use jiff::SignedDuration;
use uuid::Uuid;

use crate::campaign::ROTATIONS_PER_WORLD;
use crate::campaign::issued;
use crate::campaign_ledger;
use crate::campaign_ledger::Part;
use crate::faults::Dice;
use crate::faults::settle;
use crate::foreign;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::process::Process;
use crate::world::World;

/// Instants of a rotation, about.
const INSTANTS: usize = 170;

/// A credential that the admin added.
struct Added {
    key_id: String,
    /// A read of everkey's began after it was added.
    reading: bool,
    /// That read ended, and it was there.
    seen: bool,
}

/// What somebody took away themselves.
struct Removed {
    key_id: String,
    content: Fingerprint,
    /// A read of everkey's began after that.
    reading: bool,
    /// Before any read a PATCH began, which puts it back: no client can know.
    unknowable: bool,
}

/// Somebody with the portal open.
struct Admin {
    lab: Arc<Lab>,
    app: everkey::model::AppRef,
    dice: Dice,
    acts: Vec<usize>,
    instants: usize,
    added: Vec<Added>,
    /// Of those that everkey's PATCH took: never read by it, and read.
    lost_unseen: usize,
    lost_seen: Vec<String>,
    removed: Vec<Removed>,
    edits: usize,
}

impl Admin {
    fn at(&mut self, what: &str) {
        let here = foreign::listed(&self.lab.emulator, &self.app);
        let (lost, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.added).into_iter().partition(|one| !here.contains_key(&one.key_id));
        self.added = kept;
        for one in lost {
            if one.seen {
                self.lost_seen.push(format!("{what}: {}", one.key_id));
            } else {
                self.lost_unseen += 1;
            }
        }
        let is_read = ["application", "key_credentials"].iter().any(|call| what.ends_with(&format!(" {call}")));
        for one in &mut self.added {
            one.seen |= is_read && what.starts_with("after") && one.reading;
            one.reading |= is_read && what.starts_with("before");
        }
        for one in &mut self.removed {
            one.reading |= is_read && what.starts_with("before");
            one.unknowable |= !one.reading && what == "before replace_keys";
        }
        self.instants += 1;
        if self.acts.contains(&self.instants) {
            self.act();
        }
    }

    fn act(&mut self) {
        self.edits += 1;
        let id: Uuid = self.app.object_id.as_str().parse().unwrap();
        let choice = self.dice.below(4);
        if choice == 0 && !self.added.is_empty() {
            let one = self.added.remove(self.dice.below(self.added.len()));
            let key_id: Uuid = one.key_id.parse().unwrap();
            let content = foreign::listed(&self.lab.emulator, &self.app)[&one.key_id].content.clone();
            self.removed.push(Removed { key_id: one.key_id, content, reading: false, unknowable: false });
            self.lab.emulator.with_directory(|directory, now| {
                let removed = directory.remove_key(id, key_id, now);
                removed.or_else(|_| directory.remove_password(id, key_id, now)).unwrap();
            });
            return;
        }
        let before = foreign::listed(&self.lab.emulator, &self.app);
        self.lab.emulator.with_directory(|directory, now| {
            if choice == 1 {
                let name = Some("by hand".to_owned());
                let new = NewPassword { display_name: name, end_date_time: None, start_date_time: None };
                directory.add_password(id, new, now).unwrap();
            } else {
                directory.add_key(id, &foreign::certificate(now), now).unwrap();
            }
        });
        let after = foreign::listed(&self.lab.emulator, &self.app);
        let key_id = after.into_keys().find(|key_id| !before.contains_key(key_id)).unwrap();
        self.added.push(Added { key_id, reading: false, seen: false });
    }
}

/// What came of many trials.
#[derive(Default)]
struct Tally {
    edits: usize,
    lost_seen: Vec<String>,
    lost_unseen: usize,
    /// Taken away by themselves, put back by everkey's PATCH, and said so.
    put_back: usize,
    /// Put back by a PATCH that began before everkey could know.
    back_unseen: usize,
    own: Vec<String>,
}

/// One rotation with a few edits of somebody else.
async fn trial(world: &World, dice: &mut Dice, wanted: usize, rules: Rules, tally: &mut Tally) {
    let acts = (0..1 + dice.below(3)).map(|_| 1 + dice.below(INSTANTS)).collect();
    let admin = Arc::new(Mutex::new(Admin {
        lab: Arc::clone(&world.lab),
        app: world.app(),
        dice: Dice(1 + dice.below(usize::MAX / 2) as u64),
        acts,
        instants: 0,
        added: Vec::new(),
        lost_unseen: 0,
        lost_seen: Vec::new(),
        removed: Vec::new(),
        edits: 0,
    }));
    let actor = Arc::clone(&admin);
    world.outside.joins(Some(Box::new(move |what| actor.lock().unwrap().at(what))));
    world.recover(rules, wanted).await;
    settle(world).await;
    world.outside.joins(None);
    let removed = std::mem::take(&mut admin.lock().unwrap().removed);
    put_back(world, &removed, tally).await;
    let mut admin = admin.lock().unwrap();
    let here = foreign::listed(&world.lab.emulator, &world.app());
    // What is still there has been read by now: it must stay for ever, like what was seeded.
    for one in &admin.added {
        world.outside.seen().foreign.insert(one.key_id.clone(), here[&one.key_id].clone());
    }
    tally.edits += admin.edits;
    tally.lost_unseen += admin.lost_unseen;
    tally.lost_seen.append(&mut admin.lost_seen);
}

/// What somebody took away while everkey's PATCH was under way may come back: then the history names it.
async fn put_back(world: &World, removed: &[Removed], tally: &mut Tally) {
    let process = Process::start(world, None, Rules::default()).await;
    let history = process.store.history(None).await.unwrap();
    let said = |key_id: &str| history.iter().any(|one| one.entry.kind == "foreign" && one.entry.text.contains(key_id));
    for (key_id, listed) in foreign::listed(&world.lab.emulator, &world.app()) {
        let Some(was) = removed.iter().find(|one| one.content == listed.content) else { continue };
        if world.kind == Kind::Patch && (said(&was.key_id) || was.unknowable) {
            tally.put_back += usize::from(!was.unknowable);
            tally.back_unseen += usize::from(was.unknowable);
            world.outside.seen().foreign.insert(key_id, listed);
        } else {
            tally.own.push(format!("{} was taken away by its owner, and put back", was.key_id));
        }
    }
}

async fn trials(kind: Kind, rules: Rules, count: usize) -> Tally {
    let lab = Lab::start().await;
    let mut dice = Dice(0x5eed_5000 + kind as u64);
    let mut world = issued(&lab, kind).await;
    let (mut tally, mut done) = (Tally::default(), 1);
    for _ in 0..count {
        if done > ROTATIONS_PER_WORLD {
            world = issued(&lab, kind).await;
            done = 1;
        }
        done += 1;
        trial(&world, &mut dice, done, rules, &mut tally).await;
        tally.own.append(&mut world.verdict().await);
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
        if tally.own.len() > 20 {
            break;
        }
    }
    tally
}

fn close(kind: Kind, trials: usize, tally: &Tally) {
    let how = if kind == Kind::AddKey { "addKey and removeKey" } else { "PATCH" };
    let mut part = Part::new(
        format!("admins-{}", kind.name()),
        format!("somebody else edits the application during a rotation by {how}"),
    );
    part.count("rotations", trials);
    part.count("edits by somebody else", tally.edits);
    part.count("losses of theirs between everkey's reading and its PATCH", tally.lost_unseen);
    part.count("entries that they took away under everkey's PATCH, put back and said", tally.put_back);
    part.count(
        "entries that they took away between everkey's reading and its PATCH, which came back",
        tally.back_unseen,
    );
    part.done();
}

#[tokio::test]
async fn with_add_key_nobody_loses_anything() {
    let count = campaign_ledger::depth(12, 1000);
    let tally = trials(Kind::AddKey, Rules::default(), count).await;
    assert!(tally.own.is_empty() && tally.lost_seen.is_empty(), "{:#?} {:#?}", tally.own, tally.lost_seen);
    assert_eq!((tally.lost_unseen, tally.put_back, tally.back_unseen), (0, 0, 0));
    assert!(tally.edits >= count / 2, "{}", tally.edits);
    close(Kind::AddKey, count, &tally);
}

#[tokio::test]
async fn with_patch_only_what_nobody_could_have_read_is_lost() {
    let count = campaign_ledger::depth(12, 1000);
    let tally = trials(Kind::Patch, Rules::default(), count).await;
    assert!(tally.own.is_empty() && tally.lost_seen.is_empty(), "{:#?} {:#?}", tally.own, tally.lost_seen);
    assert!(tally.edits >= count / 2, "{}", tally.edits);
    close(Kind::Patch, count, &tally);
}

/// The trials see what they look for.
#[tokio::test]
async fn sweeping_what_is_not_ours_shows() {
    let tally = trials(Kind::AddKey, Rules::without(Mutation::SweepForeign), 4).await;
    assert!(!tally.own.is_empty() || !tally.lost_seen.is_empty());
}

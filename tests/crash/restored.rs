//! The journal of an earlier step comes back: a copy is taken at every commit of a rotation, the rotation goes on, and
//! then the copy takes the store's place, by `store restore` or by hand. What the lost journal made and delivered is in
//! use: it is never removed.

use std::fs;
use std::path::Path;

use everkey::clock::Clock as _;
use everkey::model::State;
use everkey::rotation::Rules;
use everkey::secret::Secret;
use everkey::store;
use everkey::store::Restoring;
use everkey::store::SealKey;
use jiff::SignedDuration;

use crate::campaign::issued;
use crate::campaign_ledger;
use crate::campaign_ledger::Part;
use crate::faults::settle;
use crate::foreign;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::process::Process;
use crate::world::Ended;
use crate::world::SEAL_KEY;
use crate::world::World;

/// How the copy comes back.
#[derive(Clone, Copy, Debug)]
enum By {
    /// `everkey store restore`, which knows that it restores.
    Restore,
    /// `cp`, a snapshot of the machine, a tool of the database server: everkey finds an older journal, and no word of it.
    Hand,
}

/// When it does.
#[derive(Clone, Copy, Debug)]
enum When {
    /// The new credential is in use, and the old one there still.
    Overlap,
    /// The rotation was over, and the old one gone.
    Done,
}

fn copy(from: &Path, to: &Path) {
    for end in ["", "-wal", "-shm"] {
        let name = |path: &Path| format!("{}{end}", path.display());
        let _ = fs::remove_file(name(to));
        if Path::new(&name(from)).exists() {
            fs::copy(name(from), name(to)).unwrap();
        }
    }
}

async fn put_back(world: &World, by: By) {
    let (backup, own) = (world.dir.path().join("backup.db"), world.dir.path().join("everkey.db"));
    match by {
        By::Hand => copy(&backup, &own),
        By::Restore => {
            let key = || SealKey::read(Secret::from_text(SEAL_KEY.to_owned()));
            let (actor, holder, now) = ("root", "a test", world.clock.now());
            let restoring = Restoring { from: &backup, to: &own, key: &key, force: true, actor, holder, now };
            store::restore(restoring).await.unwrap();
        }
    }
}

/// Goes on until the new credential is confirmed, and waits for its overlap.
async fn until_confirmed(world: &World) {
    let process = Process::start(world, None, Rules::default()).await;
    for _ in 0..200 {
        let open = process.store.unfinished().await.unwrap();
        if open.iter().any(|rotation| rotation.state == State::Confirmed) {
            return;
        }
        let asked = if open.is_empty() { vec![world.name()] } else { Vec::new() };
        let due = process.step(&asked).await.unwrap();
        if let Some(due) = due {
            world.jump(due.max(world.clock.now() + SignedDuration::from_secs(1)));
        }
    }
    panic!("never confirmed");
}

/// Key id that a consumer's value in its sink has in the journal.
async fn in_use(world: &World) -> String {
    let rotation = world.rotations().await.pop().unwrap();
    rotation.fresh.unwrap().key_id.0
}

/// Whether the journal has this credential as its own.
async fn knows(world: &World, key_id: &str) -> bool {
    let process = Process::start(world, None, Rules::default()).await;
    process.store.credentials(None).await.unwrap().iter().any(|own| own.key_id.0 == key_id)
}

/// What happened with the copy of one step.
struct Came {
    violations: Vec<String>,
    /// The journal knew the credential in use.
    known: bool,
    looks: u64,
}

/// The copy taken after boundary `point` comes back.
async fn step(kind: Kind, point: usize, by: By, when: When, rules: Rules) -> Came {
    let lab = Lab::start().await;
    let world = issued(&lab, kind).await;
    assert_eq!(world.live(Some(point), Rules::default(), 2).await.0, Ended::Died);
    copy(&world.dir.path().join("everkey.db"), &world.dir.path().join("backup.db"));
    match when {
        When::Overlap => until_confirmed(&world).await,
        When::Done => world.recover(Rules::default(), 2).await,
    }
    let used = in_use(&world).await;
    put_back(&world, by).await;
    let known = knows(&world, &used).await;
    let mut violations = Vec::new();
    for _ in 0..3 {
        world.visit_under(rules).await;
        settle(&world).await;
    }
    if !foreign::listed(&lab.emulator, &world.app()).contains_key(&used) {
        violations.push("what is in use was removed".to_owned());
    }
    // Whatever the journal had under way ends, and a rotation that somebody asks for after it.
    for wanted in [2, 3] {
        let mut lives = 0;
        while world.live(None, rules, wanted).await.0 != Ended::Converged {
            lives += 1;
            if lives > 3 {
                violations.push(format!("NOT CONVERGED: rotation {wanted}"));
                break;
            }
            world.jump(world.clock.now() + SignedDuration::from_hours(8));
        }
        settle(&world).await;
    }
    let others = foreign::listed(&lab.emulator, &world.app());
    // A certificate whose key the copy held is found again, and leaves as the old one of a later rotation.
    if !knows(&world, &used).await && !others.contains_key(&used) {
        violations.push("what the journal never knew was removed".to_owned());
    }
    violations.extend(std::mem::take(&mut world.outside.seen().violations));
    let looks = world.outside.seen().looks;
    Came { violations, known, looks }
}

/// The boundaries after each commit of a rotation that nobody disturbs.
async fn commits(kind: Kind) -> Vec<(usize, String)> {
    let lab = Lab::start().await;
    let world = issued(&lab, kind).await;
    let (_, passed) = world.live(None, Rules::default(), 2).await;
    let points = passed.into_iter().enumerate().map(|(at, what)| (at + 1, what));
    points.filter(|(_, what)| what.starts_with("after commit") || what == "after next_rotation").collect()
}

async fn every_step(kind: Kind, by: By) {
    let steps = commits(kind).await;
    assert!(steps.len() > 12, "{steps:?}");
    let every = campaign_ledger::depth(4, 1);
    let (mut tried, mut known, mut looks, mut wrong) = (0, 0, 0, Vec::new());
    for (at, (point, what)) in steps.iter().enumerate().filter(|(at, _)| (at + kind as usize).is_multiple_of(every)) {
        for when in [When::Overlap, When::Done] {
            let came = step(kind, *point, by, when, Rules::default()).await;
            wrong.extend(came.violations.iter().map(|one| format!("{kind:?} {by:?} {when:?} {at} {what}: {one}")));
            tried += 1;
            known += usize::from(came.known);
            looks += came.looks;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let words = match by {
        By::Restore => "`everkey store restore`",
        By::Hand => "by hand (`cp`, a snapshot)",
    };
    let promise = format!("{kind:?}: the journal of an earlier step comes back, {words}");
    let mut part = Part::new(format!("restored-{}-{by:?}", kind.name()), promise);
    part.count("earlier steps", tried);
    part.count("in which the journal knew the credential in use", known);
    part.count("in which it did not, and left it alone", tried - known);
    part.count("looks from outside", looks);
    part.done();
}

#[tokio::test]
async fn a_secret_survives_a_restore_of_every_step() {
    every_step(Kind::Secret, By::Restore).await;
}

#[tokio::test]
async fn a_certificate_by_add_key_survives_a_restore_of_every_step() {
    every_step(Kind::AddKey, By::Restore).await;
}

#[tokio::test]
async fn a_certificate_by_patch_survives_a_restore_of_every_step() {
    every_step(Kind::Patch, By::Restore).await;
}

#[tokio::test]
async fn a_secret_survives_an_older_journal() {
    every_step(Kind::Secret, By::Hand).await;
}

#[tokio::test]
async fn a_certificate_by_add_key_survives_an_older_journal() {
    every_step(Kind::AddKey, By::Hand).await;
}

#[tokio::test]
async fn a_certificate_by_patch_survives_an_older_journal() {
    every_step(Kind::Patch, By::Hand).await;
}

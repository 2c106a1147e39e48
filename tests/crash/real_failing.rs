//! The real binary on a disk that fails, is full or becomes read-only, and without file descriptors, at every call by
//! which it changes a file. It says so and ends; a secret that was received is saved or its credential removed; what
//! consumers read stays whole; the next runs finish.

use std::path::Path;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::campaign_ledger;
use crate::campaign_ledger::Part;
use crate::faults::Dice;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::real::Fault;
use crate::real::RATE;
use crate::real::Ran;
use crate::real::Real;

/// Retirements have a daily cap, and a world grows older.
const ROTATIONS_PER_WORLD: usize = 12;

/// How the disk fails.
#[derive(Clone, Copy, Debug)]
enum Disk {
    /// One call fails (EIO).
    Fails,
    /// From this call on there is no room (ENOSPC).
    Full,
    /// From this call on nothing may be written (EROFS).
    ReadOnly,
    /// From this call on no file can be opened (EMFILE).
    NoDescriptors,
}

impl Disk {
    const ALL: [Self; 4] = [Self::Fails, Self::Full, Self::ReadOnly, Self::NoDescriptors];

    /// At its n-th call on the files below `dir`; 0 counts only.
    fn fault(self, n: usize, dir: &Path) -> Fault {
        match self {
            Self::Fails => Fault::error(Errno::EIO, n, 1, dir),
            Self::Full => Fault::error(Errno::ENOSPC, n, 0, dir),
            Self::ReadOnly => Fault::error(Errno::EROFS, n, 0, dir),
            Self::NoDescriptors => Fault::error(Errno::EMFILE, n, 0, dir).opens(),
        }
    }
}

/// What came of all of them.
#[derive(Default)]
struct Tally {
    failed: usize,
    said: usize,
    looks: u64,
}

async fn first(lab: &std::sync::Arc<Lab>, kind: Kind) -> Real {
    let real = Real::new(lab, kind, false).await;
    real.finish(1).await;
    assert_eq!(real.world.verdict().await, Vec::<String>::new(), "{kind:?}");
    real
}

/// Where the store and the sinks are.
fn files(real: &Real) -> PathBuf {
    real.dir().canonicalize().unwrap()
}

/// How many calls each run of an undisturbed rotation makes on its files.
async fn calls(real: &Real, disk: Disk, wanted: usize) -> Vec<usize> {
    let mut runs = Vec::new();
    while let Some(args) = real.next(wanted).await {
        let ran = real.run(&args, &disk.fault(0, &files(real))).await;
        assert!(ran.output.status.success() && runs.len() < 8, "{args:?}: {}", ran.said());
        runs.push(ran.calls.len());
        real.pause();
    }
    runs
}

/// What a process on a failing disk must not do.
fn misbehaved(ran: &Ran) -> Option<String> {
    let said = ran.said();
    let is_told = said.contains("error[") || said.contains("failed");
    match ran.output.status.code() {
        _ if said.contains("panicked") => Some(format!("it panicked:\n{said}")),
        None => Some(format!("it ended by a signal:\n{said}")),
        // Without standard output there is nothing to be told.
        Some(code) if code != 0 && !is_told => Some(format!("it did not say why it ended:\n{said}")),
        Some(_) => None,
    }
}

/// One rotation whose run `run` meets the disk at its call `n`.
async fn fail(real: &Real, disk: Disk, (run, n): (usize, usize), wanted: usize, tally: &mut Tally) -> Vec<String> {
    let mut wrong = Vec::new();
    for at in 1..=run {
        let Some(args) = real.next(wanted).await else { break };
        if at < run {
            real.run(&args, &Fault::none()).await;
        } else {
            let ran = real.run(&args, &disk.fault(n, &files(real))).await;
            tally.failed += usize::from(ran.calls.len() >= n);
            tally.said += usize::from(!ran.output.status.success());
            wrong.extend(misbehaved(&ran));
        }
        real.pause();
    }
    real.finish(wanted).await;
    wrong.extend(real.world.verdict().await);
    wrong.iter().map(|one| format!("{disk:?} at call {n} of run {run}: {one}")).collect()
}

#[expect(clippy::print_stdout, reason = "the counts are what a reader of the test wants to see")]
async fn disks(kind: Kind) {
    let lab = Lab::running(RATE).await;
    let mut dice = Dice(0x5eed_4000 + kind as u64);
    for disk in Disk::ALL {
        let mut real = first(&lab, kind).await;
        let runs = calls(&real, disk, 2).await;
        let all: Vec<(usize, usize)> =
            runs.iter().enumerate().flat_map(|(at, calls)| (1..=*calls).map(move |n| (at + 1, n))).collect();
        let (mut tally, mut done, mut wrong) = (Tally::default(), 2, Vec::new());
        for _ in 0..campaign_ledger::depth(2, 120) {
            if done > ROTATIONS_PER_WORLD {
                tally.looks += real.world.outside.seen().looks;
                real = first(&lab, kind).await;
                done = 1;
            }
            done += 1;
            wrong.extend(fail(&real, disk, all[dice.below(all.len())], done, &mut tally).await);
            assert!(wrong.is_empty(), "{kind:?}: {}", wrong.join("\n"));
        }
        tally.looks += real.world.outside.seen().looks;
        println!("{kind:?}, {disk:?}: {} of {} points, {} said so", tally.failed, all.len(), tally.said);
        assert!(tally.failed > 0);
        let promise = format!(
            "{kind:?}, the binary on a disk that {}",
            match disk {
                Disk::Fails => "fails once (EIO)",
                Disk::Full => "is full from a call on (ENOSPC)",
                Disk::ReadOnly => "is read-only from a call on (EROFS)",
                Disk::NoDescriptors => "opens no more file from a call on (EMFILE)",
            }
        );
        let mut part = Part::new(format!("disk-{}-{disk:?}", kind.name()), promise);
        part.count("points", all.len());
        part.count("of them tried", tally.failed);
        part.count("ended with an error", tally.said);
        part.count("looks from outside", tally.looks);
        part.done();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_survives_failing_disks() {
    disks(Kind::Secret).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_by_add_key_survives_failing_disks() {
    disks(Kind::AddKey).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_by_patch_survives_failing_disks() {
    disks(Kind::Patch).await;
}

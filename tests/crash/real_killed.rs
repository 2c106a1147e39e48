//! The real binary is killed at every call by which it changes a file or speaks to somebody: the store, the sinks, Graph,
//! the token endpoint, PostgreSQL. Consumers look all the while; afterwards at most two runs more than without the kill.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

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

/// A call of one run of a rotation, counted from 1.
#[derive(Clone, Copy, Debug)]
struct Point {
    run: usize,
    call: usize,
    is_after: bool,
}

/// What became of all of them.
#[derive(Default)]
struct Tally {
    killed: usize,
    missed: usize,
    looks: u64,
    most_runs: usize,
    points: usize,
    names: BTreeMap<String, usize>,
}

impl Tally {
    fn note(&mut self, ran: &Ran) {
        self.killed += 1;
        let name = ran.calls.last().and_then(|call| call.split(' ').next()).unwrap_or_default();
        *self.names.entry(name.to_owned()).or_default() += 1;
    }
}

async fn first(lab: &std::sync::Arc<Lab>, kind: Kind, is_server: bool) -> Real {
    let real = Real::new(lab, kind, is_server).await;
    let runs = real.finish(1).await;
    let violations = real.world.verdict().await;
    assert!(violations.is_empty(), "{kind:?}, nobody killed it, {runs} runs: {}", violations.join("\n"));
    real
}

/// The calls of each run of an issuance (from nothing) or a rotation that nobody disturbs.
async fn calls(real: &Real, wanted: usize) -> Vec<Vec<String>> {
    let mut runs = Vec::new();
    while let Some(args) = real.next(wanted).await {
        let ran = real.run(&args, &Fault::none()).await;
        assert!(ran.output.status.success() && runs.len() < 8, "{args:?}: {}", ran.said());
        runs.push(ran.calls);
        real.pause();
    }
    runs
}

/// Every call, entered; and what was sent to others, left as well: nothing of this process sees the answer then.
fn points(runs: &[Vec<String>]) -> Vec<Point> {
    let mut points = Vec::new();
    for (at, calls) in runs.iter().enumerate() {
        for (number, call) in calls.iter().enumerate() {
            let point = Point { run: at + 1, call: number + 1, is_after: false };
            points.push(point);
            if call.contains("socket:") {
                points.push(Point { is_after: true, ..point });
            }
        }
    }
    points
}

/// One issuance or rotation in which one process is killed at `point`.
async fn kill(real: &Real, point: Point, wanted: usize, undisturbed: usize, tally: &mut Tally) -> Vec<String> {
    let mut killed = None;
    for run in 1..=point.run {
        let Some(args) = real.next(wanted).await else { break };
        let fault = match run == point.run {
            false => Fault::none(),
            true if point.is_after => Fault::after(point.call),
            true => Fault::before(point.call),
        };
        let ran = real.run(&args, &fault).await;
        if run < point.run {
            real.pause();
        } else if ran.was_killed() {
            killed = Some(ran.calls.last().cloned());
            tally.note(&ran);
        } else {
            // Threads race: this time it made fewer calls.
            tally.missed += 1;
            real.pause();
        }
    }
    let runs = real.finish(wanted).await;
    let mut violations = real.world.verdict().await;
    if killed.is_some() {
        let more = runs.saturating_sub(undisturbed - point.run);
        tally.most_runs = tally.most_runs.max(more);
        // The run that was killed is run again: that is the first of the two.
        if more > 2 {
            violations.push(format!("NOT CONVERGED in two runs: {more} more than without the kill"));
        }
    }
    violations.iter().map(|one| format!("{point:?} {killed:?}: {one}")).collect()
}

/// Which of `all` are tried: a seeded few, and in the campaign all of them, or many where each statement of a store is a
/// point.
fn chosen(all: &[Point], is_server: bool, seed: u64) -> Vec<Point> {
    let few = if is_server { campaign_ledger::depth(2, 500) } else { campaign_ledger::depth(4, usize::MAX) };
    if few >= all.len() {
        return all.to_vec();
    }
    let mut dice = Dice(seed);
    let mut picked = BTreeSet::new();
    while picked.len() < few {
        picked.insert(dice.below(all.len()));
    }
    picked.into_iter().map(|at| all[at]).collect()
}

#[expect(clippy::print_stdout, reason = "the counts are what a reader of the test wants to see")]
fn close(kind: Kind, is_server: bool, what: &str, tally: Tally, wrong: &[String]) {
    let place = if is_server { "PostgreSQL" } else { "SQLite" };
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{what}, {kind:?}, {place}: {} kills of {} points: {:?}", tally.killed, tally.points, tally.names);
    assert!(tally.killed >= campaign_ledger::depth(1, 100), "{} killed, {} missed", tally.killed, tally.missed);
    let promise = format!("{what}, {kind:?}, {place}: the binary is killed at a call");
    let mut part = Part::new(format!("{}-{what}-{place}", kind.name()).replace(' ', "-"), promise);
    part.count("points", tally.points);
    part.count("kills", tally.killed);
    part.count("points at which it made fewer calls this time", tally.missed);
    part.count("looks from outside", tally.looks);
    for (name, count) in tally.names {
        part.count(&format!("at {name}"), count);
    }
    part.done();
}

async fn rotations(kind: Kind, is_server: bool) {
    let lab = Lab::running(RATE).await;
    let mut real = first(&lab, kind, is_server).await;
    let runs = calls(&real, 2).await;
    assert_eq!(real.world.verdict().await, Vec::<String>::new());
    let all = points(&runs);
    let (mut tally, mut wrong, mut done) = (Tally { points: all.len(), ..Tally::default() }, Vec::new(), 2);
    for point in chosen(&all, is_server, 0x5eed_2000 + kind as u64) {
        if done > ROTATIONS_PER_WORLD || !wrong.is_empty() {
            tally.looks += real.world.outside.seen().looks;
            real = first(&lab, kind, is_server).await;
            done = 1;
        }
        done += 1;
        wrong.extend(kill(&real, point, done, runs.len(), &mut tally).await);
        assert!(wrong.len() < 20, "{}", wrong.join("\n"));
    }
    tally.looks += real.world.outside.seen().looks;
    close(kind, is_server, "rotation", tally, &wrong);
}

/// The same with a first issuance, each in a world of its own.
async fn issuances(kind: Kind, is_server: bool) {
    let lab = Lab::running(RATE).await;
    let runs = calls(&Real::new(&lab, kind, is_server).await, 1).await;
    let all = points(&runs);
    let (mut tally, mut wrong) = (Tally { points: all.len(), ..Tally::default() }, Vec::new());
    for point in chosen(&all, is_server, 0x5eed_3000 + kind as u64) {
        let real = Real::new(&lab, kind, is_server).await;
        wrong.extend(kill(&real, point, 1, runs.len(), &mut tally).await);
        tally.looks += real.world.outside.seen().looks;
        assert!(wrong.len() < 20, "{}", wrong.join("\n"));
    }
    close(kind, is_server, "first issuance", tally, &wrong);
}

macro_rules! killed {
    ($($name:ident: $what:ident($kind:ident, $is_server:literal);)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $what(Kind::$kind, $is_server).await;
            }
        )*
    };
}

killed! {
    rotation_of_a_secret: rotations(Secret, false);
    rotation_of_a_secret_in_postgres: rotations(Secret, true);
    rotation_by_add_key: rotations(AddKey, false);
    rotation_by_add_key_in_postgres: rotations(AddKey, true);
    rotation_by_patch: rotations(Patch, false);
    rotation_by_patch_in_postgres: rotations(Patch, true);
    issuance_of_a_secret: issuances(Secret, false);
    issuance_of_a_secret_in_postgres: issuances(Secret, true);
    issuance_of_a_certificate: issuances(AddKey, false);
    issuance_of_a_certificate_in_postgres: issuances(AddKey, true);
}

/// The calls that `strace` sees, as the counter names them.
fn traced(log: &str, own: &str) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for line in log.lines() {
        let Some((_, rest)) = line.split_once(char::is_whitespace) else { continue };
        // The second half of a call that another thread interrupted in the log.
        if rest.trim_start().starts_with("<...") {
            continue;
        }
        let Some((name, rest)) = rest.trim_start().split_once('(') else { continue };
        // The C library asks for users by itself.
        let is_counted = !["anon_inode:", "/nscd/", own].iter().any(|other| rest.contains(other));
        if is_counted && (name != "openat" || rest.contains("O_CREAT")) {
            *seen.entry(name.to_owned()).or_default() += 1;
        }
    }
    seen
}

/// A number that the counter does not give is a place where nothing was killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_counter_misses_no_call_that_strace_sees() {
    let lab = Lab::running(RATE).await;
    for kind in [Kind::Secret, Kind::AddKey] {
        let real = Real::new(&lab, kind, false).await;
        let (log, calls) = (real.dir().join("strace"), real.dir().join("calls"));
        let inner = real.command(&["apply", "--yes", "--new-store"], &Fault::none(), &calls);
        let names = "openat,write,writev,pwrite64,sendto,sendmsg,connect,fsync,fdatasync,ftruncate,fchmod,fchown,mkdir,\
                     mkdirat,symlink,symlinkat,rename,renameat,renameat2,unlink,unlinkat,rmdir,open,creat,link,linkat,\
                     pwritev,pwritev2,sendmmsg,sendfile,copy_file_range,fallocate,truncate,chmod,fchmodat,io_uring_enter";
        let mut strace = std::process::Command::new("strace");
        strace.args(["-f", "-y", "-s", "0", "-e", &format!("trace={names}"), "-o"]).arg(&log);
        for (name, value) in inner.get_envs() {
            strace.args(["-E", &format!("{}={}", name.display(), value.unwrap().display())]);
        }
        strace.arg(inner.get_program()).args(inner.get_args()).current_dir(real.dir());
        let output = real.watched(strace).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut counted = BTreeMap::new();
        for call in std::fs::read_to_string(&calls).unwrap().lines() {
            let name = call.split(' ').nth(1).unwrap();
            let name = match name {
                "open" | "open64" | "openat64" => "openat",
                "send" => "sendto",
                "pwrite" => "pwrite64",
                "ftruncate64" => "ftruncate",
                other => other,
            };
            *counted.entry(name.to_owned()).or_default() += 1;
        }
        let traced = traced(&std::fs::read_to_string(&log).unwrap(), calls.to_str().unwrap());
        assert_eq!(traced, counted, "{kind:?}");
        assert!(counted["fsync"] > 20 && counted["connect"] > 0 && counted.values().sum::<usize>() > 200);
    }
}

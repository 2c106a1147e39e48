//! Ctrl-C, SIGTERM and SIGKILL at moments of `apply`: the next `apply` finishes, and no credential is doubled
//! (expectation 16). The moments are those that the journal shows, not points in time.

use crate::support::World;
use crate::support::until;

const SECRET: &str = "roger365-replicator";
const CERTIFICATE: &str = "enate-graph-mail";

/// After every wait that a lost answer asks for (`AMBIGUOUS_PAUSE`, the longest, is an hour).
const LATER: &str = "2026-11-20T10:30:00Z";

/// Starts `apply` for one policy, sends `signal` once the history holds `moment`, and lets a second run finish.
/// Killed between a call and its answer, nobody knows what became of it: then, and only then, the second run says
/// until when it waits, and a third one finishes.
fn interrupted(policy: &str, signal: &str, moment: &str) {
    let mut world = World::new();
    world.keep_policies(&[policy]);
    let mut run = world.spawn(&["apply", "--yes"]);
    until(|| run.is_over() || moment.is_empty() || world.history().contains(moment));
    run.signal(signal);
    let first = run.wait();
    match signal {
        "INT" => assert!(matches!(first.code, 130 | 0), "{} {}", first.code, first.err),
        "TERM" => assert!(matches!(first.code, 143 | 0), "{} {}", first.code, first.err),
        _ => assert!(matches!(first.code, -9 | 0), "{} {}", first.code, first.err),
    }
    if matches!(first.code, 130 | 143) {
        assert!(first.err.contains("Run the same command again"), "{}", first.err);
    }
    let what = format!("{policy} after {signal} at {moment:?}");
    let mut second = world.run(&["apply", "--yes"]);
    if signal == "KILL" && second.code == 75 {
        assert!(second.err.contains("error[R009]"), "{what}:\n{}", second.err);
        assert!(world.credentials().len() <= 1, "{what}: {:?}", world.credentials());
        world.stop();
        world.start(Some(LATER));
        second = world.run(&["apply", "--yes"]);
    }
    assert_eq!(second.code, 0, "{what}:\n{}{}", second.out, second.err);
    world.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(world.credentials().len(), 1, "{what}: {:?}", world.credentials());
    let list = world.run(&["handoff", "list", "-o", "json"]).exits(0).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{what}: one hand-off");
    assert!(list["items"][0]["integration"] == policy, "{what}");
    world.run(&["history", "--verify"]).exits(0);
}

/// All at the same time: each waits for its own proof.
fn all(cases: &'static [(&'static str, &'static str, &'static str)]) {
    let threads: Vec<_> = cases
        .iter()
        .map(|(policy, signal, moment)| std::thread::spawn(move || interrupted(policy, signal, moment)))
        .collect();
    let failed = threads.into_iter().map(std::thread::JoinHandle::join).filter(Result::is_err).count();
    assert_eq!(failed, 0, "see the panics above");
}

#[test]
fn asked_to_stop() {
    all(&[
        (SECRET, "INT", "application \""),
        (SECRET, "INT", "preflight passed"),
        (SECRET, "INT", "accepted (1 of 3)"),
        (CERTIFICATE, "INT", "upload"),
        (CERTIFICATE, "TERM", "accepted (1 of 3)"),
        (SECRET, "TERM", "accepted (2 of 3)"),
        (SECRET, "TERM", "granted"),
    ]);
}

#[test]
fn killed() {
    all(&[
        (SECRET, "KILL", "application \""),
        (SECRET, "KILL", "granted"),
        (SECRET, "KILL", "attempt 1"),
        (SECRET, "KILL", "accepted (2 of 3)"),
        (CERTIFICATE, "KILL", "private key made"),
        (CERTIFICATE, "KILL", "upload"),
        (CERTIFICATE, "KILL", "read back"),
    ]);
}

/// While a proof waits, both signals end the run with their own code, and the holder is gone.
#[test]
fn the_exit_code_is_the_signals() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let world = World::new();
        world.keep_policies(&[SECRET]);
        let run = world.spawn(&["apply", "--yes", "-o", "json"]);
        until(|| world.history().contains("accepted (1 of 3)"));
        run.signal(signal);
        let ran = run.wait().exits(code);
        assert_eq!(ran.json()["error"]["code"], "R001");
        assert_eq!(world.credentials().len(), 1);
    }
}

//! The store's care: checked, backed up, restored, sealed anew; and refused where a new one is most likely a mistake.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::Ran;
use crate::support::World;
use crate::support::binary;

const NEW_KEY: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn sql(store: &Path, statement: &str) {
    let done = Command::new("sqlite3").arg(store).arg(statement).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A copy of a store at rest, its log emptied into it.
pub fn aside(store: &Path, copy: &Path) {
    sql(store, "PRAGMA wal_checkpoint(TRUNCATE)");
    std::fs::copy(store, copy).unwrap();
}

/// The copy in its place again; a log of what came after it would spoil it.
pub fn put_back(copy: &Path, store: &Path) {
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", store.display()));
    }
    std::fs::copy(copy, store).unwrap();
}

fn value_of(world: &World, handoff: &str) -> String {
    world.run(&["handoff", "open", handoff, "--reveal"]).exits(0).out
}

#[test]
fn a_sound_store_is_told_in_five_lines() {
    let mut world = World::applied();
    // No emulator is needed for it.
    world.stop();
    let ran = world.run(&["store", "check"]).exits(0);
    for line in ["ok    database   ", "ok    history    ", "ok    seals      ", "all open", "ok    rights     "] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    let report = world.run(&["store", "check", "-o", "json"]).exits(0).json();
    assert_eq!((&report["schema"], &report["sound"]), (&"everkey.store-check/v1".into(), &true.into()));
    assert!(report["sealed"].as_u64().unwrap() >= 5, "{report:#}");
    assert_eq!(report["head"].as_str().unwrap().len(), 64);
}

#[test]
fn what_is_wrong_with_a_store_is_named() {
    let mut world = World::applied();
    world.stop();
    let store = world.store();
    let copy = world.path().join("aside.db");
    aside(&store, &copy);
    for (spoil, id) in [
        ("UPDATE sealed SET body = zeroblob(200) WHERE rowid = (SELECT min(rowid) FROM sealed)", "seals"),
        ("UPDATE sealed SET object_id = 'another' WHERE rowid = (SELECT max(rowid) FROM sealed)", "seals"),
        ("UPDATE history SET text = 'nothing happened' WHERE seq = 3", "history"),
        ("DELETE FROM history WHERE seq = (SELECT max(seq) FROM history)", "history"),
    ] {
        sql(&store, spoil);
        let ran = world.run(&["store", "check"]).fails(1, "T017", &[id, "everkey store restore"]);
        let wrong: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("FAIL")).collect();
        assert!(wrong.len() == 1 && wrong[0].contains(id), "{spoil}\n{}", ran.out);
        let report = world.run(&["store", "check", "-o", "json"]).exits(1).json();
        assert_eq!(report["sound"], false);
        put_back(&copy, &store);
    }
    std::fs::set_permissions(world.emulator_dir().join("seal.key"), PermissionsExt::from_mode(0o644)).unwrap();
    world.run(&["store", "check"]).fails(1, "T017", &["rights"]).says("has mode 0644");
    std::fs::remove_file(&store).unwrap();
    world.run(&["store", "check"]).fails(1, "T010", &["everkey.db"]);
    assert!(!store.exists(), "a check makes no store");
    // A page in the middle is overwritten.
    let mut bytes = std::fs::read(&copy).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    std::fs::write(&store, &bytes).unwrap();
    std::fs::set_permissions(&store, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::set_permissions(world.emulator_dir().join("seal.key"), PermissionsExt::from_mode(0o600)).unwrap();
    world.run(&["store", "check"]).exits(1);
}

#[test]
fn a_backup_is_whole_private_and_noted() {
    let mut world = World::applied();
    let ran = world.run(&["store", "backup", "b1.db"]).exits(0);
    assert!(ran.out.contains("head sha256:") && ran.out.contains("mode 0600"), "{}", ran.out);
    let backup = world.path().join("b1.db");
    assert_eq!(mode(&backup), 0o600);
    assert!(world.history().contains("backed up as b1.db"));
    // Never over an existing file, whatever it holds.
    let before = std::fs::read(&backup).unwrap();
    world.run(&["store", "backup", "b1.db"]).fails(1, "F010", &["b1.db"]);
    assert_eq!(std::fs::read(&backup).unwrap(), before);
    std::fs::write(world.path().join("empty"), "").unwrap();
    world.run(&["store", "backup", "empty"]).fails(1, "F010", &["empty"]);
    world.run(&["store", "backup", "no/such/dir/b.db"]).fails(1, "F010", &["no/such/dir"]);
    let report = world.run(&["store", "backup", "b2.db", "-o", "json"]).exits(0).json();
    // Its head is an anchor of the chain that goes on.
    let head = report["head"].as_str().unwrap().to_owned();
    world.run(&["history", "verify", "--anchor", &head]).exits(0).says("The anchor is entry ");

    // While a run holds the store.
    let mut run = world.spawn(&["rotate", "lexzur-email-engine", "--yes"]);
    crate::support::until(|| world.history().contains("accepted (1 of 3)") && !run.is_over());
    world.run(&["store", "backup", "b3.db"]).exits(0);
    assert!(!run.is_over(), "the run goes on");
    world.run(&["store", "restore", "b3.db", "--force"]).fails(75, "T011", &["pid"]);
    run.signal("TERM");
    run.wait().exits(143);
    world.stop();
    // It is a store: everything of it can be used.
    std::fs::rename(world.path().join("b3.db"), world.store()).unwrap();
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(world.emulator_dir().join(format!("everkey.db{ending}")));
    }
    world.run(&["store", "check"]).exits(0);
}

#[test]
fn a_restore_goes_over_nothing_newer_unasked_and_keeps_what_was() {
    let world = World::applied();
    world.run(&["store", "backup", "b.db"]).exits(0);
    // Nothing happened since but the backup itself: nothing to force.
    world.run(&["store", "restore", "b.db"]).exits(0).says("Restored ");
    let value = value_of(&world, "h-0002");
    world.run(&["handoff", "confirm", "h-0002"]).exits(0);
    let refused = world.run(&["store", "restore", "b.db"]).fails(1, "T018", &["entries more", "--force"]);
    assert!(refused.out.is_empty(), "{}", refused.out);
    assert!(world.history().contains("confirmed hand-off h-0002"));

    let ran = world.run(&["store", "restore", "b.db", "--force", "-o", "json"]).exits(0);
    let report = ran.json();
    let kept = Path::new(report["kept"].as_str().unwrap()).to_owned();
    assert_eq!(mode(&kept), 0o600);
    assert_eq!(report["unknown_in_entra"], serde_json::json!([]));
    let history = world.history();
    assert!(!history.contains("confirmed hand-off") && history.contains("restored from a backup"), "{history}");
    world.run(&["store", "check"]).exits(0);
    assert_eq!(value_of(&world, "h-0002"), value, "the same value opens again");
    world.run(&["plan"]).exits(0).says("No changes.");
    // What was kept can be put back.
    world.run(&["store", "restore", kept.to_str().unwrap(), "--force"]).exits(0).says("kept as");
    assert!(world.history().contains("confirmed hand-off h-0002"));
    let left: Vec<_> = std::fs::read_dir(world.emulator_dir()).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".everkey-restore")), "{left:?}");
}

/// A credential made after the backup: told, not touched, and its tag is never given again.
#[test]
fn what_a_backup_does_not_know_is_told_and_stays() {
    let world = World::applied();
    value_of(&world, "h-0003");
    world.run(&["handoff", "confirm", "h-0003"]).exits(0);
    world.keep_policies(&["roger365-replicator"]);
    world.run(&["store", "backup", "b.db"]).exits(0);
    let rotate = |world: &World, number: usize| {
        let mut run = world.spawn(&["rotate", "roger365-replicator", "--yes"]);
        crate::support::until(|| run.is_over() || world.credentials().len() == number);
        run.signal("TERM");
        run.wait().exits(143);
    };
    rotate(&world, 6);
    let all = world.credentials();
    let ran = world.run(&["store", "restore", "b.db", "--force"]).exits(0);
    for text in ["Made after this backup: secret ", "of roger365-replicator", "unknown to the backup", "(r-0006)"] {
        assert!(ran.out.contains(text), "{text}\n{}", ran.out);
    }
    world.run(&["apply", "--yes"]).exits(0);
    assert_eq!(world.credentials(), all, "nothing is removed that the journal does not know");
    // The next rotation has a number of its own: with 6 again, the sweep would take the unknown one for its orphan.
    rotate(&world, 7);
    let state = world.state().to_string();
    assert_eq!(state.matches(".6.1]").count(), 1, "the tag is not given twice");
    // 1000 by the restore, and one by the look that found 6 beyond the journal.
    assert_eq!(state.matches(".1007.1]").count(), 1, "numbers were skipped");
    world.run(&["apply", "--yes"]).exits(0);
    assert!(all.iter().all(|one| world.credentials().contains(one)), "and still nothing is removed");
}

/// A backup from the middle of a rotation: what an attempt after it made may be in use, and stays; the next attempt has
/// a number of its own.
#[test]
fn attempts_that_a_backup_does_not_know_stay() {
    let world = World::applied();
    world.keep_policies(&["roger365-replicator"]);
    world.run(&["store", "backup", "b.db"]).exits(0);
    let renew = |handoff: &str, number: usize| {
        world.run(&["handoff", "reissue", handoff, "--fresh"]).exits(0);
        let mut run = world.spawn(&["apply", "--yes"]);
        crate::support::until(|| run.is_over() || world.credentials().len() == number);
        run.signal("TERM");
        run.wait().exits(143);
    };
    let list = world.run(&["handoff", "list", "-o", "json"]).exits(0).json();
    let waiting = |item: &&serde_json::Value| item["integration"] == "roger365-replicator";
    let handoff = list["items"].as_array().unwrap().iter().find(waiting).unwrap()["id"].as_str().unwrap().to_owned();
    renew(&handoff, 6);
    let all = world.credentials();
    world.run(&["store", "restore", "b.db", "--force"]).exits(0);
    renew(&handoff, 7);
    let state = world.state().to_string();
    assert_eq!(state.matches(".2]").count(), 1, "the tag of the forgotten attempt is not given twice: {state}");
    assert_eq!(state.matches(".1002]").count(), 1, "numbers were skipped: {state}");
    assert!(all.iter().all(|one| world.credentials().contains(one)), "nothing is removed that may be in use");
}

#[test]
fn a_restore_of_what_does_not_fit_changes_nothing() {
    let mut world = World::applied();
    world.stop();
    let before = std::fs::read(world.store()).unwrap();
    std::fs::write(world.path().join("notes.txt"), "no database\n".repeat(900)).unwrap();
    world.run(&["store", "restore", "notes.txt", "--force"]).fails(1, "T010", &["no database"]);
    world.run(&["store", "restore", "none.db"]).fails(1, "T010", &["none.db"]);
    world.run(&["store", "restore", "emu/everkey.db"]).fails(1, "T010", &["the store itself"]);
    // Damaged, and of another key.
    world.run(&["store", "backup", "b.db"]).exits(0);
    std::fs::copy(world.path().join("b.db"), world.path().join("bent.db")).unwrap();
    sql(&world.path().join("bent.db"), "UPDATE history SET actor = 'nobody' WHERE seq = 2");
    world.run(&["store", "restore", "bent.db", "--force"]).fails(1, "T010", &["damaged"]);
    let key = world.emulator_dir().join("seal.key");
    let text = std::fs::read_to_string(&key).unwrap();
    std::fs::write(&key, text.chars().rev().collect::<String>()).unwrap();
    world.run(&["store", "restore", "b.db", "--force"]).fails(78, "T016", &[]);
    std::fs::write(&key, text).unwrap();
    assert!(std::fs::read(world.store()).unwrap().len() >= before.len());
    world.run(&["store", "check"]).exits(0);
    // A store that cannot be opened is not gone over unasked.
    std::fs::write(world.store(), "damaged".repeat(2000)).unwrap();
    world.run(&["store", "restore", "b.db"]).fails(1, "T018", &["cannot be compared", "--force"]);
    world.run(&["store", "restore", "b.db", "--force"]).exits(0).says("kept as");
    world.run(&["store", "check"]).exits(0);
}

#[test]
fn a_new_key_opens_everything_and_the_old_one_nothing() {
    let world = World::applied();
    let old = std::fs::read(world.emulator_dir().join("seal.key")).unwrap();
    std::fs::write(world.path().join("short.key"), "short").unwrap();
    world.run(&["store", "reseal", "--new-key", "short.key"]).fails(78, "T016", &["not usable"]);
    world.run(&["store", "reseal", "--new-key", "none.key"]).fails(78, "C010", &["none.key"]);
    let new = NEW_KEY;
    std::fs::write(world.path().join("new.key"), new).unwrap();
    let ran = world.run(&["store", "reseal", "--new-key", "new.key"]).exits(0);
    assert!(ran.out.contains("/new.key\"") && !ran.out.contains(new), "{}", ran.out);
    world.run(&["plan"]).fails(78, "T016", &["after `store reseal`"]);
    // Killed between the commit and the configuration: the same command says what is left to do.
    world.run(&["store", "reseal", "--new-key", "new.key"]).exits(0).says("under that key already");
    std::fs::write(world.emulator_dir().join("seal.key"), new).unwrap();
    world.run(&["store", "check"]).exits(0);
    world.run(&["history", "verify"]).exits(0);
    assert!(value_of(&world, "h-0002").contains("Secret value"));
    assert!(world.history().contains("sealed under the new key"));
    world.run(&["plan"]).exits(0).says("No changes.");
    std::fs::write(world.emulator_dir().join("seal.key"), old).unwrap();
    world.run(&["store", "check"]).fails(78, "T016", &[]);
}

/// Killed at every write: the store belongs to one key or to the other, whole.
#[test]
fn a_reseal_killed_at_any_write_leaves_one_whole_key() {
    let mut world = World::applied();
    world.stop();
    std::fs::write(world.path().join("new.key"), NEW_KEY).unwrap();
    let seal = world.emulator_dir().join("seal.key");
    let old = std::fs::read(&seal).unwrap();
    let (mut before, mut after) = (0, 0);
    let store = world.store();
    let copy = world.path().join("aside.db");
    aside(&store, &copy);
    for call in ["pwrite64", "fsync,fdatasync"] {
        for at in (1..).step_by(if call == "pwrite64" { 3 } else { 1 }) {
            let inject = format!("inject={call}:signal=KILL:when={at}");
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
            command.arg(binary()).args(["-C", "emu/everkey.toml", "store", "reseal", "--new-key", "new.key"]);
            command.current_dir(world.path()).env_clear().env("PATH", "/usr/bin:/bin");
            let output = command.output().unwrap();
            let ran = Ran::new(inject.clone(), &output);
            let is_over = ran.code == 0;
            // Whichever key it belongs to opens all of it.
            let under_old = world.run(&["store", "check"]);
            std::fs::write(&seal, NEW_KEY).unwrap();
            let under_new = world.run(&["store", "check"]);
            std::fs::write(&seal, &old).unwrap();
            match (under_old.code, under_new.code) {
                (0, 78) => before += 1,
                (78, 0) => after += 1,
                codes => panic!("{inject}: {codes:?}\n{}\n{}", under_old.err, under_new.err),
            }
            for ending in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(world.emulator_dir().join(format!("everkey.db{ending}")));
            }
            put_back(&copy, &store);
            if is_over {
                break;
            }
        }
    }
    assert!(before > 3 && after > 2, "{before} before the commit, {after} after it");
}

/// Another everkey's tags in the tenant: a new store is refused, and only what writes is.
#[test]
fn an_empty_store_where_another_everkey_works_is_refused() {
    let world = World::applied();
    for ending in ["", "-wal", "-shm", ".lock"] {
        let _ = std::fs::remove_file(world.emulator_dir().join(format!("everkey.db{ending}")));
    }
    let all = world.credentials();
    world.run(&["apply", "--yes"]).fails(
        78,
        "T014",
        &["tags of store", "Enate Graph Mail", " and 2 more", "--new-store"],
    );
    world.run(&["rotate", "lexzur-email-engine", "--yes"]).fails(78, "T014", &[]);
    let report = world.run(&["apply", "--yes", "-o", "json"]).exits(78).json();
    assert_eq!(report["error"]["code"], "T014");
    assert_eq!(world.credentials(), all);
    world.run(&["plan"]).exits(0);
    world.run(&["status"]).exits(0);
    world.run(&["check"]).exits(0);
    world.run(&["rotate", "lexzur-email-engine", "--dry-run"]).exits(0);
    // It is refused again after those commands made an empty store file.
    world.run(&["apply", "--yes"]).fails(78, "T014", &[]);
    // On purpose.
    world.keep_policies(&["roger365-replicator"]);
    let mut run = world.spawn(&["apply", "--yes", "--new-store"]);
    crate::support::until(|| run.is_over() || world.credentials().len() > all.len());
    run.signal("TERM");
    run.wait().exits(143);
    let now = world.credentials();
    assert!(now.len() == all.len() + 1 && all.iter().all(|one| now.contains(one)), "{now:?}");
    assert!(world.history().contains("began with --new-store although"), "{}", world.history());
    // It is no empty store any more: the next thing that is looked at is the plan that is not there.
    world.run(&["apply", "--yes", "no.plan"]).fails(65, "F010", &["no.plan"]);
}

/// A real tenant (no `emulator = true`) and a store on tmpfs.
#[test]
fn an_empty_store_on_a_file_system_that_does_not_last_is_refused() {
    let mut world = World::on_disk();
    world.start(None);
    world.keep_policies(&["roger365-replicator"]);
    world.replace(&world.config(), "emulator = true\n", "");
    let sinks = std::fs::read_to_string(world.config()).unwrap();
    let kept: String = sinks.lines().filter(|line| !line.starts_with("sink_root")).map(|l| format!("{l}\n")).collect();
    std::fs::write(world.config(), kept).unwrap();
    std::fs::create_dir(world.path().join("volatile")).unwrap();
    let own = format!("sqlite://{}", world.store().display());
    let there = world.path().join("volatile/deep/everkey.db");
    world.replace(&world.config(), &own, &format!("sqlite://{}", there.display()));
    let mounted = |args: &str| {
        let script =
            format!("mount -t tmpfs -o mode=700 none volatile && {} -C emu/everkey.toml {args}", binary().display());
        let mut command = Command::new("unshare");
        command
            .args(["-rm", "sh", "-c", &script])
            .current_dir(world.path())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/bin");
        Ran::new(args.to_owned(), &command.output().unwrap())
    };
    mounted("apply --yes").fails(78, "T015", &["tmpfs", "--new-store"]);
    mounted("plan").exits(0);
    mounted("status").exits(0);
    mounted("check").exits(0);
    assert_eq!(world.credentials(), []);
    // The same place on a disk is taken: the application is made and waits for consent, or for its proof.
    let mut run = world.spawn(&["apply", "--yes"]);
    crate::support::until(|| run.is_over() || !world.credentials().is_empty());
    run.signal("TERM");
    assert!(!run.wait().err.contains("T015"));
}

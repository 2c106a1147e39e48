//! The store moves to another database and back: one is live, a forgotten command on the other one is refused.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use crate::campaign_ledger::Part;
use crate::pg;
use crate::replicas::runtime;
use crate::support::Ran;
use crate::support::World;
use crate::support::binary;

const NEW_KEY: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// A second configuration beside the world's, with its store in `database`.
fn configure(world: &World, database: &pg::Database) {
    let password = world.emulator_dir().join("store.password");
    std::fs::write(&password, pg::PASSWORD).unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = std::fs::read_to_string(world.config()).unwrap();
    let line = text.lines().find(|line| line.starts_with("store = ")).unwrap();
    let there = format!("store = \"{}\"\nstore_password_file = \"store.password\"", database.url);
    std::fs::write(world.emulator_dir().join("moved.toml"), text.replace(line, &there)).unwrap();
}

/// As a person who has changed the configuration.
fn there(world: &World, args: &[&str]) -> Ran {
    let mut all = vec!["-C", "emu/moved.toml"];
    all.extend(args);
    let output = world.bare(&all).output().unwrap();
    Ran::new(all.join(" "), &output)
}

fn copy(database: &pg::Database) -> [&str; 6] {
    ["store", "copy", "--to", &database.url, "--to-password-file", "emu/store.password"]
}

fn is_live(ran: &Ran) -> bool {
    match ran.code {
        0 => true,
        // T010: there is none yet.
        1 | 78 => false,
        _ => panic!("{}{}", ran.out, ran.err),
    }
}

#[test]
fn a_store_moves_to_a_database_and_a_forgotten_command_is_refused() {
    let world = World::applied();
    let database = runtime().block_on(pg::shared().database());
    configure(&world, &database);
    let entries = world.run(&["history", "-o", "json"]).exits(0).json()["entries"].as_array().unwrap().len();

    let with_password = database.url.replace("everkey@", "everkey:Q3z8canary@");
    let refused = world.run(&["store", "copy", "--to", &with_password]).fails(78, "T032", &["--to-password-file"]);
    assert!(!format!("{}{}", refused.out, refused.err).contains("Q3z8canary"));
    world.run(&["store", "copy", "--to", "/some/path"]).fails(78, "T032", &["sqlite:"]);
    world.run(&["store", "copy", "--to", &database.url]).fails(77, "T031", &[]);

    world.run(&["store", "backup", "before.db"]).exits(0);
    let mut args = copy(&database).to_vec();
    args.extend(["-o", "json"]);
    let report = world.run(&args).exits(0).json();
    assert_eq!(report["schema"], "everkey.store-copy/v1");
    assert!(report["entries"].as_u64().unwrap() >= entries as u64 && report["resumed"] == false, "{report:#}");

    // Whatever is run on the one before says where it went, and does nothing.
    let before = world.credentials();
    for args in [&["plan"][..], &["status"], &["apply", "--yes"], &["rotate", "lexzur-email-engine", "--yes"]] {
        world.run(args).fails(78, "T040", &["127.0.0.1"]);
    }
    world.run(&["serve", "--once"]).fails(78, "T040", &[]);
    world.run(&["check"]).exits(3);
    world.run(&["store", "backup", "b.db"]).fails(78, "T040", &[]);
    world.run(&["store", "check"]).fails(78, "T040", &["store claim"]).says("ok    history");
    // Nor does an older copy come back beside it, whatever is forced.
    world.run(&["store", "restore", "before.db"]).fails(78, "T040", &["store claim"]);
    world.run(&["store", "restore", "before.db", "--force"]).fails(78, "T040", &["store claim"]);
    assert_eq!(world.credentials(), before);

    // The copy is the store.
    there(&world, &["plan"]).exits(0).says("No changes.");
    there(&world, &["history", "verify"]).exits(0);
    there(&world, &["history"]).exits(0).says("moved here from");
    assert!(there(&world, &["handoff", "open", "h-0002", "--reveal"]).exits(0).out.contains("Secret value"));
    let again = world.run(&copy(&database)).exits(0);
    assert!(again.out.contains("finished now") && again.out.contains("store_password_file = "), "{}", again.out);

    // Its care in a database.
    there(&world, &["store", "check"]).exits(0).says("all open");
    there(&world, &["store", "backup", "b.db"]).fails(78, "T033", &["pg_dump", "store claim"]);
    std::fs::write(world.path().join("new.key"), NEW_KEY).unwrap();
    there(&world, &["store", "reseal", "--new-key", "new.key"]).exits(0).says("are under the new key");
    there(&world, &["plan"]).fails(78, "T016", &["after `store reseal`"]);
    there(&world, &["store", "reseal", "--new-key", "new.key"]).exits(0).says("under that key already");
    let seal = world.emulator_dir().join("seal.key");
    let old = std::fs::read(&seal).unwrap();
    std::fs::write(&seal, NEW_KEY).unwrap();
    there(&world, &["store", "check"]).exits(0);

    // Back into a file.
    let back = format!("sqlite://{}", world.path().join("back.db").display());
    there(&world, &["store", "copy", "--to", &back]).exits(0).says("back.db");
    there(&world, &["plan"]).fails(78, "T040", &["back.db"]);
    there(&world, &["store", "copy", "--to", "sqlite:other.db"]).fails(78, "T040", &[]);

    // The database it moved to is gone for good: a person says so.
    std::fs::write(&seal, old).unwrap();
    world.run(&["store", "claim"]).fails(64, "U003", &["--yes"]);
    world.run(&["plan"]).fails(78, "T040", &[]);
    world.run(&["store", "claim", "--yes"]).exits(0).says("It moved to");
    world.run(&["plan"]).exits(0).says("No changes.");
    assert!(world.history().contains("claimed as the live store"));
    world.run(&copy(&database)).fails(78, "T016", &["after `store reseal`"]);
}

/// Killed at calls of the operating system from the first to the last: at most one of the two is live, and the next
/// `store copy` ends it.
#[test]
fn a_copy_killed_at_any_call_leaves_one_live_store_or_none() {
    let mut part = Part::new("store-copy-killed", "A copy of the store that is killed never leaves two live stores");
    let mut world = World::applied();
    world.stop();
    let (store, kept) = (world.store(), world.path().join("aside.db"));
    crate::store::aside(&store, &kept);
    let traced = "trace=sendto,pwrite64,fsync,fdatasync";
    let strace = |options: &[&str], database: &pg::Database| {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", traced]).args(options);
        command.arg(binary()).args(["-C", "emu/everkey.toml"]).args(copy(database));
        command.current_dir(world.path()).env_clear().env("PATH", "/usr/bin:/bin");
        Ran::new(options.join(" "), &command.output().unwrap())
    };
    let database = runtime().block_on(pg::shared().database());
    configure(&world, &database);
    let fresh = || {
        crate::store::put_back(&kept, &store);
        runtime().block_on(database.empty());
    };
    fresh();
    strace(&["-o", "calls"], &database).exits(0);
    let calls = std::fs::read_to_string(world.path().join("calls")).unwrap();
    let calls: Vec<(&str, usize)> = ["sendto", "pwrite64", "fsync", "fdatasync"]
        .map(|call| (call, calls.lines().filter(|line| line.contains(&format!(" {call}("))).count()))
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    let (mut killed, mut neither) = (0, 0);
    for (call, count) in calls {
        let points = part.depth(3, 60).min(count);
        for point in 0..points {
            // From the end on: there the commits are.
            let at = count - point * count / points;
            fresh();
            let inject = format!("inject={call}:signal=KILL:when={at}");
            let ran = strace(&["-o", "/dev/null", "-e", &inject], &database);
            killed += usize::from(ran.code != 0);
            runtime().block_on(async {
                use sqlx::ConnectOptions as _;
                // What was killed is waited for, a minute at most; and it may have been killed before there was anything.
                let mut connection = database.options().connect().await.unwrap();
                let _ = sqlx::query("UPDATE lease SET expires = clock_timestamp()").execute(&mut connection).await;
            });
            let (here, other) = (world.run(&["store", "check"]), there(&world, &["store", "check"]));
            let entries = |ran: &Ran| ran.out.contains("history    0 entries");
            let live = usize::from(is_live(&here)) + usize::from(is_live(&other) && !entries(&other));
            assert!(live <= 1, "{inject}: both are live\n{}{}", here.out, other.out);
            neither += usize::from(live == 0);
            world.run(&copy(&database)).exits(0);
            world.run(&["store", "check"]).fails(78, "T040", &[]);
            let report: Value = there(&world, &["store", "check", "-o", "json"]).exits(0).json();
            assert!(report["live"] == true && report["sealed"].as_u64().unwrap() >= 5, "{inject}: {report:#}");
        }
    }
    assert!(killed > 4, "{killed} killed");
    part.count("copies killed at a call", killed);
    part.count("found with neither of the two live, and finished by the next run", neither);
    part.done();
}

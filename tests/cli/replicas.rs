//! A store in PostgreSQL: the commands on it, and several daemons that share it.

use nix::sys::signal::Signal;
use sqlx::ConnectOptions as _;

use crate::pg;
use crate::serve::Daemon;
use crate::support::World;
use crate::support::until;

/// Puts the world's store into a database.
fn move_to(world: &World, database: &pg::Database) {
    let text = std::fs::read_to_string(world.config()).unwrap();
    let line = text.lines().find(|line| line.starts_with("store = ")).unwrap();
    let url = &database.url;
    world.replace(&world.config(), line, &format!("store = \"{url}\"\nstore_password_file = \"store.password\""));
    let password = world.emulator_dir().join("store.password");
    std::fs::write(&password, pg::PASSWORD).unwrap();
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn count(database: &pg::Database, query: &'static str) -> i64 {
    runtime().block_on(async {
        let mut connection = database.options().connect().await.unwrap();
        sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
    })
}

#[test]
fn what_applies_to_a_database_is_said() {
    let world = World::new();
    let database = runtime().block_on(pg::shared().database());
    move_to(&world, &database);
    world.run(&["store", "check"]).fails(1, "T010", &["no store"]);
    assert_eq!(
        count(&database, "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'"),
        0,
        "who reads founds none"
    );
    world.run(&["plan"]).exits(0);
    let password = world.emulator_dir().join("store.password");
    let chmod = |mode| std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    chmod(0o644);
    let said = world.run(&["store", "check", "-o", "json"]).exits(1).json();
    assert_eq!(said["sound"], false, "a password open to others: {said}");
    chmod(0o600);
    world.run(&["store", "check"]).exits(0).says("all open");
    world.run(&["store", "backup", "b.db"]).fails(78, "T033", &["pg_dump"]);
    world.run(&["store", "restore", "b.db"]).fails(78, "T033", &["pg_dump"]);
    std::fs::write(&password, "not-it").unwrap();
    world.run(&["plan"]).fails(77, "T031", &[]);
    let url = &database.url;
    world.replace(&world.config(), url, "postgres://everkey@127.0.0.1:1/everkey");
    world.run(&["plan"]).fails(69, "T030", &[]);
    world.replace(&world.config(), "@127.0.0.1:1/everkey", "@db.contoso.example/everkey?sslmode=prefer");
    world.run(&["plan"]).fails(78, "T032", &["verify-full"]);
    world.replace(&world.config(), "everkey@db", "everkey:hunter22@db");
    let refused = world.run(&["plan"]).fails(78, "C011", &["P009"]);
    assert!(!format!("{}{}", refused.out, refused.err).contains("hunter22"));
}

/// Nobody waits for an exact time here: whatever the order, each slot is rotated once and nobody late commits.
#[test]
fn a_stopped_and_a_killed_leader_are_followed_and_nothing_is_done_twice() {
    let world = World::new();
    let server = pg::Private::start();
    let database = runtime().block_on(server.database());
    move_to(&world, &database);
    let mut first = Daemon::start_as(&world, "first", &[]);
    first.says("started", 1);
    let mut second = Daemon::start_as(&world, "second", &[]);
    second.says("stands by", 1);
    // Stopped in the middle of its first rotations, with or without a call under way.
    until(|| !world.credentials().is_empty());
    first.signal(Signal::SIGSTOP);
    second.says("leads now", 1);
    second.says("sync ok", 1);
    first.signal(Signal::SIGCONT);
    first.end().exits(75);
    let said = std::fs::read_to_string(world.path().join("first.log")).unwrap();
    assert!(said.contains("error[T012]"), "{said}");

    let mut third = Daemon::start_as(&world, "third", &[]);
    third.says("stands by", 1);
    // The database restarts under both, as after a crash.
    server.crash_and_restart();
    second.signal(Signal::SIGKILL);
    third.says("leads now", 1);
    until(|| {
        count(&database, "SELECT COUNT(*) FROM rotation WHERE is_open = 1 AND state NOT IN ('delivered', 'confirmed')")
            == 0
    });
    third.signal(Signal::SIGTERM);
    third.end().exits(0);

    let rotations = count(&database, "SELECT COUNT(*) FROM rotation");
    let slots = count(&database, "SELECT COUNT(*) FROM (SELECT DISTINCT integration, slot FROM rotation) AS slots");
    assert!(rotations >= 5 && rotations == slots, "{rotations} rotations of {slots} slots");
    // A call whose answer was lost may have left one more, which is swept later and was never delivered.
    let known = count(&database, "SELECT COUNT(*) FROM credential");
    assert_eq!(known, rotations, "one credential a slot was recorded");
    world.run(&["history", "verify"]).exits(0);
    // The right to write was given back at once: nobody waits for a lease to end.
    world.run(&["store", "check"]).exits(0).says("all open");
    assert!(!server.log().contains(pg::PASSWORD));
}

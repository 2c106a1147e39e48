//! A store in PostgreSQL: the commands on it, and several daemons that share it.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::Value;
use sqlx::ConnectOptions as _;

use crate::campaign_ledger::Part;
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

pub fn runtime() -> tokio::runtime::Runtime {
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

/// Rotations that are about to go on. A secret whose answer was lost waits an hour for its next attempt, and a certificate
/// whose upload may still land a quarter of an hour for its proof: nobody waits for those here.
const UNDER_WAY: &str = "SELECT COUNT(*) FROM rotation WHERE is_open = 1 AND \
                         state NOT IN ('verified', 'delivered', 'confirmed', 'unknown') AND NOT (state = 'attached' \
                         AND COALESCE(body::jsonb -> 'ambiguous', '[]'::jsonb) <> '[]'::jsonb)";

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
    // An upgrade waits for it to be ready, and a probe must not take it for dead.
    assert_eq!(second.ask("GET", "/readyz"), (200, "standby".to_owned()));
    assert_eq!(second.ask("GET", "/healthz").0, 200);
    // Stopped in the middle of its first rotations, with or without a call under way.
    until(|| !world.credentials().is_empty());
    first.signal(Signal::SIGSTOP);
    // By the clock of the server: how many leases long nobody leads.
    runtime().block_on(database.tamper("CREATE TABLE stopped AS SELECT clock_timestamp() AS at"));
    second.says("leads now", 1);
    let leases = "SELECT floor(extract(epoch FROM clock_timestamp() - at) / 60)::bigint FROM stopped";
    assert!(count(&database, leases) < 2, "followed within two leases");
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
    until(|| count(&database, UNDER_WAY) == 0);
    third.signal(Signal::SIGTERM);
    third.end().exits(0);

    let rotations = count(&database, "SELECT COUNT(*) FROM rotation");
    let slots = count(&database, "SELECT COUNT(*) FROM (SELECT DISTINCT integration, slot FROM rotation) AS slots");
    assert!(rotations >= 5 && rotations == slots, "{rotations} rotations of {slots} slots");
    // A call whose answer was lost may have left one more, which is swept later and was never delivered.
    let known = count(&database, "SELECT COUNT(*) FROM credential");
    let unknown = count(&database, "SELECT COUNT(*) FROM rotation WHERE state = 'unknown'");
    assert_eq!(known + unknown, rotations, "one credential a slot was recorded, or its answer was lost");
    world.run(&["history", "verify"]).exits(0);
    // The right to write was given back at once: nobody waits for a lease to end.
    world.run(&["store", "check"]).exits(0).says("all open");
    assert!(!server.log().contains(pg::PASSWORD));
}

/// Notes which connection counted a commit under which epoch, in the order of the commits.
const AUDIT: [&str; 3] = [
    "CREATE TABLE audit (seq BIGINT GENERATED BY DEFAULT AS IDENTITY, epoch BIGINT, port INT, at TIMESTAMPTZ)",
    "CREATE FUNCTION audit() RETURNS trigger AS $$ BEGIN IF NEW.id = 1 AND NEW.commits > OLD.commits THEN INSERT INTO \
     audit (epoch, port, at) VALUES (NEW.epoch, inet_client_port(), clock_timestamp()); END IF; RETURN NEW; END $$ LANGUAGE \
     plpgsql",
    "CREATE TRIGGER audit BEFORE UPDATE ON lease FOR EACH ROW EXECUTE FUNCTION audit()",
];

/// Each credential that the tenant was asked to add, by application: the emulator's own log, what was refused left out.
fn added(world: &World) -> BTreeMap<String, usize> {
    let log = world.admin(Method::GET, "log", &Value::Null);
    let mut added = BTreeMap::new();
    for call in log.as_array().unwrap() {
        let path = call["path"].as_str().unwrap();
        if path.ends_with("/addPassword") && call["status"].as_u64().is_none_or(|status| status < 300) {
            *added.entry(path.to_owned()).or_default() += 1;
        }
    }
    added
}

/// No rotation twice, no attempt sent twice, no commit under an epoch that another one had followed.
fn nothing_was_done_twice(world: &World, database: &pg::Database) {
    let rotations = count(database, "SELECT COUNT(*) FROM rotation");
    let slots = count(database, "SELECT COUNT(*) FROM (SELECT DISTINCT integration, slot FROM rotation) AS slots");
    assert_eq!(rotations, slots, "a slot was rotated twice");
    let stale = "SELECT COUNT(*) FROM audit late WHERE EXISTS \
                 (SELECT 1 FROM audit other WHERE other.seq < late.seq AND other.epoch > late.epoch)";
    assert_eq!(count(database, stale), 0, "a commit under an epoch that was over");
    // Every credential in the tenant carries the tag of one attempt in the journal, and no tag is there twice.
    let state = world.state().to_string();
    let tags: Vec<&str> = state.split("[ek1 ").skip(1).filter_map(|rest| rest.split(']').next()).collect();
    let mut once = tags.clone();
    once.sort_unstable();
    once.dedup();
    let bodies: Vec<String> = runtime().block_on(async {
        let mut connection = database.options().connect().await.unwrap();
        sqlx::query_scalar("SELECT body FROM rotation ORDER BY id").fetch_all(&mut connection).await.unwrap()
    });
    let mut attempts = BTreeMap::new();
    for body in &bodies {
        let rotation: Value = serde_json::from_str(body).unwrap();
        let object = rotation["app"]["object_id"].as_str().unwrap().to_owned();
        *attempts.entry(object).or_insert(0) += rotation["attempts"].as_array().unwrap().len();
    }
    for (path, count) in added(world) {
        let of: usize = attempts.iter().filter(|(object, _)| path.contains(object.as_str())).map(|(_, n)| n).sum();
        assert!(count <= of, "{path}: added {count} times in {of} attempts");
    }
    assert_eq!(once.len(), tags.len(), "an attempt was sent twice: {tags:?}");
}

/// What befell those that led.
#[derive(Default)]
struct Befell {
    stopped: usize,
    killed: usize,
    cut: usize,
    restarted: usize,
    worlds: usize,
}

/// One database and its daemons: `points` at which the one that leads is stopped and continued, killed, or cut off, in
/// rotations that are under way.
fn befalls(mut random: Random, points: usize) -> Befell {
    let mut befell = Befell { worlds: 1, ..Befell::default() };
    let world = World::new();
    let server = pg::Private::start();
    let database = runtime().block_on(server.database());
    move_to(&world, &database);
    world.run(&["plan"]).exits(0);
    runtime().block_on(async {
        for statement in AUDIT {
            database.tamper(statement).await;
        }
    });
    let mut named = 0;
    let mut start = |first: bool| {
        named += 1;
        let mut daemon = Daemon::start_as(&world, &format!("d{named}"), &[]);
        daemon.says(if first { "started" } else { "stands by" }, 1);
        daemon
    };
    let mut leader = start(true);
    let mut standing = vec![start(false)];
    // Sometimes three.
    if random.below(2) == 0 {
        standing.push(start(false));
    }
    until(|| !world.credentials().is_empty());
    for _ in 0..points {
        std::thread::sleep(std::time::Duration::from_millis(random.below(6000)));
        let mut dead = false;
        match random.below(10) {
            0..6 => {
                befell.stopped += 1;
                leader.signal(Signal::SIGSTOP);
            }
            6..8 => {
                befell.killed += 1;
                dead = true;
                leader.signal(Signal::SIGKILL);
            }
            8 => {
                befell.cut += 1;
                let cut = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> \
                           pg_backend_pid() AND datname = current_database()";
                count(&database, cut);
                continue;
            }
            _ => {
                befell.restarted += 1;
                server.crash_and_restart();
                continue;
            }
        }
        // As if its minute had passed, by the clock of the server, which is the one that counts.
        runtime().block_on(database.tamper("UPDATE lease SET expires = clock_timestamp()"));
        let next = loop {
            let next = standing.iter().position(|daemon| daemon.said("leads now") > 0);
            if let Some(next) = next {
                break next;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        let mut followed = standing.swap_remove(next);
        followed.says("sync ok", 1);
        if !dead {
            leader.signal(Signal::SIGCONT);
            // Whatever it had in its hands, it stops before it writes anything.
            let ended = leader.end();
            assert_eq!(ended.code, 75, "{}{}", ended.out, ended.err);
        }
        leader = followed;
        standing.push(start(false));
    }
    while count(&database, UNDER_WAY) > 0 {
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    leader.signal(Signal::SIGTERM);
    assert_eq!(leader.end().code, 0);
    nothing_was_done_twice(&world, &database);
    world.run(&["history", "verify"]).exits(0);
    world.run(&["store", "check"]).exits(0).says("all open");
    befell
}

#[test]
fn whatever_happens_to_the_one_that_leads_nothing_is_done_twice() {
    let mut part =
        Part::new("replicas", "Daemons on one PostgreSQL: whatever happens to the leader, nothing is done twice");
    let (worlds, points) = (part.depth(1, 20), part.depth(4, 10));
    // They wait most of the time: all at once.
    let all: Vec<Befell> = std::thread::scope(|scope| {
        let world = |number| scope.spawn(move || befalls(Random(0x2026_1121 + number as u64), points));
        let running: Vec<_> = (0..worlds).map(world).collect();
        running.into_iter().map(|world| world.join().unwrap_or_else(|why| std::panic::resume_unwind(why))).collect()
    });
    let sum = |of: fn(&Befell) -> usize| all.iter().map(of).sum::<usize>();
    part.count("times the leader was stopped for longer than its lease, and went on", sum(|one| one.stopped));
    part.count("times it was killed", sum(|one| one.killed));
    part.count("times all connections were cut", sum(|one| one.cut));
    part.count("times the server crashed and came back", sum(|one| one.restarted));
    part.count("worlds with two or three daemons", sum(|one| one.worlds));
    part.done();
}

/// Numbers that look like chance and are the same each time (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

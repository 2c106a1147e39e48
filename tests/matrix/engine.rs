//! Whole rotations in every cell: the real engine on a manual clock, its journal and sinks; one request of it meets the
//! fault. Whatever happens: consumers keep their access, nothing is lost, one credential is left, and each addPassword
//! that was sent has an attempt of its own in the journal.

use std::sync::Arc;
use std::time::Duration;

use everkey::clock::Clock as _;
use everkey::emulator::Rule;
use everkey::http;
use everkey::rotation::Rules;
use jiff::SignedDuration;
use serde_json::json;
use tokio::task::JoinSet;

use crate::faults;
use crate::faults::Column;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::world::Ended;
use crate::world::World;

/// Method and a part of the path.
type Request = (&'static str, &'static str);

/// A world grows older with every rotation; after so many a new one takes its place.
const ROTATIONS_PER_WORLD: usize = 12;

/// Columns that the adapters show to be like others of the same row: `client` has them all.
const LIKE_OTHERS: [&str; 20] = [
    "200, body array",
    "200, body deep",
    "200, body echo",
    "200, body not-utf8",
    "301 away",
    "302 away",
    "307 within",
    "308 away",
    "400, body deep",
    "400, body not-utf8",
    "403, body empty",
    "403, body html",
    "405",
    "408, applied",
    "410",
    "413",
    "503",
    "503, applied",
    "504",
    "504, applied",
];

/// Columns that differ for a rotation: of the many forms of Retry-After, those that could stop one.
fn columns() -> Vec<Column> {
    let mut all = faults::everywhere("https://127.0.0.1:9/v1.0/x");
    let stops = ["1e+30", "\"date+30\"", "\"soon\""];
    all.retain(|one| !one.name.contains("Retry-After: ") || stops.iter().any(|stop| one.name.ends_with(stop)));
    let before = all.len();
    all.retain(|one| !LIKE_OTHERS.contains(&one.name.as_str()));
    assert_eq!(before - all.len(), LIKE_OTHERS.len(), "a column was renamed");
    all
}

/// The lab, with a client that gives up soon.
async fn hurried() -> Arc<Lab> {
    let lab = Arc::into_inner(Lab::start().await).unwrap();
    let ca_pem = Some(lab.emulator.ca_pem().as_bytes().to_vec());
    let timeout = Duration::from_millis(1_000);
    let client = http::Client::new(&http::Options { ca_pem, timeout, ..http::Options::default() }).unwrap();
    Arc::new(Lab { client, ..lab })
}

/// A world in which the first credential is in place.
async fn issued(lab: &Arc<Lab>, kind: Kind) -> World {
    let world = World::new(lab, kind);
    assert_eq!(world.live(None, Rules::default(), 1).await.0, Ended::Converged, "{kind:?}");
    world
}

/// Late calls land, and the next tick sees what came of them.
async fn settle(world: &World) {
    world.jump(world.clock.now() + SignedDuration::from_mins(20));
    world.visit().await;
    world.jump(world.clock.now() + SignedDuration::from_mins(20));
}

/// What the log tells of addPassword: nothing beside it, and no more of them than attempts.
async fn sent(world: &World) -> Vec<String> {
    let log = world.lab.emulator.log();
    let adds = || log.iter().filter(|entry| entry.path.ends_with("/addPassword"));
    let mut wrong: Vec<String> = adds()
        .filter(|entry| entry.beside > 0)
        .map(|entry| format!("TWO addPassword in flight (request {})", entry.number))
        .collect();
    let rotations = world.rotations().await;
    let attempts = rotations.last().map_or(0, |rotation| rotation.attempts.len());
    // A token that was not accepted is renewed, and the call made again: it had no effect.
    let effective = adds().filter(|entry| entry.status != Some(401)).count();
    if effective > attempts {
        wrong.push(format!("addPassword was SENT {effective} times for {attempts} attempts"));
    }
    wrong
}

/// All columns for one request of one kind of credential; how many, and what is wrong.
async fn row_of_cells(kind: Kind, (method, path): Request) -> (usize, Vec<String>) {
    let lab = hurried().await;
    let mut world = issued(&lab, kind).await;
    let (mut done, mut wrong) = (1, Vec::new());
    let columns = columns();
    for column in &columns {
        if done > ROTATIONS_PER_WORLD {
            world = issued(&lab, kind).await;
            done = 1;
        }
        lab.emulator.clear_log();
        let rule = json!({"method": method, "path_contains": path, "effect": column.effect});
        lab.emulator.inject(serde_json::from_value::<Rule>(rule).unwrap());
        world.recover(Rules::default(), done + 1).await;
        let met = lab.emulator.faults_waiting() == 0;
        lab.emulator.clear_faults();
        settle(&world).await;
        let mut violations = world.verdict().await;
        violations.extend(sent(&world).await);
        if !met {
            violations.push("the fault was not met".to_owned());
        }
        done += 1;
        if !violations.is_empty() {
            wrong.push(format!("{kind:?} {method} {path} x {}:\n  {}", column.name, violations.join("\n  ")));
            done = usize::MAX;
        }
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
    }
    (columns.len(), wrong)
}

#[expect(clippy::print_stdout, reason = "the count is what a reader of the test wants to see")]
async fn matrix(rows: &[(Kind, Request)], least: usize) {
    let mut running: JoinSet<_> = rows.iter().map(|(kind, request)| row_of_cells(*kind, *request)).collect();
    let (mut cells, mut wrong) = (0, Vec::new());
    while let Some(done) = running.join_next().await {
        let (count, mut bad) = done.unwrap();
        cells += count;
        wrong.append(&mut bad);
    }
    println!("{cells} cells, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{} of {cells} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells >= least, "{cells} cells");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_survives_each_fault_of_its_writes() {
    let rows = [("POST", "/addPassword"), ("POST", "/removePassword")];
    matrix(&rows.map(|request| (Kind::Secret, request)), 2 * 34).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_survives_each_fault_of_its_reads() {
    let rows = [("POST", "/token"), ("GET", "/applications/"), ("GET", "/servicePrincipals")];
    matrix(&rows.map(|request| (Kind::Secret, request)), 3 * 34).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_survives_each_fault_of_its_proofs() {
    let rows = [("POST", "/addKey"), ("POST", "/removeKey")];
    matrix(&rows.map(|request| (Kind::AddKey, request)), 2 * 34).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_survives_each_fault_of_its_patches() {
    let rows = [("PATCH", "/applications/"), ("GET", "/applications/")];
    matrix(&rows.map(|request| (Kind::Patch, request)), 2 * 34).await;
}

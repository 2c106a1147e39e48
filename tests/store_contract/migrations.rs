//! Stores of every released schema, filled and in the middle of a rotation: brought up to date with everything in them,
//! whatever stops it on the way.

use std::path::PathBuf;
use std::process::Command;

use everkey::ports::Store;
use everkey::ports::StoreError;
use everkey::secret::Secret;
use everkey::store::Options;
use everkey::store::Postgres;
use everkey::store::Server;
use everkey::store::Sqlite;

use crate::campaign_ledger::Part;
use crate::contract::everything;
use crate::crash::STORE;
use crate::crash::in_child;
use crate::pg;
use crate::postgres;
use crate::proxy::At;
use crate::proxy::Loss;
use crate::proxy::Proxy;
use crate::samples::now;
use crate::samples::one_of_everything;
use crate::sqlite::Place;
use crate::sqlite::key;

/// What leads back from each schema to the one before it; the newest first.
const BACK: [&[&str]; 1] = [&["DROP TABLE mark", "DELETE FROM schema_version WHERE version = 2"]];

/// With two of everything, one of its rotations half done.
async fn fill(store: &dyn Store) -> String {
    let fence = store.acquire("test", now()).await.unwrap();
    for id in [1, 2] {
        store.next_rotation(fence).await.unwrap();
        store.commit(fence, one_of_everything(id)).await.unwrap();
    }
    store.release(fence).await.unwrap();
    everything(store).await
}

/// A store in a file, of the schema that so many steps lead back to.
async fn file(steps: usize) -> (Place, String) {
    let place = Place::new();
    let before = fill(&place.store().await).await;
    for statement in BACK.iter().take(steps).copied().flatten() {
        place.tamper((*statement).to_owned()).await;
    }
    (place, before)
}

async fn database(steps: usize) -> (pg::Database, String) {
    let database = pg::shared().database().await;
    let before = fill(&open(&database).await.unwrap()).await;
    for statement in BACK.iter().take(steps).copied().flatten() {
        database.tamper(statement).await;
    }
    (database, before)
}

async fn open(database: &pg::Database) -> Result<Postgres, StoreError> {
    let password = Secret::from_text(pg::PASSWORD.to_owned());
    Postgres::open(&Server::new(&database.url, Some(&password)).unwrap(), key()).await
}

/// The steps back lead to what the released migrations made.
#[tokio::test]
async fn a_step_back_is_the_schema_as_it_was_released() {
    let migrations = |folder: &str| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|file| std::fs::read_to_string(file).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(migrations("sqlite").len(), BACK.len() + 1, "a step back for every schema but the first");
    for steps in 0..=BACK.len() {
        let (place, _) = file(steps).await;
        let made = Place::new();
        std::fs::File::create(made.path()).unwrap();
        for text in &migrations("sqlite")[..=BACK.len() - steps] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(text.clone())).execute(&mut made.raw().await).await.unwrap();
        }
        let schema = "SELECT COALESCE(group_concat(sql, ';'), '') FROM (SELECT sql FROM sqlite_master WHERE tbl_name <> \
                      'schema_version' AND sql IS NOT NULL ORDER BY name)";
        let mut schemas: Vec<String> = Vec::new();
        for place in [&place, &made] {
            schemas.push(sqlx::query_scalar(schema).fetch_one(&mut place.raw().await).await.unwrap());
        }
        assert_eq!(schemas[0], schemas[1]);

        let (database, _) = database(steps).await;
        let made = pg::shared().database().await;
        for text in &migrations("postgres")[..=BACK.len() - steps] {
            made.tamper_all(text).await;
        }
        let schema = "SELECT string_agg(table_name || '.' || column_name || ' ' || data_type || is_nullable, ';' ORDER BY \
                      table_name, column_name) FROM information_schema.columns WHERE table_schema = 'public' AND \
                      table_name <> 'schema_version'";
        assert_eq!(database.ask::<String>(schema).await, made.ask::<String>(schema).await);
        let indices = "SELECT string_agg(indexdef, ';' ORDER BY indexdef) FROM pg_indexes WHERE schemaname = 'public' AND \
                       tablename <> 'schema_version'";
        assert_eq!(database.ask::<String>(indices).await, made.ask::<String>(indices).await);
    }
}

async fn open_once(path: PathBuf) {
    Sqlite::open(&path, key(), Options::default()).await.unwrap();
}

#[tokio::test]
async fn a_migration_of_a_file_killed_at_any_write_is_whole_or_absent() {
    if let Some(path) = in_child() {
        return open_once(path).await;
    }
    let name = "migrations::a_migration_of_a_file_killed_at_any_write_is_whole_or_absent";
    let mut part = Part::new("migration-killed", "A schema migration that is killed at any write is whole or absent");
    let (mut killed, mut old, mut new) = (0, 0, 0);
    for steps in 1..=BACK.len() {
        for call in ["pwrite64", "fdatasync,fsync"] {
            for at in 1.. {
                let (place, before) = file(steps).await;
                let mut command = Command::new("strace");
                let inject = format!("inject={call}:signal=KILL:when={at}");
                command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
                command.arg(std::env::current_exe().unwrap()).args(["--exact", name]).env(STORE, place.path());
                let ended = command.output().unwrap().status.success();
                if ended {
                    break;
                }
                killed += 1;
                let version: i64 = sqlx::query_scalar("SELECT MAX(version) FROM schema_version")
                    .fetch_one(&mut place.raw().await)
                    .await
                    .unwrap();
                let is_new = usize::try_from(version).unwrap() > BACK.len() + 1 - steps;
                new += usize::from(is_new);
                old += usize::from(!is_new);
                let store = place.store().await;
                assert_eq!(everything(&store).await, before, "{call} {at}");
                assert!(store.examine().await.unwrap().is_sound());
                let fence = store.acquire("test", now()).await.unwrap();
                store.commit(fence, one_of_everything(3)).await.unwrap();
            }
        }
    }
    assert!(old > 0 && new > 0, "{killed} killed: {old} at the schema before, {new} at the next");
    part.count("migrations killed at a write", killed);
    part.done();
}

#[tokio::test]
async fn a_migration_of_a_database_cut_at_any_message_is_whole_or_absent() {
    let mut part = Part::new("migration-cut", "A schema migration on PostgreSQL that is cut is whole or absent");
    let mut cut = 0;
    for steps in 1..=BACK.len() {
        let (first, _) = database(steps).await;
        let proxy = Proxy::start(first.port());
        open(&first.by(proxy.port)).await.unwrap();
        let (messages, commits) = proxy.seen();
        let mut points: Vec<At> = (1..=commits).map(At::Commit).collect();
        let more = part.depth(4, messages);
        points.extend((1..=more).map(|point| At::Message(point * messages / more)));
        for at in points {
            for loss in [Loss::Before, Loss::After] {
                let (place, before) = database(steps).await;
                proxy.heal();
                proxy.lose(at, loss);
                let ended = open(&place.by(proxy.port)).await.map(drop);
                cut += usize::from(proxy.has_hit());
                assert!(matches!(ended, Ok(()) | Err(StoreError::Unreachable(_))), "{at:?} {loss:?}: {ended:?}");
                proxy.heal();
                let store = open(&place).await.unwrap();
                assert_eq!(everything(&store).await, before, "{at:?} {loss:?}");
                assert!(store.examine().await.unwrap().is_sound());
                let fence = store.acquire("test", now()).await.unwrap();
                store.commit(fence, one_of_everything(3)).await.unwrap();
            }
        }
    }
    assert!(cut > 4, "{cut} cut");
    part.count("migrations cut at a message", cut);
    part.done();
}

/// An everkey that does not know the schema refuses it, in both databases, and changes nothing.
#[tokio::test]
async fn an_older_everkey_refuses_a_newer_schema() {
    let later = "INSERT INTO schema_version (version, name) VALUES (99, 'later')";
    let (place, _) = file(0).await;
    place.tamper(later.to_owned()).await;
    let refused = Sqlite::open(&place.path(), key(), Options { any_standing: true, ..Options::default() }).await;
    assert!(matches!(refused, Err(StoreError::Failed(why)) if why.contains("newer everkey")));
    let version: i64 =
        sqlx::query_scalar("SELECT MAX(version) FROM schema_version").fetch_one(&mut place.raw().await).await.unwrap();
    assert_eq!(version, 99);
    let place = postgres::Place::new();
    place.store().await;
    place.database().await.tamper(later).await;
    let refused = Postgres::open_any(&place.server().await, key()).await;
    assert!(matches!(refused, Err(StoreError::Failed(why)) if why.contains("newer everkey")));
    assert_eq!(place.database().await.ask::<i64>("SELECT MAX(version) FROM schema_version").await, 99);
}

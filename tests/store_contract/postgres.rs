//! What the store on PostgreSQL promises beyond the contract: its leases, its connections, its server's log.

use std::sync::Arc;

use async_trait::async_trait;
use everkey::clock::Clock as _;
use everkey::clock::SystemClock;
use everkey::model::State;
use everkey::ports::Commit;
use everkey::ports::Store;
use everkey::ports::StoreError;
use everkey::secret::Secret;
use everkey::store::Postgres;
use everkey::store::SealKey;
use everkey::store::Server;
use jiff::SignedDuration;
use tokio::sync::OnceCell;

use crate::contract::Bench;
use crate::contract::everything;
use crate::contract::held;
use crate::pg;
use crate::samples::entry;
use crate::samples::moved;
use crate::samples::now;
use crate::samples::one_of_everything;
use crate::samples::rotation;
use crate::samples::seal_item;
use crate::sqlite::key;

/// A database with a store.
#[derive(Default)]
pub struct Place(OnceCell<pg::Database>);

impl Place {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn on(database: pg::Database) -> Self {
        Self(OnceCell::new_with(Some(database)))
    }

    pub async fn database(&self) -> &pg::Database {
        self.0.get_or_init(async || pg::shared().database().await).await
    }

    pub async fn server(&self) -> Server {
        let password = Secret::from_text(format!("{}\n", pg::PASSWORD));
        Server::new(&self.database().await.url, Some(&password)).unwrap()
    }

    pub async fn store(&self) -> Postgres {
        Postgres::open(&self.server().await, key()).await.unwrap()
    }

    /// As if a lease's minute had passed.
    async fn let_leases_end(&self) {
        let ended = "UPDATE lease SET expires = clock_timestamp() - interval '1 second' WHERE holder IS NOT NULL";
        assert!(self.database().await.tamper(ended).await > 0);
    }
}

#[async_trait]
impl Bench for Place {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store().await)
    }
}

#[tokio::test]
async fn whoever_slept_past_the_lease_is_fenced_at_every_call() {
    let place = Place::new();
    let (one, stale) = held(&place).await;
    one.commit(stale, one_of_everything(1)).await.unwrap();
    let two = place.open().await;
    assert!(matches!(two.acquire("two", now()).await, Err(StoreError::Held { holder, .. }) if holder == "test"));
    place.let_leases_end().await;
    // Nobody has taken it: it is still the first one's, and begins anew.
    one.check_fence(stale).await.unwrap();
    assert!(matches!(two.acquire("two", now()).await, Err(StoreError::Held { .. })));
    place.let_leases_end().await;
    let fence = two.acquire("two", now()).await.unwrap();
    assert!(fence.0 > stale.0);
    let before = everything(&*two).await;
    let late = Commit {
        rotation: Some(moved(&rotation(1, "slot-1"), State::Ready)),
        entries: vec![entry(1, "late")],
        ..Commit::new(now(), "one")
    };
    assert!(matches!(one.commit(stale, late).await, Err(StoreError::Fenced)));
    assert!(matches!(one.check_fence(stale).await, Err(StoreError::Fenced)));
    assert!(matches!(one.preflight(stale).await, Err(StoreError::Fenced)));
    assert_eq!(everything(&*two).await, before);
    // What it gives back when it goes is not what the other has.
    drop(one);
    two.check_fence(fence).await.unwrap();
}

#[tokio::test]
async fn one_daemon_leads_and_one_that_lost_the_lead_does_not_write() {
    let place = Place::new();
    let (one, two) = (place.open().await, place.open().await);
    one.lead("one", now()).await.unwrap();
    assert!(matches!(two.lead("two", now()).await, Err(StoreError::Held { holder, .. }) if holder == "one"));
    // A person's command writes between two cycles of the daemon.
    let person = place.open().await;
    let fence = person.acquire("person", now()).await.unwrap();
    person.release(fence).await.unwrap();
    let fence = one.acquire("one", now()).await.unwrap();
    one.release(fence).await.unwrap();

    place.let_leases_end().await;
    assert!(!one.is_overtaken());
    two.lead("two", now()).await.unwrap();
    assert!(matches!(one.acquire("one", now()).await, Err(StoreError::Fenced)));
    // Whoever has nothing to do learns of it with the next renewal, and does not linger.
    while !one.is_overtaken() {
        SystemClock.sleep_until(SystemClock.now() + SignedDuration::from_millis(200)).await;
    }
    assert!(!two.is_overtaken());
    let fence = two.acquire("two", now()).await.unwrap();
    two.commit(fence, one_of_everything(1)).await.unwrap();
    // Going away gives both rights back at once.
    drop(two);
    place.open().await.lead("three", now()).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_cut_is_made_again_and_the_fence_holds() {
    let place = Place::new();
    let (store, fence) = held(&place).await;
    for id in 1..6 {
        store.commit(fence, one_of_everything(id)).await.unwrap();
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = \
                   current_database()";
        assert!(place.database().await.tamper(cut).await > 0);
        store.check_fence(fence).await.unwrap();
    }
    assert_eq!(store.history(None).await.unwrap().len(), 10);
    assert_eq!(store.verify_history().await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_crashes_keeps_what_it_acknowledged() {
    let server = pg::Private::start();
    let place = Place::on(server.database().await);
    let (store, fence) = held(&place).await;
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let before = everything(&*store).await;
    server.crash_and_restart();
    store.check_fence(fence).await.unwrap();
    assert_eq!(everything(&*store).await, before);
    store.commit(fence, one_of_everything(2)).await.unwrap();
    assert_eq!(store.verify_history().await.unwrap(), None);
}

#[tokio::test]
async fn notes_and_commits_beside_each_other_make_one_chain() {
    let place = Place::new();
    let (store, fence) = held(&place).await;
    let writers: Vec<_> = (1..9)
        .map(|id| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.commit(fence, one_of_everything(id)).await.unwrap() })
        })
        .collect();
    let other = place.store().await;
    for id in 1..9 {
        other.note(now(), "root", &entry(id, "noted")).await.unwrap();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let found = other.examine().await.unwrap();
    assert!(found.is_sound() && found.entries == 24 && found.sealed == 8, "{found:?}");
}

#[tokio::test]
async fn sealed_anew_under_another_key() {
    let place = Place::new();
    let early = place.store().await;
    let store = place.store().await;
    let fence = store.acquire("one", now()).await.unwrap();
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let new = || SealKey::read(Secret::from_text("51ea".repeat(16))).unwrap();
    assert_eq!(store.reseal(fence, &new(), now(), "root", &entry(1, "resealed")).await.unwrap(), 1);
    store.release(fence).await.unwrap();
    assert!(matches!(early.acquire("two", now()).await, Err(StoreError::Key(_))));
    assert!(matches!(Postgres::open(&place.server().await, key()).await, Err(StoreError::Key(_))));
    let resealed = Postgres::open(&place.server().await, new()).await.unwrap();
    resealed.acquire("three", now()).await.expect("the refused one left no lease behind");
    assert!(resealed.examine().await.unwrap().is_sound());
}

#[tokio::test]
async fn wrong_password_no_database_and_no_server_are_told_apart() {
    let place = Place::new();
    let url = place.database().await.url.clone();
    let open = async |url: &str, password: &str| {
        let server = Server::new(url, Some(&Secret::from_text(password.to_owned()))).unwrap();
        Postgres::open(&server, key()).await.map(drop)
    };
    assert!(matches!(open(&url, "not-it").await, Err(StoreError::Denied(why)) if !why.contains("not-it")));
    let elsewhere = url.replace("/t", "/none-t");
    assert!(matches!(open(&elsewhere, pg::PASSWORD).await, Err(StoreError::Denied(_))));
    assert!(matches!(open("postgres://e@127.0.0.1:1/e", pg::PASSWORD).await, Err(StoreError::Unreachable(_))));
    place.database().await.tamper("CREATE TABLE theirs (id INT)").await;
    assert!(matches!(open(&url, pg::PASSWORD).await, Err(StoreError::Failed(why)) if why.contains("another program")));
}

#[tokio::test]
async fn a_store_of_the_first_schema_is_brought_up_to_date_with_everything_in_it() {
    let place = Place::new();
    let (store, fence) = held(&place).await;
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let before = everything(&*store).await;
    drop(store);
    let database = place.database().await;
    database.tamper("DROP TABLE mark").await;
    database.tamper("DELETE FROM schema_version WHERE version = 2").await;
    let (one, two) = tokio::join!(place.store(), place.store());
    for store in [one, two] {
        assert_eq!(everything(&store).await, before);
        assert_eq!(store.marks("").await.unwrap(), []);
        assert!(store.examine().await.unwrap().is_sound());
    }
    database.tamper("INSERT INTO schema_version (version, name) VALUES (99, 'later')").await;
    let refused = Postgres::open(&place.server().await, key()).await;
    assert!(matches!(refused, Err(StoreError::Failed(why)) if why.contains("newer everkey")));
}

#[tokio::test]
async fn no_value_and_no_password_reaches_the_log_of_the_server() {
    let server = pg::Private::start();
    let place = Place::on(server.database().await);
    let (store, fence) = held(&place).await;
    let mut commit = one_of_everything(1);
    commit.seal.push(seal_item("1/1/pfx", &"Q3z8Q~canary".repeat(100)));
    let mut again = Commit::new(now(), "everkey");
    again.seal.push(seal_item("1/1/pfx", "Q3z8Q~canary"));
    store.commit(fence, commit).await.unwrap();
    assert!(store.commit(fence, again).await.is_err());
    store.unseal(&"1/1/pfx".into(), &crate::samples::app()).await.unwrap();
    store.preflight(fence).await.unwrap();
    let log = server.log();
    assert!(log.contains("INSERT INTO sealed") && log.contains("1/1/pfx"), "statements and parameters are logged");
    let hex: String = b"Q3z8Q~canary".iter().map(|byte| format!("{byte:02x}")).collect();
    for canary in ["Q3z8Q~canary", "Q3z8Q~value", &hex, pg::PASSWORD] {
        assert!(!log.contains(canary), "{canary}");
    }
}

//! PostgreSQL behind a line that is cut, hangs and refuses: a commit is whole or absent, one that was acknowledged is
//! there, and the store looks instead of assuming.

use everkey::ports::Store;
use everkey::ports::StoreError;
use everkey::secret::Secret;
use everkey::store::Postgres;
use everkey::store::Server;

use crate::campaign_ledger::Part;
use crate::crash::numbered;
use crate::crash::whole_commits;
use crate::pg;
use crate::postgres::Place;
use crate::proxy::At;
use crate::proxy::Loss;
use crate::proxy::Proxy;
use crate::samples::now;
use crate::sqlite::key;

async fn open(database: &pg::Database) -> Result<Postgres, StoreError> {
    let password = Secret::from_text(pg::PASSWORD.to_owned());
    Postgres::open(&Server::new(&database.url, Some(&password)).unwrap(), key()).await
}

/// Two rotations and what goes with them; `done` has those that were acknowledged.
async fn script(database: &pg::Database, done: &mut Vec<u64>) -> Result<(), StoreError> {
    let store = open(database).await?;
    let fence = store.acquire("test", now()).await?;
    let mut before = store.unfinished().await?.last().map(|rotation| rotation.id.0);
    for _ in 0..2 {
        let id = store.next_rotation(fence).await?.0;
        store.check_fence(fence).await?;
        store.commit(fence, numbered(id, before)).await?;
        done.push(id);
        before = Some(id);
        store.mark_sent(fence, &format!("n-{id}"), now()).await?;
    }
    store.preflight(fence).await?;
    store.release(fence).await
}

/// As if a lease's minute had passed.
async fn let_leases_end(database: &pg::Database) {
    database.tamper("UPDATE lease SET expires = clock_timestamp()").await;
}

#[tokio::test]
async fn a_line_cut_at_any_message_leaves_whole_commits_and_the_next_run_goes_on() {
    let mut part =
        Part::new("postgres-cuts", "A connection to PostgreSQL that is cut at any message loses and doubles no commit");
    let database = pg::shared().database().await;
    let proxy = Proxy::start(database.port());
    let by = database.by(proxy.port);
    script(&by, &mut Vec::new()).await.unwrap();
    proxy.heal();
    script(&by, &mut Vec::new()).await.unwrap();
    let (messages, commits) = proxy.seen();
    assert!(messages > 60 && commits >= 7, "{messages} messages, {commits} commits");

    let mut points: Vec<At> = (1..=commits).map(At::Commit).collect();
    let more = part.depth(12, messages);
    points.extend((1..=more).map(|point| At::Message(point * messages / more)));
    let (mut cut, mut refused, mut lost_but_there, mut lost_and_absent) = (0, 0, 0, 0);
    for at in points {
        for loss in [Loss::Before, Loss::After] {
            database.empty().await;
            proxy.lose(at, loss);
            let mut done = Vec::new();
            let ended = script(&by, &mut done).await;
            cut += usize::from(proxy.has_hit());
            proxy.heal();
            match &ended {
                Ok(()) => {}
                Err(StoreError::Unreachable(_)) => refused += 1,
                Err(other) => panic!("{at:?} {loss:?}: {other:?}"),
            }
            // It is looked at from elsewhere.
            let direct = open(&database).await.unwrap();
            let there = whole_commits(&direct).await;
            assert!(done.iter().all(|id| there.contains(id)), "{at:?} {loss:?}: {done:?} of {there:?}");
            let unasked = there.len() - done.len();
            assert!(unasked <= 1, "{at:?} {loss:?}: {done:?} of {there:?}");
            if matches!(at, At::Commit(_)) && ended.is_err() {
                lost_but_there += unasked;
                lost_and_absent += usize::from(unasked == 0);
            }
            assert!(loss == Loss::After || unasked == 0, "{at:?}: what never arrived is there");
            drop(direct);
            // The next life goes on, with numbers of its own.
            let_leases_end(&database).await;
            script(&by, &mut done).await.unwrap_or_else(|error| panic!("{at:?} {loss:?}: {error}"));
            let direct = open(&database).await.unwrap();
            assert_eq!(whole_commits(&direct).await.len(), there.len() + 2);
        }
    }
    assert!(lost_but_there >= 2 && lost_and_absent > 0, "{lost_but_there} there, {lost_and_absent} absent");
    assert!(cut > 30 && refused > 20, "{cut} cut, {refused} refused");
    part.count("messages lost, before they arrived and after", cut);
    part.count("commits that were there although their answer was lost", lost_but_there);
    part.done();
}

/// A handle that lives on: the same connection is made again, and what may have happened is looked at.
#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_seen_by_whoever_looks_and_is_not_done_again() {
    let database = pg::shared().database().await;
    let proxy = Proxy::start(database.port());
    let store = open(&database.by(proxy.port)).await.unwrap();
    let fence = store.acquire("test", now()).await.unwrap();
    for (id, loss) in [(1, Loss::Before), (2, Loss::After)] {
        proxy.lose(At::Commit(1), loss);
        let lost = store.commit(fence, numbered(id, None)).await;
        assert!(matches!(lost, Err(StoreError::Unreachable(_))), "{lost:?}");
        let there = store.rotation(everkey::model::RotationId(id)).await.unwrap();
        assert_eq!(there.is_some(), loss == Loss::After, "the store looks");
        let again = store.commit(fence, numbered(id, None)).await;
        // The condition on the version holds whoever assumed that nothing had happened.
        assert_eq!(matches!(again, Err(StoreError::Fenced)), loss == Loss::After, "{again:?}");
    }
    assert_eq!(store.history(None).await.unwrap().len(), 4);
    assert_eq!(store.verify_history().await.unwrap(), None);
}

/// A server that says nothing any more keeps nobody longer than a lease lasts.
#[tokio::test]
async fn a_server_that_hangs_is_given_up_before_the_lease_ends() {
    let hung = async |loss: Loss| {
        let database = pg::shared().database().await;
        let proxy = Proxy::start(database.port());
        let store = open(&database.by(proxy.port)).await.unwrap();
        let fence = store.acquire("test", now()).await.unwrap();
        store.commit(fence, numbered(1, None)).await.unwrap();
        proxy.lose(At::Commit(1), loss);
        let given_up = store.commit(fence, numbered(2, Some(1))).await;
        assert!(matches!(&given_up, Err(StoreError::Unreachable(_))), "{given_up:?}");
        // The server knows that it is still this one's: nobody else has come in between.
        let other = open(&database).await.unwrap();
        let left = "SELECT expires > clock_timestamp() FROM lease WHERE id = 1";
        assert!(database.ask::<bool>(left).await, "the lease has not ended before the call");
        assert!(matches!(other.acquire("other", now()).await, Err(StoreError::Held { .. })));
        proxy.heal();
        store.check_fence(fence).await.unwrap();
        let there = whole_commits(&store).await;
        assert_eq!(there.contains(&2), loss == Loss::HangAfter, "{there:?}");
        store.commit(fence, numbered(3, there.last().copied())).await.unwrap();
    };
    tokio::join!(hung(Loss::Hang), hung(Loss::HangAfter));
}

/// Makes the server refuse the first `times` transactions with `code`, when they write or when they commit.
async fn refuse(database: &pg::Database, code: &str, times: u32, at_commit: bool) {
    database.tamper("DROP SEQUENCE IF EXISTS refused CASCADE").await;
    database.tamper("CREATE SEQUENCE refused").await;
    let function = format!(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger AS $$ BEGIN IF nextval('refused') <= {times} THEN RAISE \
         EXCEPTION 'made for the test' USING ERRCODE = '{code}'; END IF; RETURN NEW; END $$ LANGUAGE plpgsql"
    );
    database.tamper(&function).await;
    database.tamper("DROP TRIGGER IF EXISTS refuse ON rotation").await;
    let when = if at_commit {
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON rotation DEFERRABLE INITIALLY DEFERRED"
    } else {
        "CREATE TRIGGER refuse BEFORE INSERT ON rotation"
    };
    database.tamper(&format!("{when} FOR EACH ROW EXECUTE FUNCTION refuse()")).await;
}

#[tokio::test]
async fn what_the_server_refuses_is_asked_again_or_told_and_never_half_done() {
    let place = Place::new();
    let database = place.database().await;
    let store = open(database).await.unwrap();
    let fence = store.acquire("test", now()).await.unwrap();
    let mut id = 0;
    let commit = async |id: u64| {
        let before = whole_commits(&store).await.last().copied();
        store.commit(fence, numbered(id, before)).await
    };
    for at_commit in [false, true] {
        // A conflict with somebody else's write: nothing was taken, and the same is asked again.
        for code in ["40001", "40P01"] {
            refuse(database, code, 3, at_commit).await;
            id += 1;
            commit(id).await.unwrap();
            assert_eq!(database.ask::<i64>("SELECT nextval('refused')").await, 5, "asked four times");
        }
        // Not for ever.
        refuse(database, "40001", 100, at_commit).await;
        let there = whole_commits(&store).await;
        assert!(matches!(commit(id + 1).await, Err(StoreError::Busy(_))));
        assert_eq!(whole_commits(&store).await, there);
        // A full disk, too many connections, a server that goes down: told at once.
        for (code, word) in [("53100", "full"), ("53300", "made for the test"), ("57P01", "made for the test")] {
            refuse(database, code, 1, at_commit).await;
            let told = commit(id + 1).await.unwrap_err();
            assert!(told.to_string().contains(word), "{code}: {told}");
            assert_eq!(matches!(told, StoreError::Failed(_)), code == "53100", "{code}: {told:?}");
            assert_eq!(whole_commits(&store).await, there, "{code}: nothing is half there");
            assert_eq!(database.ask::<i64>("SELECT nextval('refused')").await, 2, "{code}: asked once");
        }
    }
    database.tamper("DROP TRIGGER refuse ON rotation").await;
    commit(id + 1).await.unwrap();
    store.check_fence(fence).await.unwrap();
}

/// After a failover the old server takes no writes; it is left, and whoever comes back finds everything.
#[tokio::test]
async fn a_server_that_becomes_a_standby_is_left_and_one_that_leads_again_is_taken() {
    let server = pg::Private::start();
    let database = server.database().await;
    let proxy = Proxy::start(database.port());
    let store = open(&database.by(proxy.port)).await.unwrap();
    let fence = store.acquire("test", now()).await.unwrap();
    store.commit(fence, numbered(1, None)).await.unwrap();
    server.be_standby(true);
    for _ in 0..2 {
        let told = store.commit(fence, numbered(2, Some(1))).await.unwrap_err();
        assert!(matches!(&told, StoreError::Unreachable(why) if why.contains("no writes")), "{told:?}");
        let told = store.check_fence(fence).await.unwrap_err();
        assert!(matches!(&told, StoreError::Unreachable(why) if why.contains("no writes")), "{told:?}");
    }
    // Its name may stand for another server by now: each call connects anew.
    let connections = proxy.connections();
    store.check_fence(fence).await.unwrap_err();
    assert!(proxy.connections() > connections);
    assert!(matches!(open(&database).await, Err(StoreError::Failed(why)) if why.contains("standby")));
    server.be_standby(false);
    store.check_fence(fence).await.unwrap();
    store.commit(fence, numbered(2, Some(1))).await.unwrap();
    assert_eq!(whole_commits(&store).await, [1, 2]);
}

//! A store that moves: nothing is missing, both databases are never live at once, whatever stops it and wherever.

use std::future::Future;
use std::pin::Pin;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use everkey::model::CredentialStatus;
use everkey::ports::Commit;
use everkey::ports::Mark;
use everkey::ports::StoreError;
use everkey::secret::Secret;
use everkey::store::Care;
use everkey::store::Copied;
use everkey::store::Copying;
use everkey::store::Options;
use everkey::store::Postgres;
use everkey::store::SealKey;
use everkey::store::Sqlite;
use everkey::store::Stage;
use everkey::store::Standing;
use everkey::store::copy;

use crate::campaign_ledger::Part;
use crate::contract::everything;
use crate::pg;
use crate::postgres;
use crate::samples::credential;
use crate::samples::entry;
use crate::samples::now;
use crate::samples::one_of_everything;
use crate::sqlite;
use crate::sqlite::key;

const ANY: fn() -> Options = || Options { any_standing: true, ..Options::default() };

/// Either kind of place.
enum Place {
    File(sqlite::Place),
    Server(postgres::Place),
}

impl Place {
    fn file() -> Self {
        Self::File(sqlite::Place::new())
    }

    /// In a language whose order is not that of the bytes.
    async fn server() -> Self {
        Self::Server(postgres::Place::on(pg::shared().database_in("en-US").await))
    }

    async fn any(&self) -> Box<dyn Care> {
        match self {
            Self::File(place) => Box::new(Sqlite::open(&place.path(), key(), ANY()).await.unwrap()),
            Self::Server(place) => Box::new(Postgres::open_any(&place.server().await, key()).await.unwrap()),
        }
    }

    /// As every command opens it.
    async fn live(&self) -> Result<Box<dyn Care>, StoreError> {
        Ok(match self {
            Self::File(place) => Box::new(Sqlite::open(&place.path(), key(), Options::default()).await?),
            Self::Server(place) => Box::new(Postgres::open(&place.server().await, key()).await?),
        })
    }

    /// What a process left behind that was killed ends by itself after a minute.
    async fn let_leases_end(&self) {
        if let Self::Server(place) = self {
            // It may have been stopped before there was anything.
            drop(self.any().await);
            let ended = "UPDATE lease SET expires = clock_timestamp() - interval '1 second'";
            place.database().await.tamper(ended).await;
        }
    }
}

/// With two of everything, texts whose order differs between languages, and marks.
async fn fill(place: &Place) {
    let store = place.live().await.unwrap();
    let fence = store.acquire("test", now()).await.unwrap();
    for id in [1, 2] {
        assert_eq!(store.next_rotation(fence).await.unwrap().0, id);
        store.commit(fence, one_of_everything(id)).await.unwrap();
    }
    let mut commit = Commit::new(now(), "everkey");
    for name in ["seen/Z", "seen/a", "seen/_b", "adopt/ä"] {
        commit.marks.push(Mark { name: name.to_owned(), body: Some("{}".to_owned()) });
    }
    store.commit(fence, commit).await.unwrap();
    store.next_handoff(fence).await.unwrap();
    store.release(fence).await.unwrap();
}

/// Everything but the entries about the move itself.
async fn content(store: &dyn Care) -> String {
    let entries = store.history(None).await.unwrap();
    let entries: Vec<_> = entries.iter().filter(|one| one.entry.kind != "store").map(|one| &one.entry.text).collect();
    let seen = everything(store).await;
    let without = seen.lines().filter(|line| !line.contains("Recorded")).collect::<Vec<_>>().join("\n");
    format!("{without}\n{entries:?}\n{:?}\n{}", store.marks("").await.unwrap(), store.instance())
}

async fn moved(from: &Place, to: &Place) -> Result<Copied, StoreError> {
    moved_hearing(from, to, &|_| {}).await
}

async fn moved_hearing(from: &Place, to: &Place, progress: &(dyn Fn(Stage<'_>) + Sync)) -> Result<Copied, StoreError> {
    let (source, target) = (from.any().await, to.any().await);
    copy(Copying {
        from: source.as_ref(),
        to: target.as_ref(),
        id: uuid::Uuid::new_v4().to_string(),
        actor: "root",
        holder: "mover",
        now: now(),
        real: now(),
        progress,
    })
    .await
}

/// How many of two may be worked with: one, or none, and then both say so.
async fn live(from: &Place, to: &Place) -> usize {
    let mut live = 0;
    for place in [from, to] {
        match place.live().await {
            // One that nothing was ever done with is no store yet.
            Ok(store) => live += usize::from(!store.is_empty().await.unwrap()),
            Err(StoreError::Moved(_) | StoreError::Arriving(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    live
}

#[tokio::test]
async fn there_and_back_nothing_is_missing_and_one_is_live() {
    let (first, second, third) = (Place::file(), Place::server().await, Place::file());
    fill(&first).await;
    let before = content(first.live().await.unwrap().as_ref()).await;
    let (early, source) = (first.live().await.unwrap(), first.live().await.unwrap());
    let copied = moved(&first, &second).await.unwrap();
    assert_eq!((copied.sealed, copied.rows["rotation"], copied.rows["mark"]), (2, 2, 4));
    assert!(!copied.resumed);

    // Whoever opened it before, or opens it now, is told; nothing is written into it any more.
    assert!(matches!(first.live().await, Err(StoreError::Moved(why)) if why.contains("127.0.0.1")));
    assert!(matches!(early.acquire("forgotten", now()).await, Err(StoreError::Moved(_))));
    assert!(matches!(
        source.announce(everkey::ports::Fence(1), now(), "x", &entry(1, "x")).await,
        Err(StoreError::Fenced)
    ));
    let old = first.any().await;
    assert!(matches!(old.standing().await.unwrap(), Standing::Moved(_)));
    let anchor = old.history(None).await.unwrap().last().unwrap().hash.clone();

    // The other one has all of it, goes on with the numbers, and its chain contains the old one's.
    let store = second.live().await.unwrap();
    assert_eq!(content(store.as_ref()).await, before);
    assert!(store.history(None).await.unwrap().iter().any(|one| one.hash == anchor));
    let fence = store.acquire("test", now()).await.unwrap();
    assert_eq!(store.next_rotation(fence).await.unwrap().0, 3);
    store.commit(fence, one_of_everything(3)).await.unwrap();
    let mut more = Commit::new(now(), "everkey");
    more.credentials.push(credential("k-9", CredentialStatus::Fresh));
    store.commit(fence, more).await.unwrap();
    store.release(fence).await.unwrap();
    let later = content(store.as_ref()).await;
    drop(store);

    // Run again it finds that all is done, though the copy went on; nowhere else can it go.
    assert!(moved(&first, &second).await.unwrap().resumed);
    assert!(matches!(moved(&first, &third).await, Err(StoreError::Moved(_))));
    assert!(matches!(moved(&second, &first).await, Err(StoreError::Place(_))));
    assert_eq!(content(second.live().await.unwrap().as_ref()).await, later);

    moved(&second, &third).await.unwrap();
    assert!(matches!(second.live().await, Err(StoreError::Moved(_))));
    let store = third.live().await.unwrap();
    assert_eq!(content(store.as_ref()).await, later);
    assert!(store.examined().await.unwrap().is_sound());
    let fence = store.acquire("test", now()).await.unwrap();
    store.commit(fence, one_of_everything(4)).await.unwrap();
}

#[tokio::test]
async fn what_is_not_fit_is_refused_and_stays_as_it_was() {
    let (from, to) = (Place::file(), Place::server().await);
    fill(&from).await;
    // Another store, and one under another key.
    fill(&to).await;
    assert!(matches!(moved(&from, &to).await, Err(StoreError::Place(why)) if why.contains("already")));
    let Place::Server(server) = &to else { unreachable!() };
    let other = || SealKey::read(Secret::from_text("51ea".repeat(16))).unwrap();
    assert!(matches!(Postgres::open_any(&server.server().await, other()).await, Err(StoreError::Key(_))));
    let empty = Place::server().await;
    // Somebody works with one of them, or a daemon rests between two cycles.
    for (which, leads) in [(&from, false), (&from, true), (&empty, false), (&empty, true)] {
        let busy = which.live().await.unwrap();
        if leads {
            busy.lead("daemon", now()).await.unwrap();
        } else {
            busy.acquire("run", now()).await.unwrap();
        }
        assert!(matches!(moved(&from, &empty).await, Err(StoreError::Held { .. })));
    }
    // A note while it was copied: a person's backup, for one.
    let once = AtomicBool::new(true);
    let noting = |stage: Stage<'_>| {
        if stage == Stage::Switching && once.swap(false, Ordering::Relaxed) {
            let Place::File(place) = &from else { unreachable!() };
            let path = place.path();
            let noted = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let store = Sqlite::open(&path, key(), Options::default()).await.unwrap();
                    store.note(now(), "root", &entry(1, "backed up")).await.unwrap();
                });
            });
            noted.join().unwrap();
        }
    };
    assert!(matches!(moved_hearing(&from, &empty, &noting).await, Err(StoreError::Busy(_))));
    assert_eq!(live(&from, &empty).await, 1);
    assert!(matches!(empty.live().await, Err(StoreError::Arriving(why)) if why.contains("everkey.db")));
    moved(&from, &empty).await.unwrap();
    let texts: Vec<String> =
        empty.any().await.history(None).await.unwrap().into_iter().map(|one| one.entry.text).collect();
    assert!(texts.contains(&"backed up".to_owned()), "{texts:?}");
}

/// On a person's word a moved store goes on, and leaves out the numbers that may have been given elsewhere.
#[tokio::test]
async fn a_claimed_store_goes_on_and_leaves_numbers_out() {
    for (from, to) in [(Place::file(), Place::server().await), (Place::server().await, Place::file())] {
        fill(&from).await;
        moved(&from, &to).await.unwrap();
        let store = from.any().await;
        let fence = store.acquire("person", now()).await.unwrap();
        store.claim(fence, 1000, now(), "root", &entry(1, "claimed")).await.unwrap();
        store.release(fence).await.unwrap();
        drop(store);
        let store = from.live().await.unwrap();
        let fence = store.acquire("test", now()).await.unwrap();
        assert_eq!(store.next_rotation(fence).await.unwrap().0, 1003);
        let open = store.unfinished().await.unwrap();
        assert!(open.iter().all(|rotation| rotation.forgotten >= 1000), "no attempt's number is given twice");
        assert!(store.examined().await.unwrap().is_sound());
    }
}

/// Polls a future until its fuse has burnt down.
struct Stopped<'a, F>(F, &'a AtomicUsize);

impl<F: Future + Unpin> Future for Stopped<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let left = self.1.load(Ordering::Relaxed);
        if left == 0 {
            return Poll::Ready(None);
        }
        self.1.store(left - 1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll(context).map(Some)
    }
}

/// Stopped after every so many polls, in both directions: one is live or none is; run again it ends, and nothing is
/// missing.
#[tokio::test]
async fn stopped_anywhere_never_two_are_live_and_the_next_one_ends_it() {
    let mut part =
        Part::new("store-copy-stopped", "A store that moves is live in one place at a time, wherever it is stopped");
    let (mut stopped, mut resumed, mut neither) = (0, 0, 0);
    let database = pg::shared().database().await;
    for to_server in [true, false] {
        let places = async || {
            database.empty().await;
            let (file, server) = (Place::file(), Place::Server(postgres::Place::on(database.clone())));
            let (from, to) = if to_server { (file, server) } else { (server, file) };
            fill(&from).await;
            (from, to)
        };
        // How many polls one takes.
        const ENDLESS: usize = usize::MAX / 2;
        let fuse = AtomicUsize::new(ENDLESS);
        let (from, to) = places().await;
        Stopped(pin!(moved(&from, &to)), &fuse).await.unwrap().unwrap();
        let polls = ENDLESS - fuse.load(Ordering::Relaxed);
        let points = part.depth(8, 400).min(polls);
        // Half of them anywhere, half of them just before, between and after the last two commits; then as many more as it
        // takes to come between those two, which are some polls apart, one machine's other than another's.
        let mut between = 0;
        for point in 1..=points + 80 {
            let more = point.checked_sub(points).filter(|more| *more > 0);
            if more.is_some() && between > 0 {
                break;
            }
            let (from, to) = places().await;
            let before = content(from.live().await.unwrap().as_ref()).await;
            let last = more.or((point % 2 == 0).then_some(point / 2 * 40 / points));
            let fuse = AtomicUsize::new(if last.is_some() { ENDLESS } else { point * polls / points });
            let hearing = |stage: Stage<'_>| {
                if let (Stage::Switching, Some(left)) = (stage, last) {
                    fuse.store(left, Ordering::Relaxed);
                }
            };
            let ended = Stopped(pin!(moved_hearing(&from, &to, &hearing)), &fuse).await.is_some();
            stopped += usize::from(!ended);
            for place in [&from, &to] {
                place.let_leases_end().await;
            }
            let count = live(&from, &to).await;
            assert!(count <= 1, "two are live after point {point}");
            neither += usize::from(count == 0);
            between += usize::from(count == 0);
            let again = moved(&from, &to).await.unwrap_or_else(|error| panic!("point {point}: {error}"));
            resumed += usize::from(again.resumed && count == 0);
            assert!(matches!(from.live().await, Err(StoreError::Moved(_))), "after point {point}");
            assert_eq!(content(to.live().await.unwrap().as_ref()).await, before, "after point {point}");
            assert!(to.any().await.examined().await.unwrap().is_sound());
        }
    }
    assert!(
        stopped > 5 && neither > 0 && resumed == neither,
        "{stopped} stopped, {neither} neither, {resumed} resumed"
    );
    part.count("copies stopped on their way", stopped);
    part.count("found with neither of the two live, and finished by the next run", neither);
    part.done();
}

//! What the files and the log of a store must not hold: values in the clear, and destroyed values in any form.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use everkey::model::RotationId;
use everkey::ports::Commit;
use everkey::ports::Store;
use everkey::store::Options;
use everkey::store::Sqlite;
use sqlx::Connection;

use crate::samples::app;
use crate::samples::now;
use crate::samples::one_of_everything;
use crate::samples::rotation;
use crate::samples::seal_item;
use crate::sqlite::Place;
use crate::sqlite::key;

#[tokio::test]
async fn no_value_stands_in_the_clear_in_any_file() {
    let place = Place::new();
    let store = place.store().await;
    let fence = store.acquire("test", now()).await.unwrap();
    let canary = |n: u64| format!("Q3z8Q~canary-{n:04}-kAo7Zr.Y_x2uVw5");
    let long = |n: u64| canary(n).repeat(1500);
    let seen = |bytes: &[(PathBuf, Vec<u8>)], when: &str| {
        for needle in ["Q3z8Q~canary", &STANDARD.encode("Q3z8Q~canary"), &hex(b"Q3z8Q~canary")] {
            for (path, bytes) in bytes {
                assert!(!contains(bytes, needle.as_bytes()), "{needle} in {} {when}", path.display());
            }
        }
    };
    for n in 0..60 {
        let mut commit = one_of_everything(n + 1);
        commit.seal = vec![seal_item(&format!("{n}/1/secret"), &canary(n)), seal_item(&format!("{n}/1/pfx"), &long(n))];
        if n > 0 {
            commit.destroy = vec![format!("{}/1/pfx", n - 1).as_str().into()];
        }
        // A commit that is rolled back has been in the cache as well.
        let mut refused = one_of_everything(n + 1);
        refused.seal = vec![seal_item("refused/1/secret", &long(n))];
        refused.rotation.as_mut().unwrap().version = 7;
        assert!(store.commit(fence, refused).await.is_err());
        store.commit(fence, commit).await.unwrap();
        seen(&place.bytes(), "between commits");
    }
    store.preflight(fence).await.unwrap();
    assert!(contains(&place.all_bytes(), b"reapit-lead-imports"), "the search itself works");
    store.close().await;
    seen(&place.bytes(), "after closing");
}

#[tokio::test]
async fn a_destroyed_value_is_gone_from_every_file_even_sealed() {
    let place = Place::new();
    let store = place.store().await;
    let fence = store.acquire("test", now()).await.unwrap();
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let tail = sealed_tail(&place).await;
    assert!(contains(&place.all_bytes(), &tail), "the search itself works");
    store.commit(fence, Commit { destroy: vec!["1/1/secret".into()], ..Commit::new(now(), "e") }).await.unwrap();
    assert!(!contains(&place.all_bytes(), &tail));
    assert_eq!(store.rotation(RotationId(1)).await.unwrap(), Some(rotation(1, "slot-1")));
}

/// The end of the one sealed value, as it stands in the file.
async fn sealed_tail(place: &Place) -> Vec<u8> {
    let mut raw = place.raw().await;
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT body FROM sealed").fetch_one(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    sealed[sealed.len() - 24..].to_vec()
}

#[tokio::test]
async fn what_a_reader_or_a_crash_left_in_the_log_goes_with_the_next_holder() {
    let place = Place::new();
    let options = Options { busy_timeout: Duration::from_millis(1), ..Options::default() };
    let store = Sqlite::open(&place.path(), key(), options).await.unwrap();
    let fence = store.acquire("test", now()).await.unwrap();
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let tail = sealed_tail(&place).await;
    let mut reader = place.raw().await;
    let mut reading = reader.begin().await.unwrap();
    let _: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sealed").fetch_one(&mut *reading).await.unwrap();
    store.commit(fence, Commit { destroy: vec!["1/1/secret".into()], ..Commit::new(now(), "e") }).await.unwrap();
    assert!(contains(&place.all_bytes(), &tail), "the reader still sees it");
    reading.rollback().await.unwrap();
    store.release(fence).await.unwrap();
    store.acquire("next", now()).await.unwrap();
    assert!(!contains(&place.all_bytes(), &tail));
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_value_reaches_the_log_even_at_trace() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // The database works on a thread of its own, so this thread's subscriber would not hear it.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let place = Place::new();
    let store = place.store().await;
    let fence = store.acquire("test", now()).await.unwrap();
    let mut commit = one_of_everything(1);
    commit.seal.push(seal_item("1/1/pfx_password", "Q3z8Q~canary"));
    let shown = format!("{commit:?} {store:?}");
    store.commit(fence, commit).await.unwrap();
    store.unseal(&"1/1/pfx_password".into(), &app()).await.unwrap();
    let mut refused = Commit::new(now(), "everkey");
    refused.seal.push(seal_item("1/1/pfx_password", "Q3z8Q~canary"));
    let error = store.commit(fence, refused).await.unwrap_err();

    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("sealed"), "the statements themselves are logged at this level");
    for text in [logged, shown, format!("{error} {error:?}")] {
        assert!(!text.contains("Q3z8Q~canary") && !text.contains(&hex(b"Q3z8Q~canary")), "{text}");
        assert!(!text.contains(&STANDARD.encode("Q3z8Q~canary")), "{text}");
    }
}

/// Whether `needle` occurs in `hay`.
fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Every edit of the history behind the store's back is found, and at its place.

use everkey::ports::Commit;
use everkey::ports::Store;
use everkey::store::Sqlite;
use sqlx::Connection;
use sqlx::Row;

use crate::samples::entry;
use crate::samples::moved;
use crate::samples::now;
use crate::samples::one_of_everything;
use crate::samples::rotation;
use crate::sqlite::Place;

const COLUMNS: [&str; 12] =
    ["seq", "at", "actor", "integration", "rotation", "state", "version", "kind", "text", "body", "hash", "mac"];

/// A store with six entries (those of the rotation carry its state, the last two are the tool's own) and a copy
/// of its history to go back to.
async fn six_entries(place: &Place) -> Sqlite {
    let store = place.store().await;
    let fence = store.acquire("test", now()).await.unwrap();
    store.commit(fence, one_of_everything(1)).await.unwrap();
    let rotation = Some(moved(&rotation(1, "slot-1"), everkey::model::State::Ready));
    let entries = vec![entry(1, "three"), entry(1, "four")];
    store.commit(fence, Commit { rotation, entries, ..Commit::new(now(), "everkey") }).await.unwrap();
    let mut tool = entry(1, "five");
    (tool.integration, tool.rotation) = (None, None);
    let entries = vec![tool.clone(), tool];
    store.commit(fence, Commit { entries, ..Commit::new(now(), "everkey") }).await.unwrap();
    place.tamper("CREATE TABLE copy AS SELECT * FROM history".into()).await;
    place.tamper("CREATE TABLE copy_of_head AS SELECT * FROM history_head".into()).await;
    assert_eq!(store.verify_history().await.unwrap(), None);
    store
}

/// Undoes all tampering.
async fn put_back(place: &Place) {
    let statements = "BEGIN; DELETE FROM history; INSERT INTO history SELECT * FROM copy; DELETE FROM history_head; \
                      INSERT INTO history_head SELECT * FROM copy_of_head; COMMIT";
    let mut raw = place.raw().await;
    sqlx::raw_sql(statements).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
}

/// Everything a column of entry `seq` can be changed to by little: each byte flipped, a number moved, NULL made
/// something.
async fn small_changes(place: &Place, column: &str, seq: u64) -> Vec<String> {
    let mut raw = place.raw().await;
    let read = format!("SELECT typeof({column}), CAST({column} AS BLOB) FROM history WHERE seq = {seq}");
    let row = sqlx::query(sqlx::AssertSqlSafe(read)).fetch_one(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    match row.get::<&str, _>(0) {
        "null" => vec!["''".into(), "0".into(), "'reapit-lead-imports'".into(), "1".into()],
        "integer" if column == "seq" => vec!["seq + 70".into(), "seq - 70".into()],
        "integer" => vec![format!("{column} + 70"), format!("{column} - 70"), "NULL".into()],
        _ => {
            let bytes: Vec<u8> = row.get(1);
            let flipped = |at: usize, bit: u8| {
                let mut bent = bytes.clone();
                bent[at] ^= bit;
                let hex: String = bent.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("CAST(X'{hex}' AS TEXT)")
            };
            // The high bit makes text that is no UTF-8.
            (0..bytes.len()).map(|at| flipped(at, 0x01)).chain([flipped(0, 0x80)]).collect()
        }
    }
}

#[tokio::test]
async fn a_flipped_byte_in_any_column_is_found_at_its_entry() {
    let place = Place::new();
    let store = six_entries(&place).await;
    let mut tried = 0;
    for seq in [1, 4, 6] {
        for column in COLUMNS {
            let changes = small_changes(&place, column, seq).await;
            assert!(!changes.is_empty(), "{column}");
            for change in changes {
                let update = format!("UPDATE history SET {column} = {change} WHERE seq = {seq}");
                assert_eq!(place.tamper(update.clone()).await, 1, "{update}");
                let found = store.verify_history().await.unwrap();
                // A row that was moved to the front or the back leaves a gap or stands before the first.
                let place_found = if column == "seq" && change.contains("- 70") { 1 } else { seq };
                assert_eq!(found, Some(place_found), "{update}");
                tried += 1;
                put_back(&place).await;
            }
        }
    }
    assert!(tried > 300, "{tried}");
    assert_eq!(store.verify_history().await.unwrap(), None, "putting back works");
}

#[tokio::test]
async fn entries_cut_out_swapped_added_or_cut_off_are_found() {
    let place = Place::new();
    let store = six_entries(&place).await;
    let swap_texts = "UPDATE history SET text = (SELECT text FROM copy WHERE copy.seq = 7 - history.seq) \
                      WHERE seq IN (3, 4)";
    for (statement, found) in [
        ("DELETE FROM history WHERE seq = 1", 1),
        ("DELETE FROM history WHERE seq = 3", 3),
        ("DELETE FROM history WHERE seq = 6", 6),
        ("DELETE FROM history WHERE seq > 2", 3),
        ("DELETE FROM history", 1),
        (swap_texts, 3),
        (
            "INSERT INTO history SELECT 7, at, actor, integration, rotation, state, version, kind, text, body, hash, \
             mac FROM copy WHERE seq = 6",
            7,
        ),
        ("UPDATE history_head SET seq = 5", 7),
        ("UPDATE history_head SET hash = (SELECT hash FROM copy WHERE seq = 5)", 7),
        ("DELETE FROM history_head", 7),
    ] {
        assert!(place.tamper(statement.into()).await > 0, "{statement}");
        assert_eq!(store.verify_history().await.unwrap(), Some(found), "{statement}");
        put_back(&place).await;
    }
    // Whole rows, exchanged through a free number.
    for statement in ["UPDATE history SET seq = 99 WHERE seq = 3", "UPDATE history SET seq = 3 WHERE seq = 4"] {
        place.tamper(statement.into()).await;
    }
    place.tamper("UPDATE history SET seq = 4 WHERE seq = 99".into()).await;
    assert_eq!(store.verify_history().await.unwrap(), Some(3));
    put_back(&place).await;
    assert_eq!(store.verify_history().await.unwrap(), None);
}

#[tokio::test]
async fn a_store_with_a_changed_history_can_still_be_written_and_the_change_stays_found() {
    let place = Place::new();
    let store = six_entries(&place).await;
    place.tamper("UPDATE history SET actor = 'nobody' WHERE seq = 2".into()).await;
    drop(store);
    let store = place.store().await;
    let fence = store.acquire("test", now()).await.unwrap();
    store.commit(fence, one_of_everything(2)).await.unwrap();
    assert_eq!(store.history(None).await.unwrap().len(), 8);
    assert_eq!(store.verify_history().await.unwrap(), Some(2));
}

//! The adapters of the client in every cell: one emulator for each row.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bench::Bench;
use crate::calls::Kind;
use crate::calls::ROWS;
use crate::calls::Row;
use crate::cell;
use crate::faults;

/// Some cells only wait: more rows at once than there are cores.
const ROWS_AT_ONCE: usize = 4;

/// Words, each with how many cells gave it, and what is wrong.
type Judged = (BTreeMap<&'static str, usize>, Vec<String>);

async fn row_of_cells(row: Row, away: String, turn: Arc<Semaphore>) -> (Row, Judged) {
    let _turn = turn.acquire().await.unwrap();
    let bench = Bench::start().await;
    let truth = cell::truth(&bench, &row).await;
    let mut columns = faults::everywhere(&away);
    if row.kind == Kind::List {
        columns.extend(faults::of_lists(&away));
    }
    let (mut words, mut wrong) = (BTreeMap::new(), Vec::new());
    let lasting: &[bool] = if matches!(row.kind, Kind::Read | Kind::List) { &[false, true] } else { &[false] };
    for column in &columns {
        // Repeating what is slow or large shows nothing that once does not.
        let lasting = if column.slow || column.name.ends_with("huge") { &lasting[..1] } else { lasting };
        for lasting in lasting {
            match cell::run(&bench, &row, column, *lasting, &truth).await {
                Ok(word) => *words.entry(word).or_default() += 1,
                Err(why) => {
                    let times = if *lasting { "always" } else { "once" };
                    wrong.push(format!("{} x {} ({times}): {why}", row.name, column.name));
                }
            }
        }
    }
    (row, (words, wrong))
}

#[expect(clippy::print_stdout, reason = "the table is what a reader of the test wants to see")]
async fn matrix(rows: impl Iterator<Item = Row>, least: usize) {
    // An address that must never be called: whoever does waits in its queue.
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}/v1.0/x", away.local_addr().unwrap());
    let turn = Arc::new(Semaphore::new(ROWS_AT_ONCE));
    let mut running: JoinSet<_> = rows.map(|row| row_of_cells(row, address.clone(), Arc::clone(&turn))).collect();
    let (mut table, mut wrong, mut cells) = (BTreeMap::new(), Vec::new(), 0);
    while let Some(done) = running.join_next().await {
        let (row, (words, mut bad)) = done.unwrap();
        cells += words.values().sum::<usize>() + bad.len();
        let mut line = String::new();
        for (word, count) in words {
            let _ = write!(line, " {word} {count}");
        }
        table.insert(row.name, line);
        wrong.append(&mut bad);
    }
    wrong.sort();
    println!("{cells} cells, {} wrong", wrong.len());
    for (row, words) in &table {
        println!("  {row}:{words}");
    }
    let called = tokio::time::timeout(std::time::Duration::ZERO, away.accept()).await;
    assert!(called.is_err(), "somebody was sent away and went: {called:?}");
    assert!(wrong.is_empty(), "{} of {cells} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells >= least, "{cells} cells");
}

fn of(kinds: &'static [Kind]) -> impl Iterator<Item = Row> {
    ROWS.into_iter().filter(|row| kinds.contains(&row.kind))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_tell_the_truth_or_nothing() {
    matrix(of(&[Kind::Read]), 8 * 120).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_whole_or_none() {
    matrix(of(&[Kind::List]), 7 * 140).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_is_one_or_none() {
    matrix(of(&[Kind::Token]), 4 * 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_sent_once_and_said_to_be_what_it_was() {
    matrix(of(&[Kind::Write { most: 1 }, Kind::Write { most: 8 }]), 12 * 60).await;
}

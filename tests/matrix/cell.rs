//! One cell: a call meets a fault, and what the client says of it is held against what happened.

use std::sync::Arc;

use everkey::emulator::LogEntry;
use everkey::emulator::Rule;
use everkey::ports::Directory as _;
use everkey::ports::PortError;
use everkey::ports::TokenSource as _;
use serde_json::json;

use crate::bench::Bench;
use crate::calls::Kind;
use crate::calls::Row;
use crate::calls::make;
use crate::calls::prepare;
use crate::faults::Column;

/// How often a lasting fault would hit: more than any client should ask.
const LASTING: u32 = 1_000;
/// More requests than a call with patience can need.
const MOST_REQUESTS: usize = 40;

/// What the client said, in one word.
pub fn word(result: &Result<String, PortError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(PortError::Conflict(_)) => "conflict",
        Err(PortError::Denied(_)) => "denied",
        Err(PortError::Local(_)) => "local",
        Err(PortError::Missing(_)) => "missing",
        Err(PortError::Refused(_)) => "refused",
        Err(PortError::Throttled { .. }) => "throttled",
        Err(PortError::Unreachable { .. }) => "unreachable",
        Err(PortError::Unsure { .. }) => "unsure",
    }
}

/// What the call says when nothing is wrong.
pub async fn truth(bench: &Bench, row: &Row) -> String {
    bench.reset();
    prepare(bench, row);
    let before = bench.held();
    let said = make(bench, &bench.quick, row).await.unwrap_or_else(|error| panic!("{}: {error}", row.name));
    if let Kind::Write { .. } = row.kind {
        assert_ne!(bench.held(), before, "{} changes nothing", row.name);
    }
    said
}

/// Runs one cell; gives what the client said, or what is wrong.
pub async fn run(
    bench: &Bench,
    row: &Row,
    column: &Column,
    lasting: bool,
    truth: &str,
) -> Result<&'static str, String> {
    bench.reset();
    prepare(bench, row);
    bench.quick.by_secret.token().await.map_err(|error| format!("no token: {error}"))?;
    if column.slow {
        // Its time is for the answer, not for a new connection.
        bench
            .slow
            .graph(Arc::clone(&bench.quick.by_secret))
            .owners(&bench.app.object_id)
            .await
            .map_err(|error| error.to_string())?;
    }
    bench.emulator.clear_log();
    let (method, path) = (row.request.0, row.request.1.replace("{resource}", &bench.resource));
    let count = if lasting { LASTING } else { 1 };
    let rule = json!({"method": method, "path_contains": path, "count": count, "effect": column.effect});
    bench.emulator.inject(serde_json::from_value::<Rule>(rule).unwrap());
    let before = bench.held();
    let client = if column.slow { &bench.slow } else { &bench.quick };
    let result = make(bench, client, row).await;
    let left = bench.emulator.faults_waiting();
    bench.emulator.clear_faults();
    let changed = bench.held() != before;
    let log = bench.emulator.log();
    let mut wrong = Vec::new();
    if left == count {
        wrong.push("the fault was not met".to_owned());
    }
    sent(row, column, &path, &log, &mut wrong);
    match &result {
        Ok(said) => believed(row, column, said, truth, changed, &mut wrong),
        Err(PortError::Unsure { .. }) => {}
        Err(error) if changed && matches!(row.kind, Kind::Write { .. }) => {
            wrong.push(format!("APPLIED, and the client is certain that it was not: {error}"));
        }
        Err(_) => {}
    }
    if matches!(row.kind, Kind::Read | Kind::List) && !column.slow {
        patience(row, column, lasting, &result, &mut wrong);
    }
    if let Err(error) = &result {
        let text = format!("{error} {error:?}");
        let secrets = [&bench.emulator.operator().client_secret, bench.secret.expose_text().unwrap(), "eyJ"];
        if secrets.iter().any(|secret| text.contains(secret)) {
            wrong.push(format!("A SECRET in an error: {text}"));
        }
    }
    if wrong.is_empty() { Ok(word(&result)) } else { Err(format!("{} (said: {})", wrong.join("; "), word(&result))) }
}

/// How often it was sent, and beside what.
fn sent(row: &Row, column: &Column, path: &str, log: &[LogEntry], wrong: &mut Vec<String>) {
    let path = path.to_ascii_lowercase();
    let own = |entry: &&LogEntry| entry.method == row.request.0 && entry.path.to_ascii_lowercase().contains(&path);
    let times = log.iter().filter(own).count();
    let again = usize::from(log.iter().any(|entry| entry.status == Some(401)));
    match row.kind {
        Kind::Write { most } if times > most + again => wrong.push(format!("SENT {times} times")),
        Kind::Token if times > 1 + again => wrong.push(format!("asked for a token {times} times")),
        _ => {}
    }
    let writes = log.iter().filter(|entry| entry.method != "GET" && !entry.path.ends_with("/token"));
    let beside = writes.clone().filter(|entry| entry.beside > 0).count();
    if beside > 0 {
        wrong.push(format!("{beside} writes IN FLIGHT beside the same one"));
    }
    if matches!(row.kind, Kind::Read | Kind::List) && writes.count() > 0 && !column.name.starts_with("404") {
        wrong.push("a read WROTE".to_owned());
    }
    if log.iter().any(|entry| entry.path.contains("elsewhere")) {
        wrong.push("FOLLOWED a redirect".to_owned());
    }
    if log.len() > MOST_REQUESTS {
        wrong.push(format!("{} requests", log.len()));
    }
}

/// A success is one.
fn believed(row: &Row, column: &Column, said: &str, truth: &str, changed: bool, wrong: &mut Vec<String>) {
    // 404 is what an object says that is not there, or not yet: reads give "none", a removal has nothing to do. The
    // engine looks again before it relies on either (S6 of the protocol), and its cells show it.
    if column.name.starts_with("404") || without_owners(row, column) {
        return;
    }
    if said != truth {
        wrong.push(format!("said {said}, which is not {truth}"));
    }
    if !changed && matches!(row.kind, Kind::Write { .. }) {
        wrong.push("NOT APPLIED, and the client is certain that it was".to_owned());
    }
}

/// A list that refuses to expand owners is read without them, by design: a tenant or cloud may not give them.
fn without_owners(row: &Row, column: &Column) -> bool {
    row.name == "holders" && column.name.starts_with("400")
}

/// A read outlives what passes, and does not believe what lasts.
fn patience(row: &Row, column: &Column, lasting: bool, result: &Result<String, PortError>, wrong: &mut Vec<String>) {
    if column.name.starts_with("404") {
        return;
    }
    let harmless = ["200, wrong content type", "drops, quick", "page doubled", "page reversed"];
    let harmless = harmless.contains(&column.name.as_str());
    // One that said `last` has lost its link: only the changes always end with one.
    let last = column.name == "page last" && row.name != "changes";
    let expected = harmless || last || (!lasting && (column.passes || without_owners(row, column)));
    if expected != result.is_ok() {
        wrong.push(format!("{} was expected", if expected { "an answer" } else { "an error" }));
    }
}

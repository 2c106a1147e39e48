//! Pages of lists: at most 25 entries, then a link.

use axum::http::StatusCode;
use serde_json::Value;
use serde_json::json;

use super::Ask;
use super::Problem;
use super::problem::Told;
use crate::emulator::call::Reply;

const MOST: usize = 25;

/// The page of `items` that the request asks for.
pub(super) fn page(ask: &Ask<'_>, items: Vec<Value>) -> Told<Reply> {
    let number = |wanted: &str| -> Told<Option<usize>> {
        let found = ask.call.query_pairs().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let bad = || Problem::bad(format!("{wanted} is not a number"));
        found.map(|(_, value)| value.parse().map_err(|_| bad())).transpose()
    };
    let size = number("maxresults")?.unwrap_or(MOST);
    if !(1..=MOST).contains(&size) {
        return Err(Problem::bad(format!("maxresults is between 1 and {MOST}")));
    }
    let start = number("$skiptoken")?.unwrap_or(0);
    let more = items.len() > start.saturating_add(size);
    let version = ask.call.query_pairs().find(|(name, _)| name == "api-version").map(|(_, value)| value);
    let next = more.then(|| {
        format!(
            "{}/{}?api-version={}&$skiptoken={}&maxresults={size}",
            ask.vault.base,
            ask.vault.path,
            version.unwrap_or_default(),
            start + size
        )
    });
    let value: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    Ok(Reply::json(StatusCode::OK, json!({"value": value, "nextLink": next})))
}

//! `delta` of applications and service principals: what changed since a token was given (entra-contract 2.3).

use std::collections::BTreeMap;

use axum::http::StatusCode;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Problem;
use super::entity::Entity;
use super::entity::spelled;
use super::problem::Answer;
use crate::emulator::call::Call;
use crate::emulator::call::Reply;
use crate::emulator::directory::Directory;
use crate::emulator::entropy::sha256;

/// How long a token lives.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Objects on a page.
const PAGE: usize = 100;

/// The tokens given so far; a restart forgets them, and then they are as good as expired.
#[derive(Debug, Default)]
pub struct Deltas {
    given: u64,
    rounds: BTreeMap<String, Round>,
}

/// The collection as it was when a token was given.
#[derive(Clone, Debug)]
struct Round {
    at: Timestamp,
    collection: &'static str,
    select: Vec<&'static str>,
    seen: BTreeMap<String, [u8; 32]>,
}

impl Deltas {
    fn give(&mut self, round: Round) -> String {
        self.given += 1;
        let token = format!("t{}", self.given);
        self.rounds.insert(token.clone(), round);
        token
    }
}

/// Answers one request for `objects`, which come ordered by id.
pub(super) fn answer<'e, E: Entity + 'e>(
    call: &Call,
    root: &str,
    collection: &'static str,
    deltas: &mut Deltas,
    directory: &Directory,
    objects: impl Iterator<Item = &'e E>,
) -> Answer {
    let (mut select, mut delta, mut skip) = (Vec::new(), None, None);
    for (name, value) in call.query_pairs() {
        match name.to_ascii_lowercase().as_str() {
            "$select" => {
                for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                    let found = spelled::<E>(name);
                    select.push(
                        found.ok_or_else(|| {
                            Problem::bad_request(format!("Could not find a property named '{name}'."))
                        })?,
                    );
                }
            }
            "$deltatoken" => delta = Some(value),
            "$skiptoken" => skip = Some(value),
            option => {
                return Err(Problem::unsupported(format!("The query option '{option}' is not supported with delta.")));
            }
        }
    }
    if select.is_empty() {
        select = E::names().to_vec();
    }
    let objects: Vec<&E> = objects.collect();
    let written = |object: &E, select: &[&'static str]| -> Map<String, Value> {
        let id = ("id".to_owned(), json!(object.id()));
        let rest = select.iter().map(|name| ((*name).to_owned(), object.property(directory, name)));
        std::iter::once(id).chain(rest).collect()
    };
    let digest =
        |object: &E, select: &[&'static str]| sha256(Value::Object(written(object, select)).to_string().as_bytes());
    let snapshot = |select: Vec<&'static str>| Round {
        at: call.now,
        collection,
        seen: objects.iter().map(|object| (object.id(), digest(object, &select))).collect(),
        select,
    };
    let here = format!("{root}/{collection}/delta");
    if delta.as_deref() == Some("latest") {
        let token = deltas.give(snapshot(select));
        return Ok(page(root, collection, Vec::new(), ("@odata.deltaLink", format!("{here}?$deltatoken={token}"))));
    }
    if let Some(token) = delta {
        let Some(round) = deltas.rounds.get(&token).filter(|round| round.collection == collection).cloned() else {
            return Err(expired());
        };
        if call.now.duration_since(round.at) > TOKEN_LIFE {
            return Err(expired());
        }
        let changed =
            objects.iter().filter(|object| round.seen.get(&object.id()) != Some(&digest(object, &round.select)));
        let mut rows: Vec<Value> = changed.map(|object| Value::Object(written(object, &round.select))).collect();
        let gone = round.seen.keys().filter(|id| !objects.iter().any(|object| object.id() == **id));
        rows.extend(gone.map(|id| json!({"id": id, "@removed": {"reason": "changed"}})));
        let token = deltas.give(snapshot(round.select));
        return Ok(page(root, collection, rows, ("@odata.deltaLink", format!("{here}?$deltatoken={token}"))));
    }
    // The first round; the token is that of its beginning, so that nothing between its pages is lost.
    let (token, after) = match skip.as_deref().and_then(|skip| skip.split_once('.')) {
        Some((token, after)) => (token.to_owned(), after.to_owned()),
        None => (deltas.give(snapshot(select)), String::new()),
    };
    let select = deltas.rounds.get(&token).ok_or_else(expired)?.select.clone();
    let mut rest: Vec<&&E> = objects.iter().filter(|object| object.id() > after).collect();
    let more = rest.len() > PAGE;
    rest.truncate(PAGE);
    let rows = rest.iter().map(|object| Value::Object(written(object, &select))).collect();
    let link = match rest.last().filter(|_| more) {
        Some(last) => ("@odata.nextLink", format!("{here}?$skiptoken={token}.{}", last.id())),
        None => ("@odata.deltaLink", format!("{here}?$deltatoken={token}")),
    };
    Ok(page(root, collection, rows, link))
}

fn page(root: &str, collection: &str, rows: Vec<Value>, (name, link): (&str, String)) -> Reply {
    Reply::json(
        StatusCode::OK,
        json!({"@odata.context": format!("{root}/$metadata#{collection}"), name: link, "value": rows}),
    )
}

fn expired() -> Problem {
    Problem::new(StatusCode::GONE, "resyncRequired", "The delta token is no longer valid; start over with a full read.")
}

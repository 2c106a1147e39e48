//! `delta` of applications and service principals: what changed since a token was given (entra-contract 2.3).

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::Problem;
use super::entity::Entity;
use super::entity::Tracked;
use super::entity::spelled;
use super::filter::Filter;
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

/// What a token stands for: the options it was asked with, and the collection as it was then.
#[derive(Clone, Debug)]
struct Round {
    asked: Asked,
    at: Timestamp,
    seen: Arc<Seen>,
}

/// The options of the first request, which every link after it carries on.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Asked {
    collection: &'static str,
    only: Option<BTreeSet<Uuid>>,
    select: Vec<&'static str>,
}

/// A collection, in digests of the selected properties.
#[derive(Debug, Default, Eq, PartialEq)]
struct Seen {
    binned: BTreeSet<Uuid>,
    live: BTreeMap<Uuid, [u8; 32]>,
}

impl Deltas {
    fn give(&mut self, round: Round) -> String {
        self.given += 1;
        let token = format!("t{}", self.given);
        self.rounds.retain(|_, old| round.at.duration_since(old.at) <= TOKEN_LIFE);
        self.rounds.insert(token.clone(), round);
        token
    }

    fn round(&self, token: &str, collection: &str, now: Timestamp) -> Option<&Round> {
        let round = self.rounds.get(token).filter(|round| round.asked.collection == collection)?;
        (now.duration_since(round.at) <= TOKEN_LIFE).then_some(round)
    }
}

/// Where a request's rows come from.
pub(super) struct Source<'a> {
    /// The request.
    pub(super) call: &'a Call,
    /// `applications` or `servicePrincipals`.
    pub(super) collection: &'static str,
    /// The objects belong to it.
    pub(super) directory: &'a Directory,
    /// Whether every round begins with an empty page (`Quirks::delta_empty_page`).
    pub(super) empty_page: bool,
    /// `https://host/v1.0`.
    pub(super) root: &'a str,
}

impl Source<'_> {
    /// Answers one request; `objects` are all there are, the deleted ones too, ordered by id.
    pub(super) fn answer<'e, E: Tracked + 'e>(
        &self,
        deltas: &mut Deltas,
        objects: impl Iterator<Item = &'e E> + Clone,
    ) -> Answer {
        let (mut delta, mut skip) = (None, None);
        for (name, value) in self.call.query_pairs() {
            match name.to_ascii_lowercase().as_str() {
                "$deltatoken" => delta = Some(value),
                "$skiptoken" => skip = Some(value),
                _ => {}
            }
        }
        if let Some(skip) = skip {
            return self.next(deltas, objects, &skip);
        }
        if let Some(token) = delta.filter(|token| token != "latest") {
            let Some(old) = deltas.round(&token, self.collection, self.call.now).cloned() else {
                return Ok(self.expired());
            };
            let seen = self.look(&old.asked, objects.clone());
            // A client that polls a quiet tenant holds many tokens of one state.
            let seen = if *old.seen == seen { Arc::clone(&old.seen) } else { Arc::new(seen) };
            let new = deltas.give(Round { asked: old.asked, at: self.call.now, seen });
            return self.next(deltas, objects, &format!("{new}.{token}.{}", self.begin()));
        }
        let latest = self.call.query_pairs().any(|(name, _)| name.eq_ignore_ascii_case("$deltatoken"));
        let asked = self.asked::<E>()?;
        let seen = Arc::new(self.look(&asked, objects.clone()));
        let token = deltas.give(Round { asked, at: self.call.now, seen });
        if latest {
            return Ok(self.page(Vec::new(), ("@odata.deltaLink", format!("$deltatoken={token}"))));
        }
        self.next(deltas, objects, &format!("{token}..{}", self.begin()))
    }

    /// The place in a skip token at which a round begins; `-` stands before an empty page.
    fn begin(&self) -> &'static str {
        if self.empty_page { "-" } else { "" }
    }

    /// A page of a round. The skip token names the token that the round ends with, the one it began with (none in the
    /// very first), and the last object shown. The end token is that of the round's beginning, so that nothing that
    /// happens between its pages is lost.
    fn next<'e, E: Tracked + 'e>(&self, deltas: &Deltas, objects: impl Iterator<Item = &'e E>, skip: &str) -> Answer {
        let mut parts = skip.splitn(3, '.');
        let (end, begin, after) = (parts.next(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let round = end.and_then(|end| Some((end, deltas.round(end, self.collection, self.call.now)?)));
        let old = deltas.round(begin, self.collection, self.call.now);
        let Some((end, Round { asked, .. })) = round.filter(|_| begin.is_empty() || old.is_some()) else {
            return Ok(self.expired());
        };
        if after == "-" {
            return Ok(self.page(Vec::new(), ("@odata.nextLink", format!("$skiptoken={end}.{begin}."))));
        }
        let after = Uuid::parse_str(after).ok();
        let mut present = BTreeSet::new();
        let mut rows: Vec<(Uuid, Value)> = Vec::new();
        for object in objects.filter(|object| wanted(asked, object.key())) {
            let id = object.key();
            let before = old.and_then(|old| old.seen.live.get(&id));
            if old.is_some() {
                present.insert(id);
            }
            if after.is_some_and(|after| id <= after) || rows.len() > PAGE {
                continue;
            }
            if object.is_deleted() {
                if before.is_some() {
                    rows.push((id, removed(id, "changed")));
                }
            } else if before.is_none_or(|before| *before != self.digest(object, asked)) {
                rows.push((id, Value::Object(self.written(object, asked))));
            }
        }
        if let Some(old) = old {
            let known = old.seen.live.keys().chain(&old.seen.binned);
            let gone = known.filter(|id| !present.contains(id) && after.is_none_or(|after| **id > after));
            rows.extend(gone.map(|id| (*id, removed(*id, "deleted"))));
            rows.sort_by_key(|(id, _)| *id);
        }
        let more = rows.len() > PAGE;
        rows.truncate(PAGE);
        let link = match rows.last().filter(|_| more) {
            Some((last, _)) => ("@odata.nextLink", format!("$skiptoken={end}.{begin}.{last}")),
            None => ("@odata.deltaLink", format!("$deltatoken={end}")),
        };
        Ok(self.page(rows.into_iter().map(|(_, row)| row).collect(), link))
    }

    /// The options of a first request.
    fn asked<E: Entity>(&self) -> Result<Asked, Problem> {
        let mut asked = Asked { collection: self.collection, only: None, select: Vec::new() };
        for (name, value) in self.call.query_pairs() {
            match name.to_ascii_lowercase().as_str() {
                "$deltatoken" => {}
                "$filter" => asked.only = Some(ids(&Filter::parse(&value)?)?),
                "$select" => {
                    for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                        let found = spelled::<E>(name);
                        let missing = || Problem::bad_request(format!("Could not find a property named '{name}'."));
                        asked.select.push(found.ok_or_else(missing)?);
                    }
                }
                option => {
                    let message = format!("The query option '{option}' is not supported with delta.");
                    return Err(Problem::unsupported(message));
                }
            }
        }
        if asked.select.is_empty() {
            asked.select = E::names().to_vec();
        }
        Ok(asked)
    }

    fn look<'e, E: Tracked + 'e>(&self, asked: &Asked, objects: impl Iterator<Item = &'e E>) -> Seen {
        let mut seen = Seen::default();
        for object in objects.filter(|object| wanted(asked, object.key())) {
            if object.is_deleted() {
                seen.binned.insert(object.key());
            } else {
                seen.live.insert(object.key(), self.digest(object, asked));
            }
        }
        seen
    }

    fn written<E: Tracked>(&self, object: &E, asked: &Asked) -> Map<String, Value> {
        let id = ("id".to_owned(), json!(object.key()));
        let rest = asked.select.iter().map(|name| ((*name).to_owned(), object.property(self.directory, name)));
        std::iter::once(id).chain(rest).collect()
    }

    fn digest<E: Tracked>(&self, object: &E, asked: &Asked) -> [u8; 32] {
        sha256(Value::Object(self.written(object, asked)).to_string().as_bytes())
    }

    fn page(&self, rows: Vec<Value>, (name, query): (&str, String)) -> Reply {
        let context = format!("{}/$metadata#{}", self.root, self.collection);
        let link = format!("{}?{query}", self.here());
        Reply::json(StatusCode::OK, json!({"@odata.context": context, name: link, "value": rows}))
    }

    fn here(&self) -> String {
        format!("{}/{}/delta", self.root, self.collection)
    }

    /// 410, with the place to start over.
    fn expired(&self) -> Reply {
        let message = "The delta token is no longer valid; start over with a full read.";
        let problem = Problem::new(StatusCode::GONE, "resyncRequired", message);
        problem.reply(self.call).with(header::LOCATION, self.here())
    }
}

fn wanted(asked: &Asked, id: Uuid) -> bool {
    asked.only.as_ref().is_none_or(|only| only.contains(&id))
}

fn removed(id: Uuid, reason: &str) -> Value {
    json!({"id": id, "@removed": {"reason": reason}})
}

/// The one filter that delta knows: `id eq '…' or id eq '…'`.
fn ids(filter: &Filter) -> Result<BTreeSet<Uuid>, Problem> {
    let refuse = || Problem::unsupported("The only filter supported with delta is on 'id'.");
    match filter {
        Filter::Eq(name, Value::String(id)) if name.eq_ignore_ascii_case("id") => {
            Ok(BTreeSet::from([Uuid::parse_str(id).map_err(|_| refuse())?]))
        }
        Filter::Or(parts) => parts.iter().try_fold(BTreeSet::new(), |mut all, part| {
            all.append(&mut ids(part)?);
            Ok(all)
        }),
        _ => Err(refuse()),
    }
}

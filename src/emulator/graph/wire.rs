//! Replies made of objects: one object, a page of a collection, a count.

use std::cmp::Ordering;

use axum::http::StatusCode;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use url::form_urlencoded::Serializer;

use super::Problem;
use super::entity::Entity;
use super::entity::spelled;
use super::filter::Filter;
use super::query::Query;
use crate::emulator::call::Call;
use crate::emulator::call::Reply;
use crate::emulator::call::ReplyBody;
use crate::emulator::directory::Directory;

/// Objects of a collection, ordered by id.
pub(super) type Objects<'e, E> = Box<dyn Iterator<Item = &'e E> + 'e>;

/// Where a reply's objects come from: the context in which they are written.
pub(super) struct Source<'a> {
    /// The request.
    pub(super) call: &'a Call,
    /// `applications`, `servicePrincipals`, …
    pub(super) collection: &'a str,
    /// `https://host/v1.0`.
    pub(super) root: &'a str,
}

impl Source<'_> {
    /// One object with the selected properties.
    pub(super) fn single<E: Entity>(
        &self,
        directory: &Directory,
        object: &E,
        status: StatusCode,
    ) -> Result<Reply, Problem> {
        let query = Query::of(self.call)?;
        let selected = selected::<E>(&query)?;
        let mut body = Map::new();
        let suffix = context_suffix(selected.as_deref());
        body.insert(
            "@odata.context".to_owned(),
            json!(format!("{}/$metadata#{}{suffix}/$entity", self.root, self.collection)),
        );
        write(&mut body, directory, object, selected.as_deref());
        expand(&mut body, directory, object, &query);
        Ok(Reply::json(status, Value::Object(body)))
    }

    /// A page of objects. `objects` gives those after an id, in the order of their ids: a page costs what is on it, and
    /// not what lies before.
    pub(super) fn page<'e, E: Entity + 'e>(
        &self,
        directory: &Directory,
        objects: &dyn Fn(Option<&str>) -> Objects<'e, E>,
    ) -> Result<Reply, Problem> {
        let query = Query::of(self.call)?;
        let selected = selected::<E>(&query)?;
        check_filter::<E>(&query)?;
        let hit = |object: &&E| hits(directory, &query, *object);
        let after = query.skip_token.as_deref();
        let (mut shown, from): (Vec<&E>, usize) = if query.order.is_empty() {
            (objects(after).filter(hit).take(query.top + 1).collect(), 0)
        } else {
            let from = after.and_then(|after| after.parse().ok()).unwrap_or(0);
            let all = ordered(directory, &query, objects(None).filter(hit).collect());
            (all.into_iter().skip(from).take(query.top + 1).collect(), from)
        };
        let more = shown.len() > query.top;
        shown.truncate(query.top);
        let mut body = Map::new();
        let suffix = context_suffix(selected.as_deref());
        body.insert("@odata.context".to_owned(), json!(format!("{}/$metadata#{}{suffix}", self.root, self.collection)));
        if query.count {
            body.insert("@odata.count".to_owned(), json!(objects(None).filter(hit).count()));
        }
        if let (true, Some(last)) = (more, shown.last()) {
            let token = if query.order.is_empty() { last.id() } else { (from + query.top).to_string() };
            body.insert("@odata.nextLink".to_owned(), json!(self.next_link(&token)));
        }
        let write_one = |object: &&E| {
            let mut one = Map::new();
            write(&mut one, directory, *object, selected.as_deref());
            expand(&mut one, directory, *object, &query);
            Value::Object(one)
        };
        body.insert("value".to_owned(), shown.iter().map(write_one).collect());
        Ok(Reply::json(StatusCode::OK, Value::Object(body)))
    }

    /// `$count` as a path segment: the bare number, an advanced query.
    pub(super) fn count<'e, E: Entity + 'e>(
        &self,
        directory: &Directory,
        objects: impl Iterator<Item = &'e E>,
    ) -> Result<Reply, Problem> {
        let query = Query::counting(self.call)?;
        check_filter::<E>(&query)?;
        let count = objects.filter(|object| hits(directory, &query, *object)).count();
        Ok(Reply { body: ReplyBody::Text(count.to_string()), headers: Vec::new(), status: StatusCode::OK })
    }

    /// The absolute link to the next page: the same query with another skip token.
    fn next_link(&self, last: &str) -> String {
        let mut query = Serializer::new(String::new());
        for (name, value) in self.call.query_pairs().filter(|(name, _)| !name.eq_ignore_ascii_case("$skiptoken")) {
            query.append_pair(&name, &value);
        }
        query.append_pair("$skiptoken", last);
        format!("{}{}?{}", self.call.base(), self.call.path, query.finish())
    }
}

/// An empty collection.
pub(super) fn nothing(root: &str, collection: &str) -> Reply {
    Reply::json(StatusCode::OK, json!({"@odata.context": format!("{root}/$metadata#{collection}"), "value": []}))
}

/// Refuses a filter by what cannot be filtered.
fn check_filter<E: Entity>(query: &Query) -> Result<(), Problem> {
    for name in query.filter.iter().flat_map(Filter::properties) {
        let known = spelled::<E>(name.strip_suffix("/$count").unwrap_or(name)).is_some() || name == OWNERS_COUNT;
        // Credentials cannot be filtered by anything; who tracks expiry has to read them all.
        if !known || name.starts_with("keyCredentials") || name.starts_with("passwordCredentials") {
            return Err(Problem::unsupported(format!(
                "Unsupported or invalid query filter clause specified for property '{name}' of resource."
            )));
        }
    }
    Ok(())
}

/// The one relationship that a filter counts here.
const OWNERS_COUNT: &str = "owners/$count";

fn hits<E: Entity>(directory: &Directory, query: &Query, object: &E) -> bool {
    let property = |name: &str| match name.strip_suffix("/$count") {
        Some("owners") => json!(object.owners().map_or(0, <[_]>::len)),
        Some(collection) => json!(value(directory, object, collection).as_array().map_or(0, Vec::len)),
        None => value(directory, object, name),
    };
    query.filter.as_ref().is_none_or(|filter| filter.matches(&property))
        && query.search.as_ref().is_none_or(|search| search.matches(&property))
}

fn value<E: Entity>(directory: &Directory, object: &E, written: &str) -> Value {
    spelled::<E>(written).map_or(Value::Null, |name| object.property(directory, name))
}

/// Orders by the texts of properties, in any case; equals stay ordered by id.
fn ordered<'e, E: Entity>(directory: &Directory, query: &Query, objects: Vec<&'e E>) -> Vec<&'e E> {
    let key = |object: &E| -> Vec<String> {
        let texts = query.order.iter().map(|(name, _)| object.property(directory, name));
        texts.map(|text| text.as_str().unwrap_or_default().to_lowercase()).collect()
    };
    let mut keyed: Vec<(Vec<String>, &E)> = objects.into_iter().map(|object| (key(object), object)).collect();
    keyed.sort_by(|(a, _), (b, _)| {
        let each = a.iter().zip(b).zip(&query.order).map(
            |((a, b), (_, backwards))| {
                if *backwards { b.cmp(a) } else { a.cmp(b) }
            },
        );
        each.fold(Ordering::Equal, Ordering::then)
    });
    keyed.into_iter().map(|(_, object)| object).collect()
}

fn selected<E: Entity>(query: &Query) -> Result<Option<Vec<&'static str>>, Problem> {
    let Some(names) = &query.select else { return Ok(None) };
    let find = |name: &String| {
        spelled::<E>(name).ok_or_else(|| Problem::bad_request(format!("Could not find a property named '{name}'.")))
    };
    names.iter().map(find).collect::<Result<_, _>>().map(Some)
}

fn write<E: Entity>(body: &mut Map<String, Value>, directory: &Directory, object: &E, selected: Option<&[&str]>) {
    for name in selected.unwrap_or_else(|| E::names()) {
        body.insert((*name).to_owned(), object.property(directory, name));
    }
}

/// Graph expands twenty related objects at most, whatever there is.
const EXPANDED_MAX: usize = 20;

fn expand<E: Entity>(body: &mut Map<String, Value>, directory: &Directory, object: &E, query: &Query) {
    if let (true, Some(owners)) = (query.expand_owners, object.owners()) {
        let shown = owners.iter().take(EXPANDED_MAX).filter_map(|id| super::owners::owner(directory, *id));
        body.insert("owners".to_owned(), shown.collect());
    }
}

fn context_suffix(selected: Option<&[&str]>) -> String {
    selected.map(|names| format!("({})", names.join(","))).unwrap_or_default()
}

//! Replies made of objects: one object, a page of a collection, a count.

use axum::http::StatusCode;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use url::form_urlencoded::Serializer;

use super::Problem;
use super::entity::Entity;
use super::entity::spelled;
use super::query::Query;
use crate::emulator::call::Call;
use crate::emulator::call::Reply;
use crate::emulator::call::ReplyBody;
use crate::emulator::directory::Directory;

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

    /// A page of objects, which come ordered by id.
    pub(super) fn page<'e, E: Entity + 'e>(
        &self,
        directory: &Directory,
        objects: impl Iterator<Item = &'e E>,
    ) -> Result<Reply, Problem> {
        let query = Query::of(self.call)?;
        let selected = selected::<E>(&query)?;
        let mut matching = matching(directory, &query, objects)?;
        let total = matching.len();
        if let Some(after) = &query.skip_token {
            matching.retain(|object| object.id() > *after);
        }
        let more = matching.len() > query.top;
        matching.truncate(query.top);
        let mut body = Map::new();
        let suffix = context_suffix(selected.as_deref());
        body.insert("@odata.context".to_owned(), json!(format!("{}/$metadata#{}{suffix}", self.root, self.collection)));
        if query.count {
            body.insert("@odata.count".to_owned(), json!(total));
        }
        if let (true, Some(last)) = (more, matching.last()) {
            body.insert("@odata.nextLink".to_owned(), json!(self.next_link(&last.id())));
        }
        let write_one = |object: &&E| {
            let mut one = Map::new();
            write(&mut one, directory, *object, selected.as_deref());
            expand(&mut one, directory, *object, &query);
            Value::Object(one)
        };
        body.insert("value".to_owned(), matching.iter().map(write_one).collect());
        Ok(Reply::json(StatusCode::OK, Value::Object(body)))
    }

    /// `$count` as a path segment: the bare number, an advanced query.
    pub(super) fn count<'e, E: Entity + 'e>(
        &self,
        directory: &Directory,
        objects: impl Iterator<Item = &'e E>,
    ) -> Result<Reply, Problem> {
        if !self.call.header("consistencylevel").is_some_and(|level| level.eq_ignore_ascii_case("eventual")) {
            return Err(Problem::unsupported("$count is not currently supported."));
        }
        let count = matching(directory, &Query::of(self.call)?, objects)?.len();
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

fn matching<'e, E: Entity + 'e>(
    directory: &Directory,
    query: &Query,
    objects: impl Iterator<Item = &'e E>,
) -> Result<Vec<&'e E>, Problem> {
    let Some(filter) = &query.filter else { return Ok(objects.collect()) };
    for name in filter.properties() {
        // Credentials cannot be filtered by anything; who tracks expiry has to read them all.
        if spelled::<E>(name).is_none() || name.starts_with("keyCredentials") || name.starts_with("passwordCredentials")
        {
            return Err(Problem::unsupported(format!(
                "Unsupported or invalid query filter clause specified for property '{name}' of resource."
            )));
        }
    }
    let matches = |object: &&E| {
        filter.matches(&|name| spelled::<E>(name).map_or(Value::Null, |name| object.property(directory, name)))
    };
    Ok(objects.filter(matches).collect())
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

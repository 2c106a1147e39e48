//! Server-side apply, and plain replacement: what is wanted against who owns it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use axum::http::StatusCode;
use axum::http::header;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::Status;
use super::Told;
use super::secret::Field;
use super::secret::Secret;
use crate::emulator::call::Call;

/// Most bytes of all values together.
const MOST_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    metadata: Metadata,
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    string_data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    resource_version: Option<String>,
}

/// What a client wants a Secret to be.
pub(super) struct Wanted {
    pub(super) name: String,
    kind: Option<String>,
    fields: BTreeMap<Field, String>,
    revision: Option<String>,
}

impl Wanted {
    pub(super) fn read(call: &Call) -> Told<Self> {
        let bad = |why: String| Status::new(StatusCode::BAD_REQUEST, "BadRequest", why);
        let written: Written = serde_json::from_slice(&call.body).map_err(|error| bad(error.to_string()))?;
        let mut data = written.data;
        data.extend(written.string_data.into_iter().map(|(key, text)| (key, BASE64_STANDARD.encode(text))));
        let mut bytes = 0;
        for (key, text) in &data {
            let value = BASE64_STANDARD.decode(text).map_err(|_| bad(format!("illegal base64 data in data.{key}")))?;
            bytes += value.len();
        }
        if bytes > MOST_BYTES {
            let why = format!(
                "Secret \"{}\" is invalid: data: Too long: must have at most {MOST_BYTES} bytes",
                written.metadata.name
            );
            return Err(Status::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", why));
        }
        let groups =
            [("data", data), ("annotations", written.metadata.annotations), ("labels", written.metadata.labels)];
        let fields = groups
            .into_iter()
            .flat_map(|(group, fields)| fields.into_iter().map(move |(key, value)| ((group.to_owned(), key), value)));
        Ok(Self {
            name: written.metadata.name,
            kind: written.kind,
            fields: fields.collect(),
            revision: written.metadata.resource_version,
        })
    }

    fn check(&self, old: Option<&Secret>) -> Told<()> {
        let current = old.map(|old| old.revision.to_string());
        if self.revision.is_some() && self.revision != current {
            return Err(Status::modified(&self.name));
        }
        if old.is_some_and(|old| self.kind.as_ref().is_some_and(|kind| *kind != old.kind)) {
            let why = format!("Secret \"{}\" is invalid: type: Invalid value: field is immutable", self.name);
            return Err(Status::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", why));
        }
        Ok(())
    }

    fn fresh(&self, namespace: &str, revision: u64, now: Timestamp) -> Secret {
        Secret {
            created: now,
            kind: self.kind.clone().unwrap_or_else(|| "Opaque".to_owned()),
            managers: BTreeMap::new(),
            name: self.name.clone(),
            namespace: namespace.to_owned(),
            revision,
            uid: Uuid::new_v4(),
            changed: now,
            fields: BTreeMap::new(),
        }
    }
}

/// Who writes: `fieldManager`, else the client's own name.
pub(super) fn manager(call: &Call) -> String {
    let given = call.query_pairs().find(|(name, _)| name == "fieldManager").map(|(_, value)| value);
    let agent =
        || call.header(header::USER_AGENT).and_then(|text| text.split('/').next()).unwrap_or("unknown").to_owned();
    given.unwrap_or_else(agent)
}

/// POST and PUT: everything becomes what is wanted, and every changed field is the writer's.
pub(super) fn replace(
    old: Option<&Secret>,
    wanted: &Wanted,
    namespace: &str,
    manager: String,
    revision: u64,
    now: Timestamp,
) -> Told<Secret> {
    wanted.check(old)?;
    let mut secret = old.cloned().unwrap_or_else(|| wanted.fresh(namespace, revision, now));
    let changed: BTreeSet<Field> = wanted
        .fields
        .iter()
        .filter(|((group, key), value)| value_of(&secret, group, key) != Some(value.as_str()))
        .map(|(field, _)| field.clone())
        .collect();
    for owned in secret.managers.values_mut() {
        owned.retain(|field| wanted.fields.contains_key(field) && !changed.contains(field));
    }
    secret.managers.entry((manager, "Update".to_owned())).or_default().extend(changed);
    secret.managers.retain(|_, owned| !owned.is_empty());
    secret.fields.clear();
    put(&mut secret, wanted);
    secret.revision = revision;
    secret.changed = now;
    Ok(secret)
}

/// PATCH with apply: a field that another manager owns with another value is a conflict, unless forced; what this manager
/// owned and wants no more goes.
pub(super) fn apply(old: Option<Secret>, wanted: &Wanted, namespace: &str, call: &Call, revision: u64) -> Told<Secret> {
    wanted.check(old.as_ref())?;
    let force = call.query_pairs().any(|pair| pair == ("force".into(), "true".into()));
    let me = call.query_pairs().find(|(name, _)| name == "fieldManager").map(|(_, value)| value);
    let Some(me) = me.filter(|me| !me.is_empty()) else {
        let why = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
        return Err(Status::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", why));
    };
    let me = (me, "Apply".to_owned());
    let mut secret = old.unwrap_or_else(|| wanted.fresh(namespace, revision, call.now));
    let mut causes = Vec::new();
    for ((group, key), value) in &wanted.fields {
        let field = (group.clone(), key.clone());
        let owners = secret.managers.iter().filter(|(other, owned)| **other != me && owned.contains(&field));
        if value_of(&secret, group, key) != Some(value.as_str()) {
            causes.extend(owners.map(|((other, _), _)| {
                let place = if group == "data" { ".data".to_owned() } else { format!(".metadata.{group}") };
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with \"{other}\""), "field": format!("{place}.{key}")})
            }));
        }
    }
    if !causes.is_empty() && !force {
        let message = format!("Apply failed with {} conflict(s)", causes.len());
        return Err(Status { causes, ..Status::new(StatusCode::CONFLICT, "Conflict", message) });
    }
    let mine = secret.managers.remove(&me).unwrap_or_default();
    for owned in secret.managers.values_mut() {
        let same = |field: &Field| {
            value_of_fields(&secret.fields, &field.0, &field.1) == wanted.fields.get(field).map(String::as_str)
        };
        owned.retain(|field| !wanted.fields.contains_key(field) || same(field));
    }
    for (group, key) in mine.iter().filter(|field| !wanted.fields.contains_key(*field)) {
        let shared = secret.managers.values().any(|owned| owned.contains(&(group.clone(), key.clone())));
        if let Some(fields) = secret.fields.get_mut(group).filter(|_| !shared) {
            fields.remove(key);
        }
    }
    secret.managers.retain(|_, owned| !owned.is_empty());
    secret.managers.insert(me, wanted.fields.keys().cloned().collect());
    put(&mut secret, wanted);
    secret.revision = revision;
    secret.changed = call.now;
    Ok(secret)
}

fn put(secret: &mut Secret, wanted: &Wanted) {
    for ((group, key), value) in &wanted.fields {
        secret.fields.entry(group.clone()).or_default().insert(key.clone(), value.clone());
    }
}

fn value_of<'s>(secret: &'s Secret, group: &str, key: &str) -> Option<&'s str> {
    value_of_fields(&secret.fields, group, key)
}

fn value_of_fields<'s>(
    fields: &'s BTreeMap<String, BTreeMap<String, String>>,
    group: &str,
    key: &str,
) -> Option<&'s str> {
    fields.get(group)?.get(key).map(String::as_str)
}

//! The KV store: versions, check-and-set, patch, metadata.

use std::collections::BTreeMap;

use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use super::Told;
use super::body;
use super::merge::merge;
use super::no;
use super::wrapped;
use super::wrapper;
use crate::emulator::call::Call;
use crate::emulator::call::Reply;

/// Versions kept where the metadata say nothing else.
const USUAL_VERSIONS: usize = 10;

/// One path.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(super) struct Entry {
    cas_required: bool,
    custom_metadata: Option<BTreeMap<String, String>>,
    max_versions: usize,
    /// Number of the latest version.
    current: u64,
    versions: BTreeMap<u64, Version>,
}

#[derive(Clone, Deserialize, Serialize)]
struct Version {
    created: Timestamp,
    deleted: Option<Timestamp>,
    data: Value,
}

#[derive(Deserialize)]
struct Write {
    data: Value,
    #[serde(default)]
    options: Options,
}

#[derive(Default, Deserialize)]
struct Options {
    cas: Option<u64>,
}

#[derive(Deserialize)]
struct Metadata {
    cas_required: Option<bool>,
    custom_metadata: Option<BTreeMap<String, String>>,
    max_versions: Option<usize>,
}

/// Answers `secret/data/NAME` and `secret/metadata/NAME`.
pub(super) fn answer(all: &mut BTreeMap<String, Entry>, call: &Call, kind: &str, name: &str) -> Told<Reply> {
    let list = call.method.as_str() == "LIST" || call.query_pairs().any(|pair| pair == ("list".into(), "true".into()));
    match (kind, &call.method) {
        ("metadata", _) if list => names(all, call, name),
        ("data", &Method::GET) => read(all, call, name),
        ("data", &Method::POST | &Method::PUT) => {
            let Write { data, options } = body(call)?;
            write(all.entry(name.to_owned()).or_default(), call, data, options.cas)
        }
        ("data", &Method::PATCH) => {
            if call.header(header::CONTENT_TYPE) != Some("application/merge-patch+json") {
                return no(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "PATCH requires Content-Type application/merge-patch+json",
                );
            }
            let Write { data, options } = body(call)?;
            let entry = all.get_mut(name).filter(|entry| entry.latest().is_some());
            let Some(entry) = entry else { return Err((StatusCode::NOT_FOUND, Vec::new())) };
            let mut merged = entry.latest().map(|version| version.data.clone()).unwrap_or_default();
            merge(&mut merged, &data);
            write(entry, call, merged, options.cas)
        }
        ("data", &Method::DELETE) => {
            if let Some(version) = all.get_mut(name).and_then(|entry| entry.versions.get_mut(&entry.current)) {
                version.deleted = Some(call.now);
            }
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        ("metadata", &Method::GET) => {
            let Some(entry) = all.get(name) else { return Err((StatusCode::NOT_FOUND, Vec::new())) };
            let versions: BTreeMap<String, Value> =
                entry.versions.iter().map(|(number, version)| (number.to_string(), version.shown())).collect();
            Ok(wrapped(
                call,
                json!({
                    "cas_required": entry.cas_required, "custom_metadata": entry.custom_metadata,
                    "max_versions": entry.max_versions, "current_version": entry.current, "versions": versions,
                }),
            ))
        }
        ("metadata", &Method::POST | &Method::PUT) => {
            let Metadata { cas_required, custom_metadata, max_versions } = body(call)?;
            let entry = all.entry(name.to_owned()).or_default();
            entry.cas_required = cas_required.unwrap_or(entry.cas_required);
            entry.custom_metadata = custom_metadata.or(entry.custom_metadata.take());
            entry.max_versions = max_versions.unwrap_or(entry.max_versions);
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        ("metadata", &Method::DELETE) => {
            all.remove(name);
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        _ => no(StatusCode::METHOD_NOT_ALLOWED, "unsupported operation"),
    }
}

impl Entry {
    /// The latest version, if it is not deleted.
    fn latest(&self) -> Option<&Version> {
        self.versions.get(&self.current).filter(|version| version.deleted.is_none())
    }

    fn metadata(&self, number: u64, version: &Version) -> Value {
        let mut shown = version.shown();
        shown["version"] = json!(number);
        shown["custom_metadata"] = json!(self.custom_metadata);
        shown
    }
}

impl Version {
    fn shown(&self) -> Value {
        let deletion = self.deleted.map(|at| at.to_string()).unwrap_or_default();
        json!({"created_time": self.created, "deletion_time": deletion, "destroyed": false})
    }
}

fn write(entry: &mut Entry, call: &Call, data: Value, cas: Option<u64>) -> Told<Reply> {
    if !data.is_object() {
        return no(StatusCode::BAD_REQUEST, "no data provided");
    }
    match cas {
        None if entry.cas_required => {
            return no(StatusCode::BAD_REQUEST, "check-and-set parameter required for this call");
        }
        Some(cas) if cas != entry.current => {
            return no(StatusCode::BAD_REQUEST, "check-and-set parameter did not match the current version");
        }
        _ => {}
    }
    entry.current += 1;
    entry.versions.insert(entry.current, Version { created: call.now, deleted: None, data });
    let most = if entry.max_versions == 0 { USUAL_VERSIONS } else { entry.max_versions };
    while entry.versions.len() > most {
        entry.versions.pop_first();
    }
    let shown = entry.versions.get(&entry.current).map(|version| entry.metadata(entry.current, version));
    Ok(wrapped(call, shown.unwrap_or_default()))
}

fn read(all: &BTreeMap<String, Entry>, call: &Call, name: &str) -> Told<Reply> {
    let absent = Err((StatusCode::NOT_FOUND, Vec::new()));
    let Some(entry) = all.get(name) else { return absent };
    let wanted = call.query_pairs().find(|(key, _)| key == "version").and_then(|(_, value)| value.parse().ok());
    let number = wanted.filter(|number| *number > 0).unwrap_or(entry.current);
    let Some(version) = entry.versions.get(&number) else { return absent };
    let metadata = entry.metadata(number, version);
    if version.deleted.is_some() {
        // The body tells the version all the same.
        let mut reply = wrapper(call);
        reply["data"] = json!({"data": null, "metadata": metadata});
        return Ok(Reply::json(StatusCode::NOT_FOUND, reply));
    }
    Ok(wrapped(call, json!({"data": version.data, "metadata": metadata})))
}

fn names(all: &BTreeMap<String, Entry>, call: &Call, folder: &str) -> Told<Reply> {
    let folder = if folder.ends_with(':') { folder.to_owned() } else { format!("{folder}/") };
    let below = all.keys().filter_map(|name| name.strip_prefix(&folder));
    let name = |rest: &str| rest.split_once('/').map_or_else(|| rest.to_owned(), |(first, _)| format!("{first}/"));
    let mut keys: Vec<String> = below.map(name).collect();
    keys.dedup();
    if keys.is_empty() {
        return Err((StatusCode::NOT_FOUND, Vec::new()));
    }
    Ok(wrapped(call, json!({"keys": keys})))
}

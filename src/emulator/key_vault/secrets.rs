//! `/secrets` and `/deletedsecrets`. A certificate shows up here as well, with its key: `managed` says so.

use std::collections::BTreeMap;

use axum::http::Method;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Ask;
use super::Problem;
use super::attributes::Attributes;
use super::attributes::Written;
use super::attributes::add_deletion;
use super::attributes::check_tags;
use super::list;
use super::problem::Told;
use super::shelf;
use super::shelf::Object;
use super::shelf::Shelf;
use super::shelf::Version;
use super::shelf::version_id;
use crate::emulator::call::Reply;

/// Longest value, in bytes.
const VALUE_MAX_BYTES: usize = 25 * 1024;

#[derive(Deserialize)]
struct Set {
    value: String,
    #[serde(default, rename = "contentType")]
    content_type: Option<String>,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    attributes: Option<Written>,
}

#[derive(Deserialize)]
struct Update {
    #[serde(default, rename = "contentType")]
    content_type: Option<String>,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    attributes: Option<Written>,
}

pub(super) fn answer(ask: &Ask<'_>, shelf: &mut Shelf, segments: &[&str]) -> Told<Reply> {
    let ok = |value: Value| Ok(Reply::json(StatusCode::OK, value));
    let now = ask.call.now;
    match (&ask.call.method, segments) {
        (&Method::GET, ["secrets"]) => {
            let here = shelf.values().filter(|object| object.here(now));
            list::page(ask, here.filter_map(|object| Some(item(ask, object, object.versions.last()?, false))).collect())
        }
        (&Method::GET, ["secrets", name, "versions"]) => {
            let object = shelf::find(ask, shelf, name, false)?;
            list::page(ask, object.versions.iter().map(|version| item(ask, object, version, true)).collect())
        }
        (&Method::GET, ["secrets", name]) => ok(get(ask, shelf, name, "")?),
        (&Method::GET, ["secrets", name, version]) => ok(get(ask, shelf, name, version)?),
        (&Method::PUT, ["secrets", name]) => ok(set(ask, shelf, name)?),
        (&Method::PATCH, ["secrets", name]) => ok(update(ask, shelf, name, "")?),
        (&Method::PATCH, ["secrets", name, version]) => ok(update(ask, shelf, name, version)?),
        (&Method::DELETE, ["secrets", name]) => {
            if shelf::find(ask, shelf, name, false)?.policy.is_some() {
                return Err(managed(name));
            }
            ok(told(ask, &shelf::delete(ask, shelf, name, false)?))
        }
        (&Method::GET, ["deletedsecrets"]) => {
            let gone = shelf.values().filter(|object| object.gone(now) && object.policy.is_none());
            list::page(ask, gone.map(|object| told(ask, object)).collect())
        }
        (&Method::GET, ["deletedsecrets", name]) => ok(told(ask, shelf::deleted(ask, shelf, name, false)?)),
        (&Method::POST, ["deletedsecrets", name, "recover"]) => {
            ok(told(ask, &shelf::recover(ask, shelf, name, false)?))
        }
        (&Method::DELETE, ["deletedsecrets", name]) => {
            shelf::purge(ask, shelf, name, false)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Problem::no_route(ask.call)),
    }
}

fn managed(name: &str) -> Problem {
    Problem::conflict(None, format!("The secret {name} belongs to a certificate, which manages it."))
}

fn set(ask: &Ask<'_>, shelf: &mut Shelf, name: &str) -> Told<Value> {
    let Set { value, content_type, tags, attributes } = ask.body()?;
    shelf::writable(ask, shelf, name)?;
    check_tags(ask, tags.as_ref())?;
    if value.len() > VALUE_MAX_BYTES {
        return Err(Problem::bad(format!("The secret value is too long: at most {VALUE_MAX_BYTES} bytes.")));
    }
    let object = shelf.entry(name.to_ascii_lowercase()).or_insert_with(|| Object::new(name, None));
    if object.policy.is_some() {
        return Err(managed(name));
    }
    let attributes = Attributes::new(attributes.as_ref(), ask.second());
    object.versions.push(Version { attributes, certificate: None, content_type, id: version_id(), tags, value });
    show(ask, object, "", true)
}

fn get(ask: &Ask<'_>, shelf: &mut Shelf, name: &str, version: &str) -> Told<Value> {
    let object = shelf::find(ask, shelf, name, false)?;
    let attributes = &found(object, version)?.attributes;
    let refused =
        |why: &str| Err(Problem::forbidden("SecretDisabled", format!("Operation get is not allowed on {why}.")));
    if !attributes.enabled {
        return refused("a disabled secret");
    }
    let now = ask.second();
    let outdated = attributes.nbf.is_some_and(|nbf| now < nbf) || attributes.exp.is_some_and(|exp| now >= exp);
    if ask.quirks.refuses_outdated && outdated {
        return refused("a secret outside its validity");
    }
    show(ask, object, version, true)
}

fn update(ask: &Ask<'_>, shelf: &mut Shelf, name: &str, version: &str) -> Told<Value> {
    let Update { content_type, tags, attributes } = ask.body()?;
    check_tags(ask, tags.as_ref())?;
    let object = shelf::find(ask, shelf, name, false)?;
    let found = found(object, version)?;
    found.content_type = content_type.or(found.content_type.take());
    found.tags = tags.or(found.tags.take());
    found.attributes.update(attributes.as_ref(), ask.second());
    show(ask, object, version, false)
}

fn found<'o>(object: &'o mut Object, version: &str) -> Told<&'o mut Version> {
    let name = object.name.clone();
    let missing = || {
        Problem::missing(
            "SecretNotFound",
            format!("A secret with (name/id) {name}/{version} was not found in this key vault."),
        )
    };
    object.version(version).ok_or_else(missing)
}

fn show(ask: &Ask<'_>, object: &mut Object, version: &str, with_value: bool) -> Told<Value> {
    let version = found(object, version)?.clone();
    let mut shown = item(ask, object, &version, true);
    if with_value {
        shown["value"] = json!(version.value);
    }
    if object.policy.is_some() {
        shown["kid"] = json!(format!("{}/keys/{}/{}", ask.url, object.name, version.id));
    }
    Ok(shown)
}

/// A secret without its value.
fn item(ask: &Ask<'_>, object: &Object, version: &Version, with_version: bool) -> Value {
    let mut id = format!("{}/secrets/{}", ask.url, object.name);
    if with_version {
        id.push_str(&format!("/{}", version.id));
    }
    let mut shown = json!({"id": id, "attributes": version.attributes.shown()});
    if let Some(content_type) = &version.content_type {
        shown["contentType"] = json!(content_type);
    }
    if let Some(tags) = &version.tags {
        shown["tags"] = json!(tags);
    }
    if object.policy.is_some() {
        shown["managed"] = json!(true);
    }
    shown
}

/// A secret that was deleted or recovered.
fn told(ask: &Ask<'_>, object: &Object) -> Value {
    let Some(version) = object.versions.last() else { return json!({}) };
    let mut shown = item(ask, object, version, true);
    add_deletion(ask, object, "secrets", &mut shown);
    shown
}

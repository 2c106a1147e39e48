//! `/certificates` and `/deletedcertificates`: import, versions, policy, soft delete.

use std::collections::BTreeMap;

use axum::http::Method;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Ask;
use super::Problem;
use super::attributes::Attributes;
use super::attributes::Written;
use super::attributes::add_deletion;
use super::attributes::check_tags;
use super::create;
use super::list;
use super::material;
use super::material::Material;
use super::problem::Told;
use super::shelf;
use super::shelf::Object;
use super::shelf::Shelf;
use super::shelf::Version;
use super::shelf::version_id;
use crate::emulator::call::Reply;
use crate::emulator::certificate::CertificateFacts;

/// Tags as they are written.
pub(super) type Tags = Option<BTreeMap<String, String>>;

#[derive(Deserialize)]
struct Import {
    value: String,
    #[serde(default)]
    pwd: Option<String>,
    #[serde(default)]
    policy: Option<Value>,
    #[serde(default)]
    attributes: Option<Written>,
    #[serde(default)]
    tags: Tags,
}

#[derive(Deserialize)]
struct Update {
    #[serde(default)]
    policy: Option<Value>,
    #[serde(default)]
    attributes: Option<Written>,
    #[serde(default)]
    tags: Tags,
}

pub(super) fn answer(ask: &Ask<'_>, shelf: &mut Shelf, segments: &[&str]) -> Told<Reply> {
    let ok = |value: Value| Ok(Reply::json(StatusCode::OK, value));
    let now = ask.call.now;
    match (&ask.call.method, segments) {
        (&Method::GET, ["certificates"]) => {
            let here = shelf.values().filter(|object| object.here(now) && object.policy.is_some());
            list::page(ask, here.filter_map(|object| Some(item(ask, object, object.versions.last()?, false))).collect())
        }
        (&Method::GET, ["certificates", name, "versions"]) => {
            let object = shelf::find(ask, shelf, name, true)?;
            list::page(ask, object.versions.iter().map(|version| item(ask, object, version, true)).collect())
        }
        (&Method::POST, ["certificates", name, "import"]) => ok(import(ask, shelf, name)?),
        (&Method::GET, ["certificates", name, "policy"]) => {
            let object = shelf::find(ask, shelf, name, true)?;
            ok(policy(ask, object))
        }
        (&Method::PATCH, ["certificates", name, "policy"]) => {
            let written: Value = ask.body()?;
            let object = shelf::find(ask, shelf, name, true)?;
            merge(object.policy.get_or_insert_default(), &written);
            ok(policy(ask, object))
        }
        (_, ["certificates", name, "create"] | ["certificates", name, "pending", ..]) => {
            create::answer(ask, shelf, name, segments)
        }
        (&Method::GET, ["certificates", name]) => ok(bundle(ask, shelf::find(ask, shelf, name, true)?, "")?),
        (&Method::GET, ["certificates", name, version]) => {
            ok(bundle(ask, shelf::find(ask, shelf, name, true)?, version)?)
        }
        (&Method::PATCH, ["certificates", name]) => ok(update(ask, shelf, name, "")?),
        (&Method::PATCH, ["certificates", name, version]) => ok(update(ask, shelf, name, version)?),
        (&Method::DELETE, ["certificates", name]) => {
            let object = shelf::delete(ask, shelf, name, true)?;
            ok(told(ask, object)?)
        }
        (&Method::GET, ["deletedcertificates"]) => {
            let gone = shelf.values().filter(|object| object.gone(now) && object.policy.is_some());
            let items = gone.filter_map(|object| {
                let mut shown = item(ask, object, object.versions.last()?, false);
                add_deletion(ask, object, "certificates", &mut shown);
                Some(shown)
            });
            list::page(ask, items.collect())
        }
        (&Method::GET, ["deletedcertificates", name]) => {
            let object = shelf::deleted(ask, shelf, name, true)?.clone();
            ok(told(ask, object)?)
        }
        (&Method::POST, ["deletedcertificates", name, "recover"]) => {
            let object = shelf::recover(ask, shelf, name, true)?;
            ok(told(ask, object)?)
        }
        (&Method::DELETE, ["deletedcertificates", name]) => {
            shelf::purge(ask, shelf, name, true)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Problem::no_route(ask.call)),
    }
}

fn import(ask: &Ask<'_>, shelf: &mut Shelf, name: &str) -> Told<Value> {
    let Import { value, pwd, policy, attributes, tags } = ask.body()?;
    shelf::writable(ask, shelf, name)?;
    let (material, usual) = Material::read(&value, pwd.as_deref().unwrap_or_default())?;
    let given = policy.unwrap_or_else(|| json!({}));
    let policy = complete(given, &material, usual, "Unknown");
    let object = keep(ask, shelf, name, policy, &material, attributes.as_ref(), tags)?;
    bundle(ask, object, "")
}

/// Puts a new version under `name`.
pub(super) fn keep<'s>(
    ask: &Ask<'_>,
    shelf: &'s mut Shelf,
    name: &str,
    policy: Value,
    material: &Material,
    written: Option<&Written>,
    tags: Tags,
) -> Told<&'s mut Object> {
    check_tags(ask, tags.as_ref())?;
    let der = material.certificate();
    let facts = CertificateFacts::read(&der).ok_or_else(|| Problem::bad("The certificate can not be read."))?;
    let content_type = policy["secret_props"]["contentType"].as_str().unwrap_or(material::PFX).to_owned();
    let value = material.secret(&content_type, policy["key_props"]["exportable"] != json!(false))?;
    let mut attributes = Attributes::new(written, ask.second());
    attributes.nbf = Some(facts.not_before.as_second());
    attributes.exp = Some(facts.not_after.as_second());
    let object = shelf.entry(name.to_ascii_lowercase()).or_insert_with(|| Object::new(name, Some(json!({}))));
    if object.policy.is_none() {
        return Err(Problem::conflict(None, format!("The name {name} is taken by a secret.")));
    }
    object.policy = Some(policy);
    let content_type = Some(content_type);
    object.versions.push(Version { attributes, certificate: Some(der), content_type, id: version_id(), tags, value });
    Ok(object)
}

/// The policy of a certificate: what was written, and the rest from what it is.
pub(super) fn complete(mut given: Value, material: &Material, content_type: &str, issuer: &str) -> Value {
    let (subject, kty, bits) = material::described(&material.certificate()).unwrap_or_default();
    let mut policy = json!({
        "key_props": {"exportable": true, "kty": kty, "key_size": bits, "reuse_key": false},
        "secret_props": {"contentType": content_type},
        "x509_props": {"subject": subject, "validity_months": 12},
        "lifetime_actions": [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": "EmailContacts"}}],
        "issuer": {"name": issuer},
    });
    if let Some(given) = given.as_object_mut() {
        given.remove("id");
    }
    merge(&mut policy, &given);
    policy
}

/// Writes every value of `new` that is not null over `old`.
pub(super) fn merge(old: &mut Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in new.iter().filter(|(_, value)| !value.is_null()) {
                merge(old.entry(name.as_str()).or_insert(Value::Null), value);
            }
        }
        (old, new) => *old = new.clone(),
    }
}

fn update(ask: &Ask<'_>, shelf: &mut Shelf, name: &str, version: &str) -> Told<Value> {
    let Update { policy, attributes, tags } = ask.body()?;
    check_tags(ask, tags.as_ref())?;
    let object = shelf::find(ask, shelf, name, true)?;
    if let Some(written) = policy {
        merge(object.policy.get_or_insert_default(), &written);
    }
    let found = found(object, version)?;
    found.tags = tags.or(found.tags.take());
    found.attributes.update(attributes.as_ref(), ask.second());
    bundle(ask, object, version)
}

fn found<'o>(object: &'o mut Object, version: &str) -> Told<&'o mut Version> {
    let name = object.name.clone();
    let missing = || {
        Problem::missing(
            "CertificateNotFound",
            format!("A certificate with (name/id) {name}/{version} was not found in this key vault."),
        )
    };
    object.version(version).ok_or_else(missing)
}

fn policy(ask: &Ask<'_>, object: &Object) -> Value {
    let mut policy = object.policy.clone().unwrap_or_default();
    policy["id"] = json!(format!("{}/certificates/{}/policy", ask.url, object.name));
    policy
}

/// A certificate with everything.
pub(super) fn bundle(ask: &Ask<'_>, object: &mut Object, version: &str) -> Told<Value> {
    let version = found(object, version)?.clone();
    let mut shown = item(ask, object, &version, true);
    let id = |kind: &str| format!("{}/{kind}/{}/{}", ask.url, object.name, version.id);
    shown["kid"] = json!(id("keys"));
    shown["sid"] = json!(id("secrets"));
    shown["cer"] = json!(BASE64_STANDARD.encode(version.certificate.unwrap_or_default()));
    shown["contentType"] = json!(version.content_type);
    shown["policy"] = policy(ask, object);
    Ok(shown)
}

/// A certificate that was deleted or recovered.
fn told(ask: &Ask<'_>, mut object: Object) -> Told<Value> {
    let mut shown = bundle(ask, &mut object, "")?;
    add_deletion(ask, &object, "certificates", &mut shown);
    Ok(shown)
}

/// A certificate as lists show it.
fn item(ask: &Ask<'_>, object: &Object, version: &Version, with_version: bool) -> Value {
    let mut id = format!("{}/certificates/{}", ask.url, object.name);
    if with_version {
        id.push_str(&format!("/{}", version.id));
    }
    let facts = version.certificate.as_deref().and_then(CertificateFacts::read);
    let mut shown = json!({
        "id": id,
        "x5t": facts.map(|facts| BASE64_URL_SAFE_NO_PAD.encode(facts.sha1)),
        "attributes": version.attributes.shown(),
    });
    if let Some(tags) = &version.tags {
        shown["tags"] = json!(tags);
    }
    shown
}

//! A certificate that somebody else signs: `create` makes key and request, `pending/merge` brings the answer.

use axum::http::Method;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::CertificateParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::KeyPair;
use rcgen::RsaKeySize;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::Ask;
use super::Problem;
use super::attributes::Written;
use super::certificates;
use super::certificates::Tags;
use super::material;
use super::material::Material;
use super::problem::Told;
use super::shelf;
use super::shelf::Object;
use super::shelf::Pending;
use super::shelf::Shelf;
use crate::emulator::call::Reply;

#[derive(Deserialize)]
struct Create {
    policy: Value,
}

#[derive(Deserialize)]
struct Merge {
    x5c: Vec<String>,
    #[serde(default)]
    attributes: Option<Written>,
    #[serde(default)]
    tags: Tags,
}

#[derive(Deserialize)]
struct Cancel {
    cancellation_requested: bool,
}

pub(super) fn answer(ask: &Ask<'_>, shelf: &mut Shelf, name: &str, segments: &[&str]) -> Told<Reply> {
    match (&ask.call.method, &segments[2..]) {
        (&Method::POST, ["create"]) => {
            create(ask, shelf, name)?;
            Ok(Reply::json(StatusCode::ACCEPTED, operation(ask, pending(shelf, name)?)?))
        }
        (&Method::GET, ["pending"]) => Ok(Reply::json(StatusCode::OK, operation(ask, pending(shelf, name)?)?)),
        (&Method::PATCH, ["pending"]) => {
            let Cancel { cancellation_requested } = ask.body()?;
            let object = pending(shelf, name)?;
            if let Some(pending) = &mut object.pending {
                pending.cancelled |= cancellation_requested;
            }
            Ok(Reply::json(StatusCode::OK, operation(ask, object)?))
        }
        (&Method::DELETE, ["pending"]) => {
            let object = pending(shelf, name)?;
            let shown = operation(ask, object)?;
            object.pending = None;
            if object.versions.is_empty() {
                shelf.remove(&name.to_ascii_lowercase());
            }
            Ok(Reply::json(StatusCode::OK, shown))
        }
        (&Method::POST, ["pending", "merge"]) => {
            let bundle = merged(ask, shelf, name)?;
            Ok(Reply::json(StatusCode::CREATED, bundle))
        }
        _ => Err(Problem::no_route(ask.call)),
    }
}

fn create(ask: &Ask<'_>, shelf: &mut Shelf, name: &str) -> Told<()> {
    let Create { policy } = ask.body()?;
    shelf::writable(ask, shelf, name)?;
    if policy["issuer"]["name"] != json!("Unknown") {
        return Err(Problem::bad("The emulated vault knows the issuer \"Unknown\" alone: it signs nothing itself."));
    }
    let subject = policy["x509_props"]["subject"].as_str().unwrap_or_default();
    let common = subject.split(',').find_map(|part| part.trim().strip_prefix("CN="));
    let common = common.ok_or_else(|| Problem::bad("x509_props.subject has no CN."))?;
    let failed = |error| Problem::crypto("certificate request", error);
    let key = key(&policy["key_props"])?;
    let mut params = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    let csr = params.serialize_request(&key).map_err(failed)?.der().to_vec();
    let pending = Pending { csr, key: key.serialize_der(), request_id: Uuid::new_v4(), cancelled: false };
    let object = shelf.entry(name.to_ascii_lowercase()).or_insert_with(|| Object::new(name, Some(json!({}))));
    if object.policy.is_none() {
        return Err(Problem::conflict(None, format!("The name {name} is taken by a secret.")));
    }
    object.policy = Some(policy);
    object.pending = Some(pending);
    Ok(())
}

fn key(props: &Value) -> Told<KeyPair> {
    let made = match (props["kty"].as_str().unwrap_or("RSA"), props["key_size"].as_u64()) {
        ("RSA", None | Some(2048)) => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
        ("RSA", Some(3072)) => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_3072),
        ("RSA", Some(4096)) => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096),
        ("EC", _) => KeyPair::generate(),
        (kty, size) => return Err(Problem::bad(format!("A key of kind {kty} and size {size:?} is not made here."))),
    };
    made.map_err(|error| Problem::crypto("key", error))
}

fn pending<'s>(shelf: &'s mut Shelf, name: &str) -> Told<&'s mut Object> {
    let object = shelf.get_mut(&name.to_ascii_lowercase()).filter(|object| object.pending.is_some());
    object.ok_or_else(|| Problem::missing("PendingCertificateNotFound", format!("{name} waits for no signature.")))
}

fn operation(ask: &Ask<'_>, object: &Object) -> Told<Value> {
    let Some(pending) = &object.pending else { return Err(Problem::missing("PendingCertificateNotFound", "")) };
    let (status, details) = if pending.cancelled {
        ("cancelled", "Certificate creation was cancelled.")
    } else {
        ("inProgress", "Pending certificate created. Please Perform Merge to complete the request.")
    };
    Ok(json!({
        "id": format!("{}/certificates/{}/pending", ask.url, object.name),
        "issuer": {"name": "Unknown"},
        "csr": BASE64_STANDARD.encode(&pending.csr),
        "cancellation_requested": pending.cancelled,
        "status": status,
        "status_details": details,
        "request_id": pending.request_id.simple().to_string(),
    }))
}

fn merged(ask: &Ask<'_>, shelf: &mut Shelf, name: &str) -> Told<Value> {
    let Merge { x5c, attributes, tags } = ask.body()?;
    let object = pending(shelf, name)?;
    let Some(waiting) = object.pending.clone() else { return Err(Problem::missing("PendingCertificateNotFound", "")) };
    let bad = |_| Problem::bad("x5c holds something that is not base64.");
    let certificates = x5c.iter().map(|text| BASE64_STANDARD.decode(text).map_err(bad)).collect::<Told<Vec<_>>>()?;
    let material = Material { key: waiting.key, certificates };
    if material::info(&material.certificate()) != Some(material::public_key(&material.key)?) {
        return Err(Problem::bad("Public key from x509 certificate and key are not matching: PublicKeyMismatch."));
    }
    let given = object.policy.clone().unwrap_or_default();
    object.pending = None;
    let policy = certificates::complete(given, &material, material::PFX, "Unknown");
    let object = certificates::keep(ask, shelf, name, policy, &material, attributes.as_ref(), tags)?;
    certificates::bundle(ask, object, "")
}

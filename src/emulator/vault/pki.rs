//! The PKI engine at `pki/`: a root CA of its own, roles, and `sign/ROLE` for requests made elsewhere.
//!
//! The role `everkey` is there from the start; the token of AppRole may sign with it and with no other.

use std::collections::BTreeMap;
use std::fmt;

use axum::http::Method;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::SanType;
use rcgen::SerialNumber;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Told;
use super::body;
use super::no;
use super::request::Request;
use super::wrapped;
use super::wrapper;
use crate::emulator::call::Call;
use crate::emulator::call::Reply;
use crate::emulator::call::ReplyBody;

const DAY: i64 = 24 * 3600;

/// The role that is there from the start.
const USUAL_ROLE: &str = "everkey";

/// notBefore lies so far back, as in Vault.
const BACKDATED: i64 = 30;

/// Where neither the request nor the role says how long.
const USUAL_TTL: i64 = 32 * DAY;

/// The root, the roles, and what was signed.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Pki {
    root: Option<Root>,
    roles: BTreeMap<String, Role>,
    /// PEM by serial number.
    signed: BTreeMap<String, String>,
}

/// Made when it is first needed.
#[derive(Clone, Deserialize, Serialize)]
struct Root {
    certificate: String,
    end: Timestamp,
    /// PKCS#8 in base64.
    key: String,
}

// The key of the root is a secret.
impl fmt::Debug for Pki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pki").field("signed", &self.signed.len()).finish_non_exhaustive()
    }
}

impl Default for Pki {
    fn default() -> Self {
        let roles = BTreeMap::from([(USUAL_ROLE.to_owned(), Role { allow_any_name: true, ..Role::default() })]);
        Self { root: None, roles, signed: BTreeMap::new() }
    }
}

/// What a role allows, as far as `sign` here looks at it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
struct Role {
    allow_any_name: bool,
    allow_bare_domains: bool,
    allow_subdomains: bool,
    allowed_domains: Vec<String>,
    /// `rsa`, `ec` or `any`.
    key_type: String,
    /// Seconds, `72h`; nothing or 0: the engine's ten years.
    max_ttl: Value,
    use_csr_common_name: bool,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            allow_any_name: false,
            allow_bare_domains: false,
            allow_subdomains: false,
            allowed_domains: Vec::new(),
            key_type: "rsa".into(),
            max_ttl: Value::Null,
            use_csr_common_name: true,
        }
    }
}

impl Role {
    fn allows(&self, name: &str) -> bool {
        let domain = |domain: &String| {
            let below = name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
            (self.allow_bare_domains && name == domain) || (self.allow_subdomains && below)
        };
        self.allow_any_name || self.allowed_domains.iter().any(domain)
    }
}

#[derive(Deserialize)]
struct Sign {
    #[serde(default)]
    csr: String,
    #[serde(default)]
    common_name: String,
    #[serde(default)]
    ttl: Value,
}

/// The root certificate, for everybody: `pki/ca/pem`.
pub(super) fn root_pem(pki: &mut Pki, call: &Call) -> Told<Reply> {
    let pem = pki.root(call)?.certificate.clone();
    let body = ReplyBody::Raw("application/pem-certificate-chain", pem.into_bytes());
    Ok(Reply { body, headers: Vec::new(), status: StatusCode::OK })
}

/// Answers `pki/…` for somebody who is signed in.
pub(super) fn answer(pki: &mut Pki, call: &Call, path: &str, root: bool) -> Told<Reply> {
    let segments: Vec<&str> = path.split('/').collect();
    let writes = matches!(call.method, Method::POST | Method::PUT);
    let list = call.method.as_str() == "LIST" || call.query_pairs().any(|pair| pair == ("list".into(), "true".into()));
    let usual = matches!(segments[..], ["sign", USUAL_ROLE]) && writes;
    if !root && !usual {
        return no(StatusCode::FORBIDDEN, "1 error occurred:\n\t* permission denied\n\n");
    }
    match segments[..] {
        ["sign", role] if writes => sign(pki, call, role),
        ["roles"] if list => Ok(wrapped(call, json!({"keys": pki.roles.keys().collect::<Vec<_>>()}))),
        ["roles", name] if writes => {
            pki.roles.insert(name.to_owned(), body(call)?);
            Ok(wrapped(call, json!(pki.roles.get(name))))
        }
        ["roles", name] if call.method == Method::GET => match pki.roles.get(name) {
            Some(role) => Ok(wrapped(call, json!(role))),
            None => Err((StatusCode::NOT_FOUND, Vec::new())),
        },
        ["roles", name] if call.method == Method::DELETE => {
            pki.roles.remove(name);
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        ["certs"] if list => Ok(wrapped(call, json!({"keys": pki.signed.keys().collect::<Vec<_>>()}))),
        ["cert", serial] if call.method == Method::GET => match pki.signed.get(serial) {
            Some(pem) => Ok(wrapped(call, json!({"certificate": pem}))),
            None => Err((StatusCode::NOT_FOUND, Vec::new())),
        },
        _ => no(StatusCode::NOT_FOUND, format!("no handler for route \"pki/{path}\". route entry not found.")),
    }
}

fn sign(pki: &mut Pki, call: &Call, role: &str) -> Told<Reply> {
    let Some(rules) = pki.roles.get(role).cloned() else {
        return no(StatusCode::BAD_REQUEST, format!("unknown role: {role}"));
    };
    let Sign { csr, common_name, ttl } = body(call)?;
    if csr.is_empty() {
        return no(StatusCode::BAD_REQUEST, "\"csr\" is empty");
    }
    let request = Request::read(&csr).or_else(|why| no(StatusCode::BAD_REQUEST, why))?;
    if rules.key_type != "any" && rules.key_type != request.key.word() {
        return no(StatusCode::BAD_REQUEST, format!("role requires keys of type {}", rules.key_type));
    }
    let named = Some(&request.common_name).filter(|name| rules.use_csr_common_name && !name.is_empty());
    let name = named.unwrap_or(&common_name);
    if name.is_empty() {
        let why =
            "the common_name field is required, or must be provided in a CSR with \"use_csr_common_name\" set to true";
        return no(StatusCode::BAD_REQUEST, why);
    }
    if !rules.allows(name) {
        return no(StatusCode::BAD_REQUEST, format!("common name {name} not allowed by this role"));
    }
    let most = seconds(&rules.max_ttl)?.filter(|most| *most > 0);
    let asked = seconds(&ttl)?.filter(|asked| *asked > 0).unwrap_or(USUAL_TTL);
    let lifetime = most.map_or(asked, |most| asked.min(most));
    let end = call.now.as_second().saturating_add(lifetime);
    let root = pki.root(call)?;
    if end > root.end.as_second() {
        let why = format!(
            "cannot satisfy request, as TTL would result in notAfter of {end} that is beyond the expiration of the CA certificate at {}",
            root.end
        );
        return no(StatusCode::BAD_REQUEST, why);
    }
    let serial = Uuid::new_v4().into_bytes();
    let certificate = leaf(root, name, &request, &serial, call.now.as_second(), end)
        .or_else(|error| no(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let certificate = certificate.trim_end().to_owned();
    let issuer = root.certificate.trim_end().to_owned();
    let number = serial.map(|byte| format!("{byte:02x}")).join(":");
    pki.signed.insert(number.clone(), certificate.clone());
    let mut reply = wrapper(call);
    if lifetime < asked {
        reply["warnings"] = json!([format!(
            "TTL \"{asked}s\" is longer than permitted maxTTL \"{lifetime}s\", so maxTTL is being used"
        )]);
    }
    reply["data"] = json!({
        "certificate": certificate, "issuing_ca": issuer, "ca_chain": [issuer], "serial_number": number, "expiration": end,
    });
    Ok(Reply::json(StatusCode::OK, reply))
}

impl Pki {
    fn root(&mut self, call: &Call) -> Told<&Root> {
        let root = match self.root.take() {
            Some(root) => root,
            None => Root::make(call.now).or_else(|error| no(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?,
        };
        Ok(self.root.insert(root))
    }
}

impl Root {
    fn make(now: Timestamp) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let end = now.as_second() + 3653 * DAY;
        let mut params = authority()?;
        params.not_before = at(now.as_second() - DAY);
        params.not_after = at(end);
        Ok(Self {
            certificate: params.self_signed(&key)?.pem(),
            end: Timestamp::from_second(end).unwrap_or(now),
            key: BASE64_STANDARD.encode(key.serialize_der()),
        })
    }
}

/// All of the root but its dates.
fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name = named("Emulated Vault Root CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf(root: &Root, name: &str, request: &Request, serial: &[u8], now: i64, end: i64) -> Result<String, rcgen::Error> {
    let key = BASE64_STANDARD.decode(&root.key).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name = named(name);
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.not_before = at(now - BACKDATED);
    params.not_after = at(end);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyAgreement];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    // A common name that could be a host's is one of its names, too.
    let host = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
    if host {
        params.subject_alt_names = vec![SanType::DnsName(name.try_into()?)];
    }
    let issuer = Issuer::new(authority()?, KeyPair::try_from(key)?);
    Ok(params.signed_by(&request.key, &issuer)?.pem())
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn at(second: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(second).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A duration as Vault takes it: seconds as number or text, or with a unit.
fn seconds(given: &Value) -> Told<Option<i64>> {
    let text = match given {
        Value::Null => return Ok(None),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let (number, unit) = match text.char_indices().last() {
        Some((last, 's')) => (&text[..last], 1),
        Some((last, 'm')) => (&text[..last], 60),
        Some((last, 'h')) => (&text[..last], 3600),
        Some((last, 'd')) => (&text[..last], DAY),
        _ => (text.as_str(), 1),
    };
    match number.parse::<i64>() {
        Ok(number) => Ok(Some(number.saturating_mul(unit))),
        Err(_) => no(
            StatusCode::BAD_REQUEST,
            format!("Field validation failed: error converting input {text:?} for a duration"),
        ),
    }
}

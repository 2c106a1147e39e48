//! Kubernetes in the small: Secrets below `/api/v1/namespaces/{namespace}/secrets`, with server-side apply, owners of
//! fields, resource versions and a bearer token (entra-contract 9). Every namespace is there until it is deleted.

mod apply;
mod secret;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use self::secret::Secret;
use super::call::Call;
use super::call::Reply;
use super::tenant::Tenant;

/// What it holds.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Cluster {
    /// Namespaces that were deleted.
    gone: BTreeSet<String>,
    /// The last resource version given.
    revision: u64,
    /// Secrets by `NAMESPACE/NAME`.
    secrets: BTreeMap<String, Secret>,
    token: String,
}

// Values and the token are secrets.
impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}

impl Default for Cluster {
    fn default() -> Self {
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        Self { gone: BTreeSet::new(), revision: 1, secrets: BTreeMap::new(), token }
    }
}

impl Cluster {
    /// The token of a service account that may everything with Secrets.
    pub fn token(&self) -> &str {
        &self.token
    }

    fn next(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }
}

/// A refusal in the API's form.
#[derive(Debug)]
struct Status {
    code: StatusCode,
    reason: &'static str,
    message: String,
    causes: Vec<Value>,
}

type Told<T> = Result<T, Status>;

impl Status {
    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), causes: Vec::new() }
    }

    fn not_found(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", format!("secrets \"{name}\" not found"))
    }

    fn modified(name: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "Conflict",
            format!(
                "Operation cannot be fulfilled on secrets \"{name}\": the object has been modified; please apply your changes to the latest version and try again"
            ),
        )
    }

    fn reply(self) -> Reply {
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
            "reason": self.reason, "details": {"kind": "secrets", "causes": self.causes}, "code": self.code.as_u16(),
        });
        Reply::json(self.code, body)
    }
}

/// Answers `/api/v1/…`.
pub fn answer(tenant: &mut Tenant, call: &Call) -> Reply {
    told(&mut tenant.places.kubernetes, call).unwrap_or_else(Status::reply)
}

fn told(cluster: &mut Cluster, call: &Call) -> Told<Reply> {
    let given = call.header(header::AUTHORIZATION).and_then(|text| text.strip_prefix("Bearer "));
    if given != Some(cluster.token.as_str()) {
        return Err(Status::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized"));
    }
    let path: Vec<&str> = call.path.trim_matches('/').split('/').skip(2).collect();
    let (namespace, name) = match path.as_slice() {
        ["namespaces", namespace] => return self::namespace(cluster, call, namespace),
        ["namespaces", namespace, "secrets"] => (*namespace, None),
        ["namespaces", namespace, "secrets", name] => (*namespace, Some(*name)),
        _ => {
            let why = "the server could not find the requested resource";
            return Err(Status::new(StatusCode::NOT_FOUND, "NotFound", why));
        }
    };
    if cluster.gone.contains(namespace) && !matches!(call.method, Method::GET | Method::DELETE) {
        return Err(missing(namespace));
    }
    let ok = |secret: &Secret| Reply::json(StatusCode::OK, secret.shown());
    match (&call.method, name) {
        (&Method::GET, None) => {
            let own = |key: &&String| key.split('/').next() == Some(namespace);
            let items: Vec<Value> =
                cluster.secrets.keys().filter(own).filter_map(|key| Some(cluster.secrets.get(key)?.shown())).collect();
            let metadata = json!({"resourceVersion": cluster.revision.to_string()});
            let list = json!({"kind": "SecretList", "apiVersion": "v1", "metadata": metadata, "items": items});
            Ok(Reply::json(StatusCode::OK, list))
        }
        (&Method::POST, None) => {
            let wanted = apply::Wanted::read(call)?;
            let key = format!("{namespace}/{}", wanted.name);
            if cluster.secrets.contains_key(&key) {
                let why = format!("secrets \"{}\" already exists", wanted.name);
                return Err(Status::new(StatusCode::CONFLICT, "AlreadyExists", why));
            }
            let secret = apply::replace(None, &wanted, namespace, apply::manager(call), cluster.next(), call.now)?;
            let reply = Reply::json(StatusCode::CREATED, secret.shown());
            cluster.secrets.insert(key, secret);
            Ok(reply)
        }
        (&Method::GET, Some(name)) => {
            cluster.secrets.get(&format!("{namespace}/{name}")).map(ok).ok_or_else(|| Status::not_found(name))
        }
        (&Method::PUT, Some(name)) => {
            let wanted = apply::Wanted::read(call)?;
            let key = format!("{namespace}/{name}");
            let old = cluster.secrets.get(&key).cloned().ok_or_else(|| Status::not_found(name))?;
            let secret =
                apply::replace(Some(&old), &wanted, namespace, apply::manager(call), cluster.next(), call.now)?;
            let reply = ok(&secret);
            cluster.secrets.insert(key, secret);
            Ok(reply)
        }
        (&Method::PATCH, Some(name)) => {
            if call.header(header::CONTENT_TYPE) != Some("application/apply-patch+yaml") {
                let why = "the emulator knows server-side apply alone (application/apply-patch+yaml, as JSON)";
                return Err(Status::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", why));
            }
            let wanted = apply::Wanted::read(call)?;
            let key = format!("{namespace}/{name}");
            let old = cluster.secrets.get(&key).cloned();
            let created = old.is_none();
            let dry = call.query_pairs().any(|pair| pair == ("dryRun".into(), "All".into()));
            let revision = if dry { cluster.revision } else { cluster.next() };
            let secret = apply::apply(old, &wanted, namespace, call, revision)?;
            let status = if created { StatusCode::CREATED } else { StatusCode::OK };
            let reply = Reply::json(status, secret.shown());
            if dry {
                return Ok(reply);
            }
            cluster.secrets.insert(key, secret);
            Ok(reply)
        }
        (&Method::DELETE, Some(name)) => {
            let gone = cluster.secrets.remove(&format!("{namespace}/{name}"));
            gone.as_ref().map(ok).ok_or_else(|| Status::not_found(name))
        }
        _ => Err(Status::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "the server does not allow this method",
        )),
    }
}

/// A namespace itself: seen, deleted with all that is in it, and made again.
fn namespace(cluster: &mut Cluster, call: &Call, name: &str) -> Told<Reply> {
    let shown = json!({
        "kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}, "status": {"phase": "Active"},
    });
    match call.method {
        Method::GET if !cluster.gone.contains(name) => Ok(Reply::json(StatusCode::OK, shown)),
        Method::DELETE if cluster.gone.insert(name.to_owned()) => {
            cluster.secrets.retain(|key, _| key.split('/').next() != Some(name));
            Ok(Reply::json(StatusCode::OK, shown))
        }
        Method::PUT => {
            cluster.gone.remove(name);
            Ok(Reply::json(StatusCode::OK, shown))
        }
        _ => Err(missing(name)),
    }
}

fn missing(namespace: &str) -> Status {
    Status::new(StatusCode::NOT_FOUND, "NotFound", format!("namespaces \"{namespace}\" not found"))
}

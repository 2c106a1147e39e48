//! HashiCorp Vault in the small: KV version 2 at `secret/`, version 1 at `kv/`, a CA at `pki/`, AppRole, and tokens
//! (entra-contract 9). It answers below `/v1`, as OpenBao does.

mod kv;
mod merge;
mod mounts;
mod pki;
mod request;

use std::collections::BTreeMap;
use std::fmt;

use axum::http::Method;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::call::Call;
use super::call::Reply;
use super::tenant::Tenant;

/// How long a token of AppRole lives.
const TOKEN_SECONDS: i64 = 3600;

/// What it holds, and who may sign in.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Vault {
    /// Secrets by namespace and path.
    secrets: BTreeMap<String, kv::Entry>,
    pki: pki::Pki,
    /// Secrets of the store without versions, by namespace and path.
    plain: BTreeMap<String, Value>,
    role_id: String,
    secret_id: String,
    root_token: String,
    /// Tokens of AppRole and the second in which each ends.
    tokens: BTreeMap<String, i64>,
}

// Tokens and values are secrets.
impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}

impl Default for Vault {
    fn default() -> Self {
        Self {
            secrets: BTreeMap::new(),
            pki: pki::Pki::default(),
            plain: BTreeMap::new(),
            role_id: Uuid::new_v4().to_string(),
            secret_id: Uuid::new_v4().to_string(),
            root_token: token(),
            tokens: BTreeMap::new(),
        }
    }
}

impl Vault {
    /// The id of the one role, and its secret id.
    pub fn app_role(&self) -> (&str, &str) {
        (&self.role_id, &self.secret_id)
    }

    /// A token that may everything and does not end.
    pub fn root_token(&self) -> &str {
        &self.root_token
    }
}

fn token() -> String {
    format!("hvs.{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// An answer, or the status and texts of a refusal.
type Told<T> = Result<T, (StatusCode, Vec<String>)>;

fn no<T>(status: StatusCode, why: impl Into<String>) -> Told<T> {
    Err((status, vec![why.into()]))
}

fn body<T: for<'de> Deserialize<'de>>(call: &Call) -> Told<T> {
    serde_json::from_slice(&call.body)
        .or_else(|error| no(StatusCode::BAD_REQUEST, format!("failed to parse JSON input: {error}")))
}

/// Answers `/v1/…`.
pub fn answer(tenant: &mut Tenant, call: &Call) -> Reply {
    match told(&mut tenant.places.vault, call) {
        Ok(reply) => reply,
        Err((status, errors)) => Reply::json(status, json!({"errors": errors})),
    }
}

fn told(vault: &mut Vault, call: &Call) -> Told<Reply> {
    let path = call.path.trim_start_matches("/v1/");
    if path == "sys/health" && call.method == Method::GET {
        let health = json!({"initialized": true, "sealed": false, "standby": false, "version": "1.17.0"});
        return Ok(Reply::json(StatusCode::OK, health));
    }
    if path == "pki/ca/pem" && call.method == Method::GET {
        return pki::root_pem(&mut vault.pki, call);
    }
    if path == "auth/approle/login" && matches!(call.method, Method::POST | Method::PUT) {
        return login(vault, call);
    }
    let given = call.header("x-vault-token").unwrap_or_default();
    let end = vault.tokens.get(given).copied();
    let root = !given.is_empty() && given == vault.root_token;
    if !root && end.is_none_or(|end| call.received.as_second() >= end) {
        return no(StatusCode::FORBIDDEN, "permission denied");
    }
    if path == "auth/token/lookup-self" && call.method == Method::GET {
        let ttl = end.map_or(0, |end| end - call.now.as_second());
        let policies = if root { json!(["root"]) } else { json!(["default", "everkey"]) };
        return Ok(wrapped(call, json!({"ttl": ttl, "policies": policies, "renewable": !root, "type": "service"})));
    }
    if let Some(path) = path.strip_prefix("pki/") {
        return pki::answer(&mut vault.pki, call, path, root);
    }
    let namespace = call.header("x-vault-namespace").unwrap_or_default().trim_matches('/');
    for kind in ["data", "metadata"] {
        if let Some(name) = path.strip_prefix("secret/").and_then(|path| path.strip_prefix(kind)) {
            let name = format!("{namespace}:{}", name.trim_matches('/'));
            return kv::answer(&mut vault.secrets, call, kind, &name);
        }
    }
    if let Some(told) = mounts::answer(&mut vault.plain, call, namespace, path) {
        return told;
    }
    no(StatusCode::NOT_FOUND, format!("no handler for route \"{path}\". route entry not found."))
}

fn login(vault: &mut Vault, call: &Call) -> Told<Reply> {
    #[derive(Deserialize)]
    struct Login {
        role_id: String,
        #[serde(default)]
        secret_id: String,
    }
    let Login { role_id, secret_id } = body(call)?;
    if role_id != vault.role_id || secret_id != vault.secret_id {
        return no(StatusCode::BAD_REQUEST, "invalid role or secret ID");
    }
    let now = call.now.as_second();
    vault.tokens.retain(|_, end| *end > now);
    let token = token();
    vault.tokens.insert(token.clone(), now + TOKEN_SECONDS);
    let auth = json!({
        "client_token": token, "accessor": Uuid::new_v4().simple().to_string(), "policies": ["default", "everkey"],
        "token_policies": ["default", "everkey"], "metadata": {"role_name": "everkey"},
        "lease_duration": TOKEN_SECONDS, "renewable": true, "entity_id": "", "token_type": "service", "orphan": true,
    });
    let mut reply = wrapper(call);
    reply["auth"] = auth;
    Ok(Reply::json(StatusCode::OK, reply))
}

fn wrapper(call: &Call) -> Value {
    json!({
        "request_id": call.request_id, "lease_id": "", "renewable": false, "lease_duration": 0, "data": null,
        "wrap_info": null, "warnings": null, "auth": null,
    })
}

/// `data` in Vault's envelope.
fn wrapped(call: &Call, data: Value) -> Reply {
    let mut reply = wrapper(call);
    reply["data"] = data;
    Reply::json(StatusCode::OK, reply)
}

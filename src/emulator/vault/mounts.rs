//! What is mounted where, the configuration of the store with versions, and the store without.

use std::collections::BTreeMap;

use axum::http::Method;
use axum::http::StatusCode;
use serde_json::Value;
use serde_json::json;

use super::Told;
use super::body;
use super::no;
use super::wrapped;
use crate::emulator::call::Call;
use crate::emulator::call::Reply;

/// Where the interface of Vault looks for what is mounted; clients ask it for the version of a store.
const MOUNTS: &str = "sys/internal/ui/mounts/";

/// Mounts, and their versions of KV.
const VERSIONS: [(&str, &str); 2] = [("secret", "2"), ("kv", "1")];

/// Answers what is not the store with versions; `None` where nothing is mounted.
pub(super) fn answer(
    plain: &mut BTreeMap<String, Value>,
    call: &Call,
    namespace: &str,
    path: &str,
) -> Option<Told<Reply>> {
    if let Some(asked) = path.strip_prefix(MOUNTS).filter(|_| call.method == Method::GET) {
        return Some(mounted(call, asked));
    }
    if path == "secret/config" && call.method == Method::GET {
        let config = json!({"cas_required": false, "delete_version_after": "0s", "max_versions": 0});
        return Some(Ok(wrapped(call, config)));
    }
    let key = format!("{namespace}:{}", path.strip_prefix("kv/")?);
    let absent = || Err((StatusCode::NOT_FOUND, Vec::new()));
    Some(match call.method {
        Method::GET => plain.get(&key).map_or_else(absent, |data| Ok(wrapped(call, data.clone()))),
        Method::POST | Method::PUT => body(call).map(|data| {
            plain.insert(key, data);
            Reply::empty(StatusCode::NO_CONTENT)
        }),
        Method::DELETE => {
            plain.remove(&key);
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        _ => no(StatusCode::METHOD_NOT_ALLOWED, "unsupported operation"),
    })
}

/// A mount that is not there is refused as one that the token may not see.
fn mounted(call: &Call, asked: &str) -> Told<Reply> {
    let found = VERSIONS.iter().find(|(mount, _)| asked.trim_end_matches('/').split('/').next() == Some(mount));
    let Some((mount, version)) = found else {
        let why = format!(
            "preflight capability check returned 403, please ensure client's policies grant access to path \"{asked}/\""
        );
        return no(StatusCode::FORBIDDEN, why);
    };
    let options = json!({"version": version});
    Ok(wrapped(call, json!({"type": "kv", "path": format!("{mount}/"), "options": options, "description": ""})))
}

//! The emulator's own routes under `_emulator/`: its clock, its state, its quirks and faults. They need
//! no token, because the emulator listens on loopback only; none of them shows a secret.

use axum::http::Method;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;

use super::call::Call;
use super::call::Reply;
use super::directory::Seed;
use super::quirks::Fault;
use super::quirks::Quirks;
use super::tenant::Tenant;

/// Makes somebody an owner, as an administrator would.
#[derive(serde::Deserialize)]
struct Own {
    object: uuid::Uuid,
    owner: uuid::Uuid,
}

/// Lets Conditional Access refuse an application, or no longer.
#[derive(serde::Deserialize)]
struct Block {
    client_id: uuid::Uuid,
    blocked: bool,
}

/// Answers `/_emulator/{what}`.
pub fn answer(tenant: &mut Tenant, call: &Call, what: &str) -> Reply {
    match (&call.method, what) {
        (&Method::GET, "clock") => Reply::json(StatusCode::OK, json!({"now": call.now, "manual": tenant.manual_clock})),
        (&Method::GET, "quirks") => shown(&tenant.quirks),
        (&Method::GET, "state") => shown(&tenant.directory),
        (&Method::POST, "quirks") => read::<Quirks>(call).map_or_else(refused, |quirks| {
            tenant.quirks = quirks;
            Reply::empty(StatusCode::NO_CONTENT)
        }),
        (&Method::POST, "faults") => read::<Fault>(call).map_or_else(refused, |fault| {
            tenant.faults.push(fault);
            Reply::empty(StatusCode::NO_CONTENT)
        }),
        (&Method::POST, "seed") => match read::<Seed>(call) {
            Ok(seed) => sow(tenant, seed, call),
            Err(error) => refused(error),
        },
        (&Method::POST, "block") => read::<Block>(call).map_or_else(refused, |block| {
            if block.blocked {
                tenant.blocked.insert(block.client_id);
            } else {
                tenant.blocked.remove(&block.client_id);
            }
            Reply::empty(StatusCode::NO_CONTENT)
        }),
        (&Method::POST, "own") => match read::<Own>(call) {
            Ok(own) => match tenant.directory.add_owner(own.object, own.owner) {
                Ok(()) => Reply::empty(StatusCode::NO_CONTENT),
                Err(refusal) => Reply::json(StatusCode::BAD_REQUEST, json!({"error": format!("{refusal:?}")})),
            },
            Err(error) => refused(error),
        },
        (&Method::DELETE, "faults") => {
            tenant.faults.clear();
            Reply::empty(StatusCode::NO_CONTENT)
        }
        _ => {
            Reply::json(StatusCode::NOT_FOUND, json!({"error": format!("the emulator has no {} {what}", call.method)}))
        }
    }
}

fn sow(tenant: &mut Tenant, seed: Seed, call: &Call) -> Reply {
    tenant.before_write(call.now);
    let conduct = tenant.quirks.key_conduct();
    match tenant.directory.sow(seed, conduct, call.now) {
        Ok(made) => Reply::json(StatusCode::OK, json!({"applications": made})),
        Err(refusal) => Reply::json(StatusCode::BAD_REQUEST, json!({"error": format!("{refusal:?}")})),
    }
}

fn read<T: DeserializeOwned>(call: &Call) -> Result<T, serde_json::Error> {
    serde_json::from_slice(&call.body)
}

fn refused(error: serde_json::Error) -> Reply {
    Reply::json(StatusCode::BAD_REQUEST, json!({"error": error.to_string()}))
}

fn shown(what: &impl serde::Serialize) -> Reply {
    match serde_json::to_value(what) {
        Ok(value) => Reply::json(StatusCode::OK, value),
        Err(error) => Reply::json(StatusCode::INTERNAL_SERVER_ERROR, Value::String(error.to_string())),
    }
}

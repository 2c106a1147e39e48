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
use super::fault::FaultPlan;
use super::fault::Rule;
use super::key_vault::Rights;
use super::mail::CaughtMail;
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

/// Gives a service principal rights in a key vault, as an administrator would.
#[derive(serde::Deserialize)]
struct Grant {
    vault: String,
    principal: uuid::Uuid,
    rights: Rights,
}

/// The routes, for whoever looks around at `/_emulator/`.
const ROUTES: &[(&str, &str, &str)] = &[
    ("GET", "clock", "the clock, and how fast it runs"),
    ("GET", "faults", "the faults that wait"),
    ("GET", "log", "what was called, and which fault it met"),
    ("GET", "mails", "mails sent through Graph"),
    ("GET", "quirks", "how the service misbehaves"),
    ("GET", "state", "the tenant; secrets as salted hashes and hints"),
    ("POST", "block", "Conditional Access refuses an application, or no longer"),
    ("POST", "faults", "the next requests that match fail in one way"),
    ("POST", "own", "makes somebody an owner"),
    ("POST", "quirks", "changes how the service misbehaves"),
    ("POST", "seed", "puts in what others have"),
    ("POST", "vaults", "gives somebody rights in a key vault"),
    ("PUT", "faults", "replaces all faults by a plan"),
    ("DELETE", "faults", "takes all faults back"),
    ("DELETE", "log", "forgets what was called"),
];

/// Answers `/_emulator/`.
pub fn index() -> Reply {
    let rows = ROUTES
        .iter()
        .map(|(method, name, what)| json!({"method": method, "path": format!("/_emulator/{name}"), "what": what}));
    Reply::json(StatusCode::OK, json!({"routes": rows.collect::<Vec<_>>()}))
}

/// Answers `/_emulator/{what}`.
pub fn answer(tenant: &mut Tenant, call: &Call, what: &str) -> Reply {
    match (&call.method, what) {
        (&Method::GET, "clock") => {
            let clock = json!({"now": call.now, "rate": tenant.clock_rate, "manual": tenant.manual_clock});
            Reply::json(StatusCode::OK, clock)
        }
        (&Method::GET, "mails") => {
            let shown = |mail: &CaughtMail| json!({"from": mail.from, "to": mail.to, "data": String::from_utf8_lossy(&mail.data)});
            Reply::json(StatusCode::OK, json!({"mails": tenant.mails().map(shown).collect::<Vec<_>>()}))
        }
        (&Method::GET, "quirks") => shown(&tenant.quirks),
        (&Method::GET, "state") => shown(&tenant.directory),
        (&Method::POST, "quirks") => read::<Quirks>(call).map_or_else(refused, |quirks| {
            tenant.quirks = quirks;
            Reply::empty(StatusCode::NO_CONTENT)
        }),
        (&Method::GET, "faults") => Reply::json(StatusCode::OK, tenant.faults.shown()),
        (&Method::GET, "log") => shown(&tenant.log.entries().collect::<Vec<_>>()),
        (&Method::DELETE, "log") => {
            tenant.log.clear();
            Reply::empty(StatusCode::NO_CONTENT)
        }
        (&Method::POST, "faults") => read::<Rule>(call).map_or_else(refused, |rule| match rule.nonsense() {
            Some(why) => Reply::json(StatusCode::BAD_REQUEST, json!({"error": why})),
            None => {
                tenant.faults.push(rule);
                Reply::empty(StatusCode::NO_CONTENT)
            }
        }),
        (&Method::PUT, "faults") => read::<FaultPlan>(call).map_or_else(refused, |plan| follow(tenant, &plan)),
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
        (&Method::POST, "vaults") => read::<Grant>(call).map_or_else(refused, |grant| {
            tenant.places.key_vaults.grant(&grant.vault, grant.principal, grant.rights);
            Reply::empty(StatusCode::NO_CONTENT)
        }),
        (&Method::DELETE, "faults") => {
            tenant.faults.clear();
            Reply::empty(StatusCode::NO_CONTENT)
        }
        _ => {
            Reply::json(StatusCode::NOT_FOUND, json!({"error": format!("the emulator has no {} {what}", call.method)}))
        }
    }
}

/// A whole plan, or nothing of it.
fn follow(tenant: &mut Tenant, plan: &FaultPlan) -> Reply {
    if let Some((number, why)) = plan.nonsense() {
        return Reply::json(StatusCode::BAD_REQUEST, json!({"error": format!("fault {number}: {why}")}));
    }
    tenant.faults.follow(plan);
    if let Some(quirks) = &plan.quirks {
        tenant.quirks = quirks.clone();
    }
    Reply::empty(StatusCode::NO_CONTENT)
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

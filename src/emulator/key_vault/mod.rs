//! Azure Key Vault's data plane: secrets and certificates with versions, soft delete and a challenge
//! (entra-contract 8). A vault is there as soon as somebody asks for it.
//!
//! It is reached as `https://NAME.vault.localhost:PORT`, and as `https://localhost:PORT/vaults/NAME` by those
//! who cannot resolve names below `localhost`. A vault gives values back, so it keeps them; they are written
//! into the state file, which only its owner can read.

mod access;
mod attributes;
mod certificates;
mod create;
mod list;
mod material;
mod problem;
mod quirks;
mod secrets;
mod shelf;

use axum::http::HeaderName;
use axum::http::Method;
use axum::http::header;
use serde::Deserialize;

pub use self::access::Rights;
use self::problem::Problem;
use self::problem::Told;
pub use self::quirks::KeyVaultQuirks;
pub use self::shelf::Vaults;
use super::call::Call;
use super::call::Reply;
use super::tenant::Tenant;

/// What comes behind the vault's own name in a host.
const HOST: &str = ".vault.localhost";

/// Versions of the interface that the SDKs send (entra-contract 8).
const API_VERSIONS: &[&str] =
    &["2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"];

/// A vault as a client addressed it.
pub struct Addressed {
    /// Where links into it begin, for whoever follows them.
    base: String,
    /// Its name, lower case.
    name: String,
    /// The path within it, without slashes around it.
    path: String,
}

/// The vault that a request is for, if it is for one.
pub fn addressed(call: &Call) -> Option<Addressed> {
    let host = call.header(header::HOST).unwrap_or_default().to_ascii_lowercase();
    let host = host.rsplit_once(':').map_or(host.as_str(), |(host, _)| host);
    if let Some(name) = host.strip_suffix(HOST) {
        let path = call.path.trim_matches('/').to_owned();
        return Some(Addressed { base: call.base(), name: name.to_owned(), path });
    }
    let (name, path) = call.path.strip_prefix("/vaults/")?.split_once('/')?;
    let base = format!("{}/vaults/{name}", call.base());
    Some(Addressed { base, name: name.to_ascii_lowercase(), path: path.trim_matches('/').to_owned() })
}

/// One request to a vault.
struct Ask<'a> {
    call: &'a Call,
    quirks: KeyVaultQuirks,
    vault: &'a Addressed,
    /// Where the ids of its objects begin; clients take them apart, so they never hold a path.
    url: String,
}

impl Ask<'_> {
    /// The body as `T`.
    fn body<T: for<'de> Deserialize<'de>>(&self) -> Told<T> {
        serde_json::from_slice(&self.call.body)
            .map_err(|error| Problem::bad(format!("Property has invalid value or is missing: {error}")))
    }

    fn second(&self) -> i64 {
        self.call.now.as_second()
    }
}

/// Answers a request to a vault.
pub fn answer(tenant: &mut Tenant, call: &Call, vault: &Addressed) -> Reply {
    let port = tenant.port;
    let ask = Ask {
        call,
        quirks: tenant.quirks.key_vault.clone(),
        vault,
        url: format!("https://{}{HOST}:{port}", vault.name),
    };
    let reply = match access::identify(tenant, call) {
        Err(reply) => reply,
        Ok(caller) => told(tenant, &ask, caller).unwrap_or_else(Problem::reply),
    };
    reply
        .with(header::CACHE_CONTROL, "no-cache")
        .with(HeaderName::from_static("x-ms-request-id"), call.request_id.to_string())
        .with(HeaderName::from_static("x-ms-keyvault-service-version"), "1.9.0.0-emulator")
}

fn told(tenant: &mut Tenant, ask: &Ask<'_>, caller: access::Caller) -> Told<Reply> {
    let version = ask.call.query_pairs().find(|(name, _)| name == "api-version").map(|(_, value)| value);
    if !version.as_deref().is_some_and(|version| API_VERSIONS.contains(&version)) {
        return Err(Problem::bad("api-version must be specified, and one that is known"));
    }
    let write = ask.call.method != Method::GET;
    tenant.places.key_vaults.allow(&ask.vault.name, caller, write, &ask.quirks)?;
    let shelf = tenant.places.key_vaults.shelf(&ask.vault.name);
    let segments: Vec<&str> = ask.vault.path.split('/').collect();
    match segments.as_slice() {
        ["secrets" | "deletedsecrets", ..] => secrets::answer(ask, shelf, &segments),
        ["certificates" | "deletedcertificates", ..] => certificates::answer(ask, shelf, &segments),
        _ => Err(Problem::no_route(ask.call)),
    }
}

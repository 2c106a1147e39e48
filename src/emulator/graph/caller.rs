//! Who calls: the bearer token, and what its roles and ownership allow (entra-contract 3.5).

use axum::http::header;
use uuid::Uuid;

use super::Problem;
use crate::emulator::call::Call;
use crate::emulator::directory::Directory;
use crate::emulator::jws::Jws;
use crate::emulator::login::is_graph;
use crate::emulator::tenant::Tenant;

/// A signed-in application. Its roles are those of the token, fixed when it was issued.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Its client id.
    pub(super) app_id: Uuid,
    /// Its service principal.
    pub(super) principal: Uuid,
    roles: Vec<String>,
}

impl Caller {
    /// Whether the token carries one of these roles.
    pub(super) fn has(&self, any_of: &[&str]) -> bool {
        self.roles.iter().any(|role| any_of.contains(&role.as_str()))
    }

    /// Refuses a caller that has none of these roles.
    pub(super) fn need(&self, any_of: &[&str]) -> Result<(), Problem> {
        if self.has(any_of) { Ok(()) } else { Err(Problem::denied()) }
    }

    /// Refuses a caller that may not read applications and service principals.
    pub(super) fn need_read(&self) -> Result<(), Problem> {
        self.need(&[
            "Application.Read.All",
            "Application.ReadWrite.All",
            "Application.ReadWrite.OwnedBy",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ])
    }

    /// Refuses a caller that may not create applications and service principals.
    pub(super) fn need_create(&self) -> Result<(), Problem> {
        self.need(&["Application.ReadWrite.All", "Application.ReadWrite.OwnedBy"])
    }

    /// Refuses a caller that may not change this object: with OwnedBy it has to be an owner. An object
    /// that does not exist is for the operation to refuse.
    pub(super) fn need_write(&self, directory: &Directory, object: Uuid) -> Result<(), Problem> {
        if self.has(&["Application.ReadWrite.All"]) {
            return Ok(());
        }
        self.need(&["Application.ReadWrite.OwnedBy"])?;
        let owned = directory.owners(object).is_none_or(|owners| owners.contains(&self.principal));
        if owned { Ok(()) } else { Err(Problem::denied()) }
    }

    /// Whether this object is the caller itself, which needs no role to roll its own keys.
    pub(super) fn is(&self, directory: &Directory, object: Uuid) -> bool {
        let application = directory.application(object).is_some_and(|application| application.app_id == self.app_id);
        application || object == self.principal
    }
}

/// Checks the bearer token: our signature, for Graph, alive when the request arrived.
pub(super) fn identify(tenant: &Tenant, call: &Call) -> Result<Caller, Problem> {
    let authorization = call.header(header::AUTHORIZATION).unwrap_or_default();
    let token = match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(Problem::token("Access token is empty.")),
    };
    let malformed = || Problem::token("CompactToken parsing failed with error code: 80049217");
    let token = Jws::parse(token).map_err(|_| malformed())?;
    if !tenant.signer.made(&token) {
        return Err(Problem::token("CompactToken validation failed with reason code: 80049228."));
    }
    if !token.text("aud").is_some_and(|audience| is_graph(tenant.port, audience)) {
        return Err(Problem::token("Access token validation failure. Invalid audience."));
    }
    let now = call.received.as_second() + tenant.quirks.clock_offset.as_secs();
    if token.seconds("exp").is_none_or(|exp| now >= exp) {
        return Err(Problem::token("Lifetime validation failed, the token is expired."));
    }
    let id = |claim: &str| token.text(claim).and_then(|text| text.parse().ok());
    let (Some(app_id), Some(principal)) = (id("appid"), id("oid")) else { return Err(malformed()) };
    if tenant.directory.principal(principal).is_none() {
        return Err(Problem::new(
            axum::http::StatusCode::UNAUTHORIZED,
            "Authorization_IdentityNotFound",
            "The identity of the calling application could not be established.",
        ));
    }
    let roles = token.claims.get("roles").and_then(serde_json::Value::as_array).into_iter().flatten();
    let roles = roles.filter_map(|role| role.as_str().map(str::to_owned)).collect();
    Ok(Caller { app_id, principal, roles })
}

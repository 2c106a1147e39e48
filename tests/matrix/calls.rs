//! The rows: every call of the client, the one request of it that meets the fault, and what it says.

use std::sync::Arc;

use everkey::clock::Clock as _;
use everkey::model::AppSpec;
use everkey::model::Audience;
use everkey::model::CertificateEntry;
use everkey::model::Consent;
use everkey::model::Grants;
use everkey::model::HolderKind;
use everkey::model::Permission;
use everkey::model::PermissionKind;
use everkey::ports::Directory as _;
use everkey::ports::PortError;
use everkey::ports::Probe;
use everkey::ports::SignIn;
use everkey::ports::TokenEndpoint as _;
use everkey::ports::TokenSource as _;

use crate::bench::Bench;
use crate::bench::Client;
use crate::bench::WANTED;

/// What a row does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Reads one object: repeated with patience.
    Read,
    /// Reads a list.
    List,
    /// Signs in.
    Token,
    /// Changes something, and may be sent so often at most.
    Write { most: usize },
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub kind: Kind,
    /// Method and a part of the path of the request that meets the fault.
    pub request: (&'static str, &'static str),
}

const fn row(name: &'static str, kind: Kind, method: &'static str, path: &'static str) -> Row {
    Row { name, kind, request: (method, path) }
}

const ONCE: Kind = Kind::Write { most: 1 };

/// Every request that the client makes.
pub const ROWS: [Row; 31] = [
    row("application", Kind::Read, "GET", "/applications/"),
    row("application by client id", Kind::Read, "GET", "/applications(appId"),
    row("application by unique name", Kind::Read, "GET", "/applications(uniqueName"),
    row("key credentials", Kind::Read, "GET", "/applications/"),
    row("principal", Kind::Read, "GET", "/servicePrincipals(appId"),
    row("resource of a grant", Kind::Read, "GET", "/servicePrincipals/{resource}"),
    row("one holder", Kind::Read, "GET", "/servicePrincipals/"),
    row("count", Kind::Read, "GET", "/applications/$count"),
    row("applications", Kind::List, "GET", "/applications"),
    row("owners", Kind::List, "GET", "/owners"),
    row("role assignments", Kind::List, "GET", "/appRoleAssignments"),
    row("permission grants", Kind::List, "GET", "/oauth2PermissionGrants"),
    row("holders", Kind::List, "GET", "/servicePrincipals"),
    row("changes", Kind::List, "GET", "/applications/delta"),
    row("sign-in report", Kind::List, "GET", "/appCredentialSignInActivities"),
    row("token by secret", Kind::Token, "POST", "/token"),
    row("token by certificate", Kind::Token, "POST", "/token"),
    row("probe of a secret", Kind::Token, "POST", "/token"),
    row("probe of a certificate", Kind::Token, "POST", "/token"),
    row("create or find an application", ONCE, "PATCH", "/applications(uniqueName"),
    row("change an application", ONCE, "PATCH", "/applications/"),
    row("addPassword", ONCE, "POST", "/addPassword"),
    row("removePassword", ONCE, "POST", "/removePassword"),
    row("addKey", ONCE, "POST", "/addKey"),
    row("removeKey", ONCE, "POST", "/removeKey"),
    row("PATCH keyCredentials", ONCE, "PATCH", "/applications/"),
    // One application has one service principal at most: waiting for replication may repeat it.
    row("create a service principal", Kind::Write { most: 8 }, "POST", "/servicePrincipals"),
    row("tag a service principal", ONCE, "PATCH", "/servicePrincipals/"),
    row("assign a role", ONCE, "POST", "/appRoleAssignments"),
    row("create a grant", ONCE, "POST", "/oauth2PermissionGrants"),
    row("extend a grant", ONCE, "PATCH", "/oauth2PermissionGrants/"),
];

/// The present state that a row needs beside the common one.
pub fn prepare(bench: &Bench, row: &Row) {
    if matches!(row.name, "extend a grant" | "permission grants") {
        bench.grant_some();
    }
}

/// Makes the call; what it said in a form that is the same for equal answers.
pub async fn make(bench: &Bench, client: &Client, row: &Row) -> Result<String, PortError> {
    let graph = client.graph(Arc::clone(&bench.quick.by_secret));
    let (object, principal) = (&bench.app.object_id, bench.principal.as_str().into());
    let said = |what: &dyn std::fmt::Debug| format!("{what:?}");
    Ok(match row.name {
        "application" => said(&graph.application(object).await?.value),
        "application by client id" => said(&graph.find_application(&bench.app.client_id).await?),
        // It is there, so that nothing is written.
        "application by unique name" => said(&graph.create_application("matrix", &spec()).await?),
        "key credentials" => said(&graph.key_credentials(object).await?.value),
        "principal" => said(&graph.principal(&bench.app.client_id).await?),
        // A client that knows no resource yet looks it up.
        "resource of a grant" | "role assignments" | "permission grants" => {
            let grants = graph.grants(&principal).await?;
            said(&(sorted(grants.roles), sorted(grants.scopes)))
        }
        "one holder" => said(&graph.holder(HolderKind::Principal, &principal).await?),
        "count" => said(&graph.count_holders(HolderKind::Application).await?),
        "applications" => said(&sorted(graph.applications().await?)),
        "owners" => said(&sorted(graph.owners(object).await?)),
        "holders" => {
            let mut all = Vec::new();
            let mut next = None;
            loop {
                let page = graph.holders(HolderKind::Principal, next).await?;
                all.extend(page.holders);
                next = page.next;
                if next.is_none() {
                    break said(&sorted(all));
                }
            }
        }
        "changes" => {
            let changes = graph.changes(HolderKind::Application, None).await?;
            said(&(changes.changed, changes.removed, !changes.link.is_empty()))
        }
        "sign-in report" => said(&sorted(graph.sign_in_activities().await?).len()),
        "token by secret" | "token by certificate" => {
            let entra = if row.name == "token by secret" { client.by_secret.as_ref() } else { &client.by_certificate };
            entra.forget();
            let token = entra.token().await?;
            said(&everkey::entra::roles(&token))
        }
        "probe of a secret" => probed(client.by_secret.probe(&bench.app, SignIn::ClientSecret(&bench.secret)).await?),
        "probe of a certificate" => {
            let sign_in = SignIn::Certificate { key: &bench.key, certificate: &bench.certificate };
            probed(client.by_secret.probe(&bench.app, sign_in).await?)
        }
        "create or find an application" => graph.create_application("matrix-new", &spec()).await?.tenant_id.0,
        "change an application" => {
            let observed = graph.application(object).await?.value;
            let spec = AppSpec { display_name: "Changed".into(), ..spec() };
            said(&graph.update_application(&observed, &spec).await?)
        }
        "addPassword" => {
            let now = bench.clock.now();
            let added = graph.add_password(object, "new", now, now + HOUR).await?;
            format!("works: {}", bench.works(&added.value))
        }
        "removePassword" => said(&graph.remove_password(object, &bench.secret_id.as_str().into()).await?),
        "addKey" => {
            let proof = client.by_secret.proof(object, &bench.key, &bench.certificate)?;
            let entry = entry(bench, bench.another.clone());
            graph.add_key(object, &entry, &proof).await?;
            String::new()
        }
        "removeKey" => {
            let proof = client.by_secret.proof(object, &bench.key, &bench.certificate)?;
            said(&graph.remove_key(object, &bench.key_id.as_str().into(), &proof).await?)
        }
        "PATCH keyCredentials" => said(&graph.replace_keys(object, &[entry(bench, bench.another.clone())]).await?),
        "create a service principal" => {
            graph.create_principal(&bench.bare).await?;
            String::new()
        }
        "tag a service principal" => said(&graph.set_principal_tags(&principal, &["HideApp".into()]).await?),
        "assign a role" => {
            let wanted = permission(PermissionKind::Role, WANTED, "User.Read.All");
            said(&graph.grant(&principal, &[wanted], &Grants::default()).await?)
        }
        "create a grant" | "extend a grant" => {
            let wanted = permission(PermissionKind::Scope, "e1fe6dd8-ba31-4d61-89e7-88639da4683d", "User.Read");
            said(&graph.grant(&principal, &[wanted], &Grants::default()).await?)
        }
        other => panic!("no call {other}"),
    })
}

const HOUR: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// In one order, and without repeats: a page that comes twice says nothing new.
fn sorted<T: std::fmt::Debug>(all: Vec<T>) -> Vec<String> {
    let mut said: Vec<_> = all.iter().map(|one| format!("{one:?}")).collect();
    said.sort();
    said.dedup();
    said
}

fn probed(probe: Probe) -> String {
    match probe {
        Probe::Accepted { roles, .. } => format!("accepted with {roles:?}"),
        Probe::NotYet { code, .. } => format!("not yet: {code}"),
        Probe::Inconclusive { code, .. } => format!("inconclusive: {code}"),
    }
}

fn spec() -> AppSpec {
    AppSpec {
        client_id: None,
        display_name: "Matrix".into(),
        audience: Audience::Single,
        redirect_uris: Vec::new(),
        permissions: Vec::new(),
        consent: Consent::None,
        hidden_from_users: false,
    }
}

fn permission(kind: PermissionKind, id: &str, name: &str) -> Permission {
    Permission { resource: "00000003-0000-0000-c000-000000000000".into(), kind, id: id.into(), name: name.into() }
}

fn entry(bench: &Bench, der: Vec<u8>) -> CertificateEntry {
    let now = bench.clock.now();
    CertificateEntry {
        key_id: "44444444-0000-4000-8000-000000000004".into(),
        display_name: Some("CN=another".into()),
        thumbprint: None,
        custom_key_identifier: None,
        kind: "AsymmetricX509Cert".into(),
        usage: "Verify".into(),
        start: now,
        end: now + HOUR,
        key: Some(der),
    }
}

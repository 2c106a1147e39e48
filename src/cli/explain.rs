//! `everkey explain`: error codes, and the names of permissions.

use serde_json::json;

use super::CERT_CODES;
use super::FAULT_CODES;
use super::OK;
use super::RECOVER_CODES;
use super::SIMULATE_CODES;
use super::args::ExplainArgs;
use super::output::Output;
use crate::error::Class;
use crate::error::Error;
use crate::model::PermissionKind;
use crate::policy;
use crate::policy::permissions;
use crate::run::codes::CODES;
use crate::run::emergencies::EMERGENCIES;
use crate::run::issuers::ISSUERS;
use crate::run::places::PLACES;
use crate::run::signing::SIGNING;
use crate::run::upkeep::UPKEEP;
use crate::run::watching::WATCHING;

/// Runs it.
pub fn run(args: &ExplainArgs, out: &Output) -> Result<u8, Error> {
    if args.what == "permissions" {
        return Ok(search(args.search.as_deref().unwrap_or_default(), out));
    }
    let wanted = args.what.to_uppercase();
    let found = policy::codes()
        .iter()
        .map(|code| (code.code, code.title, code.explanation, code.help))
        .chain(
            [
                CODES,
                CERT_CODES,
                EMERGENCIES,
                FAULT_CODES,
                ISSUERS,
                PLACES,
                RECOVER_CODES,
                SIGNING,
                SIMULATE_CODES,
                UPKEEP,
                WATCHING,
            ]
            .concat(),
        )
        .find(|(code, ..)| *code == wanted);
    let Some((code, title, text, fix)) = found else {
        return Err(Error::new(Class::Usage, "U009", format!("there is no code {wanted}"))
            .help("codes are one letter and three digits, as in error[P012]"));
    };
    out.print(&format!("{code}: {title}\n\n{text}\n\nWhat to do: {fix}\n"));
    out.document(&json!({"schema": "everkey.explain/v1", "code": code, "title": title, "text": text, "fix": fix}));
    Ok(OK)
}

fn search(text: &str, out: &Output) -> u8 {
    let found = permissions::search(text);
    for permission in &found {
        let (resource, offered) = permission;
        out.print(&format!(
            "{:<44} {:<12} {}  {}\n",
            offered.name,
            kind_word(offered.kind),
            offered.id,
            resource.title()
        ));
    }
    out.print(&format!("{} permissions\n", found.len()));
    let items: Vec<_> = found
        .iter()
        .map(|(resource, offered)| {
            json!({
                "name": offered.name, "kind": kind_word(offered.kind), "id": offered.id,
                "resource": resource.client_id(), "admin_consent": offered.admin_consent,
            })
        })
        .collect();
    out.document(&json!({"schema": "everkey.permissions/v1", "items": items}));
    OK
}

fn kind_word(kind: PermissionKind) -> &'static str {
    match kind {
        PermissionKind::Role => "application",
        PermissionKind::Scope => "delegated",
    }
}

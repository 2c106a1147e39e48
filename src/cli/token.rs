//! `everkey token`: one sign-in, and what the token allows. The token itself is never shown.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::TokenArgs;
use super::context::Context;
use super::output::Output;
use super::output::clean;
use super::signals::stop_on_signal;
use crate::assemble;
use crate::config;
use crate::entra::claims;
use crate::error::Class;
use crate::error::Error;
use crate::graph::Patience;
use crate::model::SlotName;
use crate::model::TokenClaims;
use crate::ports::Probe;
use crate::run::Pace;
use crate::run::Quiet;
use crate::run::RunError;
use crate::run::explain;
use crate::run::token::Described;

/// Runs it.
pub async fn run(cli: &Cli, args: &TokenArgs, out: &Output) -> Result<u8, Error> {
    match &args.name {
        None => as_everkey(cli, out).await,
        Some(name) => as_integration(cli, name, args.force, out).await,
    }
}

async fn as_everkey(cli: &Cli, out: &Output) -> Result<u8, Error> {
    let settings = config::load(&cli.global.config, cli.global.policy.as_deref(), cli.global.tenant.as_deref())?;
    let online = assemble::online(&settings, Patience::default()).await?;
    let token = online.tokens.token().await.map_err(|error| explain::explain(&error, "sign in"))?;
    let claims = claims(&token);
    out.print(&format!("everkey itself, in tenant {}\n{}", settings.tenant_name, told(&claims, online.clock.now())));
    let item = json!({"integration": null, "accepted": true, "claims": claims});
    out.document(&json!({"schema": "everkey.token/v1", "items": [item]}));
    Ok(OK)
}

async fn as_integration(cli: &Cli, name: &str, force: bool, out: &Output) -> Result<u8, Error> {
    let (name, slot) = match name.split_once('/') {
        Some((name, slot)) => (name, Some(SlotName::from(slot))),
        None => (name, None),
    };
    let context = Context::open(cli).await?;
    let policies = context.only(&[name.to_owned()])?;
    let Some(policy) = policies.first() else {
        return Err(Error::new(Class::Usage, "U002", "no policy matches").help("see `everkey status`"));
    };
    let (stop, _) = stop_on_signal();
    let held = context.engine(Pace::Now, Arc::new(Quiet), stop, &policies).await?;
    let described = held.engine.describe(&policy.name, slot.as_ref(), force).await;
    held.release().await?;
    let described = described.map_err(RunError::into_error)?;
    let now = context.assembled.ports.clock.now();
    let mut refused = None;
    for one in &described {
        out.print(&line(one, now));
        refused = refused.or_else(|| refusal(one));
    }
    let items: Vec<Value> = described.iter().map(item).collect();
    match refused {
        None => {
            out.document(&json!({"schema": "everkey.token/v1", "items": items}));
            Ok(OK)
        }
        Some(error) => {
            out.document(&json!({"schema": "everkey.token/v1", "items": items, "error": error}));
            Err(error)
        }
    }
}

fn refusal(one: &Described) -> Option<Error> {
    let (code, message) = match &one.probe {
        Probe::Accepted { .. } => return None,
        Probe::NotYet { code, message, .. } => (code, message),
        Probe::Inconclusive { code, message } => {
            let what = format!("sign-in is blocked ({code}): {message}");
            let help =
                "allow the sign-in: Conditional Access for workload identities, or a disabled enterprise application";
            return Some(Error::new(Class::Permission, "A020", what).help(help));
        }
    };
    let what = format!("Entra does not accept the current credential of {}", one.credential.integration);
    Some(
        Error::new(Class::Permission, "U043", what).why(format!("{code}: {message}")).help(format!(
            "see where it stands: everkey status; history: everkey history {}",
            one.credential.integration
        )),
    )
}

fn line(one: &Described, now: Timestamp) -> String {
    let credential = &one.credential;
    let mark = match (&credential.thumbprint, &credential.hint) {
        (Some(thumbprint), _) => thumbprint.to_string(),
        (None, Some(hint)) => format!("\"{hint}\""),
        (None, None) => credential.key_id.to_string(),
    };
    let head = format!(
        "{}/{}  {} {mark}, ends {}\n",
        credential.integration,
        credential.slot,
        credential.word,
        credential.end.strftime("%Y-%m-%d")
    );
    let body = match (&one.probe, &one.claims) {
        (Probe::Accepted { .. }, Some(claims)) => told(claims, now),
        (Probe::Accepted { .. }, None) => "  A token was issued.\n".to_owned(),
        (Probe::NotYet { code, .. } | Probe::Inconclusive { code, .. }, _) => format!("  Refused: {code}\n"),
    };
    clean(&format!("{head}{body}"))
}

/// The claims, for people.
fn told(claims: &TokenClaims, now: Timestamp) -> String {
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "not told".to_owned());
    let roles = if claims.roles.is_empty() {
        "none: no application permission was consented".to_owned()
    } else {
        claims.roles.join(", ")
    };
    let ends = claims.expires.map(|end| {
        let minutes = end.duration_since(now).as_mins();
        format!("{} (in {minutes} minutes)", end.strftime("%Y-%m-%d %H:%M UTC"))
    });
    format!(
        "  A token was issued; it is not shown.\n  For         {}\n  Client id   {}\n  Principal   {}\n  Tenant      {}\n  Proven by   {}\n  Roles       {roles}\n  Ends        {}\n",
        or_unknown(claims.audience.clone()),
        or_unknown(claims.client_id.as_ref().map(ToString::to_string)),
        or_unknown(claims.principal_id.as_ref().map(ToString::to_string)),
        or_unknown(claims.tenant_id.as_ref().map(ToString::to_string)),
        claims.proven_by.unwrap_or("not told"),
        or_unknown(ends),
    )
}

fn item(one: &Described) -> Value {
    let credential = &one.credential;
    let (accepted, request_id, code) = match &one.probe {
        Probe::Accepted { request_id, .. } => (true, request_id.clone(), None),
        Probe::NotYet { code, .. } | Probe::Inconclusive { code, .. } => (false, None, Some(code.clone())),
    };
    json!({
        "integration": credential.integration, "slot": credential.slot, "credential": credential.word,
        "key_id": credential.key_id, "thumbprint": credential.thumbprint, "hint": credential.hint,
        "not_after": credential.end, "accepted": accepted, "request_id": request_id, "refused_with": code,
        "claims": one.claims,
    })
}

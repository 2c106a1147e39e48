//! `[app]` and `[consent]`: the app registration.

use crate::model::AppSpec;
use crate::model::Audience;
use crate::model::ClientId;
use crate::model::Consent;
use crate::model::Permission;
use crate::model::Platform;
use crate::model::RedirectUri;
use crate::policy::diagnostics::Report;
use crate::policy::tree::At;
use crate::policy::wire::policy::App;
use crate::policy::wire::policy::PolicyFile;

use super::plain;

/// The longest redirect URI Entra accepts.
const LONGEST_URI: usize = 256;

/// What the policy asks of the app registration; `permissions` are checked already.
pub(crate) fn app(
    file: &PolicyFile,
    title: &str,
    permissions: Vec<Permission>,
    at: At<'_>,
    report: &mut Report<'_>,
) -> AppSpec {
    let here = at.key("app");
    let empty = App::default();
    let wire = file.app.as_ref().unwrap_or(&empty);
    if file.watch.is_some() {
        // Checked by `watch`: there is no app to describe.
    } else if file.app.is_none() {
        report
            .error("P005", at.span(), "`[app]` is missing from the file")
            .help("describe the app, or name one by `app_id`");
    } else if wire.app_id.is_none() && wire.display_name.is_none() && !here.is_broken() {
        let found = report.error("P005", here.span(), "`display_name` is missing from `app`");
        found.help("the app's name in Entra, or `app_id` to use one that exists");
    }
    let client_id = wire.app_id.as_deref().map(|id| ClientId(plain::guid(id, here.key("app_id"), report)));
    let audience = wire.audience.unwrap_or(Audience::Single);
    if audience == Audience::Personal {
        report
            .error("P027", here.key("audience").span(), "an app for personal accounts only cannot sign in as itself")
            .help("`multi+personal` allows personal accounts as well");
    }
    let consent = file.consent.as_ref().and_then(|consent| consent.grant);
    let default = if permissions.is_empty() { Consent::None } else { Consent::Link };
    AppSpec {
        client_id,
        display_name: wire.display_name.clone().unwrap_or_else(|| title.to_owned()),
        audience,
        redirect_uris: redirect_uris(wire, here.key("redirect_uris"), report),
        permissions,
        consent: consent.unwrap_or(default),
        hidden_from_users: wire.hidden_from_users,
    }
}

fn redirect_uris(wire: &App, at: At<'_>, report: &mut Report<'_>) -> Vec<RedirectUri> {
    let mut found: Vec<RedirectUri> = Vec::new();
    for (index, wire) in wire.redirect_uris.iter().enumerate() {
        let here = at.item(index).key("uri");
        let Some(uri) = wire.uri.clone() else { continue };
        let platform = wire.platform.unwrap_or(Platform::Web);
        if let Err(reason) = redirect_uri(&uri, platform) {
            report.error("P041", here.span(), "Entra does not accept this redirect URI").label(reason);
        }
        let new = RedirectUri { platform, uri };
        if found.contains(&new) {
            report.error("P035", here.span(), "this redirect URI is listed twice");
        } else {
            found.push(new);
        }
    }
    found
}

/// The rules of Entra for redirect URIs (reply-url restrictions): https or loopback, no fragment, no wildcard.
fn redirect_uri(uri: &str, platform: Platform) -> Result<(), &'static str> {
    let parsed = url::Url::parse(uri).map_err(|_| "not a URI")?;
    let loopback = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let scheme_fits = match parsed.scheme() {
        "https" => true,
        "http" => loopback,
        _ => platform == Platform::PublicClient,
    };
    match () {
        () if !scheme_fits => Err("it must be https; http only for this machine"),
        () if uri.len() > LONGEST_URI => Err("it is longer than 256 characters"),
        () if parsed.fragment().is_some() => Err("it has a fragment (`#`)"),
        () if uri.contains('*') => Err("wildcards are not supported"),
        () => Ok(()),
    }
}

//! `[mailboxes]`: how an app is kept to some mailboxes. An Entra grant and an RBAC grant add up, so with
//! `rbac` the same permission must not be requested in Entra (`entra-contract.md` 7.3).

use crate::model::Permission;
use crate::model::PermissionKind;
use crate::policy::MailboxMethod;
use crate::policy::Mailboxes;
use crate::policy::diagnostics::Report;
use crate::policy::permissions::reaches_every_mailbox;
use crate::policy::read::short_name;
use crate::policy::suggest;
use crate::policy::tree::At;
use crate::policy::wire::policy as wire;

use super::plain;

/// Application roles of RBAC for Applications, without the word `Application` (`entra-contract.md` 7.3).
const RBAC_ROLES: &[&str] = &[
    "Calendars.Read",
    "Calendars.ReadWrite",
    "Contacts.Read",
    "Contacts.ReadWrite",
    "EWS.AccessAsApp",
    "Mail.Read",
    "Mail.ReadBasic",
    "Mail.ReadWrite",
    "Mail.Send",
    "MailboxSettings.Read",
    "MailboxSettings.ReadWrite",
    "SMTP.SendAsApp",
];

/// What the policy requests in Entra.
#[derive(Clone, Copy)]
pub(crate) struct Requested<'a> {
    /// Those that exist.
    pub permissions: &'a [Permission],
    /// None was refused: what is not here was not asked for.
    pub complete: bool,
}

/// The limit, when the policy asks for one.
pub(crate) fn mailboxes(
    wire: Option<&wire::Mailboxes>,
    name: &str,
    requested: Requested<'_>,
    at: At<'_>,
    report: &mut Report<'_>,
) -> Option<Mailboxes> {
    let wire = wire?;
    let at = at.key("mailboxes");
    let method = wire.method.unwrap_or(MailboxMethod::Rbac);
    if wire.allow.is_empty() && !at.is_broken() && !at.key("allow").is_broken() {
        report.error("P052", at.span(), "`[mailboxes]` allows no mailbox").help("name at least one in `allow`");
    }
    for (key, addresses) in [("allow", &wire.allow), ("delegates", &wire.delegates)] {
        for (index, address) in addresses.iter().enumerate() {
            plain::address(address, at.key(key).item(index), report);
        }
    }
    for (key, address) in [("group", &wire.group), ("denied", &wire.denied)] {
        if let Some(address) = address {
            plain::address(address, at.key(key), report);
        }
    }
    if let Some(denied) = wire.denied.as_ref().filter(|denied| wire.allow.contains(denied)) {
        let summary = format!("`{denied}` is allowed and expected to be denied");
        report.error("P052", at.key("denied").span(), summary).help("name a mailbox outside `allow`");
    }
    match method {
        MailboxMethod::AccessPolicy => access_policy(wire, requested, at, report),
        MailboxMethod::Rbac => rbac(wire, requested, at, report),
    }
    let domain = wire.allow.first().and_then(|address| address.split_once('@')).map_or("", |(_, domain)| domain);
    Some(Mailboxes {
        allow: wire.allow.clone(),
        method,
        permissions: wire.permissions.clone(),
        group: wire.group.clone().unwrap_or_else(|| format!("everkey-{}@{domain}", short_name(name))),
        create: wire.create,
        delegates: wire.delegates.clone(),
        denied: wire.denied.clone(),
    })
}

fn access_policy(wire: &wire::Mailboxes, requested: Requested<'_>, at: At<'_>, report: &mut Report<'_>) {
    if !wire.permissions.is_empty() {
        report
            .error("P050", at.key("permissions").key_span(), "`permissions` belongs to `method = \"rbac\"`")
            .help("an access policy cuts down what `[permissions.graph]` requests");
    }
    let reaches =
        |permission: &Permission| permission.kind == PermissionKind::Role && reaches_every_mailbox(&permission.name);
    if requested.complete && !requested.permissions.iter().any(reaches) {
        report
            .error("P052", at.span(), "no requested application permission reaches a mailbox: nothing to limit")
            .help("request one in `[permissions.graph]`, or use `method = \"rbac\"` with `permissions`");
    }
}

fn rbac(wire: &wire::Mailboxes, requested: Requested<'_>, at: At<'_>, report: &mut Report<'_>) {
    let list = at.key("permissions");
    if wire.permissions.is_empty() && !list.is_broken() && !at.is_broken() {
        report
            .error("P052", at.span(), "RBAC for Applications needs to know what the app may do there")
            .help("for instance `permissions = [\"Mail.ReadWrite\", \"Mail.Send\"]`");
    }
    for (index, name) in wire.permissions.iter().enumerate() {
        if !RBAC_ROLES.contains(&name.as_str()) {
            report
                .error(
                    "P012",
                    list.item(index).span(),
                    format!("unknown permission \"{name}\" for RBAC for Applications"),
                )
                .suggest(suggest::did_you_mean(name, RBAC_ROLES.iter().copied()))
                .help(format!("one of: {}", RBAC_ROLES.join(", ")));
        }
        let in_entra = |permission: &Permission| permission.kind == PermissionKind::Role && permission.name == *name;
        if requested.permissions.iter().any(in_entra) {
            report
                .error(
                    "P034",
                    list.item(index).span(),
                    format!("{name} is also requested in Entra, and the two add up"),
                )
                .label("this limits nothing while the tenant-wide grant stands")
                .help("remove it from `[permissions.…]`, or use `method = \"access-policy\"`");
        }
    }
}

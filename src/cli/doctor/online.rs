//! What Entra says: time, sign-in, permissions, ownership, everkey's own credential, and what
//! its theft would cost.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use super::Finding;
use super::Status;
use super::identity;
use super::limits;
use super::mail;
use super::vaults;
use crate::assemble;
use crate::assemble::Online;
use crate::config::Settings;
use crate::error::Error;
use crate::graph::Patience;
use crate::model::AppObserved;
use crate::model::ConfirmMethod;
use crate::model::Consent;
use crate::model::PermissionKind;
use crate::model::PrincipalObserved;
use crate::policy::Auth;
use crate::policy::Mode;
use crate::policy::Policy;
use crate::policy::permissions;
use crate::ports::Dated;
use crate::ports::PortError;
use crate::run::explain;

const PATIENCE: Patience = Patience { reads: 2, replication: 1 };
const START: &str = "how-to/start-with-a-real-tenant.md";
const THREATS: &str = "explanation/threat-model.md";

/// Beyond this removals are frozen.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(10);
/// From so few days on everkey's own credential is a warning, and a failure.
const OWN_WARNING_DAYS: i64 = 60;
const OWN_FAILING_DAYS: i64 = 7;

/// With one of these an app can give itself, or any other, every right of the tenant.
const TIER_0: [&str; 6] = [
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Directory.ReadWrite.All",
    "RoleManagement.ReadWrite.Directory",
    "Policy.ReadWrite.ApplicationConfiguration",
];

/// Looks at everything beyond this machine.
pub async fn look(settings: &Settings, policies: &[Policy], findings: &mut Vec<Finding>) {
    match assemble::online(settings, PATIENCE).await {
        Ok(online) => {
            identity::exchange(settings, &online, findings);
            entra(settings, policies, &online, findings).await;
            vaults::look(policies, &online, findings).await;
            mail::look(settings, &online, findings).await;
        }
        Err(error) => findings.push(Finding::failed("sign-in", &error).docs(START)),
    }
}

async fn entra(settings: &Settings, policies: &[Policy], online: &Online, findings: &mut Vec<Finding>) {
    let own = match identity::client_id(settings, online).await {
        Ok(Some(client_id)) => client_id,
        Ok(None) => {
            let text = format!("{}: no app registration of its own", identity::way(&settings.tenant.auth));
            return findings.push(Finding::new("sign-in", Status::Skip, text));
        }
        Err(error) => return findings.push(failed("sign-in", &error, "sign in")),
    };
    let client_id = &own;
    let directory = online.directory.as_ref();
    let principal = match directory.principal(client_id).await {
        Ok(principal) => principal,
        Err(error) => return findings.push(failed("sign-in", &error, "sign in and read everkey's own principal")),
    };
    let way = identity::way(&settings.tenant.auth);
    findings.push(Finding::ok("sign-in", format!("{}, app {client_id}, {way}", settings.tenant_name)));
    if matches!(settings.tenant.auth, Auth::ManagedIdentity | Auth::WorkloadIdentity { .. }) {
        findings.push(Finding::ok("credential", "everkey has none of its own that could expire"));
    }
    let own = match directory.find_application(client_id).await {
        Ok(Some(app)) => directory.application(&app.object_id).await.map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    match own {
        Ok(Some(own)) => {
            clock(own.date, online.clock.now(), findings);
            own_credential(settings, policies, &own, online.clock.now(), findings);
        }
        // A managed identity has no application.
        Ok(None) if matches!(settings.tenant.auth, Auth::ManagedIdentity) => {}
        Ok(None) => {
            findings.push(Finding::new("credential", Status::Skip, "everkey's application is in another tenant"))
        }
        Err(error) => findings.push(failed("credential", &error, "read everkey's own application")),
    }
    let Some(principal) = principal else {
        return findings.push(
            Finding::new("permission", Status::Fail, "everkey has no service principal in this tenant")
                .fix(consent_link(settings, online))
                .docs(START),
        );
    };
    let granted = match granted(online, &principal).await {
        Ok(granted) => granted,
        Err(error) => return findings.push(failed("permission", &error, "read everkey's own consents")),
    };
    rights(settings, policies, online, &granted, findings);
    owners(settings, policies, online, &principal, &granted, findings).await;
    theft(policies, &granted, findings);
    report(policies, online, findings).await;
    limits::look(policies, online, findings).await;
}

fn failed(id: &'static str, error: &PortError, what: &str) -> Finding {
    Finding::failed(id, &explain::explain(error, what)).docs(START)
}

fn clock(date: Option<Timestamp>, now: Timestamp, findings: &mut Vec<Finding>) {
    let Some(date) = date else { return };
    let apart = now.duration_since(date).abs();
    let text = format!("{} s from Graph's", apart.as_secs());
    findings.push(if apart > CLOCKS_APART {
        Finding::new("clock", Status::Fail, format!("{text}: removals are frozen"))
            .fix("set this machine's clock (NTP)")
    } else if apart > SignedDuration::from_secs(60) {
        Finding::new("clock", Status::Warn, text).fix("set this machine's clock (NTP)")
    } else {
        Finding::ok("clock", text)
    });
}

fn own_credential(
    settings: &Settings,
    policies: &[Policy],
    own: &Dated<AppObserved>,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) {
    let app = &own.value;
    let (word, ends): (&str, Vec<Timestamp>) = match &settings.tenant.auth {
        Auth::Certificate { .. } => ("certificate", app.certificates.iter().map(|entry| entry.end).collect()),
        Auth::Secret(_) => ("secret", app.secrets.iter().map(|entry| entry.end).collect()),
        Auth::AzureCli | Auth::ManagedIdentity | Auth::WorkloadIdentity { .. } => return,
    };
    // Which of several signs in is not told by Graph: the first to end is the one to fear.
    let soonest = ends.iter().copied().filter(|end| *end > now).min();
    let days = soonest.map(|end| end.duration_since(now).as_hours().div_euclid(24));
    let several = if ends.len() > 1 { format!(" (the first of {})", ends.len()) } else { String::new() };
    let fix = "make a new one for everkey's own app registration, and name it in everkey.toml";
    findings.push(match days {
        None => {
            Finding::new("credential", Status::Fail, format!("no valid {word} on everkey's own application")).fix(fix)
        }
        Some(days) => {
            let text = format!("everkey's own {word}{several} expires in {days} days");
            let status = match days {
                days if days <= OWN_FAILING_DAYS => Status::Fail,
                days if days <= OWN_WARNING_DAYS => Status::Warn,
                _ => Status::Ok,
            };
            Finding::new("credential", status, text).fix(fix)
        }
    });
    if !policies.iter().any(|policy| policy.app.client_id.as_ref() == Some(&app.client_id)) {
        findings.push(
            Finding::new("self", Status::Warn, "everkey's own credential is watched by nobody")
                .fix(format!("write a policy with mode = \"alert\" and app_id = \"{}\"", app.client_id))
                .docs(START),
        );
    }
}

/// Names of the application permissions that were consented.
async fn granted(online: &Online, principal: &PrincipalObserved) -> Result<BTreeSet<&'static str>, PortError> {
    let grants = online.directory.grants(&principal.object_id).await?;
    let all = permissions::search("");
    let name = |resource: &crate::model::ClientId, id: &str| {
        all.iter()
            .find(|(of, offered)| {
                of.client_id() == *resource
                    && offered.kind == PermissionKind::Role
                    && offered.id.eq_ignore_ascii_case(id)
            })
            .map(|(_, offered)| offered.name)
    };
    Ok(grants.roles.iter().filter_map(|(resource, id)| name(resource, id)).collect())
}

/// What the policies need: each a list of permissions of which one is enough, the least first.
fn needed(policies: &[Policy]) -> Vec<(&'static [&'static str], &'static str)> {
    let mut needed: Vec<(&'static [&'static str], &'static str)> = Vec::new();
    let rotates = |policy: &&Policy| policy.mode == Mode::Rotate;
    if policies.iter().any(|policy| policy.mode == Mode::Rotate) {
        needed.push((&["Application.ReadWrite.OwnedBy", "Application.ReadWrite.All"], "to rotate"));
    } else {
        needed.push((
            &[
                "Application.Read.All",
                "Application.ReadWrite.OwnedBy",
                "Application.ReadWrite.All",
                "Directory.Read.All",
            ],
            "to watch",
        ));
    }
    let grants = |kind| {
        policies.iter().filter(rotates).any(|policy| {
            policy.app.consent == Consent::Grant && policy.app.permissions.iter().any(|one| one.kind == kind)
        })
    };
    if grants(PermissionKind::Role) {
        needed.push((&["AppRoleAssignment.ReadWrite.All"], "because policies grant application permissions"));
    }
    if grants(PermissionKind::Scope) {
        needed.push((&["DelegatedPermissionGrant.ReadWrite.All"], "because policies grant delegated permissions"));
    }
    if uses_report(policies) {
        needed.push((&["AuditLog.Read.All"], "because policies confirm by the sign-in report"));
    }
    needed
}

fn uses_report(policies: &[Policy]) -> bool {
    policies
        .iter()
        .flat_map(|policy| &policy.credentials)
        .any(|spec| spec.confirm.method == ConfirmMethod::SignInReport)
}

fn rights(
    settings: &Settings,
    policies: &[Policy],
    online: &Online,
    granted: &BTreeSet<&'static str>,
    findings: &mut Vec<Finding>,
) {
    let needed = needed(policies);
    let missing: Vec<String> = needed
        .iter()
        .filter(|(any, _)| !any.iter().any(|name| granted.contains(name)))
        .map(|(any, why)| format!("{} ({why})", any[0]))
        .collect();
    if missing.is_empty() {
        let names: Vec<&str> = granted.iter().copied().collect();
        findings.push(Finding::ok("permission", names.join(", ")));
    } else {
        findings.push(
            Finding::new("permission", Status::Fail, format!("not consented: {}", missing.join(", ")))
                .fix(consent_link(settings, online))
                .docs(START),
        );
    }
    // Of several that would do, only the least that is there is used.
    let used: BTreeSet<&str> =
        needed.iter().filter_map(|(any, _)| any.iter().copied().find(|name| granted.contains(name))).collect();
    let spare = |name: &&str| !used.contains(name) && *name != limits::RIGHT;
    let excess: Vec<&str> = granted.iter().copied().filter(spare).collect();
    if !excess.is_empty() {
        findings.push(
            Finding::new("excess", Status::Warn, format!("the policies do not need {}", excess.join(", ")))
                .fix("take them from everkey's app registration: what it does not have nobody can steal with it")
                .docs(THREATS),
        );
    }
}

fn consent_link(settings: &Settings, online: &Online) -> String {
    let client_id = settings.tenant.client_id.as_ref().map_or("", |id| id.as_str());
    format!(
        "add them to everkey's app registration; then a Privileged Role Administrator opens\n{}/{}/adminconsent?client_id={client_id}",
        online.login_url.trim_end_matches('/'),
        settings.tenant.tenant_id
    )
}

async fn owners(
    settings: &Settings,
    policies: &[Policy],
    online: &Online,
    principal: &PrincipalObserved,
    granted: &BTreeSet<&'static str>,
    findings: &mut Vec<Finding>,
) {
    if granted.contains("Application.ReadWrite.All") {
        return findings.push(Finding::new(
            "owner",
            Status::Skip,
            "Application.ReadWrite.All reaches every application",
        ));
    }
    let known = match known(settings).await {
        Ok(known) => known,
        Err(error) => return findings.push(Finding::failed("owner", &error)),
    };
    let mut lacking = Vec::new();
    let mut looked = 0;
    for policy in policies.iter().filter(|policy| policy.mode == Mode::Rotate) {
        let app = match (known.iter().find(|(name, _)| *name == policy.name.as_str()), &policy.app.client_id) {
            (Some((_, app)), _) => Some(app.clone()),
            (None, Some(client_id)) => online.directory.find_application(client_id).await.ok().flatten(),
            (None, None) => None,
        };
        let Some(app) = app else { continue };
        match online.directory.owners(&app.object_id).await {
            Ok(owners) => {
                looked += 1;
                if !owners.contains(&principal.object_id) {
                    lacking.push(format!(
                        "az ad app owner add --id {} --owner-object-id {}",
                        app.client_id, principal.object_id
                    ));
                }
            }
            Err(PortError::Missing(_)) => {}
            Err(error) => return findings.push(failed("owner", &error, "read the owners of the applications")),
        }
    }
    if looked == 0 {
        return;
    }
    findings.push(if lacking.is_empty() {
        Finding::ok("owner", format!("of all {looked} applications"))
    } else {
        Finding::new("owner", Status::Fail, format!("everkey does not own {} of {looked} applications", lacking.len()))
            .fix(lacking.join("\n"))
            .docs(START)
    });
}

/// Applications of the journal, by integration; credentials with its tag that it does not know.
async fn known(settings: &Settings) -> Result<Vec<(String, crate::model::AppRef)>, Error> {
    let Some(store) = assemble::store_if_there(settings).await? else { return Ok(Vec::new()) };
    let records = store.integrations().await.map_err(|error| explain::store(&error))?;
    Ok(records.into_iter().map(|record| (record.name.0, record.app)).collect())
}

/// What somebody could do with everkey's credential.
fn theft(policies: &[Policy], granted: &BTreeSet<&'static str>, findings: &mut Vec<Finding>) {
    let own: Vec<&str> = granted.iter().copied().filter(|name| TIER_0.contains(name)).collect();
    if !own.is_empty() {
        return findings.push(
            Finding::new(
                "theft",
                Status::Warn,
                format!("whoever steals everkey's credential owns the tenant: {}", own.join(", ")),
            )
            .fix("use consent links instead of grants (`grant = \"link\"`), keep OwnedBy alone; treat this machine as Tier 0")
            .docs(THREATS),
        );
    }
    let managed = policies.iter().filter(|policy| policy.mode == Mode::Rotate);
    let mut reach: BTreeSet<&str> = BTreeSet::new();
    let mut apps = 0;
    for policy in managed {
        apps += 1;
        let roles = policy.app.permissions.iter().filter(|one| one.kind == PermissionKind::Role);
        reach.extend(roles.map(|one| one.name.as_str()));
    }
    let tier_0: Vec<&str> = reach.iter().copied().filter(|name| TIER_0.contains(name)).collect();
    if tier_0.is_empty() {
        let reach: Vec<&str> = reach.into_iter().collect();
        let with = if reach.is_empty() { String::new() } else { format!(", and with them {}", reach.join(", ")) };
        findings.push(Finding::ok("theft", format!("costs the {apps} managed applications{with}")));
    } else {
        findings.push(
            Finding::new(
                "theft",
                Status::Warn,
                format!("managed applications make everkey Tier 0: {}", tier_0.join(", ")),
            )
            .fix("treat this machine as one of your administrators'")
            .docs(THREATS),
        );
    }
}

async fn report(policies: &[Policy], online: &Online, findings: &mut Vec<Finding>) {
    if !uses_report(policies) {
        return;
    }
    findings.push(match online.directory.sign_in_activities().await {
        Ok(lines) => Finding::ok("report", format!("sign-ins of {} credentials can be read", lines.len())),
        Err(error) => Finding::new("report", Status::Warn, format!("the sign-in report cannot be read: {error}")).fix(
            "it needs AuditLog.Read.All and a Microsoft Entra ID P1 licence; until then confirmations wait for people",
        ),
    });
}

//! What an app registration lacks. Only ever adds: what a policy does not mention is drift, shown and left alone.

use super::Note;
use super::ObservedIntegration;
use super::Plan;
use super::PlanInput;
use super::Reason;
use super::Step;
use super::WaitingFor;
use crate::model::AppObserved;
use crate::model::ClientId;
use crate::model::Consent;
use crate::model::Grants;
use crate::model::Permission;
use crate::model::PermissionKind;
use crate::policy::Policy;

/// `uniqueName` of an application that everkey creates: the same for every repetition, another for every store.
pub fn unique_name(instance: &str, policy: &Policy) -> String {
    format!("everkey-{instance}-{}", policy.name)
}

/// Adds the provisioning steps of one policy.
pub(super) fn steps(
    input: &PlanInput<'_>,
    policy: &Policy,
    observed: &ObservedIntegration,
    steps: &mut Vec<Step>,
    reasons: &mut Vec<Reason>,
    plan: &mut Plan,
) {
    let spec = &policy.app;
    let start = steps.len();
    match &observed.app {
        None if spec.client_id.is_some() => plan.waiting.push(WaitingFor {
            integration: policy.name.clone(),
            what: "application".into(),
            text: "the application named by app_id does not exist in this tenant".into(),
            link: None,
        }),
        None => {
            steps.push(Step::CreateApplication { unique_name: unique_name(input.instance, policy), spec: spec.clone() })
        }
        Some(app) => {
            let missing = missing(policy, app);
            if !missing.is_empty() {
                steps.push(Step::UpdateApplication { spec: spec.clone(), missing });
            }
            notes(policy, app, plan);
        }
    }
    if spec.client_id.is_some() && observed.app.is_none() {
        return;
    }
    match &observed.principal {
        None => steps.push(Step::CreatePrincipal),
        Some(principal) if !principal.enabled => plan.notes.push(Note {
            integration: policy.name.clone(),
            text: "sign-in is disabled on the enterprise application; new credentials cannot be proven".into(),
        }),
        Some(_) => {}
    }
    let hidden = observed.principal.as_ref().is_some_and(|p| p.tags.iter().any(|tag| tag == "HideApp"));
    if spec.hidden_from_users && !hidden {
        steps.push(Step::HideFromUsers);
    }
    consent(input, policy, observed, steps, plan);
    if steps.len() > start {
        reasons.push(Reason::NotProvisioned);
    }
}

fn consent(
    input: &PlanInput<'_>,
    policy: &Policy,
    observed: &ObservedIntegration,
    steps: &mut Vec<Step>,
    plan: &mut Plan,
) {
    let missing: Vec<Permission> =
        policy.app.permissions.iter().filter(|p| !is_granted(p, &observed.grants)).cloned().collect();
    if missing.is_empty() || policy.app.consent == Consent::None {
        return;
    }
    let forbidden: Vec<&str> =
        missing.iter().filter(|p| !input.permissions_allowed.contains(&p.name)).map(|p| p.name.as_str()).collect();
    if policy.app.consent == Consent::Grant && forbidden.is_empty() {
        steps.push(Step::Grant { permissions: missing });
        return;
    }
    let names: Vec<&str> = missing.iter().map(|p| p.name.as_str()).collect();
    let text = match policy.app.consent {
        Consent::Grant => format!(
            "{} must be granted, but permissions_allowed of everkey.toml does not list {}",
            names.join(", "),
            forbidden.join(", ")
        ),
        Consent::Link | Consent::None => format!("admin consent for {}", names.join(", ")),
    };
    let link = observed.app.as_ref().map(|app| consent_link(input, policy, &app.client_id));
    plan.waiting.push(WaitingFor { integration: policy.name.clone(), what: "consent".into(), text, link });
}

/// The v1 consent page of the tenant (entra-contract 5.2); a person with the right role opens it.
fn consent_link(input: &PlanInput<'_>, policy: &Policy, client_id: &ClientId) -> String {
    let tenant = input
        .observed
        .integrations
        .get(&policy.name)
        .and_then(|observed| observed.record.as_ref())
        .map_or("organizations", |record| record.app.tenant_id.as_str());
    format!("{}/{tenant}/adminconsent?client_id={client_id}", input.login_url.trim_end_matches('/'))
}

/// Whether `permission` has been consented tenant-wide.
pub(super) fn is_granted(permission: &Permission, grants: &Grants) -> bool {
    match permission.kind {
        PermissionKind::Role => {
            grants.roles.iter().any(|(resource, id)| *resource == permission.resource && *id == permission.id)
        }
        PermissionKind::Scope => {
            grants.scopes.iter().any(|(resource, name)| *resource == permission.resource && *name == permission.name)
        }
    }
}

fn missing(policy: &Policy, app: &AppObserved) -> Vec<String> {
    let spec = &policy.app;
    let mut missing = Vec::new();
    if app.audience != spec.audience.graph_name() {
        missing.push(format!("audience {} (now {})", spec.audience.graph_name(), app.audience));
    }
    for uri in spec.redirect_uris.iter().filter(|uri| !app.redirect_uris.contains(uri)) {
        missing.push(format!("redirect URI {}", uri.uri));
    }
    let has =
        |p: &Permission| app.permissions.iter().any(|q| q.resource == p.resource && q.kind == p.kind && q.id == p.id);
    for permission in spec.permissions.iter().filter(|p| !has(p)) {
        missing.push(format!("permission {}", permission.name));
    }
    missing
}

fn notes(policy: &Policy, app: &AppObserved, plan: &mut Plan) {
    let spec = &policy.app;
    let mut note = |text: String| plan.notes.push(Note { integration: policy.name.clone(), text });
    for uri in app.redirect_uris.iter().filter(|uri| !spec.redirect_uris.contains(uri)) {
        note(format!("redirect URI {} is not in the policy; left alone", uri.uri));
    }
    let extra = app
        .permissions
        .iter()
        .filter(|p| !spec.permissions.iter().any(|q| q.resource == p.resource && q.kind == p.kind && q.id == p.id));
    for permission in extra {
        note(format!("permission {} is not in the policy; left alone", permission.id));
    }
}

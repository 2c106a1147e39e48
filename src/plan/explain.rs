//! A plan for people and as JSON (`everkey.plan/v1`).

use std::fmt::Write as _;

use jiff::SignedDuration;
use serde_json::Value;
use serde_json::json;

use super::Change;
use super::Forbidden;
use super::Plan;
use super::Reason;
use super::Step;
use crate::model::CredentialKind;
use crate::model::HandoffSpec;
use crate::model::IssuerKind;
use crate::model::OldCredential;
use crate::model::PermissionKind;
use crate::model::SinkTarget;

/// How long a saved plan may be applied.
pub const PLAN_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// The plan as a page of text: what changes, what waits, what is left alone.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    if !plan.changes.is_empty() {
        out.push_str("  + add   ~ change   - retire   > hand-off to a person   ! risk\n");
    }
    for change in &plan.changes {
        let how = if change.needs_person { "needs hand-off" } else { "automatic" };
        let _ = writeln!(out, "\n{:<50} {}, {how}", change.integration, change.kinds.join(" and "));
        for line in lines(change) {
            let _ = writeln!(out, "  {line}");
        }
    }
    if !plan.waiting.is_empty() {
        out.push_str("\nWaiting:\n");
    }
    for waiting in &plan.waiting {
        let _ = writeln!(out, "  {:<28} {}", waiting.integration.as_str(), waiting.text);
        if let Some(link) = &waiting.link {
            let _ = writeln!(out, "  {:<28} {link}", "");
        }
    }
    if !plan.forbidden.is_empty() {
        out.push_str("\nForbidden by the tenant, so not to be done:\n");
    }
    for Forbidden { integration, problem } in &plan.forbidden {
        let _ = writeln!(out, "  {:<28} [{}] {}", integration.as_str(), problem.code, problem.summary);
        if let Some(fix) = &problem.fix {
            let _ = writeln!(out, "  {:<28} {fix}", "");
        }
    }
    if !plan.notes.is_empty() {
        out.push_str("\nNot in any policy, left alone:\n");
    }
    for note in &plan.notes {
        let _ = writeln!(out, "  {:<28} {}", note.integration.as_str(), note.text);
    }
    let _ = writeln!(out, "\n{}", summary_line(plan));
    out
}

/// `Plan: 3 to add, 0 to change, 2 to retire later, 2 hand-offs. Nothing is removed today.`, or `No changes.`
pub fn summary_line(plan: &Plan) -> String {
    if plan.is_empty() {
        return "No changes.".to_owned();
    }
    let s = Summary::of(plan);
    format!(
        "Plan: {} to add, {} to change, {} to retire later, {} hand-off{}. Nothing is removed today.",
        s.add,
        s.change,
        s.retire_later,
        s.handoff,
        if s.handoff == 1 { "" } else { "s" }
    )
}

/// The counts of a plan.
struct Summary {
    add: usize,
    change: usize,
    retire_later: usize,
    handoff: usize,
}

impl Summary {
    fn of(plan: &Plan) -> Self {
        let mut s = Self { add: 0, change: 0, retire_later: 0, handoff: 0 };
        for step in plan.changes.iter().flat_map(|change| &change.steps) {
            match step {
                Step::CreateApplication { .. } | Step::CreatePrincipal | Step::Grant { .. } => s.add += 1,
                Step::UpdateApplication { .. } | Step::HideFromUsers => s.change += 1,
                Step::Rotate { spec, old, .. } => {
                    s.add += 1;
                    s.retire_later += old.len();
                    s.handoff += spec.sinks.iter().filter(|sink| sink.handoff().is_some()).count();
                }
            }
        }
        s
    }
}

fn lines(change: &Change) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &change.steps {
        match step {
            Step::CreateApplication { spec, .. } => {
                lines.push(format!("+ create application  {:?}, {}", spec.display_name, spec.audience.graph_name()));
                for uri in &spec.redirect_uris {
                    lines.push(format!("+ redirect URI        {}", uri.uri));
                }
                for permission in &spec.permissions {
                    let kind = match permission.kind {
                        PermissionKind::Role => "application",
                        PermissionKind::Scope => "delegated",
                    };
                    lines.push(format!("+ add permission      {} ({kind})", permission.name));
                }
            }
            Step::UpdateApplication { missing, .. } => {
                lines.extend(missing.iter().map(|what| format!("~ add {what}")));
            }
            Step::CreatePrincipal => lines.push("+ service principal".to_owned()),
            Step::HideFromUsers => lines.push("~ hide from users (tag HideApp)".to_owned()),
            Step::Grant { permissions } => {
                let names: Vec<&str> = permissions.iter().map(|p| p.name.as_str()).collect();
                lines.push(format!("+ grant               {}", names.join(", ")));
            }
            Step::Rotate { spec, reason, not_after, old, retire_not_before, urgent, .. } => {
                lines.push(stage_line(&spec.kind, &spec.description, *not_after, spec.lifetime));
                lines.extend(spec.sinks.iter().map(|sink| match &sink.target {
                    SinkTarget::Handoff(handoff) => handoff_line(handoff),
                    SinkTarget::Files(files) => format!("  deliver             files in {}", files.directory),
                    SinkTarget::JsonFile(file) => format!("  deliver             {}", file.path),
                    other => {
                        let (to, place) = other.described();
                        format!("  deliver             {to} {place}")
                    }
                }));
                if *reason == Reason::Expired {
                    lines.push("! already expired     overlap is not possible".to_owned());
                } else if *urgent {
                    lines.push("! little time         less than the overlap is left".to_owned());
                }
                for old in old {
                    lines.push(retire_line(spec.kind.word(), old, *retire_not_before));
                }
            }
        }
    }
    lines
}

fn stage_line(
    kind: &CredentialKind,
    description: &str,
    not_after: jiff::Timestamp,
    lifetime: SignedDuration,
) -> String {
    let days = lifetime.as_hours() / 24;
    let end = not_after.strftime("%Y-%m-%d");
    match kind {
        CredentialKind::Certificate(spec) => {
            let signed = match &spec.issuer {
                IssuerKind::SelfSigned => String::new(),
                IssuerKind::Ca(name) => format!(", signed by CA {name}"),
                IssuerKind::Command(argv) => format!(", signed through {}", argv.first().map_or("", String::as_str)),
                IssuerKind::VaultPki(spec) => format!(", signed by Vault {}", spec.place()),
                IssuerKind::Csr => ", signed by your CA: the owner gets the request".to_owned(),
            };
            format!("+ add certificate     {}, {}, valid {days} d to {end}{signed}", spec.subject, spec.key.label())
        }
        CredentialKind::ClientSecret => format!("+ add secret          {description:?}, valid {days} d to {end}"),
    }
}

fn handoff_line(handoff: &HandoffSpec) -> String {
    format!("> hand-off            {}, by {}", handoff.recipient_name, handoff.doer)
}

fn retire_line(word: &str, old: &OldCredential, not_before: Option<jiff::Timestamp>) -> String {
    let name = match (&old.thumbprint, &old.hint) {
        (Some(thumbprint), _) => thumbprint.to_string(),
        (None, Some(hint)) => format!("hint {hint:?}"),
        (None, None) => old.key_id.to_string(),
    };
    let when = not_before.map_or_else(String::new, |at| format!(", not before {}", at.strftime("%Y-%m-%d")));
    format!("- retire              old {word} {name}{when}, only after the new one is confirmed or at its own end")
}

/// The `everkey.plan/v1` document. It also carries the plan itself, for `everkey apply FILE`.
pub fn json(plan: &Plan, policy_digest: &str) -> Value {
    let s = Summary::of(plan);
    let changes: Vec<Value> = plan
        .changes
        .iter()
        .map(|change| {
            json!({
                "integration": change.integration,
                "reason": change.reasons.first(),
                "reasons": change.reasons,
                "risk": if change.steps.iter().any(is_risky) { "high" } else { "low" },
                "steps": change.steps.iter().flat_map(json_steps).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "schema": "everkey.plan/v1",
        "tenant": plan.tenant,
        "policy_digest": format!("sha256:{policy_digest}"),
        "made_at": plan.made_at,
        "expires_at": plan.made_at.checked_add(PLAN_LIFETIME).ok(),
        "summary": {
            "add": s.add, "change": s.change, "retire_later": s.retire_later, "remove_now": 0, "handoff": s.handoff,
        },
        "changes": changes,
        "waiting": plan.waiting,
        "forbidden": plan.forbidden,
        "notes": plan.notes,
    })
}

fn is_risky(step: &Step) -> bool {
    matches!(step, Step::Rotate { urgent: true, .. })
}

fn json_steps(step: &Step) -> Vec<Value> {
    match step {
        Step::CreateApplication { spec, .. } => vec![json!({
            "step": "provision", "action": "create_application", "display_name": spec.display_name,
            "permissions": spec.permissions.iter().map(|p| &p.name).collect::<Vec<_>>(),
        })],
        Step::UpdateApplication { missing, .. } => {
            vec![json!({"step": "provision", "action": "update_application", "missing": missing})]
        }
        Step::CreatePrincipal => vec![json!({"step": "provision", "action": "create_service_principal"})],
        Step::HideFromUsers => vec![json!({"step": "provision", "action": "hide_from_users"})],
        Step::Grant { permissions } => vec![json!({
            "step": "provision", "action": "grant",
            "permissions": permissions.iter().map(|p| &p.name).collect::<Vec<_>>(),
        })],
        Step::Rotate { spec, not_after, old, retire_not_before, .. } => {
            let mut steps = vec![
                json!({
                    "step": "stage", "action": format!("add_{}", spec.kind.word()),
                    "credential": spec.slot, "not_after": not_after,
                }),
                json!({
                    "step": "prove", "method": "token-request",
                    "successes": crate::plan::types::PROOF_SIGN_INS,
                }),
            ];
            steps.extend(spec.sinks.iter().map(|sink| match &sink.target {
                SinkTarget::Handoff(h) => {
                    json!({"step": "deliver", "to": "handoff", "target": h.recipient_name, "by": h.doer})
                }
                other => {
                    let (to, target) = other.described();
                    json!({"step": "deliver", "to": to, "target": target})
                }
            }));
            steps.push(json!({"step": "confirm", "method": spec.confirm.method}));
            steps.extend(old.iter().map(|old| {
                json!({
                    "step": "retire", "action": format!("remove_{}", spec.kind.word()), "key_id": old.key_id,
                    "not_before": retire_not_before,
                })
            }));
            steps
        }
    }
}

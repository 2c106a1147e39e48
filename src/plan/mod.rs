//! Decides what must change, and why: a pure function of policies, observations and `now`.
//!
//! Applying a plan and planning again at the same instant gives an empty plan. A plan says what it does
//! *not* do as well, and what that waits for. It is immutable and leaves no choice to its execution.

pub mod explain;
mod provision;
mod slots;
mod types;

pub use provision::unique_name;
pub use slots::adopted_for;
pub use slots::old_of;
pub use slots::progress;
pub use types::*;

use crate::policy::Mode;
use crate::policy::Policy;

/// Plans for all policies.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let mut plan = Plan {
        tenant: input.tenant.to_owned(),
        made_at: input.now,
        changes: Vec::new(),
        waiting: Vec::new(),
        forbidden: Vec::new(),
        notes: Vec::new(),
        fine: Vec::new(),
    };
    for policy in input.policies {
        let nothing = ObservedIntegration::default();
        let observed = input.observed.integrations.get(&policy.name).unwrap_or(&nothing);
        plan_one(input, policy, observed, &mut plan);
    }
    plan
}

fn plan_one(input: &PlanInput<'_>, policy: &Policy, observed: &ObservedIntegration, plan: &mut Plan) {
    let mut steps = Vec::new();
    let mut reasons = Vec::new();
    let before = (plan.waiting.len(), plan.notes.len());
    if policy.mode == Mode::Rotate {
        // Of several policies on one application, one describes it; the others only keep credentials on it.
        if policy.owns_app {
            provision::steps(input, policy, observed, &mut steps, &mut reasons, plan);
        }
        slots::steps(input, policy, observed, &mut steps, &mut reasons, plan);
    }
    if steps.is_empty() {
        if before == (plan.waiting.len(), plan.notes.len()) {
            plan.fine.push(policy.name.clone());
        }
        return;
    }
    plan.changes.push(Change {
        integration: policy.name.clone(),
        title: policy.title.clone(),
        kinds: policy.credentials.iter().map(|spec| spec.kind.word().to_owned()).collect(),
        needs_person: policy.credentials.iter().any(crate::model::CredentialSpec::needs_person),
        reasons,
        steps,
    });
}

//! App management policies before anything is made: what they forbid is said in the plan and refused in preflight.
//! What cannot be read is not guessed at: Entra says it then, and nothing is lost by that either.

use jiff::SignedDuration;

use crate::error::Class;
use crate::error::Error;
use crate::model::AppLimits;
use crate::model::Breach;
use crate::model::CredentialKind;
use crate::model::CredentialSpec;
use crate::model::Event;
use crate::model::IntegrationName;
use crate::model::Outcome;
use crate::model::Rotation;
use crate::model::State;
use crate::plan::Change;
use crate::plan::Forbidden;
use crate::plan::Observed;
use crate::plan::Plan;
use crate::plan::Step;
use crate::policy::Policy;
use crate::ports::PortError;
use crate::run::engine::Engine;
use crate::run::explain;

/// Below this a hand-off wants `accept_frequent_handoff`.
const FREQUENT: SignedDuration = SignedDuration::from_hours(120 * 24);

impl Engine {
    /// Plans; `asked` are rotated whatever their date. What the tenant forbids of it is said beside it, as far as
    /// everkey may read that.
    pub async fn plan(&self, policies: &[Policy], observed: &Observed, asked: &[IntegrationName]) -> Plan {
        let mut plan = self.draft(policies, observed, asked);
        for change in &plan.changes {
            let seen = observed.integrations.get(&change.integration);
            let app = seen.and_then(|seen| seen.record.as_ref()).map(|record| &record.app.object_id);
            match self.ports.directory.app_limits(app, self.now()).await {
                Ok(limits) => plan.forbidden.extend(self.forbidden(change, &limits)),
                // The others would be refused as well.
                Err(PortError::Denied(_)) => break,
                Err(_) => {}
            }
        }
        plan
    }

    /// What `limits` forbid of `change`; the audience first, which is set before a credential is made.
    fn forbidden(&self, change: &Change, limits: &AppLimits) -> Option<Forbidden> {
        let name = &change.integration;
        let error = change.steps.iter().find_map(|step| match step {
            Step::CreateApplication { spec, .. } => audience_refused(name, spec, limits),
            Step::UpdateApplication { spec, missing } if missing.iter().any(|what| what.starts_with("audience ")) => {
                audience_refused(name, spec, limits)
            }
            Step::Rotate { spec, .. } => credential_refused(name, spec, limits, limits.breach(spec, self.now())?),
            _ => None,
        })?;
        Some(Forbidden { integration: name.clone(), problem: explain::recorded(error) })
    }

    /// Why the credential that `r` is about to make would be refused.
    pub(super) async fn refused_beforehand(&self, r: &Rotation) -> Option<Error> {
        let limits = self.ports.directory.app_limits(Some(&r.app.object_id), self.now()).await.ok()?;
        credential_refused(&r.integration, &r.spec, &limits, limits.breach(&r.spec, self.now())?)
    }
}

fn audience_refused(name: &IntegrationName, spec: &crate::model::AppSpec, limits: &AppLimits) -> Option<Error> {
    let audience = spec.audience;
    limits.audiences.contains(&audience).then(|| {
        let what = format!("the tenant forbids applications with the audience {}", audience.graph_name());
        Error::new(Class::Failed, "G056", what).why(source(limits)).help(format!(
            "choose another `audience` in the policy of {name}, or ask an administrator to exempt the application"
        ))
    })
}

fn credential_refused(
    name: &IntegrationName,
    spec: &CredentialSpec,
    limits: &AppLimits,
    breach: Breach,
) -> Option<Error> {
    let (kind, kinds) = match spec.kind {
        CredentialKind::Certificate(_) => ("certificate", "certificates"),
        CredentialKind::ClientSecret => ("client secret", "client secrets"),
    };
    let error = match breach {
        Breach::Kind => Error::new(Class::Failed, "G042", format!("the tenant forbids new {kinds}")).help(format!(
            "use another kind of credential than a {kind} in the policy of {name}, or ask an administrator to exempt \
             the application"
        )),
        Breach::Lifetime(allowed) => {
            let what = format!(
                "the tenant forbids {kinds} that live longer than {}: {} asked for",
                long(allowed),
                long(spec.lifetime)
            );
            let frequent = spec.needs_person() && allowed < FREQUENT;
            let accept = if frequent { " and accept_frequent_handoff = true" } else { "" };
            let help = format!("set lifetime = \"{}\"{accept} in the policy of {name}", short(allowed));
            Error::new(Class::Failed, "G041", what).help(help)
        }
    };
    Some(error.why(source(limits)))
}

fn source(limits: &AppLimits) -> String {
    format!("application management policy {:?} ({})", limits.name, limits.policy)
}

/// For people; whole days, rounded down.
fn long(lifetime: SignedDuration) -> String {
    match (lifetime.as_hours() / 24, lifetime.as_hours()) {
        (0, hours) => format!("{hours} hours"),
        (days, _) => format!("{days} days"),
    }
}

/// For a policy.
fn short(lifetime: SignedDuration) -> String {
    match (lifetime.as_hours() / 24, lifetime.as_hours()) {
        (0, hours) => format!("{hours}h"),
        (days, _) => format!("{days}d"),
    }
}

/// What its policy says now, as far as a rotation takes that: always what is retained, and after a failure before anything
/// was made everything, which is the way on after a refusal.
pub(super) fn respecified(r: &Rotation, policies: &[Policy]) -> Option<Event> {
    let policy = policies.iter().find(|policy| policy.name == r.integration)?;
    let spec = policy.credentials.iter().find(|spec| spec.slot == r.spec.slot)?;
    if spec.retain != r.spec.retain && !r.is_finished() {
        return Some(Event::Retains { retain: spec.retain.clone() });
    }
    let untouched = r.state == State::Planned
        && r.failure.is_some()
        && r.attempts.iter().all(|attempt| attempt.outcome == Outcome::Refused);
    // What it replaces is removed in the way of its kind.
    let same_kind = spec.kind.word() == r.spec.kind.word() || r.old.is_empty();
    (untouched && *spec != r.spec && same_kind).then(|| Event::Respecified { spec: Box::new(spec.clone()) })
}

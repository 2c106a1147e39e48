//! The tenant's app management policy: what it forbids that a policy asks for, long before the date.

use super::Finding;
use super::Status;
use crate::assemble::Online;
use crate::model::Breach;
use crate::policy::Mode;
use crate::policy::Policy;
use crate::ports::PortError;

/// Allows everkey to read it; nothing depends on it.
pub const RIGHT: &str = "Policy.Read.All";

/// Compares what the policies ask for with the tenant's own policy. One attached to an application is the plan's to read.
pub async fn look(policies: &[Policy], online: &Online, findings: &mut Vec<Finding>) {
    let now = online.clock.now();
    let limits = match online.directory.app_limits(None, now).await {
        Ok(limits) => limits,
        Err(PortError::Denied(_)) => {
            let text = format!("the tenant's app management policy is not known: that would need {RIGHT}");
            return findings.push(Finding::new("limits", Status::Skip, text));
        }
        Err(error) => {
            let text = format!("the tenant's app management policy cannot be read: {error}");
            return findings.push(Finding::new("limits", Status::Skip, text));
        }
    };
    let mut forbidden = Vec::new();
    for policy in policies.iter().filter(|policy| policy.mode == Mode::Rotate) {
        for spec in &policy.credentials {
            let what = match limits.breach(spec, now) {
                None => continue,
                Some(Breach::Kind) => format!("no new {}", spec.kind.word()),
                Some(Breach::Lifetime(allowed)) => {
                    format!("at most {} days for a {}", allowed.as_hours() / 24, spec.kind.word())
                }
            };
            forbidden.push(format!("{} ({what})", policy.name));
        }
    }
    findings.push(if forbidden.is_empty() {
        Finding::ok("limits", "the tenant's app management policy allows what the policies ask for")
    } else {
        let text = format!("the tenant's app management policy forbids what is asked for: {}", forbidden.join(", "));
        Finding::new("limits", Status::Warn, text)
            .fix("change the policies, or ask an administrator to exempt the applications; see everkey plan")
    });
}

//! Whether each vault and cluster that a policy delivers to can be reached, and takes what is delivered there.

use super::Finding;
use super::Status;
use crate::assemble::Online;
use crate::model::SinkOwner;
use crate::model::SinkTarget;
use crate::policy::Policy;
use crate::run::places;

const PAGE: &str = "how-to/deliver-to-a-vault.md";

/// Looks at them; writes nothing.
pub async fn look(policies: &[Policy], online: &Online, findings: &mut Vec<Finding>) {
    let mut used = Vec::new();
    for policy in policies {
        for spec in &policy.credentials {
            let owner = SinkOwner { app: policy.app.client_id.clone(), slot: spec.slot.clone() };
            let stores = spec.sinks.iter().filter(|sink| sink.target.is_shared_store());
            used.extend(stores.map(|sink| (sink, owner.clone())));
        }
    }
    used.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
    if !used.iter().any(|(sink, _)| matches!(sink.target, SinkTarget::AzureKeyVault(_))) {
        findings.push(Finding::new("key vault", Status::Skip, "no policy uses it"));
    }
    for (sink, owner) in used {
        let id = match sink.target {
            SinkTarget::AzureKeyVault(_) => "key vault",
            SinkTarget::HashicorpVault(_) => "vault",
            _ => "kubernetes",
        };
        let checked = match online.sinks.open(sink, &owner) {
            Ok(opened) => opened.preflight().await.map(|()| opened.place()),
            Err(error) => Err(error),
        };
        findings.push(match checked {
            Ok(place) => Finding::ok(id, format!("{place}, can be read")),
            Err(error) => Finding::failed(id, &places::told(&error, sink, &format!("read {}", sink.id))).docs(PAGE),
        });
    }
}

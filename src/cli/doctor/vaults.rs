//! Whether each vault and cluster that a policy delivers to can be reached, and takes what is delivered there.

use std::collections::BTreeMap;

use super::Finding;
use super::Status;
use crate::assemble::Online;
use crate::model::SinkSpec;
use crate::model::SinkTarget;
use crate::policy::Policy;
use crate::run::places;

const PAGE: &str = "how-to/deliver-to-a-vault.md";

/// Looks at them; writes nothing.
pub async fn look(policies: &[Policy], online: &Online, findings: &mut Vec<Finding>) {
    let sinks = policies.iter().flat_map(|policy| &policy.credentials).flat_map(|spec| &spec.sinks);
    let stores = sinks.filter(|sink| sink.target.is_shared_store());
    let used: BTreeMap<&str, &SinkSpec> = stores.map(|sink| (sink.id.as_str(), sink)).collect();
    if !used.values().any(|sink| matches!(sink.target, SinkTarget::AzureKeyVault(_))) {
        findings.push(Finding::new("key vault", Status::Skip, "no policy uses it"));
    }
    for sink in used.into_values() {
        let id = match sink.target {
            SinkTarget::AzureKeyVault(_) => "key vault",
            SinkTarget::HashicorpVault(_) => "vault",
            _ => "kubernetes",
        };
        let checked = match online.sinks.open(sink) {
            Ok(opened) => opened.preflight().await.map(|()| opened.place()),
            Err(error) => Err(error),
        };
        findings.push(match checked {
            Ok(place) => Finding::ok(id, format!("{place}, can be read")),
            Err(error) => Finding::failed(id, &places::told(&error, sink, &format!("read {}", sink.id))).docs(PAGE),
        });
    }
}

//! One place, one credential: two that write to the same place would take each other's value away.

use crate::model::SinkTarget;
use crate::policy::Policy;
use crate::policy::diagnostics::Report;
use crate::policy::tree::At;
use crate::policy::tree::Span;

/// What one sink of a policy writes to.
pub(crate) struct Claim {
    /// The credential within the policy.
    credential: usize,
    /// Nobody else may write to these.
    places: Vec<String>,
    /// The place, for people.
    shown: String,
    span: Span,
}

/// Every shared store that a policy writes to. Keys of one secret are places of their own.
pub(crate) fn claims(policy: &Policy, at: At<'_>) -> Vec<Claim> {
    let mut claims = Vec::new();
    for (credential, spec) in policy.credentials.iter().enumerate() {
        let deliver = at.key("credential").item(credential).key("deliver");
        for (index, sink) in spec.sinks.iter().enumerate() {
            let keys = |place: String, keys: &[(String, _)]| -> Vec<String> {
                keys.iter().map(|(key, _)| format!("{place}#{key}")).collect()
            };
            let places = match &sink.target {
                // A certificate of a key vault is a secret as well, names know no case, and a vault is its tenant's.
                SinkTarget::AzureKeyVault(spec) => {
                    let name = format!("{}/{}", spec.vault, spec.name).to_ascii_lowercase();
                    vec![format!("{}:{name}", policy.tenant)]
                }
                SinkTarget::HashicorpVault(spec) => keys(spec.place(), &spec.values),
                SinkTarget::Kubernetes(spec) => keys(spec.place(), &spec.values),
                SinkTarget::Files(_) | SinkTarget::Handoff(_) | SinkTarget::JsonFile(_) => continue,
            };
            let span = deliver.item(index).span();
            claims.push(Claim { credential, places, shown: sink.target.described().1, span });
        }
    }
    claims
}

/// Two credentials of one policy.
pub(crate) fn within(claims: &[Claim], report: &mut Report<'_>) {
    for (index, later) in claims.iter().enumerate() {
        if claims[..index].iter().any(|one| one.credential != later.credential && meets(one, later)) {
            tell(later, "another credential of this file", report);
        }
    }
}

/// Credentials of two policies.
pub(crate) fn between(earlier: &[Claim], file: &str, later: &[Claim], report: &mut Report<'_>) {
    for claim in later.iter().filter(|claim| earlier.iter().any(|one| meets(one, claim))) {
        tell(claim, &format!("`{file}`"), report);
    }
}

fn meets(one: &Claim, other: &Claim) -> bool {
    one.places.iter().any(|place| other.places.contains(place))
}

fn tell(claim: &Claim, who: &str, report: &mut Report<'_>) {
    report
        .error("P081", claim.span.clone(), format!("{who} delivers to `{}` as well", claim.shown))
        .help("give each credential a name, a path or keys of its own");
}

//! Failures of vaults and clusters in words a user can act on. They are not Entra's, so they have codes of their own.

use std::collections::BTreeMap;

use crate::error::Class;
use crate::error::Error;
use crate::model::IntegrationName;
use crate::model::Problem;
use crate::model::Rotation;
use crate::model::SinkId;
use crate::model::SinkSpec;
use crate::model::SinkTarget;
use crate::policy::Policy;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::run::Engine;
use crate::run::explain;

/// Codes of this file: code, title, explanation, what to do.
pub const PLACES: &[(&str, &str, &str, &str)] = &[
    (
        "S020",
        "the store refuses everkey",
        "The vault or cluster that a policy delivers to did not accept everkey's sign-in, or does not allow it to read \
         or write there. The old value is untouched.",
        "Key Vault: give everkey's own app Key Vault Secrets Officer (Certificates Officer for certificates) on the vault. \
         HashiCorp Vault: a policy with read, create, update and patch on the path. Kubernetes: a role with get and patch.",
    ),
    (
        "S021",
        "not there",
        "The store answers, and does not know the place: the KV mount, the namespace, or the version of the interface.",
        "Compare `deliver` of the policy with the store.",
    ),
    (
        "S022",
        "somebody else's value",
        "The place holds a value that everkey did not write, or that was changed after everkey wrote it. Overwriting it \
         could stop whoever put it there, so it is left as it is.",
        "Look who wrote it. If it may go: `overwrite_foreign = true` in `deliver`.",
    ),
    (
        "S023",
        "the name is deleted",
        "The key vault holds a deleted object of this name and keeps the name for its recovery.",
        "Recover it (`az keyvault secret recover`), or set `recover_deleted = true` in `deliver`.",
    ),
    (
        "S024",
        "the store says: later",
        "It throttles, or is busy with the same object (a recovery, a write of somebody else). Nothing is lost; a write is \
         looked for before it is made again.",
        "Run the command again; everkey goes on where it stopped.",
    ),
    (
        "S025",
        "a newer value is there",
        "A later rotation of this store has written there. Usually the store at hand was restored from a backup.",
        "See `everkey history`; after a restore, rotate again.",
    ),
    (
        "S026",
        "the store refuses the value",
        "The store answered that it does not take what it was given.",
        "See the message; correct `deliver` of the policy.",
    ),
];

/// What went wrong with a sink.
pub fn told(error: &PortError, sink: &SinkSpec, what: &str) -> Error {
    if !sink.target.is_shared_store() {
        return explain::explain(error, what);
    }
    let refused = |class, code, refusal: &Refusal| {
        let status = if refusal.status == 0 { String::new() } else { format!(" ({})", refusal.status) };
        let error = Error::new(class, code, format!("could not {what}{status}")).request_id(refusal.request_id.clone());
        if refusal.message.is_empty() { error } else { error.why(&refusal.message) }
    };
    match error {
        PortError::Conflict(refusal) => match refusal.code.as_str() {
            "foreign-version" => refused(Class::Failed, "S022", refusal)
                .help("look who wrote it; if it may go: `overwrite_foreign = true` in `deliver`"),
            "newer-generation" => {
                refused(Class::Failed, "S025", refusal).help("see `everkey history`; after a restore, rotate again")
            }
            _ => refused(Class::Temporary, "S024", refusal).help("run the same command again"),
        },
        // Signing in for the store is signing in: Entra's own words say it best.
        PortError::Denied(refusal) if refusal.code.starts_with("AADSTS") => explain::explain(error, what),
        PortError::Denied(refusal) => refused(Class::Permission, "S020", refusal).help(right(&sink.target)),
        PortError::Missing(refusal) => {
            refused(Class::Failed, "S021", refusal).help("compare `deliver` of the policy with the store")
        }
        PortError::Refused(refusal) if refusal.code == "sink" => explain::explain(error, what),
        PortError::Refused(refusal) if refusal.code == "soft-deleted" => refused(Class::Failed, "S023", refusal)
            .help("az keyvault secret recover (or certificate recover), or `recover_deleted = true` in `deliver`"),
        PortError::Refused(refusal) => {
            refused(Class::Failed, "S026", refusal).help("see the message; correct `deliver` of the policy")
        }
        PortError::Throttled { retry_after, .. } => {
            let wait = retry_after.map_or_else(|| "a minute".to_owned(), |wait| format!("{} s", wait.as_secs()));
            Error::new(Class::Temporary, "S024", format!("the store throttles: could not {what}"))
                .request_id(error.request_id().map(str::to_owned))
                .help(format!("run the same command again in {wait}; finished steps are not repeated"))
        }
        PortError::Local(_) | PortError::Unreachable { .. } | PortError::Unsure { .. } => explain::explain(error, what),
    }
}

/// The shared stores of `policies`, by integration and id.
pub(super) type Stores = BTreeMap<(IntegrationName, SinkId), SinkSpec>;

/// Every shared store that a policy names.
pub(super) fn stores(policies: &[Policy]) -> Stores {
    let of = |policy: &Policy| {
        let name = policy.name.clone();
        let sinks = policy.credentials.iter().flat_map(|spec| &spec.sinks).cloned().collect::<Vec<_>>();
        sinks.into_iter().map(move |sink| ((name.clone(), sink.id.clone()), sink))
    };
    policies.iter().flat_map(of).filter(|(_, sink)| sink.target.is_shared_store()).collect()
}

impl Engine {
    /// `sink` as the policy describes it now: the same place, by its id, while how to sign in there and what may be
    /// overwritten are a person's word of today and not of the day on which the rotation began.
    pub(super) fn present<'s>(&'s self, r: &Rotation, sink: &'s SinkSpec) -> &'s SinkSpec {
        self.stores.get(&(r.integration.clone(), sink.id.clone())).unwrap_or(sink)
    }
}

/// The same for the record of a rotation.
pub fn problem(error: &PortError, sink: &SinkSpec, what: &str) -> Problem {
    explain::recorded(told(error, sink, what))
}

fn right(target: &SinkTarget) -> &'static str {
    match target {
        SinkTarget::AzureKeyVault(spec) if spec.certificate => {
            "give everkey's own app the role Key Vault Certificates Officer on the vault"
        }
        SinkTarget::AzureKeyVault(_) => "give everkey's own app the role Key Vault Secrets Officer on the vault",
        SinkTarget::HashicorpVault(_) => {
            "give the role or token a policy with read, create, update and patch on the path (behind `data/`)"
        }
        _ => "bind the service account to a role with get and patch on this Secret",
    }
}

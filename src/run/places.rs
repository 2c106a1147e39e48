//! Failures of vaults and clusters in words a user can act on. They are not Entra's, so they have codes of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::Class;
use crate::error::Error;
use crate::model::IntegrationName;
use crate::model::Problem;
use crate::model::Rotation;
use crate::model::SinkId;
use crate::model::SinkOwner;
use crate::model::SinkSpec;
use crate::model::SinkTarget;
use crate::model::SlotName;
use crate::policy::Policy;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::ports::Sink;
use crate::run::Engine;
use crate::run::explain;
use crate::run::signing;

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
    // Signing in for the store is signing in: those words say it best.
    if let Some(said) = signing::explain(error, what) {
        return said;
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
        PortError::Denied(refusal) if refusal.code.starts_with("AADSTS") || refusal.code.starts_with("AzureCli") => {
            explain::explain(error, what)
        }
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

/// Whether the same may succeed a moment later: a store that is busy or away, a sign-in that did not get through.
pub(super) fn passes(error: &PortError, sink: &SinkSpec) -> bool {
    let busy = matches!(error, PortError::Throttled { .. } | PortError::Unreachable { .. } | PortError::Unsure { .. });
    let told = || matches!(told(error, sink, "ask").class, Class::Temporary | Class::Unavailable);
    busy || (sink.target.is_shared_store() && told())
}

/// The shared stores of `policies`, by integration, slot and id.
pub(super) type Stores = BTreeMap<(IntegrationName, SlotName, SinkId), SinkSpec>;

/// Every shared store that a policy names.
pub(super) fn stores(policies: &[Policy]) -> Stores {
    let mut stores = Stores::new();
    for policy in policies {
        for spec in &policy.credentials {
            for sink in spec.sinks.iter().filter(|sink| sink.target.is_shared_store()) {
                stores.insert((policy.name.clone(), spec.slot.clone(), sink.id.clone()), sink.clone());
            }
        }
    }
    stores
}

/// `sink` as it was frozen, with what the policy of today permits there.
fn permitted(stores: &Stores, integration: &IntegrationName, slot: &SlotName, sink: &SinkSpec) -> SinkSpec {
    let mut sink = sink.clone();
    if let Some(today) = stores.get(&(integration.clone(), slot.clone(), sink.id.clone())) {
        sink.target.permitted_by(&today.target);
    }
    sink
}

impl Engine {
    /// `sink` of a rotation: what and where as it was when the rotation began; how to sign in there and what may be
    /// overwritten are a person's word of today.
    pub(super) fn present(&self, r: &Rotation, sink: &SinkSpec) -> SinkSpec {
        permitted(&self.stores, &r.integration, &r.spec.slot, sink)
    }

    /// The sink, for the credential of `r`.
    pub(super) fn opened(&self, r: &Rotation, sink: &SinkSpec) -> Result<Arc<dyn Sink>, PortError> {
        let owner = SinkOwner { app: Some(r.app.client_id.clone()), slot: r.spec.slot.clone() };
        self.ports.sinks.open(sink, &owner)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::KeyVaultSpec;
    use crate::model::ValueName;
    use crate::model::VaultAuth;
    use crate::model::VaultKvSpec;

    fn kv(key: &str, overwrite_foreign: bool) -> SinkSpec {
        let target = SinkTarget::HashicorpVault(VaultKvSpec {
            address: "https://vault.contoso.example".into(),
            mount: "secret".into(),
            path: "apps/mail".into(),
            values: vec![(key.into(), ValueName::Secret)],
            auth: VaultAuth::Token { token_file: format!("/run/{key}") },
            namespace: None,
            ca_file: None,
            overwrite_foreign,
        });
        SinkSpec { id: "hashicorp-vault:one".into(), target }
    }

    #[test]
    fn two_slots_at_one_place_never_take_the_keys_of_each_other() {
        let name = IntegrationName::from("mail");
        let mut stores = Stores::new();
        for slot in ["first", "second"] {
            stores.insert((name.clone(), slot.into(), "hashicorp-vault:one".into()), kv(slot, slot == "first"));
        }
        for slot in ["first", "second"] {
            let mut frozen = kv(slot, false);
            frozen.id = "hashicorp-vault:one".into();
            assert_eq!(permitted(&stores, &name, &slot.into(), &frozen), kv(slot, slot == "first"));
        }
        // What the policy says of the values today is for the next rotation.
        let (frozen, today) = (kv("before", false), kv("first", true));
        let SinkTarget::HashicorpVault(found) = permitted(&stores, &name, &"first".into(), &frozen).target else {
            unreachable!()
        };
        let SinkTarget::HashicorpVault(today) = today.target else { unreachable!() };
        assert_eq!(found.values, [("before".to_owned(), ValueName::Secret)]);
        assert_eq!((found.auth, found.overwrite_foreign), (today.auth, true));
    }

    #[test]
    fn a_sign_in_that_fails_is_no_role_of_a_vault() {
        let target = SinkTarget::AzureKeyVault(KeyVaultSpec {
            vault: "contoso-apps".into(),
            name: "mail".into(),
            certificate: false,
            recover_deleted: false,
            overwrite_foreign: false,
        });
        let sink = SinkSpec { id: "azure-key-vault:contoso-apps/secrets/mail".into(), target };
        let denied = |code: &str| PortError::Denied(Refusal { code: code.into(), ..Refusal::default() });
        for (code, told_as, again) in [
            ("WorkloadTokenUnreadable", "G050", false),
            ("ManagedIdentityNone", "G052", false),
            ("ManagedIdentityRefused", "G053", true),
            ("AzureCliMissing", "A030", false),
            ("AADSTS7000215", "A010", false),
            ("Forbidden", "S020", false),
        ] {
            let error = denied(code);
            assert_eq!(told(&error, &sink, "read it").code, told_as, "{code}");
            assert_eq!(passes(&error, &sink), again, "{code}");
        }
        let away = PortError::Unreachable { place: "managed identity at 127.0.0.1".into(), why: "closed".into() };
        assert_eq!(told(&away, &sink, "read it").code, "G053");
        assert!(passes(&away, &sink));
    }
}

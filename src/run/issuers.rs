//! Failures of those who sign certificates and are neither Entra nor this machine, in words a user can act on.

use std::collections::BTreeMap;

use crate::error::Class;
use crate::error::Error;
use crate::model::CredentialKind;
use crate::model::CredentialSpec;
use crate::model::IntegrationName;
use crate::model::IssuerKind;
use crate::model::Problem;
use crate::model::Rotation;
use crate::model::SlotName;
use crate::policy::Policy;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::run::Engine;
use crate::run::explain;

/// Codes of this file: code, title, explanation, what to do.
pub const ISSUERS: &[(&str, &str, &str, &str)] = &[
    (
        "S027",
        "Vault refuses everkey as a requester",
        "The Vault of `[credential.vault_pki]` did not accept everkey's sign-in, or its policy does not allow to sign with \
         this role. No certificate was made; the credential in use stays.",
        "Check role_id and secret_id_file, or token_file; the policy needs `update` on MOUNT/sign/ROLE.",
    ),
    (
        "S028",
        "Vault does not sign this",
        "The PKI engine refused the request: the role is not there or does not allow the name, the kind of key or the \
         lifetime; or there is no such engine.",
        "See the message; correct `[credential.vault_pki]`, `subject`, `key` or `lifetime` of the policy, or the role.",
    ),
    (
        "S029",
        "Vault says: later",
        "The Vault that signs throttles, or its answer was lost. The same request is sent again; a second certificate for \
         the same key harms nobody.",
        "Run the command again; everkey goes on where it stopped.",
    ),
];

/// Who is asked with a request, by integration and slot.
pub(super) type Signers = BTreeMap<(IntegrationName, SlotName), IssuerKind>;

/// Everybody who is asked with a request.
pub(super) fn signers(policies: &[Policy]) -> Signers {
    let of = |policy: &Policy| {
        let name = policy.name.clone();
        let found: Vec<_> =
            policy.credentials.iter().filter_map(|spec| Some((spec.slot.clone(), asked(spec)?))).collect();
        found.into_iter().map(move |(slot, issuer)| ((name.clone(), slot), issuer))
    };
    policies.iter().flat_map(of).collect()
}

fn asked(spec: &CredentialSpec) -> Option<IssuerKind> {
    let CredentialKind::Certificate(certificate) = &spec.kind else { return None };
    match &certificate.issuer {
        IssuerKind::Csr | IssuerKind::SelfSigned => None,
        issuer => Some(issuer.clone()),
    }
}

impl Engine {
    /// `issuer` of a rotation as the policy describes it now: the request stays the same, while whom to ask with it and
    /// how to sign in there are a person's word of today, so that a mistake can be corrected.
    pub(super) fn present_issuer<'s>(&'s self, r: &Rotation, issuer: &'s IssuerKind) -> &'s IssuerKind {
        let now = self.signers.get(&(r.integration.clone(), r.spec.slot.clone()));
        now.filter(|_| asked(&r.spec).is_some()).unwrap_or(issuer)
    }
}

/// What went wrong with a certificate, for the record of a rotation.
pub fn problem(error: &PortError, issuer: &IssuerKind, what: &str) -> Problem {
    let IssuerKind::VaultPki(spec) = issuer else { return explain::problem(error, what) };
    let refused = |code, class, refusal: &Refusal| {
        let status = if refusal.status == 0 { String::new() } else { format!(" ({})", refusal.status) };
        let error = Error::new(class, code, format!("could not {what}{status}"));
        error.why(&refusal.message).request_id(refusal.request_id.clone())
    };
    let later = |why: String| Error::new(Class::Temporary, "S029", format!("could not {what} yet")).why(why);
    explain::recorded(match error {
        PortError::Denied(refusal) => refused("S027", Class::Permission, refusal)
            .help(format!("the token or AppRole needs `update` on {}/sign/{}", spec.mount, spec.role)),
        // `sink` is our own refusal of the address; others are of the certificate that came back.
        PortError::Missing(refusal) | PortError::Refused(refusal)
            if matches!(refusal.code.as_str(), "sink" | "vault-pki") =>
        {
            refused("S028", Class::Failed, refusal)
                .help("correct `[credential.vault_pki]` or what the policy asks for, or the role in Vault")
        }
        PortError::Throttled { .. } => later("Vault throttles".into()).help("run the same command again"),
        PortError::Unsure { place, why, .. } => later(format!("{place}: {why}")).help("run the same command again"),
        error => return explain::problem(error, what),
    })
}

//! Failed sign-ins of everkey itself that have a way of their own (workload identity, managed identity) in words a user
//! can act on; and the codes of these, of `token` and of `drill`.

use crate::error::Class;
use crate::error::Error;
use crate::ports::PortError;
use crate::ports::Refusal;

/// Code, title, explanation, what to do; as [`crate::run::codes::CODES`].
pub const SIGNING: &[(&str, &str, &str, &str)] = &[
    (
        "G050",
        "the workload's token cannot be read",
        "With auth = \"workload-identity\" everkey signs in with a token of its platform, which it reads from a file \
         before each sign-in. The file is not named, not there, or holds something else.",
        "Set token_file in everkey.toml or AZURE_FEDERATED_TOKEN_FILE; in Kubernetes, label the pod \
         azure.workload.identity/use: \"true\".",
    ),
    (
        "G051",
        "Entra does not trust this workload",
        "The token was read and sent, and no federated credential of everkey's app registration fits it: issuer, \
         subject and audience are compared to the letter, case included.",
        "Compare the three with the federated credential; add one for this workload if there is none.",
    ),
    (
        "G052",
        "this machine has no such managed identity",
        "The managed identity endpoint answers, and knows no identity for everkey: none is assigned to the machine, \
         or not the one of client_id.",
        "Assign the identity to the machine; client_id names a user-assigned one, without it the system-assigned one \
         is used.",
    ),
    (
        "G053",
        "the managed identity endpoint does not answer",
        "Nothing answers at the address of the managed identity, or it refuses this process.",
        "Run everkey on the Azure machine or app that has the identity; elsewhere use another auth.",
    ),
    (
        "G054",
        "no usable managed identity endpoint",
        "The environment names an endpoint that everkey does not use: an address that is not on this machine, Azure \
         Arc or Service Fabric.",
        "Use auth = \"certificate\" or auth = \"workload-identity\" there.",
    ),
    (
        "G055",
        "the environment names another cloud",
        "AZURE_AUTHORITY_HOST and the cloud of the tenant in everkey.toml are not the same. A token of one cloud is \
         worth nothing in the other.",
        "Correct `cloud` in everkey.toml, or the variable.",
    ),
    (
        "R060",
        "nothing to drill on",
        "A drill adds a throw-away secret to the application of a policy, and this one has none yet.",
        "everkey apply --only NAME makes it; or name the one that exists with app_id in the policy.",
    ),
    (
        "R061",
        "no room for a drill",
        "Applications for personal accounts may have two client secrets, and both are there. Nothing was changed.",
        "Drill another application, or remove the secret that nobody uses.",
    ),
    (
        "R062",
        "a throw-away secret is still there",
        "The drill added a secret and could not remove it, or Graph still lists it. Nobody knows its value, and it ends \
         within a day.",
        "Run the drill again, or `everkey apply`: both remove it first.",
    ),
    (
        "R063",
        "Entra did not accept a new secret",
        "A secret was added and Entra refused sign-ins with it for two minutes. It was removed again.",
        "Run the drill again; replication may be slow today.",
    ),
    (
        "R064",
        "a removed secret was not seen refused",
        "Graph does not list the secret any more, and the token endpoint did not refuse it within two minutes.",
        "Run the drill again later.",
    ),
    (
        "R065",
        "a rotation is at work on the application",
        "A drill waits while a rotation is between an intent and its outcome, so that the two cannot be confused.",
        "Run `everkey apply`, then the drill.",
    ),
    (
        "R066",
        "the application has no service principal",
        "Without one (an enterprise application) nobody signs in as it in this tenant. Nothing was changed.",
        "az ad sp create --id CLIENT-ID, or let `everkey apply` provision the application.",
    ),
    (
        "R067",
        "the sandbox's rotation did not come to its end",
        "`everkey drill --sandbox` issues and rotates on an application of its own for an hour at most. What stopped it would \
         stop a real rotation as well. The application is deleted all the same.",
        "Read the message; `everkey doctor` looks at rights and policies.",
    ),
    (
        "R068",
        "the sandbox's application is still there",
        "The drill is over and Graph did not delete the application, or still shows it. Its credentials end within a day, \
         and nobody knows them.",
        "`everkey apply` deletes it two hours later; or delete it in the portal by the name that the drill printed.",
    ),
    (
        "R069",
        "the sandbox's application is in the bin",
        "The application is deleted. The right to empty the bin (--purge) is missing, or the bin does not show it yet.",
        "Entra empties it after 30 days.",
    ),
    (
        "U040",
        "no credential to sign in with",
        "`everkey token` signs in with what everkey made, and it made nothing for this integration yet.",
        "everkey apply --only NAME",
    ),
    (
        "U041",
        "the credential is not with everkey any more",
        "What was handed over and confirmed is destroyed here: only its recipient has it.",
        "Let the recipient try it.",
    ),
    (
        "U042",
        "a rotation watches who signs in",
        "Until the rotation is finished, a sign-in by everkey would blur what the sign-in report shows of the consumer.",
        "Wait, or use --force.",
    ),
    (
        "U043",
        "Entra does not accept the current credential",
        "The sign-in was refused, with the code that is shown.",
        "Look at the application in Entra, and at `everkey status`.",
    ),
];

/// What an unreachable place is called that is the managed identity's (`src/entra/managed.rs`).
const MANAGED: &str = "managed identity";
const ELSEWHERE: &str = "run everkey where the identity is, or use another auth in everkey.toml";

/// The error of a sign-in with one of these ways; `None` for everything else.
pub(super) fn explain(error: &PortError, what: &str) -> Option<Error> {
    let refusal = match error {
        PortError::Denied(refusal) => refusal,
        PortError::Unreachable { place, why } if place.starts_with(MANAGED) => {
            return Some(
                Error::new(Class::Unavailable, "G053", "the managed identity endpoint does not answer")
                    .why(format!("{place}: {why}"))
                    .help(ELSEWHERE),
            );
        }
        _ => return None,
    };
    let (class, code, summary, help) = match refusal.code.as_str() {
        "WorkloadTokenUnreadable" => (
            Class::Config,
            "G050",
            "the workload's token cannot be read",
            "set token_file in everkey.toml, or AZURE_FEDERATED_TOKEN_FILE",
        ),
        "ManagedIdentityNone" => (
            Class::Permission,
            "G052",
            "this machine has no such managed identity",
            "assign it to the machine; client_id in everkey.toml names a user-assigned one, none the system-assigned one",
        ),
        "ManagedIdentityRefused" => (Class::Unavailable, "G053", "the managed identity endpoint refuses", ELSEWHERE),
        "AADSTS70021" | "AADSTS700211" | "AADSTS700212" | "AADSTS700213" | "AADSTS50013" | "AADSTS5002738" => {
            return Some(untrusted(what, refusal));
        }
        _ => return None,
    };
    let error = Error::new(class, code, summary).help(help).request_id(refusal.request_id.clone());
    Some(if refusal.message.is_empty() { error } else { error.why(&refusal.message) })
}

fn untrusted(what: &str, refusal: &Refusal) -> Error {
    let help = match refusal.code.as_str() {
        "AADSTS5002738" => "let the platform sign its tokens with RS256: Entra takes no ES256 from other issuers",
        "AADSTS50013" => {
            "the issuer's published keys do not fit the token; look at its /.well-known/openid-configuration"
        }
        _ => {
            "compare issuer, subject and audience with: az ad app federated-credential list --id CLIENT-ID; \
             see how-to/sign-in-without-a-secret"
        }
    };
    Error::new(Class::Permission, "G051", format!("Entra does not trust this workload: could not {what}"))
        .why(format!("{}: {}", refusal.code, refusal.message))
        .help(help)
        .request_id(refusal.request_id.clone())
}

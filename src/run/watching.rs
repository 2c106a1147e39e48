//! The codes of inventory, watching and adoption, for `everkey explain`.

/// Code, title, explanation, what to do; as [`crate::run::explain::CODES`].
pub const WATCHING: &[(&str, &str, &str, &str)] = &[
    (
        "A030",
        "the Azure CLI is not there",
        "Without a configuration, and with auth = \"azure-cli\", the token comes from `az`, which cannot be started.",
        "Install the Azure CLI and run `az login`, or write an everkey.toml.",
    ),
    (
        "A031",
        "the Azure CLI gave no token",
        "Nobody is signed in to it, the sign-in is too old, or it is signed in to another tenant.",
        "az login, and try again.",
    ),
    (
        "A032",
        "the Azure CLI did not answer",
        "`az` did not end within a minute. Nothing was changed.",
        "Try `az account get-access-token --resource-type ms-graph --output none` by itself.",
    ),
    (
        "A040",
        "a credential appeared",
        "Somebody added a credential to an application that everkey watches, and everkey did not make it.",
        "Ask who made it; if nobody did, remove it in Entra and look at the application's sign-ins.",
    ),
    (
        "A041",
        "a certificate of somebody else is gone",
        "Graph replaces all certificates of an application at once. A change by everkey got no answer, took effect late, and did \
         not hold what somebody added meanwhile; or its owner took it away.",
        "Ask whose it is; if nobody took it away, add the same certificate again.",
    ),
    (
        "F030",
        "the file exists already",
        "A policy that is there may hold what somebody wrote by hand; it is never overwritten.",
        "Edit it, or remove it and run the command again.",
    ),
    (
        "F031",
        "a new policy that would not be valid",
        "`watch`, `adopt` and `new` check what they are about to write, beside the files that are there. Nothing was \
         written.",
        "Correct what the message names, often a value of --set, and run the command again.",
    ),
    (
        "U031",
        "no such application",
        "No application of the tenant has this name or client id.",
        "See `everkey inventory`.",
    ),
    ("U032", "more than one application", "Names of applications are not unique.", "Use the client id."),
    ("U033", "it has a policy", "The application is described by a policy already.", "Edit that one."),
    (
        "U034",
        "no such value to set",
        "--set takes KEY=VALUE with a key of the file.",
        "Write the key as in the file: app.display_name.",
    ),
    (
        "U035",
        "not adopted",
        "`adopt --take-back` names the key id of a credential that somebody adopted, and the store has no such record.",
        "`everkey history` has who adopted what.",
    ),
    (
        "U036",
        "too late to take back",
        "A rotation has committed to removing the credential; a removal that was sent may still land.",
        "`everkey history show` has the rotation; whoever uses the credential needs the new one.",
    ),
];

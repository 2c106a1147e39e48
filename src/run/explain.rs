//! Failures of the outside in words a user can act on: code, what, why, help.

use crate::error::Class;
use crate::error::Error;
use crate::model::Problem;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::ports::StoreError;

/// A [`PortError`] as an error with code and help. `what` says what was being done (`create the application`).
pub fn explain(error: &PortError, what: &str) -> Error {
    match error {
        PortError::Conflict(refusal) => far(Class::Temporary, "G014", what, refusal)
            .help("somebody else is changing the same application; run the same command again"),
        PortError::Denied(refusal) if refusal.code.starts_with("AADSTS") => sign_in(what, refusal),
        PortError::Denied(refusal) if refusal.code == "AzureCliMissing" => {
            Error::new(Class::Config, "A030", "the Azure CLI is not there").why(&refusal.message).help(
                "install the Azure CLI (`az`) and run `az login`, or give everkey a sign-in of its own in everkey.toml",
            )
        }
        PortError::Denied(refusal) if refusal.code == "AzureCliRefused" => {
            Error::new(Class::Permission, "A031", "the Azure CLI gave no token")
                .why(&refusal.message)
                .help("az login    (with the tenant: az login --tenant TENANT-ID --allow-no-subscriptions)")
        }
        PortError::Unreachable { place, why } if place == "az" => {
            Error::new(Class::Unavailable, "A032", "the Azure CLI did not answer")
                .why(why)
                .help("try it by itself: az account get-access-token --resource-type ms-graph --output none")
        }
        PortError::Denied(refusal) => far(Class::Permission, "G012", what, refusal).help(
            "give everkey's own app registration Application.ReadWrite.OwnedBy (with admin consent) and make it an \
             owner of the application",
        ),
        PortError::Local(why) => Error::new(Class::Failed, "S010", format!("could not {what}"))
            .why(why)
            .help("correct the cause on this machine and run the same command again; nothing was half-written"),
        PortError::Missing(refusal) => far(Class::Failed, "G013", what, refusal)
            .help("if it was created a moment ago, wait a minute and run the same command again"),
        PortError::Refused(refusal) => refused(what, refusal),
        PortError::Throttled { retry_after } => {
            let wait = retry_after.map_or_else(|| "a minute".to_owned(), |wait| format!("{} s", wait.as_secs()));
            Error::new(Class::Temporary, "G011", format!("Microsoft Graph throttles: could not {what}"))
                .help(format!("run the same command again in {wait}; finished steps are not repeated"))
        }
        PortError::Unreachable { place, why } => {
            Error::new(Class::Unavailable, "G010", format!("cannot reach {place}: could not {what}"))
                .why(why)
                .help("check the network, the proxy and the URLs of the tenant in everkey.toml")
        }
        PortError::Unsure { place, why } => {
            Error::new(Class::Unavailable, "G016", format!("{place} gave no clear answer: could not {what}"))
                .why(why)
                .help("run the same command again; everkey looks first whether the call was applied")
        }
    }
}

fn refused(what: &str, refusal: &Refusal) -> Error {
    match refusal.code.as_str() {
        "CredentialInvalidLifetimeAsPerAppPolicy" => far(Class::Failed, "G041", what, refusal)
            .help("shorten `lifetime` in the policy to what the tenant's application management policy allows"),
        "CredentialTypeNotAllowedAsPerAppPolicy" => far(Class::Failed, "G042", what, refusal)
            .help("the tenant forbids this kind of credential; use a certificate, or ask for an exemption"),
        code if code.starts_with("AADSTS") => sign_in(what, refusal),
        // A sink's: no far side has spoken (src/sinks/error.rs).
        "sink" => far(Class::Failed, "S010", what, refusal)
            .help("correct the place, or `deliver` in the policy, and run the same command again; nothing was written"),
        _ => far(Class::Failed, "G015", what, refusal).help("see the message; correct the policy or the application"),
    }
}

fn sign_in(what: &str, refusal: &Refusal) -> Error {
    let help = match refusal.code.as_str() {
        "AADSTS7000215" => "the client secret is wrong: store the secret's value (not its id) in `secret_file`",
        "AADSTS7000222" => "everkey's own client secret has expired: make a new one and store it in `secret_file`",
        "AADSTS700027" => "the certificate in `certificate_file` is not registered on everkey's own application",
        "AADSTS700016" => "check `client_id` and `tenant_id` in everkey.toml",
        "AADSTS90002" => "check `tenant_id` in everkey.toml",
        _ => "check `auth` and its files in everkey.toml",
    };
    far(Class::Permission, "A010", what, refusal).help(help)
}

fn far(class: Class, code: &str, what: &str, refusal: &Refusal) -> Error {
    let summary = match (refusal.status, refusal.code.is_empty()) {
        (0, _) => format!("could not {what}"),
        (status, true) => format!("Entra refused to {what} ({status})"),
        (status, false) => format!("Entra refused to {what} ({status} {})", refusal.code),
    };
    let error = Error::new(class, code, summary).request_id(refusal.request_id.clone());
    if refusal.message.is_empty() { error } else { error.why(&refusal.message) }
}

/// A failure of the mail server. The mail itself stays in the outbox.
pub fn mail(error: &PortError) -> Error {
    let (class, code, what, help) = match error {
        PortError::Denied(_) => (
            Class::Permission,
            "M011",
            "the mail server refuses the sign-in",
            "check username and password_file in [mail]",
        ),
        PortError::Unreachable { .. } | PortError::Unsure { .. } => (
            Class::Unavailable,
            "M010",
            "the mail server cannot be reached",
            "check host, port, tls and ca_file in [mail]",
        ),
        PortError::Throttled { .. } => {
            (Class::Temporary, "M012", "the mail server says: later", "the next run tries again")
        }
        _ => {
            (Class::Failed, "M013", "the mail server refuses the mail", "see the reason; check from and host in [mail]")
        }
    };
    let why = match error {
        PortError::Conflict(refusal)
        | PortError::Denied(refusal)
        | PortError::Missing(refusal)
        | PortError::Refused(refusal) => refusal.message.clone(),
        PortError::Local(why) => why.clone(),
        PortError::Throttled { .. } => "it is busy, or limits how much is sent".to_owned(),
        PortError::Unreachable { place, why } | PortError::Unsure { place, why } => format!("{place}: {why}"),
    };
    Error::new(class, code, what).why(why).help(help)
}

/// The same for the record of a rotation.
pub fn problem(error: &PortError, what: &str) -> Problem {
    let error = explain(error, what);
    let why = error.why.first().map_or_else(String::new, |why| format!(": {why}"));
    Problem { code: error.code, summary: format!("{}{why}", error.what), fix: error.help, request_id: error.request_id }
}

/// A [`StoreError`] as an error with code and help.
pub fn store(error: &StoreError) -> Error {
    match error {
        StoreError::Fenced => Error::new(Class::Temporary, "T012", "another everkey has taken over the store")
            .help("let the other one finish, then run the same command again"),
        StoreError::Held { holder, since } => {
            Error::new(Class::Temporary, "T011", format!("another run holds the store: {holder}"))
                .why(format!("since {since}"))
                .help("wait for it to finish, or stop it")
        }
        StoreError::Failed(why) => Error::new(Class::Failed, "T010", "the store cannot be used")
            .why(why)
            .help("check the path, the free space and the rights of the store in everkey.toml"),
        StoreError::Unseal(id) => Error::new(Class::Failed, "T013", format!("the sealed value {id} does not open"))
            .help("use the seal key that belongs to this store (`[seal] key_file` in everkey.toml)"),
    }
}

/// The exit class of a code in a rotation's record.
pub fn class_of(code: &str) -> Class {
    match code {
        "A010" | "A031" | "G012" => Class::Permission,
        "A032" | "G010" | "G016" => Class::Unavailable,
        "G011" | "G014" | "T011" | "T012" => Class::Temporary,
        _ => Class::Failed,
    }
}

/// Every code that is not a policy's: code, title, explanation, what to do. `everkey explain` shows them.
pub const CODES: &[(&str, &str, &str, &str)] = &[
    (
        "A010",
        "sign-in of everkey failed",
        "Entra did not issue a token for everkey's own app registration. Nothing was changed.",
        "Check tenant_id, client_id and the file named by auth in everkey.toml.",
    ),
    (
        "A011",
        "stopped, unless the new key is in use already",
        "The old credential has ended, and nobody said that the recipient uses the new one.",
        "Hand the new value over; when it works: everkey handoff confirm ID",
    ),
    (
        "A012",
        "our key expired, another one is in use",
        "The consumer signs in with a credential that everkey did not make.",
        "Ask who made it; everkey never removes what is not its own.",
    ),
    (
        "A020",
        "sign-in with the new credential is blocked",
        "Entra refused for a reason that is not the credential's: Conditional Access for workload identities, or a \
         disabled enterprise application. The credential is kept; the old one is untouched.",
        "Allow the sign-in, or set prove = \"accept-blocked\" in the policy.",
    ),
    (
        "A021",
        "what was delivered is not accepted",
        "A sink holds the new credential, yet Entra no longer accepts it. The old one is untouched.",
        "Look at the application's credentials in Entra: somebody may have removed ours.",
    ),
    (
        "C010",
        "configuration missing or unreadable",
        "everkey.toml, or a file it names, cannot be read.",
        "Name the file with -C, or correct its path and rights.",
    ),
    (
        "C011",
        "configuration invalid",
        "everkey.toml has errors.",
        "Run `everkey validate`: it shows each with its line.",
    ),
    (
        "C012",
        "policy invalid",
        "At least one policy file has errors; nothing was planned or changed.",
        "Run `everkey validate`: it shows each with its line.",
    ),
    (
        "C013",
        "not in this release",
        "The configuration asks for something that this release cannot do.",
        "See the message for what to use instead.",
    ),
    (
        "D010",
        "the demo failed",
        "One of the three figures is not zero, or a part of the demo could not start.",
        "Run it again with --keep DIR and look at the files there.",
    ),
    (
        "E010",
        "the emulator cannot start",
        "Its address is taken or not a loopback address, or its directory cannot be used.",
        "Choose another --listen or --dir.",
    ),
    (
        "F010",
        "a file cannot be read or written",
        "See the reason in the message. Nothing was half-written.",
        "Correct the path, the rights or the free space.",
    ),
    (
        "G010",
        "Graph cannot be reached",
        "No connection was made, so nothing was changed.",
        "Check the network, the proxy and the tenant's URLs.",
    ),
    ("G011", "Graph throttles", "Too many requests. Nothing was changed by this call.", "Run the command again later."),
    (
        "G012",
        "Graph refuses: permission missing",
        "everkey's own app registration lacks a permission, or is no owner of the application.",
        "Grant Application.ReadWrite.OwnedBy with admin consent and add everkey as an owner.",
    ),
    (
        "G013",
        "not found",
        "The object is not there, or not yet replicated.",
        "Wait a minute and run the command again.",
    ),
    (
        "G014",
        "conflict",
        "Somebody else is changing the same object, or a sink holds something newer.",
        "Run the command again.",
    ),
    ("G015", "Graph refuses", "The request was refused; nothing was changed.", "See the message."),
    (
        "G016",
        "no clear answer",
        "The call was sent, and its outcome is not known. everkey treats it as both applied and not applied.",
        "Run the command again: it looks first, and sweeps what nobody can use.",
    ),
    (
        "G041",
        "the tenant forbids so long a lifetime",
        "An application management policy limits the lifetime of credentials.",
        "Shorten lifetime in the policy.",
    ),
    (
        "G042",
        "the tenant forbids this kind of credential",
        "An application management policy blocks it.",
        "Use a certificate, or ask for an exemption.",
    ),
    ("H010", "no such hand-off", "The number is not known.", "List them: everkey handoff list"),
    ("H011", "opened already", "A hand-off shows its value once.", "If it was lost: everkey handoff reissue ID"),
    (
        "H012",
        "void, or no longer kept",
        "Another hand-off has taken its place, or its sealed copy was destroyed when it was confirmed or replaced.",
        "Use the one that took its place, or rotate.",
    ),
    (
        "H013",
        "never opened",
        "Nobody can have handed over a value that nobody has seen.",
        "Open it first: everkey handoff open ID",
    ),
    (
        "H014",
        "cannot be renewed",
        "The rotation is over, or both secrets of the application are in use.",
        "Reissue the same value, or rotate.",
    ),
    ("M001", "no sender address", "`from` in [mail] is not an address.", "Write it as `Name <name@domain>`."),
    (
        "M002",
        "mail would travel unprotected",
        "Without TLS everkey speaks to a mail server on this machine only.",
        "Set tls = \"starttls\" or \"implicit\" in [mail].",
    ),
    (
        "M003",
        "TLS to the mail server cannot be set up",
        "The CA file of [mail] cannot be used.",
        "Correct ca_file in [mail]; it holds PEM.",
    ),
    ("M004", "the mail password is not text", "SMTP takes text only.", "Correct the file that password_file names."),
    ("M010", "the mail server cannot be reached", "Mails wait in the outbox.", "Check host, port and tls in [mail]."),
    ("M011", "the mail server refuses the sign-in", "Mails wait in the outbox.", "Check username and password_file."),
    ("M012", "the mail server is busy", "Mails wait in the outbox; the next run tries again.", "Nothing, or wait."),
    ("M013", "the mail server refuses a mail", "It waits in the outbox.", "See the reason in the message."),
    (
        "R009",
        "not finished yet",
        "A step waits longer than a command does: after a lost answer everkey must not try again at once.",
        "Run the same command again later; it resumes.",
    ),
    (
        "R001",
        "stopped by a signal",
        "The run ended at a safe point; the journal is consistent.",
        "Run the same command again.",
    ),
    ("R002", "cannot start", "The machine refused threads or files.", "See the reason in the message."),
    ("R003", "too many changes", "--max-changes is a guard for CI.", "Look at `everkey plan`, then raise the limit."),
    ("R004", "not a plan", "The file is not one that `everkey plan --out` wrote.", "Make a new one."),
    ("R005", "plan of another tenant", "A plan holds for the tenant it was made for.", "Make a new one."),
    ("R006", "plan too old", "A plan lives 24 hours.", "Make a new one."),
    ("R007", "policies changed", "The policies are not those the plan was made from.", "Make a new one."),
    ("R008", "tenant changed", "The tenant is not as it was when the plan was made.", "Make a new one."),
    (
        "R010",
        "impossible history",
        "The journal holds a step that the protocol does not know. Nothing was changed.",
        "Restore the store from a backup, and report it.",
    ),
    (
        "R020",
        "both secrets are taken",
        "An application for personal accounts may have two client secrets, expired and foreign ones counted.",
        "Remove the one that nobody uses; everkey removes only what it made.",
    ),
    (
        "R030",
        "not ours",
        "everkey removes only what its journal proves it made.",
        "Remove it by hand if nobody needs it.",
    ),
    (
        "S010",
        "this machine refuses",
        "A file, directory or command of a sink cannot be used. Old content is intact.",
        "Correct the cause and run the command again.",
    ),
    ("T010", "the store cannot be used", "See the reason in the message.", "Check path, free space and rights."),
    ("T011", "another run holds the store", "One everkey writes at a time.", "Wait for it, or stop it."),
    ("T012", "another everkey took over", "This one stopped without writing anything.", "Run the command again."),
    ("T013", "a sealed value does not open", "The seal key is another one.", "Use the key that belongs to the store."),
    (
        "T020",
        "history was changed",
        "The hash chain breaks: an entry was changed, removed or added outside of everkey.",
        "Compare with a backup of the store.",
    ),
    ("U001", "wrong usage", "The command line could not be understood.", "See `everkey help`."),
    ("U002", "no such policy", "The name is not a policy of this tenant.", "See `everkey status`."),
    ("U003", "nobody to ask", "The command changes the tenant and there is no terminal.", "Add --yes."),
    ("U004", "cancelled", "Nothing was changed.", "Run it again and answer y."),
    ("U005", "no duration", "Durations are written 60d or 12h.", "Correct it."),
    ("U006", "not a terminal", "A secret should not end in a log.", "Use --out DIR, or --reveal."),
    ("U007", "binary value", "A PFX file cannot be shown on a terminal.", "Use --out DIR."),
    ("U008", "no instant", "--clock takes an RFC 3339 instant or `real`.", "Write 2026-11-20T09:00:00Z."),
    ("U009", "no such code", "Codes are one letter and three digits.", "Copy it from the error."),
    ("U011", "no such tenant", "everkey.toml does not name this tenant.", "Use one of the names in the message."),
    ("U012", "directory not empty", "The demo writes into a new or empty directory.", "Choose another --keep DIR."),
    ("U013", "no SARIF here", "Only `validate` has findings in files.", "Use -o json, or no -o."),
    ("U010", "no such topic", "Help exists on exit-codes, steps and every command.", "See `everkey help`."),
    (
        "X010",
        "not provisioned yet",
        "The script names the application and its service principal, and one of them does not exist yet.",
        "Run `everkey apply` first.",
    ),
    ("X011", "no mailboxes", "The policy does not limit its app to mailboxes.", "Add [mailboxes] to the policy."),
];

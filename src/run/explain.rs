//! Failures of the outside in words a user can act on: code, what, why, help.

use crate::error::Class;
use crate::error::Error;
use crate::model::Problem;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::ports::StoreError;
use crate::run::signing;

/// A [`PortError`] as an error with code and help. `what` says what was being done (`create the application`).
pub fn explain(error: &PortError, what: &str) -> Error {
    if let Some(said) = signing::explain(error, what) {
        return said;
    }
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
        PortError::Throttled { retry_after, .. } => {
            let wait = retry_after.map_or_else(|| "a minute".to_owned(), |wait| format!("{} s", wait.as_secs()));
            Error::new(Class::Temporary, "G011", format!("Microsoft Graph throttles: could not {what}"))
                .request_id(error.request_id().map(str::to_owned))
                .help(format!("run the same command again in {wait}; finished steps are not repeated"))
        }
        PortError::Unreachable { place, why } => {
            Error::new(Class::Unavailable, "G010", format!("cannot reach {place}: could not {what}"))
                .why(why)
                .help("check the network, the proxy and the URLs of the tenant in everkey.toml")
        }
        PortError::Unsure { place, why, .. } => {
            Error::new(Class::Unavailable, "G016", format!("{place} gave no clear answer: could not {what}"))
                .why(why)
                .request_id(error.request_id().map(str::to_owned))
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
        "SignInAudienceNotAllowedAsPerAppPolicy" => far(Class::Failed, "G056", what, refusal)
            .help("choose another `audience` in the policy, or ask for an exemption"),
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
        PortError::Unreachable { place, why } | PortError::Unsure { place, why, .. } => format!("{place}: {why}"),
    };
    Error::new(class, code, what).why(why).help(help)
}

/// The same for the record of a rotation.
pub fn problem(error: &PortError, what: &str) -> Problem {
    recorded(explain(error, what))
}

/// An error as a rotation keeps it.
pub fn recorded(error: Error) -> Problem {
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
        StoreError::Moved(why) => Error::new(Class::Config, "T040", "the store has moved, and this one is out of use")
            .why(why)
            .help("set `store` in everkey.toml to where it is now; if that one is gone for good: everkey store claim"),
        StoreError::Arriving(why) => Error::new(Class::Config, "T041", "the store is a copy that is not finished")
            .why(why)
            .help("run `everkey store copy` again, with the store it is copied from in everkey.toml"),
        StoreError::Place(why) => Error::new(Class::Failed, "T042", "the store cannot be copied to this place")
            .why(why)
            .help("name a new file or an empty database with --to; nothing was changed"),
        StoreError::Busy(why) => Error::new(Class::Temporary, "T043", "the store is busy")
            .why(why)
            .help("run the same command again; nothing was written"),
        StoreError::Address(why) => Error::new(Class::Config, "T032", "the PostgreSQL store is not configured right")
            .why(why)
            .help("store = \"postgres://everkey@db.contoso.example/everkey?sslmode=verify-full\", password in `store_password_file`"),
        StoreError::Denied(why) => Error::new(Class::Permission, "T031", "PostgreSQL refused everkey")
            .why(why)
            .help("check user, database and `store_password_file`; the user must own the database or its schema"),
        StoreError::Unreachable(why) => Error::new(Class::Unavailable, "T030", "PostgreSQL does not answer")
            .why(why)
            .help("check that the server runs and is reached from here; the same command is safe to run again"),
        StoreError::Failed(why) => Error::new(Class::Failed, "T010", "the store cannot be used")
            .why(why)
            .help("check the path, the free space and the rights of the store in everkey.toml"),
        StoreError::Key(why) => Error::new(Class::Config, "T016", "the seal key does not open this store")
            .why(why)
            .help("name the store's own key in `[seal] key_file`; if it is lost for good: everkey recover --key-lost"),
        StoreError::Present(why) => Error::new(Class::Failed, "T018", "the backup was not put in the store's place")
            .why(why)
            .help("if that is what you want: --force; the present store is kept aside"),
        StoreError::Unseal(id) => Error::new(Class::Failed, "T013", format!("the sealed value {id} does not open"))
            .help("use the seal key that belongs to this store (`[seal] key_file` in everkey.toml)"),
    }
}

/// The exit class of a code in a rotation's record.
pub fn class_of(code: &str) -> Class {
    match code {
        "A010" | "A031" | "G012" | "G051" | "G052" | "S020" | "S027" | "T031" => Class::Permission,
        "A032" | "G010" | "G016" | "G053" | "T030" => Class::Unavailable,
        "G011" | "G014" | "S024" | "S029" | "T011" | "T012" | "T043" => Class::Temporary,
        "G050" | "T032" | "T040" | "T041" => Class::Config,
        _ => Class::Failed,
    }
}

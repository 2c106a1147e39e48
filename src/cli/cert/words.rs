//! What people and machines read of certificates, and of what went wrong with them.

use std::path::Path;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::cli::output::clean;
use crate::error::Class;
use crate::error::Error;
use crate::pki::CertificateFacts;
use crate::pki::PkiError;

/// A failure with the file `path`.
pub fn explain(error: &PkiError, path: &Path) -> Error {
    let file = path.display();
    match error {
        PkiError::Authority(_) => Error::new(Class::Data, "K022", format!("the CA {file} cannot sign"))
            .why(error)
            .help("look at it: everkey cert inspect FILE"),
        PkiError::Certificate(_) | PkiError::Pfx(_) | PkiError::Unrecognised => {
            Error::new(Class::Data, "K011", format!("cannot read {file}"))
                .why(error)
                .help("it must be a certificate, request, key, PFX or P7B (PEM, DER or base64), whole and undamaged")
        }
        PkiError::Crypto(_) | PkiError::ReadBack(_) => Error::new(Class::Failed, "K030", "cannot make it")
            .why(error)
            .help("nothing was written; run the command again, and report this if it stays"),
        PkiError::Denied(_) => Error::new(Class::Permission, "K021", format!("{file} is refused by the profile"))
            .why(error)
            .help("ask for a new request, or sign under another --profile"),
        PkiError::EncryptedKey => Error::new(Class::Usage, "K024", format!("{file} needs a password"))
            .why(error)
            .help("name a file that holds it"),
        PkiError::Encryption(_) | PkiError::Key => {
            Error::new(Class::Data, "K013", format!("the private key in {file} cannot be used")).why(error).help(
                "RSA from 2048 bits, P-256 and P-384 are; re-encrypt an old one: openssl pkcs8 -topk8 -in OLD -out NEW",
            )
        }
        PkiError::Issued(_) | PkiError::Mismatch => {
            Error::new(Class::Data, "K014", format!("the key does not belong to {file}"))
                .why(error)
                .help("find the key that the certificate was requested with")
        }
        PkiError::Missing(what) => Error::new(Class::Data, "K015", format!("{file} holds no {what}"))
            .help("everkey cert inspect FILE shows what it holds"),
        PkiError::Password(_) => Error::new(Class::Data, "K016", "this password cannot be used")
            .why(error)
            .help("1 to 64 letters, digits and signs work everywhere"),
        PkiError::Request(_) => Error::new(Class::Data, "K020", format!("{file} is refused"))
            .why(error)
            .help("ask its sender for a new request: RSA from 2048 bits or EC P-256/P-384, signed with SHA-256"),
        PkiError::Subject { .. } | PkiError::Validity { .. } => wanted(error),
        PkiError::TooMuch(_) => Error::new(Class::Data, "K012", format!("{file} is refused"))
            .why(error)
            .help("no real file needs that much; make a new one from its source"),
        PkiError::WrongPassword => {
            Error::new(Class::Data, "K010", format!("wrong password for {file} (or the file is damaged)"))
                .help("check the password file: it holds the password alone; a line end after it does not count")
        }
    }
}

/// A failure with what the command line asks for.
pub fn wanted(error: &PkiError) -> Error {
    let why = match error {
        PkiError::Denied(why) | PkiError::Request(why) => why.clone(),
        other => other.to_string(),
    };
    match error {
        PkiError::Denied(_) | PkiError::Request(_) | PkiError::Subject { .. } | PkiError::Validity { .. } => {
            Error::new(Class::Usage, "K017", "such a certificate is not made")
                .why(why)
                .help("correct --subject, --dns or --days, or choose another --profile")
        }
        other => explain(other, Path::new("what was made")),
    }
}

/// The nearest number of whole days: the hour for clocks that differ does not count.
pub fn days(length: SignedDuration) -> i64 {
    (length.as_hours() + 12) / 24
}

/// `2026-11-20 to 2027-11-20 (365 days)`.
fn validity(facts: &CertificateFacts) -> String {
    let days = days(facts.not_after.duration_since(facts.not_before));
    format!("{} to {} ({days} days)", day(facts.not_before), day(facts.not_after))
}

/// `2026-11-20`.
pub fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// `in 14 days`, `2 days ago`, `today`.
pub fn left(at: Timestamp, now: Timestamp) -> String {
    let away = at.duration_since(now);
    match away.as_hours() / 24 {
        0 if away.is_negative() => "ended less than a day ago".to_owned(),
        0 => "ends within a day".to_owned(),
        days if days < 0 => format!("ended {} days ago", -days),
        days => format!("in {days} days"),
    }
}

/// Why Entra takes no sign-in with it now; `None` when it does.
pub fn not_for_entra(facts: &CertificateFacts, now: Timestamp) -> Option<String> {
    let refused = facts.not_for_entra.clone();
    let over = (facts.not_after <= now).then(|| format!("it ended on {}", day(facts.not_after)));
    let early = (facts.not_before > now).then(|| format!("it is not valid before {}", facts.not_before));
    refused.or(over).or(early)
}

/// The certificate, as people read it.
pub fn table(facts: &CertificateFacts) -> String {
    let mut rows = vec![("Subject", facts.subject.clone())];
    if facts.self_issued {
        rows.push(("Issuer", "itself".to_owned()));
    } else {
        rows.push(("Issuer", facts.issuer.clone()));
    }
    rows.push(("Serial", format!("0x{}", facts.serial)));
    rows.push(("Key", format!("{}, signed with {}", facts.key_type, facts.signature)));
    rows.push(("Valid", validity(facts)));
    let mut uses: Vec<&str> = facts.key_usage.iter().chain(&facts.extended_key_usage).map(String::as_str).collect();
    if facts.is_ca {
        uses.insert(0, "CA");
    }
    if !uses.is_empty() {
        rows.push(("Usage", uses.join(", ")));
    }
    if !facts.names.is_empty() {
        rows.push(("Names", facts.names.join(", ")));
    }
    rows.push(("Thumbprint", format!("SHA-1    {}   (Entra shows this one)", facts.thumbprint)));
    rows.push(("", format!("SHA-256  {}", facts.thumbprint_sha256)));
    rows.iter().map(|(name, value)| format!("  {name:<10}  {}\n", clean(value).replace('\n', " "))).collect()
}

/// The same for machines.
pub fn document(facts: &CertificateFacts, now: Timestamp) -> Value {
    let obstacle = not_for_entra(facts, now);
    json!({
        "subject": facts.subject, "issuer": facts.issuer, "self_issued": facts.self_issued, "serial": facts.serial,
        "key_type": facts.key_type, "signature": facts.signature, "not_before": facts.not_before,
        "not_after": facts.not_after, "days_left": facts.not_after.duration_since(now).as_hours() / 24,
        "is_ca": facts.is_ca, "key_usage": facts.key_usage, "extended_key_usage": facts.extended_key_usage,
        "names": facts.names, "thumbprint_sha1": facts.thumbprint, "thumbprint_sha256": facts.thumbprint_sha256,
        "entra_sign_in": obstacle.is_none(), "entra_obstacle": obstacle,
    })
}

/// Whole days from now.
pub fn after_days(now: Timestamp, days: u32) -> Result<Timestamp, Error> {
    now.checked_add(SignedDuration::from_hours(24 * i64::from(days))).map_err(|error| {
        Error::new(Class::Usage, "K017", "such a certificate is not made").why(error).help("choose fewer --days")
    })
}

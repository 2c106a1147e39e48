//! `everkey cert inspect`: what a file holds. Never shows a private key.

use serde_json::Value;
use serde_json::json;

use super::password;
use super::words;
use crate::cli::OK;
use crate::cli::args::InspectArgs;
use crate::cli::output::Output;
use crate::cli::output::clean;
use crate::config;
use crate::error::Error;
use crate::pki;
use crate::pki::Format;
use crate::pki::Inspected;
use crate::pki::KeyState;

/// Runs it.
pub async fn run(args: &InspectArgs, out: &Output) -> Result<u8, Error> {
    let mut opened = password::open(out, &args.file, args.password_file.as_deref()).await?;
    // The certificate that is meant first, then its issuers; a key that fits none of them is told below.
    let certificates = std::mem::take(&mut opened.certificates);
    if !certificates.is_empty() {
        opened.certificates = match pki::arrange(certificates.clone(), opened.key.as_ref()) {
            Ok(arranged) => arranged,
            Err(pki::PkiError::Mismatch) => certificates,
            Err(error) => return Err(words::explain(&error, &args.file)),
        };
    }
    let found = pki::describe(opened).map_err(|error| words::explain(&error, &args.file))?;
    let now = config::real_now();
    let mut text = format!("{}: {}, {}\n", args.file.display(), format(found.format), key(&found));
    for (place, facts) in found.certificates.iter().enumerate() {
        if found.certificates.len() > 1 {
            text.push_str(&format!("\nCertificate {} of {}\n", place + 1, found.certificates.len()));
        }
        text.push_str(&words::table(facts));
        text.push_str(&format!("  {:<10}  {}\n", "Ends", words::left(facts.not_after, now)));
        if facts.is_ca {
            continue;
        }
        let entra = words::not_for_entra(facts, now).map_or_else(|| "yes".to_owned(), |why| format!("no: {why}"));
        text.push_str(&format!("  {:<10}  {entra}\n", "Entra"));
    }
    for request in &found.requests {
        text.push_str(&format!("\nCertificate request\n  Subject     {}\n", clean(&request.subject)));
        let names = if request.names.is_empty() { "none".to_owned() } else { request.names.join(", ") };
        text.push_str(&format!("  Key         {}\n  Names       {}\n", request.key_type, clean(&names)));
        let valid = request.wrong.as_deref().map_or_else(|| "yes".to_owned(), |why| format!("NO: {why}"));
        text.push_str(&format!("  Valid       {}\n", clean(&valid)));
    }
    out.print(&text);
    out.document(&document(&found, now));
    Ok(OK)
}

fn format(format: Format) -> &'static str {
    match format {
        Format::Base64 => "base64",
        Format::Der => "DER",
        Format::P7b => "P7B",
        Format::Pem => "PEM",
        Format::Pfx => "PFX",
    }
}

fn key(found: &Inspected) -> String {
    let kind = found.key_type.as_deref().unwrap_or("of unknown kind");
    let sealed = if found.key_was_sealed { ", under a password" } else { ", WITHOUT a password" };
    match found.key {
        KeyState::Absent => "no private key inside".to_owned(),
        KeyState::Alone => format!("a private key alone ({kind}{sealed})"),
        KeyState::Differs => format!("a private key ({kind}{sealed}) that belongs to NONE of its certificates"),
        KeyState::Matches => format!("with its private key ({kind}{sealed})"),
    }
}

/// The facts of the first certificate stand at the top, for `jq .not_after`.
fn document(found: &Inspected, now: jiff::Timestamp) -> Value {
    let certificates: Vec<Value> = found.certificates.iter().map(|facts| words::document(facts, now)).collect();
    let mut document = certificates.first().cloned().unwrap_or_else(|| json!({}));
    document["schema"] = json!("everkey.cert-inspect/v1");
    document["format"] = json!(found.format);
    document["private_key"] = json!({
        "state": found.key, "key_type": found.key_type,
        "under_password": found.key_type.is_some().then_some(found.key_was_sealed),
    });
    document["certificates"] = json!(certificates);
    document["requests"] = json!(found.requests);
    document
}

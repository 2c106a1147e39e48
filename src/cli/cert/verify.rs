//! `everkey cert verify`: whether files belong together.

use std::path::Path;

use serde_json::json;

use super::password;
use super::words;
use crate::cli::OK;
use crate::cli::args::VerifyArgs;
use crate::cli::output::Output;
use crate::error::Class;
use crate::error::Error;
use crate::pki;
use crate::pki::PkiError;
use crate::secret::Secret;

/// What a file contributes.
struct Part<'a> {
    path: &'a Path,
    /// SubjectPublicKeyInfo of a private key.
    key: Option<Vec<u8>>,
    certificate: Option<Vec<u8>>,
    /// SubjectPublicKeyInfo of a request.
    request: Option<Vec<u8>>,
}

/// Runs it.
pub async fn run(args: &VerifyArgs, out: &Output) -> Result<u8, Error> {
    let mut parts = Vec::new();
    let given = [(&args.pfx, true), (&args.pem, true), (&args.cer, false), (&args.key, true), (&args.csr, false)];
    for (path, may_be_sealed) in given {
        let Some(path) = path else { continue };
        let password_file = args.password_file.as_deref().filter(|_| may_be_sealed);
        parts.push(read(out, path, password_file).await?);
    }
    let things =
        parts.iter().map(|p| [&p.key, &p.certificate, &p.request].into_iter().flatten().count()).sum::<usize>();
    if things < 2 {
        return Err(Error::new(Class::Usage, "U001", "there is nothing to compare")
            .help("name two files, for instance --pfx app.pfx --cer app.cer"));
    }
    let why = differs(&parts)?;
    let certificate = parts.iter().find_map(|part| part.certificate.as_deref()).map(pki::facts).transpose();
    let facts = certificate.map_err(|error| words::explain(&error, parts[0].path))?;
    match (&why, &facts) {
        (Some(why), _) => out.print(&format!("NOT one pair: {why}.\n")),
        (None, Some(facts)) => out.print(&format!("One pair: {}, SHA-1 {}\n", facts.subject, facts.thumbprint)),
        (None, None) => out.print("One pair.\n"),
    }
    out.document(&json!({
        "schema": "everkey.cert-verify/v1", "pair": why.is_none(), "why": why,
        "thumbprint_sha1": facts.as_ref().map(|facts| &facts.thumbprint),
    }));
    Ok(if why.is_none() { OK } else { Class::Failed.exit_code() })
}

async fn read<'a>(out: &Output, path: &'a Path, password_file: Option<&Path>) -> Result<Part<'a>, Error> {
    let opened = password::open(out, path, password_file).await?;
    let wrong = |error: PkiError| words::explain(&error, path);
    let mut part = Part { path, key: None, certificate: None, request: None };
    if let Some(key) = &opened.key {
        part.key = Some(pki::public_key(key).map_err(wrong)?);
    }
    if !opened.certificates.is_empty() {
        let fits = opened.key.as_ref().filter(|key| belongs(key, &opened.certificates));
        let arranged = pki::arrange(opened.certificates, fits).map_err(wrong)?;
        part.certificate = arranged.into_iter().next();
    }
    if let Some(request) = opened.requests.first() {
        part.request = Some(pki::read_request(request).map_err(wrong)?.public_key().to_vec());
    }
    Ok(part)
}

fn belongs(key: &Secret, certificates: &[Vec<u8>]) -> bool {
    matches!(pki::matching(key, certificates), Ok(Some(_)))
}

/// Why they are no pair. Two certificates with one key are none either: Entra tells them apart by thumbprint.
fn differs(parts: &[Part<'_>]) -> Result<Option<String>, Error> {
    let mut keys: Vec<(&Path, &str, Vec<u8>)> = Vec::new();
    let mut first: Option<(&Path, &[u8])> = None;
    for part in parts {
        if let Some(certificate) = &part.certificate {
            match first {
                Some((path, other)) if other != certificate.as_slice() => {
                    let (a, b) = (path.display(), part.path.display());
                    return Ok(Some(format!("{a} and {b} hold different certificates")));
                }
                _ => first = Some((part.path, certificate)),
            }
            let key = pki::certificate_key(certificate).map_err(|error| words::explain(&error, part.path))?;
            keys.push((part.path, "certificate", key));
        }
        keys.extend(part.key.clone().map(|key| (part.path, "private key", key)));
        keys.extend(part.request.clone().map(|key| (part.path, "request", key)));
    }
    let Some((path, what, key)) = keys.first() else { return Ok(None) };
    let other = keys.iter().find(|(_, _, other)| other != key);
    Ok(other.map(|(other_path, other, _)| {
        format!(
            "the {what} of {} and the {other} of {} are not made for each other",
            path.display(),
            other_path.display()
        )
    }))
}

//! `everkey cert sign`: a partner's request, a local CA, a profile, and a person who says yes.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::files;
use super::files::NewFile;
use super::password;
use super::record;
use super::record::Deed;
use super::words;
use crate::cli::OK;
use crate::cli::args::Cli;
use crate::cli::args::SignArgs;
use crate::cli::ask;
use crate::cli::output::Output;
use crate::cli::output::clean;
use crate::cli::signals::stop_on_signal;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::model::CertProfile;
use crate::pki;
use crate::pki::Authority;
use crate::pki::PkiError;
use crate::pki::Request;
use crate::pki::Terms;
use crate::policy::LocalCa;
use crate::ports::CertTool as _;
use crate::run::RunError;

/// A CA as it was named, opened.
struct Signer {
    /// For people and the history.
    name: String,
    certificate: PathBuf,
    authority: Authority,
}

/// Runs it.
pub async fn run(cli: &Cli, args: &SignArgs, out: &Output) -> Result<u8, Error> {
    files::refuse_existing([args.out.as_path()], args.force)?;
    let profile = super::profile(cli, &args.profile)?;
    let request = request(args, out).await?;
    // What is wrong with the request is told before anybody types the CA's password.
    if let Some(why) = &request.wrong {
        return Err(words::explain(&PkiError::Request(why.clone()), &args.csr));
    }
    let signer = signer(cli, args, out).await?;
    let now = config::real_now();
    let refused = |error: &PkiError| match error {
        PkiError::Authority(_) => words::explain(error, &signer.certificate),
        _ => words::explain(error, &args.csr),
    };
    let terms = signer.authority.terms(&request, &profile, args.days, now).map_err(|error| refused(&error))?;
    out.print(&summary(&request, &profile, &terms, args.days, now));
    confirm(args, out).await?;

    let made = signer.authority.sign(&request, &profile, args.days, now).map_err(|error| refused(&error))?;
    let facts = pki::facts(&made.der).map_err(|error| refused(&error))?;
    let der = args.out.extension().is_some_and(|ending| ending == "cer" || ending == "der");
    let content = if der { made.der } else { pki::Tool.certificate_pem(&made.der).into_bytes() };
    let new = [NewFile::public(args.out.clone(), content, if der { "certificate, DER" } else { "certificate, PEM" })];
    let what = format!("signed a request with {}", signer.name);
    let deed =
        Deed { what: &what, action: "sign", by: args.by.as_deref(), certificate: &facts, profile: &profile.name };
    let recorded = files::deliver(None, &new, args.force, record::add(cli, &deed)).await?;

    let shown = args.out.display();
    out.print(&format!("Wrote {shown} (serial 0x{}). {}\n{}", facts.serial, recorded.sentence(), words::table(&facts)));
    let mut document = words::document(&facts, now);
    document["schema"] = json!("everkey.cert/v1");
    document["files"] = files::listed(&new);
    document["ca"] = json!(signer.name);
    document["profile"] = json!(profile.name);
    document["not_taken_over"] = json!(request.ignored);
    document["shortened"] = json!(terms.shortened);
    document["recorded"] = json!(recorded.id());
    out.document(&document);
    Ok(OK)
}

async fn request(args: &SignArgs, out: &Output) -> Result<Request, Error> {
    let opened = password::open(out, &args.csr, None).await?;
    let wrong = |error: PkiError| words::explain(&error, &args.csr);
    match opened.requests.as_slice() {
        [] => Err(wrong(PkiError::Missing("certificate request"))),
        [only] => pki::read_request(only).map_err(wrong),
        _ => Err(wrong(PkiError::Missing("single certificate request, but several"))),
    }
}

async fn signer(cli: &Cli, args: &SignArgs, out: &Output) -> Result<Signer, Error> {
    if let Some(name) = &args.ca {
        let settings = config::load(&cli.global.config, cli.global.policy.as_deref(), cli.global.tenant.as_deref())?;
        let Some(ca) = settings.tool.ca.get(name) else {
            let known: Vec<&str> = settings.tool.ca.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Error::new(
                Class::Usage,
                "K023",
                format!("there is no CA {name:?} in {}", cli.global.config.display()),
            )
            .help(format!("known: {known}; make one: everkey ca init --name {name} --out DIR")));
        };
        return configured(name, ca, out).await;
    }
    let (Some(certificate), Some(key)) = (&args.ca_cert, &args.ca_key) else {
        return Err(Error::new(Class::Usage, "U001", "no CA is named").help("--ca NAME, or --ca-cert and --ca-key"));
    };
    let key = password::open(out, key, args.ca_password_file.as_deref())
        .await?
        .key
        .ok_or_else(|| words::explain(&PkiError::Missing("private key"), key))?;
    let der = one_certificate(out, certificate).await?;
    let authority = Authority::open(&der, key).map_err(|error| words::explain(&error, certificate))?;
    Ok(Signer { name: subject(&der, certificate)?, certificate: certificate.clone(), authority })
}

async fn configured(name: &str, ca: &LocalCa, out: &Output) -> Result<Signer, Error> {
    let what = format!("the key of the CA {name}");
    let bytes = config::secret(&ca.key, &what)?;
    let password = ca.key_password.as_ref().map(|source| config::secret(source, "its password")).transpose()?;
    let path = Path::new(&what);
    let opened = password::open_bytes(out, Arc::new(bytes), password.map(Arc::new), path).await?;
    let key = opened.key.ok_or_else(|| words::explain(&PkiError::Missing("private key"), path))?;
    let der = one_certificate(out, &ca.certificate).await?;
    let authority = Authority::open(&der, key).map_err(|error| words::explain(&error, &ca.certificate))?;
    Ok(Signer { name: name.to_owned(), certificate: ca.certificate.clone(), authority })
}

/// The first certificate of the CA's file; a chain may follow it.
async fn one_certificate(out: &Output, path: &Path) -> Result<Vec<u8>, Error> {
    let opened = password::open(out, path, None).await?;
    let first = opened.certificates.into_iter().next();
    first.ok_or_else(|| words::explain(&PkiError::Missing("certificate"), path))
}

fn subject(der: &[u8], path: &Path) -> Result<String, Error> {
    Ok(pki::facts(der).map_err(|error| words::explain(&error, path))?.subject)
}

/// What was asked for, and what the profile makes of it.
fn summary(request: &Request, profile: &CertProfile, terms: &Terms, asked: u32, now: jiff::Timestamp) -> String {
    let names = if request.dns_names.is_empty() { "none".to_owned() } else { request.dns_names.join(", ") };
    let uses: Vec<&str> = profile
        .key_usage
        .iter()
        .map(|one| one.label())
        .chain(profile.extended_key_usage.iter().map(|one| one.label()))
        .collect();
    let days = words::days(terms.end.duration_since(now));
    let shortened =
        terms.shortened.as_ref().map_or_else(String::new, |why| format!(", shortened from {asked} d because {why}"));
    let ignored = match request.ignored.as_slice() {
        [] => String::new(),
        all => format!("Not taken over from the request: {}.\n", all.join(", ")),
    };
    clean(&format!(
        "CSR: {}, {}, self-signature valid. Requested names: {names}.\n\
         Profile {} changes: usage {} only; validity {days} d, to {} (CA limit {} d){shortened}.\n{ignored}",
        request.subject,
        request.key_type,
        profile.name,
        uses.join(", "),
        words::day(terms.end),
        pki::MOST_DAYS,
    ))
}

async fn confirm(args: &SignArgs, out: &Output) -> Result<(), Error> {
    if args.yes {
        return Ok(());
    }
    let (_, woken) = stop_on_signal();
    ask::confirm(out, "Sign?", &woken).await.map_err(RunError::into_error)
}

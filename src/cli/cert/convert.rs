//! `everkey cert convert`: PFX, PEM, CER and base64 into each other. What is public never carries a key, and a key
//! never reaches a terminal.

use std::future::ready;
use std::path::Path;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::files;
use super::files::NewFile;
use super::password;
use super::words;
use crate::cli::OK;
use crate::cli::args::ConvertArgs;
use crate::cli::args::Form;
use crate::cli::args::Target;
use crate::cli::output::Output;
use crate::error::Class;
use crate::error::Error;
use crate::pki;
use crate::pki::PkiError;
use crate::ports::CertTool as _;
use crate::run::explain;
use crate::secret::Secret;

/// What `--key-out` means for standard output.
const STDOUT: &str = "-";

/// Runs it.
pub async fn run(args: &ConvertArgs, out: &Output) -> Result<u8, Error> {
    let targets = check(args, out)?;
    files::refuse_existing(targets.iter().map(PathBuf::as_path), args.force)?;
    let opened = password::open(out, &args.file, args.password_file.as_deref()).await?;
    let key = match (opened.key, &args.key) {
        (_, Some(path)) => {
            let key = password::open(out, path, args.password_file.as_deref()).await?.key;
            Some(key.ok_or_else(|| words::explain(&PkiError::Missing("private key"), path))?)
        }
        (key, None) => key,
    };
    let wrong = |error: &PkiError| words::explain(error, &args.file);
    let certificates = if opened.certificates.is_empty() && args.to == Target::Pem && key.is_some() {
        // A key alone can be brought to another form as well.
        Vec::new()
    } else {
        pki::arrange(opened.certificates, key.as_ref()).map_err(|error| wrong(&error))?
    };
    let made = match args.to {
        Target::Base64 => public(args, format!("{}\n", BASE64_STANDARD.encode(&certificates[0]))),
        Target::Cer => public(args, certificates[0].clone()),
        Target::Pem => pem(args, &certificates, key.as_ref())?,
        Target::Pfx => {
            let key = key.ok_or_else(|| wrong(&PkiError::Missing("private key (name it with --key)")))?;
            pfx(args, out, &key, &certificates).await?
        }
    };
    files::deliver(None, &made.files, args.force, ready(Ok(()))).await?;
    out.print(&files::list(&made.files));
    if let Some(content) = &made.shown {
        let for_people = out.form() == Form::Table;
        if for_people {
            crate::cli::output::bytes(content.expose());
        }
    }
    let mut document = json!({"schema": "everkey.cert/v1", "files": files::listed(&made.files)});
    if let Some(first) = certificates.first() {
        let facts = pki::facts(first).map_err(|error| wrong(&error))?;
        document["thumbprint_sha1"] = json!(facts.thumbprint);
        document["thumbprint_sha256"] = json!(facts.thumbprint_sha256);
        document["not_after"] = json!(facts.not_after);
    }
    // A key never gets here: `check` refuses it in this form.
    document["content"] = json!(made.shown.as_ref().and_then(|content| content.expose_text()));
    out.document(&document);
    Ok(OK)
}

/// What comes out of a conversion.
#[derive(Default)]
struct Made {
    files: Vec<NewFile>,
    /// For standard output.
    shown: Option<Secret>,
}

/// Refuses what cannot go together, before anything is opened; the files that will be written.
fn check(args: &ConvertArgs, out: &Output) -> Result<Vec<PathBuf>, Error> {
    let usage = |what: &str, help: &str| Err(Error::new(Class::Usage, "U001", what).help(help));
    let key_shown = args.key_out.as_deref().is_some_and(|path| path == Path::new(STDOUT));
    if args.key_out.is_some() && args.to != Target::Pem {
        return usage("--key-out goes with --to pem", "a PFX holds its key; a CER and base64 never do");
    }
    if args.out_password_file.is_some() && args.to != Target::Pfx {
        return usage("--out-password-file goes with --to pfx", "leave it out");
    }
    if args.to == Target::Pfx && args.out.is_none() {
        return usage(
            "--to pfx needs --out FILE",
            "a PFX is a file with a private key; standard output is no place for it",
        );
    }
    if args.to == Target::Cer && args.out.is_none() && (out.is_terminal() || out.form() == Form::Json) {
        return usage("--to cer is binary", "name a file with --out, or use --to base64 or --to pem");
    }
    if key_shown && (out.is_terminal() || out.form() == Form::Json) {
        return Err(Error::new(Class::Usage, "K025", "a private key is not written to a terminal or into JSON")
            .why("it would stay in the scrollback, in logs and in recordings")
            .help("name a file with --key-out FILE"));
    }
    let mut targets: Vec<PathBuf> = args.out.iter().cloned().collect();
    targets.extend(args.key_out.iter().filter(|_| !key_shown).cloned());
    if args.to == Target::Pfx && args.out_password_file.is_none() {
        targets.extend(args.out.iter().map(|path| beside(path)));
    }
    Ok(targets)
}

/// Where a generated password goes.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".password");
    PathBuf::from(name)
}

/// Public content, to the file or to standard output.
fn public(args: &ConvertArgs, content: impl Into<Vec<u8>>) -> Made {
    match &args.out {
        Some(path) => Made { files: vec![NewFile::public(path.clone(), content, "public part")], shown: None },
        None => Made { files: Vec::new(), shown: Some(Secret::new(content.into())) },
    }
}

fn pem(args: &ConvertArgs, certificates: &[Vec<u8>], key: Option<&Secret>) -> Result<Made, Error> {
    let text: String = certificates.iter().map(|der| pki::Tool.certificate_pem(der)).collect();
    let mut made = if certificates.is_empty() { Made::default() } else { public(args, text) };
    let Some(to) = &args.key_out else {
        if certificates.is_empty() {
            return Err(words::explain(&PkiError::Missing("certificate (its key goes to --key-out FILE)"), &args.file));
        }
        return Ok(made);
    };
    let key = key.ok_or_else(|| words::explain(&PkiError::Missing("private key"), &args.file))?;
    let key = pki::Tool.key_pem(key).map_err(|error| explain::explain(&error, "encode the key"))?;
    if to == Path::new(STDOUT) {
        let before = made.shown.take().map(|shown| shown.expose().to_vec()).unwrap_or_default();
        made.shown = Some(Secret::new([&before, key.expose()].concat()));
    } else {
        made.files.push(NewFile::private(to.clone(), key, "private key without a password, mode 0600"));
    }
    Ok(made)
}

async fn pfx(args: &ConvertArgs, out: &Output, key: &Secret, certificates: &[Vec<u8>]) -> Result<Made, Error> {
    let Some(path) = &args.out else { return Ok(Made::default()) };
    let password = password::for_new(out, args.out_password_file.as_deref(), "PFX").await?;
    let profile = args.pfx_profile.into();
    let packed = pki::pfx(key, &certificates[0], &certificates[1..], &password.value, profile, password.generated);
    let packed = packed.map_err(|error| words::explain(&error, &args.file))?;
    let mut files = vec![NewFile::private(path.clone(), packed, "private key, mode 0600")];
    if password.generated {
        files.push(NewFile::private(beside(path), password.value, "password of the PFX, mode 0600"));
    }
    Ok(Made { files, shown: None })
}

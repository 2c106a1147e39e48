//! `everkey cert csr`: a key and a request for another CA.

use std::future::ready;
use std::path::Path;

use serde_json::json;

use super::files;
use super::files::NewFile;
use super::password;
use super::set;
use super::words;
use crate::cli::OK;
use crate::cli::args::CsrArgs;
use crate::cli::output::Output;
use crate::cli::output::clean;
use crate::error::Error;
use crate::model::KeyType;
use crate::pki;
use crate::ports::CertTool as _;
use crate::run::explain;

/// Runs it.
pub async fn run(args: &CsrArgs, out: &Output) -> Result<u8, Error> {
    set::check(&args.set, &["key", "csr"])?;
    let password = args.password_file.as_deref().map(password::from_file).transpose()?;
    let kind = KeyType::from(args.key);
    let subject = args.subject.clone().unwrap_or_else(|| format!("CN={}", args.set.name));
    let key = pki::Tool.generate_key(kind).map_err(|error| explain::explain(&error, "make a key"))?;
    let der = pki::make_request(&key, &subject, &args.dns).map_err(|error| words::wanted(&error))?;
    let (pem, about) = match &password {
        Some(password) => {
            let sealed = pki::sealed_key_pem(&key, password, false);
            let sealed = sealed.map_err(|error| words::explain(&error, Path::new("the key")))?;
            (sealed, "private key, encrypted, mode 0600   keep for yourself")
        }
        None => {
            let open = pki::Tool.key_pem(&key).map_err(|error| explain::explain(&error, "encode the key"))?;
            (open, "private key, mode 0600   keep for yourself")
        }
    };
    let new = [
        NewFile::private(set::path(&args.set, "key"), pem, about),
        NewFile::public(set::path(&args.set, "csr"), pki::request_pem(&der), "request   send this one to the CA"),
    ];
    files::deliver(Some(&args.set.out), &new, args.set.force, ready(Ok(()))).await?;
    let names = if args.dns.is_empty() { "none".to_owned() } else { args.dns.join(", ") };
    out.print(&files::list(&new));
    out.print(&format!("  Subject  {}\n  Key      {}\n  Names    {names}\n", clean(&subject), kind.label()));
    out.say(&format!(
        "Next: when the CA has answered: everkey cert import ANSWER --key {} --name {} --out {}",
        new[0].path.display(),
        args.set.name,
        args.set.out.display()
    ));
    out.document(&json!({
        "schema": "everkey.csr/v1", "files": files::listed(&new), "subject": subject, "key_type": kind.label(),
        "names": args.dns,
    }));
    Ok(OK)
}

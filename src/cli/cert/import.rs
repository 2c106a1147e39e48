//! `everkey cert import`: an issued certificate and its key become one set of files.

use std::future::ready;

use serde_json::json;

use super::files;
use super::password;
use super::set;
use super::set::Contents;
use super::words;
use crate::cli::OK;
use crate::cli::args::ImportArgs;
use crate::cli::output::Output;
use crate::config;
use crate::error::Error;
use crate::pki;
use crate::pki::PkiError;

/// Runs it.
pub async fn run(args: &ImportArgs, out: &Output) -> Result<u8, Error> {
    set::check(&args.set, &set::endings(&args.pfx))?;
    let mut certificates = password::open(out, &args.certificate, None).await?.certificates;
    if certificates.is_empty() {
        return Err(words::explain(&PkiError::Missing("certificate"), &args.certificate));
    }
    if let Some(chain) = &args.chain {
        for der in password::open(out, chain, None).await?.certificates {
            if !certificates.contains(&der) {
                certificates.push(der);
            }
        }
    }
    let key = password::open(out, &args.key, args.key_password_file.as_deref()).await?.key;
    let key = key.ok_or_else(|| words::explain(&PkiError::Missing("private key"), &args.key))?;
    let certificates = pki::arrange(certificates, Some(&key)).map_err(|e| words::explain(&e, &args.certificate))?;
    let password = password::for_new(out, args.pfx.password_file.as_deref(), "PFX").await?;
    let new = set::make(&args.set, &args.pfx, Contents { key: &key, certificates: &certificates, password })?;
    let facts = pki::facts(&certificates[0]).map_err(|error| words::explain(&error, &args.certificate))?;
    files::deliver(Some(&args.set.out), &new, args.set.force, ready(Ok(()))).await?;
    let now = config::real_now();
    let mut notes = set::warnings(&args.set, &args.pfx, &new);
    notes.extend(words::not_for_entra(&facts, now));
    out.print(&format!("{}{}", files::list(&new), words::table(&facts)));
    out.print(&format!("  {:<10}  encrypted with {}\n", "PFX", set::encryption(args.pfx.pfx_profile.into())));
    out.print(&format!("  {:<10}  {} certificate(s) of issuers\n", "Chain", certificates.len() - 1));
    out.print(&super::noted(&notes));
    let mut document = words::document(&facts, now);
    document["schema"] = json!("everkey.cert/v1");
    document["files"] = files::listed(&new);
    document["issuers"] = json!(certificates.len() - 1);
    document["notes"] = json!(notes);
    out.document(&document);
    Ok(OK)
}

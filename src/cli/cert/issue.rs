//! `everkey cert issue`: a key and its self-signed certificate.

use jiff::SignedDuration;
use serde_json::json;

use super::files;
use super::password;
use super::record;
use super::record::Deed;
use super::set;
use super::set::Contents;
use super::words;
use crate::cli::OK;
use crate::cli::args::Cli;
use crate::cli::args::IssueArgs;
use crate::cli::output::Output;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::model::KeyType;
use crate::pki;
use crate::ports::CertTool as _;
use crate::run::explain;

/// Runs it.
pub async fn run(cli: &Cli, args: &IssueArgs, out: &Output) -> Result<u8, Error> {
    set::check(&args.set, &set::endings(&args.pfx))?;
    let profile = super::profile(cli, &args.profile)?;
    if args.days > profile.max_days {
        let why = format!("profile {} allows {} days", profile.name, profile.max_days);
        return Err(Error::new(Class::Usage, "K017", "such a certificate is not made").why(why).help("lower --days"));
    }
    let password = password::for_new(out, args.pfx.password_file.as_deref(), "PFX").await?;

    let now = config::real_now();
    // Valid from an hour back: clocks differ.
    let start = now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(now);
    let end = words::after_days(now, args.days)?;
    let kind = KeyType::from(args.key);
    let subject = args.subject.clone().unwrap_or_else(|| format!("CN={}", args.set.name));
    let key = pki::Tool.generate_key(kind).map_err(|error| explain::explain(&error, "make a key"))?;
    let made = pki::self_signed(&key, &subject, &args.dns, &profile, start, end).map_err(|e| words::wanted(&e))?;
    let facts = pki::facts(&made.der).map_err(|error| words::wanted(&error))?;
    let certificates = [made.der];
    let new = set::make(&args.set, &args.pfx, Contents { key: &key, certificates: &certificates, password })?;

    let what = "issued a self-signed certificate";
    let deed = Deed { what, action: "issue", by: args.by.as_deref(), certificate: &facts, profile: &profile.name };
    let recorded = files::deliver(Some(&args.set.out), &new, args.set.force, record::add(cli, &deed)).await?;

    let mut notes = set::warnings(&args.set, &args.pfx, &new);
    let obstacle = words::not_for_entra(&facts, now);
    notes.extend(obstacle.clone());
    out.print(&format!("{}{}", files::list(&new), words::table(&facts)));
    out.print(&format!("  {:<10}  encrypted with {}\n", "PFX", set::encryption(args.pfx.pfx_profile.into())));
    out.print(&format!("{}{}\n", super::noted(&notes), recorded.sentence()));
    if obstacle.is_none() {
        out.say("Next: upload the .cer under Certificates & secrets of the app registration");
    }
    let mut document = words::document(&facts, now);
    document["schema"] = json!("everkey.cert/v1");
    document["files"] = files::listed(&new);
    document["recorded"] = json!(recorded.id());
    document["notes"] = json!(notes);
    out.document(&document);
    Ok(OK)
}

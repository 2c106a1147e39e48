//! `everkey ca init`: a local issuing CA.

use jiff::SignedDuration;
use serde_json::json;

use super::files;
use super::files::NewFile;
use super::password;
use super::password::NewPassword;
use super::record;
use super::record::Deed;
use super::set;
use super::words;
use crate::cli::OK;
use crate::cli::args::CaArgs;
use crate::cli::args::CaCommand;
use crate::cli::args::CaInitArgs;
use crate::cli::args::Cli;
use crate::cli::output::Output;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::model::KeyType;
use crate::pki;
use crate::pki::Authority;
use crate::ports::CertTool as _;
use crate::run::explain;

/// Runs it.
pub async fn run(cli: &Cli, args: &CaArgs, out: &Output) -> Result<u8, Error> {
    match &args.command {
        CaCommand::Init(args) => init(cli, args, out).await,
    }
}

async fn init(cli: &Cli, args: &CaInitArgs, out: &Output) -> Result<u8, Error> {
    set::check_name(&args.name)?;
    if args.name.chars().any(|c| c.is_ascii_uppercase() || matches!(c, '.' | '_')) {
        return Err(Error::new(Class::Usage, "K017", format!("{:?} cannot be the name of a CA", args.name))
            .help("lower-case letters, digits and hyphens: it becomes [ca.NAME] in everkey.toml"));
    }
    let path = |ending: &str| args.out.join(format!("{}.{ending}", args.name));
    let mut paths = vec![path("pem"), path("key")];
    paths.extend(args.password_file.is_none().then(|| path("key.password")));
    files::refuse_existing(paths.iter().map(std::path::PathBuf::as_path), args.force)?;
    let NewPassword { value: password, generated } =
        password::for_new(out, args.password_file.as_deref(), "CA key").await?;

    let now = config::real_now();
    // Valid from an hour back: clocks differ.
    let start = now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(now);
    let end = words::after_days(now, args.days)?;
    let subject = args.subject.clone().unwrap_or_else(|| format!("CN={}", args.name));
    let key = pki::Tool.generate_key(KeyType::from(args.key));
    let key = key.map_err(|error| explain::explain(&error, "make a key"))?;
    let made = Authority::certificate(&key, &subject, start, end).map_err(|error| words::wanted(&error))?;
    let facts = pki::facts(&made.der).map_err(|error| words::wanted(&error))?;
    let sealed = pki::sealed_key_pem(&key, &password, generated).map_err(|error| words::wanted(&error))?;
    let pem = pki::Tool.certificate_pem(&made.der);
    let mut new = vec![
        NewFile::public(path("pem"), pem, "certificate of the CA   give this one to who must trust it"),
        NewFile::private(path("key"), sealed, "its private key, encrypted, mode 0600   keep it, and a copy elsewhere"),
    ];
    // A path that a person gave stays as it is; a generated password lies beside the key.
    let password_file = args.password_file.clone().unwrap_or_else(|| path("key.password"));
    let password_known = generated || args.password_file.is_some();
    if generated {
        new.push(NewFile::private(
            path("key.password"),
            password,
            "its password, mode 0600   move it away from the key",
        ));
    }

    let what = format!("made the CA {}", args.name);
    let deed = Deed { what: &what, action: "ca-init", by: args.by.as_deref(), certificate: &facts, profile: "ca" };
    let recorded = files::deliver(Some(&args.out), &new, args.force, record::add(cli, &deed)).await?;

    let absolute = |path: &std::path::Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let quoted = |path: &std::path::Path| format!("{}", json!(absolute(path)));
    let mut snippet =
        format!("[ca.{}]\ncertificate = {}\nkey_file = {}\n", args.name, quoted(&path("pem")), quoted(&path("key")));
    if password_known {
        snippet.push_str(&format!("key_password_file = {}\n", quoted(&password_file)));
    }
    out.print(&format!("{}{}{}\n", files::list(&new), words::table(&facts), recorded.sentence()));
    out.print(&format!("\nFor everkey.toml:\n\n{snippet}"));
    let mut document = words::document(&facts, now);
    document["schema"] = json!("everkey.ca/v1");
    document["name"] = json!(args.name);
    document["files"] = files::listed(&new);
    document["configuration"] = json!(snippet);
    document["recorded"] = json!(recorded.id());
    out.document(&document);
    Ok(OK)
}

//! `everkey init`: a configuration with comments and a seal key; nothing is ever overwritten.

use std::path::Path;
use std::path::PathBuf;

use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::InitArgs;
use super::output;
use super::output::Output;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::policy;
use crate::policy::Severity;
use crate::run::explain;
use crate::store::SealKey;

/// Runs it.
pub fn run(cli: &Cli, args: &InitArgs, out: &Output) -> Result<u8, Error> {
    let file = &cli.global.config;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf();
    for path in [Some(file), args.seal_key.as_ref()].into_iter().flatten() {
        free(path)?;
    }
    let tenant_id = asked(args.tenant_id.as_deref(), "--tenant-id", "Directory (tenant) ID of your tenant", out)?;
    let client_id = asked(
        args.client_id.as_deref(),
        "--client-id",
        "Application (client) ID of everkey's own app registration",
        out,
    )?;
    let seal_key = seal_key_place(args, &dir)?;
    free(&seal_key)?;
    let text = configuration(args, &tenant_id, &client_id, &seal_key)?;
    // Read as every command will read it, before anything is written.
    let read = policy::read_tool(file, &text);
    if let Some(first) = read.diagnostics.iter().find(|found| found.severity == Severity::Error) {
        return Err(Error::new(Class::Usage, "U017", "the configuration would not be valid")
            .why(format!("[{}] {}", first.code, first.summary))
            .help(first.help.clone().unwrap_or_else(|| "correct the flag".to_owned())));
    }
    make_dir(&dir)?;
    let key_dir = seal_key.parent().unwrap_or(Path::new("."));
    make_dir(key_dir)?;
    let key = SealKey::generate().map_err(|error| explain::store(&error))?;
    config::write_private(&seal_key, &key)?;
    if let Err(error) = config::write_new(file, text.as_bytes()) {
        // Without the configuration nobody would know the key: it was made a moment ago and seals nothing.
        config::remove_file(&seal_key);
        return Err(error);
    }
    make_dir(&dir.join("policies"))?;
    out.print(&format!("Wrote {}\n", file.display()));
    out.print(&format!(
        "Wrote {}   seals every secret in the store, mode 0600; keep a copy elsewhere\n",
        seal_key.display()
    ));
    out.print(&format!(
        "Next: put a policy into {}, then\n  everkey -C {} validate\n  everkey -C {} doctor\n",
        dir.join("policies").display(),
        file.display(),
        file.display()
    ));
    out.document(&json!({
        "schema": "everkey.init/v1", "config": file, "seal_key": seal_key, "policies": dir.join("policies"),
    }));
    Ok(OK)
}

fn free(path: &Path) -> Result<(), Error> {
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    Err(Error::new(Class::Failed, "F011", format!("{} is there already", path.display()))
        .why("nothing is ever overwritten: a seal key that is lost cannot be made again")
        .help("name another place with -C FILE or --seal-key FILE"))
}

fn make_dir(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(|error| config::cannot_write(dir, &error))
}

/// A flag, else an answer at the terminal.
fn asked(flag: Option<&str>, name: &str, question: &str, out: &Output) -> Result<String, Error> {
    if let Some(given) = flag {
        return Ok(given.to_owned());
    }
    if !out.is_interactive() {
        return Err(Error::new(Class::Usage, "U003", format!("{name} is needed, and there is nobody to ask"))
            .help(format!("{name}: {question}")));
    }
    output::raw(&format!("{question}: "), true);
    let mut answer = String::new();
    match std::io::stdin().read_line(&mut answer) {
        Ok(_) if !answer.trim().is_empty() => Ok(answer.trim().to_owned()),
        _ => Err(Error::new(Class::Cancelled, "U004", "no answer; nothing was written")
            .help(format!("run it again, or give {name}"))),
    }
}

/// Beside the configuration, unless that would soon be committed.
fn seal_key_place(args: &InitArgs, dir: &Path) -> Result<PathBuf, Error> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let given = args.seal_key.as_deref().map(absolute);
    if let Some(path) = given {
        return match config::is_in_git(&path) {
            false => Ok(path),
            true => Err(Error::new(Class::Usage, "U018", format!("{} lies in a git work tree", path.display()))
                .why("a key that is committed once is public to everybody who reads the repository")
                .help("name a place outside of it with --seal-key")),
        };
    }
    let beside = absolute(&dir.join("seal.key"));
    if !config::is_in_git(&beside) {
        return Ok(beside);
    }
    let home = config::variable("HOME").filter(|home| !home.is_empty()).ok_or_else(|| {
        Error::new(Class::Usage, "U018", "the configuration lies in a git work tree, and there is no home directory")
            .help("name a place for the key outside of it with --seal-key")
    })?;
    Ok(Path::new(&home).join(".config/everkey").join(format!("{}.seal.key", args.name)))
}

fn configuration(args: &InitArgs, tenant_id: &str, client_id: &str, seal_key: &Path) -> Result<String, Error> {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let path = |path: &Path| quoted(&path.display().to_string());
    if args.name.is_empty() || !args.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        return Err(Error::new(Class::Usage, "U017", format!("{:?} is no name of a tenant", args.name))
            .help("letters, digits, - and _"));
    }
    let sign_in = match &args.secret_file {
        Some(file) => format!("auth = \"secret\"\nsecret_file = {}", path(file)),
        None => format!(
            "auth = \"certificate\"\ncertificate_file = {}\n{}key_file = {}",
            path(&args.certificate_file),
            "# PEM; may be the same file\n",
            path(args.key_file.as_ref().unwrap_or(&args.certificate_file)),
        ),
    };
    let timezone = quoted(&args.timezone);
    Ok(format!(
        r#"# everkey's configuration. Every key: docs/reference/configuration.md, or `everkey schema config`.
# No secret belongs here: keys that end in _file name a file, or credential:NAME under systemd.
version = 1
# One file per integration.
policies = "policies"
# The journal. A local disk that stays; never a network share.
store = {store}

[seal]
# Seals every secret in the store. Lost with this file, backups stay shut: keep a copy in another place.
key_file = {seal}

[tenants.{name}]
tenant_id = {tenant_id}
# everkey's own app registration, with Application.ReadWrite.OwnedBy.
client_id = {client_id}
cloud = "public"
{sign_in}

[defaults]
tenant = {tenant}
# watch: look on. alert: tell people. rotate: renew. Nothing is changed in Entra unless a policy says "rotate".
mode = "alert"
# When rotations may start.
schedule = "0 6 * * MON-FRI"
timezone = {timezone}
# freeze = ["2026-12-18/2027-01-04"]

# Who hears when nobody acts.
# [alerts]
# escalate_to = ["it-lead@contoso.example"]

# Without it nobody is told.
# [mail]
# from = "Credential manager <everkey@contoso.example>"
# host = "smtp.contoso.example"
# port = 587
# tls = "starttls"
# username = "everkey@contoso.example"
# password_file = "/etc/everkey/smtp.password"
"#,
        store = quoted(&format!(
            "sqlite://{}",
            std::path::absolute(&args.store).unwrap_or_else(|_| args.store.clone()).display()
        )),
        seal = path(seal_key),
        name = args.name,
        tenant = quoted(&args.name),
        tenant_id = quoted(tenant_id),
        client_id = quoted(client_id),
    ))
}

//! `everkey watch --all`: one policy file that makes everkey tell people about the whole tenant. Changes nothing in
//! Entra, and never will: such a policy cannot rotate.

use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::WatchArgs;
use super::output::Output;
use super::policy_file;
use super::policy_file::quoted;
use crate::config;
use crate::config::Settings;
use crate::error::Error;

/// Name of the policy and stem of its file.
const NAME: &str = "watch";

/// Runs it.
pub async fn run(cli: &Cli, args: &WatchArgs, out: &Output) -> Result<u8, Error> {
    let settings = config::load(&cli.global.config, cli.global.policy.as_deref(), cli.global.tenant.as_deref())?;
    let text = policy(args, &settings);
    let path = settings.policies_dir.join(format!("{NAME}.toml"));
    policy_file::write(&path, &text, Some(&settings))?;
    out.print(&format!("Wrote {}. It changes nothing in Entra.\n", path.display()));
    for line in hints(&settings) {
        out.say(&line);
    }
    out.say("Next: everkey apply      looks once; run it on a schedule");
    out.document(
        &json!({"schema": "everkey.watch/v1", "tenant": settings.tenant_name, "file": path, "notes": hints(&settings)}),
    );
    Ok(OK)
}

/// What is missing for anybody to hear.
fn hints(settings: &Settings) -> Vec<String> {
    let mut hints = Vec::new();
    if settings.tool.mail.is_none() {
        hints.push("note: everkey.toml has no [mail]: nobody is told until it has".to_owned());
    }
    if settings.tool.alerts.security_to.is_none() {
        hints.push("note: alerts.security_to is not set: new credentials are told to the owner below".to_owned());
    }
    hints
}

fn policy(args: &WatchArgs, settings: &Settings) -> String {
    let owner = args.owner.as_ref().or(settings.tool.alerts.fallback_to.as_ref());
    let owner = match owner {
        Some(owner) => format!("owner = {}      # where Entra names no owner\n", quoted(owner)),
        None => "# owner = \"platform@contoso.example\"      # where Entra names no owner\n".to_owned(),
    };
    let except = if args.except.is_empty() {
        "# except = [\"client id\"]       # nobody is told about these\n".to_owned()
    } else {
        let ids: Vec<String> = args.except.iter().map(|id| quoted(id)).collect();
        format!("except = [{}]\n", ids.join(", "))
    };
    format!(
        "# Written by `everkey watch --all`. Every application and service principal that has no policy of its own:\n\
         # people hear before a credential ends, and security when one appears. Nothing is changed in Entra.\n\
         version = 1\n\
         name = \"{NAME}\"\n\
         title = \"All applications of the tenant\"\n\
         impact = \"An integration with Microsoft 365 stops working.\"\n\
         tenant = {tenant}\n\
         mode = \"alert\"                  # \"watch\": hear of new credentials only\n\n\
         [watch]\n\
         all = true\n\
         {except}\n\
         [people]\n\
         {owner}",
        tenant = quoted(&settings.tenant_name),
    )
}

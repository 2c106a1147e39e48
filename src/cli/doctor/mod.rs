//! `everkey doctor`: everything that is or may become wrong, each with its remedy. ASCII words, no colours needed.

mod files;
mod identity;
mod limits;
mod mail;
mod online;
mod units;
mod vaults;

use serde_json::Value;
use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::DoctorArgs;
use super::output::Output;
use super::output::clean;
use super::output::count;
use crate::config;
use crate::config::Settings;
use crate::error::Class;
use crate::error::Error;
use crate::policy::Policy;

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// As it should be.
    Ok,
    /// Works, and should not stay so.
    Warn,
    /// Does not work.
    Fail,
    /// Not looked at.
    Skip,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
            Self::Skip => "skip",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct Finding {
    id: &'static str,
    status: Status,
    text: String,
    fix: Option<String>,
    /// Page of the documentation.
    docs: Option<&'static str>,
}

impl Finding {
    /// A finding without a remedy.
    pub fn new(id: &'static str, status: Status, text: impl Into<String>) -> Self {
        Self { id, status, text: text.into(), fix: None, docs: None }
    }

    /// As it should be.
    pub fn ok(id: &'static str, text: impl Into<String>) -> Self {
        Self::new(id, Status::Ok, text)
    }

    /// What an error says.
    pub fn failed(id: &'static str, error: &Error) -> Self {
        let why = error.why.first().map_or_else(String::new, |why| format!(": {why}"));
        let mut finding = Self::new(id, Status::Fail, format!("{} [{}]{why}", error.what, error.code));
        finding.fix.clone_from(&error.help);
        finding
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Where it is explained.
    #[must_use]
    pub fn docs(mut self, page: &'static str) -> Self {
        self.docs = Some(page);
        self
    }

    fn line(&self) -> String {
        let mut line = format!("{:<5} {:<11} {}\n", self.status.word(), self.id, clean(&self.text));
        if let Some(fix) = self.fix.as_ref().filter(|_| self.status != Status::Ok) {
            line.push_str(&format!("      fix: {}\n", clean(fix).replace('\n', "\n           ")));
        }
        line
    }

    fn item(&self) -> Value {
        let status = self.status.word().to_ascii_lowercase();
        json!({"id": self.id, "status": status, "text": self.text, "fix": self.fix, "docs": self.docs})
    }
}

/// Runs it.
pub async fn run(cli: &Cli, args: &DoctorArgs, out: &Output) -> Result<u8, Error> {
    if args.health {
        return health(cli, out).await;
    }
    let (settings, mut findings) = configuration(cli);
    let policies = match &settings {
        Some(settings) => policies(settings, &mut findings),
        None => None,
    };
    if args.systemd_drop_in {
        return drop_in(settings.as_ref(), policies.as_deref(), &findings, out);
    }
    let policies = policies.unwrap_or_default();
    if let Some(settings) = &settings {
        files::look(settings, &mut findings).await;
        if args.online {
            online::look(settings, &policies, &mut findings).await;
        } else {
            findings.push(Finding::new("online", Status::Skip, "Entra and the mail server, by --online=false"));
        }
    }
    Ok(tell(&findings, out))
}

fn tell(findings: &[Finding], out: &Output) -> u8 {
    let number = |status| findings.iter().filter(|finding| finding.status == status).count();
    let (problems, warnings) = (number(Status::Fail), number(Status::Warn));
    let code = if problems > 0 { Class::Failed.exit_code() } else { OK };
    for finding in findings {
        out.print(&finding.line());
    }
    out.print(&format!("{}, {}.\n", count(problems, "problem", "problems"), count(warnings, "warning", "warnings")));
    out.document(&json!({
        "schema": "everkey.doctor/v1", "ok": problems == 0, "problems": problems, "warnings": warnings,
        "items": findings.iter().map(Finding::item).collect::<Vec<_>>(),
    }));
    code
}

fn configuration(cli: &Cli) -> (Option<Settings>, Vec<Finding>) {
    let path = &cli.global.config;
    match config::load(path, cli.global.policy.as_deref(), cli.global.tenant.as_deref()) {
        Ok(settings) => (Some(settings), vec![files::configuration(path)]),
        Err(error) => (None, vec![Finding::failed("config", &error).docs("reference/configuration.md")]),
    }
}

fn policies(settings: &Settings, findings: &mut Vec<Finding>) -> Option<Vec<Policy>> {
    match settings.policies() {
        Ok(policies) => {
            let text = format!("{} valid, in {}", policies.len(), settings.policies_dir.display());
            findings.push(if policies.is_empty() {
                Finding::new("policies", Status::Warn, text)
                    .fix("put a policy there; policies/ of the source holds five to start from")
                    .docs("reference/policy.md")
            } else {
                Finding::ok("policies", text)
            });
            Some(policies)
        }
        Err(error) => {
            findings.push(Finding::failed("policies", &error).docs("reference/policy.md"));
            None
        }
    }
}

/// Nothing but what the process itself needs, in milliseconds; makes nothing.
async fn health(cli: &Cli, out: &Output) -> Result<u8, Error> {
    let settings = config::load(&cli.global.config, cli.global.policy.as_deref(), cli.global.tenant.as_deref())?;
    settings.policies()?;
    files::usable(&settings).await?;
    out.print("healthy\n");
    out.document(&json!({"schema": "everkey.health/v1", "healthy": true}));
    Ok(OK)
}

fn drop_in(
    settings: Option<&Settings>,
    policies: Option<&[Policy]>,
    findings: &[Finding],
    out: &Output,
) -> Result<u8, Error> {
    let (Some(settings), Some(policies)) = (settings, policies) else {
        let why = findings.iter().find(|finding| finding.status == Status::Fail).map(|finding| finding.text.clone());
        return Err(Error::new(Class::Config, "C017", "the drop-in is made from configuration and policies")
            .why(why.unwrap_or_default())
            .help("see `everkey doctor --online=false`"));
    };
    let text = units::drop_in(settings, policies);
    out.print(&text);
    out.document(&json!({"schema": "everkey.systemd-drop-in/v1", "text": text}));
    Ok(OK)
}

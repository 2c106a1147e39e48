//! The one door to the environment and to the files that configuration names; and the settings in effect.

mod files;
mod machine;

use std::path::Path;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::alert;
use crate::clock::Clock as _;
use crate::clock::SystemClock;
use crate::error::Class;
use crate::error::Error;
use crate::error::Result;
use crate::policy;
use crate::policy::Diagnostic;
use crate::policy::Policy;
use crate::policy::SecretSource;
use crate::policy::Severity;
use crate::policy::Tenant;
use crate::policy::ToolConfig;
use crate::secret::Secret;

pub use files::cannot_write;
pub use files::new_private_dir;
pub use files::private_dirs;
pub use files::read_bytes;
pub use files::read_file;
pub use files::remove_empty_dir;
pub use files::rewrite_file;
pub use files::write_file;
pub use files::write_private;
pub use machine::is_in_git;
pub use machine::is_writable_dir;
pub use machine::os_user;
pub use machine::policy_names;
pub use machine::remove_file;
pub use machine::write_new;

/// No file of this tool comes near this.
const LARGEST_FILE: u64 = 8 << 20;

/// The settings of one tenant.
pub struct Settings {
    /// `everkey.toml`.
    pub tool: ToolConfig,
    /// Directory of the policies.
    pub policies_dir: PathBuf,
    /// Name of the tenant.
    pub tenant_name: String,
    /// The tenant.
    pub tenant: Tenant,
}

/// What `validate` found.
pub struct Checked {
    /// Every problem.
    pub diagnostics: Vec<Diagnostic>,
    /// Files and their texts, for the excerpts.
    pub sources: Vec<(PathBuf, String)>,
    /// Policy files read.
    pub read: usize,
    /// Valid ones among them.
    pub valid: usize,
    /// Who is asked how often.
    pub asked: Vec<String>,
}

/// Reads `everkey.toml` and chooses the tenant.
///
/// # Errors
/// `C010` when a file cannot be read, `C011` when the configuration is invalid, `U011` for an unknown tenant.
pub fn load(config: &Path, policies: Option<&Path>, tenant: Option<&str>) -> Result<Settings> {
    let tool = tool(config)?.map_err(|(errors, first)| {
        Error::new(Class::Config, "C011", format!("{} has {errors} error(s)", config.display()))
            .why(first)
            .help("see all of them with their lines: everkey validate")
    })?;
    let name = tenant
        .map(str::to_owned)
        .or_else(|| tool.defaults.tenant.clone())
        .or_else(|| tool.tenants.keys().next().cloned())
        .unwrap_or_default();
    let Some(tenant) = tool.tenants.get(&name).cloned() else {
        let known: Vec<&str> = tool.tenants.keys().map(String::as_str).collect();
        return Err(Error::new(Class::Usage, "U011", format!("there is no tenant {name:?} in {}", config.display()))
            .help(format!("known: {}", known.join(", "))));
    };
    let mut tenant = tenant;
    if tenant.client_id.is_none() && matches!(tenant.auth, policy::Auth::WorkloadIdentity { .. }) {
        tenant.client_id = variable("AZURE_CLIENT_ID").filter(|id| !id.is_empty()).map(Into::into);
    }
    let policies_dir = policies.map_or_else(|| tool.policies.clone(), Path::to_path_buf);
    Ok(Settings { tool, policies_dir, tenant_name: name, tenant })
}

type Broken = (usize, String);

fn tool(path: &Path) -> Result<std::result::Result<ToolConfig, Broken>> {
    let text = read_file(path).map_err(|error| {
        Error::new(Class::Config, "C010", format!("cannot read the configuration {}", path.display()))
            .why(error.why.first().cloned().unwrap_or_default())
            .help("name it with -C FILE or EVERKEY_CONFIG; `everkey demo` needs none")
    })?;
    let read = policy::read_tool(path, &text);
    let Some(tool) = read.value else {
        let errors: Vec<&Diagnostic> =
            read.diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
        let first = errors.first().map_or_else(String::new, |found| {
            format!("{}:{}:{} [{}] {}", path.display(), found.start.line, found.start.column, found.code, found.summary)
        });
        return Ok(Err((errors.len(), first)));
    };
    let Some(file) = tool.alerts.holidays_file.clone() else { return Ok(Ok(tool)) };
    let holidays = read_file(&file)?;
    tool.with_holidays(&holidays).map(Ok).map_err(|why| {
        Error::new(Class::Config, "C010", format!("cannot use the holidays in {}", file.display())).why(why)
    })
}

/// Every problem of the configuration and the policies; offline.
///
/// # Errors
/// Only when a file cannot be read at all.
pub fn check(config: &Path, policies: Option<&Path>, paths: &[PathBuf]) -> Result<Checked> {
    let mut checked = Checked { diagnostics: Vec::new(), sources: Vec::new(), read: 0, valid: 0, asked: Vec::new() };
    let tool = if config.exists() {
        let text = read_file(config)?;
        let read = policy::read_tool(config, &text);
        checked.diagnostics.extend(read.diagnostics);
        checked.sources.push((config.to_path_buf(), text));
        read.value
    } else {
        None
    };
    // Without a usable configuration the policies are checked against the defaults.
    let tool = match tool {
        Some(tool) => tool,
        None => default_tool()?,
    };
    let mut files = Vec::new();
    let dirs: Vec<PathBuf> = match (paths.is_empty(), policies) {
        (false, _) => paths.to_vec(),
        (true, Some(dir)) => vec![dir.to_path_buf()],
        (true, None) if config.exists() => vec![tool.policies.clone()],
        (true, None) => vec![PathBuf::from("policies")],
    };
    for path in dirs {
        if path.is_dir() {
            let read = policy::load_dir(&path)?;
            checked.read += read.diagnostics.len();
            checked.diagnostics.extend(read.diagnostics);
            files.extend(read.value);
        } else {
            let text = policy::load_file(&path)?;
            files.push((path, text));
        }
    }
    let read = policy::read_policies(&files, &tool);
    checked.read += files.len();
    checked.valid = read.value.len();
    for policy in &read.value {
        checked.asked.extend(policy::asks(policy).iter().map(|ask| format!("{}: {}", policy.name, ask.sentence())));
    }
    checked.diagnostics.extend(read.diagnostics);
    checked.sources.extend(files);
    Ok(checked)
}

/// What policies are checked against where there is no configuration.
///
/// # Errors
/// None that a user could cause.
pub fn default_tool() -> Result<ToolConfig> {
    policy::read_tool(Path::new("everkey.toml"), DEFAULT_TOOL).value.ok_or_else(|| {
        Error::new(Class::Config, "C011", "the built-in defaults do not parse").help("report this defect")
    })
}

/// Against this `validate` checks policies where there is no configuration.
const DEFAULT_TOOL: &str = r#"
version = 1
[tenants.default]
tenant_id = "00000000-0000-4000-8000-000000000001"
auth = "azure-cli"
# An emulator has no list of what may be granted, and neither has somebody without a configuration.
emulator = true
cloud = "custom"
login_url = "https://127.0.0.1:8443"
graph_url = "https://127.0.0.1:8443"
[defaults]
tenant = "default"
"#;

impl Settings {
    /// The policies of this tenant.
    ///
    /// # Errors
    /// `C012` while any file is invalid; the help names `validate`.
    pub fn policies(&self) -> Result<Vec<Policy>> {
        let loaded = policy::load_dir(&self.policies_dir)?;
        let read = policy::read_policies(&loaded.value, &self.tool);
        let errors: Vec<&Diagnostic> = loaded
            .diagnostics
            .iter()
            .chain(&read.diagnostics)
            .filter(|found| found.severity == Severity::Error)
            .collect();
        if let Some(first) = errors.first() {
            return Err(Error::new(Class::Data, "C012", format!("the policies have {} error(s)", errors.len()))
                .why(format!(
                    "{}:{}:{} [{}] {}",
                    first.file.display(),
                    first.start.line,
                    first.start.column,
                    first.code,
                    first.summary
                ))
                .help("see all of them: everkey validate"));
        }
        Ok(read.value.into_iter().filter(|policy| policy.tenant == self.tenant_name).collect())
    }

    /// What an emulator's tenant does otherwise with the sinks of `policies`, a sentence each.
    pub fn notes(&self, policies: &[Policy]) -> Vec<String> {
        // The sinks move the places themselves; this only tells of it.
        let Some(root) = &self.tenant.sink_root else { return Vec::new() };
        policies.iter().flat_map(|policy| policy::reroot(&mut policy.clone(), root)).collect()
    }

    /// What alerts follow.
    pub fn alert_rules(&self) -> alert::Rules {
        let alerts = &self.tool.alerts;
        alert::Rules {
            before_days: alerts.before_days.clone(),
            send_at: alerts.send_at,
            working_days_only: alerts.working_days_only,
            escalate_to: alerts.escalate_to.clone(),
            fallback_to: alerts.fallback_to.clone(),
            security_to: alerts.security_to.clone(),
            public_url: self.tool.serve.as_ref().and_then(|serve| serve.public_url.clone()),
        }
    }

    /// Names everkey may grant; an emulator without a list allows what the policies ask for.
    pub fn permissions_allowed(&self, policies: &[Policy]) -> Vec<String> {
        match &self.tenant.permissions_allowed {
            Some(names) => names.clone(),
            None if self.tenant.emulator => policies
                .iter()
                .flat_map(|policy| policy.app.permissions.iter().map(|permission| permission.name.clone()))
                .collect(),
            None => Vec::new(),
        }
    }
}

/// A secret from where the configuration says it is.
///
/// # Errors
/// `C010` naming the place, never the content.
pub fn secret(source: &SecretSource, what: &str) -> Result<Secret> {
    let missing = |why: String| {
        Error::new(Class::Config, "C010", format!("cannot read {what}"))
            .why(why)
            .help("correct the path in everkey.toml; the file holds the value alone")
    };
    match source {
        SecretSource::Credential(name) => {
            let dir = variable("CREDENTIALS_DIRECTORY")
                .ok_or_else(|| missing("credential:… works under systemd only (LoadCredential=)".into()))?;
            secret_file(&PathBuf::from(dir).join(name)).map_err(missing)
        }
        SecretSource::Environment(name) => variable(name)
            .map(Secret::from_text)
            .ok_or_else(|| missing(format!("the environment variable {name} is not set"))),
        SecretSource::File(path) => secret_file(path).map_err(missing),
    }
}

/// A secret from a file of its own. One trailing line end is no part of a secret.
///
/// # Errors
/// A sentence that names the file, never its content.
pub fn secret_file(path: &Path) -> std::result::Result<Secret, String> {
    let size = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?.len();
    if size > LARGEST_FILE {
        return Err(format!("{}: larger than 8 MiB", path.display()));
    }
    let mut bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = std::str::from_utf8(&bytes).is_ok();
    if text && bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(Secret::new(bytes))
}

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Proxy of the environment for https, if any.
pub fn proxy() -> Option<String> {
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].iter().find_map(|name| variable(name))
}

/// The real time, for locks: they must not follow an emulator's clock.
pub fn real_now() -> Timestamp {
    SystemClock.now()
}

/// Who holds the store, for the error others get.
pub fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{} pid {}", host.trim(), std::process::id())
}

//! Reading `everkey.toml`.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use crate::model::ClientId;
use crate::model::TenantId;

use super::Auth;
use super::Cloud;
use super::Read;
use super::Seal;
use super::SecretSource;
use super::StoreUrl;
use super::Tenant;
use super::ToolConfig;
use super::check::plain;
use super::diagnostics::Report;
use super::read;
use super::tree::At;
use super::tree::Node;
use super::wire::tool as wire;
use super::wire::tool::AuthWord;
use super::wire::tool::CloudWord;

/// Store when the file names none.
const USUAL_STORE: &str = "sqlite:///var/lib/everkey/everkey.db";

/// Reads `everkey.toml` (or the same as JSON); relative paths are resolved against its directory. Holidays are
/// in another file: [`ToolConfig::with_holidays`].
pub fn read_tool(path: &Path, text: &str) -> Read<Option<ToolConfig>> {
    let mut report = Report::new(path, text);
    let read: Option<(wire::ToolFile, Node)> = read::wire(path, text, super::wire::tool_schema(), &mut report);
    let config = read.map(|(file, node)| config(path, text, &file, At::root(&node), &mut report));
    let value = if report.has_errors() { None } else { config };
    Read { value, diagnostics: report.finish() }
}

impl ToolConfig {
    /// The same with the holidays of an iCalendar file's text.
    ///
    /// # Errors
    /// A sentence naming the line that cannot be read.
    pub fn with_holidays(mut self, ics: &str) -> Result<Self, String> {
        self.alerts.holidays = super::holidays(ics)?;
        Ok(self)
    }
}

/// Resolves paths of the file against its directory.
pub(super) struct Base<'a>(pub &'a Path);

impl Base<'_> {
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// `credential:NAME` or a path.
    pub fn source(&self, text: &str) -> SecretSource {
        match text.strip_prefix("credential:") {
            Some(name) => SecretSource::Credential(name.to_owned()),
            None => SecretSource::File(self.path(text)),
        }
    }

    /// One of a `_file` and a `_env` key; `None` with an error when there are none or both.
    pub fn secret(
        &self,
        key: &str,
        file: Option<&String>,
        variable: Option<&String>,
        at: At<'_>,
        report: &mut Report<'_>,
    ) -> Option<SecretSource> {
        match (file, variable) {
            (Some(file), None) => Some(self.source(file)),
            (None, Some(variable)) => Some(SecretSource::Environment(variable.clone())),
            (None, None) => {
                if !at.is_broken() {
                    report
                        .error("P043", at.span(), format!("`{key}_file` is missing"))
                        .help(format!("`{key}_file = \"credential:NAME\"`, a path, or `{key}_env`"));
                }
                None
            }
            (Some(_), Some(_)) => {
                let place = at.key(&format!("{key}_env"));
                report
                    .error(
                        "P050",
                        place.key_span(),
                        format!("`{key}_file` and `{key}_env` are two sources of one secret"),
                    )
                    .help("keep one of them");
                None
            }
        }
    }
}

fn config(path: &Path, text: &str, file: &wire::ToolFile, at: At<'_>, report: &mut Report<'_>) -> ToolConfig {
    let base = Base(path.parent().unwrap_or(Path::new("")));
    let mut tenants = BTreeMap::new();
    for (name, wire) in &file.tenants {
        let here = at.key("tenants").key(name);
        if let Some(tenant) = tenant(wire, file.permissions_allowed.as_ref(), &base, here, report) {
            tenants.insert(name.clone(), tenant);
        }
    }
    if file.tenants.is_empty() && !at.is_broken() && !at.key("tenants").is_broken() {
        report
            .error("P005", at.span(), "`[tenants.NAME]` is missing from the file")
            .help("describe the tenant everkey works in");
    }
    ToolConfig {
        file: path.to_owned(),
        digest: read::digest(text),
        policies: base.path(file.policies.as_deref().unwrap_or("policies")),
        store: store(file.store.as_deref().unwrap_or(USUAL_STORE), &base, at.key("store"), report),
        store_password: store_password(file, &base, at, report),
        seal: file.seal.as_ref().and_then(|wire| seal(wire, &base, at.key("seal"), report)),
        defaults: super::tool_parts::defaults(file, at, report),
        alerts: super::tool_parts::alerts(file.alerts.as_ref(), &base, at.key("alerts"), report),
        mail: file.mail.as_ref().map(|wire| super::tool_parts::mail(wire, &base, at.key("mail"), report)),
        ca: super::tool_certs::authorities(&file.ca, &base, at.key("ca"), report),
        profiles: super::tool_certs::profiles(&file.profiles, at.key("profiles"), report),
        serve: file.serve.as_ref().map(|wire| super::tool_parts::serve(wire, at.key("serve"), report)),
        tenants,
    }
}

fn store(url: &str, base: &Base<'_>, at: At<'_>, report: &mut Report<'_>) -> StoreUrl {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if !path.is_empty() && !path.contains('?') {
            return StoreUrl::Sqlite(base.path(path));
        }
    }
    let postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    if !postgres {
        report
            .error("P045", at.span(), "this store is neither SQLite nor PostgreSQL")
            .help("`sqlite:///var/lib/everkey/everkey.db` or `postgres://everkey@host/everkey`");
    }
    StoreUrl::Postgres(url.to_owned())
}

fn store_password(file: &wire::ToolFile, base: &Base<'_>, at: At<'_>, report: &mut Report<'_>) -> Option<SecretSource> {
    let (path, variable) = (file.store_password_file.as_ref(), file.store_password_env.as_ref());
    // Without either the server asks for none, or its own means say it.
    if path.is_none() && variable.is_none() {
        return None;
    }
    base.secret("store_password", path, variable, at, report)
}

fn seal(wire: &wire::Seal, base: &Base<'_>, at: At<'_>, report: &mut Report<'_>) -> Option<Seal> {
    let key = base.secret("key", wire.key_file.as_ref(), wire.key_env.as_ref(), at, report)?;
    Some(Seal { key, recovery_recipient: wire.recovery_recipient.as_deref().map(|path| base.path(path)) })
}

fn tenant(
    wire: &wire::Tenant,
    allowed: Option<&Vec<String>>,
    base: &Base<'_>,
    at: At<'_>,
    report: &mut Report<'_>,
) -> Option<Tenant> {
    let tenant_id = wire.tenant_id.as_deref().map(|id| plain::guid(id, at.key("tenant_id"), report));
    let client_id = wire.client_id.as_deref().map(|id| plain::guid(id, at.key("client_id"), report));
    let auth = auth(wire, base, at, report);
    let cloud = cloud(wire, base, at, report);
    if wire.emulator && !matches!(cloud, Cloud::Custom { .. }) {
        report
            .error("P044", at.key("emulator").span(), "an emulator is never a real cloud")
            .help("set `cloud = \"custom\"` with `login_url` and `graph_url`, or remove `emulator`");
    }
    if wire.sink_root.is_some() && !wire.emulator {
        report
            .error("P044", at.key("sink_root").key_span(), "`sink_root` belongs to `emulator = true`")
            .help("a real tenant delivers to the real places");
    }
    // An emulator without a list may grant anything: nothing real is behind it.
    let nothing = Vec::new();
    let listed = wire.permissions_allowed.as_ref().or(allowed);
    let permissions_allowed = match (listed, wire.emulator) {
        (None, true) => None,
        (listed, _) => Some(listed.unwrap_or(&nothing).clone()),
    };
    Some(Tenant {
        tenant_id: TenantId(tenant_id?),
        client_id: client_id.map(ClientId),
        cloud,
        auth: auth?,
        emulator: wire.emulator,
        sink_root: wire.sink_root.as_deref().map(|path| base.path(path)),
        permissions_allowed,
    })
}

fn auth(wire: &wire::Tenant, base: &Base<'_>, at: At<'_>, report: &mut Report<'_>) -> Option<Auth> {
    let word = wire.auth?;
    let needs_client = matches!(word, AuthWord::Certificate | AuthWord::Secret);
    if needs_client && wire.client_id.is_none() && !at.is_broken() {
        report
            .error("P043", at.key("auth").span(), "signing in this way needs `client_id`")
            .help("the client id of everkey's own app registration");
    }
    let keys = [
        ("certificate_file", wire.certificate_file.is_some(), AuthWord::Certificate),
        ("key_file", wire.key_file.is_some(), AuthWord::Certificate),
        ("password_file", wire.password_file.is_some(), AuthWord::Certificate),
        ("password_env", wire.password_env.is_some(), AuthWord::Certificate),
        ("token_file", wire.token_file.is_some(), AuthWord::WorkloadIdentity),
        ("secret_file", wire.secret_file.is_some(), AuthWord::Secret),
        ("secret_env", wire.secret_env.is_some(), AuthWord::Secret),
    ];
    for (key, ..) in keys.into_iter().filter(|(_, given, of)| *given && *of != word) {
        report
            .error("P050", at.key(key).key_span(), format!("`{key}` belongs to another `auth`"))
            .help("remove it, or change `auth`");
    }
    match word {
        AuthWord::AzureCli => Some(Auth::AzureCli),
        AuthWord::ManagedIdentity => Some(Auth::ManagedIdentity),
        AuthWord::WorkloadIdentity => {
            Some(Auth::WorkloadIdentity { token_file: wire.token_file.as_deref().map(|path| base.path(path)) })
        }
        AuthWord::Secret => {
            let source = base.secret("secret", wire.secret_file.as_ref(), wire.secret_env.as_ref(), at, report);
            source.map(Auth::Secret)
        }
        AuthWord::Certificate => {
            let Some(certificate) = &wire.certificate_file else {
                if !at.is_broken() {
                    report
                        .error("P043", at.key("auth").span(), "`certificate_file` is missing")
                        .help("a PEM file; `key_file` too unless it holds the key as well");
                }
                return None;
            };
            let key = base.source(wire.key_file.as_deref().unwrap_or(certificate));
            let (file, variable) = (wire.password_file.as_ref(), wire.password_env.as_ref());
            let password = match (file, variable) {
                (None, None) => None,
                _ => Some(base.secret("password", file, variable, at, report)?),
            };
            Some(Auth::Certificate { certificate: base.path(certificate), key, password })
        }
    }
}

fn cloud(wire: &wire::Tenant, base: &Base<'_>, at: At<'_>, report: &mut Report<'_>) -> Cloud {
    let word = wire.cloud.unwrap_or(CloudWord::Public);
    let keys = [
        ("login_url", wire.login_url.is_some()),
        ("graph_url", wire.graph_url.is_some()),
        ("vault_suffix", wire.vault_suffix.is_some()),
        ("ca_file", wire.ca_file.is_some()),
    ];
    if word != CloudWord::Custom {
        for (key, _) in keys.into_iter().filter(|(_, given)| *given) {
            report
                .error("P044", at.key(key).key_span(), format!("`{key}` belongs to `cloud = \"custom\"`"))
                .help("remove it, or set `cloud = \"custom\"`");
        }
    }
    if let Some(suffix) = &wire.vault_suffix {
        let fits = url::Url::parse(&format!("https://x.{suffix}")).is_ok_and(|url| {
            let rest = url.as_str().strip_prefix("https://x.").and_then(|rest| rest.strip_suffix('/'));
            rest == Some(suffix.as_str())
        });
        if !fits {
            report
                .error("P071", at.key("vault_suffix").span(), "this is not what comes behind the name of a vault")
                .help("a host, with a port where it is another than 443: `vault.contoso.example`");
        }
    }
    let mut url = |key: &str, url: &Option<String>| match url {
        Some(text) => {
            plain::url(text, at.key(key), report);
            text.trim_end_matches('/').to_owned()
        }
        None => {
            if word == CloudWord::Custom && !at.is_broken() {
                let place = at.key("cloud").span();
                report
                    .error("P044", place, format!("a custom cloud needs `{key}`"))
                    .help("both `login_url` and `graph_url`");
            }
            String::new()
        }
    };
    match word {
        CloudWord::China => Cloud::China,
        CloudWord::Public => Cloud::Public,
        CloudWord::Usgov => Cloud::Usgov,
        CloudWord::UsgovDod => Cloud::UsgovDod,
        CloudWord::Custom => Cloud::Custom {
            login_url: url("login_url", &wire.login_url),
            graph_url: url("graph_url", &wire.graph_url),
            vault_suffix: wire.vault_suffix.clone(),
            ca_file: wire.ca_file.as_deref().map(|path| base.path(path)),
        },
    }
}

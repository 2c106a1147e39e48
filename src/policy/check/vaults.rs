//! Places beyond this machine: names that fit, and a way to sign in.

use std::collections::BTreeMap;

use crate::model::KeyVaultSpec;
use crate::model::KubernetesSpec;
use crate::model::KubernetesType;
use crate::model::ValueName;
use crate::model::VaultAuth;
use crate::model::VaultKvSpec;
use crate::model::VaultPkiSpec;
use crate::policy::diagnostics::Report;
use crate::policy::tree::At;
use crate::policy::wire::vaults::KeyVault;
use crate::policy::wire::vaults::Kubernetes;
use crate::policy::wire::vaults::VaultKv;
use crate::policy::wire::vaults::VaultPki;

use super::plain;
use super::sinks::Sinks;

/// The API server as every pod finds it, and what a pod is given to speak to it.
const IN_CLUSTER: &str = "https://kubernetes.default.svc";
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const POD_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

const VAULT_ADDRESS: &str = "for instance `https://vault.contoso.example:8200`";

impl Sinks<'_> {
    pub(super) fn key_vault(&self, wire: &KeyVault, at: At<'_>, report: &mut Report<'_>) -> KeyVaultSpec {
        let KeyVault { vault, name, recover_deleted, overwrite_foreign } = wire;
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let vault = need(vault.as_ref(), "vault", "the vault's name, such as `contoso-apps`", at, report);
        let fits = plain(&vault) && (3..=24).contains(&vault.len());
        if !vault.is_empty() && (!fits || vault.starts_with(|c: char| !c.is_ascii_alphabetic()) || vault.ends_with('-'))
        {
            report
                .error("P071", at.key("vault").span(), "this is not the name of a key vault")
                .label("3 to 24 letters, digits and hyphens, never a URL")
                .help("`contoso-apps`; the cloud of the tenant says the rest of its address");
        }
        let name = need(name.as_ref(), "name", "the name of the secret or certificate in the vault", at, report);
        if !plain(&name) || name.len() > 127 {
            report
                .error("P071", at.key("name").span(), "a vault does not take this name")
                .help("letters, digits and hyphens, at most 127");
        }
        KeyVaultSpec {
            vault,
            name,
            certificate: self.certificate,
            recover_deleted: *recover_deleted,
            overwrite_foreign: *overwrite_foreign,
        }
    }

    pub(super) fn vault_kv(&self, wire: &VaultKv, at: At<'_>, report: &mut Report<'_>) -> VaultKvSpec {
        let address = need(wire.address.as_ref(), "address", VAULT_ADDRESS, at, report);
        https(&address, at, report);
        let path = need(wire.path.as_ref(), "path", "where in the store, such as `apps/lexzur-mail`", at, report);
        let mount = wire.mount.clone().unwrap_or_else(|| "secret".to_owned());
        paths(&[("mount", &mount), ("path", &path)], at, report);
        self.keys(&wire.values, at, report);
        let auth = signing_in(
            &SigningIn {
                role_id: wire.role_id.as_ref(),
                secret_id_file: wire.secret_id_file.as_ref(),
                token_file: wire.token_file.as_ref(),
                ca_file: wire.ca_file.as_ref(),
            },
            at,
            report,
        );
        VaultKvSpec {
            address: address.trim_end_matches('/').to_owned(),
            mount,
            path,
            values: wire.values.iter().map(|(key, value)| (key.clone(), *value)).collect(),
            auth,
            namespace: wire.namespace.clone(),
            ca_file: wire.ca_file.clone(),
            overwrite_foreign: wire.overwrite_foreign,
        }
    }

    pub(super) fn kubernetes(&self, wire: &Kubernetes, at: At<'_>, report: &mut Report<'_>) -> KubernetesSpec {
        let name = need(wire.name.as_ref(), "name", "the name of the Secret", at, report);
        let namespace = need(wire.namespace.as_ref(), "namespace", "the namespace of the Secret", at, report);
        let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        for (key, text, dots) in [("name", &name, true), ("namespace", &namespace, false)] {
            let fits = text.chars().all(|c| label(c) || (dots && c == '.')) && text.len() <= 253;
            if !fits || text.starts_with(['-', '.']) || text.ends_with(['-', '.']) {
                report
                    .error("P071", at.key(key).span(), format!("Kubernetes does not take this {key}"))
                    .help("lower-case letters, digits and hyphens");
            }
        }
        let kind = wire.kind.unwrap_or(KubernetesType::Opaque);
        let tls = BTreeMap::from([
            ("tls.crt".to_owned(), ValueName::Certificate),
            ("tls.key".to_owned(), ValueName::PrivateKey),
        ]);
        let mut values = wire.values.clone();
        if kind == KubernetesType::Tls {
            if !self.certificate {
                report
                    .error(
                        "P070",
                        at.key("type").span(),
                        "`kubernetes.io/tls` holds a certificate, and this is a client secret",
                    )
                    .help("use `type = \"Opaque\"`, or leave it out");
            } else if tls.iter().any(|(key, value)| values.get(key).is_some_and(|given| given != value)) {
                report
                    .error(
                        "P070",
                        at.key("values").span(),
                        "`kubernetes.io/tls` has the certificate in `tls.crt` and its key in `tls.key`",
                    )
                    .help("leave `values` out, or name further keys only");
            } else {
                values.extend(tls);
            }
        }
        if kind == KubernetesType::Opaque || self.certificate {
            self.keys(&values, at, report);
        }
        files(&[("token_file", wire.token_file.as_ref()), ("ca_file", wire.ca_file.as_ref())], at, report);
        if let Some(address) = &wire.address {
            https(address, at, report);
            if wire.token_file.is_none() && !at.is_broken() {
                report
                    .error(
                        "P072",
                        at.key("address").span(),
                        "an API server outside of the pod's cluster needs `token_file`",
                    )
                    .help("a file with a token of a service account that may get and patch this Secret");
            }
        }
        let pod = |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.to_owned());
        KubernetesSpec {
            address: pod(&wire.address, IN_CLUSTER).trim_end_matches('/').to_owned(),
            namespace,
            name,
            kind,
            values: values.into_iter().collect(),
            token_file: pod(&wire.token_file, POD_TOKEN),
            ca_file: wire.ca_file.clone().or_else(|| wire.address.is_none().then(|| POD_CA.to_owned())),
            overwrite_foreign: wire.overwrite_foreign,
        }
    }

    /// Keys of a store, each with a value of the credential.
    fn keys(&self, values: &BTreeMap<String, ValueName>, at: At<'_>, report: &mut Report<'_>) {
        let list = at.key("values");
        for (key, value) in values {
            let here = list.key(key);
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if key.is_empty() || key.len() > 253 || !key.chars().all(plain) {
                report
                    .error("P071", here.key_span(), "a key has letters, digits, `-`, `_` and `.`")
                    .help("for instance `client_secret`");
            }
            self.fits(Some(*value), here, report);
        }
        if !list.is_broken() && !at.is_broken() {
            let values: Vec<ValueName> = values.values().copied().collect();
            self.whole(&values, at, report);
        }
    }
}

/// The engine behind `issuer = "vault-pki"`.
pub(super) fn vault_pki(wire: &VaultPki, common_name: String, at: At<'_>, report: &mut Report<'_>) -> VaultPkiSpec {
    let address = need(wire.address.as_ref(), "address", VAULT_ADDRESS, at, report);
    https(&address, at, report);
    let role = need(wire.role.as_ref(), "role", "the role of the PKI engine that signs", at, report);
    let mount = wire.mount.clone().unwrap_or_else(|| "pki".to_owned());
    paths(&[("mount", &mount), ("role", &role)], at, report);
    let auth = signing_in(
        &SigningIn {
            role_id: wire.role_id.as_ref(),
            secret_id_file: wire.secret_id_file.as_ref(),
            token_file: wire.token_file.as_ref(),
            ca_file: wire.ca_file.as_ref(),
        },
        at,
        report,
    );
    VaultPkiSpec {
        address: address.trim_end_matches('/').to_owned(),
        mount,
        role,
        common_name,
        auth,
        namespace: wire.namespace.clone(),
        ca_file: wire.ca_file.clone(),
    }
}

/// What signs in to HashiCorp Vault, as it is written.
struct SigningIn<'a> {
    role_id: Option<&'a String>,
    secret_id_file: Option<&'a String>,
    token_file: Option<&'a String>,
    ca_file: Option<&'a String>,
}

fn signing_in(wire: &SigningIn<'_>, at: At<'_>, report: &mut Report<'_>) -> VaultAuth {
    let given = [("secret_id_file", wire.secret_id_file), ("token_file", wire.token_file), ("ca_file", wire.ca_file)];
    files(&given, at, report);
    match (wire.role_id, wire.secret_id_file, wire.token_file) {
        (Some(role_id), Some(file), None) => {
            VaultAuth::AppRole { role_id: role_id.clone(), secret_id_file: file.clone() }
        }
        (None, None, Some(file)) => VaultAuth::Token { token_file: file.clone() },
        _ => {
            if !at.is_broken() {
                report
                    .error("P072", at.span(), "there must be one way to sign in to Vault")
                    .help("`role_id` with `secret_id_file` (AppRole), or `token_file`");
            }
            VaultAuth::Token { token_file: String::new() }
        }
    }
}

/// Mounts, paths and roles of HashiCorp Vault.
fn paths(given: &[(&str, &String)], at: At<'_>, report: &mut Report<'_>) {
    for (key, text) in given {
        let part = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.chars().any(odd);
        if !text.is_empty() && !text.split('/').all(part) {
            report
                .error("P071", at.key(key).span(), format!("this is not a {key} in Vault"))
                .help("names with `/` between them, without one at either end");
        }
    }
}

fn odd(c: char) -> bool {
    c.is_control() || c.is_whitespace() || "\\?#%".contains(c)
}

/// What must be there; empty after the report.
fn need(given: Option<&String>, key: &str, help: &str, at: At<'_>, report: &mut Report<'_>) -> String {
    match given {
        Some(text) if !text.is_empty() => return text.clone(),
        None if at.is_broken() => {}
        _ => {
            report.error("P005", at.span(), format!("`{key}` is missing here")).help(help);
        }
    }
    String::new()
}

/// A token goes over https only, also on this machine.
fn https(address: &str, at: At<'_>, report: &mut Report<'_>) {
    let fits = url::Url::parse(address).is_ok_and(|url| {
        let bare = url.query().is_none() && url.fragment().is_none();
        url.scheme() == "https" && url.has_host() && url.username().is_empty() && url.password().is_none() && bare
    });
    if !address.is_empty() && !fits {
        report
            .error("P055", at.key("address").span(), "this must be an https URL")
            .help("for instance `https://vault.contoso.example:8200`");
    }
}

fn files(given: &[(&str, Option<&String>)], at: At<'_>, report: &mut Report<'_>) {
    for (key, path) in given {
        if let Some(path) = path {
            plain::absolute(path, at.key(key), report);
        }
    }
}

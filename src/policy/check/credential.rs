//! `[[credential]]`: one slot of an integration.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::model::Audience;
use crate::model::CertificateSpec;
use crate::model::CredentialKind;
use crate::model::CredentialSpec;
use crate::model::IssuerKind;
use crate::model::KeepPrivateKey;
use crate::model::KeyId;
use crate::model::KeyType;
use crate::model::People;
use crate::model::Prove;
use crate::model::SlotName;
use crate::policy::LocalCa;
use crate::policy::Mode;
use crate::policy::diagnostics::Report;
use crate::policy::suggest;
use crate::policy::tree::At;
use crate::policy::wire::policy::Credential;
use crate::policy::wire::policy::KindWord;
use crate::policy::wire::policy::PolicyFile;

use super::confirm;
use super::plain;
use super::sinks::Sinks;
use super::timing;
use super::vaults;

/// What the credentials of one policy need to know about it.
pub(crate) struct Around<'a> {
    pub name: &'a str,
    pub title: &'a str,
    pub mode: Mode,
    pub audience: Audience,
    pub people: &'a People,
    pub cas: &'a BTreeMap<String, LocalCa>,
}

/// Issuers of `policy.md` that this release cannot use.
const LATER_ISSUERS: &[&str] = &["azure-key-vault"];

/// A person who goes to an outside CA has so long for it.
const CSR_LEAD: SignedDuration = SignedDuration::from_hours(24 * 14);

/// The certificate profile that is built in.
const PROFILE: &str = "entra-client";

impl Around<'_> {
    /// Every credential; slots are distinct, and an app for personal accounts has one secret slot.
    pub fn credentials(&self, file: &PolicyFile, at: At<'_>, report: &mut Report<'_>) -> Vec<CredentialSpec> {
        let list = at.key("credential");
        if file.credential.is_empty() && self.mode == Mode::Rotate && !at.is_broken() && !list.is_broken() {
            report
                .error("P021", at.key("mode").span(), "`mode = \"rotate\"` needs a `[[credential]]` to rotate")
                .help("describe one, or use `mode = \"alert\"`");
        }
        let mut found: Vec<CredentialSpec> = Vec::new();
        for (index, wire) in file.credential.iter().enumerate() {
            let here = list.item(index);
            let spec = self.credential(wire, here, report);
            if found.iter().any(|other| other.slot == spec.slot) {
                report
                    .error("P035", here.key("name").span(), format!("two credentials are called `{}`", spec.slot))
                    .help("give each a `name` of its own");
            }
            let secrets = found.iter().filter(|other| other.kind == CredentialKind::ClientSecret).count();
            if self.audience.is_capped() && spec.kind == CredentialKind::ClientSecret && secrets > 0 {
                report
                    .error(
                        "P036",
                        here.key("kind").span(),
                        "with personal accounts Entra allows two client secrets: one slot",
                    )
                    .help("a rotation needs the second; use a certificate, or an app of its own");
            }
            found.push(spec);
        }
        found
    }

    fn credential(&self, wire: &Credential, at: At<'_>, report: &mut Report<'_>) -> CredentialSpec {
        let certificate = wire.kind == Some(KindWord::Certificate);
        let kind = if certificate { self.certificate(wire, at, report) } else { client_secret(wire, at, report) };
        let deliver = at.key("deliver");
        let sinks = Sinks { certificate, people: self.people }.read(&wire.deliver, deliver, report);
        if sinks.is_empty() && self.mode == Mode::Rotate && !at.is_broken() && !deliver.is_broken() {
            report
                .error("P021", at.span(), "this credential is delivered nowhere")
                .help("add `[[credential.deliver]]`: nothing is created that nobody would get");
        }
        let handoffs = || sinks.iter().filter_map(|sink| sink.handoff());
        let needs_person = handoffs().next().is_some();
        let retire = confirm::retire(wire, needs_person, at, report);
        let outside = matches!(&kind, CredentialKind::Certificate(spec) if spec.issuer == IssuerKind::Csr);
        let asked = outside.then_some(CSR_LEAD);
        let lead = handoffs().map(|handoff| handoff.lead).chain(asked).max().unwrap_or_default();
        let slot = timing::Slot { certificate, needs_person, lead, retire };
        let timing = timing::timing(wire, slot, at, report);
        let guid = |(index, id): (usize, &String)| KeyId(plain::guid(id, at.key("retain").item(index), report));
        let retain = wire.retain.iter().enumerate().map(guid).collect();
        let shared = sinks.iter().any(|sink| sink.target.is_shared_store());
        let who = confirm::Who { needs_person, shared, sinks_known: !deliver.is_broken() && !sinks.is_empty() };
        let confirm = confirm::confirm(wire, who, at, report);
        CredentialSpec {
            slot: SlotName(self.slot(wire, at, report)),
            kind,
            description: wire.description.clone().unwrap_or_else(|| self.title.to_owned()),
            lifetime: timing.lifetime,
            rotate_before: timing.rotate_before,
            overlap: timing.overlap,
            retry_budget: timing.retry_budget,
            consumer_refresh: timing.consumer_refresh,
            min_life: timing.min_life,
            retain,
            prove: wire.prove.unwrap_or(Prove::Required),
            keep_private_key: wire.keep_private_key.unwrap_or(KeepPrivateKey::UntilReplaced),
            retire,
            sinks,
            confirm,
        }
    }

    fn slot(&self, wire: &Credential, at: At<'_>, report: &mut Report<'_>) -> String {
        let slot = wire.name.clone().unwrap_or_else(|| "primary".into());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if slot.is_empty() || slot.len() > 32 || !slot.chars().all(plain) {
            report
                .error("P008", at.key("name").span(), "a name has lower-case letters, digits and `-`, at most 32")
                .help("for instance `primary`");
        }
        slot
    }

    fn certificate(&self, wire: &Credential, at: At<'_>, report: &mut Report<'_>) -> CredentialKind {
        let key = wire.key.unwrap_or(KeyType::Rsa3072);
        if matches!(key, KeyType::EcP256 | KeyType::EcP384) {
            report
                .error("P026", at.key("key").span(), format!("Entra accepts no {} key for signing in", key.label()))
                .label("client assertions are RSA only")
                .help("use `rsa-3072`; `everkey cert issue --key` makes EC keys for other uses");
        }
        let subject = wire.subject.clone().unwrap_or_else(|| format!("CN={}", self.name));
        let parsed: Result<x509_cert::name::Name, _> = subject.parse();
        if subject.is_empty() || parsed.is_err() {
            report
                .error("P040", at.key("subject").span(), "this subject is not a distinguished name (RFC 4514)")
                .help("for instance `CN=enate-graph-mail`");
        }
        let common_name = parsed.as_ref().map(common_name).unwrap_or_default();
        let issuer = issuer(wire, self.cas, common_name, at, report);
        if let Some(profile) = wire.profile.as_deref().filter(|profile| *profile != PROFILE) {
            report
                .error(
                    "P037",
                    at.key("profile").span(),
                    format!("certificate profile \"{profile}\" is not in this release"),
                )
                .help("leave `profile` out: `entra-client` is built in");
        }
        CredentialKind::Certificate(CertificateSpec { subject, key, issuer })
    }
}

/// Who signs; `self-signed` stands in for what was refused.
fn issuer(
    wire: &Credential,
    cas: &BTreeMap<String, LocalCa>,
    common_name: String,
    at: At<'_>,
    report: &mut Report<'_>,
) -> IssuerKind {
    let here = at.key("issuer");
    let issuer = wire.issuer.as_deref().unwrap_or("self-signed");
    if !wire.issuer_command.is_empty() && issuer != "command" {
        report
            .error("P050", at.key("issuer_command").key_span(), "`issuer_command` belongs to `issuer = \"command\"`")
            .help("remove it");
    }
    if wire.vault_pki.is_some() && issuer != "vault-pki" {
        report
            .error("P050", at.key("vault_pki").key_span(), "`vault_pki` belongs to `issuer = \"vault-pki\"`")
            .help("remove it");
    }
    if let Some(name) = issuer.strip_prefix("ca:") {
        if !cas.contains_key(name) {
            report
                .error("P006", here.span(), format!("everkey.toml has no [ca.{name}]"))
                .suggest(suggest::did_you_mean(name, cas.keys().map(String::as_str)))
                .help("make one with `everkey ca init`, and add what it prints to everkey.toml");
        }
        return IssuerKind::Ca(name.to_owned());
    }
    match issuer {
        "self-signed" => IssuerKind::SelfSigned,
        "csr" => IssuerKind::Csr,
        "command" => issuer_command(wire, at, report),
        "vault-pki" => match &wire.vault_pki {
            Some(pki) => {
                IssuerKind::VaultPki(Box::new(vaults::vault_pki(pki, common_name, at.key("vault_pki"), report)))
            }
            None => {
                if !at.is_broken() {
                    report
                        .error("P005", here.span(), "`issuer = \"vault-pki\"` needs `[credential.vault_pki]`")
                        .help("its `address`, `role`, and a way to sign in");
                }
                IssuerKind::SelfSigned
            }
        },
        later if LATER_ISSUERS.contains(&later) => {
            report.error("P037", here.span(), format!("`issuer = \"{later}\"` is not in this release")).help(
                "use `self-signed`; Entra trusts the certificate because it is registered, not because of who signed it",
            );
            IssuerKind::SelfSigned
        }
        other => {
            let known = ["self-signed", "csr", "command", "vault-pki"];
            report
                .error("P006", here.span(), format!("`issuer` does not know \"{other}\""))
                .suggest(suggest::did_you_mean(other, known.into_iter().chain(LATER_ISSUERS.iter().copied())))
                .help("one of `self-signed`, `ca:NAME` (a CA of everkey.toml), `csr`, `command`, `vault-pki`");
            IssuerKind::SelfSigned
        }
    }
}

fn common_name(subject: &x509_cert::name::Name) -> String {
    let parts = subject.iter().filter(|part| part.oid == const_oid::db::rfc4519::CN);
    let text = |part: &x509_cert::attr::AttributeTypeAndValue| String::from_utf8(part.value.value().to_vec()).ok();
    parts.filter_map(text).next().unwrap_or_default()
}

fn issuer_command(wire: &Credential, at: At<'_>, report: &mut Report<'_>) -> IssuerKind {
    let here = at.key("issuer_command");
    match wire.issuer_command.first() {
        None => {
            report
                .error("P005", at.key("issuer").span(), "`issuer = \"command\"` needs `issuer_command`")
                .help("program and arguments; the request comes on its standard input, it writes the certificate");
        }
        Some(program) if program.is_empty() || (program.contains('/') && !program.starts_with('/')) => {
            report
                .error("P050", here.span(), format!("`issuer_command` must start with a program, not \"{program}\""))
                .help("a name that is found in PATH, or the full path; never a shell line");
        }
        Some(_) => {}
    }
    IssuerKind::Command(wire.issuer_command.clone())
}

/// A client secret has none of the keys of a certificate.
fn client_secret(wire: &Credential, at: At<'_>, report: &mut Report<'_>) -> CredentialKind {
    let keys = [
        ("subject", wire.subject.is_some()),
        ("key", wire.key.is_some()),
        ("issuer", wire.issuer.is_some()),
        ("issuer_command", !wire.issuer_command.is_empty()),
        ("vault_pki", wire.vault_pki.is_some()),
        ("profile", wire.profile.is_some()),
        ("keep_private_key", wire.keep_private_key.is_some()),
    ];
    // Without a kind the missing `kind` is the mistake, and it is reported already.
    for (key, _) in keys.into_iter().filter(|(_, given)| *given && wire.kind.is_some()) {
        report
            .error(
                "P029",
                at.key(key).key_span(),
                format!("`{key}` belongs to a certificate, and this is a client secret"),
            )
            .help("remove it, or set `kind = \"certificate\"`");
    }
    CredentialKind::ClientSecret
}

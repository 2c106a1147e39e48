//! A whole tenant, as a reader sees it: every application and service principal, with what it holds.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::CertificateEntry;
use super::ClientId;
use super::KeyId;
use super::ObjectId;
use super::SecretEntry;
use super::Thumbprint;

/// What holds credentials.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum HolderKind {
    /// An app registration.
    #[serde(rename = "app")]
    Application,
    /// A service principal (enterprise application): what the application blade does not show.
    #[serde(rename = "sp")]
    Principal,
}

impl HolderKind {
    /// Both, in the order in which a tenant is read.
    pub const ALL: [Self; 2] = [Self::Application, Self::Principal];

    /// `app` or `sp`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Application => "app",
            Self::Principal => "sp",
        }
    }
}

/// Who answers for it in Entra.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Owner {
    /// Object id.
    pub id: ObjectId,
    /// `displayName`, where the reader may see it.
    pub name: Option<String>,
    /// Mail address, else the user principal name; none for an application.
    pub mail: Option<String>,
    /// False for somebody who has left; `None` where Graph does not tell.
    pub enabled: Option<bool>,
}

impl Owner {
    /// For people: `D. Okoro`, `d.okoro (left)`, or the id where nothing else may be read.
    pub fn label(&self) -> String {
        let local = self.mail.as_deref().and_then(|mail| mail.split('@').next());
        let name = self.name.as_deref().filter(|name| !name.is_empty()).or(local).unwrap_or(self.id.as_str());
        if self.enabled == Some(false) { format!("{name} (left)") } else { name.to_owned() }
    }
}

/// An application or service principal with its credentials.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Holder {
    /// Which of the two.
    pub kind: HolderKind,
    /// Object id.
    pub object_id: ObjectId,
    /// Client id of the application.
    pub client_id: ClientId,
    /// `displayName`.
    pub display_name: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// A managed identity: its certificates are Azure's own business.
    pub is_managed_identity: bool,
    /// Its owners; `None` where they could not be read.
    pub owners: Option<Vec<Owner>>,
    /// The SAML signing certificate in use.
    pub signing: Option<Thumbprint>,
    /// Client secrets as Graph lists them.
    pub secrets: Vec<SecretEntry>,
    /// Certificates as Graph lists them.
    pub certificates: Vec<CertificateEntry>,
}

/// What a listed credential is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListedKind {
    /// A certificate for signing in.
    Certificate,
    /// A certificate that signs SAML tokens: when it ends, people cannot sign in to the application.
    Saml,
    /// A client secret.
    Secret,
}

impl ListedKind {
    /// For people: `certificate`, `SAML certificate`, `secret`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Saml => "SAML certificate",
            Self::Secret => "secret",
        }
    }

    /// `certificate`, `saml` or `secret`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Saml => "saml",
            Self::Secret => "secret",
        }
    }
}

/// One credential, as people count them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Listed {
    /// `keyId`; of the Verify entry for SAML.
    pub key_id: KeyId,
    /// What it is.
    pub kind: ListedKind,
    /// `displayName`.
    pub name: Option<String>,
    /// First characters of a client secret.
    pub hint: Option<String>,
    /// SHA-1 of a certificate.
    pub thumbprint: Option<Thumbprint>,
    /// Start of validity.
    pub start: Timestamp,
    /// End of validity; the year 9000 for never.
    pub end: Timestamp,
}

impl Holder {
    /// Its credentials, each once: a SAML signing certificate is three linked entries in Graph (its password is no
    /// client secret), and one certificate may be listed under several ids. A managed identity has none of ours.
    pub fn listed(&self) -> Vec<Listed> {
        if self.is_managed_identity {
            return Vec::new();
        }
        let is_sign = |entry: &&CertificateEntry| entry.usage.eq_ignore_ascii_case("Sign");
        let signing: Vec<&CertificateEntry> = self.certificates.iter().filter(is_sign).collect();
        let is_saml = |entry: &CertificateEntry| {
            let linked = |sign: &&CertificateEntry| {
                entry.custom_key_identifier.is_some() && sign.custom_key_identifier == entry.custom_key_identifier
            };
            signing.iter().any(linked)
        };
        let secrets = self.secrets.iter().filter(|secret| !signing.iter().any(|sign| sign.key_id == secret.key_id));
        let mut all: Vec<Listed> = secrets
            .map(|secret| Listed {
                key_id: secret.key_id.clone(),
                kind: ListedKind::Secret,
                name: secret.display_name.clone(),
                hint: secret.hint.clone(),
                thumbprint: None,
                start: secret.start,
                end: secret.end,
            })
            .collect();
        for entry in self.certificates.iter().filter(|entry| !is_sign(entry)) {
            let same = |other: &Listed| other.thumbprint.is_some() && other.thumbprint == entry.thumbprint;
            if all.iter().any(same) {
                continue;
            }
            all.push(Listed {
                key_id: entry.key_id.clone(),
                kind: if is_saml(entry) { ListedKind::Saml } else { ListedKind::Certificate },
                name: entry.display_name.clone(),
                hint: None,
                thumbprint: entry.thumbprint.clone(),
                start: entry.start,
                end: entry.end,
            });
        }
        // A Sign entry whose Verify entry is not listed still counts as one.
        for sign in signing.iter().filter(|sign| {
            !self
                .certificates
                .iter()
                .any(|entry| !is_sign(&entry) && entry.custom_key_identifier == sign.custom_key_identifier)
        }) {
            all.push(Listed {
                key_id: sign.key_id.clone(),
                kind: ListedKind::Saml,
                name: sign.display_name.clone(),
                hint: None,
                thumbprint: sign.thumbprint.clone(),
                start: sign.start,
                end: sign.end,
            });
        }
        all
    }

    /// The first owner people can be written to, who has not left.
    pub fn owner_mail(&self) -> Option<&str> {
        let owners = self.owners.iter().flatten();
        owners.filter(|owner| owner.enabled != Some(false)).find_map(|owner| owner.mail.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(key_id: &str, usage: &str, identifier: &str) -> CertificateEntry {
        CertificateEntry {
            key_id: key_id.into(),
            display_name: None,
            thumbprint: None,
            custom_key_identifier: Some(identifier.to_owned()),
            kind: if usage == "Sign" { "X509CertAndPassword" } else { "AsymmetricX509Cert" }.to_owned(),
            usage: usage.to_owned(),
            start: Timestamp::UNIX_EPOCH,
            end: Timestamp::UNIX_EPOCH,
            key: None,
        }
    }

    fn secret(key_id: &str) -> SecretEntry {
        SecretEntry {
            key_id: key_id.into(),
            display_name: None,
            hint: None,
            start: Timestamp::UNIX_EPOCH,
            end: Timestamp::UNIX_EPOCH,
        }
    }

    fn holder(secrets: Vec<SecretEntry>, certificates: Vec<CertificateEntry>) -> Holder {
        Holder {
            kind: HolderKind::Principal,
            object_id: "o".into(),
            client_id: "c".into(),
            display_name: "Old Power BI export".into(),
            created: None,
            is_managed_identity: false,
            owners: None,
            signing: None,
            secrets,
            certificates,
        }
    }

    fn words(holder: &Holder) -> Vec<(String, &'static str)> {
        holder.listed().iter().map(|one| (one.key_id.to_string(), one.kind.word())).collect()
    }

    #[test]
    fn a_saml_certificate_is_one_and_its_password_no_secret() {
        let certificates = vec![
            certificate("sign", "Sign", "A"),
            certificate("verify", "Verify", "A"),
            certificate("login", "Verify", "B"),
        ];
        let found = words(&holder(vec![secret("sign"), secret("real")], certificates));
        let wanted = [("real", "secret"), ("verify", "saml"), ("login", "certificate")];
        assert_eq!(found, wanted.map(|(key, word)| (key.to_owned(), word)));
        let alone = words(&holder(vec![secret("sign")], vec![certificate("sign", "Sign", "A")]));
        assert_eq!(alone, [("sign".to_owned(), "saml")]);
    }

    #[test]
    fn one_certificate_under_two_ids_is_one_and_a_managed_identity_has_none() {
        let twice =
            |key_id: &str| CertificateEntry { thumbprint: Some("AA".into()), ..certificate(key_id, "Verify", key_id) };
        let mut both = holder(Vec::new(), vec![twice("one"), twice("two")]);
        assert_eq!(words(&both), [("one".to_owned(), "certificate")]);
        both.is_managed_identity = true;
        assert!(both.listed().is_empty());
    }

    #[test]
    fn mail_goes_to_an_owner_who_is_still_there() {
        let owner = |mail: &str, enabled| Owner { id: "u".into(), name: None, mail: Some(mail.into()), enabled };
        let mut app = holder(Vec::new(), Vec::new());
        app.owners = Some(vec![owner("j.lee@contoso.example", Some(false)), owner("d.okoro@contoso.example", None)]);
        assert_eq!(app.owner_mail(), Some("d.okoro@contoso.example"));
        assert_eq!(app.owners.as_ref().unwrap()[0].label(), "j.lee (left)");
    }
}

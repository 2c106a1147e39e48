//! Seeds: what others have in a tenant, put there at once and with any dates, the past included. Graph itself takes
//! no expired credential, and a tenant is full of them.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::Directory;
use super::KeyConduct;
use super::Properties;
use super::Refusal;
use super::saml::certificate;

/// What to put into the tenant.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Seed {
    /// Users who may own applications.
    pub people: Vec<SeedPerson>,
    /// Applications.
    pub applications: Vec<SeedApplication>,
    /// Names of managed identities; each has a certificate of its own, as Azure keeps them.
    pub managed_identities: Vec<String>,
    /// So many more applications, `filler-0001` and on; every tenth has a secret.
    pub fill: usize,
}

/// A user.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedPerson {
    /// Name.
    pub display_name: String,
    /// Address.
    pub mail: String,
    /// Whether they still work here.
    #[serde(default = "yes")]
    pub account_enabled: bool,
}

fn yes() -> bool {
    true
}

/// An application.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SeedApplication {
    /// Name.
    pub display_name: String,
    /// Addresses of its owners.
    pub owners: Vec<String>,
    /// When it was made; now when absent.
    pub created: Option<Timestamp>,
    /// Client secrets.
    pub secrets: Vec<SeedCredential>,
    /// Certificates.
    pub certificates: Vec<SeedCredential>,
    /// Its service principal.
    pub principal: Option<SeedPrincipal>,
    /// Further properties, as in a POST.
    pub properties: Properties,
}

/// A service principal.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SeedPrincipal {
    /// Addresses of its owners.
    pub owners: Vec<String>,
    /// Client secrets.
    pub secrets: Vec<SeedCredential>,
    /// SAML signing certificates; the last one is the active one.
    pub saml: Vec<SeedCredential>,
}

/// A credential.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedCredential {
    /// Name.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Start; a year before its end when absent.
    #[serde(default)]
    pub start: Option<Timestamp>,
    /// End.
    pub end: Timestamp,
}

impl SeedCredential {
    fn start(&self) -> Timestamp {
        let year = jiff::SignedDuration::from_hours(24 * 365);
        self.start.unwrap_or_else(|| self.end.checked_sub(year).unwrap_or(Timestamp::MIN))
    }
}

impl Directory {
    /// Puts `seed` into the tenant; returns the new applications' names and client ids.
    pub fn sow(&mut self, seed: Seed, conduct: KeyConduct, now: Timestamp) -> Result<Vec<(String, Uuid)>, Refusal> {
        for person in seed.people {
            self.insert_user(person.display_name, person.mail, person.account_enabled);
        }
        for name in seed.managed_identities {
            self.insert_managed_identity(name, now)?;
        }
        let filler = (1..=seed.fill).map(|number| SeedApplication {
            display_name: format!("filler-{number:04}"),
            secrets: if number.is_multiple_of(10) {
                vec![SeedCredential { display_name: None, start: None, end: now + DAY * 200 }]
            } else {
                Vec::new()
            },
            ..SeedApplication::default()
        });
        let mut made = Vec::new();
        for one in seed.applications.into_iter().chain(filler) {
            let name = one.display_name.clone();
            made.push((name, self.sow_application(one, conduct, now)?));
        }
        Ok(made)
    }

    /// A managed identity with a certificate of its own, as Azure keeps them; returns its service principal.
    pub fn insert_managed_identity(&mut self, name: String, now: Timestamp) -> Result<Uuid, Refusal> {
        let app_id = self.entropy.uuid();
        let id = self.insert_principal(app_id, None, now);
        self.sow_certificate(id, &SeedCredential { display_name: None, start: Some(now), end: now + DAY * 90 })?;
        if let Some(principal) = self.principals.get_mut(&id) {
            principal.own_name = Some(name);
            principal.kind = Some("ManagedIdentity".to_owned());
        }
        Ok(id)
    }

    fn sow_application(&mut self, one: SeedApplication, conduct: KeyConduct, now: Timestamp) -> Result<Uuid, Refusal> {
        let mut written = one.properties;
        written.insert("displayName".to_owned(), json!(one.display_name));
        let id = self.create_application(written, None, conduct, one.created.unwrap_or(now))?;
        self.sow_owners(id, &one.owners)?;
        for secret in &one.secrets {
            self.sow_secret(id, secret)?;
        }
        for key in &one.certificates {
            self.sow_certificate(id, key)?;
        }
        let app_id = self.application(id).map_or(Uuid::nil(), |application| application.app_id);
        let Some(principal) = one.principal else { return Ok(app_id) };
        let holder = self.create_principal(app_id, None, now)?;
        self.sow_owners(holder, &principal.owners)?;
        for secret in &principal.secrets {
            self.sow_secret(holder, secret)?;
        }
        for saml in &principal.saml {
            let name =
                saml.display_name.clone().unwrap_or_else(|| "CN=Microsoft Azure Federated SSO Certificate".into());
            let key = self.insert_signing_certificate(holder, &name, saml.start(), saml.end)?;
            let thumbprint = crate::emulator::certificate::hex(&key.sha1);
            if let Some(principal) = self.principals.get_mut(&holder) {
                principal.properties.insert("preferredTokenSigningKeyThumbprint".to_owned(), json!(thumbprint));
            }
        }
        Ok(app_id)
    }

    fn sow_owners(&mut self, object: Uuid, mails: &[String]) -> Result<(), Refusal> {
        for mail in mails {
            let user = self.user_by_mail(mail).map(|user| user.id);
            let user = user.ok_or_else(|| Refusal::invalid(format!("the seed names no person {mail}")))?;
            self.add_owner(object, user)?;
        }
        Ok(())
    }

    fn sow_secret(&mut self, holder: Uuid, one: &SeedCredential) -> Result<(), Refusal> {
        let key_id = self.entropy.uuid();
        let password = self.password_of(one.display_name.clone(), key_id, one.start(), one.end);
        self.credentials_mut(holder)?.passwords.push(password);
        Ok(())
    }

    fn sow_certificate(&mut self, holder: Uuid, one: &SeedCredential) -> Result<(), Refusal> {
        let key_id = self.entropy.uuid();
        let name = one.display_name.clone().unwrap_or_else(|| "CN=seed".to_owned());
        let der = certificate(name.trim_start_matches("CN="), one.start(), one.end)?;
        let key = self.key_of(&der, key_id, &name, one.start(), one.end)?;
        self.credentials_mut(holder)?.keys.push(key);
        Ok(())
    }
}

const DAY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

//! A crowd of applications as a large tenant has them: owners who left, secrets long expired, certificates, SAML. The
//! same seed gives the same crowd, to the byte.

use aws_lc_rs::signature::Ed25519KeyPair;
use jiff::SignedDuration;
use jiff::Timestamp;
use rcgen::CertificateParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::KeyPair;
use rcgen::SerialNumber;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Application;
use super::Credentials;
use super::Directory;
use super::KeyCredential;
use super::Properties;
use super::Refusal;

const WHAT: [&str; 12] = [
    "Payroll",
    "Invoices",
    "Badge access",
    "Warehouse",
    "Travel",
    "Customer portal",
    "Reporting",
    "Recruiting",
    "Support desk",
    "Contracts",
    "Laboratory",
    "Newsletter",
];
const HOW: [&str; 8] = ["sync", "API", "connector", "export", "bot", "mobile app", "sign-in", "importer"];
const WHERE: [&str; 5] = ["production", "test", "staging", "HR", "EMEA"];

/// One owner for so many applications.
const APPLICATIONS_PER_PERSON: usize = 40;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Random numbers for one application at a time, from the tenant's stream.
struct Dice([u8; 32], usize);

impl Dice {
    /// A number below `sides`, which is small.
    fn below(&mut self, sides: usize) -> usize {
        self.1 += 1;
        let at = (self.1 * 2) % 30;
        usize::from(u16::from_be_bytes([self.0[at], self.0[at + 1]])) % sides
    }

    /// So many days before or after `now`.
    fn day(&mut self, now: Timestamp, from: i32, to: i32) -> Timestamp {
        let span = usize::try_from(to - from).unwrap_or(1);
        let days = from + i32::try_from(self.below(span)).unwrap_or(0);
        now.checked_add(DAY * days).unwrap_or(now)
    }
}

impl Directory {
    /// Puts `count` applications into the tenant, with people who own them.
    pub fn sow_crowd(&mut self, count: usize, now: Timestamp) -> Result<(), Refusal> {
        let key = signing_key(&self.entropy.bytes())?;
        let people: Vec<Uuid> = (1..=count.div_ceil(APPLICATIONS_PER_PERSON))
            .map(|number| {
                let mail = format!("person{number:05}@{}", self.domain);
                self.insert_user(format!("Person {number:05}"), mail, !number.is_multiple_of(9))
            })
            .collect();
        for number in 1..=count {
            let mut dice = Dice(self.entropy.bytes(), 0);
            let created = dice.day(now, -3000, -1);
            let (what, how, place) = (WHAT[dice.below(12)], HOW[dice.below(8)], WHERE[dice.below(5)]);
            let owners = match dice.below(10) {
                0..4 => Vec::new(),
                4..8 => vec![people[dice.below(people.len())]],
                _ => {
                    let first = dice.below(people.len());
                    let mut two = vec![people[first], people[(first + 1) % people.len()]];
                    two.dedup();
                    two
                }
            };
            let application = Application {
                app_id: self.entropy.uuid(),
                created,
                credentials: self.crowd_credentials(&mut dice, &key, now)?,
                deleted: None,
                display_name: format!("{what} {how} ({place}) {number:06}"),
                federated: Vec::new(),
                id: self.entropy.uuid(),
                owners,
                properties: Properties::new(),
                sign_in_audience: "AzureADMyOrg".to_owned(),
                unique_name: None,
            };
            let app_id = application.app_id;
            self.insert_application(application);
            if dice.below(10) < 9 {
                let principal = self.insert_principal(app_id, None, created);
                if dice.below(10) == 0 {
                    self.crowd_saml(principal, &mut dice, &key, now)?;
                }
            }
        }
        Ok(())
    }

    fn crowd_credentials(&mut self, dice: &mut Dice, key: &KeyPair, now: Timestamp) -> Result<Credentials, Refusal> {
        let mut credentials = Credentials::default();
        for _ in 0..[0, 0, 1, 1, 1, 1, 2, 3][dice.below(8)] {
            let end = dice.day(now, -500, 730);
            let key_id = self.entropy.uuid();
            let start = end.checked_sub(DAY * 365).unwrap_or(end);
            credentials.passwords.push(self.password_of(Some("secret".to_owned()), key_id, start, end));
        }
        for _ in 0..[0, 0, 0, 1, 2][dice.below(5)] {
            let end = dice.day(now, -200, 900);
            credentials.keys.push(self.crowd_certificate("application", key, end)?);
        }
        Ok(credentials)
    }

    /// A SAML signing certificate as `saml` makes it: three linked entries.
    fn crowd_saml(&mut self, principal: Uuid, dice: &mut Dice, key: &KeyPair, now: Timestamp) -> Result<(), Refusal> {
        let name = "CN=Microsoft Azure Federated SSO Certificate";
        let verify = self.crowd_certificate(name.trim_start_matches("CN="), key, dice.day(now, -100, 1000))?;
        let thumbprint = crate::emulator::certificate::hex(&verify.sha1);
        self.link_signing_certificate(principal, name, verify)?;
        if let Some(principal) = self.principals.get_mut(&principal) {
            principal.properties.insert("preferredSingleSignOnMode".to_owned(), json!("saml"));
            principal.properties.insert("preferredTokenSigningKeyThumbprint".to_owned(), json!(thumbprint));
        }
        Ok(())
    }

    fn crowd_certificate(&mut self, name: &str, key: &KeyPair, end: Timestamp) -> Result<KeyCredential, Refusal> {
        let start = end.checked_sub(DAY * 730).unwrap_or(end);
        let serial = self.entropy.bytes();
        let der = certificate(name, key, &serial[..16], start, end).map_err(failed)?;
        let key_id = self.entropy.uuid();
        self.key_of(&der, key_id, &format!("CN={name}"), start, end)
    }
}

/// One key for all certificates of a crowd. Ed25519: its signatures repeat, RSA keys cannot be derived from a seed.
fn signing_key(seed: &[u8; 32]) -> Result<KeyPair, Refusal> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(failed)?;
    let der = pair.to_pkcs8().map_err(failed)?;
    KeyPair::try_from(der.as_ref()).map_err(failed)
}

fn certificate(
    name: &str,
    key: &KeyPair,
    serial: &[u8],
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<u8>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    let at = |at: Timestamp| OffsetDateTime::from_unix_timestamp(at.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    params.not_before = at(start);
    params.not_after = at(end);
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params.self_signed(key)?.der().to_vec())
}

fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::invalid(format!("no certificate was made: {error}"))
}

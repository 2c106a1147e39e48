//! SAML signing certificates of service principals: three linked entries each (entra-contract 5.3).

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use rcgen::CertificateParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::KeyPair;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Directory;
use super::KeyCredential;
use super::Refusal;
use crate::emulator::certificate::CertificateFacts;
use crate::emulator::certificate::hex;

impl Directory {
    /// Makes a signing certificate: a Sign and a Verify entry of the same certificate, and a password under the Sign
    /// entry's id. Returns the Verify entry; it ends after three years unless `end` says earlier.
    pub fn add_token_signing_certificate(
        &mut self,
        principal: Uuid,
        display_name: &str,
        end: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<KeyCredential, Refusal> {
        self.principal(principal).ok_or_else(|| Refusal::no_object(principal))?;
        let latest = now.to_zoned(TimeZone::UTC).checked_add(3.years()).map_or(Timestamp::MAX, |at| at.timestamp());
        let end = end.unwrap_or(latest);
        if end <= now || end > latest {
            return Err(Refusal::KeyEndDate);
        }
        self.insert_signing_certificate(principal, display_name, now, end)
    }

    /// The same with any dates, for seeds.
    pub(super) fn insert_signing_certificate(
        &mut self,
        principal: Uuid,
        display_name: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<KeyCredential, Refusal> {
        let verify_id = self.entropy.uuid();
        let der = certificate(display_name.trim_start_matches("CN="), start, end)?;
        let verify = self.key_of(&der, verify_id, display_name, start, end)?;
        self.link_signing_certificate(principal, display_name, verify.clone())?;
        Ok(verify)
    }

    /// Adds a Verify entry with the two that go with it.
    pub(super) fn link_signing_certificate(
        &mut self,
        principal: Uuid,
        display_name: &str,
        verify: KeyCredential,
    ) -> Result<(), Refusal> {
        let sign_id = self.entropy.uuid();
        let password = self.password_of(Some(display_name.to_owned()), sign_id, verify.start, verify.end);
        let sign = KeyCredential {
            key_id: sign_id,
            kind: "X509CertAndPassword".to_owned(),
            usage: "Sign".to_owned(),
            ..verify.clone()
        };
        let credentials = self.credentials_mut(principal)?;
        credentials.keys.extend([sign, verify]);
        credentials.passwords.push(password);
        Ok(())
    }

    /// A certificate entry around a DER, with any dates.
    pub(super) fn key_of(
        &self,
        der: &[u8],
        key_id: Uuid,
        display_name: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<KeyCredential, Refusal> {
        let facts = CertificateFacts::read(der).ok_or_else(|| Refusal::invalid("no certificate was made"))?;
        Ok(KeyCredential {
            added: start,
            custom_key_identifier: hex(&facts.sha1),
            display_name: Some(display_name.to_owned()),
            end,
            key: der.to_vec(),
            key_id,
            kind: "AsymmetricX509Cert".to_owned(),
            sha1: facts.sha1,
            sha256: facts.sha256,
            start,
            usage: "Verify".to_owned(),
        })
    }
}

/// A certificate that nobody holds the key of any more; P-256, because making RSA keys takes its time.
pub(super) fn certificate(name: &str, start: Timestamp, end: Timestamp) -> Result<Vec<u8>, Refusal> {
    let made = || -> Result<Vec<u8>, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        let at =
            |at: Timestamp| OffsetDateTime::from_unix_timestamp(at.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        params.not_before = at(start);
        params.not_after = at(end);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        Ok(params.self_signed(&key)?.der().to_vec())
    };
    made().map_err(|error| Refusal::invalid(format!("no certificate was made: {error}")))
}

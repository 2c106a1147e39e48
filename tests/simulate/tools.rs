//! The token endpoint, the key tools and the clock of the simulation. Keys and certificates are words that name each
//! other: `key-7` signs what `cert-7` proves.

use std::sync::Arc;

use async_trait::async_trait;
use everkey::clock::Clock;
use everkey::model::AppRef;
use everkey::model::IssuerKind;
use everkey::model::KeyType;
use everkey::model::ObjectId;
use everkey::model::PfxProfile;
use everkey::model::Thumbprint;
use everkey::ports::CertTool;
use everkey::ports::Issuer;
use everkey::ports::Issuers;
use everkey::ports::MadeCertificate;
use everkey::ports::PortError;
use everkey::ports::Probe;
use everkey::ports::SignIn;
use everkey::ports::TokenEndpoint;
use everkey::secret::Secret;
use jiff::Timestamp;

use crate::chooser::Point;
use crate::directory::refusal;
use crate::directory::unsure;
use crate::world::World;

/// The token endpoint.
pub struct Endpoint(pub Arc<World>);

#[async_trait]
impl TokenEndpoint for Endpoint {
    async fn probe(&self, _app: &AppRef, sign_in: SignIn<'_>) -> Result<Probe, PortError> {
        let presented = match sign_in {
            SignIn::ClientSecret(secret) => secret.expose_text().unwrap_or_default().to_owned(),
            SignIn::Certificate { key, .. } => key.expose_text().unwrap_or_default().to_owned(),
        };
        self.0.boundary("before a sign-in").await;
        let answer = {
            let mut outside = self.0.lock();
            let now = outside.now;
            match outside.chooser.fault(Point::Probe, 4) {
                1 => Err(unsure()),
                2 => Ok(Probe::Inconclusive { code: "AADSTS53003".into(), message: "blocked".into() }),
                3 => Ok(not_yet()),
                _ => {
                    let one = outside.credentials.get(&presented).cloned();
                    let one = one.filter(|one| outside.lists(one) && one.end > now);
                    let differs = one.as_ref().is_some_and(|one| one.known.iter().any(|known| *known > now));
                    let front = if differs { outside.chooser.detail(Point::FrontEnd, 2) as usize } else { 0 };
                    match one.filter(|one| one.known[front] <= now) {
                        None => Ok(not_yet()),
                        Some(one) => {
                            let request_id = Some(format!("own-{}", outside.number()));
                            outside.uses.insert(one.id, (now, request_id.clone()));
                            Ok(Probe::Accepted { request_id, roles: Vec::new() })
                        }
                    }
                }
            }
        };
        self.0.boundary("after a sign-in").await;
        answer
    }

    fn proof(&self, _app: &ObjectId, key: &Secret, _certificate: &[u8]) -> Result<Secret, PortError> {
        Ok(Secret::from_text(format!("proof:{}", key.expose_text().unwrap_or_default())))
    }
}

fn not_yet() -> Probe {
    Probe::NotYet { request_id: None, code: "AADSTS7000215".into(), message: "not known".into() }
}

/// Key tools.
pub struct Tools(pub Arc<World>);

/// The key of a certificate; `None` for one that everkey did not make.
pub fn key_of(der: &[u8]) -> Option<String> {
    let number = std::str::from_utf8(der).ok()?.strip_prefix("cert-")?;
    Some(format!("key-{number}"))
}

fn number_of(key: &Secret) -> &str {
    key.expose_text().unwrap_or_default().trim_start_matches("key-")
}

impl CertTool for Tools {
    fn generate_key(&self, _key: KeyType) -> Result<Secret, PortError> {
        Ok(Secret::from_text(format!("key-{}", self.0.lock().number())))
    }

    fn self_signed(
        &self,
        key: &Secret,
        _subject: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<MadeCertificate, PortError> {
        let der = format!("cert-{}", number_of(key)).into_bytes();
        let (thumbprint, thumbprint_sha256) = self.thumbprints(&der);
        Ok(MadeCertificate { der, thumbprint, thumbprint_sha256, start, end })
    }

    fn request(&self, key: &Secret, _subject: &str) -> Result<String, PortError> {
        Ok(format!("request-{}", number_of(key)))
    }

    fn issued(&self, _key: &Secret, _subject: &str, _given: &[u8]) -> Result<MadeCertificate, PortError> {
        Err(PortError::Local("no issuer is simulated".into()))
    }

    fn pfx(
        &self,
        key: &Secret,
        _certificate: &[u8],
        _password: &Secret,
        _profile: PfxProfile,
        _generated: bool,
    ) -> Result<Secret, PortError> {
        Ok(key.duplicate())
    }

    fn key_pem(&self, key: &Secret) -> Result<Secret, PortError> {
        Ok(key.duplicate())
    }

    fn certificate_pem(&self, certificate: &[u8]) -> String {
        String::from_utf8_lossy(certificate).into_owned()
    }

    fn thumbprints(&self, certificate: &[u8]) -> (Thumbprint, String) {
        let number = std::str::from_utf8(certificate).unwrap_or_default().trim_start_matches("cert-");
        (Thumbprint(format!("{number:0>40}")), format!("{number:0>64}"))
    }

    fn generate_password(&self) -> Result<Secret, PortError> {
        Ok(Secret::from_text("a generated password".into()))
    }
}

/// Nobody signs but the key itself.
pub struct NoIssuers;

impl Issuers for NoIssuers {
    fn open(&self, _kind: &IssuerKind) -> Result<Box<dyn Issuer>, PortError> {
        Err(PortError::Refused(refusal(0, "no issuer is simulated")))
    }
}

/// The clock of one process.
pub struct OwnClock {
    pub world: Arc<World>,
    pub process: usize,
}

#[async_trait]
impl Clock for OwnClock {
    fn now(&self) -> Timestamp {
        let outside = self.world.lock();
        outside.now + outside.offsets[self.process]
    }

    async fn sleep_until(&self, _until: Timestamp) {}
}

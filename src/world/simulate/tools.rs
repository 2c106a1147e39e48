//! What stands in for slow or foreign tools: a few keys that take turns, and a CA that is thrown away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::error::Result;
use crate::model::CertProfile;
use crate::model::IssuerKind;
use crate::model::KeyType;
use crate::model::PfxProfile;
use crate::model::Thumbprint;
use crate::pki;
use crate::pki::Tool;
use crate::ports::CertTool;
use crate::ports::Issuer;
use crate::ports::Issuers;
use crate::ports::MadeCertificate;
use crate::ports::Order;
use crate::ports::PortError;
use crate::secret::Secret;

use super::SimulateOptions;
use super::cannot;

/// Keys of one type that take turns: making one takes long, and no certificate of a simulation leaves it.
const KEYS: usize = 2;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Keys and CA of one simulation.
pub(super) struct Tools {
    pub certs: Arc<Keys>,
    pub issuers: Arc<ThrowAway>,
}

impl Tools {
    pub(super) fn new(options: &SimulateOptions) -> Result<Self> {
        let start = options.from.checked_sub(DAY).unwrap_or(options.from);
        // Longer than any certificate that it signs.
        let end = options.until.checked_add(DAY * 3650).unwrap_or(options.until);
        let certs = Arc::new(Keys::default());
        // Not one of those that take turns: no CA signs for its own key.
        let key = Tool.generate_key(KeyType::Rsa2048).map_err(cannot)?;
        let made = pki::Authority::certificate(&key, "CN=everkey simulate", start, end).map_err(cannot)?;
        Ok(Self { certs, issuers: Arc::new(ThrowAway { certificate: made.der, key }) })
    }
}

/// The real tool, but for its keys.
#[derive(Default)]
pub(super) struct Keys(Mutex<BTreeMap<&'static str, (usize, Vec<Secret>)>>);

impl CertTool for Keys {
    fn generate_key(&self, key: KeyType) -> std::result::Result<Secret, PortError> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (turn, keys) = all.entry(key.name()).or_default();
        if keys.len() < KEYS {
            keys.push(Tool.generate_key(key)?);
        }
        let at = *turn % keys.len();
        *turn += 1;
        Ok(keys[at].duplicate())
    }

    fn self_signed(
        &self,
        key: &Secret,
        subject: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> std::result::Result<MadeCertificate, PortError> {
        Tool.self_signed(key, subject, start, end)
    }

    fn request(&self, key: &Secret, subject: &str) -> std::result::Result<String, PortError> {
        Tool.request(key, subject)
    }

    fn issued(&self, key: &Secret, subject: &str, given: &[u8]) -> std::result::Result<MadeCertificate, PortError> {
        Tool.issued(key, subject, given)
    }

    fn pfx(
        &self,
        key: &Secret,
        certificate: &[u8],
        password: &Secret,
        profile: PfxProfile,
        _generated: bool,
    ) -> std::result::Result<Secret, PortError> {
        // The password protects nothing here: the few rounds of a random one.
        Tool.pfx(key, certificate, password, profile, true)
    }

    fn key_pem(&self, key: &Secret) -> std::result::Result<Secret, PortError> {
        Tool.key_pem(key)
    }

    fn certificate_pem(&self, certificate: &[u8]) -> String {
        Tool.certificate_pem(certificate)
    }

    fn thumbprints(&self, certificate: &[u8]) -> (Thumbprint, String) {
        Tool.thumbprints(certificate)
    }

    fn generate_password(&self) -> std::result::Result<Secret, PortError> {
        Tool.generate_password()
    }
}

/// Signs whatever a policy would have signed by a CA, a command, a vault or a person's errand.
pub(super) struct ThrowAway {
    certificate: Vec<u8>,
    key: Secret,
}

impl ThrowAway {
    /// Signs one request.
    pub(super) async fn sign(&self, order: Order<'_>) -> std::result::Result<Vec<u8>, PortError> {
        let longest = SignedDuration::from_hours(24 * i64::from(CertProfile::entra_client().max_days));
        let order = Order { lifetime: order.lifetime.min(longest), ..order };
        let authority = pki::Authority::open(&self.certificate, self.key.duplicate())?;
        pki::LocalCa::new(authority).issue(order).await
    }

    fn duplicate(&self) -> Self {
        Self { certificate: self.certificate.clone(), key: self.key.duplicate() }
    }
}

struct Signs(ThrowAway);

#[async_trait::async_trait]
impl Issuer for Signs {
    async fn issue(&self, order: Order<'_>) -> std::result::Result<Vec<u8>, PortError> {
        self.0.sign(order).await
    }
}

impl Issuers for ThrowAway {
    fn open(&self, _kind: &IssuerKind) -> std::result::Result<Box<dyn Issuer>, PortError> {
        Ok(Box::new(Signs(self.duplicate())))
    }
}

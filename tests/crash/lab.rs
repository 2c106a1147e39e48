//! What the worlds of one test share: an emulator over https, the true clock, a client that trusts it, and a few
//! keys, because making RSA keys takes long.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;

use everkey::clock::ManualClock;
use everkey::emulator::Emulator;
use everkey::emulator::Options;
use everkey::http;
use everkey::model::IssuerKind;
use everkey::model::KeyType;
use everkey::model::PfxProfile;
use everkey::model::Thumbprint;
use everkey::pki::Authority;
use everkey::pki::LocalCa;
use everkey::pki::Tool;
use everkey::ports::CertTool;
use everkey::ports::Issuer;
use everkey::ports::Issuers;
use everkey::ports::MadeCertificate;
use everkey::ports::PortError;
use everkey::secret::Secret;
use jiff::SignedDuration;
use jiff::Timestamp;

pub const START: &str = "2026-11-20T09:00:00Z";

/// Keys that take turns.
const POOL: usize = 4;

/// One emulator and what belongs to it.
pub struct Lab {
    /// The true time: the emulator's.
    pub clock: ManualClock,
    pub emulator: Emulator,
    pub client: http::Client,
}

impl Lab {
    pub async fn start() -> Arc<Self> {
        Self::running(1).await
    }

    /// One that tells whoever asks that its clock runs this much faster; a test moves it accordingly.
    pub async fn running(rate: u32) -> Arc<Self> {
        Self::starting(START, rate).await
    }

    /// One whose time begins at this instant.
    pub async fn starting(at: &str, rate: u32) -> Arc<Self> {
        let clock = ManualClock::new(at.parse().unwrap());
        let mut options = Options::new(Arc::new(clock.clone()));
        options.manual_clock = true;
        options.clock_rate = rate;
        let emulator = Emulator::start(options).await.unwrap();
        let ca_pem = Some(emulator.ca_pem().as_bytes().to_vec());
        let client = http::Client::new(&http::Options { ca_pem, ..http::Options::default() }).unwrap();
        Arc::new(Self { clock, emulator, client })
    }
}

/// The real tool with a pool of keys.
pub struct PooledKeys;

static KEYS: OnceLock<Mutex<(usize, Vec<Secret>)>> = OnceLock::new();

/// The next key of the pool.
pub fn pooled_key() -> Secret {
    let mut pool = KEYS.get_or_init(Mutex::default).lock().unwrap();
    if pool.1.len() < POOL {
        pool.1.push(Tool.generate_key(KeyType::Rsa2048).unwrap());
    }
    pool.0 += 1;
    let at = pool.0 % pool.1.len();
    pool.1[at].duplicate()
}

impl CertTool for PooledKeys {
    fn generate_key(&self, _key: KeyType) -> Result<Secret, PortError> {
        Ok(pooled_key())
    }

    fn self_signed(
        &self,
        key: &Secret,
        subject: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<MadeCertificate, PortError> {
        Tool.self_signed(key, subject, start, end)
    }

    fn request(&self, key: &Secret, subject: &str) -> Result<String, PortError> {
        Tool.request(key, subject)
    }

    fn issued(&self, key: &Secret, subject: &str, given: &[u8]) -> Result<MadeCertificate, PortError> {
        Tool.issued(key, subject, given)
    }

    fn pfx(
        &self,
        key: &Secret,
        certificate: &[u8],
        password: &Secret,
        profile: PfxProfile,
        generated: bool,
    ) -> Result<Secret, PortError> {
        Tool.pfx(key, certificate, password, profile, generated)
    }

    fn key_pem(&self, key: &Secret) -> Result<Secret, PortError> {
        Tool.key_pem(key)
    }

    fn certificate_pem(&self, certificate: &[u8]) -> String {
        Tool.certificate_pem(certificate)
    }

    fn thumbprints(&self, certificate: &[u8]) -> (Thumbprint, String) {
        Tool.thumbprints(certificate)
    }

    fn generate_password(&self) -> Result<Secret, PortError> {
        Tool.generate_password()
    }
}

/// A local CA, `ca:lab` in policies.
pub struct LabIssuers;

static AUTHORITY: OnceLock<(Secret, Vec<u8>)> = OnceLock::new();

impl Issuers for LabIssuers {
    fn open(&self, kind: &IssuerKind) -> Result<Box<dyn Issuer>, PortError> {
        assert_eq!(*kind, IssuerKind::Ca("lab".into()));
        let (key, certificate) = AUTHORITY.get_or_init(|| {
            let key = Tool.generate_key(KeyType::Rsa2048).unwrap();
            let start: Timestamp = START.parse().unwrap();
            let ten_years = SignedDuration::from_hours(24 * 3650);
            let made = Authority::certificate(&key, "CN=Lab CA", start, start + ten_years).unwrap();
            (key, made.der)
        });
        Ok(Box::new(LocalCa::new(Authority::open(certificate, key.duplicate())?)))
    }
}

//! The emulator's own certificate authority and the one certificate it serves with, for https and SMTP.
//! Both are made anew at every start and live in memory; only `ca.pem` is written.
//!
//! TLS knows real time only, whatever the emulator's clock shows: valid from real now - 1 d to + 10 y.

use std::sync::Arc;

use jiff::SignedDuration;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use time::OffsetDateTime;

use super::EmulatorError;
use crate::clock::Clock;
use crate::clock::SystemClock;

/// Names that the certificate is good for.
const NAMES: [&str; 5] = ["localhost", "127.0.0.1", "::1", "vault.localhost", "*.vault.localhost"];

/// The authority's certificate and the server's credential.
#[derive(Clone, Debug)]
pub struct Tls {
    ca_pem: String,
    certificate: CertificateDer<'static>,
    key: Arc<PrivatePkcs8KeyDer<'static>>,
}

impl Tls {
    /// Makes an authority and a server certificate.
    pub fn generate() -> Result<Self, EmulatorError> {
        Self::make().map_err(|error| EmulatorError::crypto("certificate", error))
    }

    /// The authority's certificate in PEM: what clients have to trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// A server configuration that offers these application protocols.
    pub fn server(&self, protocols: &[&str]) -> Result<Arc<ServerConfig>, EmulatorError> {
        let key = PrivateKeyDer::Pkcs8(self.key.clone_key());
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let config = builder
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![self.certificate.clone()], key));
        let mut config = config.map_err(|error| EmulatorError::crypto("TLS configuration", error))?;
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }

    fn make() -> Result<Self, rcgen::Error> {
        let ca_key = KeyPair::generate()?;
        let mut ca = dated(CertificateParams::new(Vec::<String>::new())?);
        ca.distinguished_name.push(DnType::CommonName, "Entra emulator CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_certificate = ca.self_signed(&ca_key)?;

        let key = KeyPair::generate()?;
        let mut leaf = dated(CertificateParams::new(NAMES.map(str::to_owned))?);
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Strict verifiers (Python 3.13) want to see the authority's key named.
        leaf.use_authority_key_identifier_extension = true;
        let certificate = leaf.signed_by(&key, &Issuer::new(ca, ca_key))?;
        Ok(Self {
            ca_pem: ca_certificate.pem(),
            certificate: certificate.der().clone(),
            key: Arc::new(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }
}

fn dated(mut params: CertificateParams) -> CertificateParams {
    let now = SystemClock.now().as_second();
    let day = SignedDuration::from_hours(24).as_secs();
    let at = |second| OffsetDateTime::from_unix_timestamp(second).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    params.not_before = at(now - day);
    params.not_after = at(now + 3653 * day);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
}

//! The port `CertTool`, as thin as it can be: each call has its file in this room.

use jiff::Timestamp;

use super::issued;
use super::keys;
use super::password;
use super::pemtext;
use super::pfx;
use super::request;
use super::self_signed;
use super::thumbprint;
use crate::model::CertProfile;
use crate::model::KeyType;
use crate::model::PfxProfile;
use crate::model::Thumbprint;
use crate::ports::CertTool;
use crate::ports::MadeCertificate;
use crate::ports::PortError;
use crate::secret::Secret;

/// Makes and packs key material on this machine. Holds nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tool;

impl CertTool for Tool {
    fn generate_key(&self, key: KeyType) -> Result<Secret, PortError> {
        Ok(keys::generate(key)?)
    }

    fn self_signed(
        &self,
        key: &Secret,
        subject: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<MadeCertificate, PortError> {
        Ok(self_signed::make(key, subject, &[], &CertProfile::entra_client(), start, end)?)
    }

    fn request(&self, key: &Secret, subject: &str) -> Result<String, PortError> {
        Ok(pemtext::block("CERTIFICATE REQUEST", &request::make_request(key, subject, &[])?))
    }

    fn issued(&self, key: &Secret, subject: &str, given: &[u8]) -> Result<MadeCertificate, PortError> {
        Ok(issued::check(key, subject, given)?)
    }

    fn pfx(
        &self,
        key: &Secret,
        certificate: &[u8],
        password: &Secret,
        profile: PfxProfile,
        generated: bool,
    ) -> Result<Secret, PortError> {
        Ok(pfx::write(key, certificate, &[], password, profile, generated)?)
    }

    fn key_pem(&self, key: &Secret) -> Result<Secret, PortError> {
        // Reading it first refuses bytes that are no key, and brings PKCS#1 and SEC1 to PKCS#8.
        Ok(pemtext::key(&keys::normalise(key.expose())?))
    }

    fn certificate_pem(&self, certificate: &[u8]) -> String {
        pemtext::certificate(certificate)
    }

    fn thumbprints(&self, certificate: &[u8]) -> (Thumbprint, String) {
        (thumbprint::sha1(certificate), thumbprint::sha256(certificate))
    }

    fn generate_password(&self) -> Result<Secret, PortError> {
        Ok(password::generate()?)
    }
}

//! A local CA as an issuer: its profile decides everything but key, subject and dates.

use async_trait::async_trait;

use super::Authority;
use super::PkiError;
use super::load;
use super::request;
use crate::model::CertProfile;
use crate::ports::Issuer;
use crate::ports::Order;
use crate::ports::PortError;

/// Signs certificates for signing in (profile `entra-client`).
pub struct LocalCa {
    authority: Authority,
}

impl LocalCa {
    /// A CA whose certificate and key are at hand.
    pub fn new(authority: Authority) -> Self {
        Self { authority }
    }
}

#[async_trait]
impl Issuer for LocalCa {
    async fn issue(&self, order: Order<'_>) -> Result<Vec<u8>, PortError> {
        let opened = load::open(order.request.as_bytes(), None)?;
        let Some(der) = opened.requests.first() else { return Err(PkiError::Missing("request").into()) };
        let days = u32::try_from((order.lifetime.as_hours() + 23) / 24).unwrap_or(u32::MAX);
        // Signed once with the key of the CA: short enough for the thread it is on.
        let made = self.authority.sign(&request::read_request(der)?, &CertProfile::entra_client(), days, order.now)?;
        Ok(made.der)
    }
}

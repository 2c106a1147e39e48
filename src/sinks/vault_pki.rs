//! `issuer = "vault-pki"`: a PKI engine of HashiCorp Vault or OpenBao signs a request. It stands here because it shares
//! address, CA, loopback rule and sign-in with the sink of the same Vault.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde::Serialize;

use super::remote::Remote;
use super::vault;
use super::vault::Vault;
use super::vault_leases::Leases;
use crate::http::Method;
use crate::model::VaultPkiSpec;
use crate::ports::Issuer;
use crate::ports::Order;
use crate::ports::PortError;
use crate::ports::Refusal;

/// What refusals of this issuer are marked with, so that they are told in its words (`src/run/issuers.rs`).
const CODE: &str = "vault-pki";

/// One role of one engine.
#[derive(Debug)]
pub(super) struct VaultPki {
    common_name: String,
    path: String,
    place: String,
    vault: Vault,
}

#[derive(Serialize)]
struct Ask<'a> {
    csr: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    common_name: &'a str,
    ttl: String,
}

#[derive(Deserialize)]
struct Answer {
    data: Signed,
}

#[derive(Deserialize)]
struct Signed {
    certificate: String,
    #[serde(default)]
    issuing_ca: String,
    #[serde(default)]
    ca_chain: Vec<String>,
}

impl VaultPki {
    pub(super) fn new(spec: &VaultPkiSpec, remote: &Arc<Remote>, leases: Arc<Leases>) -> Result<Self, PortError> {
        let ca_file = spec.ca_file.as_deref();
        Ok(Self {
            common_name: spec.common_name.clone(),
            path: format!("/v1/{}/sign/{}", vault::path(&spec.mount), vault::path(&spec.role)),
            place: spec.place(),
            vault: Vault::new(Arc::clone(remote), leases, &spec.address, &spec.auth, spec.namespace.as_ref(), ca_file)?,
        })
    }

    async fn sign(&self, order: Order<'_>) -> Result<Vec<u8>, PortError> {
        let ask =
            Ask { csr: order.request, common_name: &self.common_name, ttl: format!("{}s", order.lifetime.as_secs()) };
        let request = || self.vault.request(Method::POST, &self.path)?.json(&ask);
        let signed = self.vault.send(request).await?.accept()?.json::<Answer>()?.data;
        // The chain may or may not begin with the issuer; whoever asked finds the one for its key.
        let mut given = vec![signed.certificate, signed.issuing_ca];
        given.extend(signed.ca_chain);
        given.retain(|pem| !pem.trim().is_empty());
        given.dedup();
        Ok(given.join("\n").into_bytes())
    }
}

#[async_trait]
impl Issuer for VaultPki {
    async fn issue(&self, order: Order<'_>) -> Result<Vec<u8>, PortError> {
        let said = |refusal: Refusal| Refusal {
            code: CODE.to_owned(),
            message: format!("{}: {}", self.place, refusal.message),
            ..refusal
        };
        self.sign(order).await.map_err(|error| match error {
            PortError::Denied(refusal) => PortError::Denied(said(refusal)),
            PortError::Missing(refusal) => PortError::Missing(said(refusal)),
            // Ours, before anything was sent, or Vault's.
            PortError::Refused(refusal) if refusal.code != "sink" => PortError::Refused(said(refusal)),
            error => error,
        })
    }
}

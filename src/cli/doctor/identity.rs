//! Who everkey is in the tenant, and by which way it signs in.

use super::Finding;
use super::Status;
use crate::assemble;
use crate::assemble::Online;
use crate::config::Settings;
use crate::entra::claims;
use crate::model::ClientId;
use crate::policy::Auth;
use crate::ports::PortError;

/// everkey's own client id: the configured one, or what the token of a system-assigned identity says. `None` for a
/// person at the Azure CLI, who is signed in all the same.
pub async fn client_id(settings: &Settings, online: &Online) -> Result<Option<ClientId>, PortError> {
    match (&settings.tenant.client_id, &settings.tenant.auth) {
        (Some(client_id), _) => Ok(Some(client_id.clone())),
        (None, Auth::ManagedIdentity) => Ok(claims(&online.tokens.token().await?).client_id),
        (None, Auth::AzureCli) => online.tokens.token().await.map(|_| None),
        (None, _) => Ok(None),
    }
}

/// The way of signing in, in words.
pub fn way(auth: &Auth) -> &'static str {
    match auth {
        Auth::AzureCli => "by the Azure CLI",
        Auth::Certificate { .. } => "by certificate",
        Auth::ManagedIdentity => "by managed identity",
        Auth::Secret(_) => "by client secret",
        Auth::WorkloadIdentity { .. } => "by workload identity",
    }
}

/// Whether the workload's token is meant for the cloud of the tenant: each has an audience of its own.
pub fn exchange(settings: &Settings, online: &Online, findings: &mut Vec<Finding>) {
    let Some(audience) = assemble::workload_claims(settings).and_then(|claims| claims.audience) else { return };
    let wanted = &online.exchange_audience;
    findings.push(if audience.split(' ').any(|one| one == wanted) {
        Finding::ok("audience", format!("of the workload's token: {wanted}"))
    } else {
        Finding::new(
            "audience",
            Status::Warn,
            format!("the workload's token is meant for {audience}, not for {wanted}"),
        )
        .fix(format!(
            "let the platform issue it for {wanted}, or name its audience in the federated credential on Entra's side"
        ))
        .docs("how-to/sign-in-without-a-secret.md")
    });
}

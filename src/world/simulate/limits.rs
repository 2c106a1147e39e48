//! What the tenant allows, as far as somebody says it: an app management policy that caps lifetimes, from a day on.

use jiff::Span;
use jiff::Timestamp;
use serde::Serialize;
use serde::Serializer;
use serde_json::json;
use uuid::Uuid;

use crate::emulator::directory::Directory;
use crate::emulator::directory::MICROSOFT_GRAPH;
use crate::emulator::directory::PermissionKind;
use crate::emulator::directory::Refusal;
use crate::emulator::directory::permissions_of;
use crate::model::AppLimits;
use crate::model::Breach;
use crate::policy::Policy;

/// The longest lifetimes that the tenant allows.
#[derive(Clone, Debug, Serialize)]
pub struct TenantLimits {
    /// Of a certificate.
    #[serde(serialize_with = "friendly")]
    pub certificates: Option<Span>,
    /// Of a client secret.
    #[serde(serialize_with = "friendly")]
    pub secrets: Option<Span>,
    /// From when on; what was made before lives on.
    pub since: Timestamp,
}

impl TenantLimits {
    /// Puts them in force, where everkey's own service principal may read them: it says what is allowed, then.
    pub(super) fn impose(&self, directory: &mut Directory, reader: Uuid, now: Timestamp) -> Result<(), Refusal> {
        let graph = directory.principal_by_app_id(MICROSOFT_GRAPH).map(|graph| graph.id);
        let role = permissions_of(MICROSOFT_GRAPH)
            .iter()
            .find(|one| one.kind == PermissionKind::Application && one.name == "Policy.Read.All");
        if let (Some(graph), Some(role)) = (graph, role) {
            directory.assign_role(reader, graph, role.id, now)?;
        }
        let rules = |kind: &str, most: Option<Span>| {
            let rule = |most: Span| {
                json!({"restrictionType": kind, "state": "enabled", "maxLifetime": most.to_string(),
                       "restrictForAppsCreatedAfterDateTime": null})
            };
            most.into_iter().map(rule).collect::<Vec<_>>()
        };
        let written = json!({
            "isEnabled": true,
            "applicationRestrictions": {
                "passwordCredentials": rules("passwordLifetime", self.secrets),
                "keyCredentials": rules("asymmetricKeyLifetime", self.certificates),
            },
        });
        directory.update_tenant_policy(written.as_object().cloned().unwrap_or_default())
    }

    /// In words: `client secrets of at most 180d, certificates of at most 1y`.
    pub(super) fn words(&self) -> String {
        let kind = |kind: &str, most: Option<Span>| most.map(|most| format!("{kind} of at most {most:#}"));
        let both = [kind("client secrets", self.secrets), kind("certificates", self.certificates)];
        both.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// What the policies alone show: which credentials will be refused, and whether anything is left.
    pub(super) fn notes(&self, policies: &[Policy]) -> Vec<String> {
        let limits = AppLimits {
            certificate_lifetime: self.certificates,
            secret_lifetime: self.secrets,
            ..AppLimits::default()
        };
        let day = self.since.strftime("%Y-%m-%d");
        let mut notes = vec![format!("the tenant is taken to allow {} from {day} on", self.words())];
        let mut fits = false;
        for policy in policies {
            for spec in &policy.credentials {
                let Some(Breach::Lifetime(allowed)) = limits.breach(spec, self.since) else {
                    fits = true;
                    continue;
                };
                let days = |lifetime: jiff::SignedDuration| lifetime.as_hours() / 24;
                notes.push(format!(
                    "{}/{}: its lifetime of {} days is above the {} days that the tenant allows",
                    policy.name,
                    spec.slot,
                    days(spec.lifetime),
                    days(allowed)
                ));
            }
        }
        if !fits {
            notes
                .push(format!("no policy asks for a lifetime that the tenant allows: from {day} on nothing is issued"));
        }
        notes
    }
}

fn friendly<S: Serializer>(span: &Option<Span>, to: S) -> Result<S::Ok, S::Error> {
    span.map(|span| format!("{span:#}")).serialize(to)
}

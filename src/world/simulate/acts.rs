//! What others do to a group: people act, weather falls, another administrator works on the same applications.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::SignedDuration;

use crate::emulator::directory::NewPassword;
use crate::error::Result;
use crate::model::CredentialKind;
use crate::model::Handoff;
use crate::model::IssuerKind;
use crate::model::ValueName;
use crate::policy::Policy;
use crate::ports::Order;
use crate::run::Engine;
use crate::run::RunError;
use crate::run::explain;
use crate::secret::Secret;

use super::cannot;
use super::cohort::Cohort;
use super::cohort::acquire;
use super::limits::TenantLimits;
use super::people::Act;
use super::record::Happening;
use super::record::What;
use super::weather::Blow;

impl Cohort<'_> {
    /// The application that stands in for one of the user's tenant; the same for all policies that name it.
    pub(super) fn application(&self, named: &str, policy: &Policy) -> Result<crate::model::ClientId> {
        let operator = self.far.emulator.operator().service_principal_id;
        let name = format!("stands in for {named}");
        let made = self.far.emulator.with_directory(|directory, now| {
            let known = directory.applications().find(|app| app.display_name == name);
            if let Some(app) = known {
                return Ok(app.app_id);
            }
            let written = serde_json::json!({
                "displayName": name, "signInAudience": policy.app.audience.graph_name(),
                "api": {"requestedAccessTokenVersion": 2},
            });
            let written = serde_json::from_value(written).unwrap_or_default();
            let conduct = crate::emulator::Quirks::default().key_conduct();
            let id = directory.create_application(written, Some(operator), conduct, now)?;
            Ok(directory.application(id).map(|app| app.app_id).unwrap_or_default())
        });
        let made = made.map_err(|refusal: crate::emulator::directory::Refusal| cannot(format!("{refusal:?}")))?;
        Ok(crate::model::ClientId::from(made.to_string()))
    }

    /// What befalls everybody now.
    pub(super) async fn weather(&mut self) -> Result<()> {
        for blow in self.sky.due(self.now()) {
            let allowed = self.limits.as_ref().map(TenantLimits::words).unwrap_or_default();
            let (what, text) = match blow {
                Blow::OutageBegins => (What::OutageBegins, "Microsoft Graph and sign-in cannot be reached".into()),
                Blow::OutageEnds => (What::OutageEnds, "they can be reached again".into()),
                Blow::Crash => (What::Crash, "everkey ends without warning and is started again".into()),
                Blow::ForeignCredential => {
                    (What::Foreign, "another administrator adds a credential of their own".into())
                }
                Blow::Limits => (What::TenantLimits, format!("the tenant allows {allowed}")),
            };
            match blow {
                Blow::OutageBegins => self.far.cut(true),
                Blow::OutageEnds => self.far.cut(false),
                Blow::Crash => self.restart().await?,
                Blow::ForeignCredential => self.foreign(),
                Blow::Limits => self.limit()?,
            }
            // One tenant, however many groups.
            if what != What::TenantLimits || self.stage.number == 0 {
                self.record.note(Happening::new(self.now(), "", what, text));
            }
        }
        Ok(())
    }

    /// The tenant's policy is in force.
    fn limit(&self) -> Result<()> {
        let Some(limits) = &self.limits else { return Ok(()) };
        let imposed = {
            let reader = self.far.emulator.operator().service_principal_id;
            self.far.emulator.with_directory(|directory, now| limits.impose(directory, reader, now))
        };
        imposed.map_err(|refusal| cannot(format!("{refusal:?}")))
    }

    /// A new process: what the last one kept in memory is gone.
    async fn restart(&mut self) -> Result<()> {
        self.store.release(self.fence).await.map_err(|error| explain::store(&error))?;
        self.fence = acquire(&self.store).await?;
        let stop = Arc::new(AtomicBool::new(false));
        self.engine = Engine::new(self.ports.clone(), self.fence, self.settings.clone(), self.record.clone(), stop)
            .concerning(&self.policies);
        Ok(())
    }

    /// A credential of somebody else on every application that has room for it.
    fn foreign(&self) {
        let operator = self.far.emulator.operator().application_id;
        self.far.emulator.with_directory(|directory, now| {
            let apps: Vec<_> = directory
                .applications()
                .filter(|app| app.id != operator && !app.allows_personal_accounts())
                .map(|app| app.id)
                .collect();
            for app in apps {
                let new = NewPassword {
                    display_name: Some("made by hand".to_owned()),
                    end_date_time: now.checked_add(SignedDuration::from_hours(24 * 365)).ok(),
                    start_date_time: None,
                };
                // Where the application is full there is nothing to add.
                let _ = directory.add_password(app, new, now);
            }
        });
    }

    /// A person acts through the same calls as `everkey handoff` and `everkey cert answer`.
    pub(super) async fn act(&mut self, act: &Act) -> Result<()> {
        let now = self.now();
        match act {
            Act::Open { id, by } => {
                let opened = match self.engine.open_handoff(id, by).await {
                    Ok(opened) => opened,
                    // Closed or replaced meanwhile: there is nothing to carry.
                    Err(RunError::Said(_)) => return Ok(()),
                    Err(stopped) => return Err(stopped.into_error()),
                };
                let values: BTreeMap<ValueName, Secret> =
                    opened.lines.into_iter().filter_map(|(field, value)| Some((field.value?, value?))).collect();
                let handoff = opened.handoff;
                self.consumers.typed((&handoff.integration, &handoff.slot, &handoff.sink), values, now);
                self.did(What::Opened, &handoff, by, &format!("passed on to {}", handoff.recipient_name));
            }
            Act::Confirm { id, by } => match self.engine.confirm_handoff(id, by).await {
                Ok(handoff) => {
                    self.did(What::Confirmed, &handoff, by, &format!("{} uses it", handoff.recipient_name));
                }
                Err(RunError::Said(_)) => {}
                Err(stopped) => return Err(stopped.into_error()),
            },
            Act::Answer { integration, request, by } => {
                let policy = self.policies.iter().find(|policy| policy.name == *integration);
                let lifetime = policy.and_then(|policy| {
                    let asked = |kind: &CredentialKind| {
                        matches!(kind, CredentialKind::Certificate(spec) if spec.issuer == IssuerKind::Csr)
                    };
                    policy.credentials.iter().find(|spec| asked(&spec.kind)).map(|spec| spec.lifetime)
                });
                let Some(lifetime) = lifetime else { return Ok(()) };
                let order = Order { request, now, lifetime };
                let signed = self.stage.tools.issuers.sign(order).await.map_err(cannot)?;
                match self.engine.take_certificate(integration, None, &signed, by).await {
                    Ok(_) => {
                        let text = "brought back the certificate for the request";
                        let mut happening = Happening::new(now, integration.as_str(), What::Answered, text);
                        happening.people = vec![by.clone()];
                        self.record.note(happening);
                    }
                    Err(RunError::Said(_)) => {}
                    Err(stopped) => return Err(stopped.into_error()),
                }
            }
        }
        Ok(())
    }

    fn did(&self, what: What, handoff: &Handoff, by: &str, text: &str) {
        let mut happening = Happening::new(self.now(), handoff.integration.as_str(), what, text);
        happening.handoff = self.record.handoff(&handoff.id);
        happening.credential = Some(handoff.slot.to_string());
        happening.people = vec![by.to_owned()];
        self.record.note(happening);
    }
}

//! Own live certificates that somebody else's PATCH lost come back from the journal.

use jiff::SignedDuration;

use crate::model::CertificateEntry;
use crate::model::CredentialKind;
use crate::model::OwnCredential;
use crate::model::State;
use crate::plan::Observed;
use crate::policy::Policy;
use crate::ports::PortError;
use crate::rotation::union::is_same;
use crate::run::engine::Engine;
use crate::run::explain;
use crate::run::setup::RunError;

/// A certificate attached for longer than this is missing only because somebody took it away.
const LONG_ATTACHED: SignedDuration = SignedDuration::from_hours(2);

impl Engine {
    /// Own live certificates that two reads in a row do not list are added again from the journal: somebody's
    /// PATCH lost them. Says so in the history. Returns whether anything was restored.
    pub(super) async fn restore_lost(&self, policies: &[Policy], observed: &Observed) -> Result<bool, RunError> {
        let mut restored = false;
        for policy in policies {
            let Some(app) = observed.integrations.get(&policy.name).and_then(|seen| seen.app.as_ref()) else {
                continue;
            };
            let rotations = self.ports.store.rotations(&policy.name).await?;
            let Some(rotation) = rotations
                .iter()
                .rfind(|r| matches!(r.spec.kind, CredentialKind::Certificate(_)) && r.state != State::UploadIntent)
            else {
                continue;
            };
            let now = self.now();
            let settled = |own: &&OwnCredential| own.end > now && now.duration_since(own.start) > LONG_ATTACHED;
            let live = self.live(rotation).await?;
            let listed = |read: &[CertificateEntry], own: &OwnCredential| {
                read.iter().any(|entry| is_same(entry, own.thumbprint.as_ref()))
            };
            if live.iter().filter(settled).all(|own| listed(&app.certificates, own)) {
                continue;
            }
            self.ready().await?;
            let read = match self.ports.directory.key_credentials(&rotation.app.object_id).await {
                Ok(read) => read.value,
                Err(_) => continue,
            };
            let lost: Vec<&OwnCredential> = live.iter().filter(settled).filter(|own| !listed(&read, own)).collect();
            if lost.is_empty() {
                continue;
            }
            let names: Vec<String> = lost.iter().map(|own| own.key_id.to_string()).collect();
            let text = format!("own certificates are gone from Entra, added again: {}", names.join(", "));
            self.note(&policy.name, "restore", &text).await?;
            match self.patch_on_record(rotation, &read, None).await?.1 {
                Ok(()) | Err(PortError::Unsure { .. }) => restored = true,
                Err(error) => {
                    let problem = explain::problem(&error, "put our certificate back");
                    self.note(&policy.name, "restore", &problem.summary).await?;
                }
            }
        }
        Ok(restored)
    }
}

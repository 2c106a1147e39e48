//! What a PATCH of ours dropped of others, or of the upload itself: found by the pre-image, put back, and said (C3, C4).

use crate::model::AmbiguousCall;
use crate::model::CertificateEntry;
use crate::model::Event;
use crate::model::Rotation;
use crate::ports::PortError;
use crate::rotation::Mutation;
use crate::rotation::numbers::SETTLE;
use crate::rotation::union;
use crate::rotation::union::is_same;
use crate::rotation::union::same_entry;
use crate::run::act::Acted;
use crate::run::engine::Engine;
use crate::run::explain;
use crate::run::setup::RunError;
use crate::run::upload::READ_PAUSE;

impl Engine {
    /// Whether something that the pre-image shows of others can be missing because of us: a PATCH may have landed late, another
    /// rotation works on the application, or the upload itself is a PATCH. Else somebody took their own away.
    async fn may_be_our_loss(&self, r: &Rotation, read: &[CertificateEntry]) -> Result<bool, RunError> {
        let open = self.ports.store.unfinished().await?;
        let others = open.iter().any(|other| other.id != r.id && other.app.object_id == r.app.object_id);
        Ok(others
            || union::may_have_dropped(r, self.patch_in_flight(r).await?)
            || self.prover(r, read).await?.is_none())
    }

    /// A foreign entry that the pre-image shows and the read does not: put back, and said.
    pub(super) async fn repair(&self, r: &Rotation, read: &[CertificateEntry]) -> Acted {
        let lost = self.lost(r, read).await?;
        if lost.is_empty() || !self.may_be_our_loss(r, read).await? {
            return Ok(None);
        }
        self.tell_lost(r, &lost).await?;
        let r = &self.intend_again(r).await?;
        match self.patch(r, read, None, None).await? {
            Ok(()) => {
                self.commit(r, &Event::UploadAccepted, self.blank()).await?;
                Ok(Some(self.now() + READ_PAUSE))
            }
            Err(error) => {
                let r = if matches!(error, PortError::Unsure { .. }) {
                    self.commit(r, &Event::CallAmbiguous { call: AmbiguousCall::Patch }, self.blank()).await?
                } else {
                    r.clone()
                };
                self.fail(&r, explain::problem(&error, "put a certificate back"), false).await
            }
        }
    }

    /// C4, after the drain: what a late PATCH of ours dropped is put back, and then it is proven.
    pub(super) async fn check_dropped(&self, r: &Rotation) -> Acted {
        let Some(fresh) = &r.fresh else { return Ok(None) };
        self.ready().await?;
        let read = match self.ports.directory.key_credentials(&r.app.object_id).await {
            Ok(read) => read.value,
            Err(error) => return self.fail(r, explain::problem(&error, "read the certificates"), false).await,
        };
        let lost = self.lost(r, &read).await?;
        if lost.is_empty() && read.iter().any(|entry| is_same(entry, fresh.thumbprint.as_ref())) {
            return self.probe(r).await;
        }
        if !lost.is_empty() {
            self.tell_lost(r, &lost).await?;
        }
        let (r, answer) = self.patch_on_record(r, &read, None).await?;
        match answer {
            // Read too early it would not show yet, and be sent again.
            Ok(()) => Ok(Some(self.now() + SETTLE)),
            Err(error) => self.fail(&r, explain::problem(&error, "put a certificate back"), false).await,
        }
    }

    /// What the pre-image shows of others, and `read` does not.
    pub(super) async fn lost(
        &self,
        r: &Rotation,
        read: &[CertificateEntry],
    ) -> Result<Vec<CertificateEntry>, RunError> {
        if self.options.rules.breaks(Mutation::NoPreImageRepair) {
            return Ok(Vec::new());
        }
        // What we made ourselves is no foreign loss, whatever became of it: the sweep may just have removed it.
        let own = self.ports.store.credentials(None).await?;
        let is_own = |entry: &CertificateEntry| {
            own.iter().any(|own| own.key_id == entry.key_id || is_same(entry, own.thumbprint.as_ref()))
        };
        let is_leaving = |entry: &CertificateEntry| r.removals.iter().any(|removal| removal.key_id == entry.key_id);
        let missing = r.pre_image.iter().filter(|entry| !read.iter().any(|listed| same_entry(listed, entry)));
        Ok(missing.filter(|entry| !is_own(entry) && !is_leaving(entry)).cloned().collect())
    }

    /// A PATCH sends what the pre-image shows of others although the last reading does not: stale, or they have just taken
    /// it away, and it comes back.
    pub(super) async fn tell_kept(&self, r: &Rotation, read: &[CertificateEntry]) -> Result<(), RunError> {
        let kept = self.lost(r, read).await?;
        if kept.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = kept.iter().map(|entry| entry.key_id.to_string()).collect();
        let text = format!("seen a moment ago and missing now, kept in our upload: {}", names.join(", "));
        self.note(&r.integration, "foreign", &text).await
    }

    async fn tell_lost(&self, r: &Rotation, lost: &[CertificateEntry]) -> Result<(), RunError> {
        let names: Vec<String> = lost.iter().map(|entry| entry.key_id.to_string()).collect();
        let text = format!("missing after our upload, put back: {}", names.join(", "));
        self.note(&r.integration, "foreign", &text).await
    }
}

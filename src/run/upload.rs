//! Certificates on the application: addKey and removeKey by proof where a live key allows it, else PATCH with
//! pre-image, union, re-read and repair (C3, C4, C7).

use std::collections::BTreeSet;
use std::sync::Mutex;

use jiff::SignedDuration;

use crate::model::AmbiguousCall;
use crate::model::CertificateEntry;
use crate::model::CredentialStatus;
use crate::model::Event;
use crate::model::Fresh;
use crate::model::KeyId;
use crate::model::OwnCredential;
use crate::model::Rotation;
use crate::model::RotationId;
use crate::model::State;
use crate::ports::PortError;
use crate::rotation::Mutation;
use crate::rotation::numbers::DISPLAY_NAME_MAX;
use crate::rotation::numbers::SETTLE;
use crate::rotation::tag;
use crate::rotation::union;
use crate::rotation::union::is_same;
use crate::run::act::Acted;
use crate::run::act::own_credential;
use crate::run::engine::Engine;
use crate::run::explain;
use crate::run::seals;
use crate::run::setup::RunError;
use crate::secret::Secret;

/// Pause between the two reads that must both show an upload.
pub(super) const READ_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// The uploads that this process began, by rotation and attempt; another life knows nothing of them, and then
/// the journal's word counts.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<BTreeSet<(RotationId, u32)>>);

impl Uploads {
    fn of(r: &Rotation) -> (RotationId, u32) {
        (r.id, r.attempt().map_or(0, |attempt| attempt.number))
    }

    fn begin(&self, r: &Rotation) {
        if let Ok(mut all) = self.0.lock() {
            all.insert(Self::of(r));
        }
    }

    fn is_begun(&self, r: &Rotation) -> bool {
        self.0.lock().is_ok_and(|all| all.contains(&Self::of(r)))
    }

    /// Whether an upload was begun here whose answer is not known yet: no place to stop at, for the next life
    /// would have to wait until it can no longer land.
    pub(super) fn is_in_flight(&self, r: &Rotation) -> bool {
        r.state == State::UploadIntent && r.accepted.is_none() && r.failure.is_none() && self.is_begun(r)
    }
}

/// A live own certificate with which a proof can be signed.
pub(super) struct Prover {
    certificate: Vec<u8>,
    key: Secret,
}

impl Engine {
    /// C3: the pre-image is recorded before anything is sent.
    pub(super) async fn upload(&self, r: &Rotation) -> Acted {
        self.ready().await?;
        let mut before = match self.ports.directory.key_credentials(&r.app.object_id).await {
            Ok(read) => {
                self.far.note(read.date);
                read.value
            }
            Err(error) => return self.fail(r, explain::problem(&error, "read the certificates"), false).await,
        };
        // An earlier attempt saw it, and a PATCH of ours was late.
        if union::may_have_dropped(r, self.patch_in_flight(r).await?) {
            before.extend(self.lost(r, &before).await?);
        }
        if self.options.rules.breaks(Mutation::DeliverBeforeUpload)
            && let Some(fresh) = &r.fresh
        {
            self.deliver_early(r, fresh).await;
        }
        let event = Event::UploadIntended { pre_image: before };
        self.commit(r, &event, self.blank()).await?;
        self.uploads.begin(r);
        Ok(None)
    }

    /// C3 to C4: is it there in two reads, and is everybody else's still there?
    pub(super) async fn check_upload(&self, r: &Rotation) -> Acted {
        let Some(fresh) = &r.fresh else { return Ok(None) };
        // D4: found at start, an intent may have been sent by an earlier life, and may still land.
        if !self.uploads.is_begun(r) {
            self.uploads.begin(r);
            if r.accepted.is_some() {
                return Ok(None);
            }
            let event = Event::CallAmbiguous { call: AmbiguousCall::Patch };
            self.commit(r, &event, self.blank()).await?;
            return Ok(None);
        }
        let mut listed = None;
        for _ in 0..2 {
            self.fenced().await?;
            match self.ports.directory.key_credentials(&r.app.object_id).await {
                Ok(read) => {
                    self.far.note(read.date);
                    listed = Some(read.value);
                }
                Err(error) => return self.fail(r, explain::problem(&error, "read the certificates"), false).await,
            }
            let shows = listed.iter().flatten().any(|entry| is_same(entry, fresh.thumbprint.as_ref()));
            if !shows {
                return self.send_upload(r, fresh, listed.unwrap_or_default()).await;
            }
        }
        let listed = listed.unwrap_or_default();
        if let Some(wait) = self.repair(r, &listed).await? {
            return Ok(Some(wait));
        }
        let Some(entry) = listed.iter().find(|entry| is_same(entry, fresh.thumbprint.as_ref())) else {
            return Ok(None);
        };
        let fresh = Fresh { key_id: entry.key_id.clone(), ..fresh.clone() };
        let mut commit = self.blank();
        commit.credentials.push(own_credential(r, &fresh, CredentialStatus::Fresh));
        self.commit(r, &Event::Attached { fresh }, commit).await?;
        Ok(None)
    }

    /// Sends the upload; the same material again is idempotent in effect (identity is the thumbprint).
    async fn send_upload(&self, r: &Rotation, fresh: &Fresh, read: Vec<CertificateEntry>) -> Acted {
        // Accepted a while ago: the read is stale, and addKey again would make a second entry.
        if r.accepted.is_some_and(|at| self.now().duration_since(at) < SETTLE) {
            return Ok(Some(self.now() + READ_PAUSE));
        }
        let r = &self.intend_again(r).await?;
        // Sent a moment ago: the read may be stale. Give it time before sending again. The first time counts: each life adds
        // one (D4), and one that is started for every step would wait for ever.
        let began = r.attempt().map_or(r.planned, |attempt| attempt.started);
        let uploads = r.ambiguous.iter().filter(|(call, at)| *call != AmbiguousCall::Remove && *at >= began);
        if uploads.map(|(_, at)| *at).min().is_some_and(|at| self.now().duration_since(at) < READ_PAUSE) {
            return Ok(Some(self.now() + READ_PAUSE));
        }
        let entry = new_entry(r, fresh);
        let prover = self.prover(r, &read).await?;
        if prover.is_none() {
            self.tell_kept(r, &read).await?;
        }
        let (answer, call) = match prover {
            Some(prover) => match self.add_key(r, &entry, &prover).await? {
                // The proof was not taken: PATCH is the other way.
                Err(PortError::Denied(_) | PortError::Refused(_)) => {
                    self.tell_kept(r, &read).await?;
                    (self.patch(r, &read, Some(entry), None).await?, AmbiguousCall::Patch)
                }
                other => (other, AmbiguousCall::Add),
            },
            None => (self.patch(r, &read, Some(entry), None).await?, AmbiguousCall::Patch),
        };
        match answer {
            Ok(()) => {
                self.commit(r, &Event::UploadAccepted, self.blank()).await?;
                Ok(None)
            }
            Err(error @ PortError::Unsure { .. }) => {
                let r = self.commit(r, &Event::CallAmbiguous { call }, self.blank()).await?;
                self.fail(&r, explain::problem(&error, "upload the certificate"), false).await
            }
            Err(error) => {
                let problem = explain::problem(&error, "upload the certificate");
                // Made under a clock that was far behind, it has ended already.
                let has_ended = matches!(error, PortError::Refused(_)) && fresh.end <= self.later();
                if has_ended || matches!(problem.code.as_str(), "G041" | "G042") {
                    // It will never be taken: the next attempt makes another, as the policy then says.
                    let mut commit = self.blank();
                    commit.destroy.extend(fresh.seals.iter().cloned());
                    let r = self.commit(r, &Event::AttemptRefused, commit).await?;
                    return self.fail(&r, problem, true).await;
                }
                let blocked = matches!(error, PortError::Refused(_) | PortError::Denied(_));
                self.fail(r, problem, blocked).await
            }
        }
    }

    /// An upload that was taken is sent once more: from here on, something may be in flight again.
    pub(super) async fn intend_again(&self, r: &Rotation) -> Result<Rotation, RunError> {
        if r.accepted.is_none() {
            return Ok(r.clone());
        }
        let event = Event::UploadIntended { pre_image: r.pre_image.clone() };
        self.commit(r, &event, self.blank()).await
    }

    /// C7: removeKey by proof of the new one, else PATCH without the old one.
    pub(super) async fn remove_certificate(
        &self,
        r: &Rotation,
        key_id: &KeyId,
    ) -> Result<(Rotation, Result<(), PortError>, AmbiguousCall), RunError> {
        let read = match self.ports.directory.key_credentials(&r.app.object_id).await {
            Ok(read) => read.value,
            Err(error) => return Ok((r.clone(), Err(error), AmbiguousCall::Remove)),
        };
        // Graph may list it under another id than the one it first gave.
        let thumbprint = r.old.iter().find(|old| old.key_id == *key_id).and_then(|old| old.thumbprint.as_ref());
        let named = read.iter().find(|entry| entry.key_id == *key_id);
        let Some(entry) = named.or_else(|| read.iter().find(|entry| is_same(entry, thumbprint))) else {
            // Not listed: gone, or a stale read. A removal of what is not there is success all the same.
            return Ok((r.clone(), Ok(()), AmbiguousCall::Remove));
        };
        let entry = entry.clone();
        if let Some(prover) = self.prover_not(r, &read, key_id).await?
            && let Ok(proof) = self.ports.tokens.proof(&r.app.object_id, &prover.key, &prover.certificate)
        {
            self.fenced().await?;
            match self.ports.directory.remove_key(&r.app.object_id, &entry.key_id, &proof).await {
                Err(PortError::Denied(_) | PortError::Refused(_)) => {}
                other => return Ok((r.clone(), other, AmbiguousCall::Remove)),
            }
        }
        let (r, answer) = self.patch_on_record(r, &read, Some(&entry)).await?;
        Ok((r, answer, AmbiguousCall::Patch))
    }

    /// A PATCH that no upload's intent stands for. It is on record before it is sent: its body lacks what others add
    /// meanwhile, so that neither a crash nor a lost answer may let anybody forget that it can still land.
    pub(super) async fn patch_on_record(
        &self,
        r: &Rotation,
        read: &[CertificateEntry],
        gone: Option<&CertificateEntry>,
    ) -> Result<(Rotation, Result<(), PortError>), RunError> {
        let call = AmbiguousCall::Patch;
        let r = self.commit(r, &Event::CallSent { call }, self.blank()).await?;
        let answer = self.patch(&r, read, None, gone).await?;
        if matches!(answer, Err(PortError::Unsure { .. })) {
            return Ok((r, answer));
        }
        Ok((self.commit(&r, &Event::CallAnswered { call }, self.blank()).await?, answer))
    }

    async fn add_key(
        &self,
        r: &Rotation,
        entry: &CertificateEntry,
        prover: &Prover,
    ) -> Result<Result<(), PortError>, RunError> {
        let proof = match self.ports.tokens.proof(&r.app.object_id, &prover.key, &prover.certificate) {
            Ok(proof) => proof,
            Err(error) => return Ok(Err(error)),
        };
        self.fenced().await?;
        Ok(self.ports.directory.add_key(&r.app.object_id, entry, &proof).await.map(|_| ()))
    }

    /// Sends the collection that [`union::body`] makes of `read`.
    pub(super) async fn patch(
        &self,
        r: &Rotation,
        read: &[CertificateEntry],
        new: Option<CertificateEntry>,
        gone: Option<&CertificateEntry>,
    ) -> Result<Result<(), PortError>, RunError> {
        let live = self.live(r).await?;
        let body = union::body(r, read, &live, new, gone, self.options.rules);
        self.fenced().await?;
        Ok(self.ports.directory.replace_keys(&r.app.object_id, &body).await)
    }

    /// Own certificates of the application that must never be missing from a PATCH.
    pub(super) async fn live(&self, r: &Rotation) -> Result<Vec<OwnCredential>, RunError> {
        let own = self.ports.store.credentials(None).await?;
        // What another rotation of the application removes is as little live as what this one does.
        let others = self.ports.store.unfinished().await?;
        let intended = |key_id: &KeyId| {
            let all = others.iter().filter(|other| other.app.object_id == r.app.object_id).chain([r]);
            all.flat_map(|r| &r.removals).any(|removal| removal.key_id == *key_id)
        };
        Ok(own
            .into_iter()
            .filter(|own| own.app.object_id == r.app.object_id && own.certificate.is_some())
            .filter(|own| {
                matches!(own.status, CredentialStatus::Fresh | CredentialStatus::Current | CredentialStatus::Old)
            })
            .filter(|own| !intended(&own.key_id))
            .collect())
    }

    pub(super) async fn prover(&self, r: &Rotation, read: &[CertificateEntry]) -> Result<Option<Prover>, RunError> {
        self.prover_not(r, read, &KeyId(String::new())).await
    }

    /// A live own certificate, listed in `read`, whose private key is still sealed; not `key_id`.
    async fn prover_not(
        &self,
        r: &Rotation,
        read: &[CertificateEntry],
        key_id: &KeyId,
    ) -> Result<Option<Prover>, RunError> {
        let now = self.now();
        let live = self.live(r).await?;
        let usable = live.into_iter().filter(|own| {
            own.key_id != *key_id && own.end > now && read.iter().any(|entry| is_same(entry, own.thumbprint.as_ref()))
        });
        for own in usable {
            let (Some(id), Some(certificate)) = (seals::find(&own.seals, seals::PRIVATE_KEY), own.certificate.clone())
            else {
                continue;
            };
            if let Ok(key) = self.ports.store.unseal(id, &own.app).await {
                return Ok(Some(Prover { certificate, key }));
            }
        }
        Ok(None)
    }
}

fn new_entry(r: &Rotation, fresh: &Fresh) -> CertificateEntry {
    let tag = r.attempt().map(|attempt| attempt.tag.clone()).unwrap_or_default();
    let name = tag::display_name(&r.spec.description, &tag);
    CertificateEntry {
        key_id: fresh.key_id.clone(),
        display_name: Some(name.chars().take(DISPLAY_NAME_MAX).collect()),
        thumbprint: fresh.thumbprint.clone(),
        custom_key_identifier: fresh.thumbprint.as_ref().map(ToString::to_string),
        kind: "AsymmetricX509Cert".into(),
        usage: "Verify".into(),
        start: fresh.start,
        end: fresh.end,
        key: fresh.certificate.clone(),
    }
}

//! Stage of a certificate: from the sealed key, by an issuer or by itself, to a certificate that is ready to be
//! attached (C1 to C2).

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::alert;
use crate::error::Class;
use crate::error::Error;
use crate::model::CertificateSpec;
use crate::model::CredentialKind;
use crate::model::Entry;
use crate::model::Event;
use crate::model::Fresh;
use crate::model::IntegrationName;
use crate::model::IssuerKind;
use crate::model::KeyId;
use crate::model::Notice;
use crate::model::NoticeRequest;
use crate::model::Rotation;
use crate::model::SlotName;
use crate::ports::MadeCertificate;
use crate::ports::Order;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::ports::Store;
use crate::rotation;
use crate::run::act::Acted;
use crate::run::engine::Engine;
use crate::run::explain;
use crate::run::issuers;
use crate::run::seals;
use crate::run::setup::RunError;
use crate::secret::Secret;

/// notBefore of a certificate lies this far back (policy.md, profile `entra-client`).
const BACKDATED: SignedDuration = SignedDuration::from_hours(1);

/// A certificate whose notBefore is further ahead than this cannot be proven now.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

impl Engine {
    /// C1: the request is journalled before anybody is asked with it, so that asking again asks for the same.
    pub(super) async fn make_request(&self, r: &Rotation) -> Acted {
        let CredentialKind::Certificate(spec) = &r.spec.kind else { return Ok(None) };
        let key = self.sealed_key(r).await?;
        let request = match self.ports.certs.request(&key, &spec.subject) {
            Ok(request) => request,
            Err(error) => return self.fail(r, explain::problem(&error, "make the certificate request"), true).await,
        };
        let mut commit = self.blank();
        if spec.issuer == IssuerKind::Csr {
            commit.notices.extend(self.request_ready(r, spec, &request));
        }
        self.commit(r, &Event::Requested { request }, commit).await?;
        Ok(None)
    }

    fn request_ready(&self, r: &Rotation, spec: &CertificateSpec, pem: &str) -> Option<Notice> {
        let watched = self.watched_now(r)?;
        let due = rotation::certificate_due(r).map(|due| alert::local_date(&watched.calendar, due));
        let request = NoticeRequest { pem: pem.to_owned(), subject: spec.subject.clone(), due };
        Some(alert::request_ready(&watched, request, &self.options.alerts, self.now()))
    }

    /// C2.
    pub(super) async fn make_certificate(&self, r: &Rotation) -> Acted {
        let (CredentialKind::Certificate(spec), Some(attempt)) = (&r.spec.kind, r.attempt()) else {
            return Ok(None);
        };
        let key = self.sealed_key(r).await?;
        let start = attempt.start.checked_sub(BACKDATED).unwrap_or(attempt.start);
        let certs = &self.ports.certs;
        let issuer = self.present_issuer(r, &spec.issuer);
        let made = match (issuer, &r.request) {
            (IssuerKind::SelfSigned, _) => certs.self_signed(&key, &spec.subject, start, attempt.end),
            (_, None) => return Ok(None),
            (kind, Some(request)) => {
                self.ready().await?;
                match self.ask(kind, Order { request, now: self.now(), lifetime: r.spec.lifetime }).await {
                    Ok(given) => certs.issued(&key, &spec.subject, &given).and_then(|made| self.usable(r, made)),
                    Err(error) => Err(error),
                }
            }
        };
        match made {
            Ok(made) => {
                let fresh = certificate(r, made);
                self.commit(r, &Event::CertificateMade { fresh }, self.blank()).await?;
                Ok(None)
            }
            Err(error) => {
                // Asking again asks for the same, so what passes by itself is no reason to call somebody at once.
                let passes = matches!(error, PortError::Throttled { .. } | PortError::Unsure { .. });
                let blocked = !passes && !matches!(error, PortError::Local(_) | PortError::Unreachable { .. });
                self.fail(r, issuers::problem(&error, issuer, "make the certificate"), blocked).await
            }
        }
    }

    async fn ask(&self, kind: &IssuerKind, order: Order<'_>) -> Result<Vec<u8>, PortError> {
        self.ports.issuers.open(kind)?.issue(order).await
    }

    /// Whether it lives long enough to be worth attaching.
    fn usable(&self, r: &Rotation, made: MadeCertificate) -> Result<MadeCertificate, PortError> {
        let now = self.now();
        let refuse = |why: String| {
            Err(PortError::Refused(Refusal { code: "certificate".into(), message: why, ..Refusal::default() }))
        };
        let least = now.checked_add(r.spec.min_life.max(r.spec.overlap)).unwrap_or(Timestamp::MAX);
        if made.end <= least {
            return refuse(format!("it ends on {}, too soon: it must outlive {least}", made.end));
        }
        if made.start > now + CLOCKS {
            return refuse(format!("it is not valid before {}", made.start));
        }
        Ok(made)
    }

    /// The certificate that a person brings back for the request of `slot` (the only one that waits, without it).
    ///
    /// # Errors
    /// `R052` when no request waits; what is wrong with the certificate.
    pub async fn take_certificate(
        &self,
        integration: &IntegrationName,
        slot: Option<&SlotName>,
        given: &[u8],
        by: &str,
    ) -> Result<Rotation, RunError> {
        let r = waiting_request(self.ports.store.as_ref(), integration, slot).await?;
        let CredentialKind::Certificate(spec) = &r.spec.kind else { return Err(no_request(integration).into()) };
        let key = self.sealed_key(&r).await?;
        let made = self
            .ports
            .certs
            .issued(&key, &spec.subject, given)
            .and_then(|made| self.usable(&r, made))
            .map_err(RunError::port("take this certificate"))?;
        let mut commit = self.blank();
        commit.entries.push(Entry {
            integration: Some(r.integration.clone()),
            rotation: Some(r.id),
            kind: "certificate".into(),
            text: format!("certificate {} brought back by {by}", made.thumbprint),
            body: serde_json::Value::Null,
        });
        let fresh = certificate(&r, made);
        self.commit(&r, &Event::CertificateMade { fresh }, commit).await
    }

    async fn sealed_key(&self, r: &Rotation) -> Result<Secret, RunError> {
        let attempt = r.attempt().map_or(0, |attempt| attempt.number);
        Ok(self.ports.store.unseal(&seals::id(r.id, attempt, seals::PRIVATE_KEY), &r.app).await?)
    }
}

/// The rotation of `integration` whose request waits for a person.
///
/// # Errors
/// `R052` when there is none, or more than one without a `slot`.
pub async fn waiting_request(
    store: &dyn Store,
    integration: &IntegrationName,
    slot: Option<&SlotName>,
) -> Result<Rotation, RunError> {
    let mut waiting: Vec<Rotation> = store
        .rotations(integration)
        .await?
        .into_iter()
        .filter(|r| r.waits_for_certificate() && slot.is_none_or(|slot| *slot == r.spec.slot))
        .collect();
    match (waiting.pop(), waiting.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(no_request(integration).into()),
        (Some(_), false) => {
            let what = format!("{integration} has more than one certificate request that waits");
            Err(Error::new(Class::Usage, "R052", what).help(format!("name the slot: {integration}/SLOT")).into())
        }
    }
}

fn no_request(integration: &IntegrationName) -> Error {
    Error::new(Class::Failed, "R052", format!("no certificate request of {integration} waits for an answer"))
        .help("see where it stands: everkey status")
}

/// The new credential of `r`, not yet attached.
fn certificate(r: &Rotation, made: MadeCertificate) -> Fresh {
    let attempt = r.attempt().map_or(0, |attempt| attempt.number);
    let mut sealed = vec![seals::id(r.id, attempt, seals::PRIVATE_KEY)];
    if seals::wants_generated_password(r) {
        sealed.push(seals::id(r.id, attempt, seals::PFX_PASSWORD));
    }
    Fresh {
        attempt,
        key_id: KeyId(uuid::Uuid::new_v4().to_string()),
        hint: None,
        thumbprint: Some(made.thumbprint),
        certificate: Some(made.der),
        start: made.start,
        end: made.end,
        seals: sealed,
    }
}

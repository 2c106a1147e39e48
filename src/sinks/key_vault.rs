//! The sink `azure-key-vault`: a secret, or a certificate by PFX import.
//!
//! A vault cannot compare before it writes; every write makes a version, and old ones stay. So we look first: tags say
//! whether the latest version is ours and which rotation made it. A version of somebody else is left alone.

mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use jiff::Timestamp;

use super::error::Result;
use super::error::SinkError;
use super::error::payload_value;
use super::marks::Holder;
use super::remote::Remote;
use super::remote::Writer;
use super::remote::conflict;
use super::remote::differs;
use super::remote::not_sent;
use crate::http::Method;
use crate::http::Reply;
use crate::http::Request;
use crate::http::Site;
use crate::model::KeyVaultSpec;
use crate::model::ValueName;
use crate::ports::Payload;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::ports::Sink;
use crate::secret::Fingerprint;
use crate::secret::Secret;
use wire::Bundle;
use wire::Failed;
use wire::Listed;
use wire::MARK_CREDENTIAL;
use wire::Versions;

/// The version of the interface, which every vault has had for years.
const API: &str = "7.4";

/// How often a name that is being recovered is looked for, and how far apart.
const RECOVERY_LOOKS: u32 = 6;
const RECOVERY_WAIT: SignedDuration = SignedDuration::from_secs(2);

/// Most pages of versions that are looked at.
const VERSION_PAGES: u32 = 40;

/// One object of a vault.
#[derive(Debug)]
pub(super) struct KeyVaultSink {
    holder: Holder,
    place: String,
    remote: Arc<Remote>,
    site: Site,
    spec: KeyVaultSpec,
}

impl KeyVaultSink {
    /// The host is made of the vault's name and the suffix of the tenant's cloud: no policy can send a token elsewhere.
    pub(super) fn new(spec: &KeyVaultSpec, holder: Holder, remote: Arc<Remote>) -> Result<Self, PortError> {
        let Some(suffix) = &remote.vault_suffix else {
            let why = "the tenant's cloud has no key vaults: set `vault_suffix` of its custom cloud in everkey.toml";
            return Err(SinkError::refused(why).into());
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if spec.vault.is_empty() || !spec.vault.chars().chain(spec.name.chars()).all(plain) {
            return Err(SinkError::refused(format!("`{}` is not a name in a vault", spec.place())).into());
        }
        let host = format!("{}.{suffix}", spec.vault);
        let address = format!("https://{host}");
        remote.stays(&address)?;
        let site = remote.cloud.at(&address)?;
        let kind = if spec.certificate { "certificates" } else { "secrets" };
        Ok(Self { holder, place: format!("{host}/{kind}/{}", spec.name), remote, site, spec: spec.clone() })
    }

    /// Path of the object, `deleted` before its kind when it is looked for there.
    fn path(&self, deleted: &str, tail: &str) -> String {
        let kind = if self.spec.certificate { "certificates" } else { "secrets" };
        format!("/{deleted}{kind}/{}{tail}", self.spec.name)
    }

    /// Sends with a token; when the vault does not accept the token, once more with a new one.
    async fn send(&self, request: impl Fn() -> Result<Request, PortError> + Send + Sync) -> Result<Reply, PortError> {
        let tokens = &self.remote.vault_tokens;
        let signed = |token: Secret| {
            let request = request()?;
            // A link to a next page brings its own.
            let request = if request.mentions("api-version") { request } else { request.query("api-version", API) };
            request.bearer(&token)
        };
        let reply = self.site.send(signed(tokens.token().await.map_err(not_sent)?)?).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        tokens.forget();
        self.site.send(signed(tokens.token().await.map_err(not_sent)?)?).await
    }

    /// The latest version; `None` when there is none.
    async fn latest(&self) -> Result<Option<Bundle>, PortError> {
        let reply = self.send(|| Ok(Request::get(self.path("", "")))).await?;
        let hidden = reply.status == 403 && reply.json::<Failed>().is_ok_and(|failed| failed.is("SecretDisabled"));
        match reply.accept() {
            Ok(reply) => reply.json().map(Some),
            Err(PortError::Missing(_)) => Ok(None),
            Err(error) if hidden => self.outdated().await.ok_or(error).map(Some),
            Err(error) => Err(error),
        }
    }

    /// The latest version without its value, where the vault hides it because its validity is over: after a long outage
    /// it is the one to replace. One that somebody disabled stays hidden.
    async fn outdated(&self) -> Option<Bundle> {
        let mut next: Option<String> = None;
        let mut listed: Vec<Listed> = Vec::new();
        for _ in 0..VERSION_PAGES {
            let request = || match &next {
                Some(link) => Ok(Request::follow(link.clone())),
                None => Ok(Request::get(self.path("", "/versions"))),
            };
            let page: Versions = self.send(request).await.and_then(Reply::accept).ok()?.json().ok()?;
            listed.extend(page.value);
            match page.next_link.filter(|link| !link.is_empty()) {
                Some(link) => next = Some(link),
                None => {
                    let latest = listed.into_iter().max_by_key(|version| version.attributes.created)?;
                    return latest.attributes.is_over(self.remote.clock.now()).then(|| latest.hidden());
                }
            }
        }
        None
    }

    /// The deleted object that keeps the name. Without the right to look there is none: a write will tell.
    async fn gone(&self) -> Result<Option<Bundle>, PortError> {
        match self.send(|| Ok(Request::get(self.path("deleted", "")))).await?.accept() {
            Ok(reply) => reply.json().map(Some),
            Err(PortError::Missing(_) | PortError::Denied(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn deleted(&self) -> PortError {
        let message = format!("{} is deleted, and its name is kept for recovery", self.place);
        PortError::Refused(Refusal { code: "soft-deleted".into(), message, ..Refusal::default() })
    }

    /// Refuses a deleted object that may not be brought back: without the word of the policy, and never somebody else's.
    fn may_recover(&self, gone: &Bundle) -> Result<(), PortError> {
        match self.writer(Some(gone)) {
            _ if !self.spec.recover_deleted => Err(self.deleted()),
            Writer::Other => {
                let message = format!("{} is deleted, and everkey did not write what would be recovered", self.place);
                Err(conflict("foreign-version", message))
            }
            _ => Ok(()),
        }
    }

    /// Brings a deleted name back, and looks until it is there.
    async fn recover(&self) -> Result<Option<Bundle>, PortError> {
        let path = self.path("deleted", "/recover");
        self.send(|| Ok(Request::new(Method::POST, path.clone()))).await?.accept()?;
        for _ in 0..RECOVERY_LOOKS {
            if let Some(bundle) = self.latest().await? {
                return Ok(Some(bundle));
            }
            self.remote.wait(RECOVERY_WAIT).await;
        }
        Err(conflict("being-recovered", format!("{} is being recovered", self.place)))
    }

    fn writer(&self, latest: Option<&Bundle>) -> Writer {
        match latest {
            None => Writer::Nobody,
            Some(bundle) => match bundle.generation(&self.holder) {
                Some(generation) => Writer::Ours(generation),
                None => Writer::Other,
            },
        }
    }

    async fn put(&self, payload: &Payload) -> Result<(), PortError> {
        let body = wire::Body::new(&self.spec, payload, &self.holder)?;
        let (method, path) = match self.spec.certificate {
            true => (Method::POST, self.path("", "/import")),
            false => (Method::PUT, self.path("", "")),
        };
        let reply = self.send(|| body.request(method.clone(), &path)).await?;
        let failed: Option<Failed> = (reply.status == 409).then(|| reply.json().ok()).flatten();
        match (reply.accept(), failed) {
            (Ok(_), _) => Ok(()),
            (Err(_), Some(failed)) if failed.is("ObjectIsDeletedButRecoverable") => Err(self.deleted()),
            (Err(error), _) => Err(error),
        }
    }

    fn expected(&self, payload: &Payload) -> Result<Fingerprint> {
        match (self.spec.certificate, &payload.certificate) {
            (true, Some(der)) => Ok(Fingerprint::of(der)),
            (true, None) => Err(SinkError::refused("the credential has no certificate")),
            (false, _) => Ok(payload_value(payload, ValueName::Secret)?.fingerprint()),
        }
    }
}

#[async_trait]
impl Sink for KeyVaultSink {
    async fn preflight(&self) -> Result<(), PortError> {
        let latest = self.latest().await?;
        match self.writer(latest.as_ref()) {
            Writer::Nobody => self.gone().await?.map_or(Ok(()), |gone| self.may_recover(&gone)),
            Writer::Other if !self.spec.overwrite_foreign => Err(super::remote::foreign(&self.place)),
            Writer::Ours(_) | Writer::Other => Ok(()),
        }
    }

    async fn write(&self, payload: &Payload) -> Result<Fingerprint, PortError> {
        let expected = self.expected(payload)?;
        let mut latest = self.latest().await?;
        if latest.is_none()
            && let Some(gone) = self.gone().await?
        {
            self.may_recover(&gone)?;
            self.writer(Some(&gone)).yields_to(payload.generation, false, &self.place)?;
            latest = self.recover().await?;
        }
        let writer = self.writer(latest.as_ref());
        writer.yields_to(payload.generation, self.spec.overwrite_foreign, &self.place)?;
        let credential = wire::credential(&self.spec, payload)?;
        // The same credential again makes no second version: an answer that was lost is no reason to write twice.
        let there = latest.is_some_and(|bundle| {
            bundle.tag(MARK_CREDENTIAL) == credential.expose_text()
                && bundle.fingerprint() == Some(expected.clone())
                && writer != Writer::Other
        });
        if !there {
            self.put(payload).await?;
        }
        match self.fingerprint().await? {
            Some(found) if found == expected => Ok(found),
            // A version that somebody else wrote just now is foreign; else the vault's replica is behind.
            _ => Err(differs(&self.place)),
        }
    }

    async fn fingerprint(&self) -> Result<Option<Fingerprint>, PortError> {
        Ok(self.latest().await?.and_then(|bundle| bundle.fingerprint()))
    }

    async fn after(&self) -> Result<(), PortError> {
        Ok(())
    }

    fn compares(&self) -> bool {
        false
    }

    fn place(&self) -> String {
        self.place.clone()
    }
}

/// The credential's end in seconds, as a vault keeps it.
fn seconds(expires: &Secret) -> Option<i64> {
    expires.expose_text()?.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

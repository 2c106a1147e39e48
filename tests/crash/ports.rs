//! The calls to the outside, with a boundary before and after each.

use std::sync::Arc;

use async_trait::async_trait;
use everkey::model::AppObserved;
use everkey::model::AppRef;
use everkey::model::AppSpec;
use everkey::model::CertificateEntry;
use everkey::model::ClientId;
use everkey::model::Grants;
use everkey::model::KeyId;
use everkey::model::ObjectId;
use everkey::model::Permission;
use everkey::model::PrincipalObserved;
use everkey::model::SinkOwner;
use everkey::model::SinkSpec;
use everkey::model::TenantId;
use everkey::ports::AddedPassword;
use everkey::ports::Dated;
use everkey::ports::Directory;
use everkey::ports::Payload;
use everkey::ports::PortError;
use everkey::ports::Probe;
use everkey::ports::SignIn;
use everkey::ports::Sink;
use everkey::ports::Sinks;
use everkey::ports::TokenEndpoint;
use everkey::secret::Fingerprint;
use everkey::secret::Secret;
use jiff::Timestamp;

use crate::breaker::Breaker;
use crate::outside::Landing;
use crate::outside::files;
use crate::outside::put;

/// A port with boundaries.
pub struct Broken<T: ?Sized> {
    pub breaker: Arc<Breaker>,
    pub inner: Arc<T>,
}

impl<T: ?Sized> Broken<T> {
    async fn around<R>(&self, what: &str, call: impl Future<Output = R>) -> R {
        self.breaker.point(&format!("before {what}")).await;
        let answer = call.await;
        self.breaker.point(&format!("after {what}")).await;
        answer
    }
}

#[async_trait]
impl Directory for Broken<dyn Directory> {
    fn tenant(&self) -> TenantId {
        self.inner.tenant()
    }

    async fn create_application(&self, unique_name: &str, spec: &AppSpec) -> Result<AppRef, PortError> {
        self.around("create_application", async {
            let made = self.inner.create_application(unique_name, spec).await;
            if let Ok(app) = &made {
                self.breaker.outside().app_is(app);
            }
            made
        })
        .await
    }

    async fn find_application(&self, client_id: &ClientId) -> Result<Option<AppRef>, PortError> {
        self.around("find_application", self.inner.find_application(client_id)).await
    }

    async fn named_application(&self, unique_name: &str) -> Result<Option<AppRef>, PortError> {
        self.around("named_application", self.inner.named_application(unique_name)).await
    }

    async fn delete_application(&self, app: &ObjectId) -> Result<(), PortError> {
        self.around("delete_application", self.inner.delete_application(app)).await
    }

    async fn purge_application(&self, app: &ObjectId) -> Result<(), PortError> {
        self.around("purge_application", self.inner.purge_application(app)).await
    }

    async fn application(&self, app: &ObjectId) -> Result<Dated<AppObserved>, PortError> {
        self.around("application", self.inner.application(app)).await
    }

    async fn update_application(&self, observed: &AppObserved, spec: &AppSpec) -> Result<(), PortError> {
        self.around("update_application", self.inner.update_application(observed, spec)).await
    }

    async fn principal(&self, client_id: &ClientId) -> Result<Option<PrincipalObserved>, PortError> {
        self.around("principal", self.inner.principal(client_id)).await
    }

    async fn create_principal(&self, client_id: &ClientId) -> Result<PrincipalObserved, PortError> {
        self.around("create_principal", self.inner.create_principal(client_id)).await
    }

    async fn set_principal_tags(&self, principal: &ObjectId, tags: &[String]) -> Result<(), PortError> {
        self.around("set_principal_tags", self.inner.set_principal_tags(principal, tags)).await
    }

    async fn set_principal_enabled(&self, principal: &ObjectId, enabled: bool) -> Result<(), PortError> {
        self.around("set_principal_enabled", self.inner.set_principal_enabled(principal, enabled)).await
    }

    async fn grants(&self, principal: &ObjectId) -> Result<Grants, PortError> {
        self.around("grants", self.inner.grants(principal)).await
    }

    async fn grant(&self, principal: &ObjectId, permissions: &[Permission], present: &Grants) -> Result<(), PortError> {
        self.around("grant", self.inner.grant(principal, permissions, present)).await
    }

    async fn add_password(
        &self,
        app: &ObjectId,
        display_name: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<AddedPassword, PortError> {
        self.around("add_password", async {
            let added = self.inner.add_password(app, display_name, start, end).await;
            if let Ok(added) = &added {
                self.breaker.outside().received(&added.entry.key_id, &added.value);
            }
            added
        })
        .await
    }

    async fn remove_password(&self, app: &ObjectId, key_id: &KeyId) -> Result<(), PortError> {
        self.around("remove_password", self.inner.remove_password(app, key_id)).await
    }

    async fn key_credentials(&self, app: &ObjectId) -> Result<Dated<Vec<CertificateEntry>>, PortError> {
        self.around("key_credentials", self.inner.key_credentials(app)).await
    }

    async fn add_key(&self, app: &ObjectId, entry: &CertificateEntry, proof: &Secret) -> Result<KeyId, PortError> {
        self.around("add_key", self.inner.add_key(app, entry, proof)).await
    }

    async fn remove_key(&self, app: &ObjectId, key_id: &KeyId, proof: &Secret) -> Result<(), PortError> {
        self.around("remove_key", self.inner.remove_key(app, key_id, proof)).await
    }

    async fn replace_keys(&self, app: &ObjectId, entries: &[CertificateEntry]) -> Result<(), PortError> {
        self.around("replace_keys", self.inner.replace_keys(app, entries)).await
    }
}

#[async_trait]
impl TokenEndpoint for Broken<dyn TokenEndpoint> {
    async fn probe(&self, app: &AppRef, sign_in: SignIn<'_>) -> Result<Probe, PortError> {
        self.around("probe", self.inner.probe(app, sign_in)).await
    }

    fn proof(&self, app: &ObjectId, key: &Secret, certificate: &[u8]) -> Result<Secret, PortError> {
        self.inner.proof(app, key, certificate)
    }
}

impl Sinks for Broken<dyn Sinks> {
    fn open(&self, spec: &SinkSpec, owner: &SinkOwner) -> Result<Arc<dyn Sink>, PortError> {
        let inner = self.inner.open(spec, owner)?;
        Ok(Arc::new(Broken { breaker: Arc::clone(&self.breaker), inner }))
    }

    fn password(&self, file: &str) -> Result<Secret, PortError> {
        self.inner.password(file)
    }
}

#[async_trait]
impl Sink for Broken<dyn Sink> {
    async fn preflight(&self) -> Result<(), PortError> {
        self.around("sink preflight", self.inner.preflight()).await
    }

    async fn write(&self, payload: &Payload) -> Result<Fingerprint, PortError> {
        let outside = self.breaker.outside();
        let Some(delay) = outside.seen().delay.take() else {
            return self.around("sink write", self.inner.write(payload)).await;
        };
        // No answer, and it lands later.
        let before = files(&outside.place());
        self.inner.write(payload).await?;
        outside.seen().landing = Some(Landing { at: outside.now() + delay, files: files(&outside.place()) });
        put(&before);
        Err(PortError::Unsure { place: "the sink".into(), why: "no answer".into(), request_id: None })
    }

    async fn fingerprint(&self) -> Result<Option<Fingerprint>, PortError> {
        self.around("sink fingerprint", self.inner.fingerprint()).await
    }

    async fn after(&self) -> Result<(), PortError> {
        self.around("sink after", self.inner.after()).await
    }

    fn compares(&self) -> bool {
        self.inner.compares() && !self.breaker.outside().seen().plain
    }

    fn place(&self) -> String {
        self.inner.place()
    }
}

//! The directory port, each call handed to the file of its object.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::AppLimits;
use crate::model::AppObserved;
use crate::model::AppRef;
use crate::model::AppSpec;
use crate::model::CertificateEntry;
use crate::model::ClientId;
use crate::model::Grants;
use crate::model::Holder;
use crate::model::HolderKind;
use crate::model::KeyId;
use crate::model::ObjectId;
use crate::model::Permission;
use crate::model::PrincipalObserved;
use crate::model::TenantId;
use crate::ports::AddedPassword;
use crate::ports::Changes;
use crate::ports::Cursor;
use crate::ports::Dated;
use crate::ports::Directory;
use crate::ports::HolderPage;
use crate::ports::PortError;
use crate::ports::SignInActivity;
use crate::secret::Secret;

use super::Graph;

#[async_trait]
impl Directory for Graph {
    fn tenant(&self) -> TenantId {
        self.tenant.clone()
    }

    async fn create_application(&self, unique_name: &str, spec: &AppSpec) -> Result<AppRef, PortError> {
        self.upsert_application(unique_name, spec).await
    }

    async fn find_application(&self, client_id: &ClientId) -> Result<Option<AppRef>, PortError> {
        self.application_by_client_id(client_id).await
    }

    async fn named_application(&self, unique_name: &str) -> Result<Option<AppRef>, PortError> {
        self.application_by_unique_name(unique_name).await
    }

    async fn delete_application(&self, app: &ObjectId) -> Result<(), PortError> {
        self.bin_application(app).await
    }

    async fn purge_application(&self, app: &ObjectId) -> Result<(), PortError> {
        self.empty_bin_of(app).await
    }

    async fn application(&self, app: &ObjectId) -> Result<Dated<AppObserved>, PortError> {
        self.observe_application(app).await
    }

    async fn update_application(&self, observed: &AppObserved, spec: &AppSpec) -> Result<(), PortError> {
        self.merge_application(observed, spec).await
    }

    async fn principal(&self, client_id: &ClientId) -> Result<Option<PrincipalObserved>, PortError> {
        self.find_principal(client_id).await
    }

    async fn create_principal(&self, client_id: &ClientId) -> Result<PrincipalObserved, PortError> {
        self.make_principal(client_id).await
    }

    async fn set_principal_tags(&self, principal: &ObjectId, tags: &[String]) -> Result<(), PortError> {
        self.replace_tags(principal, tags).await
    }

    async fn set_principal_enabled(&self, principal: &ObjectId, enabled: bool) -> Result<(), PortError> {
        self.switch_principal(principal, enabled).await
    }

    async fn applications(&self) -> Result<Vec<AppObserved>, PortError> {
        self.list_applications().await
    }

    async fn owners(&self, app: &ObjectId) -> Result<Vec<ObjectId>, PortError> {
        self.list_owners(app).await
    }

    async fn app_limits(&self, app: Option<&ObjectId>, now: Timestamp) -> Result<AppLimits, PortError> {
        self.read_app_limits(app, now).await
    }

    async fn sign_in_activities(&self) -> Result<Vec<SignInActivity>, PortError> {
        self.read_sign_in_report().await
    }

    async fn count_holders(&self, kind: HolderKind) -> Result<u64, PortError> {
        self.count_of(kind).await
    }

    async fn holders(&self, kind: HolderKind, after: Option<Cursor>) -> Result<HolderPage, PortError> {
        self.page_of_holders(kind, after).await
    }

    async fn holder(&self, kind: HolderKind, id: &ObjectId) -> Result<Option<Holder>, PortError> {
        self.one_holder(kind, id).await
    }

    async fn changes(&self, kind: HolderKind, link: Option<&str>) -> Result<Changes, PortError> {
        self.changes_since(kind, link).await
    }

    async fn grants(&self, principal: &ObjectId) -> Result<Grants, PortError> {
        self.read_grants(principal).await
    }

    async fn grant(&self, principal: &ObjectId, permissions: &[Permission], present: &Grants) -> Result<(), PortError> {
        self.grant_missing(principal, permissions, present).await
    }

    async fn add_password(
        &self,
        app: &ObjectId,
        display_name: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<AddedPassword, PortError> {
        self.attach_password(app, display_name, start, end).await
    }

    async fn remove_password(&self, app: &ObjectId, key_id: &KeyId) -> Result<(), PortError> {
        self.detach_password(app, key_id).await
    }

    async fn key_credentials(&self, app: &ObjectId) -> Result<Dated<Vec<CertificateEntry>>, PortError> {
        self.read_keys(app).await
    }

    async fn add_key(&self, app: &ObjectId, entry: &CertificateEntry, proof: &Secret) -> Result<KeyId, PortError> {
        self.attach_key(app, entry, proof).await
    }

    async fn remove_key(&self, app: &ObjectId, key_id: &KeyId, proof: &Secret) -> Result<(), PortError> {
        self.detach_key(app, key_id, proof).await
    }

    async fn replace_keys(&self, app: &ObjectId, entries: &[CertificateEntry]) -> Result<(), PortError> {
        self.patch_keys(app, entries).await
    }
}

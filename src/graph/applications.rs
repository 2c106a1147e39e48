//! Applications: create, find, read, and set what a policy asks for without taking away what others added.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::model::AppObserved;
use crate::model::AppRef;
use crate::model::AppSpec;
use crate::model::CertificateEntry;
use crate::model::ClientId;
use crate::model::ObjectId;
use crate::model::Permission;
use crate::model::PermissionKind;
use crate::model::Platform;
use crate::model::RedirectUri;
use crate::ports::Dated;
use crate::ports::PortError;

use super::Graph;
use super::call::Write;
use super::odata::by_id;
use super::odata::by_key;
use super::wire::Application;
use super::wire::ApplicationIds;
use super::wire::DirectoryObject;

const IDS: (&str, &str) = ("$select", "id,appId");
/// The platforms and their property of `application`.
const PLATFORMS: [(Platform, &str); 3] =
    [(Platform::PublicClient, "publicClient"), (Platform::Spa, "spa"), (Platform::Web, "web")];

impl Graph {
    /// See [`crate::ports::Directory::create_application`].
    ///
    /// An application that is there already is only found, since the upsert would replace its collections.
    pub(super) async fn upsert_application(&self, unique_name: &str, spec: &AppSpec) -> Result<AppRef, PortError> {
        let path = by_key("applications", "uniqueName", unique_name);
        if let Some(ids) = self.find::<ApplicationIds>(&path, &[IDS]).await? {
            return Ok(self.app_ref(ids));
        }
        let body = new_application(spec);
        let reply =
            self.write(Write { prefer: Some("create-if-missing"), ..Write::patch(path.clone(), &body) }).await?;
        if let Ok(ids) = reply.json::<ApplicationIds>() {
            return Ok(self.app_ref(ids));
        }
        // 204: somebody else's call was first, and reads may lag behind it.
        let mut tries = 0;
        loop {
            tries += 1;
            match self.read(&path, &[IDS]).await {
                Ok(ids) => return Ok(self.app_ref(ids.value)),
                Err(error @ PortError::Missing(_)) => self.await_replication(tries, error).await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// See [`crate::ports::Directory::find_application`].
    pub(super) async fn application_by_client_id(&self, client_id: &ClientId) -> Result<Option<AppRef>, PortError> {
        let path = by_key("applications", "appId", client_id.as_str());
        Ok(self.find(&path, &[IDS]).await?.map(|ids| self.app_ref(ids)))
    }

    /// See [`crate::ports::Directory::find_unique_application`].
    pub(super) async fn application_by_unique_name(&self, unique_name: &str) -> Result<Option<AppRef>, PortError> {
        let path = by_key("applications", "uniqueName", unique_name);
        Ok(self.find(&path, &[IDS]).await?.map(|ids| self.app_ref(ids)))
    }

    /// See [`crate::ports::Directory::application`].
    ///
    /// Without `$select`: naming `keyCredentials` there would bring the key bytes and Graph's limit of 150 such
    /// requests a minute (`entra-contract.md` 4.1), and a plain read lists all that is needed.
    pub(super) async fn observe_application(&self, app: &ObjectId) -> Result<Dated<AppObserved>, PortError> {
        let read: Dated<Application> = self.read(&by_id("applications", app.as_str(), ""), &[]).await?;
        Ok(Dated { value: observed(read.value), date: read.date })
    }

    /// See [`crate::ports::Directory::update_application`]. Sends nothing when nothing differs.
    pub(super) async fn merge_application(&self, observed: &AppObserved, spec: &AppSpec) -> Result<(), PortError> {
        let body = changes(observed, spec);
        if body.is_empty() {
            return Ok(());
        }
        let path = by_id("applications", observed.object_id.as_str(), "");
        self.write(Write::patch(path, &body)).await.map(drop)
    }

    /// See [`crate::ports::Directory::applications`].
    pub(super) async fn list_applications(&self) -> Result<Vec<AppObserved>, PortError> {
        let all: Vec<Application> = self.list("/v1.0/applications", &[("$top", "999")]).await?;
        Ok(all.into_iter().map(observed).collect())
    }

    /// See [`crate::ports::Directory::owners`].
    pub(super) async fn list_owners(&self, app: &ObjectId) -> Result<Vec<ObjectId>, PortError> {
        let path = by_id("applications", app.as_str(), "/owners");
        let owners: Vec<DirectoryObject> = self.list(&path, &[("$select", "id")]).await?;
        Ok(owners.into_iter().map(|owner| owner.id.to_ascii_lowercase().into()).collect())
    }

    fn app_ref(&self, ids: ApplicationIds) -> AppRef {
        AppRef {
            tenant_id: self.tenant.clone(),
            object_id: ids.id.to_ascii_lowercase().into(),
            client_id: ids.app_id.to_ascii_lowercase().into(),
        }
    }
}

/// The body that creates an application. `signInAudience` is always sent, since its default is not documented.
fn new_application(spec: &AppSpec) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("displayName".into(), json!(spec.display_name));
    body.insert("signInAudience".into(), json!(spec.audience.graph_name()));
    add_token_version(&mut body, spec);
    for (platform, property) in PLATFORMS {
        let uris = uris(&spec.redirect_uris, platform);
        if !uris.is_empty() {
            body.insert(property.into(), json!({ "redirectUris": uris }));
        }
    }
    if !spec.permissions.is_empty() {
        body.insert("requiredResourceAccess".into(), resource_access(&spec.permissions));
    }
    body
}

/// What a PATCH must change; collections, which it replaces whole, are unions of what is there and what must be.
fn changes(observed: &AppObserved, spec: &AppSpec) -> Map<String, Value> {
    let mut body = Map::new();
    if observed.display_name != spec.display_name {
        body.insert("displayName".into(), json!(spec.display_name));
    }
    if observed.audience != spec.audience.graph_name() {
        body.insert("signInAudience".into(), json!(spec.audience.graph_name()));
        add_token_version(&mut body, spec);
    }
    for (platform, property) in PLATFORMS {
        let mut union = uris(&observed.redirect_uris, platform);
        let present = union.len();
        for uri in uris(&spec.redirect_uris, platform) {
            if !union.contains(&uri) {
                union.push(uri);
            }
        }
        if union.len() > present {
            body.insert(property.into(), json!({ "redirectUris": union }));
        }
    }
    let present: BTreeSet<_> = observed.permissions.iter().map(identity).collect();
    let missing: Vec<_> =
        spec.permissions.iter().filter(|permission| !present.contains(&identity(permission))).cloned().collect();
    if !missing.is_empty() {
        let union: Vec<_> = observed.permissions.iter().cloned().chain(missing).collect();
        body.insert("requiredResourceAccess".into(), resource_access(&union));
    }
    body
}

/// Graph refuses audiences with personal accounts unless tokens are version 2 (`entra-contract.md` 5b).
fn add_token_version(body: &mut Map<String, Value>, spec: &AppSpec) {
    if spec.audience.is_capped() {
        body.insert("api".into(), json!({ "requestedAccessTokenVersion": 2 }));
    }
}

/// The URIs of one platform, without repeats, in their order (Graph keeps it, and the first is the default).
fn uris(all: &[RedirectUri], platform: Platform) -> Vec<&str> {
    let mut uris = Vec::new();
    for redirect in all.iter().filter(|redirect| redirect.platform == platform) {
        if !uris.contains(&redirect.uri.as_str()) {
            uris.push(redirect.uri.as_str());
        }
    }
    uris
}

/// What makes two permissions the same: GUIDs are compared without regard to case.
fn identity(permission: &Permission) -> (String, PermissionKind, String) {
    (permission.resource.as_str().to_ascii_lowercase(), permission.kind, permission.id.to_ascii_lowercase())
}

/// `requiredResourceAccess`: permissions grouped by resource.
fn resource_access(permissions: &[Permission]) -> Value {
    let mut by_resource: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for permission in permissions {
        let kind = match permission.kind {
            PermissionKind::Role => "Role",
            PermissionKind::Scope => "Scope",
        };
        by_resource.entry(permission.resource.as_str()).or_default().push(json!({ "id": permission.id, "type": kind }));
    }
    by_resource
        .into_iter()
        .map(|(resource, access)| json!({ "resourceAppId": resource, "resourceAccess": access }))
        .collect()
}

/// Wire to model.
fn observed(application: Application) -> AppObserved {
    let redirect_uris = [
        (Platform::PublicClient, application.public_client),
        (Platform::Spa, application.spa),
        (Platform::Web, application.web),
    ]
    .into_iter()
    .flat_map(|(platform, redirects)| redirects.redirect_uris.into_iter().map(move |uri| RedirectUri { platform, uri }))
    .collect();
    let permissions = application
        .required_resource_access
        .into_iter()
        .flat_map(|list| {
            let resource = ClientId(list.resource_app_id.to_ascii_lowercase());
            list.resource_access.into_iter().map(move |access| Permission {
                resource: resource.clone(),
                kind: if access.kind == "Role" { PermissionKind::Role } else { PermissionKind::Scope },
                id: access.id.to_ascii_lowercase(),
                name: String::new(),
            })
        })
        .collect();
    AppObserved {
        object_id: application.id.to_ascii_lowercase().into(),
        client_id: application.app_id.to_ascii_lowercase().into(),
        display_name: application.display_name,
        audience: application.sign_in_audience,
        redirect_uris,
        permissions,
        secrets: application.password_credentials.into_iter().map(super::passwords::entry).collect(),
        certificates: application
            .key_credentials
            .into_iter()
            .map(|key| CertificateEntry { key: None, ..super::keys::entry(key) })
            .collect(),
    }
}

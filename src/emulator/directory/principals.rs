//! Service principals and owners.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;
use uuid::uuid;

use super::Credentials;
use super::Directory;
use super::KeyConduct;
use super::Permission;
use super::PermissionKind;
use super::Properties;
use super::Refusal;
use super::applications::take_keys;
use super::beyond;
use super::permissions::microsoft_name;
use super::permissions_of;
use super::properties::default_of;
use super::properties::merge_principal;

/// The tenant that Microsoft's own applications live in.
const MICROSOFT_SERVICES: Uuid = uuid!("f8cdef31-a31e-4b4a-93e4-5f571e91255a");

/// An application's instance in the tenant: what signs in and holds permissions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePrincipal {
    /// Whether it may sign in.
    pub account_enabled: bool,
    /// The client id of its application.
    pub app_id: Uuid,
    /// When it was created.
    pub created: Timestamp,
    /// Secrets and certificates of its own.
    pub credentials: Credentials,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// The object id.
    pub id: Uuid,
    /// `servicePrincipalType`, where it is not `Application`.
    #[serde(default)]
    pub kind: Option<String>,
    /// The name of one without an application in the tenant.
    #[serde(default)]
    pub own_name: Option<String>,
    /// Object ids of its owners.
    pub owners: Vec<Uuid>,
    /// The other properties, as written.
    pub properties: Properties,
}

impl ServicePrincipal {
    /// A kept property, or what it shows before anybody wrote it.
    pub fn property(&self, name: &str) -> Value {
        self.properties.get(name).cloned().unwrap_or_else(|| default_of(name))
    }
}

impl Directory {
    /// The service principal with this object id, unless deleted.
    pub fn principal(&self, id: Uuid) -> Option<&ServicePrincipal> {
        self.principals.get(&id).filter(|principal| principal.deleted.is_none())
    }

    /// The service principal of the application with this client id, unless deleted.
    pub fn principal_by_app_id(&self, app_id: Uuid) -> Option<&ServicePrincipal> {
        self.by_app_id.principals.get(&app_id).and_then(|id| self.principal(*id))
    }

    /// All service principals that are not deleted, by object id.
    pub fn principals(&self) -> impl Iterator<Item = &ServicePrincipal> {
        self.principals.values().filter(|principal| principal.deleted.is_none())
    }

    /// The same, from the one after `after` on.
    pub fn principals_after(&self, after: Option<Uuid>) -> impl Iterator<Item = &ServicePrincipal> {
        self.principals.range(beyond(after)).map(|(_, one)| one).filter(|one| one.deleted.is_none())
    }

    /// All service principals by object id, those of applications in the bin too.
    pub fn all_principals(&self) -> impl Iterator<Item = &ServicePrincipal> + Clone {
        self.principals.values()
    }

    /// The name a service principal is shown with.
    pub fn principal_name(&self, principal: &ServicePrincipal) -> String {
        let own = self.application_by_app_id(principal.app_id).map(|application| application.display_name.clone());
        own.or_else(|| principal.own_name.clone())
            .or_else(|| microsoft_name(principal.app_id).map(str::to_owned))
            .unwrap_or_default()
    }

    /// The tenant that a service principal's application belongs to.
    pub fn home_tenant(&self, principal: &ServicePrincipal) -> Uuid {
        if microsoft_name(principal.app_id).is_some() { MICROSOFT_SERVICES } else { self.tenant_id }
    }

    /// The names by which a service principal is addressed as a resource: its client id and the
    /// application's identifier URIs.
    pub fn principal_names(&self, principal: &ServicePrincipal) -> Vec<String> {
        let uris =
            self.application_by_app_id(principal.app_id).map(|application| application.property("identifierUris"));
        let uris = uris.as_ref().and_then(Value::as_array).into_iter().flatten();
        let uris = uris.filter_map(Value::as_str).map(str::to_owned);
        let microsoft = microsoft_name(principal.app_id).map(|_| match principal.app_id {
            super::EXCHANGE_ONLINE => "https://outlook.office365.com",
            _ => "https://graph.microsoft.com",
        });
        std::iter::once(principal.app_id.to_string()).chain(microsoft.map(str::to_owned)).chain(uris).collect()
    }

    /// The permissions that a service principal offers as a resource.
    pub fn offered(&self, principal: &ServicePrincipal) -> Cow<'static, [Permission]> {
        let published = permissions_of(principal.app_id);
        let Some(application) = self.application_by_app_id(principal.app_id) else { return Cow::Borrowed(published) };
        let own = |list: &Value, kind: PermissionKind| -> Vec<Permission> {
            let enabled = list.as_array().into_iter().flatten().filter(|one| one["isEnabled"] != false);
            let read = |one: &Value| {
                let id = one["id"].as_str()?.parse().ok()?;
                Some(Permission { admin_consent: true, id, kind, name: one["value"].as_str()?.to_owned() })
            };
            enabled.filter_map(read).collect()
        };
        let mut offered = own(&application.property("appRoles"), PermissionKind::Application);
        offered.extend(own(&application.property("api")["oauth2PermissionScopes"], PermissionKind::Delegated));
        Cow::Owned(offered)
    }

    /// Creates the service principal of an application of this tenant.
    pub fn create_principal(&mut self, app_id: Uuid, owner: Option<Uuid>, now: Timestamp) -> Result<Uuid, Refusal> {
        if self.principal_by_app_id(app_id).is_some() {
            return Err(Refusal::Duplicate { property: "appId" });
        }
        if self.application_by_app_id(app_id).is_none() && microsoft_name(app_id).is_none() {
            return Err(Refusal::invalid(format!(
                "The appId '{app_id}' of the service principal does not reference a valid application object."
            )));
        }
        Ok(self.insert_principal(app_id, owner, now))
    }

    pub(super) fn insert_principal(&mut self, app_id: Uuid, owner: Option<Uuid>, now: Timestamp) -> Uuid {
        let id = self.entropy.uuid();
        let principal = ServicePrincipal {
            account_enabled: true,
            app_id,
            created: now,
            credentials: Credentials::default(),
            deleted: None,
            id,
            kind: None,
            own_name: None,
            owners: owner.into_iter().collect(),
            properties: Properties::new(),
        };
        self.by_app_id.principals.insert(app_id, id);
        self.principals.insert(id, principal);
        id
    }

    /// Changes a service principal by what a client wrote; its certificates as those of an application.
    pub fn update_principal(
        &mut self,
        id: Uuid,
        mut written: Properties,
        conduct: KeyConduct,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut principal = self.principal(id).ok_or_else(|| Refusal::no_object(id))?.clone();
        if let Some(enabled) = written.remove("accountEnabled") {
            let enabled = enabled.as_bool();
            principal.account_enabled =
                enabled.ok_or_else(|| Refusal::invalid("Invalid value specified for property 'accountEnabled'."))?;
        }
        let keys = take_keys(&mut written)?;
        merge_principal(&mut principal.properties, written)?;
        if let Some(keys) = keys {
            self.replace_keys(id, &keys, conduct, now)?;
            principal.credentials = self.principals[&id].credentials.clone();
        }
        self.principals.insert(id, principal);
        Ok(())
    }

    /// Removes a service principal with all that was granted to it and on it.
    pub fn delete_principal(&mut self, id: Uuid) -> Result<(), Refusal> {
        self.principal(id).ok_or_else(|| Refusal::no_object(id))?;
        self.forget_principal(id);
        Ok(())
    }

    pub(super) fn forget_principal(&mut self, id: Uuid) {
        self.principals.remove(&id);
        self.assignments.retain(|_, one| one.principal_id != id && one.resource_id != id);
        self.grants.retain(|_, one| one.client_id != id && one.resource_id != id);
        for application in self.applications.values_mut() {
            application.owners.retain(|owner| *owner != id);
        }
        for principal in self.principals.values_mut() {
            principal.owners.retain(|owner| *owner != id);
        }
    }

    /// The owners of an application or service principal.
    pub fn owners(&self, object: Uuid) -> Option<&[Uuid]> {
        let application = self.application(object).map(|application| application.owners.as_slice());
        application.or_else(|| self.principal(object).map(|principal| principal.owners.as_slice()))
    }

    /// Adds an owner, which must be a service principal or a user of this tenant.
    pub fn add_owner(&mut self, object: Uuid, owner: Uuid) -> Result<(), Refusal> {
        if self.principal(owner).is_none() && self.user(owner).is_none() {
            return Err(Refusal::no_object(owner));
        }
        let owners = self.owners_mut(object)?;
        if owners.contains(&owner) {
            return Err(Refusal::invalid(
                "One or more added object references already exist for the following modified properties: 'owners'.",
            ));
        }
        owners.push(owner);
        Ok(())
    }

    /// Removes an owner.
    pub fn remove_owner(&mut self, object: Uuid, owner: Uuid) -> Result<(), Refusal> {
        let owners = self.owners_mut(object)?;
        let position = owners.iter().position(|one| *one == owner).ok_or_else(|| Refusal::no_object(owner))?;
        owners.remove(position);
        Ok(())
    }

    fn owners_mut(&mut self, object: Uuid) -> Result<&mut Vec<Uuid>, Refusal> {
        if let Some(application) = self.applications.get_mut(&object).filter(|one| one.deleted.is_none()) {
            return Ok(&mut application.owners);
        }
        let principal = self.principals.get_mut(&object).filter(|one| one.deleted.is_none());
        principal.map(|principal| &mut principal.owners).ok_or_else(|| Refusal::no_object(object))
    }
}

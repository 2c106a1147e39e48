//! Consent: app roles assigned to service principals, and delegated permission grants.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use super::Directory;
use super::PermissionKind;
use super::Refusal;
use super::beyond;

/// An application permission that was granted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppRoleAssignment {
    /// The app role; all zeros is the default role.
    pub app_role_id: Uuid,
    /// When it was granted.
    pub created: Timestamp,
    /// The assignment's id; not a GUID.
    pub id: String,
    /// Service principal that holds it.
    pub principal_id: Uuid,
    /// Service principal that it is on.
    pub resource_id: Uuid,
}

/// A delegated permission grant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PermissionGrant {
    /// Service principal that may act for users.
    pub client_id: Uuid,
    /// `AllPrincipals` or `Principal`.
    pub consent_type: String,
    /// The grant's id; not a GUID.
    #[serde(default)]
    pub id: String,
    /// The user, for `Principal`.
    #[serde(default)]
    pub principal_id: Option<Uuid>,
    /// Service principal that it is on.
    pub resource_id: Uuid,
    /// Scope names, separated by spaces.
    #[serde(default)]
    pub scope: String,
}

impl Directory {
    /// All app role assignments.
    pub fn assignments(&self) -> impl Iterator<Item = &AppRoleAssignment> {
        self.assignments.values()
    }

    /// The assignments after `after`, by id.
    pub fn assignments_after<'a>(
        &'a self,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a AppRoleAssignment> + use<'a> {
        self.assignments.range(beyond(after.map(str::to_owned))).map(|(_, one)| one)
    }

    /// The names of the app roles that a service principal holds on a resource, sorted.
    pub fn roles(&self, principal: Uuid, resource: Uuid) -> Vec<String> {
        let Some(offering) = self.principal(resource) else { return Vec::new() };
        let offered = self.offered(offering);
        let held = self.assignments().filter(|one| one.principal_id == principal && one.resource_id == resource);
        let mut names: Vec<String> = held
            .filter_map(|one| offered.iter().find(|offered| offered.id == one.app_role_id))
            .map(|role| role.name.clone())
            .collect();
        names.sort();
        names
    }

    /// Assigns an app role.
    pub fn assign_role(
        &mut self,
        principal_id: Uuid,
        resource_id: Uuid,
        app_role_id: Uuid,
        now: Timestamp,
    ) -> Result<AppRoleAssignment, Refusal> {
        self.principal(principal_id).ok_or_else(|| Refusal::no_object(principal_id))?;
        let resource = self.principal(resource_id).ok_or_else(|| Refusal::no_object(resource_id))?;
        let offered = self.offered(resource);
        let mut roles = offered.iter().filter(|one| one.kind == PermissionKind::Application);
        if !app_role_id.is_nil() && !roles.any(|role| role.id == app_role_id) {
            return Err(Refusal::invalid(format!(
                "Permission being assigned was not found on application '{}'.",
                resource.app_id
            )));
        }
        let same = |one: &&AppRoleAssignment| {
            (one.principal_id, one.resource_id, one.app_role_id) == (principal_id, resource_id, app_role_id)
        };
        if self.assignments().any(|one| same(&one)) {
            return Err(Refusal::invalid("Permission being assigned already exists on the object"));
        }
        let id = self.opaque_id();
        let assignment = AppRoleAssignment { app_role_id, created: now, id: id.clone(), principal_id, resource_id };
        self.assignments.insert(id, assignment.clone());
        Ok(assignment)
    }

    /// Takes an app role away.
    pub fn remove_assignment(&mut self, id: &str) -> Result<(), Refusal> {
        self.assignments.remove(id).map(drop).ok_or_else(|| Refusal::NotFound { id: id.to_owned() })
    }

    /// All delegated permission grants.
    pub fn grants(&self) -> impl Iterator<Item = &PermissionGrant> {
        self.grants.values()
    }

    /// The grants after `after`, by id.
    pub fn grants_after<'a>(&'a self, after: Option<&str>) -> impl Iterator<Item = &'a PermissionGrant> + use<'a> {
        self.grants.range(beyond(after.map(str::to_owned))).map(|(_, one)| one)
    }

    /// The grant with this id.
    pub fn grant(&self, id: &str) -> Option<&PermissionGrant> {
        self.grants.get(id)
    }

    /// Records a delegated permission grant. One per client, resource, consent type and user; another one
    /// is refused: its scope has to be changed instead.
    pub fn create_grant(&mut self, mut grant: PermissionGrant) -> Result<PermissionGrant, Refusal> {
        for id in [grant.client_id, grant.resource_id] {
            self.principal(id).ok_or_else(|| Refusal::no_object(id))?;
        }
        let consistent = match grant.consent_type.as_str() {
            "AllPrincipals" => grant.principal_id.is_none(),
            "Principal" => grant.principal_id.is_some(),
            _ => false,
        };
        if !consistent {
            return Err(Refusal::invalid("Invalid value specified for property 'consentType'."));
        }
        let key = |one: &PermissionGrant| (one.client_id, one.resource_id, one.principal_id);
        if self.grants().any(|one| key(one) == key(&grant)) {
            return Err(Refusal::Duplicate { property: "clientId" });
        }
        grant.id = self.opaque_id();
        self.grants.insert(grant.id.clone(), grant.clone());
        Ok(grant)
    }

    /// Replaces the scope of a grant.
    pub fn update_grant(&mut self, id: &str, scope: &str) -> Result<(), Refusal> {
        let grant = self.grants.get_mut(id).ok_or_else(|| Refusal::NotFound { id: id.to_owned() })?;
        scope.clone_into(&mut grant.scope);
        Ok(())
    }

    /// Removes a grant.
    pub fn remove_grant(&mut self, id: &str) -> Result<(), Refusal> {
        self.grants.remove(id).map(drop).ok_or_else(|| Refusal::NotFound { id: id.to_owned() })
    }

    fn opaque_id(&mut self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.entropy.bytes())
    }
}

//! Consent: app role assignments and tenant-wide delegated grants (`entra-contract.md` 5.1, 5.2).

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::PoisonError;

use serde_json::json;

use crate::model::ClientId;
use crate::model::Grants;
use crate::model::ObjectId;
use crate::model::Permission;
use crate::model::PermissionKind;
use crate::ports::PortError;
use crate::ports::Refusal;

use super::Graph;
use super::call::Write;
use super::odata::by_id;
use super::odata::literal;
use super::wire::PermissionGrant;
use super::wire::PrincipalAppId;
use super::wire::RoleAssignment;

/// `consentType` of a grant for all users.
const ALL_PRINCIPALS: &str = "AllPrincipals";

impl Graph {
    /// See [`crate::ports::Directory::grants`]. Grants to a resource that has gone are left out.
    pub(super) async fn read_grants(&self, principal: &ObjectId) -> Result<Grants, PortError> {
        let mut grants = Grants::default();
        let path = by_id("servicePrincipals", principal.as_str(), "/appRoleAssignments");
        for assignment in self.list::<RoleAssignment>(&path, &[]).await? {
            if let Some(resource) = self.resource_client_id(&assignment.resource_id).await? {
                grants.roles.push((resource, assignment.app_role_id.to_ascii_lowercase()));
            }
        }
        for grant in self.delegated_grants(principal).await? {
            if let Some(resource) = self.resource_client_id(&grant.resource_id).await? {
                grants.scopes.extend(grant.scope.split_whitespace().map(|scope| (resource.clone(), scope.to_owned())));
            }
        }
        Ok(grants)
    }

    /// See [`crate::ports::Directory::grant`]. Stops at the first failure; calling again finishes the rest.
    pub(super) async fn grant_missing(
        &self,
        principal: &ObjectId,
        permissions: &[Permission],
        present: &Grants,
    ) -> Result<(), PortError> {
        let mut missing: BTreeMap<&ClientId, Vec<&Permission>> = BTreeMap::new();
        for permission in permissions.iter().filter(|permission| !is_present(permission, present)) {
            missing.entry(&permission.resource).or_default().push(permission);
        }
        for (resource, permissions) in missing {
            let resource_id = self.resource_principal(resource).await?;
            let mut scopes = BTreeSet::new();
            for permission in permissions {
                match permission.kind {
                    PermissionKind::Role => self.assign_role(principal, &resource_id, &permission.id).await?,
                    PermissionKind::Scope => drop(scopes.insert(permission.name.as_str())),
                }
            }
            if !scopes.is_empty() {
                self.grant_scopes(principal, &resource_id, &scopes).await?;
            }
        }
        Ok(())
    }

    /// One app role; an assignment that exists already is success.
    async fn assign_role(&self, principal: &ObjectId, resource: &ObjectId, role: &str) -> Result<(), PortError> {
        let body = json!({ "principalId": principal.as_str(), "resourceId": resource.as_str(), "appRoleId": role });
        let path = by_id("servicePrincipals", principal.as_str(), "/appRoleAssignments");
        match self.write(Write::post(path, &body)).await {
            Err(error) if is_duplicate(&error) => Ok(()),
            result => result.map(drop),
        }
    }

    /// Makes the tenant-wide grant for one resource, or adds to the one that is there.
    async fn grant_scopes(
        &self,
        principal: &ObjectId,
        resource: &ObjectId,
        scopes: &BTreeSet<&str>,
    ) -> Result<(), PortError> {
        if self.extend_grant(principal, resource, scopes).await? {
            return Ok(());
        }
        let body = json!({
            "clientId": principal.as_str(),
            "consentType": ALL_PRINCIPALS,
            "principalId": null,
            "resourceId": resource.as_str(),
            "scope": joined(scopes),
        });
        match self.write(Write::post("/v1.0/oauth2PermissionGrants".into(), &body)).await {
            // Made by somebody else since it was looked for.
            Err(error) if is_duplicate(&error) => match self.extend_grant(principal, resource, scopes).await? {
                true => Ok(()),
                false => Err(error),
            },
            result => result.map(drop),
        }
    }

    /// Adds `scopes` to the existing grant; `false` when there is none.
    async fn extend_grant(
        &self,
        principal: &ObjectId,
        resource: &ObjectId,
        scopes: &BTreeSet<&str>,
    ) -> Result<bool, PortError> {
        let grants = self.delegated_grants(principal).await?;
        let Some(grant) = grants.iter().find(|grant| grant.resource_id.eq_ignore_ascii_case(resource.as_str())) else {
            return Ok(false);
        };
        let present: BTreeSet<_> = grant.scope.split_whitespace().collect();
        if !scopes.is_subset(&present) {
            let body = json!({ "scope": joined(&scopes.union(&present).copied().collect()) });
            self.write(Write::patch(by_id("oauth2PermissionGrants", &grant.id, ""), &body)).await?;
        }
        Ok(true)
    }

    /// The tenant-wide grants of `principal`; those of single users are not everkey's.
    async fn delegated_grants(&self, principal: &ObjectId) -> Result<Vec<PermissionGrant>, PortError> {
        let filter = format!("clientId eq {}", literal(principal.as_str()));
        let mut grants: Vec<PermissionGrant> =
            self.list("/v1.0/oauth2PermissionGrants", &[("$filter", &filter)]).await?;
        grants.retain(|grant| grant.consent_type == ALL_PRINCIPALS);
        Ok(grants)
    }

    /// The service principal of a resource in this tenant.
    async fn resource_principal(&self, resource: &ClientId) -> Result<ObjectId, PortError> {
        let found = self.find_principal(resource).await?.ok_or_else(|| {
            PortError::Missing(Refusal {
                status: 404,
                code: "ResourcePrincipalMissing".into(),
                message: format!("the resource {resource} has no service principal in this tenant"),
                request_id: None,
            })
        })?;
        Ok(found.object_id)
    }

    /// The client id of the resource whose service principal is `id`; looked up once, `None` when it has gone.
    async fn resource_client_id(&self, id: &str) -> Result<Option<ClientId>, PortError> {
        let id = ObjectId(id.to_ascii_lowercase());
        // Entries are only ever added whole, so a panic elsewhere leaves the map sound.
        let known = self.resources.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let path = by_id("servicePrincipals", id.as_str(), "");
        let Some(found) = self.find::<PrincipalAppId>(&path, &[("$select", "appId")]).await? else {
            return Ok(None);
        };
        let client_id = ClientId(found.app_id.to_ascii_lowercase());
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).insert(id, client_id.clone());
        Ok(Some(client_id))
    }
}

/// Whether `permission` has been granted already.
fn is_present(permission: &Permission, present: &Grants) -> bool {
    let same = |resource: &ClientId| resource.as_str().eq_ignore_ascii_case(permission.resource.as_str());
    match permission.kind {
        PermissionKind::Role => {
            present.roles.iter().any(|(resource, role)| same(resource) && role.eq_ignore_ascii_case(&permission.id))
        }
        PermissionKind::Scope => {
            present.scopes.iter().any(|(resource, scope)| same(resource) && *scope == permission.name)
        }
    }
}

/// Both spellings of "it exists already" (`entra-contract.md` 5.1).
fn is_duplicate(error: &PortError) -> bool {
    match error {
        PortError::Conflict(refusal) => refusal.code == "Request_MultipleObjectsWithSameKeyValue",
        PortError::Refused(refusal) => refusal.message.contains("already exists"),
        _ => false,
    }
}

fn joined(scopes: &BTreeSet<&str>) -> String {
    scopes.iter().copied().collect::<Vec<_>>().join(" ")
}

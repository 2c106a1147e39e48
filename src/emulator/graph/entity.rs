//! The properties of each kind of object, one at a time: a filter reads one of them, `$select` some, a
//! plain read all.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use crate::emulator::directory::AppRoleAssignment;
use crate::emulator::directory::Application;
use crate::emulator::directory::Credentials;
use crate::emulator::directory::Directory;
use crate::emulator::directory::KeyCredential;
use crate::emulator::directory::PasswordCredential;
use crate::emulator::directory::PermissionGrant;
use crate::emulator::directory::PermissionKind;
use crate::emulator::directory::ServicePrincipal;
use crate::emulator::directory::application_properties;
use crate::emulator::directory::principal_properties;

/// An object that a collection shows.
pub(super) trait Entity {
    /// Its properties, in the order they are written.
    fn names() -> &'static [&'static str];

    /// The value of one of them, without the bytes of certificates.
    fn property(&self, directory: &Directory, name: &str) -> Value;

    /// What names it in paths and orders pages.
    fn id(&self) -> String;

    /// Object ids of its owners, where a client may ask to have them expanded.
    fn owners(&self) -> Option<&[Uuid]> {
        None
    }
}

/// An object that a delta follows, into the bin and out of it.
pub(super) trait Tracked: Entity {
    /// Its object id.
    fn key(&self) -> Uuid;

    /// Whether it is in the bin.
    fn is_deleted(&self) -> bool;
}

impl Tracked for Application {
    fn key(&self) -> Uuid {
        self.id
    }

    fn is_deleted(&self) -> bool {
        self.deleted.is_some()
    }
}

impl Tracked for ServicePrincipal {
    fn key(&self) -> Uuid {
        self.id
    }

    fn is_deleted(&self) -> bool {
        self.deleted.is_some()
    }
}

/// Finds a property's own spelling for what a client wrote.
pub(super) fn spelled<E: Entity>(written: &str) -> Option<&'static str> {
    E::names().iter().copied().find(|name| name.eq_ignore_ascii_case(written))
}

impl Entity for Application {
    fn names() -> &'static [&'static str] {
        static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| {
            let own = [
                "id",
                "deletedDateTime",
                "appId",
                "createdDateTime",
                "displayName",
                "publisherDomain",
                "signInAudience",
                "uniqueName",
                "keyCredentials",
                "passwordCredentials",
            ];
            own.into_iter().chain(application_properties()).collect()
        });
        &NAMES
    }

    fn property(&self, directory: &Directory, name: &str) -> Value {
        match name {
            "appId" => json!(self.app_id),
            "createdDateTime" => json!(self.created),
            "deletedDateTime" => json!(self.deleted),
            "displayName" => json!(self.display_name),
            "id" => json!(self.id),
            "keyCredentials" => keys(&self.credentials, false, &|key| key.custom_key_identifier.clone()),
            "passwordCredentials" => passwords(&self.credentials),
            "publisherDomain" => json!(directory.domain()),
            "signInAudience" => json!(self.sign_in_audience),
            "uniqueName" => json!(self.unique_name),
            other => self.property(other),
        }
    }

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn owners(&self) -> Option<&[Uuid]> {
        Some(&self.owners)
    }
}

impl Entity for ServicePrincipal {
    fn names() -> &'static [&'static str] {
        static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| {
            let own = [
                "id",
                "deletedDateTime",
                "accountEnabled",
                "appDisplayName",
                "appId",
                "appOwnerOrganizationId",
                "createdDateTime",
                "displayName",
                "replyUrls",
                "servicePrincipalNames",
                "servicePrincipalType",
                "signInAudience",
                "keyCredentials",
                "passwordCredentials",
                "appRoles",
                "oauth2PermissionScopes",
            ];
            own.into_iter().chain(principal_properties()).collect()
        });
        &NAMES
    }

    fn property(&self, directory: &Directory, name: &str) -> Value {
        let application = || directory.application_by_app_id(self.app_id);
        match name {
            "accountEnabled" => json!(self.account_enabled),
            "appDisplayName" | "displayName" => json!(directory.principal_name(self)),
            "appId" => json!(self.app_id),
            "appOwnerOrganizationId" => json!(directory.home_tenant(self)),
            "appRoles" => offered(directory, self, PermissionKind::Application),
            "createdDateTime" => json!(self.created),
            "deletedDateTime" => json!(self.deleted),
            "id" => json!(self.id),
            "keyCredentials" => keys(&self.credentials, false, &KeyCredential::identifier_of_principal),
            "oauth2PermissionScopes" => offered(directory, self, PermissionKind::Delegated),
            "passwordCredentials" => passwords(&self.credentials),
            "replyUrls" => application().map_or_else(|| json!([]), |one| one.property("web")["redirectUris"].clone()),
            "servicePrincipalNames" => json!(directory.principal_names(self)),
            "servicePrincipalType" => json!(self.kind.as_deref().unwrap_or("Application")),
            "signInAudience" => {
                application().map_or_else(|| json!("AzureADMultipleOrgs"), |one| json!(one.sign_in_audience))
            }
            // An application's tags show on its service principal too.
            "tags" => {
                let own = self.property("tags");
                let inherited = application().map(|one| one.property("tags"));
                let all = [Some(own), inherited].into_iter().flatten();
                let mut tags: Vec<Value> = all.filter_map(|list| list.as_array().cloned()).flatten().collect();
                tags.dedup();
                Value::Array(tags)
            }
            other => self.property(other),
        }
    }

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn owners(&self) -> Option<&[Uuid]> {
        Some(&self.owners)
    }
}

impl Entity for AppRoleAssignment {
    fn names() -> &'static [&'static str] {
        &[
            "id",
            "deletedDateTime",
            "appRoleId",
            "createdDateTime",
            "principalDisplayName",
            "principalId",
            "principalType",
            "resourceDisplayName",
            "resourceId",
        ]
    }

    fn property(&self, directory: &Directory, name: &str) -> Value {
        let name_of = |id| directory.principal(id).map(|principal| directory.principal_name(principal));
        match name {
            "appRoleId" => json!(self.app_role_id),
            "createdDateTime" => json!(self.created),
            "id" => json!(self.id),
            "principalDisplayName" => json!(name_of(self.principal_id)),
            "principalId" => json!(self.principal_id),
            "principalType" => json!("ServicePrincipal"),
            "resourceDisplayName" => json!(name_of(self.resource_id)),
            "resourceId" => json!(self.resource_id),
            _ => Value::Null,
        }
    }

    fn id(&self) -> String {
        self.id.clone()
    }
}

impl Entity for PermissionGrant {
    fn names() -> &'static [&'static str] {
        &["clientId", "consentType", "id", "principalId", "resourceId", "scope"]
    }

    fn property(&self, _: &Directory, name: &str) -> Value {
        match name {
            "clientId" => json!(self.client_id),
            "consentType" => json!(self.consent_type),
            "id" => json!(self.id),
            "principalId" => json!(self.principal_id),
            "resourceId" => json!(self.resource_id),
            "scope" => json!(self.scope),
            _ => Value::Null,
        }
    }

    fn id(&self) -> String {
        self.id.clone()
    }
}

/// The certificates of an application, with their bytes: only for `$select=keyCredentials` of one object.
pub(super) fn application_keys_with_bytes(application: &Application) -> Value {
    keys(&application.credentials, true, &|key| key.custom_key_identifier.clone())
}

/// The same of a service principal.
pub(super) fn principal_keys_with_bytes(principal: &ServicePrincipal) -> Value {
    keys(&principal.credentials, true, &KeyCredential::identifier_of_principal)
}

/// One certificate on the wire.
pub(super) fn key(key: &KeyCredential, with_bytes: bool, identifier: String) -> Value {
    json!({
        "customKeyIdentifier": identifier,
        "displayName": key.display_name,
        "endDateTime": key.end,
        "key": with_bytes.then(|| BASE64_STANDARD.encode(&key.key)),
        "keyId": key.key_id,
        "startDateTime": key.start,
        "type": key.kind,
        "usage": key.usage,
    })
}

/// One client secret on the wire; `value` only in the answer to addPassword.
pub(super) fn password(password: &PasswordCredential, value: Option<&str>) -> Value {
    json!({
        "customKeyIdentifier": null,
        "displayName": password.display_name,
        "endDateTime": password.end,
        "hint": password.hint,
        "keyId": password.key_id,
        "secretText": value,
        "startDateTime": password.start,
    })
}

fn keys(credentials: &Credentials, with_bytes: bool, identifier: &dyn Fn(&KeyCredential) -> String) -> Value {
    credentials.keys.iter().map(|one| key(one, with_bytes, identifier(one))).collect()
}

fn passwords(credentials: &Credentials) -> Value {
    credentials.passwords.iter().map(|one| password(one, None)).collect()
}

fn offered(directory: &Directory, principal: &ServicePrincipal, kind: PermissionKind) -> Value {
    let offered = directory.offered(principal);
    let of_kind = offered.iter().filter(|one| one.kind == kind);
    of_kind
        .map(|one| match kind {
            PermissionKind::Application => json!({
                "allowedMemberTypes": ["Application"], "description": one.name, "displayName": one.name,
                "id": one.id, "isEnabled": true, "origin": "Application", "value": one.name,
            }),
            PermissionKind::Delegated => json!({
                "adminConsentDescription": one.name, "adminConsentDisplayName": one.name, "id": one.id,
                "isEnabled": true, "type": if one.admin_consent { "Admin" } else { "User" }, "value": one.name,
            }),
        })
        .collect()
}

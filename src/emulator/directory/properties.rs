//! The properties of an application or service principal that the emulator keeps as they are written:
//! which exist, what type they have, how a PATCH merges into them.

use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::Properties;
use super::Refusal;

/// The type of a property's value. Every property may also be null.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Bool,
    Object,
    Objects,
    Text,
    Texts,
}

/// Writable properties of an application beyond those with fields of their own (entra-contract 2.4).
const APPLICATION: &[(&str, Kind)] = &[
    ("addIns", Kind::Objects),
    ("api", Kind::Object),
    ("appRoles", Kind::Objects),
    ("authenticationBehaviors", Kind::Object),
    ("defaultRedirectUri", Kind::Text),
    ("description", Kind::Text),
    ("groupMembershipClaims", Kind::Text),
    ("identifierUris", Kind::Texts),
    ("info", Kind::Object),
    ("isDeviceOnlyAuthSupported", Kind::Bool),
    ("isDisabled", Kind::Bool),
    ("isFallbackPublicClient", Kind::Bool),
    ("nativeAuthenticationApisEnabled", Kind::Text),
    ("notes", Kind::Text),
    ("oauth2RequirePostResponse", Kind::Bool),
    ("optionalClaims", Kind::Object),
    ("parentalControlSettings", Kind::Object),
    ("publicClient", Kind::Object),
    ("requestSignatureVerification", Kind::Object),
    ("requiredResourceAccess", Kind::Objects),
    ("samlMetadataUrl", Kind::Text),
    ("serviceManagementReference", Kind::Text),
    ("servicePrincipalLockConfiguration", Kind::Object),
    ("spa", Kind::Object),
    ("tags", Kind::Texts),
    ("tokenEncryptionKeyId", Kind::Text),
    ("web", Kind::Object),
    ("windows", Kind::Object),
];

/// Writable properties of a service principal beyond those with fields of their own.
const PRINCIPAL: &[(&str, Kind)] = &[
    ("appRoleAssignmentRequired", Kind::Bool),
    ("description", Kind::Text),
    ("homepage", Kind::Text),
    ("loginUrl", Kind::Text),
    ("notes", Kind::Text),
    ("notificationEmailAddresses", Kind::Texts),
    ("preferredSingleSignOnMode", Kind::Text),
    ("preferredTokenSigningKeyThumbprint", Kind::Text),
    ("tags", Kind::Texts),
];

/// Set by the directory; a client that writes one is told so.
const READ_ONLY: &[&str] = &[
    "appId",
    "appDisplayName",
    "appOwnerOrganizationId",
    "applicationTemplateId",
    "certification",
    "createdByAppId",
    "createdDateTime",
    "deletedDateTime",
    "disabledByMicrosoftStatus",
    "id",
    "oauth2PermissionScopes",
    "passwordCredentials",
    "publisherDomain",
    "servicePrincipalNames",
    "servicePrincipalType",
    "verifiedPublisher",
];

/// The names of an application's kept properties.
pub(crate) fn application_properties() -> impl Iterator<Item = &'static str> {
    APPLICATION.iter().map(|(name, _)| *name)
}

/// The names of a service principal's kept properties.
pub(crate) fn principal_properties() -> impl Iterator<Item = &'static str> {
    PRINCIPAL.iter().map(|(name, _)| *name)
}

/// The value that a property shows before anybody writes it.
pub(crate) fn default_of(name: &str) -> Value {
    match name {
        "api" => json!({
            "acceptMappedClaims": null, "knownClientApplications": [], "requestedAccessTokenVersion": null,
            "oauth2PermissionScopes": [], "preAuthorizedApplications": [],
        }),
        "appRoleAssignmentRequired" | "oauth2RequirePostResponse" => Value::Bool(false),
        "info" => json!({
            "logoUrl": null, "marketingUrl": null, "privacyStatementUrl": null, "supportUrl": null,
            "termsOfServiceUrl": null,
        }),
        "parentalControlSettings" => json!({"countriesBlockedForMinors": [], "legalAgeGroupRule": "Allow"}),
        "publicClient" | "spa" => json!({"redirectUris": []}),
        "web" => json!({
            "homePageUrl": null, "logoutUrl": null, "redirectUris": [],
            "implicitGrantSettings": {"enableAccessTokenIssuance": false, "enableIdTokenIssuance": false},
        }),
        "addIns" | "appRoles" | "identifierUris" | "notificationEmailAddresses" | "requiredResourceAccess" | "tags" => {
            json!([])
        }
        _ => Value::Null,
    }
}

/// Merges what a client wrote on an application into the kept properties.
pub(super) fn merge_application(kept: &mut Properties, written: Properties) -> Result<(), Refusal> {
    merge(kept, written, APPLICATION)
}

/// Merges what a client wrote on a service principal into the kept properties.
pub(super) fn merge_principal(kept: &mut Properties, written: Properties) -> Result<(), Refusal> {
    merge(kept, written, PRINCIPAL)
}

fn merge(kept: &mut Properties, written: Properties, known: &[(&str, Kind)]) -> Result<(), Refusal> {
    for (name, value) in written {
        if name.starts_with("@odata.") || name.starts_with("extension_") {
            continue;
        }
        if READ_ONLY.contains(&name.as_str()) {
            return Err(Refusal::invalid(format!("Property '{name}' is read-only and cannot be set.")));
        }
        let Some((_, kind)) = known.iter().find(|(known, _)| *known == name) else {
            return Err(Refusal::invalid(format!("Invalid property '{name}'.")));
        };
        if !fits(*kind, &value) {
            return Err(Refusal::invalid(format!("Invalid value specified for property '{name}'.")));
        }
        if name == "requiredResourceAccess" {
            check_required_access(&value)?;
        }
        let slot = kept.entry(name.clone()).or_insert_with(|| default_of(&name));
        match (slot, value) {
            (Value::Object(slot), Value::Object(value)) => merge_complex(slot, value),
            (slot, value) => *slot = value,
        }
    }
    Ok(())
}

/// A complex value is updated member by member; collections inside it are replaced whole.
fn merge_complex(slot: &mut Properties, written: Properties) {
    for (name, value) in written {
        match (slot.get_mut(&name), value) {
            (Some(Value::Object(inner)), Value::Object(value)) => merge_complex(inner, value),
            (_, value) => {
                slot.insert(name, value);
            }
        }
    }
}

fn fits(kind: Kind, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null) | (Kind::Bool, Value::Bool(_)) | (Kind::Object, Value::Object(_)) => true,
        (Kind::Text, Value::String(_)) => true,
        (Kind::Texts, Value::Array(all)) => all.iter().all(Value::is_string),
        (Kind::Objects, Value::Array(all)) => all.iter().all(Value::is_object),
        _ => false,
    }
}

/// `[{resourceAppId, resourceAccess: [{id, type: Scope|Role}]}]`, at most 50 resources and 400
/// permissions (entra-contract 2.4).
fn check_required_access(value: &Value) -> Result<(), Refusal> {
    let refuse = || Refusal::invalid("Invalid value specified for property 'requiredResourceAccess'.");
    let is_guid = |value: &Value| value.as_str().is_some_and(|text| Uuid::parse_str(text).is_ok());
    let resources = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut permissions = 0;
    for resource in resources {
        let access = resource["resourceAccess"].as_array().ok_or_else(refuse)?;
        let well_formed =
            access.iter().all(|one| is_guid(&one["id"]) && matches!(one["type"].as_str(), Some("Scope" | "Role")));
        if !is_guid(&resource["resourceAppId"]) || !well_formed {
            return Err(refuse());
        }
        permissions += access.len();
    }
    if resources.len() > 50 || permissions > 400 { Err(refuse()) } else { Ok(()) }
}

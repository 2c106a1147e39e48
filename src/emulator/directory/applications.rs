//! Applications: creation (also by uniqueName), lookup, PATCH, soft delete, restore and purge.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Credentials;
use super::Directory;
use super::FederatedCredential;
use super::KeyConduct;
use super::KeyEntry;
use super::NewPassword;
use super::Properties;
use super::Refusal;
use super::beyond;
use super::properties::default_of;
use super::properties::merge_application;

/// Most permissions of an application that personal accounts may use.
const PERSONAL_PERMISSIONS: usize = 200;
/// Most of them of one resource.
const PERSONAL_PERMISSIONS_OF_ONE: usize = 30;

/// An app registration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// The client id.
    pub app_id: Uuid,
    /// When it was created.
    pub created: Timestamp,
    /// Its secrets and certificates.
    pub credentials: Credentials,
    /// When it was deleted; restorable until purged.
    pub deleted: Option<Timestamp>,
    /// Its name, never empty, not unique.
    pub display_name: String,
    /// Tokens of other issuers that sign it in.
    #[serde(default)]
    pub federated: Vec<FederatedCredential>,
    /// The object id.
    pub id: Uuid,
    /// Object ids of its owners.
    pub owners: Vec<Uuid>,
    /// The other properties, as written.
    pub properties: Properties,
    /// `AzureADMyOrg`, `AzureADMultipleOrgs`, `AzureADandPersonalMicrosoftAccount` or
    /// `PersonalMicrosoftAccount`.
    pub sign_in_audience: String,
    /// The caller's own key; unique in the tenant, set once.
    pub unique_name: Option<String>,
}

impl Application {
    /// Whether people with personal accounts sign in: then the low limits apply (entra-contract 5b).
    pub fn allows_personal_accounts(&self) -> bool {
        self.sign_in_audience.ends_with("PersonalMicrosoftAccount")
    }

    /// A kept property, or what it shows before anybody wrote it.
    pub fn property(&self, name: &str) -> Value {
        self.properties.get(name).cloned().unwrap_or_else(|| default_of(name))
    }
}

impl Directory {
    /// The application with this object id, unless deleted.
    pub fn application(&self, id: Uuid) -> Option<&Application> {
        self.applications.get(&id).filter(|application| application.deleted.is_none())
    }

    /// The application with this client id, unless deleted.
    pub fn application_by_app_id(&self, app_id: Uuid) -> Option<&Application> {
        self.by_app_id.applications.get(&app_id).and_then(|id| self.application(*id))
    }

    /// The application with this uniqueName, unless deleted.
    pub fn application_by_unique_name(&self, name: &str) -> Option<&Application> {
        self.applications().find(|application| application.unique_name.as_deref() == Some(name))
    }

    /// All applications that are not deleted, by object id.
    pub fn applications(&self) -> impl Iterator<Item = &Application> {
        self.applications.values().filter(|application| application.deleted.is_none())
    }

    /// The same, from the one after `after` on.
    pub fn applications_after(&self, after: Option<Uuid>) -> impl Iterator<Item = &Application> {
        self.applications.range(beyond(after)).map(|(_, one)| one).filter(|one| one.deleted.is_none())
    }

    /// The deleted applications after `after`.
    pub fn deleted_applications_after(&self, after: Option<Uuid>) -> impl Iterator<Item = &Application> {
        self.applications.range(beyond(after)).map(|(_, one)| one).filter(|one| one.deleted.is_some())
    }

    /// All applications by object id, those in the bin too.
    pub fn all_applications(&self) -> impl Iterator<Item = &Application> + Clone {
        self.applications.values()
    }

    /// All deleted applications that are not yet purged.
    pub fn deleted_applications(&self) -> impl Iterator<Item = &Application> {
        self.applications.values().filter(|application| application.deleted.is_some())
    }

    /// Creates an application from what a client wrote; `owner` is the caller's service principal where
    /// Entra makes it the owner.
    pub fn create_application(
        &mut self,
        mut written: Properties,
        owner: Option<Uuid>,
        conduct: KeyConduct,
        now: Timestamp,
    ) -> Result<Uuid, Refusal> {
        let keys = take_keys(&mut written)?.unwrap_or_default();
        let passwords = take_passwords(&mut written)?;
        let mut application = Application {
            app_id: self.entropy.uuid(),
            created: now,
            credentials: Credentials::default(),
            deleted: None,
            display_name: String::new(),
            federated: Vec::new(),
            id: self.entropy.uuid(),
            owners: owner.into_iter().collect(),
            properties: Properties::new(),
            // The default of the real service is not documented; this is the harmless one.
            sign_in_audience: "AzureADMyOrg".to_owned(),
            unique_name: None,
        };
        self.write(&mut application, written)?;
        if application.display_name.is_empty() {
            return Err(Refusal::invalid("Property 'displayName' is required."));
        }
        let id = application.id;
        self.insert_application(application);
        let filled = self
            .replace_keys(id, &keys, conduct, now)
            .and_then(|()| passwords.into_iter().try_for_each(|new| self.add_password(id, new, now).map(drop)));
        if let Err(refusal) = filled {
            self.applications.remove(&id);
            return Err(refusal);
        }
        Ok(id)
    }

    pub(super) fn insert_application(&mut self, application: Application) {
        self.by_app_id.applications.insert(application.app_id, application.id);
        self.applications.insert(application.id, application);
    }

    /// Changes an application by what a client wrote; what it left out stays.
    pub fn update_application(
        &mut self,
        id: Uuid,
        mut written: Properties,
        conduct: KeyConduct,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut application = self.application(id).ok_or_else(|| Refusal::no_object(id))?.clone();
        if written.contains_key("passwordCredentials") {
            return Err(Refusal::invalid("Property 'passwordCredentials' is read-only and cannot be set."));
        }
        let keys = take_keys(&mut written)?;
        self.write(&mut application, written)?;
        if let Some(keys) = keys {
            self.replace_keys(id, &keys, conduct, now)?;
            application.credentials = self.applications[&id].credentials.clone();
        }
        self.applications.insert(id, application);
        Ok(())
    }

    /// Deletes an application softly, its service principal with it.
    pub fn delete_application(&mut self, id: Uuid, now: Timestamp) -> Result<(), Refusal> {
        let application = self.applications.get_mut(&id).filter(|one| one.deleted.is_none());
        let application = application.ok_or_else(|| Refusal::no_object(id))?;
        application.deleted = Some(now);
        let app_id = application.app_id;
        let principal = self.by_app_id.principals.get(&app_id);
        if let Some(principal) = principal.and_then(|id| self.principals.get_mut(id)) {
            principal.deleted = Some(now);
        }
        Ok(())
    }

    /// Brings a deleted application back, its service principal with it.
    pub fn restore_application(&mut self, id: Uuid) -> Result<(), Refusal> {
        let application = self.applications.get_mut(&id).filter(|one| one.deleted.is_some());
        let application = application.ok_or_else(|| Refusal::no_object(id))?;
        application.deleted = None;
        let app_id = application.app_id;
        let principal = self.by_app_id.principals.get(&app_id);
        if let Some(principal) = principal.and_then(|id| self.principals.get_mut(id)) {
            principal.deleted = None;
        }
        Ok(())
    }

    /// Removes a deleted application for good.
    pub fn purge_application(&mut self, id: Uuid) -> Result<(), Refusal> {
        let deleted = self.applications.get(&id).filter(|one| one.deleted.is_some());
        let app_id = deleted.ok_or_else(|| Refusal::no_object(id))?.app_id;
        self.applications.remove(&id);
        let principals: Vec<Uuid> =
            self.principals.values().filter(|one| one.app_id == app_id).map(|one| one.id).collect();
        principals.into_iter().for_each(|id| self.forget_principal(id));
        Ok(())
    }

    /// Writes everything but credentials into `application`, which may not be in the directory yet.
    fn write(&self, application: &mut Application, mut written: Properties) -> Result<(), Refusal> {
        if let Some(name) = written.remove("displayName") {
            let name = name.as_str().filter(|name| !name.is_empty() && name.chars().count() <= 256);
            let name = name.ok_or_else(|| Refusal::invalid("Invalid value specified for property 'displayName'."))?;
            application.display_name = name.to_owned();
        }
        if let Some(name) = written.remove("uniqueName") {
            self.write_unique_name(application, &name)?;
        }
        if let Some(audience) = written.remove("signInAudience") {
            application.sign_in_audience = audience_of(&audience)?;
        }
        merge_application(&mut application.properties, written)?;
        if application.allows_personal_accounts() && application.property("api")["requestedAccessTokenVersion"] != 2 {
            return Err(Refusal::invalid("Property api.requestedAccessTokenVersion is invalid."));
        }
        if application.allows_personal_accounts() {
            check_personal_permissions(&application.property("requiredResourceAccess"))?;
        }
        let uris = application.property("identifierUris");
        self.check_audience_policy(application)?;
        let uris = uris.as_array().map(Vec::as_slice).unwrap_or_default();
        let others = self.applications().filter(|other| !uris.is_empty() && other.id != application.id);
        let taken = others
            .filter_map(|other| other.properties.get("identifierUris")?.as_array())
            .any(|held| uris.iter().any(|uri| held.contains(uri)));
        if taken { Err(Refusal::Duplicate { property: "identifierUris" }) } else { Ok(()) }
    }

    fn write_unique_name(&self, application: &mut Application, name: &Value) -> Result<(), Refusal> {
        let refuse = || Refusal::invalid("Invalid value specified for property 'uniqueName'.");
        let name = match name {
            Value::Null if application.unique_name.is_none() => return Ok(()),
            Value::String(name) if !name.is_empty() => name,
            _ => return Err(refuse()),
        };
        if application.unique_name.as_ref().is_some_and(|kept| kept != name) {
            return Err(Refusal::invalid("Property 'uniqueName' is read-only once it is set."));
        }
        if self
            .applications
            .values()
            .any(|other| other.id != application.id && other.unique_name.as_ref() == Some(name))
        {
            return Err(Refusal::Duplicate { property: "uniqueName" });
        }
        application.unique_name = Some(name.clone());
        Ok(())
    }
}

/// The limits where personal accounts sign in (entra-contract 5b).
fn check_personal_permissions(required: &Value) -> Result<(), Refusal> {
    let of = |resource: &Value| resource["resourceAccess"].as_array().map_or(0, Vec::len);
    let counts: Vec<usize> = required.as_array().into_iter().flatten().map(of).collect();
    let total: usize = counts.iter().sum();
    if total > PERSONAL_PERMISSIONS || counts.iter().any(|count| *count > PERSONAL_PERMISSIONS_OF_ONE) {
        return Err(Refusal::invalid(format!(
            "Property requiredResourceAccess is invalid: with personal accounts at most {PERSONAL_PERMISSIONS} permissions, and {PERSONAL_PERMISSIONS_OF_ONE} of one resource."
        )));
    }
    Ok(())
}

fn audience_of(value: &Value) -> Result<String, Refusal> {
    match value.as_str() {
        Some(
            audience @ ("AzureADMyOrg"
            | "AzureADMultipleOrgs"
            | "AzureADandPersonalMicrosoftAccount"
            | "PersonalMicrosoftAccount"),
        ) => Ok(audience.to_owned()),
        _ => Err(Refusal::invalid("Invalid value specified for property 'signInAudience'.")),
    }
}

pub(super) fn take_keys(written: &mut Properties) -> Result<Option<Vec<KeyEntry>>, Refusal> {
    let Some(keys) = written.remove("keyCredentials") else { return Ok(None) };
    let keys: Option<Vec<KeyEntry>> = serde_json::from_value(keys)
        .map_err(|error| Refusal::invalid(format!("Invalid value specified for property 'keyCredentials'. {error}")))?;
    Ok(Some(keys.unwrap_or_default()))
}

/// passwordCredentials of a POST: the directory makes the values; ids and values from outside are refused
/// (entra-contract 2.1).
fn take_passwords(written: &mut Properties) -> Result<Vec<NewPassword>, Refusal> {
    let refuse = || Refusal::invalid("Invalid value specified for property 'passwordCredentials'.");
    let passwords = match written.remove("passwordCredentials") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(all)) => all,
        Some(_) => return Err(refuse()),
    };
    passwords
        .into_iter()
        .map(|one| {
            if !one["keyId"].is_null() || !one["secretText"].is_null() {
                return Err(refuse());
            }
            serde_json::from_value(one).map_err(|_| refuse())
        })
        .collect()
}

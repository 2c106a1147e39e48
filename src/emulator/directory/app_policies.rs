//! App management policies: what the tenant, or a policy attached to one object, forbids about credentials and sign-in
//! audiences (entra-contract 3.7). An attached policy that is enabled replaces the tenant's for its object.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Span;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::Application;
use super::Directory;
use super::Properties;
use super::Refusal;
use super::refusal::Breach;

/// Restrictions of client secrets; each at most once in a policy.
const OF_PASSWORDS: &[&str] =
    &["customPasswordAddition", "passwordAddition", "passwordLifetime", "symmetricKeyAddition", "symmetricKeyLifetime"];
/// Restrictions of certificates; the beta API knows more.
const OF_KEYS: &[&str] = &["asymmetricKeyLifetime"];

/// All policies of a tenant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AppPolicies {
    attached: BTreeMap<Uuid, Uuid>,
    custom: BTreeMap<Uuid, AppPolicy>,
    tenant: TenantPolicy,
}

/// A policy for the objects it is attached to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppPolicy {
    /// Text for people.
    #[serde(default)]
    pub description: Option<String>,
    /// Its name.
    pub display_name: String,
    /// Its id.
    #[serde(default)]
    pub id: Uuid,
    /// Whether it counts.
    #[serde(default)]
    pub is_enabled: bool,
    /// What it restricts, as written.
    #[serde(default)]
    pub restrictions: Value,
}

/// The policy of everything that has none of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantPolicy {
    /// What it restricts on applications, as written.
    pub application_restrictions: Value,
    /// Text for people.
    pub description: String,
    /// Its name.
    pub display_name: String,
    /// Its id, the same in every tenant.
    pub id: Uuid,
    /// Whether it counts; not unless somebody says so.
    pub is_enabled: bool,
    /// What it restricts on service principals, as written.
    pub service_principal_restrictions: Value,
}

impl Default for TenantPolicy {
    fn default() -> Self {
        let nothing = json!({"passwordCredentials": [], "keyCredentials": []});
        Self {
            application_restrictions: nothing.clone(),
            description: "Default tenant policy that enforces app management restrictions.".to_owned(),
            display_name: "Default app management tenant policy".to_owned(),
            id: Uuid::nil(),
            is_enabled: false,
            service_principal_restrictions: nothing,
        }
    }
}

impl AppPolicies {
    /// The policy of everything that has none of its own.
    pub fn tenant(&self) -> &TenantPolicy {
        &self.tenant
    }

    /// All other policies.
    pub fn custom(&self) -> impl Iterator<Item = &AppPolicy> {
        self.custom.values()
    }

    /// One of them.
    pub fn policy(&self, id: Uuid) -> Result<&AppPolicy, Refusal> {
        self.custom.get(&id).ok_or_else(|| Refusal::no_object(id))
    }

    /// The policy attached to an application or service principal.
    pub fn attached_to(&self, object: Uuid) -> Option<&AppPolicy> {
        self.attached.get(&object).and_then(|id| self.custom.get(id))
    }

    /// What a policy is attached to.
    pub fn applies_to(&self, policy: Uuid) -> impl Iterator<Item = Uuid> + '_ {
        self.attached.iter().filter(move |(_, attached)| **attached == policy).map(|(object, _)| *object)
    }
}

/// The restrictions of a policy, read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rules {
    application_restrictions: Option<Inner>,
    audiences: Option<Audiences>,
    key_credentials: Option<Vec<Rule>>,
    password_credentials: Option<Vec<Rule>>,
}

/// Where a custom policy keeps what is for applications alone.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Inner {
    audiences: Option<Audiences>,
}

/// Beta only, as documented there.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Audiences {
    azure_ad_multiple_orgs: Option<Rule>,
    personal_microsoft_account: Option<Rule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    max_lifetime: Option<Span>,
    restrict_for_apps_created_after_date_time: Option<Timestamp>,
    restriction_type: String,
    state: Option<String>,
}

impl Rule {
    /// Whether it restricts an object created at `created`.
    fn binds(&self, created: Timestamp) -> bool {
        self.state.as_deref().unwrap_or("enabled") == "enabled"
            && self.restrict_for_apps_created_after_date_time.is_none_or(|after| created > after)
    }

    fn exceeded(&self, start: Timestamp, end: Timestamp) -> bool {
        let latest = self.max_lifetime.and_then(|span| start.to_zoned(TimeZone::UTC).checked_add(span).ok());
        latest.is_some_and(|latest| end > latest.timestamp())
    }
}

/// The rules that bind one object, and whose they are.
struct Bound {
    created: Timestamp,
    policy: Uuid,
    rules: Rules,
}

impl Bound {
    fn refuse(&self, breach: Breach) -> Refusal {
        Refusal::Policy { breach, policy: self.policy }
    }

    fn rule<'a>(&self, rules: &'a Option<Vec<Rule>>, kind: &str) -> Option<&'a Rule> {
        rules.iter().flatten().find(|rule| rule.restriction_type == kind && rule.binds(self.created))
    }
}

impl Directory {
    /// The tenant's app management policies.
    pub fn app_policies(&self) -> &AppPolicies {
        &self.policies
    }

    /// Changes the tenant's policy by what a client wrote.
    pub fn update_tenant_policy(&mut self, written: Properties) -> Result<(), Refusal> {
        let changed: TenantPolicy = changed(&self.policies.tenant, written)?;
        check(&changed.application_restrictions)?;
        check(&changed.service_principal_restrictions)?;
        self.policies.tenant = TenantPolicy { id: Uuid::nil(), ..changed };
        Ok(())
    }

    /// Makes a policy that is attached to nothing yet.
    pub fn create_app_policy(&mut self, written: Properties) -> Result<Uuid, Refusal> {
        let made: AppPolicy = serde_json::from_value(Value::Object(written)).map_err(unreadable)?;
        check(&made.restrictions)?;
        let id = self.entropy.uuid();
        self.policies.custom.insert(id, AppPolicy { id, ..made });
        Ok(id)
    }

    /// Changes one by what a client wrote.
    pub fn update_app_policy(&mut self, id: Uuid, written: Properties) -> Result<(), Refusal> {
        let changed: AppPolicy = changed(self.policies.policy(id)?, written)?;
        check(&changed.restrictions)?;
        self.policies.custom.insert(id, AppPolicy { id, ..changed });
        Ok(())
    }

    /// Removes one, from its objects too.
    pub fn delete_app_policy(&mut self, id: Uuid) -> Result<(), Refusal> {
        self.policies.custom.remove(&id).ok_or_else(|| Refusal::no_object(id))?;
        self.policies.attached.retain(|_, policy| *policy != id);
        Ok(())
    }

    /// Attaches a policy to an application or service principal, which may have one only.
    pub fn attach_app_policy(&mut self, object: Uuid, policy: Uuid) -> Result<(), Refusal> {
        self.owners(object).ok_or_else(|| Refusal::no_object(object))?;
        self.policies.policy(policy)?;
        if self.policies.attached.contains_key(&object) {
            return Err(Refusal::invalid(
                "One or more added object references already exist for the following modified properties: 'appManagementPolicies'.",
            ));
        }
        self.policies.attached.insert(object, policy);
        Ok(())
    }

    /// Takes a policy off an object.
    pub fn detach_app_policy(&mut self, object: Uuid, policy: Uuid) -> Result<(), Refusal> {
        if self.policies.attached.get(&object) != Some(&policy) {
            return Err(Refusal::no_object(policy));
        }
        self.policies.attached.remove(&object);
        Ok(())
    }

    /// Refuses a client secret that a policy forbids on its holder.
    pub(super) fn check_password_policy(&self, holder: Uuid, start: Timestamp, end: Timestamp) -> Result<(), Refusal> {
        let Some(bound) = self.bound(holder) else { return Ok(()) };
        let rules = &bound.rules.password_credentials;
        if bound.rule(rules, "passwordAddition").is_some() {
            return Err(bound.refuse(Breach::Type));
        }
        match bound.rule(rules, "passwordLifetime") {
            Some(rule) if rule.exceeded(start, end) => Err(bound.refuse(Breach::Lifetime)),
            _ => Ok(()),
        }
    }

    /// Refuses a certificate that a policy forbids on its holder.
    pub(super) fn check_key_policy(&self, holder: Uuid, start: Timestamp, end: Timestamp) -> Result<(), Refusal> {
        let Some(bound) = self.bound(holder) else { return Ok(()) };
        match bound.rule(&bound.rules.key_credentials, "asymmetricKeyLifetime") {
            Some(rule) if rule.exceeded(start, end) => Err(bound.refuse(Breach::Lifetime)),
            _ => Ok(()),
        }
    }

    /// Refuses a sign-in audience that a policy forbids. The application may not be in the directory yet.
    pub(super) fn check_audience_policy(&self, application: &Application) -> Result<(), Refusal> {
        let Some(bound) = self.bound_by(application.id, application.created, true) else { return Ok(()) };
        let inner = bound.rules.application_restrictions.as_ref().and_then(|inner| inner.audiences.as_ref());
        let Some(audiences) = inner.or(bound.rules.audiences.as_ref()) else { return Ok(()) };
        let rule = match application.sign_in_audience.as_str() {
            "AzureADMyOrg" => &None,
            "AzureADMultipleOrgs" => &audiences.azure_ad_multiple_orgs,
            _ => &audiences.personal_microsoft_account,
        };
        let forbidden = rule.as_ref().is_some_and(|rule| rule.binds(bound.created));
        if forbidden { Err(bound.refuse(Breach::Audience)) } else { Ok(()) }
    }

    fn bound(&self, holder: Uuid) -> Option<Bound> {
        if let Some(application) = self.application(holder) {
            return self.bound_by(holder, application.created, true);
        }
        self.bound_by(holder, self.principal(holder)?.created, false)
    }

    fn bound_by(&self, object: Uuid, created: Timestamp, is_application: bool) -> Option<Bound> {
        let (policy, restrictions) = match self.policies.attached_to(object).filter(|policy| policy.is_enabled) {
            Some(policy) => (policy.id, &policy.restrictions),
            None => {
                let tenant = Some(&self.policies.tenant).filter(|tenant| tenant.is_enabled)?;
                let of_kind = if is_application {
                    &tenant.application_restrictions
                } else {
                    &tenant.service_principal_restrictions
                };
                (tenant.id, of_kind)
            }
        };
        // `check` has read them before they were kept.
        let rules = Rules::deserialize(restrictions).unwrap_or_default();
        Some(Bound { created, policy, rules })
    }
}

/// `kept` with the members that a client wrote; collections inside are replaced whole.
fn changed<T: Serialize + for<'de> Deserialize<'de>>(kept: &T, written: Properties) -> Result<T, Refusal> {
    let mut value = serde_json::to_value(kept).map_err(unreadable)?;
    for (name, new) in written {
        match (&mut value[&name], new) {
            (Value::Object(old), Value::Object(new)) => old.extend(new),
            (old, new) => *old = new,
        }
    }
    serde_json::from_value(value).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> Refusal {
    Refusal::invalid(format!("The policy cannot be read: {error}"))
}

/// Refuses restrictions that Graph would not take.
fn check(restrictions: &Value) -> Result<(), Refusal> {
    if restrictions.is_null() {
        return Ok(());
    }
    let rules = Rules::deserialize(restrictions).map_err(unreadable)?;
    for (rules, known) in [(&rules.password_credentials, OF_PASSWORDS), (&rules.key_credentials, OF_KEYS)] {
        let mut seen = BTreeSet::new();
        for rule in rules.iter().flatten() {
            let kind = rule.restriction_type.as_str();
            let whole = kind.ends_with("Lifetime") == rule.max_lifetime.is_some();
            let state = matches!(rule.state.as_deref(), None | Some("disabled" | "enabled"));
            if !known.contains(&kind) || !whole || !state || !seen.insert(kind) {
                return Err(Refusal::invalid(format!("Invalid value specified for restriction '{kind}'.")));
            }
        }
    }
    Ok(())
}

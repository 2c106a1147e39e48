//! App management policies: what the tenant's, or the one attached to an application, restricts on it
//! (`entra-contract.md` 3.7).

use jiff::Span;
use jiff::Timestamp;
use serde::Deserialize;

use crate::model::AppLimits;
use crate::model::Audience;
use crate::model::ObjectId;
use crate::ports::PortError;

use super::Graph;
use super::odata::by_id;

/// What Entra takes for the birthday of an object that has none (2019-01-01).
const UNKNOWN_BIRTHDAY: Timestamp = Timestamp::constant(1_546_300_800, 0);

/// `tenantAppManagementPolicy` and `appManagementPolicy` in one.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Policy {
    id: String,
    display_name: Option<String>,
    is_enabled: bool,
    /// Of the tenant's.
    application_restrictions: Option<Restrictions>,
    /// Of one that is attached.
    restrictions: Option<Restrictions>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Restrictions {
    /// Where an attached policy keeps what is for applications alone.
    application_restrictions: Option<Box<Restrictions>>,
    audiences: Option<Audiences>,
    key_credentials: Option<Vec<Rule>>,
    password_credentials: Option<Vec<Rule>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Audiences {
    azure_ad_multiple_orgs: Option<Rule>,
    personal_microsoft_account: Option<Rule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    max_lifetime: Option<String>,
    restrict_for_apps_created_after_date_time: Option<Timestamp>,
    restriction_type: Option<String>,
    state: Option<String>,
}

impl Rule {
    fn binds(&self, created: Timestamp) -> bool {
        self.state.as_deref() != Some("disabled")
            && self.restrict_for_apps_created_after_date_time.is_none_or(|after| created > after)
    }
}

/// `application` with `$select=createdDateTime`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Birthday {
    created_date_time: Option<Timestamp>,
}

impl Graph {
    /// See [`crate::ports::Directory::app_limits`].
    pub(super) async fn read_app_limits(&self, app: Option<&ObjectId>, now: Timestamp) -> Result<AppLimits, PortError> {
        let attached: Vec<Policy> = match app {
            Some(app) => self.list(&by_id("applications", app.as_str(), "/appManagementPolicies"), &[]).await?,
            None => Vec::new(),
        };
        // An attached one that is enabled replaces the tenant's.
        let policy = match attached.into_iter().find(|policy| policy.is_enabled) {
            Some(policy) => policy,
            None => self.read("/v1.0/policies/defaultAppManagementPolicy", &[]).await?.value,
        };
        let created = match app {
            Some(app) if policy.asks_for_age() => {
                let path = by_id("applications", app.as_str(), "");
                let born: Birthday = self.read(&path, &[("$select", "createdDateTime")]).await?.value;
                born.created_date_time.unwrap_or(UNKNOWN_BIRTHDAY)
            }
            _ => now,
        };
        Ok(policy.limits(created))
    }
}

impl Policy {
    fn restrictions(&self) -> Option<&Restrictions> {
        self.restrictions.as_ref().or(self.application_restrictions.as_ref()).filter(|_| self.is_enabled)
    }

    fn audiences(&self) -> Option<&Audiences> {
        let all = self.restrictions()?;
        let inner = all.application_restrictions.as_ref().and_then(|inner| inner.audiences.as_ref());
        inner.or(all.audiences.as_ref())
    }

    /// Whether one of its rules depends on when the application was made.
    fn asks_for_age(&self) -> bool {
        let credentials = self.restrictions().into_iter().flat_map(|all| {
            let lists = [&all.key_credentials, &all.password_credentials];
            lists.into_iter().flatten().flatten()
        });
        let audiences = self.audiences().into_iter().flat_map(|all| {
            let rules = [&all.azure_ad_multiple_orgs, &all.personal_microsoft_account];
            rules.into_iter().flatten()
        });
        credentials.chain(audiences).any(|rule| rule.restrict_for_apps_created_after_date_time.is_some())
    }

    /// What it restricts on an application made at `created`. Symmetric keys and passwords of one's own choice are
    /// passed over: everkey makes neither.
    fn limits(self, created: Timestamp) -> AppLimits {
        let mut limits = AppLimits {
            policy: self.id.clone(),
            name: self.display_name.clone().unwrap_or_default(),
            ..AppLimits::default()
        };
        let Some(all) = self.restrictions() else { return limits };
        let rule = |rules: &'_ Option<Vec<Rule>>, kind: &str| -> Option<Option<Span>> {
            let mut bound = rules.iter().flatten().filter(|rule| rule.binds(created));
            let rule = bound.find(|rule| rule.restriction_type.as_deref() == Some(kind))?;
            // One that cannot be read is left to Entra, which will say what it means.
            Some(rule.max_lifetime.as_deref().and_then(|text| text.parse().ok()))
        };
        limits.no_secrets = rule(&all.password_credentials, "passwordAddition").is_some();
        limits.secret_lifetime = rule(&all.password_credentials, "passwordLifetime").flatten();
        limits.certificate_lifetime = rule(&all.key_credentials, "asymmetricKeyLifetime").flatten();
        let binds = |rule: &Option<Rule>| rule.as_ref().is_some_and(|rule| rule.binds(created));
        if let Some(audiences) = self.audiences() {
            if binds(&audiences.azure_ad_multiple_orgs) {
                limits.audiences.push(Audience::Multi);
            }
            if binds(&audiences.personal_microsoft_account) {
                limits.audiences.extend([Audience::MultiAndPersonal, Audience::Personal]);
            }
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: &str = "2026-01-01T00:00:00Z";

    fn read(body: &str) -> AppLimits {
        serde_json::from_str::<Policy>(body).unwrap().limits(CREATED.parse().unwrap())
    }

    fn days(span: Option<Span>) -> Option<i32> {
        span.map(|span| span.get_days())
    }

    #[test]
    fn kinds_lifetimes_and_audiences_are_read_where_the_policy_counts() {
        let rules = r#"{"passwordCredentials":[
                {"restrictionType":"passwordAddition","state":"STATE","maxLifetime":null},
                {"restrictionType":"passwordLifetime","maxLifetime":"P90D","restrictForAppsCreatedAfterDateTime":"AFTER"},
                {"restrictionType":"symmetricKeyAddition"},{"restrictionType":"new"}],
            "keyCredentials":[{"restrictionType":"asymmetricKeyLifetime","state":"enabled","maxLifetime":"P180D"}],
            "audiences":{"azureAdMultipleOrgs":{"state":"enabled"},"personalMicrosoftAccount":null}}"#;
        let with = |state: &str, after: &str, enabled: bool, name: &str| {
            let rules = rules.replace("STATE", state).replace("AFTER", after);
            read(&format!(r#"{{"id":"p","displayName":null,"isEnabled":{enabled},"{name}":{rules}}}"#))
        };
        for name in ["applicationRestrictions", "restrictions"] {
            let limits = with("enabled", "2025-12-31T23:59:59Z", true, name);
            assert!(limits.no_secrets, "{name}");
            assert_eq!((days(limits.secret_lifetime), days(limits.certificate_lifetime)), (Some(90), Some(180)));
            assert_eq!((limits.policy.as_str(), limits.audiences), ("p", vec![Audience::Multi]));
        }
        let spared = with("disabled", CREATED, true, "restrictions");
        assert!(!spared.no_secrets && spared.secret_lifetime.is_none(), "a rule for later applications");
        let off = with("enabled", "2025-12-31T23:59:59Z", false, "restrictions");
        assert!(!off.no_secrets && off.certificate_lifetime.is_none() && off.audiences.is_empty());
    }

    #[test]
    fn the_age_is_asked_for_only_where_a_rule_needs_it() {
        let policy = |rule: &str| {
            let body = format!(r#"{{"isEnabled":true,"restrictions":{{"keyCredentials":[{rule}]}}}}"#);
            serde_json::from_str::<Policy>(&body).unwrap()
        };
        assert!(!policy(r#"{"restrictionType":"asymmetricKeyLifetime","maxLifetime":"P1D"}"#).asks_for_age());
        assert!(policy(r#"{"restrictForAppsCreatedAfterDateTime":"2026-01-01T00:00:00Z"}"#).asks_for_age());
    }

    #[test]
    fn what_cannot_be_read_restricts_nothing_beforehand() {
        let limits = read(
            r#"{"isEnabled":true,"restrictions":{"keyCredentials":
                [{"restrictionType":"asymmetricKeyLifetime","maxLifetime":"soon"}],"passwordCredentials":null}}"#,
        );
        assert!(limits.certificate_lifetime.is_none() && !limits.no_secrets);
        assert!(read("{}").policy.is_empty());
    }
}

//! The JSON of Graph, as far as everkey reads and writes it (`entra-contract.md` 2.4 to 2.6, 5.1).
//!
//! Graph writes `null` for what is unset, so every collection and text that may be null is tolerant. An entry
//! without the fields that name it is an error, and so is an object without its list of credentials: to read
//! either as "none" could lose credentials in a later PATCH.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;

/// `application`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Application {
    pub id: String,
    pub app_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub display_name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub sign_in_audience: String,
    #[serde(default, deserialize_with = "or_default")]
    pub public_client: Redirects,
    #[serde(default, deserialize_with = "or_default")]
    pub spa: Redirects,
    #[serde(default, deserialize_with = "or_default")]
    pub web: Redirects,
    #[serde(default, deserialize_with = "or_default")]
    pub required_resource_access: Vec<ResourceAccessList>,
    #[serde(deserialize_with = "or_default")]
    pub password_credentials: Vec<Password>,
    #[serde(deserialize_with = "or_default")]
    pub key_credentials: Vec<Key>,
}

/// The ids of an application, for reads that ask for no more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApplicationIds {
    pub id: String,
    pub app_id: String,
}

/// `directoryObject`, as far as it has a name.
#[derive(Deserialize)]
pub(super) struct DirectoryObject {
    pub id: String,
}

/// `application` with `$select=keyCredentials`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyCredentials {
    #[serde(deserialize_with = "or_default")]
    pub key_credentials: Vec<Key>,
}

/// `publicClientApplication`, `spaApplication`, `webApplication`, as far as they redirect.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Redirects {
    #[serde(default, deserialize_with = "or_default")]
    pub redirect_uris: Vec<String>,
}

/// `requiredResourceAccess`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceAccessList {
    pub resource_app_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub resource_access: Vec<ResourceAccess>,
}

/// `resourceAccess`.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct ResourceAccess {
    pub id: String,
    /// `Role` or `Scope`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// `passwordCredential` as it is listed: the value is never among it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Password {
    pub key_id: String,
    pub display_name: Option<String>,
    pub hint: Option<String>,
    pub start_date_time: Option<Timestamp>,
    pub end_date_time: Option<Timestamp>,
}

/// `keyCredential`, read and written.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Key {
    pub key_id: String,
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_key_identifier: Option<String>,
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub usage: String,
    pub start_date_time: Option<Timestamp>,
    pub end_date_time: Option<Timestamp>,
    /// Base64 of the DER; written as `null` where unknown, which keeps the stored bytes.
    pub key: Option<String>,
}

/// `servicePrincipal`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Principal {
    pub id: String,
    pub account_enabled: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    pub tags: Vec<String>,
    pub password_credentials: Option<Vec<Password>>,
    pub key_credentials: Option<Vec<Key>>,
}

/// `application` or `servicePrincipal` with what it holds. As with [`Application`], a list of credentials that is
/// not there is an error: it would read as "none", and what appears later as new.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HolderObject {
    pub id: String,
    pub app_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub display_name: String,
    pub created_date_time: Option<Timestamp>,
    pub service_principal_type: Option<String>,
    pub preferred_token_signing_key_thumbprint: Option<String>,
    pub owners: Option<Vec<OwnerObject>>,
    #[serde(deserialize_with = "or_default")]
    pub password_credentials: Vec<Password>,
    #[serde(deserialize_with = "or_default")]
    pub key_credentials: Vec<Key>,
}

/// An owner: of one that the reader may not see, Graph tells the id alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnerObject {
    pub id: String,
    pub display_name: Option<String>,
    pub mail: Option<String>,
    pub user_principal_name: Option<String>,
    pub account_enabled: Option<bool>,
}

/// The client id of a service principal.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PrincipalAppId {
    pub app_id: String,
}

/// `appRoleAssignment`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoleAssignment {
    pub app_role_id: String,
    pub resource_id: String,
}

/// `oAuth2PermissionGrant`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PermissionGrant {
    pub id: String,
    pub consent_type: String,
    pub resource_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub scope: String,
}

/// An instant as it is asked for: whole seconds, `Z`.
pub(super) fn whole_seconds(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What stands for the end of a credential that has none: the year 9000.
pub(super) const NEVER: Timestamp = Timestamp::constant(221_845_392_000, 0);

/// A credential without a start is taken to be valid from 1970 on.
pub(super) fn start_or_always(start: Option<Timestamp>) -> Timestamp {
    start.unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A credential without an end never counts as expired: the year 9000. Later ends come down to it, so that
/// arithmetic with them cannot overflow.
pub(super) fn end_or_never(end: Option<Timestamp>) -> Timestamp {
    end.unwrap_or(NEVER).min(NEVER)
}

/// `null` is as good as absent.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_and_unknown_fields_are_read() {
        let application: Application = serde_json::from_str(
            r#"{"@odata.context":"x","id":"o","appId":"c","displayName":null,"web":null,"spa":{"redirectUris":null},
                "requiredResourceAccess":null,"passwordCredentials":[{"keyId":"k","displayName":null,"hint":null,
                "startDateTime":null,"endDateTime":"2021-09-09T19:50:29.3086381Z","secretText":null}],"keyCredentials":null,"new":[1]}"#,
        )
        .unwrap();
        assert_eq!(
            application.password_credentials[0].end_date_time.unwrap().to_string(),
            "2021-09-09T19:50:29.3086381Z"
        );
        assert!(application.key_credentials.is_empty() && application.web.redirect_uris.is_empty());
    }

    #[test]
    fn missing_and_absurd_dates_have_a_safe_meaning() {
        assert_eq!(end_or_never(None).to_string(), "9000-01-01T00:00:00Z");
        assert_eq!(end_or_never(Some(Timestamp::MAX)), end_or_never(None));
        assert_eq!(start_or_always(None), Timestamp::UNIX_EPOCH);
        assert_eq!(whole_seconds("2026-11-20T09:00:00.999Z".parse().unwrap()), "2026-11-20T09:00:00Z");
    }

    #[test]
    fn credentials_that_cannot_be_read_are_an_error_and_never_none() {
        let read = |credentials: &str| {
            serde_json::from_str::<Application>(&format!(r#"{{"id":"o","appId":"c",{credentials}}}"#)).is_ok()
        };
        assert!(read(r#""passwordCredentials":[],"keyCredentials":[]"#));
        for credentials in [
            r#""passwordCredentials":[]"#,
            r#""keyCredentials":[]"#,
            r#""passwordCredentials":[{}],"keyCredentials":[]"#,
            r#""passwordCredentials":[{"keyId":null}],"keyCredentials":[]"#,
            r#""passwordCredentials":[],"keyCredentials":[{"displayName":"x"}]"#,
        ] {
            assert!(!read(credentials), "{credentials}");
        }
        for keys in ["{}", "[]", r#"{"value":[]}"#] {
            assert!(serde_json::from_str::<KeyCredentials>(keys).is_err(), "{keys}");
        }
    }
}

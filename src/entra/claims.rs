//! Reads claims out of a token, for people. Tokens are opaque to clients: nothing is decided here.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;
use jiff::Timestamp;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::http::clean;
use crate::model::TokenClaims;
use crate::secret::Secret;

/// Padding may be there or not.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The `roles` claim of an app-only token, sorted; empty when there is none or the token is opaque. The
/// signature is not checked.
pub fn roles(token: &Secret) -> Vec<String> {
    roles_in(&payload(token))
}

/// What the token says; every claim is `None` for an opaque one. The signature is not checked.
pub fn claims(token: &Secret) -> TokenClaims {
    let claims = payload(token);
    let text = |name: &str| claims[name].as_str().map(clean);
    let instant = |name: &str| claims[name].as_i64().and_then(|second| Timestamp::from_second(second).ok());
    TokenClaims {
        audience: text("aud").or_else(|| listed(&claims["aud"])),
        issuer: text("iss"),
        tenant_id: text("tid").map(Into::into),
        client_id: text("appid").or_else(|| text("azp")).map(Into::into),
        principal_id: text("oid").map(Into::into),
        proven_by: match claims["appidacr"].as_str().or_else(|| claims["azpacr"].as_str()) {
            Some("1") => Some("secret"),
            Some("2") => Some("certificate or federation"),
            _ => None,
        },
        roles: roles_in(&claims),
        issued: instant("iat"),
        expires: instant("exp"),
    }
}

fn payload(token: &Secret) -> Value {
    let payload = token.expose_text().and_then(|text| text.split('.').nth(1)).unwrap_or_default();
    let payload = Zeroizing::new(URL_SAFE.decode(payload).unwrap_or_default());
    serde_json::from_slice(&payload).unwrap_or(Value::Null)
}

/// Kubernetes names audiences in a list.
fn listed(claim: &Value) -> Option<String> {
    let all: Vec<String> = claim.as_array()?.iter().filter_map(Value::as_str).map(clean).collect();
    Some(all.join(" "))
}

fn roles_in(claims: &Value) -> Vec<String> {
    let mut roles: Vec<_> =
        claims["roles"].as_array().into_iter().flatten().filter_map(Value::as_str).map(clean).collect();
    roles.sort();
    roles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> Secret {
        Secret::from_text(format!("e30.{}.c2ln", super::super::jwt::encode(payload)))
    }

    #[test]
    fn roles_are_listed_sorted() {
        assert_eq!(roles(&token(r#"{"roles":["Mail.Send","Mail.Read"],"aud":"x"}"#)), ["Mail.Read", "Mail.Send"]);
        let padded = format!("e30.{}==.c2ln", super::super::jwt::encode(r#"{"roles":["Rx"]}"#));
        assert_eq!(roles(&Secret::from_text(padded)), ["Rx"]);
    }

    #[test]
    fn what_a_token_says_is_bounded_and_printable() {
        let told = claims(&token(
            r#"{"aud":"https://graph.microsoft.com","tid":"t","azp":"c","azpacr":"2","exp":1795168800,"iss":"a\u001b[2Jb"}"#,
        ));
        assert_eq!(told.client_id, Some("c".into()));
        assert_eq!(told.proven_by, Some("certificate or federation"));
        assert_eq!(told.expires.unwrap().to_string(), "2026-11-20T10:00:00Z");
        assert!(!told.issuer.unwrap().contains('\u{1b}'));
        assert_eq!(claims(&token(r#"{"aud":["a","b"]}"#)).audience.as_deref(), Some("a b"));
        assert_eq!(claims(&Secret::from_text("opaque".into())), TokenClaims::default());
    }

    #[test]
    fn an_opaque_or_odd_token_has_none() {
        for text in ["", "opaque", "a.b.c", "..", "e30.e30.c2ln"] {
            assert!(roles(&Secret::from_text(text.into())).is_empty(), "{text}");
        }
        for payload in ["[]", "null", r#"{"roles":"Mail.Send"}"#, r#"{"roles":[1,null]}"#] {
            assert!(roles(&token(payload)).is_empty(), "{payload}");
        }
        assert!(roles(&Secret::new(vec![0xff, b'.', 0xff])).is_empty());
    }
}

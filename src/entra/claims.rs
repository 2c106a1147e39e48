//! Reads the app roles out of a token, for people. Tokens are opaque to clients: nothing is decided here.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::http::clean;
use crate::secret::Secret;

/// Padding may be there or not.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The `roles` claim of an app-only token, sorted; empty when there is none or the token is opaque. The
/// signature is not checked.
pub fn roles(token: &Secret) -> Vec<String> {
    let payload = token.expose_text().and_then(|text| text.split('.').nth(1)).unwrap_or_default();
    let payload = Zeroizing::new(URL_SAFE.decode(payload).unwrap_or_default());
    let claims: Value = serde_json::from_slice(&payload).unwrap_or(Value::Null);
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

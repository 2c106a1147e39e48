//! The token request's form, with client id and secret from the form or from HTTP Basic.

use axum::http::header;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use url::form_urlencoded;

use super::AadSts;
use super::Refused;
use crate::emulator::call::Call;

/// The fields of a token request; unknown ones (client_info, claims) are ignored.
pub(super) struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    /// Reads the body. A body that is not a form simply has no fields, and is refused for the first
    /// one missing.
    pub(super) fn read(call: &Call) -> Self {
        let content_type = call.header(header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
        let mut pairs: Vec<(String, String)> = if content_type.starts_with("application/x-www-form-urlencoded") {
            form_urlencoded::parse(&call.body).into_owned().collect()
        } else {
            Vec::new()
        };
        if let Some((id, secret)) = call.header(header::AUTHORIZATION).and_then(basic) {
            pairs.push(("client_id".to_owned(), id));
            pairs.push(("client_secret".to_owned(), secret));
        }
        Self { pairs }
    }

    /// A field that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(given, value)| given == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// A field that must be there.
    pub(super) fn need(&self, name: &str) -> Refused<&str> {
        self.get(name).ok_or_else(|| AadSts::missing(name))
    }
}

/// `Basic base64(urlencode(id):urlencode(secret))`, RFC 6749 section 2.3.1.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        let pair = form_urlencoded::parse(text.as_bytes()).next();
        pair.map(|(value, _)| value.into_owned()).unwrap_or_default()
    };
    Some((decode(id), decode(secret)))
}

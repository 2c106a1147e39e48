//! Requests: where to, with which headers and body, and how much answer is welcome.

use reqwest::Method;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;
use serde::Serialize;
use url::form_urlencoded;

use crate::ports::PortError;
use crate::secret::Secret;

/// Cap of an answer that is not a page of a list, in bytes.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;
/// Cap of a page of a list, in bytes.
const PAGE_MAX_BYTES: usize = 32 * 1024 * 1024;

/// One request to a [`super::Site`].
#[derive(Debug)]
pub struct Request {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Option<Secret>,
    pub(super) max_bytes: usize,
    /// Values that an error message of the far side must not echo to people.
    pub(super) hidden: Vec<Secret>,
}

/// Where a request goes.
#[derive(Debug)]
pub(super) enum Target {
    /// An absolute URL that the far side wrote.
    Link(String),
    /// Below the site's base: encoded path and query.
    Path(String, String),
}

impl Request {
    /// A request to `path`, which begins with a slash and is already encoded (see [`segment`]).
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self::to(method, Target::Path(path.into(), String::new()))
    }

    /// A read of `path`.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A read of an absolute link that the far side wrote; sending it fails when it leaves the site's origin.
    pub fn follow(link: impl Into<String>) -> Self {
        Self::to(Method::GET, Target::Link(link.into()))
    }

    /// Adds a query option; `name` is taken as it is, `value` is encoded. Links keep the query they have.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        if let Target::Path(_, query) = &mut self.target {
            let separator = if query.is_empty() { "" } else { "&" };
            query.push_str(&format!("{separator}{name}={}", segment(value)));
        }
        self
    }

    /// Adds a header whose value is no secret. `name` is in lower case; another spelling is a mistake that panics.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
        self
    }

    /// Adds a header whose value is no secret and not known before; `name` as in [`Request::header`].
    ///
    /// # Errors
    /// [`PortError::Local`] when the value cannot stand in a header.
    pub fn text_header(mut self, name: &'static str, value: &str) -> Result<Self, PortError> {
        let value = HeaderValue::from_str(value)
            .map_err(|_| PortError::Local(format!("the value for the header {name} holds odd characters")))?;
        self.headers.push((HeaderName::from_static(name), value));
        Ok(self)
    }

    /// Adds a header whose value is a secret, with `prefix` before it (`Bearer `); `name` as in
    /// [`Request::header`].
    ///
    /// # Errors
    /// [`PortError::Local`] when the value cannot stand in a header.
    pub fn secret_header(mut self, name: &'static str, prefix: &str, value: &Secret) -> Result<Self, PortError> {
        let bytes = [prefix.as_bytes(), value.expose()].concat();
        let mut header = HeaderValue::from_bytes(&bytes)
            .map_err(|_| PortError::Local(format!("the value for the header {name} holds odd characters")))?;
        header.set_sensitive(true);
        self.headers.push((HeaderName::from_static(name), header));
        Ok(self.hide(value))
    }

    /// Adds `Authorization: Bearer`.
    ///
    /// # Errors
    /// As [`Request::secret_header`].
    pub fn bearer(self, token: &Secret) -> Result<Self, PortError> {
        self.secret_header("authorization", "Bearer ", token)
    }

    /// Sends `value` as JSON.
    ///
    /// # Errors
    /// [`PortError::Local`] when it cannot be serialised.
    pub fn json(self, value: &impl Serialize) -> Result<Self, PortError> {
        self.json_as("application/json", value)
    }

    /// Sends `value` as JSON that goes by another name (a patch).
    ///
    /// # Errors
    /// As [`Request::json`].
    pub fn json_as(mut self, content_type: &'static str, value: &impl Serialize) -> Result<Self, PortError> {
        let bytes =
            serde_json::to_vec(value).map_err(|error| PortError::Local(format!("cannot write JSON: {error}")))?;
        self.body = Some(Secret::new(bytes));
        Ok(self.header("content-type", content_type))
    }

    /// Sends `fields` as a form.
    #[must_use]
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body = Some(Secret::from_text(form));
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    /// Allows an answer as large as a page of a list (32 MiB instead of 1 MiB).
    #[must_use]
    pub fn page(mut self) -> Self {
        self.max_bytes = PAGE_MAX_BYTES;
        self
    }

    /// Names a secret inside the body: should the far side echo it in an error message, it is cut out.
    #[must_use]
    pub fn hide(mut self, secret: &Secret) -> Self {
        self.hidden.push(secret.duplicate());
        self
    }

    /// Whether it changes nothing.
    pub fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    /// Whether its query, or the link that it follows, has `name` in it.
    pub fn mentions(&self, name: &str) -> bool {
        match &self.target {
            Target::Link(text) | Target::Path(_, text) => text.contains(name),
        }
    }

    fn to(method: Method, target: Target) -> Self {
        Self { method, target, headers: Vec::new(), body: None, max_bytes: ANSWER_MAX_BYTES, hidden: Vec::new() }
    }
}

/// Encodes `text` for one path segment or query value: everything but letters, digits, `*`, `-`, `.` and `_`
/// becomes `%XX`, a blank `%20` (never `+`, which OData does not promise to read as one).
pub fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_escape_everything_with_a_meaning() {
        assert_eq!(segment("a b+c/d?e#f'g%h&i=j"), "a%20b%2Bc%2Fd%3Fe%23f%27g%25h%26i%3Dj");
        assert_eq!(segment("ü\r\n"), "%C3%BC%0D%0A");
    }

    #[test]
    fn debug_shows_no_secret() {
        let token = Secret::from_text("canary-token".into());
        let request =
            Request::new(Method::POST, "/x").bearer(&token).unwrap().form(&[("client_secret", "canary-body")]);
        assert!(!format!("{request:?}").contains("canary"));
    }

    #[test]
    fn a_token_with_a_line_break_is_refused_without_showing_it() {
        let token = Secret::from_text("canary\r\nX-Evil: 1".into());
        let error = Request::get("/x").bearer(&token).unwrap_err();
        assert!(matches!(&error, PortError::Local(why) if !why.contains("canary")));
    }
}

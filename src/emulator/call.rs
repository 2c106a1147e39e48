//! One request and one answer, apart from any socket: what the pure part of the emulator works on.

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::Response;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::Value;
use url::form_urlencoded;
use uuid::Uuid;

use super::fault::Delivery;

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its body, whole.
    pub body: Bytes,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its method.
    pub method: Method,
    /// When its effect happens, by the emulator's clock.
    pub now: Timestamp,
    /// Path, still percent-encoded.
    pub path: String,
    /// Query without the question mark, empty when there is none.
    pub query: String,
    /// When it arrived; earlier than `now` only for a delayed effect. Tokens are judged at this instant.
    pub received: Timestamp,
    /// The id that this request goes by in headers, error bodies and the sign-in report.
    pub request_id: Uuid,
}

impl Call {
    /// A header's text; `None` when absent or not visible ASCII.
    pub fn header(&self, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The address under which the client reached us, for absolute links: `https://localhost:8443`.
    pub fn base(&self) -> String {
        format!("https://{}", self.header(header::HOST).unwrap_or("localhost"))
    }

    /// The id the client gave the request, or ours.
    pub fn correlation_id(&self) -> Uuid {
        let given = self.header("client-request-id").or_else(|| self.header("x-ms-client-request-id"));
        given.and_then(|text| text.parse().ok()).unwrap_or(self.request_id)
    }

    /// The query's names and values, decoded.
    pub fn query_pairs(&self) -> impl Iterator<Item = (String, String)> + '_ {
        form_urlencoded::parse(self.query.as_bytes()).into_owned()
    }
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub enum ReplyBody {
    /// No body.
    Empty,
    /// JSON.
    Json(Value),
    /// These bytes, said to be of this type.
    Raw(&'static str, Vec<u8>),
    /// Plain text.
    Text(String),
}

impl ReplyBody {
    /// Its type, if it has one, and its bytes.
    pub fn parts(self) -> (Option<&'static str>, Vec<u8>) {
        match self {
            Self::Empty => (None, Vec::new()),
            Self::Json(value) => (Some("application/json; charset=utf-8"), value.to_string().into_bytes()),
            Self::Raw(content_type, bytes) => (Some(content_type), bytes),
            Self::Text(text) => (Some("text/plain"), text.into_bytes()),
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its body.
    pub body: ReplyBody,
    /// Headers beside those every reply has.
    pub headers: Vec<(HeaderName, String)>,
    /// Its status.
    pub status: StatusCode,
}

impl Reply {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self { body: ReplyBody::Empty, headers: Vec::new(), status }
    }

    /// An answer in JSON.
    pub fn json(status: StatusCode, body: Value) -> Self {
        Self { body: ReplyBody::Json(body), headers: Vec::new(), status }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same as HTTP, dated by the emulator's clock and sent in this way.
    pub fn into_response(self, now: Timestamp, delivery: Delivery) -> Response {
        let (parts, bytes) = self.whole(now).into_parts();
        let (body, length) = delivery.body(bytes);
        let mut response = Response::from_parts(parts, body);
        if let Some(length) = length {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }

    /// The same with its bytes at hand.
    pub fn whole(self, now: Timestamp) -> axum::http::Response<Vec<u8>> {
        // A body that a fault put in another's place has its own type, whatever the headers were made for.
        let is_raw = matches!(self.body, ReplyBody::Raw(..));
        let (content_type, bytes) = self.body.parts();
        let mut response = axum::http::Response::new(bytes);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in self.headers.into_iter().filter(|(name, _)| !is_raw || name != header::CONTENT_TYPE) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        if let Some(date) = http_date(now) {
            headers.insert(header::DATE, date);
        }
        response
    }
}

/// The `Date` header's form of an instant; `None` for one that HTTP cannot write (years over 9999).
fn http_date(now: Timestamp) -> Option<HeaderValue> {
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok()?;
    HeaderValue::try_from(text).ok()
}

//! What a status means for the effect of a call, in one table.
//!
//! | answer | outcome | applied? |
//! |---|---|---|
//! | 2xx | the reply | yes |
//! | 401, 403 | [`PortError::Denied`] | no |
//! | 404 | [`PortError::Missing`] | no |
//! | 408, 5xx | [`PortError::Unsure`] | perhaps |
//! | 409, 412 | [`PortError::Conflict`] | no |
//! | 429 | [`PortError::Throttled`] | no |
//! | other 4xx | [`PortError::Refused`] | no |
//! | 1xx, 3xx, others | [`PortError::Unsure`]: redirects are not followed, and a 303 may follow success | perhaps |
//! | 2xx with an unreadable body | [`PortError::Unsure`] (by [`Reply::json`]) | perhaps |
//! | no connection: name, TCP, TLS | [`PortError::Unreachable`] | no, not sent |
//! | timeout, reset, body too long | [`PortError::Unsure`] | perhaps |

use serde_json::Value;

use crate::ports::PortError;
use crate::ports::Refusal;
use crate::secret::Secret;

use super::Reply;
use super::segment;

/// Longest text that is taken over from the far side, in characters.
const TEXT_MAX_CHARS: usize = 300;

impl Reply {
    /// The reply of a success, or the error that the table above gives.
    ///
    /// # Errors
    /// Every variant of [`PortError`] but `Local` and `Unreachable`.
    pub fn accept(self) -> Result<Self, PortError> {
        match self.status {
            200..=299 => Ok(self),
            401 | 403 => Err(PortError::Denied(self.refusal())),
            404 => Err(PortError::Missing(self.refusal())),
            409 | 412 => Err(PortError::Conflict(self.refusal())),
            429 => Err(PortError::Throttled { retry_after: self.retry_after, request_id: self.call_id() }),
            400..=407 | 410..=499 => Err(PortError::Refused(self.refusal())),
            _ => Err(self.unsure()),
        }
    }

    /// Code and message of an error body: Graph and Key Vault (`error.code`), OAuth (`error`,
    /// `error_description`), HashiCorp Vault (`errors`), Kubernetes (`reason`, `message`); an unreadable body gives the status alone.
    pub fn refusal(&self) -> Refusal {
        let body: Value = serde_json::from_slice(self.body.expose()).unwrap_or(Value::Null);
        let error = &body["error"];
        let code = error["code"].as_str().or(error.as_str()).or(body["reason"].as_str()).unwrap_or_default();
        let message = error["message"]
            .as_str()
            .or(body["error_description"].as_str())
            .or(body["errors"][0].as_str())
            .or(body["message"].as_str())
            .map(str::to_owned)
            .unwrap_or_else(|| format!("HTTP {} without a readable explanation", self.status));
        Refusal {
            status: self.status,
            code: self.conceal(code),
            message: self.conceal(&message),
            request_id: self.call_id(),
        }
    }

    /// Bounds and escapes `text`, and cuts out the request's own secrets should it echo them, encoded or not.
    pub fn conceal(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.hidden.iter().filter_map(Secret::expose_text).filter(|secret| !secret.is_empty()) {
            for form in [secret, &segment(secret)] {
                text = text.replace(form, "[REDACTED]");
            }
        }
        clean(&text)
    }

    fn unsure(&self) -> PortError {
        let refusal = self.refusal();
        PortError::Unsure {
            place: self.place.clone(),
            why: clean(&format!("HTTP {} {} {}", self.status, refusal.code, refusal.message)),
            request_id: refusal.request_id,
        }
    }
}

/// Makes text of the far side fit to show: at most 300 characters; control characters and those that turn the
/// direction of writing are escaped.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == TEXT_MAX_CHARS {
            cleaned.push('…');
            break;
        }
        match c {
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                cleaned.extend(c.escape_unicode());
            }
            c if c.is_control() => cleaned.extend(c.escape_default()),
            c => cleaned.push(c),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            date: None,
            request_id: Some("r-1".into()),
            retry_after: None,
            throttle: crate::http::Throttle::default(),
            place: "graph.contoso.example".into(),
            body: Secret::from_text(body.into()),
            sent_as: None,
            hidden: vec![Secret::from_text("ca~nary".into())],
        }
    }

    #[test]
    fn each_status_has_one_outcome() {
        for status in 100..=599u16 {
            let outcome = match reply(status, "{}").accept() {
                Ok(_) => "ok",
                Err(PortError::Conflict(_)) => "conflict",
                Err(PortError::Denied(_)) => "denied",
                Err(PortError::Missing(_)) => "missing",
                Err(PortError::Refused(_)) => "refused",
                Err(PortError::Throttled { .. }) => "throttled",
                Err(PortError::Unsure { .. }) => "unsure",
                Err(PortError::Local(_) | PortError::Unreachable { .. }) => "impossible",
            };
            let expected = match status {
                200..=299 => "ok",
                401 | 403 => "denied",
                404 => "missing",
                409 | 412 => "conflict",
                429 => "throttled",
                408 => "unsure",
                400..=499 => "refused",
                _ => "unsure",
            };
            assert_eq!(outcome, expected, "{status}");
        }
    }

    #[test]
    fn error_bodies_of_each_dialect_are_read() {
        for (body, code, message) in [
            (r#"{"error":{"code":"Request_BadRequest","message":"No."}}"#, "Request_BadRequest", "No."),
            (r#"{"error":"invalid_client","error_description":"AADSTS1: no"}"#, "invalid_client", "AADSTS1: no"),
            (r#"{"errors":["permission denied"]}"#, "", "permission denied"),
            (r#"{"kind":"Status","reason":"Forbidden","message":"no"}"#, "Forbidden", "no"),
            ("<html>", "", "HTTP 400 without a readable explanation"),
            ("", "", "HTTP 400 without a readable explanation"),
            (r#"{"error":{"code":7,"message":["x"]}}"#, "", "HTTP 400 without a readable explanation"),
        ] {
            let refusal = reply(400, body).refusal();
            assert_eq!((refusal.code.as_str(), refusal.message.as_str()), (code, message), "{body}");
            assert_eq!(refusal.request_id.as_deref(), Some("r-1"));
        }
    }

    #[test]
    fn messages_are_bounded_escaped_and_without_the_requests_secrets() {
        let message = format!("the ca~nary ca%7Enary \\u001b[31m \\u202e {}", "x".repeat(1000));
        let refusal = reply(400, &format!(r#"{{"error":{{"code":"c","message":"{message}"}}}}"#)).refusal();
        assert!(
            refusal.message.starts_with("the [REDACTED] [REDACTED] \\u{1b}[31m \\u{202e} xxx"),
            "{}",
            refusal.message
        );
        assert!(refusal.message.chars().count() < 340);
        let unsure = reply(500, &format!(r#"{{"error":{{"code":"c","message":"{message}"}}}}"#)).accept().unwrap_err();
        assert!(!unsure.to_string().contains("nary"));
    }
}

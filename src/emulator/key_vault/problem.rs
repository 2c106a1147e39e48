//! Refusals in the form of Key Vault: `{"error": {"code", "message", "innererror": {"code"}}}`.

use axum::http::StatusCode;
use serde_json::json;

use crate::emulator::call::Call;
use crate::emulator::call::Reply;

/// An answer, or why not.
pub(super) type Told<T> = Result<T, Problem>;

/// A refusal.
#[derive(Debug)]
pub(super) struct Problem {
    code: &'static str,
    inner: Option<&'static str>,
    message: String,
    status: StatusCode,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, inner: Option<&'static str>, message: impl Into<String>) -> Self {
        Self { code, inner, message: message.into(), status }
    }

    /// 400.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadParameter", None, message)
    }

    /// 409, with what the name is in.
    pub(super) fn conflict(inner: Option<&'static str>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "Conflict", inner, message)
    }

    /// 403.
    pub(super) fn forbidden(inner: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", Some(inner), message)
    }

    /// 404.
    pub(super) fn missing(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, None, message)
    }

    /// A call that is not emulated.
    pub(super) fn no_route(call: &Call) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            None,
            format!("the emulated vault has no {} {}", call.method, call.path),
        )
    }

    /// 500.
    pub(super) fn crypto(what: &str, error: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", None, format!("{what}: {error}"))
    }

    /// The answer that says it.
    pub(super) fn reply(self) -> Reply {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(inner) = self.inner {
            error["innererror"] = json!({"code": inner});
        }
        Reply::json(self.status, json!({"error": error}))
    }
}

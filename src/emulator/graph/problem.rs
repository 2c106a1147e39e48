//! Graph's error bodies (entra-contract 3.8).

use axum::http::StatusCode;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use crate::emulator::call::Call;
use crate::emulator::call::Reply;
use crate::emulator::directory::Breach;
use crate::emulator::directory::Refusal;

/// What a handler gives back.
pub(super) type Answer = Result<Reply, Problem>;

/// An error as Graph words it.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    code: &'static str,
    details: Option<Value>,
    message: String,
    status: StatusCode,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { code, details: None, message: message.into(), status }
    }

    /// 400 with the general code.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Request_BadRequest", message)
    }

    /// 403: the roles and ownership of the caller do not suffice.
    pub(super) fn denied() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
    }

    /// 405.
    pub(super) fn method(call: &Call) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "Request_BadRequest",
            format!("Specified HTTP method '{}' is not allowed for the request target.", call.method),
        )
    }

    /// 404 for an object.
    pub(super) fn not_found(id: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "Request_ResourceNotFound",
            format!("Resource '{id}' does not exist or one of its queried reference-property objects are not present."),
        )
    }

    /// 401 for a bearer token.
    pub(super) fn token(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
    }

    /// 400 for a path that names nothing.
    pub(super) fn unknown_segment(name: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", format!("Resource not found for the segment '{name}'."))
    }

    /// 400 for a body that is not the JSON it should be.
    pub(super) fn unreadable_body() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
        )
    }

    /// 400 for a query that Graph, or this emulator of it, does not answer.
    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Request_UnsupportedQuery", message)
    }

    /// 400 of an app management policy; a lifetime that is too long says so twice (entra-contract 3.7).
    fn against_policy(breach: Breach, policy: Uuid) -> Self {
        let (code, message, detail) = match breach {
            Breach::Audience => (
                "SignInAudienceNotAllowedAsPerAppPolicy",
                format!("The sign-in audience is not allowed as per assigned policy '{policy}'."),
                None,
            ),
            Breach::Lifetime => (
                "CredentialInvalidLifetimeAsPerAppPolicy",
                format!("Credential lifetime exceeds the max value allowed as per assigned policy '{policy}'."),
                Some("InvalidKeyEndDate"),
            ),
            Breach::Type => (
                "CredentialTypeNotAllowedAsPerAppPolicy",
                format!("Credential type is not allowed as per assigned policy '{policy}'."),
                None,
            ),
        };
        let details = detail.map(|code| json!([{"code": code, "message": message, "target": "EndDate"}]));
        Self { details, ..Self::new(StatusCode::BAD_REQUEST, code, message) }
    }

    /// The answer on the wire.
    pub(super) fn reply(&self, call: &Call) -> Reply {
        let request_id = call.request_id.to_string();
        let client_request_id = call.header("client-request-id").unwrap_or(&request_id);
        let mut body = json!({"error": {
            "code": self.code,
            "message": self.message,
            "innerError": {
                "date": call.now.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
                "request-id": request_id,
                "client-request-id": client_request_id,
            },
        }});
        if let Some(details) = &self.details {
            body["error"]["details"] = details.clone();
        }
        Reply::json(self.status, body)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Duplicate { property } => Self::new(
                StatusCode::CONFLICT,
                "Request_MultipleObjectsWithSameKeyValue",
                format!("Another object with the same value for property {property} already exists."),
            ),
            Refusal::Invalid { message } => Self::bad_request(message),
            Refusal::KeyEndDate => Self::new(
                StatusCode::BAD_REQUEST,
                "KeyCredentialsInvalidEndDate",
                "Key credential end date is invalid.",
            ),
            Refusal::KeyStartDate => Self::new(
                StatusCode::BAD_REQUEST,
                "KeyCredentialsInvalidStartDate",
                "Key credential start date is invalid.",
            ),
            Refusal::NotFound { id } => Self::not_found(id),
            Refusal::Policy { breach, policy } => Self::against_policy(breach, policy),
            Refusal::ProofMissing => Self::denied(),
            Refusal::ProofRejected => Self::new(
                StatusCode::UNAUTHORIZED,
                "Authentication_MissingOrMalformed",
                "Access Token missing or malformed.",
            ),
        }
    }
}

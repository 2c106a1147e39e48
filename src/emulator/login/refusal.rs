//! The token endpoint's refusals: AADSTS codes with the HTTP status, `error` word and body that clients
//! act on (entra-contract 1.5). Status matters: MSAL caches a 400 for a minute and a 401 not at all.

use axum::http::StatusCode;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use crate::emulator::call::Call;
use crate::emulator::call::Reply;

/// A result that may be a refusal.
pub(super) type Refused<T> = Result<T, AadSts>;

/// Another status or `error` word for a refusal, for what no source establishes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wording {
    /// The HTTP status.
    pub status: Option<u16>,
    /// The `error` word.
    pub error: Option<String>,
}

/// A refusal.
#[derive(Clone, Debug)]
pub(super) struct AadSts {
    code: u32,
    message: String,
}

impl AadSts {
    pub(super) fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A required parameter is missing.
    pub(super) fn missing(parameter: &str) -> Self {
        Self::new(900_144, format!("The request body must contain the following parameter: '{parameter}'."))
    }

    /// Its number.
    pub(super) fn code(&self) -> u32 {
        self.code
    }

    /// The answer on the wire, in another wording where one is given.
    pub(super) fn reply(&self, call: &Call, wording: Option<&Wording>) -> Reply {
        let Self { code, message } = self;
        let (usual_status, usual_error) = class(*code);
        let status = wording.and_then(|wording| StatusCode::from_u16(wording.status?).ok()).unwrap_or(usual_status);
        let error = wording.and_then(|wording| wording.error.as_deref()).unwrap_or(usual_error);
        let trace_id = call.request_id;
        let correlation_id = call.correlation_id();
        let timestamp = call.now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let description = format!(
            "AADSTS{code}: {message} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}"
        );
        Reply::json(
            status,
            json!({
                "error": error,
                "error_description": description,
                "error_codes": [code],
                "timestamp": timestamp,
                "trace_id": trace_id,
                "correlation_id": correlation_id,
                "error_uri": format!("{}/error?code={code}", call.base()),
            }),
        )
    }
}

/// Status and `error` word of a code. Not established by any source, so our choice: 7000112, 7000229,
/// 5002738, 700021, 700023 (entra-contract 12), 50013 for another issuer's token. Of the federated family 70021 is
/// seen as 400 invalid_request, the newer ones as 401 invalid_client (Azure/azure-workload-identity 616 and 1200,
/// microsoft/Agents 202).
fn class(code: u32) -> (StatusCode, &'static str) {
    match code {
        50_012 | 50_013 | 50_027 | 700_021 | 700_023 | 700_024 | 700_027 | 700_211 | 700_212 | 700_213 | 5_002_738
        | 7_000_215 | 7_000_218 | 7_000_222 => (StatusCode::UNAUTHORIZED, "invalid_client"),
        700_016 | 7_000_112 | 7_000_229 => (StatusCode::BAD_REQUEST, "unauthorized_client"),
        70_003 => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        70_011 | 1_002_012 => (StatusCode::BAD_REQUEST, "invalid_scope"),
        90_002 => (StatusCode::BAD_REQUEST, "invalid_tenant"),
        500_011 => (StatusCode::BAD_REQUEST, "invalid_resource"),
        _ => (StatusCode::BAD_REQUEST, "invalid_request"),
    }
}

//! `/beta/reports/appCredentialSignInActivities`: when each credential last signed in (entra-contract 5b).

use axum::http::Method;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::Problem;
use super::Request;
use super::problem::Answer;
use crate::emulator::call::Reply;
use crate::emulator::directory::SignIn;
use crate::emulator::directory::Use;

/// Answers a path below `/reports`. The list has no pages: a tenant here has few credentials.
pub(super) fn route(request: &mut Request<'_>) -> Answer {
    let names = request.path.names(1);
    if request.path.version != "beta" || names.first() != Some(&"appcredentialsigninactivities") {
        return Err(Problem::unknown_segment(names.first().unwrap_or(&"reports")));
    }
    if request.call.method != Method::GET {
        return Err(Problem::method(request.call));
    }
    request.caller.need(&["AuditLog.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"])?;
    let context = format!("{}/$metadata#reports/appCredentialSignInActivities", request.root());
    let directory = &request.tenant.directory;
    let quirks = &request.tenant.quirks;
    let until = request.call.now.checked_sub(quirks.report_lag).unwrap_or(request.call.now);
    let shown = |one: &SignIn| Some(shown(one, &one.last_until(until)?, quirks.report_rounds_to_day));
    match names.as_slice() {
        [_] => {
            let value: Value = directory.sign_ins().filter_map(shown).collect();
            Ok(Reply::json(StatusCode::OK, json!({"@odata.context": context, "value": value})))
        }
        [_, id] => {
            let found = directory.sign_ins().find(|one| one.key_id.simple().to_string() == *id);
            let mut body = found.and_then(shown).ok_or_else(|| Problem::not_found(id))?;
            body["@odata.context"] = json!(format!("{context}/$entity"));
            Ok(Reply::json(StatusCode::OK, body))
        }
        _ => Err(Problem::unknown_segment(names[2])),
    }
}

fn shown(one: &SignIn, last: &Use, rounds: bool) -> Value {
    let day = |at: Timestamp| Timestamp::from_second(at.as_second().div_euclid(86_400) * 86_400).unwrap_or(at);
    let at = if rounds { day(last.at) } else { last.at };
    json!({
        "id": one.key_id.simple().to_string(),
        "appId": one.app_id,
        "appObjectId": one.app_object_id,
        "servicePrincipalObjectId": one.service_principal_id,
        "credentialOrigin": one.origin,
        "keyId": one.key_id,
        "keyType": one.key_type,
        "keyUsage": one.key_usage,
        "createdDateTime": one.created,
        "expirationDateTime": one.expires,
        "resourceId": one.resource_id,
        "signInActivity": {"lastSignInDateTime": at, "lastSignInRequestId": last.request_id},
    })
}

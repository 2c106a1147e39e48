//! `/policies`: the tenant's application management policy, which restricts nothing here. A caller
//! without the right to read it is refused, as everkey's operator is by default.

use axum::http::Method;
use axum::http::StatusCode;
use serde_json::json;

use super::Problem;
use super::Request;
use super::problem::Answer;
use super::wire::nothing;
use crate::emulator::call::Reply;

/// Answers a path below `/policies`.
pub(super) fn route(request: &mut Request<'_>) -> Answer {
    let root = request.root();
    let names = request.path.names(1);
    let known = matches!(names.as_slice(), ["defaultappmanagementpolicy" | "appmanagementpolicies"]);
    match (&request.call.method, names.first().copied().unwrap_or("policies")) {
        (_, unknown) if !known => Err(Problem::unknown_segment(unknown)),
        (&Method::GET, name) => {
            request.caller.need(&["Policy.Read.All", "Policy.ReadWrite.ApplicationConfiguration"])?;
            if name == "appmanagementpolicies" {
                return Ok(nothing(&root, "policies/appManagementPolicies"));
            }
            let restrictions = json!({"passwordCredentials": [], "keyCredentials": []});
            Ok(Reply::json(
                StatusCode::OK,
                json!({
                    "@odata.context": format!("{root}/$metadata#policies/defaultAppManagementPolicy/$entity"),
                    "id": "00000000-0000-0000-0000-000000000000",
                    "displayName": "Default app management tenant policy",
                    "description": "Default tenant policy that enforces app management restrictions.",
                    "isEnabled": false,
                    "applicationRestrictions": restrictions,
                    "servicePrincipalRestrictions": restrictions,
                }),
            ))
        }
        _ => Err(Problem::method(request.call)),
    }
}

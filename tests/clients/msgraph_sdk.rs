//! msgraph-sdk for Python (kiota): credentials, the bin, pages, delta, batches, consent, and errors as `ODataError`.

use serde_json::Value;
use serde_json::json;

use crate::support::Lab;

#[test]
fn the_whole_walk_through_graph_is_what_the_documents_promise() {
    let seen = Lab::start().script("msgraph_sdk.py", &[]);
    credentials(&seen["credentials"]);
    assert_eq!(
        seen["lives"],
        json!({
            "patched": ["kept", ["one", "two"]],
            "missing": refusal(404, "Request_ResourceNotFound"),
            "in the bin": [true],
            "restored": "Application",
            "back": "sdk",
            "by appId": true,
        })
    );
    assert_eq!(
        seen["pages"],
        json!({
            "first page": 50, "all": [130, 130], "counted": 130, "$count": true,
            "top 1000": refusal(400, "Request_UnsupportedQuery"),
        })
    );
    assert_eq!(
        seen["delta"],
        json!({
            "first round": [true, 1],
            "quiet": 0,
            "unselected": 0,
            "renamed": [[true, "sdk, renamed"]],
            "deleted": [[true, {"reason": "changed"}]],
            "purged": [[true, {"reason": "deleted"}]],
            "expired": refusal(410, "resyncRequired"),
        })
    );
    batches(&seen["batches"]);
    assert_eq!(
        seen["consent"],
        json!({
            "again": refusal(409, "Request_MultipleObjectsWithSameKeyValue"),
            "owners": [["ServicePrincipal", true]],
            "left": 0,
            "roles offered": true,
            "assigned": ["Microsoft Graph"],
            "twice": refusal(400, "Request_BadRequest"),
            "taken away": 0,
        })
    );
    assert_eq!(
        seen["policies"],
        json!({
            "default": [false, "00000000-0000-0000-0000-000000000000"],
            "two years": refusal(400, "CredentialInvalidLifetimeAsPerAppPolicy"),
            "a hundred days": "accepted",
            "attached": [["no secrets", true]],
            "applies to": [true],
            "by type": refusal(400, "CredentialTypeNotAllowedAsPerAppPolicy"),
            "free again": "accepted",
        })
    );
    assert_eq!(
        seen["mail"],
        json!({
            "caught": [["everkey@contoso.example", ["d.okoro@contoso.example"], true]],
            "unknown mailbox": refusal(404, "ErrorInvalidUser"),
        })
    );
    assert_eq!(seen["no role"], refusal(403, "Authorization_RequestDenied"));
    assert_eq!(seen["no body"], refusal(400, "Request_BadRequest"));
}

fn credentials(seen: &Value) {
    assert_eq!(
        *seen,
        json!({
            "secret": [40, true, true],
            "listed": [1, null, "made by the SDK"],
            "left": 0,
            "addKey before any certificate": refusal(401, "Authentication_MissingOrMalformed"),
            "bootstrapped": [1, null],
            "identifier": true,
            "added": "Verify",
            "padded proof": refusal(401, "Authentication_MissingOrMalformed"),
            "foreign proof": refusal(401, "Authentication_MissingOrMalformed"),
            "no proof": refusal(403, "Authorization_RequestDenied"),
            "bytes on select": [true, true],
            "removed": [true],
            "echoed": 2,
        })
    );
}

fn batches(seen: &Value) {
    let malformed = json!({"status": 400, "code": "BadRequest"});
    assert_eq!(
        *seen,
        json!({
            "twenty": [20, [200]],
            "without slash, write, missing": {"1": 200, "2": 201, "3": 404},
            "dependsOn": {"a": 200, "b": 400, "last": 424, "free": 200},
            "circle": malformed,
            "unknown dependency": malformed,
            "duplicate id": malformed,
            "twenty-one": malformed,
            "body without type": malformed,
            "none": malformed,
        })
    );
}

/// An error that became an `ODataError` with all that a log needs.
fn refusal(status: u16, code: &str) -> Value {
    json!({"status": status, "code": code, "request id": true, "dated": true})
}

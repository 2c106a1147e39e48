//! Assertions of other issuers: the token of a workload that a federated credential lets sign in
//! (entra-contract 1.3).

use uuid::Uuid;

use super::AadSts;
use super::Refused;
use super::assertion::check_life;
use crate::emulator::call::Call;
use crate::emulator::directory::Mismatch;
use crate::emulator::directory::Verdict;
use crate::emulator::jws::Jws;
use crate::emulator::tenant::Tenant;

/// Checks another issuer's token for the application.
pub(super) fn check(tenant: &Tenant, call: &Call, app_id: Uuid, token: &Jws) -> Refused<Verdict> {
    check_life(token, call.now)?;
    let claim = |name| token.text(name).unwrap_or_default();
    // `aud` may be a list; Entra wants one.
    let audience = match token.claims.get("aud").and_then(serde_json::Value::as_array).map(Vec::as_slice) {
        Some([one]) => one.as_str().unwrap_or_default(),
        _ => claim("aud"),
    };
    let (issuer, subject) = (claim("iss"), claim("sub"));
    let presented = (issuer, subject, audience);
    let found = tenant.directory.judge_federated(app_id, presented, tenant.quirks.token_lag, call.now);
    let found = found.map_err(|mismatch| refusal(mismatch, presented))?;
    if !tenant.issuer.made(token) {
        return Err(AadSts::new(50_013, "Assertion failed signature validation. [Reason - The key was not found.]"));
    }
    Ok(Verdict::Federated(found.clone()))
}

/// The codes of the newer family name what does not fit; the older one is left for an application without any.
fn refusal(mismatch: Mismatch, (issuer, subject, audience): (&str, &str, &str)) -> AadSts {
    let check =
        "Check your federated identity credential Subject, Audience and Issuer against the presented assertion.";
    let (code, message) = match mismatch {
        Mismatch::Nothing => (
            70_021,
            format!(
                "No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. Assertion Subject: '{subject}'. Assertion Audience: '{audience}'."
            ),
        ),
        Mismatch::Issuer => (
            700_211,
            format!("No matching federated identity record found for presented assertion issuer '{issuer}'. {check}"),
        ),
        Mismatch::Subject => (
            700_213,
            format!("No matching federated identity record found for presented assertion subject '{subject}'. {check}"),
        ),
        Mismatch::Audience => (
            700_212,
            format!(
                "No matching federated identity record found for presented assertion audience '{audience}'. {check}"
            ),
        ),
    };
    AadSts::new(code, message)
}

//! The two tokens that everkey signs itself: the client assertion and the proof of possession.

use aws_lc_rs::digest;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::model::ClientId;
use crate::model::ObjectId;
use crate::ports::PortError;
use crate::secret::Secret;

use super::jwt;
use super::jwt::Algorithm;

/// How far back validity begins, for clocks that differ a little.
const LEEWAY: SignedDuration = SignedDuration::from_secs(30);
/// Validity from `nbf` on; Graph allows a proof no more (`entra-contract.md` 3.4).
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// Audience of a proof: Azure AD Graph's client id, not Microsoft Graph's.
const PROOF_AUDIENCE: &str = "00000002-0000-0000-c000-000000000000";

/// The client assertion of a sign-in by certificate: PS256 with `x5t#S256` (`entra-contract.md` 1.2).
pub(super) fn assertion(
    client_id: &ClientId,
    audience: &str,
    key: &Secret,
    certificate: &[u8],
    now: Timestamp,
) -> Result<Secret, PortError> {
    let thumbprint = digest::digest(&digest::SHA256, certificate);
    let (not_before, expires) = validity(now);
    let claims = json!({
        "aud": audience,
        "exp": expires,
        "iat": not_before,
        "iss": client_id.as_str(),
        "jti": Uuid::new_v4().to_string(),
        "nbf": not_before,
        "sub": client_id.as_str(),
    });
    jwt::sign(Algorithm::Ps256, json!({ "x5t#S256": jwt::encode(thumbprint) }), &claims, key)
}

/// The proof of possession for addKey and removeKey: RS256 with `kid` and `x5t` (`entra-contract.md` 3.4).
pub(super) fn proof(app: &ObjectId, key: &Secret, certificate: &[u8], now: Timestamp) -> Result<Secret, PortError> {
    let thumbprint = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate);
    let kid: String = thumbprint.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    let (not_before, expires) = validity(now);
    let claims = json!({ "aud": PROOF_AUDIENCE, "exp": expires, "iss": app.as_str(), "nbf": not_before });
    jwt::sign(Algorithm::Rs256, json!({ "kid": kid, "x5t": jwt::encode(thumbprint) }), &claims, key)
}

/// `nbf` and `exp`, in whole seconds since 1970.
fn validity(now: Timestamp) -> (i64, i64) {
    let not_before = now.as_second() - LEEWAY.as_secs();
    (not_before, not_before + LIFETIME.as_secs())
}

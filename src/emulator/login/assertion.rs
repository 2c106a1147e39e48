//! Client assertions: the JWT that a client signs with its certificate's key (entra-contract 1.2).

use jiff::Timestamp;
use uuid::Uuid;

use super::AadSts;
use super::Refused;
use super::federation;
use crate::emulator::call::Call;
use crate::emulator::certificate::CertificateFacts;
use crate::emulator::certificate::hex;
use crate::emulator::directory::Presented;
use crate::emulator::directory::Verdict;
use crate::emulator::jws::Jws;
use crate::emulator::jws::Malformed;
use crate::emulator::jws::decode_lenient;
use crate::emulator::tenant::Tenant;

/// Clocks may differ by this much; customary, not documented.
const SKEW_SECONDS: i64 = 300;

/// Checks an assertion for the application; returns the certificate that it was signed with, or the federated
/// credential that it fits.
pub(super) fn check(tenant: &Tenant, call: &Call, app_id: Uuid, assertion: &str) -> Refused<Verdict> {
    let token = Jws::parse(assertion).map_err(|problem| match problem {
        Malformed::Algorithm => {
            AadSts::new(5_002_738, "Invalid JWT token. The signature algorithm is not supported; use PS256 or RS256.")
        }
        Malformed::Shape => AadSts::new(50_027, "JWT token is invalid or malformed."),
    })?;
    // A certificate's assertion names the client itself; an address is another issuer's.
    if token.text("iss").is_some_and(|issuer| issuer.starts_with("https://")) {
        return federation::check(tenant, call, app_id, &token);
    }
    let by_client = |claim| token.text(claim).and_then(|text| Uuid::parse_str(text).ok()) == Some(app_id);
    if !by_client("iss") || !by_client("sub") {
        return Err(AadSts::new(
            700_021,
            "Client assertion application identifier doesn't match 'client_id' parameter.",
        ));
    }
    check_audience(tenant, &token)?;
    check_life(&token, call.now)?;
    let thumbprint = thumbprint(&token).ok_or_else(|| {
        AadSts::new(50_012, "Client assertion does not name the certificate it was signed with (x5t or x5t#S256).")
    })?;
    let presented = if thumbprint.len() == 32 { Presented::Sha256(&thumbprint) } else { Presented::Sha1(&thumbprint) };
    let unknown = |reason: &str| {
        AadSts::new(
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - {reason}, Thumbprint of key used by client: '{}', Please visit the Azure Portal to check the certificates of the application with id '{app_id}'.]",
                hex(&thumbprint)
            ),
        )
    };
    match tenant.directory.judge(app_id, presented, tenant.token_lag(), call.now) {
        Verdict::Certificate(key) => {
            let public = CertificateFacts::read(&key.key).and_then(|facts| facts.rsa_public_key);
            match public {
                Some(public) if token.verify(&public) => Ok(Verdict::Certificate(key)),
                _ => Err(AadSts::new(
                    700_027,
                    format!(
                        "Client assertion contains an invalid signature. [Reason - The key was found but the signature is invalid., Thumbprint of key used by client: '{}']",
                        hex(&thumbprint)
                    ),
                )),
            }
        }
        Verdict::Expired { start, end } => {
            let date = |instant: Timestamp| instant.strftime("%m/%d/%Y %H:%M:%S").to_string();
            Err(AadSts::new(
                700_027,
                format!(
                    "The certificate with identifier used to sign the client assertion is expired on application. [Reason - The key used is expired., Thumbprint of key used by client: '{}', Found key 'Start={}, End={}']",
                    hex(&thumbprint),
                    date(start),
                    date(end)
                ),
            ))
        }
        Verdict::Federated(_) | Verdict::Secret(_) | Verdict::Unknown => Err(unknown("The key was not found.")),
    }
}

/// The thumbprint that the header names: `x5t#S256` (32 bytes) or `x5t` (20), padded or not.
fn thumbprint(token: &Jws) -> Option<Vec<u8>> {
    let decode = |name: &str| token.header.get(name)?.as_str().and_then(decode_lenient);
    let sha256 = decode("x5t#S256").filter(|bytes| bytes.len() == 32);
    sha256.or_else(|| decode("x5t").filter(|bytes| bytes.len() == 20))
}

/// The audience is the token endpoint (v1 or v2, tenant by id or domain) or the issuer, on any host name
/// that we go by.
fn check_audience(tenant: &Tenant, token: &Jws) -> Refused<()> {
    let directory = &tenant.directory;
    let names_us = |audience: &str| {
        let Ok(url) = url::Url::parse(audience) else { return false };
        let mut segments = url.path_segments().into_iter().flatten();
        let named = segments.next().unwrap_or_default();
        let tail = segments.filter(|segment| !segment.is_empty()).collect::<Vec<_>>().join("/");
        let our_tenant = Uuid::parse_str(named) == Ok(directory.tenant_id()) || named == directory.domain();
        url.scheme() == "https"
            && our_tenant
            && matches!(tail.as_str(), "oauth2/v2.0/token" | "oauth2/token" | "v2.0" | "")
    };
    if token.text("aud").is_some_and(names_us) {
        return Ok(());
    }
    Err(AadSts::new(700_023, "Client assertion audience claim does not match Realm issuer."))
}

/// `exp` is required, `nbf` is not (MSAL leaves it out).
pub(super) fn check_life(token: &Jws, now: Timestamp) -> Refused<()> {
    let second = now.as_second();
    let begun = token.seconds("nbf").is_none_or(|nbf| nbf.saturating_sub(SKEW_SECONDS) <= second);
    let alive = token.seconds("exp").is_some_and(|exp| second < exp.saturating_add(SKEW_SECONDS));
    if begun && alive {
        return Ok(());
    }
    let show = |claim: &str| {
        let instant = token.seconds(claim).and_then(|second| Timestamp::from_second(second).ok());
        instant.map_or_else(|| "unknown".to_owned(), |instant| instant.to_string())
    };
    Err(AadSts::new(
        700_024,
        format!(
            "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {}, expiry time of assertion {}.",
            show("nbf"),
            show("exp")
        ),
    ))
}

//! An issuer of tokens outside the tenant, as GitHub's or a Kubernetes cluster's is: for federated credentials. It
//! publishes its discovery document and keys, and makes tokens for whoever asks, under any issuer's name. The token
//! endpoint knows its key and no other, because the emulator never calls out.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use axum::http::Method;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::EmulatorError;
use super::call::Call;
use super::call::Reply;
use super::jws::Jws;
use super::jws::Signer;
use super::tenant::Tenant;

/// The audience that Entra asks for in the global cloud.
const AUDIENCE: &str = "api://AzureADTokenExchange";
/// Half of what GitHub's tokens live; long enough for a hand-typed example.
const LIFETIME_SECONDS: i64 = 600;

/// The issuer. Its key is made when it is first needed, and kept nowhere.
#[derive(Default)]
pub struct Issuer(Option<Signer>);

impl Issuer {
    fn signer(&mut self) -> Result<&Signer, EmulatorError> {
        let signer = match self.0.take() {
            Some(signer) => signer,
            None => Signer::generate()?,
        };
        Ok(self.0.insert(signer))
    }

    /// Whether it made this token.
    pub fn made(&self, token: &Jws) -> bool {
        self.0.as_ref().is_some_and(|signer| signer.made(token))
    }
}

/// What a token is to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    subject: String,
    #[serde(default = "audience")]
    audience: String,
    /// The name it goes by; its own address when absent.
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    algorithm: Algorithm,
    #[serde(default = "lifetime")]
    lifetime_seconds: i64,
}

#[derive(Clone, Copy, Default, Deserialize, Eq, PartialEq)]
enum Algorithm {
    #[default]
    #[serde(rename = "RS256")]
    Rs256,
    /// Many issuers use it, and Entra takes it from none.
    #[serde(rename = "ES256")]
    Es256,
}

fn audience() -> String {
    AUDIENCE.to_owned()
}

fn lifetime() -> i64 {
    LIFETIME_SECONDS
}

/// Answers `/_emulator/issuer/…`.
pub fn answer(tenant: &mut Tenant, call: &Call) -> Reply {
    let path = call.path.trim_end_matches('/').to_ascii_lowercase();
    let address = format!("{}/_emulator/issuer", call.base());
    let answer = match (&call.method, path.trim_start_matches("/_emulator/issuer")) {
        (&Method::GET, "/.well-known/openid-configuration") => Ok(json!({
            "issuer": address,
            "jwks_uri": format!("{address}/keys"),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })),
        (&Method::GET, "/keys") => tenant.issuer.signer().map(|signer| signer.key_set(&address)),
        (&Method::POST, "/token") => match serde_json::from_slice::<Order>(&call.body) {
            Ok(order) => mint(tenant, &order, address, call),
            Err(error) => return Reply::json(StatusCode::BAD_REQUEST, json!({"error": error.to_string()})),
        },
        _ => {
            let error = format!("the issuer has no {} {path}", call.method);
            return Reply::json(StatusCode::NOT_FOUND, json!({"error": error}));
        }
    };
    match answer {
        Ok(body) => Reply::json(StatusCode::OK, body),
        Err(error) => Reply::json(StatusCode::INTERNAL_SERVER_ERROR, json!({"error": error.to_string()})),
    }
}

fn mint(tenant: &mut Tenant, order: &Order, address: String, call: &Call) -> Result<Value, EmulatorError> {
    let issued = call.now.as_second();
    let claims = json!({
        "iss": order.issuer.clone().unwrap_or(address),
        "sub": order.subject,
        "aud": order.audience,
        "iat": issued,
        "nbf": issued,
        "exp": issued.saturating_add(order.lifetime_seconds),
        "jti": call.request_id,
    });
    let token = match order.algorithm {
        Algorithm::Rs256 => tenant.issuer.signer()?.sign(&claims)?,
        Algorithm::Es256 => es256(&claims)?,
    };
    Ok(json!({"token": token}))
}

/// A token under a key that is thrown away: nobody looks at its signature.
fn es256(claims: &Value) -> Result<String, EmulatorError> {
    let failed = |error| EmulatorError::crypto("issuer's token", error);
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
    let segment = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", segment(&json!({"typ": "JWT", "alg": "ES256"})), segment(claims));
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).map_err(failed)?;
    Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

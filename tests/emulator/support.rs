//! A started emulator with a client that trusts it, and certificates to sign in with.

use std::sync::Arc;

use aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
use aws_lc_rs::digest::SHA256;
use aws_lc_rs::digest::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use aws_lc_rs::signature::RSA_PSS_SHA256;
use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::prelude::BASE64_STANDARD;
use base64::prelude::BASE64_URL_SAFE;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use everkey::clock::Clock as _;
use everkey::clock::ManualClock;
use everkey::emulator::Emulator;
use everkey::emulator::Options;
use jiff::SignedDuration;
use jiff::Timestamp;
use rcgen::CertificateParams;
use rcgen::KeyPair;
use rcgen::PKCS_RSA_SHA256;
use reqwest::Certificate;
use reqwest::Client;
use reqwest::Method;
use reqwest::Response;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;

/// An emulator, its clock, and a client with the operator's token.
pub struct Bench {
    pub client: Client,
    pub clock: ManualClock,
    pub emulator: Emulator,
    pub token: String,
}

/// An answer, read.
pub struct Answer {
    pub body: Value,
    pub headers: reqwest::header::HeaderMap,
    pub status: u16,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap();
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Self { body, headers, status }
    }

    /// The body, if the status is the expected one; a readable panic otherwise.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    /// Status and error code, for either kind of error body.
    pub fn failure(&self) -> (u16, String) {
        let code = match &self.body["error"]["code"] {
            Value::String(code) => code.clone(),
            _ => self.body["error_codes"][0].to_string(),
        };
        (self.status, code)
    }
}

pub const START: &str = "2026-11-20T09:00:00Z";

impl Bench {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(adjust: impl FnOnce(&mut Options)) -> Self {
        let clock = ManualClock::new(START.parse().unwrap());
        let mut options = Options::new(Arc::new(clock.clone()));
        adjust(&mut options);
        let emulator = Emulator::start(options).await.unwrap();
        let ca = Certificate::from_pem(emulator.ca_pem().as_bytes()).unwrap();
        let client = Client::builder().tls_certs_only([ca]).build().unwrap();
        let mut bench = Self { client, clock, emulator, token: String::new() };
        bench.token = bench.operator_token().await;
        bench
    }

    pub async fn operator_token(&self) -> String {
        let operator = self.emulator.operator();
        let answer = self.secret_token(&operator.client_id.to_string(), &operator.client_secret).await;
        answer.expect(200)["access_token"].as_str().unwrap().to_owned()
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.advance_to(self.now() + SignedDuration::from_secs(seconds));
    }

    pub fn token_url(&self) -> String {
        format!("{}/{}/oauth2/v2.0/token", self.emulator.url(), self.emulator.tenant_id())
    }

    pub async fn form(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        Answer::of(self.client.post(url).form(fields).send().await.unwrap()).await
    }

    pub async fn secret_token(&self, client_id: &str, secret: &str) -> Answer {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", secret),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        self.form(&self.token_url(), &fields).await
    }

    pub async fn assertion_token(&self, client_id: &str, assertion: &str) -> Answer {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        self.form(&self.token_url(), &fields).await
    }

    /// A Graph call with the operator's token; `body` null means none.
    pub async fn graph(&self, method: &str, path: &str, body: Value) -> Answer {
        self.graph_as(&self.token, method, path, body).await
    }

    pub async fn graph_as(&self, token: &str, method: &str, path: &str, body: Value) -> Answer {
        Answer::of(self.request(token, method, path, body).send().await.unwrap()).await
    }

    pub fn request(&self, token: &str, method: &str, path: &str, body: Value) -> reqwest::RequestBuilder {
        let url = if path.starts_with("https://") {
            path.to_owned()
        } else if path.starts_with("/v1.0") || path.starts_with("/beta") || path.starts_with("/_") {
            format!("{}{path}", self.emulator.url())
        } else {
            format!("{}/v1.0{path}", self.emulator.url())
        };
        let request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url).bearer_auth(token);
        if body.is_null() { request } else { request.json(&body) }
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }

    /// Creates an application with its service principal; gives (object id, client id).
    pub async fn app(&self, name: &str) -> (String, String) {
        let app = self.graph("POST", "/applications", json!({"displayName": name})).await.expect(201);
        let (id, app_id) = (text(&app["id"]), text(&app["appId"]));
        self.graph("POST", "/servicePrincipals", json!({"appId": app_id})).await.expect(201);
        (id, app_id)
    }

    /// Registers a certificate by PATCH, as the first one has to be.
    pub async fn register(&self, id: &str, identity: &Identity) {
        let body = json!({"keyCredentials": [identity.entry()]});
        self.graph("PATCH", &format!("/applications/{id}"), body).await.expect(204);
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

/// A certificate with its key.
pub struct Identity {
    pub der: Vec<u8>,
    key: rsa::KeyPair,
}

impl Identity {
    /// A certificate that is valid from a day before `START` for so many days.
    pub fn valid_for(days: i64) -> Self {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        let start: Timestamp = START.parse().unwrap();
        let begin = OffsetDateTime::from_unix_timestamp(start.as_second() - 86_400).unwrap();
        params.not_before = begin;
        params.not_after = begin + time::Duration::days(days);
        let certificate = params.self_signed(&key).unwrap();
        Self { der: certificate.der().to_vec(), key: rsa::KeyPair::from_pkcs8(key.serialized_der()).unwrap() }
    }

    pub fn entry(&self) -> Value {
        json!({"type": "AsymmetricX509Cert", "usage": "Verify", "key": BASE64_STANDARD.encode(&self.der)})
    }

    pub fn sha1(&self) -> Vec<u8> {
        digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.der).as_ref().to_vec()
    }

    /// An assertion as azure-identity (RS256, x5t) or MSAL with a PFX (PS256, x5t#S256) makes it; both pad
    /// their thumbprints.
    pub fn assertion(&self, pss: bool, claims: &Value) -> String {
        let header = if pss {
            let thumbprint = digest(&SHA256, &self.der);
            json!({"alg": "PS256", "typ": "JWT", "x5t#S256": BASE64_URL_SAFE.encode(thumbprint)})
        } else {
            json!({"alg": "RS256", "typ": "JWT", "x5t": BASE64_URL_SAFE.encode(self.sha1())})
        };
        self.sign(&header, claims)
    }

    /// A proof of possession for addKey and removeKey.
    pub fn proof(&self, object_id: &str, nbf: i64) -> String {
        let claims = json!({
            "aud": "00000002-0000-0000-c000-000000000000", "iss": object_id, "nbf": nbf, "exp": nbf + 600,
        });
        self.sign(&json!({"alg": "RS256", "typ": "JWT"}), &claims)
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_encoded(header, claims, BASE64_URL_SAFE_NO_PAD)
    }

    /// The same with an encoder of choice: azure-identity pads the three segments.
    pub fn sign_encoded(&self, header: &Value, claims: &Value, encoder: GeneralPurpose) -> String {
        let segment = |value: &Value| encoder.encode(value.to_string());
        let signed = format!("{}.{}", segment(header), segment(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        let scheme: &'static dyn aws_lc_rs::signature::RsaEncoding =
            if header["alg"] == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
        self.key.sign(scheme, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", encoder.encode(signature))
    }
}

/// The claims that a client puts into an assertion.
pub fn claims(bench: &Bench, client_id: &str) -> Value {
    let now = bench.now().as_second();
    json!({
        "aud": bench.token_url(), "iss": client_id, "sub": client_id, "jti": "00000000-0000-4000-8000-000000000001",
        "nbf": now, "exp": now + 600,
    })
}

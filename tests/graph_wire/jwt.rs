//! The tokens that everkey signs, verified by another implementation (Python's `cryptography`).

use std::io::Write as _;
use std::process::Command;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use everkey::entra::OwnSignIn;
use everkey::ports::PortError;
use everkey::ports::SignIn;
use everkey::ports::TokenEndpoint;
use everkey::ports::TokenSource;
use everkey::secret::Secret;
use rcgen::CertificateParams;
use rcgen::KeyPair;
use rcgen::PKCS_ECDSA_P256_SHA256;
use rcgen::PKCS_RSA_SHA256;
use serde_json::Value;
use serde_json::json;

use super::server::Answer;
use super::server::Server;
use super::tokens::app;
use super::tokens::entra;
use super::tokens::own_secret;
use super::world::*;

/// Verifies the signature with the certificate's key and prints header, claims and thumbprints.
const VERIFIER: &str = r#"
import base64, hashlib, json, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
given = json.load(sys.stdin)
token, der = given["token"], base64.b64decode(given["certificate"])
assert "=" not in token and "\n" not in token
def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
def encode(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
header, claims, signature = token.split(".")
signed = (header + "." + claims).encode()
header = json.loads(decode(header))
pads = {"PS256": padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32), "RS256": padding.PKCS1v15()}
key = x509.load_der_x509_certificate(der).public_key()
key.verify(decode(signature), signed, pads[header["alg"]], hashes.SHA256())
sha1 = hashlib.sha1(der)
json.dump({"header": header, "claims": json.loads(decode(claims)), "sha1": encode(sha1.digest()),
           "sha1_hex": sha1.hexdigest().upper(), "sha256": encode(hashlib.sha256(der).digest())}, sys.stdout)
"#;

fn verify(token: &str, certificate: &[u8]) -> Value {
    #[expect(clippy::disallowed_methods, reason = "the developer chooses the test's interpreter")]
    let python = std::env::var("EVERKEY_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut child = Command::new(python)
        .args(["-c", VERIFIER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 with `cryptography`, or EVERKEY_TEST_PYTHON, is needed");
    let given = json!({ "token": token, "certificate": STANDARD.encode(certificate) });
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the signature does not verify");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn pair(algorithm: &'static rcgen::SignatureAlgorithm) -> (Secret, Vec<u8>) {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    (Secret::new(key.serialize_der()), certificate.der().to_vec())
}

/// The assertion in a form body.
fn assertion(body: &[u8]) -> String {
    let fields: std::collections::BTreeMap<_, _> = url::form_urlencoded::parse(body).into_owned().collect();
    assert_eq!(fields["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert!(!fields.contains_key("client_secret"));
    fields["client_assertion"].clone()
}

#[tokio::test]
async fn assertions_verify_elsewhere_and_say_what_entra_asks_for() {
    let (key, certificate) = pair(&PKCS_RSA_SHA256);
    let token = Answer::json(200, r#"{"access_token":"t","expires_in":3599}"#);
    let server = Server::start(vec![token.clone(), token.clone(), token]).await;
    let clock = JumpingClock::new();
    let own =
        OwnSignIn::Certificate { client_id: "own".into(), key: key.duplicate(), certificate: certificate.clone() };
    let entra = entra(&server, &clock, own);
    entra.token().await.unwrap();
    for _ in 0..2 {
        entra.probe(&app(), SignIn::Certificate { key: &key, certificate: &certificate }).await.unwrap();
    }

    let mut ids = Vec::new();
    for (seen, client) in server.seen().iter().zip(["own", CLIENT, CLIENT]) {
        let verified = verify(&assertion(&seen.body), &certificate);
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": verified["sha256"] });
        assert_eq!(verified["header"], header);
        let claims = &verified["claims"];
        let now = start().as_second();
        assert_eq!(claims["aud"], json!(format!("{}/{TENANT}/oauth2/v2.0/token", server.url)));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(client), &json!(client)));
        assert_eq!((&claims["nbf"], &claims["iat"]), (&json!(now - 30), &json!(now - 30)));
        assert_eq!(claims["exp"], json!(now - 30 + 600));
        ids.push(uuid::Uuid::parse_str(claims["jti"].as_str().unwrap()).unwrap());
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "each assertion has an id of its own");
}

#[tokio::test]
async fn proofs_verify_elsewhere_and_say_what_graph_asks_for() {
    let (key, certificate) = pair(&PKCS_RSA_SHA256);
    let server = Server::start(Vec::new()).await;
    let entra = entra(&server, &JumpingClock::new(), own_secret());
    let proof = entra.proof(&object(), &key, &certificate).unwrap();

    let verified = verify(proof.expose_text().unwrap(), &certificate);
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": verified["sha1_hex"], "x5t": verified["sha1"] });
    assert_eq!(verified["header"], header);
    let not_before = start().as_second() - 30;
    let claims = json!({ "aud": "00000002-0000-0000-c000-000000000000", "iss": OBJECT,
        "nbf": not_before, "exp": not_before + 600 });
    assert_eq!(verified["claims"], claims);
    assert!(server.seen().is_empty(), "a proof is no sign-in");
}

#[tokio::test]
async fn a_key_that_entra_would_not_accept_is_refused_before_anything_is_sent() {
    let (ec, certificate) = pair(&PKCS_ECDSA_P256_SHA256);
    let server = Server::start(Vec::new()).await;
    let entra = entra(&server, &JumpingClock::new(), own_secret());
    for key in [ec, Secret::from_text("no key".into())] {
        let error =
            entra.probe(&app(), SignIn::Certificate { key: &key, certificate: &certificate }).await.unwrap_err();
        assert!(matches!(error, PortError::Local(_)), "{error}");
        assert!(matches!(entra.proof(&object(), &key, &certificate), Err(PortError::Local(_))));
    }
    assert!(server.seen().is_empty());
}

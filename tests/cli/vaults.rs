//! Vaults: what everkey delivers there is read back by a foreign client (curl, openssl), rotations overlap, faults and
//! other people's values lose nothing.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use serde_json::json;

use crate::support::Canaries;
use crate::support::World;

/// A world with nothing but these policies.
pub fn world(policies: &[(&str, &str)]) -> World {
    let world = World::new();
    world.keep_policies(&[]);
    for (name, text) in policies {
        std::fs::write(world.policy(name), text).unwrap();
    }
    world
}

/// A policy with one credential, delivered as `deliver` says.
pub fn policy(name: &str, kind: &str, deliver: &str) -> String {
    format!(
        "version = 1\nname = \"{name}\"\nimpact = \"Mail stops arriving.\"\nmode = \"rotate\"\n\
         [app]\ndisplay_name = \"{name}\"\n[people]\nowner = \"platform@contoso.example\"\n\
         [[credential]]\nkind = \"{kind}\"\n[[credential.deliver]]\n{deliver}\n"
    )
}

/// What curl says to `path`, and its status.
pub fn curl(world: &World, method: &str, path: &str, headers: &[String], body: Option<&Value>) -> (u16, Value) {
    let mut command = Command::new("curl");
    command.args(["-sS", "--noproxy", "*", "-w", "\n%{http_code}", "-X", method, "--cacert"]);
    command.arg(world.emulator_dir().join("ca.pem")).arg(format!("{}{path}", world.url()));
    for header in headers {
        command.args(["-H", header]);
    }
    if let Some(body) = body {
        command.args(["-H", "Content-Type: application/json", "-d", &body.to_string()]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

/// A call to the key vault `contoso-apps`, by path, as the operator.
fn key_vault(world: &World, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let operator = &world.guide()["operator"];
    let form = format!(
        "grant_type=client_credentials&client_id={}&scope=https://vault.azure.net/.default&client_secret={}",
        operator["client_id"].as_str().unwrap(),
        operator["client_secret"].as_str().unwrap()
    );
    let output = Command::new("curl")
        .args(["-sS", "--noproxy", "*", "-d", &form, "--cacert"])
        .arg(world.emulator_dir().join("ca.pem"))
        .arg(format!("{}/{}/oauth2/v2.0/token", world.url(), world.guide()["tenant_id"].as_str().unwrap()))
        .output()
        .unwrap();
    let token: Value = serde_json::from_slice(&output.stdout).unwrap();
    let header = format!("Authorization: Bearer {}", token["access_token"].as_str().unwrap());
    curl(world, method, &format!("/vaults/contoso-apps{path}?api-version=7.4"), &[header], body)
}

/// The secret's value, as its consumer reads it.
#[track_caller]
fn consumed(world: &World, path: &str) -> (String, Value) {
    let (status, secret) = key_vault(world, "GET", path, None);
    assert_eq!(status, 200, "{secret}");
    (secret["value"].as_str().unwrap().to_owned(), secret)
}

fn versions(world: &World, path: &str) -> usize {
    key_vault(world, "GET", &format!("{path}/versions"), None).1["value"].as_array().unwrap().len()
}

/// No file of the world but those that may holds a secret, and no output did.
pub fn scan(world: &World, canaries: &Canaries) {
    let allowed = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        // The emulator's own files are the far side: a vault keeps values.
        matches!(name, "state.json")
    };
    let (read, hits) = canaries.scan(world.path(), &allowed);
    assert!(read > 5 && hits.is_empty(), "{read} files; {hits:#?}");
}

/// Applies until everything is done: after a second failure `apply` leaves the rest to the next run. What it said.
pub fn apply(world: &World) -> String {
    let mut told = String::new();
    for _ in 0..3 {
        let ran = world.run(&["apply", "--yes", "-vvv"]);
        told.push_str(&ran.out);
        told.push_str(&ran.err);
        if ran.code == 0 {
            return told;
        }
    }
    panic!("{told}");
}

pub fn fault(world: &World, method: &str, path: &str, effect: Value) {
    world.fault(&json!({"method": method, "path_contains": path, "effect": effect}));
}

const SECRET: &str = "to = \"azure-key-vault\"\nvault = \"contoso-apps\"\nname = \"mail-secret\"";
const CERTIFICATE: &str = "to = \"azure-key-vault\"\nvault = \"contoso-apps\"\nname = \"mail-certificate\"";

#[test]
fn a_key_vault_gets_secrets_and_certificates() {
    let mut world = world(&[
        ("mail-secret", &policy("mail-secret", "client-secret", SECRET)),
        ("mail-certificate", &policy("mail-certificate", "certificate", CERTIFICATE)),
    ]);
    let plan = world.run(&["plan"]).exits(0);
    assert!(plan.out.contains("azure-key-vault contoso-apps/secrets/mail-secret"), "{}", plan.out);
    // The answer to the first write is lost, and so is the request before it.
    fault(&world, "PUT", "/secrets/mail-secret", json!({"kind": "reset-before-effect"}));
    fault(&world, "PUT", "/secrets/mail-secret", json!({"kind": "reset-after-effect"}));
    fault(
        &world,
        "POST",
        "/certificates/mail-certificate/import",
        json!({"kind": "status", "code": 429, "retry_after": 1}),
    );
    let told = apply(&world);

    let (old, secret) = consumed(&world, "/secrets/mail-secret");
    let tags = &secret["tags"];
    let client = tags["everkey-app-id"].as_str().unwrap().to_owned();
    assert_eq!(world.token_with(&client, &old), 200);
    assert_eq!(secret["contentType"], "text/plain");
    let held = world.credentials();
    assert!(
        held.iter().any(|(name, key)| name == "mail-secret" && tags["everkey-credential"] == key.as_str()),
        "{tags}"
    );
    let end = secret["attributes"]["exp"].as_i64().unwrap();
    assert!(end > 1_790_000_000 && secret["attributes"]["enabled"] == true, "{secret}");
    assert_eq!(versions(&world, "/secrets/mail-secret"), 1, "a lost answer makes no second version");

    // The certificate, its key beside it, and the thumbprint that Entra knows.
    let (_, certificate) = key_vault(&world, "GET", "/certificates/mail-certificate", None);
    assert_eq!(certificate["policy"]["issuer"]["name"], "Unknown");
    assert_eq!(certificate["policy"]["lifetime_actions"], json!([]));
    assert_eq!(versions(&world, "/certificates/mail-certificate"), 1);
    let (pfx, _) = consumed(&world, "/secrets/mail-certificate");
    let key = pair(&world, &pfx);
    assert!(key.contains("PRIVATE KEY"));

    let mut canaries = Canaries::default();
    canaries.add("the secret in the vault", old.as_bytes());
    canaries.add_pem("the key in the vault", &key);
    assert!(canaries.found_in(told.as_bytes()).is_empty());
    scan(&world, &canaries);

    // Nothing to do; and doctor can read both.
    world.run(&["apply", "--yes"]).exits(0).says("No changes.");
    let doctor = world.run(&["doctor"]);
    assert_eq!(doctor.out.matches("ok    key vault").count(), 2, "{}", doctor.out);

    // A rotation makes a second version, the old value works on until the overlap is over.
    world.run(&["rotate", "mail-secret", "--yes"]).exits(0);
    let (new, _) = consumed(&world, "/secrets/mail-secret");
    assert_ne!(old, new);
    assert_eq!(versions(&world, "/secrets/mail-secret"), 2);
    assert_eq!(world.credentials().iter().filter(|(name, _)| name == "mail-secret").count(), 2, "the overlap holds");
    world.stop();
    world.start(Some("2026-12-04T09:00:00Z"));
    assert_eq!(consumed(&world, "/secrets/mail-secret").0, new, "a vault keeps what it holds");

    // Somebody else writes: it is told, left alone, and the old credential stays.
    key_vault(&world, "PUT", "/secrets/mail-secret", Some(&json!({"value": "by hand"})));
    let ran = world.run(&["apply", "--yes"]);
    assert!(
        ran.code != 0 && ran.err.contains("S022") && ran.err.contains("overwrite_foreign"),
        "{}{}",
        ran.out,
        ran.err
    );
    assert_eq!(consumed(&world, "/secrets/mail-secret").0, "by hand");
    assert_eq!(world.credentials().iter().filter(|(name, _)| name == "mail-secret").count(), 2);
    world.run(&["history", "--verify"]).exits(0);
}

/// What a PFX in base64 holds, after checking that key and certificate are one pair.
fn pair(world: &World, pfx: &str) -> String {
    let file = world.path().join("read.pfx");
    std::fs::write(&file, BASE64_STANDARD.decode(pfx).unwrap()).unwrap();
    let openssl = |args: &[&str]| {
        let output = Command::new("openssl").args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let pem = openssl(&["pkcs12", "-in", file.to_str().unwrap(), "-passin", "pass:", "-nodes"]);
    std::fs::write(&file, &pem).unwrap();
    let name = file.to_str().unwrap();
    assert_eq!(openssl(&["x509", "-in", name, "-noout", "-pubkey"]), openssl(&["pkey", "-in", name, "-pubout"]));
    std::fs::remove_file(&file).unwrap();
    pem
}

/// What stands in the way is told before anything is made in Entra.
#[test]
fn a_key_vault_that_cannot_be_written_stops_before_the_credential() {
    let world = world(&[("mail-secret", &policy("mail-secret", "client-secret", SECRET))]);
    // Doctor looks as the preflight does, and waits for nothing.
    let failing = |code: &str, why: &str| {
        let report = world.run(&["doctor", "-o", "json"]).exits(1).json();
        let all = report["items"].as_array().unwrap();
        let found = all.iter().find(|item| item["id"] == "key vault" && item["status"] == "fail").unwrap();
        let text = format!("{} {}", found["text"], found["fix"]);
        assert!(text.contains(code) && text.contains(why), "{found:#}");
    };
    let body = json!({
        "error": {"code": "Forbidden", "message": "Caller is not authorized", "innererror": {"code": "ForbiddenByRbac"}}
    });
    fault(&world, "GET", "/secrets/mail-secret", json!({"kind": "status", "code": 403, "body": body}));
    failing("S020", "Key Vault Secrets Officer");
    key_vault(&world, "PUT", "/secrets/mail-secret", Some(&json!({"value": "by hand"})));
    failing("S022", "did not write");
    let ran = world.run(&["rotate", "mail-secret", "--yes"]);
    assert!(ran.code == 1 && ran.err.contains("S022") && ran.err.contains("fix:"), "{}{}", ran.out, ran.err);
    assert_eq!(world.credentials(), [], "nothing is made that cannot be delivered");
    key_vault(&world, "DELETE", "/secrets/mail-secret", None);
    failing("S023", "kept for recovery");

    // A policy cannot send a token for vaults to a host of its choice.
    for (from, to, code) in [
        ("contoso-apps", "evil.example/x", "P071"),
        ("contoso-apps", "https://evil.example", "P071"),
        ("mail-secret\"", "no_name\"", "P071"),
        ("to = \"azure-key-vault\"", "to = \"azure-key-vault\"\nurl = \"https://evil.example\"", "P003"),
    ] {
        std::fs::write(world.policy("mail-secret"), policy("mail-secret", "client-secret", &SECRET.replace(from, to)))
            .unwrap();
        let ran = world.run(&["validate"]);
        assert!(ran.code != 0 && (ran.out.contains(code) || ran.err.contains(code)), "{to}: {}{}", ran.out, ran.err);
    }
    // Nothing but a token request proves nothing about a shared store.
    let confirm =
        format!("{}[credential.confirm]\nmethod = \"token-request\"\n", policy("mail-secret", "client-secret", SECRET));
    std::fs::write(world.policy("mail-secret"), confirm).unwrap();
    let ran = world.run(&["validate"]);
    assert!(ran.code != 0 && (ran.out.contains("P025") || ran.err.contains("P025")), "{}{}", ran.out, ran.err);
}

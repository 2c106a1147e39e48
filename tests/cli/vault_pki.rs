//! `issuer = "vault-pki"`: a HashiCorp Vault signs, openssl verifies the chain, lost answers and refusals lose nothing.

use std::process::Command;

use serde_json::Value;
use serde_json::json;

use crate::support::Canaries;
use crate::support::World;
use crate::vaults::apply;
use crate::vaults::curl;
use crate::vaults::fault;
use crate::vaults::policy;
use crate::vaults::scan;
use crate::vaults::world;

const FILES: &str =
    "to = \"files\"\ndirectory = \"/var/lib/NAME\"\npem = { name = \"app.crt\" }\nkey = { name = \"app.key\" }";

/// A policy whose certificate Vault signs; `with` is the end of `vault_pki = { … }`.
fn signed(world: &World, name: &str, role: &str, with: &str) {
    let file = |name: &str| world.emulator_dir().join(name).display().to_string();
    let pki = format!(
        "kind = \"certificate\"\nissuer = \"vault-pki\"\nvault_pki = {{ address = \"{}\", role = \"{role}\", ca_file = \"{}\", {with} }}",
        world.url(),
        file("ca.pem")
    );
    let text = policy(name, "certificate", &FILES.replace("NAME", name)).replace("kind = \"certificate\"", &pki);
    std::fs::write(world.policy(name), text).unwrap();
}

fn app_role(world: &World) -> String {
    let role = world.guide()["vault"]["role_id"].as_str().unwrap().to_owned();
    let secret_id = world.emulator_dir().join("vault.secret-id").display().to_string();
    format!("role_id = \"{role}\", secret_id_file = \"{secret_id}\"")
}

fn vault(world: &World, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let token = std::fs::read_to_string(world.emulator_dir().join("vault.token")).unwrap();
    curl(world, method, path, &[format!("X-Vault-Token: {token}")], body)
}

fn openssl(args: &[&str]) -> String {
    let output = Command::new("openssl").args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Serial number and public key of the delivered certificate, after openssl has verified its chain to Vault's root.
fn verified(world: &World) -> (String, String) {
    let root = world.path().join("root.pem");
    let (status, pem) = (Command::new("curl"), root.display().to_string());
    let mut curl = status;
    curl.args(["-sSf", "--noproxy", "*", "-o", &pem, "--cacert"]).arg(world.emulator_dir().join("ca.pem"));
    assert!(curl.arg(format!("{}/v1/pki/ca/pem", world.url())).status().unwrap().success());
    let at = |name: &str| world.sink(&format!("var/lib/mail/{name}")).display().to_string();
    let certificate = at("app.crt");
    // By the clock of the emulator, which is not this machine's.
    openssl(&["verify", "-no_check_time", "-x509_strict", "-purpose", "sslclient", "-CAfile", &pem, &certificate]);
    let public = openssl(&["x509", "-in", &certificate, "-noout", "-pubkey"]);
    assert_eq!(public, openssl(&["pkey", "-in", &at("app.key"), "-pubout"]));
    (openssl(&["x509", "-in", &certificate, "-noout", "-serial"]), public)
}

#[test]
fn vault_signs_and_a_lost_answer_is_asked_for_again() {
    let world = world(&[]);
    signed(&world, "mail", "everkey", &app_role(&world));
    world.run(&["plan"]).exits(0).says("signed by Vault").says("/pki/sign/everkey");
    fault(&world, "POST", "/pki/sign/everkey", json!({"kind": "reset-before-effect"}));
    fault(&world, "POST", "/pki/sign/everkey", json!({"kind": "reset-after-effect"}));
    let told = apply(&world);

    let (first, public) = verified(&world);
    let certs = |world: &World| -> Vec<String> {
        let (_, all) = vault(world, "LIST", "/v1/pki/certs", None);
        let keys = all["data"]["keys"].as_array().unwrap().iter();
        keys.map(|serial| {
            let (_, one) = vault(world, "GET", &format!("/v1/pki/cert/{}", serial.as_str().unwrap()), None);
            let file = world.path().join("one.pem");
            std::fs::write(&file, one["data"]["certificate"].as_str().unwrap()).unwrap();
            openssl(&["x509", "-in", file.to_str().unwrap(), "-noout", "-pubkey"])
        })
        .collect()
    };
    // Two certificates for one key, made of the same request; one of them is attached.
    assert_eq!(certs(&world), [public.clone(), public.clone()]);
    assert_eq!(world.credentials().len(), 1);

    let mut canaries = Canaries::default();
    canaries.add_pem("the key", &std::fs::read_to_string(world.sink("var/lib/mail/app.key")).unwrap());
    canaries.add("the secret id", &std::fs::read(world.emulator_dir().join("vault.secret-id")).unwrap());
    assert!(canaries.found_in(told.as_bytes()).is_empty());
    assert!(canaries.found_in(world.history().as_bytes()).is_empty());

    world.run(&["rotate", "mail", "--yes"]).exits(0);
    let (second, other) = verified(&world);
    assert!(first != second && public != other, "a rotation makes a key and a certificate of its own");
    assert_eq!(world.credentials().len(), 2, "the overlap holds");
    world.run(&["apply", "--yes"]).exits(0).says("No changes.");
}

#[test]
fn refusals_are_told_and_nothing_is_attached() {
    let world = world(&[]);
    let token = |name: &str| format!("token_file = \"{}\"", world.emulator_dir().join(name).display());
    std::fs::write(world.emulator_dir().join("wrong.token"), "hvs.nobody\n").unwrap();
    let strict = json!({"allowed_domains": ["contoso.example"], "allow_subdomains": true});
    assert_eq!(vault(&world, "POST", "/v1/pki/roles/strict", Some(&strict)).0, 200);
    assert_eq!(
        vault(&world, "POST", "/v1/pki/roles/short", Some(&json!({"allow_any_name": true, "max_ttl": "72h"}))).0,
        200
    );
    let secret = app_role(&world).replace("vault.secret-id", "wrong.token");
    for (name, role, with, code, why) in [
        ("wrong-token", "everkey", token("wrong.token"), "S027", "permission denied"),
        ("wrong-secret-id", "everkey", secret, "S027", "invalid role or secret ID"),
        ("no-right", "strict", app_role(&world), "S027", "permission denied"),
        ("no-role", "unheard-of", token("vault.token"), "S028", "unknown role: unheard-of"),
        ("no-name", "strict", token("vault.token"), "S028", "common name no-name not allowed by this role"),
        ("too-short", "short", token("vault.token"), "G015", "too soon"),
    ] {
        signed(&world, name, role, &with);
        let ran = world.run(&["apply", "--yes", "--only", name]);
        let said = ran.code != 0 && ran.err.contains(code) && ran.err.contains(why) && ran.err.contains("fix:");
        assert!(said, "{name}: {}{}", ran.out, ran.err);
        assert!(!ran.err.contains("hvs."), "{name}: {}", ran.err);
    }
    assert_eq!(world.credentials(), [], "nothing is attached that nobody signed");

    // Credentials of an emulated tenant stay on this machine, requests as well.
    signed(&world, "far", "everkey", &token("vault.token"));
    world.replace(&world.policy("far"), world.url(), "https://vault.contoso.example:8200");
    let ran = world.run(&["apply", "--yes", "--only", "far"]);
    assert!(ran.code != 0 && ran.err.contains("S028") && ran.err.contains("another machine"), "{}", ran.err);

    // What the policy says now counts: a mistake is corrected, with the same request.
    signed(&world, "no-role", "everkey", &token("vault.token"));
    let told = world.run(&["apply", "--yes", "--only", "no-role"]);
    assert!(told.code == 0 && world.credentials().len() == 1, "{}{}", told.out, told.err);
    let mut canaries = Canaries::default();
    canaries.add_pem("the key", &std::fs::read_to_string(world.sink("var/lib/no-role/app.key")).unwrap());
    std::fs::remove_file(world.sink("var/lib/no-role/app.key")).unwrap();
    scan(&world, &canaries);
}

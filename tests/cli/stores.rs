//! HashiCorp Vault and Kubernetes: several keys under one name, compare-and-set, other people's keys.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
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

const KV: &str = "/v1/secret/data/apps/mail";
const SECRET: &str = "/api/v1/namespaces/mail/secrets/mail-secret";
const TLS: &str = "/api/v1/namespaces/mail/secrets/mail-tls";

fn file(world: &World, name: &str) -> String {
    world.emulator_dir().join(name).display().to_string()
}

fn read(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.emulator_dir().join(name)).unwrap()
}

fn vault(world: &World, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    curl(world, method, path, &[format!("X-Vault-Token: {}", read(world, "vault.token"))], body)
}

fn cluster(world: &World, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let token = format!("Authorization: Bearer {}", read(world, "kubernetes.token"));
    curl(world, method, path, &[token], body)
}

fn decoded(value: &Value) -> String {
    String::from_utf8(BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap()
}

/// Three policies: AppRole, an Opaque Secret, a TLS Secret.
fn stores() -> World {
    let world = world(&[]);
    let (url, ca) = (world.url(), file(&world, "ca.pem"));
    let role = world.guide()["vault"]["role_id"].as_str().unwrap().to_owned();
    let kv = format!(
        "to = \"hashicorp-vault\"\naddress = \"{url}\"\npath = \"apps/mail\"\nca_file = \"{ca}\"\nrole_id = \"{role}\"\n\
         secret_id_file = \"{}\"\nvalues = {{ client_id = \"client_id\", client_secret = \"secret\" }}",
        file(&world, "vault.secret-id")
    );
    let cluster = format!(
        "to = \"kubernetes\"\naddress = \"{url}\"\nnamespace = \"mail\"\nca_file = \"{ca}\"\ntoken_file = \"{}\"",
        file(&world, "kubernetes.token")
    );
    let opaque = format!("{cluster}\nname = \"mail-secret\"\nvalues = {{ clientSecret = \"secret\" }}");
    let tls = format!("{cluster}\nname = \"mail-tls\"\ntype = \"kubernetes.io/tls\"");
    for (name, kind, deliver) in
        [("in-vault", "client-secret", kv), ("in-cluster", "client-secret", opaque), ("in-tls", "certificate", tls)]
    {
        std::fs::write(world.policy(name), policy(name, kind, &deliver)).unwrap();
    }
    world
}

#[test]
fn stores_with_keys_are_compared_and_set() {
    let world = stores();
    // What others keep under the same name stays.
    assert_eq!(vault(&world, "POST", KV, Some(&json!({"data": {"host": "mail.contoso.example"}}))).0, 200);
    let reset = |kind: &str| json!({"kind": kind});
    fault(&world, "PATCH", KV, reset("reset-after-effect"));
    fault(&world, "PATCH", SECRET, reset("reset-before-effect"));
    fault(&world, "PATCH", TLS, json!({"kind": "status", "code": 409}));
    fault(&world, "POST", "approle", json!({"kind": "status", "code": 429, "retry_after": 1}));
    let told = apply(&world);

    let (_, kv) = vault(&world, "GET", KV, None);
    let data = &kv["data"]["data"];
    assert_eq!(data["host"], "mail.contoso.example");
    assert_eq!(kv["data"]["metadata"]["version"], 2, "a lost answer makes no second version");
    let (client, old) =
        (data["client_id"].as_str().unwrap().to_owned(), data["client_secret"].as_str().unwrap().to_owned());
    assert_eq!(world.token_with(&client, &old), 200);

    let (_, secret) = cluster(&world, "GET", SECRET, None);
    assert_eq!(secret["type"], "Opaque");
    let manager = &secret["metadata"]["managedFields"][0];
    assert!(
        manager["manager"].as_str().unwrap().starts_with("everkey-") && manager["operation"] == "Apply",
        "{manager}"
    );
    let in_cluster = decoded(&secret["data"]["clientSecret"]);
    let (_, tls) = cluster(&world, "GET", TLS, None);
    assert_eq!(tls["type"], "kubernetes.io/tls");
    assert!(decoded(&tls["data"]["tls.crt"]).starts_with("-----BEGIN CERTIFICATE"));
    let key = decoded(&tls["data"]["tls.key"]);

    let mut canaries = Canaries::default();
    canaries.add("the secret in Vault", old.as_bytes());
    canaries.add("the secret in Kubernetes", in_cluster.as_bytes());
    canaries.add_pem("the key in Kubernetes", &key);
    assert!(canaries.found_in(told.as_bytes()).is_empty());
    scan(&world, &canaries);
    world.run(&["apply", "--yes"]).exits(0).says("No changes.");
    let doctor = world.run(&["doctor"]);
    for line in ["skip  key vault   no policy uses it", "ok    vault ", "ok    kubernetes "] {
        assert!(doctor.out.contains(line), "{line}: {}", doctor.out);
    }

    // Somebody else writes a key of ours and another's: ours is told, theirs is nobody's business.
    let changed = json!({"data": {"host": "new.contoso.example", "client_id": client, "client_secret": "by hand"}});
    vault(&world, "POST", KV, Some(&changed));
    let by_hand = json!({
        "metadata": {"name": "mail-secret"}, "type": "Opaque", "data": {"clientSecret": BASE64_STANDARD.encode("by hand")},
    });
    assert_eq!(cluster(&world, "PUT", SECRET, Some(&by_hand)).0, 200);
    let before = world.credentials();
    for name in ["in-vault", "in-cluster"] {
        let ran = world.run(&["rotate", name, "--yes"]);
        assert!(
            ran.code == 1 && ran.err.contains("S022") && ran.err.contains("overwrite_foreign"),
            "{}{}",
            ran.out,
            ran.err
        );
    }
    assert_eq!(world.credentials(), before, "nothing is made that cannot be delivered");
    assert_eq!(vault(&world, "GET", KV, None).1["data"]["data"]["client_secret"], "by hand");
    assert_eq!(decoded(&cluster(&world, "GET", SECRET, None).1["data"]["clientSecret"]), "by hand");

    // The person says that it may go.
    for name in ["in-vault", "in-cluster"] {
        let policy = world.policy(name);
        world.replace(&policy, "ca_file", "overwrite_foreign = true\nca_file");
    }
    world.run(&["apply", "--yes"]).exits(0);
    let (_, kv) = vault(&world, "GET", KV, None);
    assert_eq!(kv["data"]["data"]["host"], "new.contoso.example");
    let new = kv["data"]["data"]["client_secret"].as_str().unwrap().to_owned();
    assert!(
        new != old && world.token_with(&client, &new) == 200 && world.token_with(&client, &old) == 200,
        "the overlap holds"
    );
    assert_ne!(decoded(&cluster(&world, "GET", SECRET, None).1["data"]["clientSecret"]), "by hand");
    world.run(&["history", "--verify"]).exits(0);
}

#[test]
fn what_stands_in_the_way_is_told_before_anything_is_made() {
    let world = stores();
    // Doctor looks as the preflight does, and waits for nothing.
    let failing = |name: &str, code: &str, why: &str| {
        let report = world.run(&["doctor", "-o", "json"]).exits(1).json();
        let id = if name == "in-vault" { "vault" } else { "kubernetes" };
        let all = report["items"].as_array().unwrap();
        let found = all.iter().find(|item| item["id"] == id && item["status"] == "fail").unwrap();
        let text = found["text"].as_str().unwrap();
        assert!(text.contains(code) && text.contains(why) && found["fix"].is_string(), "{found:#}");
    };
    for (name, what) in [("vault.secret-id", "in-vault"), ("kubernetes.token", "in-cluster")] {
        let right = read(&world, name);
        std::fs::write(file(&world, name), "wrong-and-never-shown").unwrap();
        failing(what, "S020", if what == "in-vault" { "invalid role or secret ID" } else { "Unauthorized" });
        std::fs::write(file(&world, name), "\n").unwrap();
        failing(what, "S010", "is empty");
        std::fs::write(file(&world, name), right).unwrap();
    }
    // Credentials of an emulated tenant stay on this machine.
    let policy = world.policy("in-vault");
    world.replace(&policy, world.url(), "https://vault.contoso.example:8200");
    failing("in-vault", "S010", "another machine");
    let ran = world.run(&["rotate", "in-vault", "--yes"]);
    assert!(ran.code == 1 && ran.err.contains("another machine") && ran.err.contains("fix:"), "{}", ran.err);
    assert_eq!(world.credentials(), [], "nothing is made that cannot be delivered");

    let valid = std::fs::read_to_string(world.policy("in-cluster")).unwrap();
    for (from, to, code) in [
        ("name = \"mail-secret\"", "name = \"Mail_Secret\"", "P071"),
        ("clientSecret =", "\"client secret\" =", "P071"),
        ("= \"secret\" }", "= \"client_id\" }", "P051"),
        ("token_file", "# token_file", "P072"),
        ("https://", "http://", "P055"),
        ("namespace", "type = \"kubernetes.io/tls\"\nnamespace", "P070"),
        ("namespace", "type = \"Tls\"\nnamespace", "P006"),
    ] {
        std::fs::write(world.policy("in-cluster"), valid.replacen(from, to, 1)).unwrap();
        let ran = world.run(&["validate"]);
        assert!(ran.code != 0 && format!("{}{}", ran.out, ran.err).contains(code), "{to}: {}{}", ran.out, ran.err);
    }
    std::fs::write(world.policy("in-cluster"), valid).unwrap();
    let valid = std::fs::read_to_string(&policy).unwrap();
    for (from, to, code) in [
        ("secret_id_file", "# secret_id_file", "P072"),
        ("role_id", "token_file = \"/run/token\"\nrole_id", "P072"),
        ("path = \"apps/mail\"", "path = \"../sys\"", "P071"),
        ("client_secret = \"secret\"", "client_secret = \"hunter2hunter2\"", "P009"),
    ] {
        std::fs::write(&policy, valid.replacen(from, to, 1)).unwrap();
        let ran = world.run(&["validate"]);
        assert!(ran.code != 0 && format!("{}{}", ran.out, ran.err).contains(code), "{to}: {}{}", ran.out, ran.err);
        assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"), "{}{}", ran.out, ran.err);
    }
}

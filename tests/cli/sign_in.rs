//! Every way in which everkey itself signs in, against the emulator: certificate as PFX and PEM, secret, workload
//! identity and managed identity. The Azure CLI is in `inventory`.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::json;

use crate::support::Canaries;
use crate::support::Ran;
use crate::support::World;

const SUBJECT: &str = "system:serviceaccount:ops:everkey";

impl World {
    /// The same tenant with another `auth`; `lines` come behind it.
    fn auth(&self, lines: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        let (mut kept, mut in_tenant): (Vec<&str>, bool) = (Vec::new(), false);
        let known = ["auth =", "secret_file =", "certificate_file =", "password_file =", "token_file =", "client_id ="];
        for line in text.lines() {
            in_tenant = if line.starts_with('[') { line.starts_with("[tenants.") } else { in_tenant };
            if !in_tenant || !known.iter().any(|key| line.starts_with(key)) {
                kept.push(line);
            }
            if line.starts_with("tenant_id =") {
                kept.push(lines);
            }
        }
        std::fs::write(self.config(), kept.join("\n") + "\n").unwrap();
    }

    fn operator(&self) -> String {
        self.guide()["operator"]["client_id"].as_str().unwrap().to_owned()
    }

    /// A token of the emulator's issuer, in a file.
    fn workload_token(&self, subject: &str) -> PathBuf {
        let made = self.admin(Method::POST, "issuer/token", &json!({"subject": subject}));
        let path = self.path().join("workload.token");
        std::fs::write(&path, made["token"].as_str().unwrap()).unwrap();
        path
    }

    /// Lets tokens with `subject` sign everkey's own application in.
    fn trust(&self, subject: &str) {
        let state = self.state();
        let by_app_id = |kind: &str| {
            let found = state[kind].as_object().unwrap().values().find(|one| one["appId"] == self.operator().as_str());
            found.unwrap()["id"].clone()
        };
        let (app, principal) = (by_app_id("applications"), by_app_id("principals"));
        self.admin(Method::POST, "own", &json!({"object": app, "owner": principal}));
        let path = format!("/applications/{}/federatedIdentityCredentials", app.as_str().unwrap());
        let body = json!({
            "name": "cluster", "issuer": format!("{}/_emulator/issuer", self.url()), "subject": subject,
            "audiences": ["api://AzureADTokenExchange"],
        });
        self.graph(Method::POST, &path, &body);
    }

    fn run_in(&self, variables: &[(&str, &str)], args: &[&str]) -> Ran {
        Ran::new(args.join(" "), &self.command(args).envs(variables.iter().copied()).output().unwrap())
    }
}

/// Signs in and reads the tenant; says which way it was.
#[track_caller]
fn works(world: &World, variables: &[(&str, &str)], way: &str) {
    let ran = world.run_in(variables, &["doctor", "-o", "json"]);
    let items = ran.json()["items"].as_array().unwrap().clone();
    let found = items.iter().find(|item| item["id"] == "sign-in").unwrap_or_else(|| panic!("{}", ran.out));
    assert_eq!(found["status"], "ok", "{}", ran.out);
    assert!(found["text"].as_str().unwrap().contains(way), "{found}");
    // No check may call it a finding that there is nothing to expire.
    let credential = items.iter().find(|item| item["id"] == "credential");
    assert!(credential.is_some_and(|item| item["status"] == "ok"), "{}", ran.out);
    world.run_in(variables, &["inventory"]).exits(0);
}

#[test]
fn a_certificate_signs_in_as_pfx_and_as_pem() {
    let world = World::new();
    let client = world.operator();
    world.auth(&format!("client_id = \"{client}\"\nauth = \"certificate\"\ncertificate_file = \"operator.pem\""));
    works(&world, &[], "by certificate");
    let pfx = "auth = \"certificate\"\ncertificate_file = \"operator.pfx\"";
    world.auth(&format!("client_id = \"{client}\"\n{pfx}\npassword_file = \"operator.pfx.password\""));
    works(&world, &[], "by certificate");
    world.auth(&format!("client_id = \"{client}\"\n{pfx}\npassword_file = \"operator.secret\""));
    world.run(&["inventory"]).fails(78, "C010", &["everkey's own certificate", "password"]);
    world.auth(&format!("client_id = \"{client}\"\n{pfx}"));
    world.run(&["inventory"]).fails(78, "C010", &["everkey's own certificate"]);
    // Parts of another way are refused by name.
    world.auth(&format!("client_id = \"{client}\"\nauth = \"workload-identity\"\npassword_file = \"x\""));
    world.run(&["validate"]).exits(65).says("`password_file` belongs to another `auth`");
    world.auth(&format!("client_id = \"{client}\"\n{pfx}\ntoken_file = \"x\""));
    world.run(&["validate"]).exits(65).says("`token_file` belongs to another `auth`");
}

#[test]
fn a_workload_signs_in_with_what_its_file_holds_now() {
    let world = World::new();
    let file = world.workload_token(SUBJECT);
    world.auth(&format!(
        "client_id = \"{}\"\nauth = \"workload-identity\"\ntoken_file = \"../workload.token\"",
        world.operator()
    ));
    // Nobody trusts it yet; then issuer and audience fit and the subject does not; then all do.
    world.run(&["inventory"]).fails(77, "G051", &["AADSTS70021"]);
    world.trust(SUBJECT);
    works(&world, &[], "by workload identity");
    world.run(&["doctor"]).says("of the workload's token: api://AzureADTokenExchange\n");
    let body = json!({"subject": SUBJECT, "audience": "api://AzureADTokenExchangeUSGov"});
    let other = world.admin(Method::POST, "issuer/token", &body);
    std::fs::write(&file, other["token"].as_str().unwrap()).unwrap();
    let ran =
        world.run(&["doctor"]).says("is meant for api://AzureADTokenExchangeUSGov, not for api://AzureADTokenExchange");
    ran.says("let the platform issue it for api://AzureADTokenExchange,");
    world.workload_token(SUBJECT);
    world.workload_token(&SUBJECT.to_uppercase());
    world.run(&["inventory"]).fails(77, "G051", &["AADSTS700213", "SYSTEM:SERVICEACCOUNT"]);
    world.workload_token(SUBJECT);
    works(&world, &[], "by workload identity");
    std::fs::write(&file, "no token").unwrap();
    world.run(&["inventory"]).fails(78, "G050", &["JSON web token"]).never_says("no token\"");
    std::fs::remove_file(&file).unwrap();
    world.run(&["inventory"]).fails(78, "G050", &["workload.token"]);

    // The variables of the Kubernetes webhook do as well; a file of another cloud is told at once.
    let file = world.workload_token(SUBJECT);
    let token = std::fs::read_to_string(&file).unwrap();
    let client = world.operator();
    world.auth("auth = \"workload-identity\"");
    let file = file.to_str().unwrap();
    let host = format!("{}/", world.url());
    let variables =
        [("AZURE_CLIENT_ID", client.as_str()), ("AZURE_FEDERATED_TOKEN_FILE", file), ("AZURE_AUTHORITY_HOST", &host)];
    works(&world, &variables, "by workload identity");
    let elsewhere = [variables[0], variables[1], ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/")];
    world.run_in(&elsewhere, &["inventory"]).fails(78, "G055", &["login.microsoftonline.us"]);
    world.run_in(&variables[1..], &["inventory"]).fails(78, "C011", &["AZURE_CLIENT_ID"]);
    world.run_in(&variables[..1], &["inventory"]).fails(78, "G050", &["AZURE_FEDERATED_TOKEN_FILE"]);

    // Neither the workload's token nor Entra's is ever told.
    let mut canaries = Canaries::default();
    canaries.add("workload token", token.as_bytes());
    for part in token.split('.').skip(1) {
        canaries.add("part of the workload token", part.as_bytes());
    }
    let told = world.run_in(&variables, &["-vvv", "inventory"]).exits(0);
    for stream in [&told.out, &told.err] {
        assert!(canaries.found_in(stream.as_bytes()).is_empty(), "{stream}");
    }
    assert!(canaries.scan(&world.emulator_dir(), &|_| false).1.is_empty());
}

#[test]
fn a_managed_identity_signs_in_by_imds_and_by_app_service() {
    let mut world = World::without_emulator();
    world.start_with(Some("2026-11-20T09:00:00Z"), &["--imds", "127.0.0.1:0"]);
    let given = world.guide()["managed_identity"].clone();
    let imds = given["variables"]["AZURE_POD_IDENTITY_AUTHORITY_HOST"].as_str().unwrap();
    let endpoint = given["app_service"]["variables"]["IDENTITY_ENDPOINT"].as_str().unwrap();
    let header = std::fs::read_to_string(given["app_service"]["identity_header_file"].as_str().unwrap()).unwrap();
    let by_imds = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", imds)];
    let by_app = [("IDENTITY_ENDPOINT", endpoint), ("IDENTITY_HEADER", header.as_str())];
    world.auth("auth = \"managed-identity\"");
    works(&world, &by_imds, "by managed identity");
    works(&world, &by_app, "by managed identity");
    world.run_in(&[by_app[0], ("IDENTITY_HEADER", "wrong")], &["inventory"]).fails(69, "G053", &["refuses"]);

    // A user-assigned one is named by its client id.
    world.seed(&json!({"managedIdentities": ["everkey-ops"]}));
    let user =
        world.state()["principals"].as_object().unwrap().values().find(|one| one["ownName"] == "everkey-ops").unwrap()
            ["appId"]
            .as_str()
            .unwrap()
            .to_owned();
    world.auth(&format!("client_id = \"{user}\"\nauth = \"managed-identity\""));
    for variables in [&by_imds[..], &by_app[..]] {
        world.run_in(variables, &["inventory"]).fails(77, "G012", &[]);
    }
    // Not this one: told at once, and not tried again.
    world.auth("client_id = \"00000000-0000-4000-8000-00000000dead\"\nauth = \"managed-identity\"");
    world.run_in(&by_imds, &["inventory"]).fails(77, "G052", &["Identity not found"]);

    // What may pass is tried again; what is not on this machine is never called.
    world.auth("auth = \"managed-identity\"");
    world.fault(&json!({"path_contains": "/metadata/", "count": 2, "effect": {"kind": "status", "code": 429}}));
    world.run_in(&by_imds, &["inventory"]).exits(0);
    for address in ["http://203.0.113.7", "https://127.0.0.1:1", "http://user@127.0.0.1:1"] {
        world.run_in(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", address)], &["inventory"]).fails(
            78,
            "G054",
            &["endpoint"],
        );
    }
    let arc = [("IDENTITY_ENDPOINT", "http://127.0.0.1:40342"), ("IMDS_ENDPOINT", "http://127.0.0.1:40342")];
    world.run_in(&arc, &["inventory"]).fails(78, "G054", &["Arc"]);
    world.run_in(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")], &["inventory"]).fails(
        69,
        "G053",
        &["127.0.0.1:1"],
    );
}

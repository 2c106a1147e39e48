//! A stand-in for the Azure CLI: a script called `az` that says what a test lets it say.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;
use serde_json::json;

use super::Ran;
use super::World;

impl World {
    /// Puts an `az` of this script before all other programs of [`World::with_az`].
    pub fn az(&self, script: &str) {
        let dir = self.path().join("bin");
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("az");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// An `az` that is signed in with `token`; it notes its arguments in `az.log`.
    pub fn az_signed_in(&self, token: &str) {
        let answer = json!({
            "accessToken": token, "expiresOn": "2026-11-20 10:00:00.000000", "expires_on": 1_795_168_800_u64,
            "subscription": "", "tenant": self.guide()["tenant_id"], "tokenType": "Bearer",
        });
        self.az(&format!("echo \"$@\" >> az.log\ncat <<'END'\n{answer}\nEND"));
    }

    /// The binary in a directory without a configuration, with `az` in its path.
    pub fn with_az(&self, args: &[&str]) -> Command {
        let mut command = self.bare(args);
        command.env("PATH", format!("{}/bin:/usr/bin:/bin", self.path().display()));
        command.env("EVERKEY_GRAPH_URL", self.url()).env("EVERKEY_CA_FILE", self.emulator_dir().join("ca.pem"));
        command
    }

    /// Runs it.
    pub fn run_with_az(&self, args: &[&str]) -> Ran {
        Ran::new(args.join(" "), &self.with_az(args).output().unwrap())
    }

    /// Puts what others have into the tenant.
    pub fn seed(&self, seed: &Value) -> Value {
        self.admin(reqwest::Method::POST, "seed", seed)
    }

    /// A token of an application that may read applications and nothing else.
    pub fn reader_token(&self) -> String {
        let app = self.graph(reqwest::Method::POST, "/applications", &json!({"displayName": "only reads"}));
        let client_id = app["appId"].as_str().unwrap();
        let principal = self.graph(reqwest::Method::POST, "/servicePrincipals", &json!({"appId": client_id}));
        let graph = self.graph(
            reqwest::Method::GET,
            "/servicePrincipals?$filter=appId%20eq%20'00000003-0000-0000-c000-000000000000'",
            &Value::Null,
        );
        let assignment = json!({
            "principalId": principal["id"], "resourceId": graph["value"][0]["id"],
            "appRoleId": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
        });
        let path = format!("/servicePrincipals/{}/appRoleAssignments", principal["id"].as_str().unwrap());
        self.graph(reqwest::Method::POST, &path, &assignment);
        let path = format!("/applications/{}/addPassword", app["id"].as_str().unwrap());
        let secret = self.graph(reqwest::Method::POST, &path, &json!({}));
        self.token_of(client_id, secret["secretText"].as_str().unwrap())
    }
}

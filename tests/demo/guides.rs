//! After the demo the emulator's directory holds every fact of the five vendor guides, and the sinks hold what
//! the guides say, in the vendor's places.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::demo;

const GRAPH: &str = "00000003-0000-0000-c000-000000000000";

struct Tenant(Value);

impl Tenant {
    fn app(&self, name: &str) -> &Value {
        let apps = self.0["directory"]["applications"].as_object().unwrap();
        apps.values().find(|app| app["displayName"] == name).unwrap_or_else(|| panic!("{name} exists"))
    }

    fn principal(&self, app: &Value) -> &Value {
        let principals = self.0["directory"]["principals"].as_object().unwrap();
        principals.values().find(|principal| principal["appId"] == app["appId"]).expect("a service principal")
    }

    /// Ids of the permissions requested, by kind.
    fn requested(app: &Value, kind: &str) -> BTreeSet<String> {
        let resources = app["properties"]["requiredResourceAccess"].as_array().cloned().unwrap_or_default();
        resources
            .iter()
            .inspect(|resource| assert_eq!(resource["resourceAppId"], GRAPH))
            .flat_map(|resource| resource["resourceAccess"].as_array().unwrap())
            .filter(|access| access["type"] == kind)
            .map(|access| access["id"].as_str().unwrap().to_owned())
            .collect()
    }

    fn roles_granted(&self, app: &Value) -> BTreeSet<String> {
        let principal = self.principal(app);
        let assignments = self.0["directory"]["assignments"].as_object().unwrap();
        assignments
            .values()
            .filter(|assignment| assignment["principalId"] == principal["id"])
            .map(|assignment| assignment["appRoleId"].as_str().unwrap().to_owned())
            .collect()
    }

    fn scopes_granted(&self, app: &Value) -> BTreeSet<String> {
        let principal = self.principal(app);
        let grants = self.0["directory"]["grants"].as_object().unwrap();
        grants
            .values()
            .filter(|grant| grant["clientId"] == principal["id"] && grant["consentType"] == "AllPrincipals")
            .flat_map(|grant| grant["scope"].as_str().unwrap().split(' '))
            .map(str::to_owned)
            .collect()
    }
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

#[test]
fn every_fact_of_the_five_guides_is_in_the_directory_and_the_sinks() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept");
    let (output, _) = demo(&kept, &[]);
    assert!(output.status.success());
    let state = fs::read_to_string(kept.join("emulator/state.json")).unwrap();
    let tenant = Tenant(serde_json::from_str(&state).unwrap());

    // 1. Reapit
    let reapit = tenant.app("Reapit Lead Imports");
    assert_eq!(reapit["signInAudience"], "AzureADMultipleOrgs");
    assert_eq!(reapit["properties"]["web"]["redirectUris"], serde_json::json!(["https://localhost/"]));
    let mail_read_write = "e2a3a72e-5f79-4c64-b1b1-878b674786c9";
    assert_eq!(Tenant::requested(reapit, "Role"), set(&[mail_read_write]));
    assert_eq!(tenant.roles_granted(reapit), set(&[mail_read_write]));
    assert!(names(reapit, "passwords").iter().any(|name| name.starts_with("Reapit Access to Mailbox [ek1 ")));

    // 2. LEXZUR
    let lexzur = tenant.app("LEXZUR E-mail Engine");
    assert_eq!(lexzur["signInAudience"], "AzureADandPersonalMicrosoftAccount");
    assert_eq!(lexzur["properties"]["api"]["requestedAccessTokenVersion"], 2);
    assert_eq!(
        lexzur["properties"]["web"]["redirectUris"],
        serde_json::json!(["https://myserver.example/app4legal/api/v2/core/user_authorization_callback"])
    );
    assert_eq!(Tenant::requested(lexzur, "Scope").len(), 8);
    assert_eq!(
        tenant.scopes_granted(lexzur),
        set(&[
            "openid",
            "profile",
            "email",
            "offline_access",
            "Mail.ReadWrite",
            "Mail.Send",
            "User.Read",
            "MailboxSettings.ReadWrite",
        ])
    );
    assert!(names(lexzur, "passwords").len() <= 2, "the audience allows two");

    // 3. ROGER365.io
    let roger = tenant.app("ROGER365.io Azure Entra replicator");
    assert_eq!(roger["signInAudience"], "AzureADMyOrg");
    assert_eq!(tenant.roles_granted(roger), set(&["df021288-bdef-4463-88db-98f22de89214"]));

    // 4. SecurEnds: two application and five delegated permissions, all granted
    let securends = tenant.app("SecurEnds Office 365 Connector");
    assert_eq!(tenant.roles_granted(securends).len(), 2);
    assert_eq!(
        tenant.scopes_granted(securends),
        set(&["User.Read", "User.Read.All", "User.ReadBasic.All", "Directory.AccessAsUser.All", "Directory.Read.All",])
    );

    // 5. Enate: no tenant-wide grant, hidden from users, signed in with a certificate
    let enate = tenant.app("Enate Graph Mail");
    assert_eq!(enate["signInAudience"], "AzureADMyOrg");
    assert!(tenant.roles_granted(enate).is_empty() && tenant.scopes_granted(enate).is_empty());
    assert_eq!(tenant.principal(enate)["properties"]["tags"], serde_json::json!(["HideApp"]));
    assert!(names(enate, "keys").iter().any(|name| name.starts_with("Enate Graph mail [ek1 ")));

    lexzur_file(&kept, lexzur["appId"].as_str().unwrap());
    enate_files(&kept.join("sinks/var/lib/enate/credential"));
    for script in ["exchange-enate-graph-mail.ps1", "exchange-reapit-lead-imports.ps1"] {
        let text = fs::read_to_string(kept.join(script)).unwrap();
        assert!(text.contains("ExchangeOnline"), "{script}");
    }
    assert!(fs::read_dir(kept.join("mails")).unwrap().count() > 50, "the mails were caught as files");
}

fn names(app: &Value, kind: &str) -> Vec<String> {
    let all = app["credentials"][kind].as_array().unwrap();
    all.iter().filter_map(|entry| entry["displayName"].as_str().map(str::to_owned)).collect()
}

/// Rewritten in place: only the two values differ from the file as it was.
fn lexzur_file(kept: &Path, client_id: &str) {
    let text = fs::read_to_string(kept.join("sinks/srv/lexzur/application/config/integrations.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let secret = document["MS-OfficeMail-365"]["clientSecret"].as_str().unwrap();
    assert_eq!(document["MS-OfficeMail-365"]["clientId"], client_id);
    assert!(secret.len() > 30);
    let rest = text.replace(secret, "").replace(client_id, "");
    assert_eq!(
        rest,
        "{\n    \"version\": \"8.14.2\",\n    \"MS-OfficeMail-365\": {\n        \"clientId\":     \"\",\n        \
         \"clientSecret\": \"\",\n        \"folders\": [\"Inbox\", \"Matters\"],   \"pollSeconds\": 60\n    },\n    \
         \"DocuSign\": { \"enabled\": false, \"accountId\": \"änd‑so‑on \\u00e9\" }\n}\n"
    );
}

/// PFX (with its password), PEM, KEY and CER are one pair; openssl opens all of them.
fn enate_files(dir: &Path) {
    let openssl = |args: &[&str]| -> String {
        let output = Command::new("openssl").args(args).current_dir(dir).output().expect("openssl is installed");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let from_key = openssl(&["pkey", "-in", "enate.key", "-pubout"]);
    let from_pem = openssl(&["x509", "-in", "enate.crt", "-noout", "-pubkey"]);
    let from_cer = openssl(&["x509", "-in", "enate.cer", "-noout", "-pubkey"]);
    let pfx = openssl(&["pkcs12", "-in", "enate.pfx", "-passin", "file:enate.pfx.password", "-nodes"]);
    assert!(pfx.contains("PRIVATE KEY"));
    assert_eq!(from_key, from_pem);
    assert_eq!(from_key, from_cer);
}

//! `inventory`: the whole tenant, without a configuration by the Azure CLI, and with one.

use serde_json::Value;
use serde_json::json;

use crate::support::Canaries;
use crate::support::World;

/// What others have in the tenant: one of each kind that people ask about.
pub fn others() -> Value {
    json!({
        "people": [
            {"displayName": "D. Okoro", "mail": "d.okoro@contoso.example"},
            {"displayName": "J. Lee", "mail": "j.lee@contoso.example", "accountEnabled": false},
        ],
        "applications": [
            {"displayName": "SecurEnds", "secrets": [{"displayName": "old", "end": "2026-11-18T00:00:00Z"}]},
            {"displayName": "Enate Prod", "owners": ["d.okoro@contoso.example"],
             "certificates": [{"displayName": "CN=enate", "end": "2026-12-04T12:00:00Z"}]},
            {"displayName": "Old Power BI export", "owners": ["j.lee@contoso.example"],
             "principal": {"owners": ["j.lee@contoso.example"],
                           "secrets": [{"displayName": "made in a script", "end": "2027-01-02T12:00:00Z"}]}},
            {"displayName": "Travel portal", "principal": {"saml": [{"end": "2027-02-01T00:00:00Z"}]}},
            {"displayName": "Badge printer", "owners": ["d.okoro@contoso.example"],
             "secrets": [{"end": "2299-12-31T00:00:00Z"}, {"end": "2028-01-01T00:00:00Z"}]},
            {"displayName": "=cmd|'/c calc'!A1", "secrets": [{"displayName": "+1", "end": "2027-03-01T00:00:00Z"}]},
            {"displayName": "no credentials"},
        ],
        "managedIdentities": ["vm-1"],
    })
}

fn item<'a>(document: &'a Value, application: &str) -> &'a Value {
    let items = document["items"].as_array().unwrap();
    items
        .iter()
        .find(|item| item["application"] == application)
        .unwrap_or_else(|| panic!("{application}\n{document:#}"))
}

/// Expectation 4: with Application.Read.All alone, without a configuration, a policy or a store.
#[test]
fn without_a_configuration_the_azure_cli_signs_in() {
    let world = World::new();
    world.seed(&others());
    let token = world.reader_token();
    world.az_signed_in(&token);
    let before = world.state();
    let document = world.run_with_az(&["inventory", "-o", "json"]).exits(0).json();
    assert_eq!(document["schema"], "everkey.inventory/v1");
    assert_eq!(document["tenant"], world.guide()["tenant_id"]);
    assert!(document["checked_at"].as_str().unwrap().starts_with("2026-11-20T09:"), "Graph's own time");
    let argv = std::fs::read_to_string(world.path().join("az.log")).unwrap();
    assert_eq!(argv, "account get-access-token --resource-type ms-graph --output json\n", "once, and nothing else");

    // Six of others, everkey's own, and the reader's; its service principals are Microsoft's, theirs, and the identity's.
    let summary = &document["summary"];
    for (key, count) in [
        ("applications", 9),
        ("with_credentials", 6),
        ("credentials", 10),
        ("expired", 1),
        ("within_30_days", 1),
        ("within_90_days", 3),
        ("never", 1),
        ("with_several", 1),
    ] {
        assert_eq!(summary[key], count, "{key}: {summary:#}");
    }
    let expired = item(&document, "SecurEnds");
    assert_eq!((&expired["state"], &expired["days_left"]), (&json!("expired"), &json!(-3)));
    assert_eq!(expired["owners"], json!([]), "ownerless is known, not unknown");
    assert_eq!((&expired["managed"], &expired["policy"]), (&json!(false), &Value::Null));
    assert_eq!(expired["last_sign_in"], Value::Null);
    assert!(expired["last_sign_in_reason"].as_str().unwrap().contains("AuditLog.Read.All"));
    let saml = item(&document, "Travel portal");
    assert_eq!((&saml["credential"], &saml["where"], &saml["signing"]), (&json!("saml"), &json!("sp"), &json!(true)));
    let count =
        document["items"].as_array().unwrap().iter().filter(|one| one["application"] == "Travel portal").count();
    assert_eq!(count, 1, "three linked entries are one certificate");
    let hidden = item(&document, "Old Power BI export");
    assert_eq!((&hidden["credential"], &hidden["where"]), (&json!("secret"), &json!("sp")));
    assert_eq!(item(&document, "Enate Prod")["owners"][0]["mail"], "d.okoro@contoso.example");
    let never = &document["items"].as_array().unwrap().last().unwrap();
    assert_eq!((&never["application"], &never["not_after"]), (&json!("Badge printer"), &Value::Null));
    assert!(!document.to_string().contains("vm-1"), "a managed identity's certificate is Azure's business");

    // Nothing changed, nothing was left behind, and the token is nowhere.
    assert_eq!(world.state(), before);
    assert!(!world.store().exists());
    let table = world.run_with_az(&["inventory", "--within", "90d"]).exits(0);
    for text in [
        "9 applications, 6 with credentials, 10 credentials,",
        "1 expired, 1 within 30 days, 3 within 90 days. 1 never expire before 2036.",
        "APPLICATION          WHERE  KIND    EXPIRES     LEFT  OWNER          LAST SIGN-IN  MANAGED",
        "-3 d  (none)",
        "14 d  D. Okoro",
        "43 d  J. Lee (left)",
        "LAST SIGN-IN unknown: the sign-in report needs AuditLog.Read.All",
        "Next: everkey adopt \"Enate Prod\"",
    ] {
        assert!(table.out.contains(text), "no {text:?} in\n{}", table.out);
    }
    table.never_says("Badge printer").never_says("\u{1b}");
    let mut canaries = Canaries::default();
    canaries.add("token", token.as_bytes());
    let ran = world.with_az(&["inventory", "-vvv", "-o", "json"]).output().unwrap();
    assert!(canaries.found_in(&[ran.stdout, ran.stderr].concat()).is_empty(), "the token leaks");
}

#[test]
fn a_spreadsheet_gets_no_formulas() {
    let world = World::new();
    world.seed(&others());
    world.az_signed_in(&world.operator_token());
    let csv = world.run_with_az(&["inventory", "-o", "csv"]).exits(0).out;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(&reader.headers().unwrap()[0], "application");
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 9);
    let odd = rows.iter().find(|row| row[0].contains("cmd")).unwrap();
    assert_eq!((&odd[0], odd.iter().next_back().unwrap()), ("'=cmd|'/c calc'!A1", "'+1"));
    world.run_with_az(&["version", "-o", "csv"]).fails(64, "U015", &[]);
}

#[test]
fn an_azure_cli_that_does_not_help_says_how_to_go_on() {
    let world = World::new();
    world.run_with_az(&["inventory"]).fails(78, "A030", &["`az` cannot be started", "az login"]);
    world.az("echo 'canary-token'; echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1");
    world.run_with_az(&["inventory"]).fails(77, "A031", &["Please run 'az login'"]).never_says("canary-token");
    world.az("echo 'no json canary-token'");
    world.run_with_az(&["inventory"]).fails(77, "A031", &["something else than a token"]).never_says("canary-token");
    let document = world.run_with_az(&["inventory", "-o", "json"]).exits(77).json();
    assert_eq!(document["error"]["code"], "A031");
    // A configuration that is named must be there: no silent way around it.
    world.run_with_az(&["inventory", "-C", "elsewhere.toml"]).fails(78, "C010", &["elsewhere.toml"]);
    world.az_signed_in("no-token-of-this-tenant");
    world.run_with_az(&["inventory"]).fails(77, "G012", &["CompactToken"]);
}

#[test]
fn with_a_configuration_its_sign_in_is_used_and_what_is_ours_is_told() {
    let world = World::applied();
    world.seed(&others());
    let document = world.run(&["inventory", "-o", "json"]).exits(0).json();
    assert_eq!(document["tenant"], "emulator");
    let ours = item(&document, "Reapit Lead Imports");
    assert_eq!((&ours["managed"], &ours["policy"]), (&json!(true), &json!("reapit-lead-imports")));
    assert!(ours["last_sign_in"].is_string(), "the operator may read the report: {ours:#}");
    assert_eq!(item(&document, "SecurEnds")["managed"], false);
    assert_eq!(item(&document, "SecurEnds")["last_sign_in_reason"], "none in the report");
    world.run(&["inventory"]).exits(0).says("today").says("yes");

    // The same tenant by the Azure CLI of the configuration.
    world.az_signed_in(&world.operator_token());
    let text = std::fs::read_to_string(world.config()).unwrap();
    let text: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("client_id") && !line.starts_with("secret_file")).collect();
    std::fs::write(world.config(), text.join("\n").replace("auth = \"secret\"", "auth = \"azure-cli\"")).unwrap();
    let ran = world.run_with_az(&["-C", "emu/everkey.toml", "inventory", "--within", "30d"]).exits(0);
    assert!(ran.out.contains("Enate Prod") && !ran.out.contains("Travel portal"), "{}", ran.out);
    let argv = std::fs::read_to_string(world.path().join("az.log")).unwrap();
    assert!(argv.trim_end().ends_with(&format!("--tenant {}", world.guide()["tenant_id"].as_str().unwrap())), "{argv}");
    world.run_with_az(&["-C", "emu/everkey.toml", "plan"]).exits(0);
}

#[test]
fn a_tenant_of_many_pages_is_read_in_full() {
    let world = World::new();
    world.seed(&json!({"fill": 2100}));
    world.az_signed_in(&world.operator_token());
    let document = world.run_with_az(&["inventory", "-o", "json"]).exits(0).json();
    let summary = &document["summary"];
    assert_eq!((&summary["applications"], &summary["credentials"]), (&json!(2101), &json!(212)));
}

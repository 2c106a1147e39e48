//! Identities without a secret of their own: azure-identity, msal and azure-cli with a workload's token, a certificate
//! and the machine's managed identity.

use serde_json::Value;

use crate::support::Lab;
use crate::support::text;

const ROLE: &str = "Application.ReadWrite.OwnedBy";

#[track_caller]
fn signed_in(answer: &Value, who: &str) {
    for (way, told) in answer.as_object().unwrap() {
        assert!(told["roles"].as_array().is_some_and(|roles| roles.contains(&ROLE.into())), "{who} {way}: {told}");
        assert_eq!(told["appidacr"], "2", "{who} {way}");
    }
}

#[test]
fn workloads_and_managed_identities_sign_in_with_real_libraries() {
    let lab = Lab::start_with(&["--imds", "127.0.0.1:0"]);
    let workload = lab.script("identities.py", &["workload"]);
    assert_eq!(workload.as_object().unwrap().len(), 2, "azure-identity and msal: {workload}");
    signed_in(&workload, "workload");
    let managed = lab.script("identities.py", &["managed"]);
    assert_eq!(managed.as_object().unwrap().len(), 4, "IMDS and App Service, azure-identity and msal: {managed}");
    signed_in(&managed, "managed identity");
    let refused = lab.script("identities.py", &["refused"]);
    assert!(refused["workload"].as_str().unwrap().contains("AADSTS700213"), "{refused}");
    assert!(refused["managed"].as_str().unwrap().contains("Identity not found"), "{refused}");

    // azure-cli, with the token that the script left in a file.
    let az = |arguments: &[&str]| {
        let output = lab.az(arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "az {arguments:?}\n--- out\n{out}\n--- err\n{err}");
        out
    };
    let url = lab.url();
    az(&["config", "set", "core.instance_discovery=false", "core.collect_telemetry=false"]);
    az(&[
        "cloud",
        "register",
        "-n",
        "Emu",
        "--endpoint-resource-manager",
        url,
        "--endpoint-active-directory",
        url,
        "--endpoint-active-directory-resource-id",
        &format!("{url}/arm"),
        "--endpoint-microsoft-graph-resource-id",
        &format!("{url}/"),
        "--endpoint-active-directory-graph-resource-id",
        &format!("{url}/"),
        "--skip-endpoint-discovery",
    ]);
    az(&["cloud", "set", "-n", "Emu"]);
    let token = std::fs::read_to_string(lab.path().join("workload.token")).unwrap();
    let (client, tenant) = (lab.word("/operator/client_id"), lab.word("/tenant_id"));
    az(&[
        "login",
        "--service-principal",
        "-u",
        client,
        "--tenant",
        tenant,
        "--allow-no-subscriptions",
        "--federated-token",
        &token,
    ]);
    let apps: Value = serde_json::from_str(&az(&["ad", "app", "list", "--all", "-o", "json"])).unwrap();
    assert!(apps.as_array().unwrap().iter().any(|app| app["appId"] == client), "{apps}");
}

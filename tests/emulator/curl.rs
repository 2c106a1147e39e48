//! The emulator as an operator meets it from a shell: curl with the authority's file.

use std::process::Command;

use everkey::emulator::Options;
use serde_json::Value;

use crate::support::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn curl_gets_a_token_and_lists_applications() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().to_owned();
    let bench = Bench::start_with(|options: &mut Options| options.dir = Some(dir.clone())).await;
    bench.app("seen by curl").await;
    let curl = |arguments: &[&str]| -> Value {
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--fail-with-body", "--noproxy", "*", "--cacert"])
            .arg(dir.join("ca.pem"));
        let output = command.args(arguments).output().expect("curl is installed");
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let operator = bench.emulator.operator();
    let (id, secret) =
        (format!("client_id={}", operator.client_id), format!("client_secret={}", operator.client_secret));
    let scope = "scope=https://graph.microsoft.com/.default";
    let url = bench.token_url();
    let form = ["-d", "grant_type=client_credentials", "-d", &id, "-d", &secret, "--data-urlencode", scope];
    let token = curl(&[&form[..], &[&url]].concat());
    let bearer = format!("authorization: Bearer {}", token["access_token"].as_str().unwrap());
    let list = format!("{}/v1.0/applications?$select=displayName", bench.emulator.url());
    let apps = curl(&["-H", &bearer, &list]);
    assert!(apps["value"].as_array().unwrap().iter().any(|app| app["displayName"] == "seen by curl"), "{apps}");
}

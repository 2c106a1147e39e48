//! azure-keyvault-secrets and azure-keyvault-certificates, as published.

use serde_json::Value;

use crate::support::Lab;

/// Every step of the script by its name.
fn steps(how: &str) -> Value {
    let lab = Lab::start();
    assert!(lab.path().join("emu").is_dir() && lab.url().starts_with("https://"));
    lab.script("key_vault.py", &[how])
}

#[test]
fn secrets_live_through_all_their_states() {
    let told = steps("secrets");
    let all = [
        "challenge",
        "set",
        "get_latest",
        "get_version",
        "second_version",
        "listed",
        "versions",
        "updated",
        "disabled",
        "deleted",
        "name_is_taken",
        "deleted_listed",
        "recovered",
        "purged",
        "absent",
        "too_long",
        "bad_name",
        "foreign_audience",
        "no_right",
        "granted",
        "paged",
    ];
    for step in all {
        assert_eq!(told[step], true, "{step}: {told:#}");
    }
}

#[test]
fn certificates_come_back_with_their_keys() {
    let told = steps("certificates");
    let all = [
        "pfx_imported",
        "pfx_secret_matches",
        "pem_imported",
        "pem_secret_matches",
        "not_exportable",
        "versions",
        "policy",
        "listed",
        "wrong_pair",
        "pending",
        "merged",
        "merged_secret_matches",
        "deleted",
        "recovered",
        "purged",
    ];
    for step in all {
        assert_eq!(told[step], true, "{step}: {told:#}");
    }
}

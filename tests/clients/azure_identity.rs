//! azure-identity for Python: credentials by secret and by certificate, given and from the environment.

use crate::support::Lab;

#[test]
fn every_credential_signs_in_and_its_token_opens_graph() {
    let lab = Lab::start();
    let seen = lab.script("azure_identity_sign_in.py", &[]);
    for (how, class) in [
        ("secret", "1"),
        ("secret, tenant by domain", "1"),
        ("environment, secret", "1"),
        ("pem", "2"),
        ("pem with chain", "2"),
        ("pfx", "2"),
        ("pfx with chain", "2"),
        ("environment, certificate", "2"),
    ] {
        let one = &seen[how];
        assert_eq!((&one["appidacr"], &one["graph"]), (&class.into(), &200.into()), "{how}: {one}");
        assert_eq!(one["roles"], serde_json::json!(["Application.Read.All"]), "{how}");
    }
    for (how, said) in [
        ("wrong secret", "AADSTS7000215"),
        ("unknown app", "AADSTS700016"),
        ("unknown certificate", "AADSTS700027"),
        ("expired certificate", "The key used is expired."),
    ] {
        assert!(seen[how]["said"].as_str().is_some_and(|text| text.contains(said)), "{how}: {}", seen[how]);
    }
}

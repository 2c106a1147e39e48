//! msal for Python: sign-in by secret and by certificate in each form that msal takes, and its refusals.

use crate::support::Lab;

#[test]
fn every_credential_signs_in_and_every_refusal_has_its_code() {
    let lab = Lab::start();
    let seen = lab.script("msal_sign_in.py", &[]);
    assert_eq!(seen["operator"]["token_type"], "Bearer");
    let roles = seen["operator"]["roles"].as_array().unwrap();
    assert!(roles.contains(&"Application.ReadWrite.OwnedBy".into()), "{roles:?}");

    // RS256 with x5t; PS256 with x5t#S256; PS256 with x5t#S256 and x5c: msal decides by what it is given.
    for (how, class) in [
        ("secret", "1"),
        ("secret by issuer", "1"),
        ("pem with thumbprint", "2"),
        ("pfx", "2"),
        ("public certificate", "2"),
    ] {
        let one = &seen[how];
        assert_eq!((&one["appid"], &one["appidacr"]), (&seen["client_id"], &class.into()), "{how}: {one}");
        assert_eq!(one["expires_in"], 3599, "{how}");
    }
    for (how, error, code, said) in [
        ("wrong secret", "invalid_client", 7_000_215, "Invalid client secret provided."),
        ("unknown app", "unauthorized_client", 700_016, "was not found in the directory"),
        ("unknown certificate", "invalid_client", 700_027, "The key was not found."),
        ("forged", "invalid_client", 700_027, "invalid signature"),
        ("expired certificate", "invalid_client", 700_027, "The key used is expired."),
    ] {
        let one = &seen[how];
        assert_eq!((&one["error"], &one["codes"]), (&error.into(), &serde_json::json!([code])), "{how}: {one}");
        assert!(one["said"].as_str().unwrap().contains(said), "{how}: {one}");
    }
}

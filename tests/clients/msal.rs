//! msal for Python: sign-in by secret.

use crate::support::Lab;

#[test]
fn a_secret_signs_in() {
    let lab = Lab::start();
    let answer = lab.script("msal_sign_in.py", &["secret"]);
    assert_eq!(answer["token_type"], "Bearer");
    assert!(answer["roles"].as_array().unwrap().contains(&"Application.ReadWrite.OwnedBy".into()), "{answer}");
}

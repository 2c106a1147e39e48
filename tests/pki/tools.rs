//! The other people's tools, and the few things that every test here makes.

use std::process::Command;

use everkey::model::KeyType;
use everkey::pki::Tool;
use everkey::ports::CertTool;
use everkey::ports::MadeCertificate;
use everkey::secret::Secret;
use jiff::Timestamp;
use tempfile::TempDir;

pub const START: &str = "2026-11-20T08:00:00Z";
pub const END: &str = "2027-11-20T09:00:00Z";
pub const PERSON: &str = "correct horse, battery 7";

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn secret(text: &str) -> Secret {
    Secret::from_text(text.to_owned())
}

pub fn made(key: &Secret) -> MadeCertificate {
    Tool.self_signed(key, "CN=enate-graph-mail", at(START), at(END)).unwrap()
}

pub fn pair(key: KeyType) -> (Secret, MadeCertificate) {
    let key = Tool.generate_key(key).unwrap();
    let certificate = made(&key);
    (key, certificate)
}

/// Runs a tool in `directory`; its standard output. A failure shows what it said.
pub fn run(directory: &TempDir, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(directory.path()).output();
    let output = output.unwrap_or_else(|error| panic!("this test needs `{program}`: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}\n{out}\n{err}");
    // `openssl pkcs12 -info` and `keytool` tell half of what they know on standard error.
    format!("{out}{err}")
}

pub fn openssl(directory: &TempDir, arguments: &str) -> String {
    run(directory, "openssl", &arguments.split(' ').collect::<Vec<_>>())
}

pub fn python(directory: &TempDir, script: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the tests' own setting")]
    let python = std::env::var("EVERKEY_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    run(directory, &python, &["-c", script])
}

pub fn put(directory: &TempDir, name: &str, bytes: &[u8]) {
    std::fs::write(directory.path().join(name), bytes).unwrap();
}

pub fn get(directory: &TempDir, name: &str) -> Vec<u8> {
    std::fs::read(directory.path().join(name)).unwrap()
}

//! A mail server written by others (aiosmtpd), started as `tests/mail.rs` does it: STARTTLS, a sign-in, JSON lines.

use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use super::World;
use super::python;
use super::world::until;

/// The password that the server takes.
pub const PASSWORD: &str = "Canary-7q~pass";

/// A running server; it stops when its standard input closes.
pub struct Catcher {
    child: Child,
    directory: TempDir,
    port: u16,
}

impl Catcher {
    pub fn start(mode: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/smtp_server.py");
        let mut child = Command::new(python())
            .arg(script)
            .arg(directory.path())
            .arg(mode)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("python does not start ({error}); set EVERKEY_TEST_PYTHON"));
        let ready = directory.path().join("ready");
        until(|| {
            let over = child.try_wait().unwrap();
            assert!(over.is_none(), "the mail server ended; install aiosmtpd, cryptography and icalendar");
            ready.exists()
        });
        let port = std::fs::read_to_string(ready).unwrap().parse().unwrap();
        Self { child, directory, port }
    }

    /// Adds a `[mail]` section for this server to the world's configuration.
    pub fn configure(&self, world: &World) {
        let password = world.path().join("smtp.password");
        std::fs::write(&password, PASSWORD).unwrap();
        section(world, self.port, &self.directory.path().join("ca.pem"), &password);
    }

    pub fn mails(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.directory.path().join("mails.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// A `[mail]` section.
pub fn section(world: &World, port: u16, ca: &Path, password: &Path) {
    let mut text = std::fs::read_to_string(world.config()).unwrap();
    text.push_str(&format!(
        "\n[mail]\nfrom = \"Credential manager <everkey@contoso.example>\"\ntransport = \"smtp\"\nhost = \"localhost\"\n\
         port = {port}\ntls = \"starttls\"\nusername = \"everkey@contoso.example\"\npassword_file = {password:?}\n\
         ca_file = {ca:?}\n"
    ));
    std::fs::write(world.config(), text).unwrap();
}

impl Drop for Catcher {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

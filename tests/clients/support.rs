//! An emulator served by the binary, and foreign programs pointed at it.

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

/// A served emulator in a directory of its own; its clock is the machine's, as the clients' is.
pub struct Lab {
    child: Child,
    dir: TempDir,
    /// `emulator.json`.
    pub guide: Value,
}

impl Lab {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more arguments for `emulator serve`.
    pub fn start_with(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary());
        command.args(["emulator", "serve", "--listen", "127.0.0.1:0", "--dir", "emu"]).args(arguments);
        let mut child = command.current_dir(dir.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("Entra emulator on https://127.0.0.1:"), "{line}");
        let guide = std::fs::read(dir.path().join("emu/emulator.json")).unwrap();
        Self { child, guide: serde_json::from_slice(&guide).unwrap(), dir }
    }

    /// A field of `emulator.json`, such as `/operator/client_id`.
    #[track_caller]
    pub fn word(&self, pointer: &str) -> &str {
        self.guide.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("emulator.json lacks {pointer}"))
    }

    pub fn url(&self) -> &str {
        self.word("/url")
    }

    /// The scratch directory that holds the emulator's (`emu`) and whatever a test puts beside it.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Runs `tests/clients/SCRIPT` with the SDKs' Python. It finds `emulator.json` by its first argument and must
    /// print one JSON document, which is returned.
    #[track_caller]
    pub fn script(&self, script: &str, arguments: &[&str]) -> Value {
        let python = venv("EVERKEY_TEST_CLIENTS").join("bin/python");
        let mut command = Command::new(python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script));
        command.arg(self.dir.path().join("emu/emulator.json")).args(arguments);
        let output = self.trusting(&mut command).output().unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{script} {arguments:?}: {}\n--- out\n{out}\n--- err\n{err}", output.status);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{script}: {error}\n--- out\n{out}\n--- err\n{err}"))
    }

    /// The azure-cli, with a configuration directory of this lab's; nothing is registered yet.
    pub fn az(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(venv("EVERKEY_TEST_AZ").join("bin/az"));
        command.args(arguments).env("AZURE_CONFIG_DIR", self.dir.path().join("azure"));
        self.trusting(&mut command).output().unwrap()
    }

    /// Trusts the emulator's CA by the variables that each client documents, and nothing else; no proxy.
    fn trusting<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let ca = self.word("/ca_file");
        command.current_dir(self.dir.path()).env("REQUESTS_CA_BUNDLE", ca).env("SSL_CERT_FILE", ca);
        command.env("NO_PROXY", "*").env("no_proxy", "*").env("HOME", self.dir.path())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A virtual environment that `tests/run` made; its absence is a failure, never a skip.
#[track_caller]
fn venv(variable: &str) -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "a test names its clients by environment")]
    let path = std::env::var_os(variable);
    PathBuf::from(path.unwrap_or_else(|| panic!("{variable} is not set: run tests/run, which makes the environment")))
}

/// The binary under test. nextest tells where it lies when it runs an archive or a copy.
fn binary() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "a test asks its runner where the binary is")]
    std::env::var_os("NEXTEST_BIN_EXE_everkey")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_everkey")), PathBuf::from)
}

//! A world: a directory with policies, an emulator that serves it, and the binary run against both.

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::Ran;

/// Where the emulator's clock starts: a Friday.
const START: &str = "2026-11-20T09:00:00Z";

/// What the LEXZUR host's file holds before everkey touches it.
pub const INTEGRATIONS: &str = r#"{
  "version": "8.14.2",
  "MS-OfficeMail-365": { "clientId": "", "clientSecret": "", "folders": ["Inbox"] }
}
"#;

/// The binary under test. nextest tells where it lies when it runs an archive or a copy.
pub fn binary() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "a test asks its runner where the binary is")]
    std::env::var_os("NEXTEST_BIN_EXE_everkey")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_everkey")), PathBuf::from)
}

/// A directory, and while it is served an emulator.
pub struct World {
    dir: TempDir,
    emulator: Option<Child>,
    url: String,
}

impl World {
    /// The five policies and an empty tenant.
    pub fn new() -> Self {
        let mut world = Self::without_emulator();
        world.start(Some(START));
        world
    }

    /// The five policies, applied in full at `START`; four hand-offs wait.
    pub fn applied() -> Self {
        let mut world = Self::applied_at_rest();
        world.start(None);
        world
    }

    /// The same at a later time.
    pub fn applied_at(clock: &str) -> Self {
        let mut world = Self::applied_at_rest();
        world.start(Some(clock));
        world
    }

    fn applied_at_rest() -> Self {
        let dir = tempfile::tempdir().unwrap();
        super::applied::copy_to(dir.path());
        Self { dir, emulator: None, url: String::new() }
    }

    /// Only the files, for what happens before or without an emulator.
    pub fn without_emulator() -> Self {
        Self::files_in(tempfile::tempdir().unwrap())
    }

    /// The same where files outlast the machine's power (FHS: `/var/tmp`), which the usual temporary directory may not
    /// offer, and outside every git work tree, which the build's directory does not offer.
    pub fn on_disk() -> Self {
        Self::files_in(tempfile::tempdir_in("/var/tmp").unwrap())
    }

    fn files_in(dir: TempDir) -> Self {
        let policies = dir.path().join("policies");
        std::fs::create_dir(&policies).unwrap();
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), policies.join(entry.file_name())).unwrap();
        }
        let world = Self { dir, emulator: None, url: String::new() };
        std::fs::create_dir_all(world.integrations().parent().unwrap()).unwrap();
        std::fs::write(world.integrations(), INTEGRATIONS).unwrap();
        world
    }

    /// Serves the directory on a free port.
    pub fn start(&mut self, clock: Option<&str>) {
        self.start_with(clock, &[]);
    }

    /// The same with more arguments.
    pub fn start_with(&mut self, clock: Option<&str>, more: &[&str]) {
        let mut command = self.bare(&["emulator", "serve", "--listen", "127.0.0.1:0", "--policy", "policies"]);
        command.arg("--dir").arg("emu").args(more);
        if let Some(clock) = clock {
            command.args(["--clock", clock]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("Entra emulator on https://127.0.0.1:"), "{line}");
        self.emulator = Some(child);
        self.url = self.guide()["url"].as_str().unwrap().to_owned();
        assert!(line.contains(&self.url), "{line} names another address than emulator.json: {}", self.url);
    }

    /// Stops the emulator, which saves its state.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.emulator.take() {
            signal(child.id(), "TERM");
            assert!(child.wait().unwrap().success());
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn emulator_dir(&self) -> PathBuf {
        self.dir.path().join("emu")
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn config(&self) -> PathBuf {
        self.emulator_dir().join("everkey.toml")
    }

    pub fn store(&self) -> PathBuf {
        self.emulator_dir().join("everkey.db")
    }

    pub fn policy(&self, name: &str) -> PathBuf {
        self.dir.path().join("policies").join(format!("{name}.toml"))
    }

    pub fn sink(&self, path: &str) -> PathBuf {
        self.emulator_dir().join("sinks").join(path)
    }

    pub fn integrations(&self) -> PathBuf {
        self.sink("srv/lexzur/application/config/integrations.json")
    }

    /// Replaces text in a file that must hold it.
    #[track_caller]
    pub fn replace(&self, path: &Path, from: &str, to: &str) {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{} holds no {from:?}", path.display());
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// Leaves only these policies.
    pub fn keep_policies(&self, names: &[&str]) {
        for entry in std::fs::read_dir(self.dir.path().join("policies")).unwrap() {
            let path = entry.unwrap().path();
            if !names.contains(&path.file_stem().unwrap().to_str().unwrap()) {
                std::fs::remove_file(path).unwrap();
            }
        }
    }

    /// `emulator.json`.
    pub fn guide(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.emulator_dir().join("emulator.json")).unwrap()).unwrap()
    }

    /// The binary with a clean environment, in this directory.
    pub fn bare(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(args).env_clear().env("PATH", "/usr/bin:/bin").current_dir(self.dir.path());
        command.stdin(Stdio::null());
        command
    }

    /// The same with this world's configuration.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bare(&["-C", "emu/everkey.toml"]);
        command.args(args);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::new(args.join(" "), &self.command(args).output().unwrap())
    }

    /// Starts a command.
    pub fn spawn(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Running { line: args.join(" "), child }
    }

    /// Credentials in the tenant, without everkey's own application: (application, key id).
    pub fn credentials(&self) -> Vec<(String, String)> {
        let own = self.guide()["operator"]["client_id"].as_str().unwrap().to_owned();
        let state = self.state();
        let mut found = Vec::new();
        for app in state["applications"].as_object().unwrap().values() {
            let credentials = &app["credentials"];
            let all =
                credentials["keys"].as_array().unwrap().iter().chain(credentials["passwords"].as_array().unwrap());
            if app["appId"] != own.as_str() {
                let name = app["displayName"].as_str().unwrap();
                found.extend(all.map(|one| (name.to_owned(), one["keyId"].as_str().unwrap().to_owned())));
            }
        }
        found.sort();
        found
    }

    /// Lines of the history.
    pub fn history(&self) -> String {
        self.run(&["history"]).exits(0).out
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut child) = self.emulator.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A command under way.
pub struct Running {
    line: String,
    pub child: Child,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Its end.
    pub fn wait(self) -> Ran {
        let line = self.line;
        Ran::new(line, &self.child.wait_with_output().unwrap())
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

/// Waits until `done`; what never happens ends with the test runner's own limit.
pub fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(pid: u32, name: &str) {
    use nix::sys::signal::Signal;
    let signal: Signal = format!("SIG{name}").parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

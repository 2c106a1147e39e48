//! The real binary in a world of these tests: its own process, on the emulator of the lab, whose clock runs much faster
//! than real time while the process lives and stands still while none does. `tests/support/every_call.c` counts the
//! process's calls and hits one of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::OnceLock;

use everkey::clock::Clock as _;
use everkey::clock::OffsetClock;
use everkey::clock::SystemClock;
use everkey::model::AppRef;
use everkey::model::ClientId;
use everkey::model::ObjectId;
use everkey::rotation::Rules;
use jiff::SignedDuration;
use uuid::Uuid;

use crate::kinds::Kind;
use crate::lab::Lab;
use crate::pg;
use crate::process::Process;
use crate::process::tenant;
use crate::world::Place;
use crate::world::SEAL_KEY;
use crate::world::World;

/// Seconds of the tenant in a real second: a proof takes a quarter of one.
pub const RATE: u32 = 240;

/// Longer than an overlap and than the pause after a lost answer.
const NEXT_RUN: SignedDuration = SignedDuration::from_mins(135);

/// Longer than any run; a process that is still there then hangs.
const HANGS: SignedDuration = SignedDuration::from_secs(60);

/// What happens to a process.
#[derive(Clone, Debug, Default)]
pub struct Fault {
    settings: Vec<(&'static str, String)>,
}

impl Fault {
    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Killed as it enters its n-th call.
    pub fn before(n: usize) -> Self {
        Self::none().with("FAULT", "before").with("FAULT_AT", n)
    }

    /// Killed as it leaves its n-th call.
    pub fn after(n: usize) -> Self {
        Self::none().with("FAULT", "after").with("FAULT_AT", n)
    }

    /// Calls below `dir` fail with this error: `lasts` of them from the n-th on, 0 for all.
    pub fn error(errno: nix::errno::Errno, n: usize, lasts: usize, dir: &Path) -> Self {
        let fault = Self::none().with("FAULT", errno as i32).with("FAULT_AT", n).with("FAULT_FOR", lasts);
        fault.below(dir)
    }

    /// Counts only calls below `dir`.
    pub fn below(self, dir: &Path) -> Self {
        self.with("FAULT_UNDER", dir.display())
    }

    /// Counts only the openings of files.
    pub fn opens(self) -> Self {
        self.with("FAULT_OPENS", 1)
    }

    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.settings.push((name, value.to_string()));
        self
    }
}

/// How a process ended.
pub struct Ran {
    pub output: Output,
    /// Its calls, in order: `write /place`.
    pub calls: Vec<String>,
}

impl Ran {
    pub fn was_killed(&self) -> bool {
        use std::os::unix::process::ExitStatusExt as _;
        self.output.status.signal() == Some(9)
    }

    pub fn said(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!("{}\n{}{}", self.output.status, text(&self.output.stdout), text(&self.output.stderr))
    }
}

/// A world whose everkey is the binary.
pub struct Real {
    pub world: World,
    /// Applications of others.
    others: BTreeSet<Uuid>,
}

impl Real {
    pub async fn new(lab: &Arc<Lab>, kind: Kind, is_server: bool) -> Self {
        let place = if is_server { Place::postgres().await } else { Place::Sqlite };
        let world = World::on(lab, kind, place);
        let others = lab.emulator.with_directory(|directory, _| directory.applications().map(|app| app.id).collect());
        let real = Self { world, others };
        real.configure();
        real
    }

    fn configure(&self) {
        let (world, dir) = (&self.world, self.dir());
        let operator = world.lab.emulator.operator();
        let write = |name: &str, text: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            path.display().to_string()
        };
        let store = match &world.place {
            Place::Sqlite => format!("store = \"sqlite://{}\"", dir.join("everkey.db").display()),
            Place::Postgres(database) => {
                format!("store = \"{}\"\nstore_password_file = \"{}\"", database.url, write("password", pg::PASSWORD))
            }
        };
        let policies = write(&format!("policies/{}.toml", world.kind.name()), &world.kind.text());
        let config = format!(
            r#"
version = 1
policies = "{policies}"
{store}
[seal]
key_file = "{seal}"
[tenants.contoso]
tenant_id = "{tenant}"
client_id = "{client}"
cloud = "custom"
login_url = "{url}"
graph_url = "{url}"
ca_file = "{ca}"
auth = "secret"
secret_file = "{secret}"
emulator = true
sink_root = "{sinks}"
[defaults]
tenant = "contoso"
"#,
            policies = Path::new(&policies).parent().unwrap().display(),
            seal = write("seal.key", SEAL_KEY),
            tenant = tenant(world),
            client = operator.client_id,
            url = world.lab.emulator.url(),
            ca = write("ca.pem", world.lab.emulator.ca_pem()),
            secret = write("operator.secret", &operator.client_secret),
            sinks = world.sinks().display(),
        );
        write("everkey.toml", &config);
    }

    pub fn dir(&self) -> PathBuf {
        self.world.dir.path().to_owned()
    }

    /// The binary with these arguments.
    pub fn command(&self, args: &[&str], fault: &Fault, log: &Path) -> Command {
        let mut command = Command::new(binary());
        command.args(["-C", "everkey.toml"]).args(args).current_dir(self.dir()).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LD_PRELOAD", counter()).env("FAULT_LOG", log);
        command.envs(fault.settings.iter().map(|(name, value)| (*name, value)));
        command
    }

    /// One process, while consumers look and time passes.
    pub async fn run(&self, args: &[&str], fault: &Fault) -> Ran {
        let log = self.dir().join("calls");
        let _ = fs::remove_file(&log);
        let output = self.watched(self.command(args, fault, &log)).await;
        let calls = fs::read_to_string(&log).unwrap_or_default();
        let calls = calls.lines().filter_map(|line| Some(line.split_once(' ')?.1.to_owned())).collect();
        let ran = Ran { output, calls };
        if ran.was_killed() {
            self.let_leases_end().await;
        }
        ran
    }

    /// Runs it to its end; the clock runs along, and consumers look all the time.
    pub async fn watched(&self, mut command: Command) -> Output {
        let world = &self.world;
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        let ends = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        let hands = OffsetClock::starting_at(world.clock.now(), RATE);
        let started = SystemClock.now();
        let looking = async {
            loop {
                world.clock.advance_to(hands.now());
                self.notice_application();
                world.outside.look("while a process lives");
                SystemClock.sleep_until(SystemClock.now() + SignedDuration::from_millis(2)).await;
                if SystemClock.now().duration_since(started) > HANGS {
                    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGABRT);
                }
            }
        };
        let output = tokio::select! {
            output = ends => output.unwrap(),
            () = looking => unreachable!("it looks for ever"),
        };
        self.notice_application();
        world.outside.look("once the process is gone");
        output
    }

    /// Once there is an application, somebody else has credentials on it, and its consumer looks.
    fn notice_application(&self) {
        if self.world.outside.seen().app.is_some() {
            return;
        }
        let lab = &self.world.lab;
        let new = lab.emulator.with_directory(|directory, _| {
            let new = directory.applications().find(|app| !self.others.contains(&app.id));
            new.map(|app| (app.id.to_string(), app.app_id.to_string()))
        });
        let Some((object_id, client_id)) = new else { return };
        let (object_id, client_id) = (ObjectId(object_id), ClientId::from(client_id.as_str()));
        self.world.outside.app_is(&AppRef { tenant_id: tenant(&self.world), object_id, client_id });
    }

    /// A process that was killed gave nothing back: as if the minute of its lease had passed.
    async fn let_leases_end(&self) {
        if let Place::Postgres(database) = &self.world.place {
            let ended = "UPDATE lease SET expires = clock_timestamp() - interval '1 second' WHERE holder IS NOT NULL";
            database.tamper(ended).await;
        }
    }

    /// What a person runs next towards `wanted` finished rotations; nothing when they are there.
    pub async fn next(&self, wanted: usize) -> Option<Vec<&'static str>> {
        let process = Process::start(&self.world, None, Rules::default()).await;
        let rotations = process.store.rotations(&self.world.name()).await.unwrap();
        let finished = rotations.iter().filter(|rotation| rotation.is_finished()).count();
        let is_open = rotations.iter().any(|rotation| !rotation.is_finished());
        match (is_open, finished) {
            (true, _) => Some(vec!["apply", "--yes"]),
            (false, 0) => Some(vec!["apply", "--yes", "--new-store"]),
            (false, finished) if finished < wanted => Some(vec!["rotate", self.world.kind.name(), "--yes"]),
            _ => None,
        }
    }

    /// Time until somebody runs it again.
    pub fn pause(&self) {
        self.world.jump(self.world.clock.now() + NEXT_RUN);
    }

    /// Runs until `wanted` rotations are finished; how many runs that took.
    pub async fn finish(&self, wanted: usize) -> usize {
        for runs in 0..8 {
            let Some(args) = self.next(wanted).await else { return runs };
            let ran = self.run(&args, &Fault::none()).await;
            self.world.said(&ran.said());
            self.pause();
        }
        self.world.outside.seen().violations.push("NOT CONVERGED in eight runs".to_owned());
        8
    }
}

/// The binary under test. nextest tells where it lies when it runs an archive or a copy.
fn binary() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "a test asks its runner where the binary is")]
    std::env::var_os("NEXTEST_BIN_EXE_everkey")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_everkey")), PathBuf::from)
}

/// The library that counts, compiled once for this process.
fn counter() -> &'static Path {
    static COUNTER: OnceLock<tempfile::TempDir> = OnceLock::new();
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let dir = COUNTER.get_or_init(|| tempfile::tempdir().unwrap());
        let library = dir.path().join("every_call.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/every_call.c");
        let mut cc = Command::new("cc");
        let made = cc.args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"]).arg(&library).arg(source).status();
        assert!(made.unwrap_or_else(|error| panic!("this test needs `cc`: {error}")).success());
        library
    })
}

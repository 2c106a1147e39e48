//! PostgreSQL for the tests: Debian's, started here on a free port of the loopback, private, durable (`fsync = on`) and
//! writing every statement with its parameters into its log.
//!
//! [`shared`] is one server for all tests of a run; each takes a database of its own. It ends with the process that
//! runs the tests. [`Private`] is for a test that stops its server.

use std::fs;
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// Password of the role `everkey` over TCP.
pub const PASSWORD: &str = "q7-canary-of-the-database";

/// Where a server is.
#[derive(Clone)]
pub struct Server {
    dir: PathBuf,
    port: u16,
}

/// A server of one test alone, stopped when this is dropped.
pub struct Private {
    server: Server,
    _dir: tempfile::TempDir,
}

impl Private {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::found(dir.path());
        server.start();
        Self { server, _dir: dir }
    }
}

impl std::ops::Deref for Private {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.server.ctl(&["stop", "-m", "immediate"]);
    }
}

/// The server of this run, started by whichever test asks first.
pub fn shared() -> Server {
    let parent = std::os::unix::process::parent_id();
    // A process id comes again; the instant a process began does not.
    let stat = fs::read_to_string(format!("/proc/{parent}/stat")).unwrap();
    let began = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().to_owned();
    let dir = std::env::temp_dir().join(format!("everkey-postgres-{parent}-{began}"));
    fs::create_dir_all(&dir).unwrap();
    let lock = File::create(dir.join("lock")).unwrap();
    lock.lock().unwrap();
    if let Ok(port) = fs::read_to_string(dir.join("port")) {
        return Server { dir, port: port.parse().unwrap() };
    }
    let server = Server::found(&dir);
    server.start();
    fs::write(dir.join("port"), server.port.to_string()).unwrap();
    // Whoever began this run has not the server's name: it is stopped once that process is gone.
    let script = r#"while kill -0 "$0" 2>/dev/null; do sleep 1; done; "$@" >/dev/null 2>&1; rm -rf "$DIR""#;
    let stop = server.command("pg_ctl", &["stop", "-m", "immediate", "-D", server.data().to_str().unwrap()]);
    let mut watch = Command::new("setsid");
    watch.args(["sh", "-c", script, &parent.to_string()]).arg(stop.get_program()).args(stop.get_args());
    let watching = watch.env("DIR", &dir).stdin(null()).stdout(null()).stderr(null()).spawn().unwrap();
    // It outlives this process, which so never waits for it.
    drop(watching);
    server
}

fn null() -> std::process::Stdio {
    std::process::Stdio::null()
}

impl Server {
    /// Makes the cluster; the directory must belong to whom the server runs as.
    fn found(dir: &Path) -> Self {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { dir: dir.to_owned(), port };
        let data = server.data();
        let (password, home) = (dir.join("password"), dir.join("home"));
        fs::write(&password, PASSWORD).unwrap();
        fs::create_dir(&home).unwrap();
        if is_root() {
            run(Command::new("chown").args(["postgres"]).args([&home, &password]));
        }
        let args = ["-D", data.to_str().unwrap(), "-U", "everkey", "-E", "UTF8", "--locale=C.UTF-8"];
        let file = format!("--pwfile={}", password.display());
        run(server.command("initdb", &args).args(["--auth=scram-sha-256", &file]));
        server
    }

    pub fn start(&self) {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=on -c log_statement=all \
             -c max_connections=200 -c shared_buffers=32MB",
            self.port
        );
        let log = self.dir.join("home/log");
        self.ctl(&["start", "-w", "-l", log.to_str().unwrap(), "-o", &options]);
    }

    /// Stops it as a crash would, and starts it again.
    pub fn crash_and_restart(&self) {
        self.ctl(&["stop", "-m", "immediate"]);
        self.start();
    }

    /// Takes no writes from now on, or takes them again: as after a failover.
    pub fn be_standby(&self, standby: bool) {
        self.ctl(&["stop", "-m", "fast"]);
        let signal = self.data().join("standby.signal");
        if standby {
            fs::write(&signal, "").unwrap();
            if is_root() {
                run(Command::new("chown").arg("postgres").arg(&signal));
            }
        } else {
            fs::remove_file(&signal).unwrap();
        }
        self.start();
    }

    /// A new database, as everkey names it.
    pub async fn database(&self) -> Database {
        use sqlx::ConnectOptions as _;
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        let mut connection = self.at("postgres").options().connect().await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        self.at(&name)
    }

    /// The same in a language that orders texts in its own way.
    pub async fn database_in(&self, language: &str) -> Database {
        use sqlx::ConnectOptions as _;
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        let mut connection = self.at("postgres").options().connect().await.unwrap();
        let create = sqlx::AssertSqlSafe(format!(
            "CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE '{language}'"
        ));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        self.at(&name)
    }

    fn at(&self, name: &str) -> Database {
        Database { url: format!("postgres://everkey@127.0.0.1:{}/{name}?sslmode=disable", self.port) }
    }

    /// What it wrote down.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.join("home/log")).unwrap()).into_owned()
    }

    fn data(&self) -> PathBuf {
        self.dir.join("home/data")
    }

    fn ctl(&self, args: &[&str]) {
        run(self.command("pg_ctl", &["-D", self.data().to_str().unwrap()]).args(args));
    }

    /// A program of the server, which refuses to run as root.
    fn command(&self, name: &str, args: &[&str]) -> Command {
        let program = bin().join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(args).current_dir(self.dir.join("home")).stdin(null());
        command
    }
}

/// One database.
#[derive(Clone)]
pub struct Database {
    pub url: String,
}

impl Database {
    /// A bare connection's options, to look and to tamper.
    pub fn options(&self) -> sqlx::postgres::PgConnectOptions {
        self.url.parse::<sqlx::postgres::PgConnectOptions>().unwrap().password(PASSWORD)
    }

    /// The same by way of `port`, where a proxy listens.
    pub fn by(&self, port: u16) -> Self {
        let (head, tail) = self.url.split_once("127.0.0.1:").unwrap();
        let (_, tail) = tail.split_once('/').unwrap();
        Self { url: format!("{head}127.0.0.1:{port}/{tail}") }
    }

    /// Where the server itself listens.
    pub fn port(&self) -> u16 {
        let (_, tail) = self.url.split_once("127.0.0.1:").unwrap();
        tail.split_once('/').unwrap().0.parse().unwrap()
    }

    /// As it was when it was made.
    pub async fn empty(&self) {
        self.tamper("DROP SCHEMA public CASCADE").await;
        self.tamper("CREATE SCHEMA public").await;
    }

    /// The same with many.
    pub async fn tamper_all(&self, statements: &str) {
        use sqlx::ConnectOptions as _;
        let mut connection = self.options().connect().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(&mut connection).await.unwrap();
    }

    /// What one statement says.
    pub async fn ask<T>(&self, statement: &'static str) -> T
    where
        T: Send + Unpin + for<'a> sqlx::Decode<'a, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        use sqlx::ConnectOptions as _;
        let mut connection = self.options().connect().await.unwrap();
        sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
    }

    /// Runs one statement behind the store's back.
    pub async fn tamper(&self, statement: &str) -> u64 {
        use sqlx::ConnectOptions as _;
        let mut connection = self.options().connect().await.unwrap();
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        sqlx::query(statement).execute(&mut connection).await.unwrap().rows_affected()
    }
}

/// Where Debian puts the programs of the newest server.
fn bin() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("the Debian package `postgresql` is missing: tests/run");
    let newest = versions.map(|version| version.unwrap().path()).max().expect("a version of PostgreSQL");
    newest.join("bin")
}

fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

fn run(command: &mut Command) {
    // A pipe would stay open in the server, which lives on.
    let said = tempfile::NamedTempFile::new().unwrap();
    let (out, err) = (said.reopen().unwrap(), said.reopen().unwrap());
    let done = command.stdout(out).stderr(err).status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.success(), "{command:?}: {}", fs::read_to_string(said.path()).unwrap());
}

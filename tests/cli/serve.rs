//! `serve`: the daemon against the emulator, from outside: its log, its health endpoint, its signals; and one cycle.

use std::fs::File;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::process::Stdio;

use serde_json::Value;

use crate::support::Catcher;
use crate::support::Ran;
use crate::support::World;
use crate::support::mail_section;
use crate::support::until;

/// A daemon whose log is a file.
pub struct Daemon {
    child: Option<Child>,
    log: PathBuf,
}

impl Daemon {
    pub fn start(world: &World, args: &[&str]) -> Self {
        Self::start_as(world, "serve", args)
    }

    /// The same, with a log of its own beside other daemons.
    pub fn start_as(world: &World, name: &str, args: &[&str]) -> Self {
        let log = world.path().join(format!("{name}.log"));
        let mut command = world.command(&["serve", "--log-format", "json", "--listen", "127.0.0.1:0"]);
        command.args(args).stderr(File::create(&log).unwrap()).stdout(Stdio::piped());
        Self { child: Some(command.spawn().unwrap()), log }
    }

    pub fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        // The last line may be half written.
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    pub fn said(&self, message: &str) -> usize {
        self.lines().iter().filter(|line| line["message"].as_str().unwrap().contains(message)).count()
    }

    /// Waits until it has said so `times` times; its death in between fails.
    pub fn says(&mut self, message: &str, times: usize) {
        until(|| {
            let over = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(over.is_none(), "it ended: {over:?}\n{}", std::fs::read_to_string(&self.log).unwrap());
            self.said(message) >= times
        });
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Status and body of a request.
    pub fn ask(&self, method: &str, path: &str) -> (u16, String) {
        let started = self.lines().into_iter().find(|line| line["listen"].is_string()).unwrap();
        let mut stream = TcpStream::connect(started["listen"].as_str().unwrap()).unwrap();
        stream.write_all(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.trim_end().to_owned())
    }

    pub fn end(mut self) -> Ran {
        let out = self.child.take().unwrap().wait_with_output().unwrap();
        Ran::new("serve".to_owned(), &out)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn set(world: &World, section: &str) {
    let mut text = std::fs::read_to_string(world.config()).unwrap();
    text.push_str(section);
    std::fs::write(world.config(), text).unwrap();
}

const HUP: nix::sys::signal::Signal = nix::sys::signal::Signal::SIGHUP;
const TERM: nix::sys::signal::Signal = nix::sys::signal::Signal::SIGTERM;

#[test]
fn it_answers_reloads_lets_people_in_and_stops() {
    let world = World::applied();
    let catcher = Catcher::start("starttls");
    catcher.configure(&world);
    set(&world, "\n[alerts]\nfallback_to = \"tools@contoso.example\"\n");
    let mut daemon = Daemon::start(&world, &["-o", "json"]);
    daemon.says("sync ok", 1);
    let started = &daemon.lines()[0];
    assert_eq!((&started["message"], &started["tenant"]), (&"started".into(), &"emulator".into()));
    assert_eq!((&started["policies"], &started["emulator"]), (&5.into(), &true.into()));
    let sync = daemon.lines().into_iter().find(|line| line["message"] == "sync ok").unwrap();
    assert_eq!((&sync["applications"], &sync["failed"]), (&5.into(), &0.into()));
    assert!(sync["requests"].as_u64().unwrap() > 0);

    // Two routes, GET only.
    assert_eq!(daemon.ask("GET", "/healthz"), (200, "ok".to_owned()));
    assert_eq!(daemon.ask("GET", "/readyz"), (200, "ok".to_owned()));
    assert_eq!(daemon.ask("POST", "/readyz").0, 405);
    assert_eq!(daemon.ask("GET", "/").0, 404);
    assert_eq!(daemon.ask("GET", "/metrics").0, 404);

    // One daemon; but a person's commands get in between its cycles.
    let pid = format!("pid {}", daemon.pid());
    world.run(&["serve"]).fails(75, "T011", &[&pid]);
    let refused = world.run(&["serve", "--once", "-o", "json"]).exits(75).json();
    assert_eq!(refused["error"]["code"], "T011");
    world.run(&["handoff", "open", "h-0001", "--out", "opened"]).exits(0);
    world.run(&["apply", "--yes"]).exits(0).says("No changes.");

    // A bad policy changes nothing, and whoever looks after everkey hears of it.
    let policy = world.policy("reapit-lead-imports");
    let good = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, good.replace("Mail.ReadWrite", "Mail.Reed")).unwrap();
    daemon.signal(HUP);
    daemon.says("reload refused, the old configuration stays", 1);
    let to_operator = || -> Vec<Value> {
        let mails = catcher.mails().into_iter();
        mails.filter(|mail| mail["raw"].as_str().unwrap().contains("Subject: [everkey] ")).collect()
    };
    until(|| !to_operator().is_empty());
    let mail = to_operator().pop().unwrap();
    assert_eq!(mail["rcpt"], serde_json::json!(["tools@contoso.example"]));
    let raw = mail["raw"].as_str().unwrap();
    assert!(raw.contains("R041") && raw.contains("everkey validate"), "{raw}");
    daemon.signal(HUP);
    daemon.says("reload refused", 2);
    daemon.says("sync ok", 3);
    assert_eq!(to_operator().len(), 1, "once a day");
    assert_eq!(daemon.ask("GET", "/readyz").0, 200, "it works on as before");

    // A good one is taken over; what a reload cannot change is refused.
    std::fs::remove_file(world.policy("enate-graph-mail")).unwrap();
    std::fs::write(&policy, good).unwrap();
    daemon.signal(HUP);
    daemon.says("reloaded", 1);
    daemon.says("sync ok", 4);
    let reloaded = daemon.lines().into_iter().find(|line| line["message"] == "reloaded").unwrap();
    assert_eq!(reloaded["policies"], 4);
    let seal = format!("key_file = {:?}", world.emulator_dir().join("seal.key"));
    let config = std::fs::read_to_string(world.config()).unwrap();
    assert!(config.contains("everkey.db"), "{config}\n{seal}");
    std::fs::write(world.config(), config.replace("everkey.db", "other.db")).unwrap();
    daemon.signal(HUP);
    daemon.says("[C015] store changed", 1);
    assert!(!world.emulator_dir().join("other.db").exists());

    daemon.signal(TERM);
    let log = daemon.log.clone();
    let ran = daemon.end().exits(0);
    assert_eq!((&ran.json()["schema"], &ran.json()["outcome"]), (&"everkey.serve/v1".into(), &"stopped".into()));
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.lines().last().unwrap().contains("stopped at a safe point"), "{log}");
    let value = std::fs::read_to_string(world.integrations()).unwrap();
    let value: Value = serde_json::from_str(&value).unwrap();
    assert!(!log.contains(value["MS-OfficeMail-365"]["clientSecret"].as_str().unwrap()));
}

/// Whoever cannot see the tenant says so in the log, slows down, and is not ready before the first look.
#[test]
fn a_tenant_out_of_reach_is_tried_again() {
    let mut world = World::applied();
    let unwell = serde_json::json!({"kind": "status", "code": 400});
    world.fault(&serde_json::json!({"count": 500, "path_contains": "/v1.0/applications", "effect": unwell}));
    let mut daemon = Daemon::start(&world, &[]);
    daemon.says("sync failed", 1);
    assert_eq!(daemon.ask("GET", "/healthz").0, 200);
    assert_eq!(daemon.ask("GET", "/readyz"), (503, "no successful sync yet".to_owned()));
    world.stop();
    daemon.signal(TERM);
    daemon.end().exits(0);
}

/// SIGTERM while a proof is under way: the end comes at once, nothing is lost, and one cycle finishes it.
#[test]
fn stopped_while_proving_and_finished_by_one_cycle() {
    let world = World::new();
    world.keep_policies(&["lexzur-email-engine"]);
    let mut daemon = Daemon::start(&world, &[]);
    daemon.says("prove: accepted (1 of 3)", 1);
    daemon.signal(TERM);
    daemon.end().exits(0);
    assert!(world.history().contains("accepted (1 of 3)"));
    let ran = world.run(&["serve", "--once", "-o", "json"]).exits(0).json();
    assert_eq!((&ran["schema"], &ran["outcome"]), (&"everkey.serve/v1".into(), &"done".into()));
    assert_eq!(ran["results"][0]["state"], "current", "{ran:#}");
    assert_eq!(world.credentials().len(), 1);
    world.run(&["history", "--verify"]).exits(0);
    world.run(&["serve", "--once"]).exits(0).says("No changes.");
}

/// A successor waits for its fire; the run after it does everything from stage to confirm.
#[test]
fn one_cycle_follows_the_schedule() {
    let mut world = World::applied_at("2027-09-21T09:10:00Z");
    world.keep_policies(&["lexzur-email-engine"]);
    let before = world.credentials().len();
    let ran = world.run(&["serve", "--once"]).exits(0);
    assert!(ran.out.contains("waits for its schedule until 2027-09-22 06:00 UTC"), "{}", ran.out);
    assert!(ran.out.contains("0 done, 1 scheduled, 0 failed."), "{}", ran.out);
    let ran = world.run(&["serve", "--once", "-o", "json"]).exits(0).json();
    let result = &ran["results"][0];
    assert_eq!((&result["state"], &result["starts_at"]), (&"scheduled".into(), &"2027-09-22T06:00:00Z".into()));
    assert_eq!(world.credentials().len(), before);
    world.stop();
    world.start(Some("2027-09-22T06:20:00Z"));
    let ran = world.run(&["serve", "--once"]).exits(0).says("1 done, 0 failed.");
    for step in ["stage ", "prove ", "deliver ", "confirm "] {
        assert!(ran.out.contains(&format!("      {step}")), "{step}\n{}", ran.out);
    }
    assert_eq!(world.credentials().len(), before + 1);
}

/// Nobody reads what a timer prints: mail that does not leave is the run's result.
#[test]
fn one_cycle_with_mail_down() {
    let world = World::applied_at("2026-12-04T09:30:00Z");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let password = world.path().join("smtp.password");
    std::fs::write(&password, "Canary-7q~pass").unwrap();
    mail_section(&world, free, &world.emulator_dir().join("ca.pem"), &password);
    let ran = world.run(&["serve", "--once"]).exits(69);
    assert!(ran.out.contains("Mail could not be sent"), "{}", ran.out);
    let report = world.run(&["serve", "--once", "-o", "json"]).exits(69).json();
    assert_eq!(report["outcome"], "done");
    assert!(report["mail_error"]["code"].as_str().unwrap().starts_with('M'));
}

#[test]
fn what_cannot_be_served_is_said() {
    let world = World::applied();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    world.run(&["serve", "--listen", &address]).fails(78, "C014", &[&address]);
    world.run(&["serve", "--listen", "everywhere"]).exits(64);
    world.run(&["serve", "--once", "--listen", "127.0.0.1:0"]).exits(64);
    world.replace(&world.policy("reapit-lead-imports"), "Mail.ReadWrite", "Mail.Reed");
    world.run(&["serve", "--once"]).fails(65, "C012", &["Mail.Reed"]);
}

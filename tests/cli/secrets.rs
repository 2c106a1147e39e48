//! Canaries (expectation 20): every flow runs with `-vvv`; what it printed, wrote, mailed or had in its command line
//! and environment is searched for every secret that lived. The secrets are known from the sinks, the opened
//! hand-offs and the operator's own files, the only places that may hold them.

use std::path::Path;

use crate::support::Canaries;
use crate::support::Catcher;
use crate::support::MAIL_PASSWORD;
use crate::support::Ran;
use crate::support::World;
use crate::support::until;

/// Everything that a run showed, by name.
#[derive(Default)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    fn ran(&mut self, ran: Ran) -> Ran {
        self.0.push((format!("stdout of {}", ran.line), ran.out.clone().into_bytes()));
        self.0.push((format!("stderr of {}", ran.line), ran.err.clone().into_bytes()));
        ran
    }

    fn process(&mut self, pid: u32) {
        for what in ["cmdline", "environ"] {
            let bytes = std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            self.0.push((format!("{what} of a running process"), bytes));
        }
    }
}

fn collect(world: &World, canaries: &mut Canaries, given: &Path) {
    let file = |path: &Path| std::fs::read(path).unwrap();
    let own = world.emulator_dir();
    canaries.add("everkey's own secret", &file(&own.join("operator.secret")));
    canaries.add("the seal key", &file(&own.join("seal.key")));
    let raw: Vec<u8> = file(&own.join("seal.key"))
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    canaries.add("the seal key, as bytes", &raw);
    canaries.add("the password of the operator's PFX", &file(&own.join("operator.pfx.password")));
    canaries.add_pem("the operator's private key", &String::from_utf8(file(&own.join("operator.pem"))).unwrap());
    canaries.add("the SMTP password", MAIL_PASSWORD.as_bytes());
    let json: serde_json::Value = serde_json::from_slice(&file(&world.integrations())).unwrap();
    canaries
        .add("a secret in integrations.json", json["MS-OfficeMail-365"]["clientSecret"].as_str().unwrap().as_bytes());
    let enate = world.sink("var/lib/enate/credential");
    canaries.add_pem("the private key of enate", &String::from_utf8(file(&enate.join("enate.key"))).unwrap());
    canaries.add("the PFX of enate", &file(&enate.join("enate.pfx")));
    canaries.add("the PFX password of enate", &file(&enate.join("enate.pfx.password")));
    canaries.add("the PFX handed over", &file(&given.join("enate-graph-mail.pfx")));
    canaries.add("the PFX password handed over", &file(&given.join("pfx_password.txt")));
}

#[test]
fn no_secret_leaves_its_place() {
    let world = World::new();
    let catcher = Catcher::start("starttls");
    catcher.configure(&world);
    let temporary = world.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let mut seen = Seen::default();
    let mut canaries = Canaries::default();
    let mut run = |world: &World, args: &[&str]| {
        let mut line = vec!["-vvv"];
        line.extend(args);
        let mut command = world.command(&line);
        command.env("TMPDIR", &temporary).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let child = command.spawn().unwrap();
        let pid = child.id();
        seen.process(pid);
        let ran = Ran::new(line.join(" "), &child.wait_with_output().unwrap());
        seen.ran(ran)
    };

    run(&world, &["validate"]).exits(0);
    run(&world, &["plan", "--out", "rotate.plan", "-o", "json"]).exits(0);
    run(&world, &["apply", "--yes", "rotate.plan"]).exits(0);
    run(&world, &["plan"]).exits(0);
    run(&world, &["status", "-o", "json"]).exits(0);
    let mut given = Vec::new();
    for id in ["h-0001", "h-0002", "h-0003", "h-0004"] {
        run(&world, &["handoff", "show", id, "-o", "json"]).exits(0);
        // Each goes to files: what a terminal would show is the one place where a secret belongs.
        let dir = world.path().join("given").join(id);
        std::fs::create_dir_all(dir.parent().unwrap()).unwrap();
        run(&world, &["handoff", "open", id, "--out", dir.to_str().unwrap()]).exits(0);
        if let Ok(secret) = std::fs::read(dir.join("secret.txt")) {
            canaries.add(&format!("the secret of {id}"), &secret);
        } else {
            given.push(dir);
        }
        run(&world, &["handoff", "open", id, "--out", "never"]).exits(1);
        run(&world, &["handoff", "confirm", id]).exits(0);
    }
    collect(&world, &mut canaries, &given[0]);
    // A rotation, killed in the middle and finished, while its process is looked at.
    let mut command = world.command(&["-vvv", "rotate", "lexzur-email-engine", "--yes"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    until(|| child.try_wait().unwrap().is_some() || world.history().matches("accepted (1 of 3)").count() > 5);
    let process = child.id();
    let _ = child.kill();
    let killed = Ran::new("rotate, killed".into(), &child.wait_with_output().unwrap());
    assert_eq!(killed.code, -9, "killed while proving\n{}", killed.err);
    let _ = process;
    run(&world, &["apply", "--yes"]).exits(0);
    collect(&world, &mut canaries, &given[0]);
    run(&world, &["history", "-o", "json"]).exits(0);
    run(&world, &["history", "--verify"]).exits(0);
    // Failures tell much.
    std::fs::write(world.path().join("x.plan"), "{}").unwrap();
    run(&world, &["apply", "--yes", "x.plan"]).exits(65);
    canaries.add("a bearer token", world.operator_token().rsplit('.').next().unwrap().as_bytes());
    seen.ran(killed);

    for (name, bytes) in &seen.0 {
        let found = canaries.found_in(bytes);
        assert!(found.is_empty(), "{name} shows {found:?}");
        let token = String::from_utf8_lossy(bytes).contains("eyJ");
        assert!(!token, "{name} shows a token or an assertion");
    }
    let sinks = world.sink("");
    let own = ["operator.secret", "operator.pem", "operator.pfx", "operator.pfx.password", "seal.key", "emulator.json"];
    let allowed = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        path.starts_with(&sinks)
            || path.starts_with(world.path().join("given"))
            || (path.parent() == Some(&world.emulator_dir()) && own.contains(&name))
            || path == world.path().join("smtp.password")
    };
    let (files, hits) = canaries.scan(world.path(), &allowed);
    let (mails, mail_hits) = canaries.scan(catcher.directory(), &|_| false);
    assert!(
        files > 10 && mails > 0 && canaries.len() >= 17,
        "{files} files, {mails} of mail, {} secrets",
        canaries.len()
    );
    assert_eq!((hits, mail_hits), (vec![], vec![]));
    assert!(!catcher.mails().is_empty() && seen.0.len() > 50, "{}", seen.0.len());

    // The sinks hold exactly what belongs there: nothing beside them, nothing of another's.
    let (_, in_sinks) = canaries.scan(&sinks, &|_| false);
    let outside: Vec<&String> = in_sinks
        .iter()
        .filter(|hit| !hit.contains("/enate.") && !hit.contains("/integrations.json holds a secret in"))
        .collect();
    assert!(outside.is_empty(), "{outside:?}");

    // And it can fail: one planted secret in each form is found.
    let secret = std::fs::read(world.emulator_dir().join("operator.secret")).unwrap();
    for (form, bytes) in planted(&secret) {
        std::fs::write(world.path().join("planted"), bytes).unwrap();
        let (_, hits) = canaries.scan(world.path(), &allowed);
        assert_eq!(hits.len(), 1, "{form} is not found");
    }
}

fn planted(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    use base64::Engine as _;
    use std::io::Write as _;
    let text = str::from_utf8(secret).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(format!("log: {text}").as_bytes()).unwrap();
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        ("raw", format!("x{text}x").into_bytes()),
        ("base64", base64::prelude::BASE64_STANDARD.encode(format!("id:{text}")).into_bytes()),
        ("base64url", base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(format!("i:{text}")).into_bytes()),
        ("hex", hex.into_bytes()),
        ("url", url::form_urlencoded::byte_serialize(secret).collect::<String>().into_bytes()),
        ("utf16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("numbers", format!("{secret:?}").into_bytes()),
        ("gzip", gzip.finish().unwrap()),
    ]
}

//! Certificates that others sign: a CA with a command line, a CA that a person goes to, a CA of `everkey.toml`.

use std::io::Write as _;
use std::process::Command;
use std::process::Stdio;

use crate::support::Catcher;
use crate::support::World;
use crate::support::python;

const POLICY: &str = "enate-graph-mail";

/// An hour before the emulator's clock starts.
const START: &str = "2026-11-20T08:00:00";

/// A world with the one policy, whose certificate comes from `issuer` (lines of TOML).
fn world(issuer: &str) -> World {
    let world = World::new();
    world.keep_policies(&[POLICY]);
    world.replace(&world.policy(POLICY), "issuer = \"self-signed\"", issuer);
    world
}

fn signer() -> String {
    format!("{}/tests/support/sign_csr.py", env!("CARGO_MANIFEST_DIR"))
}

/// What the outside CA makes of a request.
fn signed(world: &World, request: &str, start: &str, days: &str) -> String {
    let mut child = Command::new(python())
        .args([&signer(), world.path().join("ca").to_str().unwrap(), start, days])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn openssl(args: &[&str]) -> String {
    let output = Command::new("openssl").args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The certificate in the sink, its issuer, and that its key is beside it.
fn delivered(world: &World) -> String {
    let at = |name: &str| world.sink(&format!("var/lib/enate/credential/{name}")).display().to_string();
    let issuer = openssl(&["x509", "-in", &at("enate.crt"), "-noout", "-issuer"]);
    let public = openssl(&["x509", "-in", &at("enate.crt"), "-noout", "-pubkey"]);
    assert_eq!(public, openssl(&["pkey", "-in", &at("enate.key"), "-pubout"]));
    issuer
}

#[test]
fn a_ca_with_a_command_line_signs() {
    let world = World::new();
    world.keep_policies(&[POLICY]);
    let ca = world.path().join("ca");
    let command = format!("[{:?}, {:?}, {ca:?}, {START:?}, \"365\"]", python(), signer());
    let issuer = format!("issuer = \"command\"\nissuer_command = {command}");
    world.replace(&world.policy(POLICY), "issuer = \"self-signed\"", &issuer);
    world.run(&["apply", "--yes"]).exits(0);
    assert!(delivered(&world).contains("Contoso Issuing CA"));
    world.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_command_that_fails_is_told_and_nothing_is_attached() {
    let world = world("issuer = \"command\"\nissuer_command = [\"sh\", \"-c\", \"echo the CA is closed >&2; exit 3\"]");
    let ran = world.run(&["apply", "--yes"]);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("the CA is closed") && ran.err.contains("fix:"), "{}", ran.err);
    assert_eq!(world.credentials(), []);
}

#[test]
fn a_person_carries_the_request_and_the_certificate() {
    let world = world("issuer = \"csr\"");
    let catcher = Catcher::start("starttls");
    catcher.configure(&world);
    let ran = world.run(&["apply", "--yes"]).exits(0);
    assert!(ran.out.contains("everkey cert request enate-graph-mail"), "{}", ran.out);
    assert_eq!(world.credentials(), [], "nothing is attached without a certificate");
    let status = world.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(status["items"][0]["state"], "awaiting_certificate");

    let file = world.path().join("request.csr");
    world.run(&["cert", "request", POLICY, "--out", file.to_str().unwrap()]).exits(0);
    let request = std::fs::read_to_string(&file).unwrap();
    assert!(openssl(&["req", "-in", file.to_str().unwrap(), "-verify", "-noout", "-subject"]).contains(POLICY));
    let mails = catcher.mails();
    let asked: Vec<_> =
        mails.iter().filter(|mail| mail["raw"].to_string().contains("BEGIN CERTIFICATE REQUEST")).collect();
    assert_eq!(asked.len(), 1, "one mail brings the request: {mails:#?}");
    assert!(asked[0]["rcpt"].to_string().contains("ops@contoso.example"), "{}", asked[0]["rcpt"]);

    // A second run makes no other request.
    world.run(&["apply", "--yes"]).exits(0);
    assert_eq!(world.run(&["cert", "request", POLICY]).exits(0).out, request);

    let answer = world.path().join("answer.pem");
    let answered = |text: &str| {
        std::fs::write(&answer, text).unwrap();
        world.run(&["cert", "answer", POLICY, answer.to_str().unwrap(), "--by", "ops@contoso.example"])
    };
    let key = world.path().join("other.key");
    let other = |subject: &str| {
        openssl(&["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key.to_str().unwrap(), "-subj", subject])
    };
    for (what, given) in [
        ("nothing readable", "no certificate\n".to_owned()),
        ("the request itself", request.clone()),
        ("another key", signed(&world, &other("/CN=enate-graph-mail"), START, "365")),
        ("not yet valid", signed(&world, &request, "2027-01-01T00:00:00", "365")),
        ("too short a life", signed(&world, &request, START, "3")),
    ] {
        let ran = answered(&given);
        assert_eq!(ran.code, 65, "{what}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains("fix:"), "{what}: {}", ran.err);
    }
    let ran = answered(&signed(&world, &request, START, "365")).exits(0);
    assert!(ran.out.contains("valid to 2027-11-20"), "{}", ran.out);
    assert_eq!(answered(&signed(&world, &request, START, "365")).code, 1, "nothing waits any more");

    world.run(&["apply", "--yes"]).exits(0);
    assert!(delivered(&world).contains("Contoso Issuing CA"));
    let history = world.history();
    assert!(history.contains("brought back by ops@contoso.example"), "{history}");
    world.run(&["history", "--verify"]).exits(0);
}

//! `cert convert`, `verify`, `expiring`: forms into each other, and no key where none belongs.

use std::process::Command;
use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::certs::openssl;
use crate::support::Canaries;
use crate::support::Ran;
use crate::support::World;
use crate::terminal::on_terminal;

/// A pair of openssl's making in every form, and a stranger.
fn forms() -> World {
    let world = World::without_emulator();
    openssl(&world, "req -x509 -newkey rsa:2048 -nodes -keyout app.key -out app.pem -subj /CN=app -days 30");
    openssl(&world, "req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -subj /CN=other -days 400");
    openssl(&world, "x509 -in app.pem -outform DER -out app.cer");
    openssl(&world, "pkcs12 -export -in app.pem -inkey app.key -passout pass:theirs -out app.pfx");
    openssl(&world, "pkcs12 -export -legacy -in app.pem -inkey app.key -passout pass:theirs -out legacy.pfx");
    std::fs::write(world.path().join("pw.txt"), "theirs\n").unwrap();
    let text = |name: &str| std::fs::read_to_string(world.path().join(name)).unwrap();
    std::fs::write(world.path().join("both.pem"), format!("{}{}", text("app.key"), text("app.pem"))).unwrap();
    world
}

fn bytes(world: &World, name: &str) -> Vec<u8> {
    std::fs::read(world.path().join(name)).unwrap()
}

#[test]
fn every_form_into_every_other() {
    let world = forms();
    let der = bytes(&world, "app.cer");
    for from in ["app.pfx", "legacy.pfx", "both.pem", "app.pem", "app.cer"] {
        let convert = |to: &str, out: &str| {
            let line = ["cert", "convert", from, "--to", to, "--out", out, "--password-file", "pw.txt", "--force"];
            world.run(&line).exits(0)
        };
        convert("cer", "made.cer");
        assert_eq!(bytes(&world, "made.cer"), der, "{from}");
        convert("base64", "made.b64");
        let text = String::from_utf8(bytes(&world, "made.b64")).unwrap();
        assert_eq!(
            (text.lines().count(), BASE64_STANDARD.decode(text.trim_end()).unwrap()),
            (1, der.clone()),
            "{from}"
        );
        convert("pem", "made.pem");
        assert_eq!(bytes(&world, "made.pem"), bytes(&world, "app.pem"), "{from}");
        let shown = world.run(&["cert", "convert", from, "--to", "base64", "--password-file", "pw.txt"]).exits(0);
        assert_eq!((shown.out, shown.err), (text, String::new()), "{from}");
    }
    let public = openssl(&world, "pkey -in app.key -pubout");
    world
        .run(&["cert", "convert", "app.pfx", "--to", "pem", "--key-out", "made.key", "--password-file", "pw.txt"])
        .exits(0);
    assert_eq!(openssl(&world, "pkey -in made.key -pubout"), public);
    // Into a PFX, the key beside it or in the same file, and its password known or made.
    world.run(&["cert", "convert", "app.pem", "--key", "app.key", "--to", "pfx", "--out", "a.pfx"]).exits(0);
    openssl(&world, "pkcs12 -in a.pfx -passin file:a.pfx.password -nodes -out a.pem");
    assert_eq!(openssl(&world, "pkey -in a.pem -pubout"), public);
    let line = ["cert", "convert", "both.pem", "--to", "pfx", "--out", "b.pfx", "--pfx-profile", "legacy-3des"];
    world.run(&[&line[..], &["--out-password-file", "pw.txt"]].concat()).exits(0);
    let info = openssl(&world, "pkcs12 -in b.pfx -passin pass:theirs -info -noout");
    assert!(info.contains("3-KeyTripleDES-CBC") && !world.path().join("b.pfx.password").exists(), "{info}");
    let shown = world.run(&["cert", "convert", "app.pem", "--to", "pem", "-o", "json"]).exits(0).json();
    assert_eq!(shown["content"].as_str().unwrap().as_bytes(), bytes(&world, "app.pem"));
    // A key to a pipe is a choice that can be made.
    let line = ["cert", "convert", "app.pfx", "--to", "pem", "--key-out", "-", "--password-file", "pw.txt"];
    let ran = world.run(&line).exits(0);
    assert!(ran.out.contains("BEGIN CERTIFICATE") && ran.out.contains("BEGIN PRIVATE KEY"));
}

#[test]
fn what_does_not_go_together() {
    let world = forms();
    for (args, code, error) in [
        (&["app.cer", "--to", "pfx", "--out", "x.pfx"][..], 65, "K015"),
        (&["app.cer", "--to", "pem", "--key-out", "x.key"], 65, "K015"),
        (&["app.key", "--to", "cer", "--out", "x.cer"], 65, "K015"),
        (&["app.key", "--to", "pem"], 65, "K015"),
        (&["app.pem", "--key", "other.key", "--to", "pfx", "--out", "x.pfx"], 65, "K014"),
        (&["app.pfx", "--to", "pem"], 64, "K024"),
        (&["app.pem", "--to", "pfx"], 64, "U001"),
        (&["app.pem", "--to", "cer", "--key-out", "x.key"], 64, "U001"),
        (&["app.pem", "--to", "pem", "--out", "app.pem"], 1, "K018"),
        (&["both.pem", "--to", "pem", "--out", "x", "--key-out", "x"], 64, "K018"),
        (&["both.pem", "--to", "pem", "--key-out", "app.key"], 1, "K018"),
    ] {
        world.run(&[&["cert", "convert"], args].concat()).fails(code, error, &[]);
    }
    world.run(&["cert", "convert", "both.pem", "--to", "pem", "--key-out", "-", "-o", "json"]).exits(64);
    let leftovers: Vec<_> = std::fs::read_dir(world.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(leftovers.iter().all(|name| !name.starts_with('x') && !name.starts_with('.')), "{leftovers:?}");
}

/// Expectation 26: a key never reaches a terminal.
#[test]
fn no_key_on_a_terminal() {
    let world = forms();
    let ran = on_terminal(&world, "", &["cert", "convert", "both.pem", "--to", "pem", "--key-out", "-"]).exits(64);
    assert!(ran.out.contains("K025") && !ran.out.contains("BEGIN"), "{}", ran.out);
    on_terminal(&world, "", &["cert", "convert", "app.pem", "--to", "cer"]).exits(64);
    let ran = on_terminal(&world, "", &["cert", "convert", "both.pem", "--to", "pem"]).exits(0);
    assert!(ran.out.contains("BEGIN CERTIFICATE") && !ran.out.contains("PRIVATE"), "{}", ran.out);
}

/// Expectation 27: whatever goes in, `--to cer` and `--to base64` give one certificate and nothing of a key.
#[test]
fn public_forms_never_hold_a_key() {
    let world = forms();
    let mut canaries = Canaries::default();
    for name in ["app.key", "other.key"] {
        let pem = String::from_utf8(bytes(&world, name)).unwrap();
        canaries.add_pem(name, &pem);
        // One prime is enough for the whole key.
        let text = openssl(&world, &format!("rsa -in {name} -noout -text"));
        let prime: String =
            text.split("prime1:").nth(1).unwrap().split("prime2:").next().unwrap().split([':', ' ', '\n']).collect();
        let raw: Vec<u8> =
            (0..prime.len()).step_by(2).map(|at| u8::from_str_radix(&prime[at..at + 2], 16).unwrap()).collect();
        canaries.add(name, raw.strip_prefix(&[0]).unwrap_or(&raw));
    }
    let (key, certificate, other) = (bytes(&world, "app.key"), bytes(&world, "app.pem"), bytes(&world, "other.pem"));
    let pkcs1 = openssl(&world, "rsa -in app.key -traditional").into_bytes();
    let known = [bytes(&world, "app.cer"), pem::parse(&other).unwrap().into_contents()];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let whole: [Vec<u8>; 3] = [bytes(&world, "app.pfx"), bytes(&world, "legacy.pfx"), bytes(&world, "both.pem")];
    let parts: [&[u8]; 7] =
        [&key, &certificate, &other, &pkcs1, b"Bag Attributes\n  friendlyName: x\n", b"\r\n", b"-----BEGIN X-----\n"];
    let (mut taken, mut refused, mut shown) = (0, 0, Vec::new());
    for round in 0..120 {
        let mut input: Vec<u8> = if round % 3 == 0 {
            whole[random(whole.len())].clone()
        } else {
            (0..1 + random(4)).flat_map(|_| parts[random(parts.len())].to_vec()).collect()
        };
        if round % 4 == 3 && !input.is_empty() {
            let place = random(input.len());
            if random(2) == 0 { input.truncate(place) } else { input[place] ^= 1 << random(8) }
        }
        std::fs::write(world.path().join("input"), &input).unwrap();
        for to in ["cer", "base64"] {
            let line = ["-vvv", "cert", "convert", "input", "--to", to, "--password-file", "pw.txt"];
            let output = world.command(&line).stdout(Stdio::piped()).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            shown.extend([&output.stdout, error.as_bytes(), &[0]].concat());
            match output.status.code() {
                Some(0) => {
                    taken += 1;
                    let der = match to {
                        "cer" => output.stdout,
                        // Read back from base64, a key would be found as well.
                        _ => BASE64_STANDARD.decode(output.stdout.trim_ascii_end()).unwrap(),
                    };
                    // Untouched input gives one of its certificates, byte by byte; touched input one certificate.
                    assert!(round % 4 == 3 || known.contains(&der), "round {round}");
                    if !known.contains(&der) {
                        std::fs::write(world.path().join("result.cer"), &der).unwrap();
                        openssl(&world, "x509 -inform DER -in result.cer -noout");
                    }
                    assert!(der.len() < 1_000, "one certificate, nothing after it");
                }
                Some(65) => {
                    refused += 1;
                    assert!(output.stdout.is_empty() && error.contains("error[K0"), "round {round}: {error}");
                }
                other => panic!("round {round}: {other:?}\n{error}"),
            }
        }
    }
    let found = canaries.found_in(&shown);
    assert!(found.is_empty(), "{found:?}");
    // And it can be found.
    assert_eq!(canaries.found_in(&[&shown[..], &key].concat()).len(), 1);
    assert!(taken > 40 && refused > 40 && canaries.len() == 4, "{taken} taken, {refused} refused");
}

#[test]
fn pairs_and_strangers() {
    let world = forms();
    openssl(&world, "req -new -key app.key -subj /CN=app -out app.csr");
    // The same key in another certificate is another credential: Entra goes by the thumbprint.
    openssl(&world, "req -x509 -key app.key -out again.pem -subj /CN=app -days 30");
    for (args, code) in [
        (&["--pfx", "app.pfx", "--cer", "app.cer"][..], 0),
        (&["--key", "app.key", "--pem", "app.pem"], 0),
        (&["--key", "app.key", "--csr", "app.csr"], 0),
        (&["--pfx", "app.pfx"], 0),
        (&["--pfx", "app.pfx", "--cer", "other.pem"], 1),
        (&["--pfx", "app.pfx", "--cer", "again.pem"], 1),
        (&["--key", "other.key", "--pem", "app.pem"], 1),
        (&["--key", "other.key", "--csr", "app.csr"], 1),
        (&["--cer", "app.cer"], 64),
        (&[], 64),
    ] {
        let line = [&["cert", "verify", "--password-file", "pw.txt"], args].concat();
        let ran = world.run(&line).exits(code);
        assert_eq!(ran.out.starts_with("One pair"), code == 0, "{args:?}: {}", ran.out);
        assert_eq!(ran.out.starts_with("NOT one pair"), code == 1, "{args:?}: {}", ran.out);
        let document = world.run(&[&line[..], &["-o", "json"]].concat()).exits(code).json();
        assert!(code == 64 || document["pair"] == (code == 0), "{document:#}");
    }
    world.run(&["cert", "verify", "--pfx", "missing.pfx", "--cer", "app.cer"]).fails(65, "F010", &["missing.pfx"]);
}

#[test]
fn what_ends_soon() {
    let world = forms();
    let certs = world.path().join("certs");
    std::fs::create_dir_all(certs.join("deep")).unwrap();
    for (from, to) in [
        ("app.pem", "certs/a.pem"),
        ("other.pem", "certs/deep/b.pem"),
        ("app.pfx", "certs/c.pfx"),
        ("app.key", "certs/d.key"),
    ] {
        std::fs::copy(world.path().join(from), world.path().join(to)).unwrap();
    }
    std::fs::write(certs.join("notes.txt"), "no certificate").unwrap();
    std::os::unix::fs::symlink("..", certs.join("loop")).unwrap();
    let large = std::fs::File::create(certs.join("large.bin")).unwrap();
    large.set_len(100 << 20).unwrap();
    let ran = world.run(&["cert", "expiring", "certs"]).exits(0).says("2 of 2 certificates shown, 0 ended.");
    assert!(ran.out.contains("Not read: certs/c.pfx: it needs a password"), "{}", ran.out);
    let document = world
        .run(&["cert", "expiring", "certs", "app.cer", "--within", "60d", "--password-file", "pw.txt", "-o", "json"])
        .exits(0)
        .json();
    let files: Vec<&str> =
        document["items"].as_array().unwrap().iter().map(|item| item["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["app.cer", "certs/a.pem", "certs/c.pfx"]);
    assert_eq!((&document["certificates"], document["unread"].as_array().unwrap().len()), (&4.into(), 0));
    world.run(&["cert", "expiring", "certs/notes.txt"]).fails(65, "K011", &[]);
    world.run(&["cert", "expiring", "certs", "--within", "soon"]).fails(64, "U005", &[]);
    world.run(&["cert", "expiring", "missing"]).fails(65, "F010", &[]);
}

/// A reader that leaves early is no error, and a pipe may be read.
#[test]
fn pipes() {
    let world = forms();
    let line = format!("cat both.pem | {} cert inspect /dev/stdin | head -1", crate::support::binary().display());
    let output = Command::new("sh").args(["-c", &line]).current_dir(world.path()).output().unwrap();
    let ran = Ran::new(line, &output).exits(0).says("WITHOUT a password");
    assert!(ran.err.is_empty(), "{}", ran.err);
}

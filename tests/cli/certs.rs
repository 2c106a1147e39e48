//! `cert issue`, `csr`, `import`, `inspect`: what is written opens elsewhere, is private where it must be, and is never
//! replaced by accident.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::Ran;
use crate::support::World;
use crate::support::python;
use crate::terminal::on_terminal;

/// Runs another program in the world's directory; its output. A failure shows what it said.
#[track_caller]
pub fn tool(world: &World, program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(world.path()).output().unwrap();
    let ran = Ran::new(format!("{program} {args:?}"), &output).exits(0);
    format!("{}{}", ran.out, ran.err)
}

/// `openssl`, its arguments as one line.
#[track_caller]
pub fn openssl(world: &World, args: &str) -> String {
    tool(world, "openssl", &args.split(' ').collect::<Vec<_>>())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_issued_set_opens_in_openssl_java_and_python() {
    let world = World::without_emulator();
    std::fs::write(world.path().join("pw.txt"), "correct horse, battery 7\n").unwrap();
    for (name, key, profile, password) in [
        ("enate-graph-mail", "rsa-2048", "modern", None),
        ("old-server", "rsa-2048", "legacy-3des", Some("pw.txt")),
        ("elsewhere", "ec-p256", "modern", None),
        ("elsewhere-2", "ec-p384", "legacy-3des", None),
    ] {
        let mut line = vec!["cert", "issue", "--name", name, "--key", key, "--out", "out", "--with-key"];
        line.extend(["--pfx-profile", profile, "--dns", "sync.contoso.example"]);
        if let Some(file) = password {
            line.extend(["--password-file", file]);
        }
        let ran = world.run(&line).exits(0).says("Not recorded in a history: there is no configuration");
        assert_eq!(ran.out.contains("Note: Entra signs in with RSA keys"), key.starts_with("ec"), "{}", ran.out);
        assert_eq!(ran.out.contains("legacy-3des is weak"), profile == "legacy-3des", "{}", ran.out);
        let out = world.path().join("out");
        for (ending, wanted) in [("pfx", 0o600), ("key", 0o600), ("cer", 0o644), ("pem", 0o644)] {
            assert_eq!(mode(&out.join(format!("{name}.{ending}"))), wanted, "{ending}");
        }
        let password = password.map_or_else(|| format!("out/{name}.pfx.password"), str::to_owned);
        assert_eq!(out.join(format!("{name}.pfx.password")).exists(), password.starts_with("out/"));
        assert!(!password.starts_with("out/") || mode(&world.path().join(&password)) == 0o600);

        // One key in all files, told by others.
        let public = openssl(&world, &format!("pkey -in out/{name}.key -pubout"));
        assert_eq!(openssl(&world, &format!("x509 -in out/{name}.pem -noout -pubkey")), public);
        assert_eq!(openssl(&world, &format!("x509 -inform DER -in out/{name}.cer -noout -pubkey")), public);
        let packed = format!("pkcs12 -in out/{name}.pfx -passin file:{password} -nodes -nocerts -out unpacked.key");
        openssl(&world, &packed);
        assert_eq!(openssl(&world, "pkey -in unpacked.key -pubout"), public);
        let text = openssl(&world, &format!("x509 -in out/{name}.pem -noout -text"));
        for words in ["Digital Signature", "TLS Web Client Authentication", "CA:FALSE", "DNS:sync.contoso.example"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let pass = std::fs::read_to_string(world.path().join(&password)).unwrap();
        let file = format!("out/{name}.pfx");
        let java = ["-list", "-storetype", "PKCS12", "-keystore", &file, "-storepass", pass.trim_end()];
        assert!(tool(&world, "keytool", &java).contains("PrivateKeyEntry"));
        let script = format!(
            "from cryptography.hazmat.primitives.serialization import pkcs12\n\
             key, cert, _ = pkcs12.load_key_and_certificates(open('out/{name}.pfx','rb').read(), \
             open('{password}','rb').read().strip())\n\
             assert key.public_key() == cert.public_key()"
        );
        tool(&world, &python(), &["-c", &script]);
        world
            .run(&["cert", "verify", "--pfx", &file, "--cer", &format!("out/{name}.cer"), "--password-file", &password])
            .exits(0);
    }
}

#[test]
fn the_document_and_the_facts_agree() {
    let world = World::without_emulator();
    let issued = world
        .run(&[
            "cert",
            "issue",
            "--name",
            "app",
            "--subject",
            "CN=app,O=Contoso",
            "--days",
            "30",
            "--key",
            "rsa-2048",
            "-o",
            "json",
        ])
        .exits(0)
        .json();
    assert_eq!(issued["schema"], "everkey.cert/v1");
    assert_eq!((issued["files"].as_array().unwrap().len(), &issued["recorded"]), (4, &serde_json::Value::Null));
    let file = std::fs::read(world.path().join("app.pfx.password")).unwrap();
    assert!(!issued.to_string().contains(str::from_utf8(&file).unwrap()), "a generated password is never printed");
    let pem = world.run(&["cert", "inspect", "app.pem", "-o", "json"]).exits(0).json();
    let pfx =
        world.run(&["cert", "inspect", "app.pfx", "-o", "json", "--password-file", "app.pfx.password"]).exits(0).json();
    for seen in [&pem, &pfx] {
        assert_eq!(seen["schema"], "everkey.cert-inspect/v1");
        for fact in ["subject", "serial", "not_before", "not_after", "thumbprint_sha1", "thumbprint_sha256", "key_type"]
        {
            assert_eq!(seen[fact], issued[fact], "{fact}");
        }
        assert_eq!(seen["entra_sign_in"], true);
    }
    assert_eq!((&pem["private_key"]["state"], &pfx["private_key"]["state"]), (&"absent".into(), &"matches".into()));
    let thumbprint = openssl(&world, "x509 -in app.pem -noout -fingerprint -sha1").replace(':', "");
    assert!(thumbprint.contains(issued["thumbprint_sha1"].as_str().unwrap()), "{thumbprint}");
    let thumbprint = openssl(&world, "x509 -in app.pem -noout -fingerprint -sha256").replace(':', "").to_lowercase();
    assert!(thumbprint.contains(issued["thumbprint_sha256"].as_str().unwrap()), "{thumbprint}");
    world
        .run(&["cert", "inspect", "app.pfx", "--password-file", "app.pfx.password"])
        .exits(0)
        .says("PFX, with its private key (RSA 2048, under a password)")
        .says("Entra       yes");
}

/// Expectation 26: no set is written over anything, not even in part.
#[test]
fn nothing_is_replaced_without_force() {
    let world = World::without_emulator();
    let out = world.path().join("out");
    std::fs::create_dir(&out).unwrap();
    for there in ["app.pfx", "app.cer", "app.pem", "app.pfx.password"] {
        std::fs::write(out.join(there), "the only copy").unwrap();
        let ran = world.run(&["cert", "issue", "--name", "app", "--key", "ec-p256", "--out", "out"]);
        ran.fails(1, "K018", &["nothing was written"]);
        assert_eq!(names(&out), [there]);
        assert_eq!(std::fs::read_to_string(out.join(there)).unwrap(), "the only copy");
        std::fs::remove_file(out.join(there)).unwrap();
    }
    std::fs::write(out.join("app.pfx"), "old").unwrap();
    std::fs::set_permissions(out.join("app.pfx"), std::fs::Permissions::from_mode(0o644)).unwrap();
    world.run(&["cert", "issue", "--name", "app", "--key", "ec-p256", "--out", "out", "--force"]).exits(0);
    assert_eq!(names(&out), ["app.cer", "app.pem", "app.pfx", "app.pfx.password"]);
    assert_eq!(mode(&out.join("app.pfx")), 0o600);
    for line in [
        &["cert", "csr", "--name", "app", "--key", "ec-p256", "--out", "out"][..],
        &["ca", "init", "--name", "app", "--key", "ec-p256", "--out", "out"],
    ] {
        std::fs::write(out.join("app.key"), "the only copy").unwrap();
        world.run(line).fails(1, "K018", &[]);
        assert_eq!(std::fs::read_to_string(out.join("app.key")).unwrap(), "the only copy");
    }
    // A link is not followed, and a directory is never replaced.
    std::fs::write(world.path().join("elsewhere"), "not ours").unwrap();
    std::os::unix::fs::symlink("../elsewhere", out.join("link.pfx")).unwrap();
    let link = ["cert", "issue", "--name", "link", "--key", "ec-p256", "--out", "out"];
    world.run(&link).fails(1, "K018", &[]);
    world.run(&[&link[..], &["--force"]].concat()).exits(0);
    assert_eq!(std::fs::read_to_string(world.path().join("elsewhere")).unwrap(), "not ours");
    std::fs::create_dir(out.join("dir.cer")).unwrap();
    world.run(&["cert", "issue", "--name", "dir", "--key", "ec-p256", "--out", "out", "--force"]).fails(1, "F010", &[]);
    assert!(!out.join("dir.pfx").exists());
    // A directory that cannot be made leaves nothing.
    world.run(&["cert", "issue", "--name", "app", "--key", "ec-p256", "--out", "no/such"]).fails(1, "F010", &[]);
}

#[test]
fn what_cannot_be_made_is_usage() {
    let world = World::without_emulator();
    for args in [
        &["--name", "../app"][..],
        &["--name", ""],
        &["--name", ".hidden"],
        &["--name", "app", "--subject", "purple=x"],
        &["--name", "app", "--subject", "CN=a,OU=x,OU=y"],
        &["--name", "app", "--dns", "not a name"],
        &["--name", "app", "--dns", "*.contoso.example"],
        &["--name", "app", "--profile", "nobodys"],
        &["--name", "app", "--days", "0"],
        &["--name", "app", "--days", "36500"],
        &["--name", "app", "--key", "rsa-1024"],
    ] {
        let ran = world.run(&[&["cert", "issue", "--key", "ec-p256", "--out", "new"], args].concat());
        // A profile needs a configuration.
        let wanted = if args.contains(&"nobodys") { 78 } else { 64 };
        assert_eq!(ran.code, wanted, "{args:?}: {}{}", ran.out, ran.err);
        assert!(!world.path().join("new").exists() && !ran.err.contains("panicked"), "{args:?}");
    }
    std::fs::write(world.path().join("empty"), "").unwrap();
    std::fs::write(world.path().join("emoji"), "🔑🔑🔑🔑").unwrap();
    for file in ["empty", "emoji", "missing"] {
        let line = ["cert", "issue", "--name", "app", "--key", "ec-p256", "--out", "new", "--password-file", file];
        assert_eq!(world.run(&line).code, 65, "{file}");
        assert!(!world.path().join("new").exists());
    }
}

#[test]
fn a_request_an_answer_and_an_import() {
    let world = World::without_emulator();
    openssl(&world, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=Outside-CA -days 30");
    for (name, key, sealed) in [("web", "ec-p256", false), ("sync", "rsa-2048", true)] {
        std::fs::write(world.path().join("pw.txt"), "a password 42").unwrap();
        let mut line =
            vec!["cert", "csr", "--name", name, "--key", key, "--dns", "web.contoso.example", "--out", "out"];
        if sealed {
            line.extend(["--password-file", "pw.txt"]);
        }
        world.run(&line).exits(0).says(&format!("everkey cert import ANSWER --key out/{name}.key"));
        assert_eq!(mode(&world.path().join(format!("out/{name}.key"))), 0o600);
        let key_text = std::fs::read_to_string(world.path().join(format!("out/{name}.key"))).unwrap();
        assert_eq!(key_text.contains("ENCRYPTED"), sealed);
        let request = openssl(&world, &format!("req -in out/{name}.csr -noout -verify -text"));
        assert!(request.contains("DNS:web.contoso.example"), "{request}");
        world.run(&["cert", "inspect", &format!("out/{name}.csr")]).exits(0).says("Valid       yes");
        openssl(
            &world,
            &format!("x509 -req -in out/{name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 20 -out {name}.pem"),
        );
        // The answer as a bundle, the chain in it, its certificates in no order.
        openssl(
            &world,
            &format!("crl2pkcs7 -nocrl -certfile ca.pem -certfile {name}.pem -outform DER -out {name}.p7b"),
        );
        let key_file = format!("out/{name}.key");
        let answer = format!("{name}.p7b");
        let mut line = vec!["cert", "import", &answer, "--key", &key_file, "--name", name, "--out", "done"];
        if sealed {
            world.run(&line).fails(64, "K024", &["no password file"]);
            line.extend(["--key-password-file", "pw.txt"]);
        }
        let document = world.run(&[&line[..], &["-o", "json"]].concat()).exits(0).json();
        assert_eq!((&document["subject"], &document["issuers"]), (&format!("CN={name}").into(), &1.into()));
        openssl(&world, &format!("verify -CAfile ca.pem done/{name}.pem"));
        let pfx = openssl(&world, &format!("pkcs12 -in done/{name}.pfx -passin file:done/{name}.pfx.password -nodes"));
        assert_eq!((pfx.matches("BEGIN CERTIFICATE").count(), pfx.matches("BEGIN PRIVATE KEY").count()), (2, 1));
        let first = pfx.find("subject=").unwrap();
        assert!(pfx[first..].starts_with(&format!("subject=CN = {name}")), "{pfx}");
    }
    // Another's key.
    world.run(&["cert", "import", "web.pem", "--key", "ca.key", "--name", "wrong", "--out", "done"]).fails(
        65,
        "K014",
        &["does not belong"],
    );
    world.run(&["cert", "import", "out/web.csr", "--key", "out/web.key", "--name", "w"]).fails(65, "K015", &[]);
    world.run(&["cert", "import", "web.pem", "--key", "web.pem", "--name", "w"]).fails(65, "K015", &[]);
}

/// A password is asked for only on a terminal, twice for something new, and never shown.
#[test]
fn passwords_at_a_terminal() {
    let world = World::without_emulator();
    let issue = ["cert", "issue", "--name", "app", "--key", "ec-p256"];
    let ran = on_terminal(&world, "reply:generate one): =Typed-canary-1|Once more: =Typed-canary-2", &issue).exits(64);
    assert!(ran.out.contains("K016") && !ran.out.contains("canary"), "{}", ran.out);
    assert!(!world.path().join("app.pfx").exists());
    on_terminal(&world, "reply:generate one): =ctrl-c", &issue).exits(130);
    let ran = on_terminal(&world, "reply:generate one): =Typed-canary-1|Once more: =Typed-canary-1", &issue).exits(0);
    assert!(!ran.out.contains("canary") && !world.path().join("app.pfx.password").exists(), "{}", ran.out);
    let ran =
        on_terminal(&world, "reply:Password of app.pfx: =Typed-canary-1", &["cert", "inspect", "app.pfx"]).exits(0);
    assert!(ran.out.contains("with its private key") && !ran.out.contains("canary"), "{}", ran.out);
    let ran = on_terminal(&world, "reply:Password of app.pfx: =wrong", &["cert", "inspect", "app.pfx"]).exits(65);
    assert!(ran.out.contains("K010") && ran.out.contains("wrong password for app.pfx"), "{}", ran.out);
    // Nobody to ask.
    world.run(&["cert", "inspect", "app.pfx"]).fails(64, "K024", &["no terminal"]);
    on_terminal(&world, "reply:x=y", &["cert", "inspect", "app.pfx", "--no-input"]).exits(64);
    // An empty answer generates one.
    let ran =
        on_terminal(&world, "reply:generate one): =", &["cert", "issue", "--name", "b", "--key", "ec-p256"]).exits(0);
    let made = std::fs::read_to_string(world.path().join("b.pfx.password")).unwrap();
    assert!(made.len() == 24 && !ran.out.contains(&made), "{}", ran.out);
}

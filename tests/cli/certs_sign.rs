//! `ca init` and `cert sign`: who may get what, under which name it is recorded, and what verifies elsewhere.

use std::os::unix::fs::PermissionsExt as _;

use crate::certs::openssl;
use crate::support::Canaries;
use crate::support::World;
use crate::terminal::on_terminal;

/// A configuration with a store and no emulator: certificates need neither a tenant nor a network.
fn with_store() -> World {
    let world = World::without_emulator();
    std::fs::create_dir_all(world.emulator_dir().join("policies")).unwrap();
    std::fs::write(world.emulator_dir().join("seal.key"), "5a1b".repeat(16)).unwrap();
    std::fs::set_permissions(world.emulator_dir().join("seal.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(
        world.config(),
        "version = 1\nstore = 'sqlite:everkey.db'\n[seal]\nkey_file = 'seal.key'\n[tenants.contoso]\n\
         tenant_id = '8f0c1d52-0000-4000-8000-0000000031aa'\nclient_id = '3f0c1d52-0000-4000-8000-00000000e0e0'\n\
         auth = 'secret'\nsecret_file = 'operator.secret'\n\
         [profiles.web]\nextended_key_usage = ['server-auth']\ndns_names = 'required'\nwildcards = true\nmax_lifetime = '90d'\n",
    )
    .unwrap();
    world
}

fn append(world: &World, text: &str) {
    let before = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), before + text).unwrap();
}

/// The same with a CA of its own, `team-ca`, in the configuration.
fn with_ca() -> World {
    let world = with_store();
    let made = world
        .run(&["ca", "init", "--name", "team-ca", "--key", "ec-p256", "--out", "ca", "-o", "json"])
        .exits(0)
        .json();
    append(&world, made["configuration"].as_str().unwrap());
    assert_eq!((&made["schema"], &made["recorded"]), (&"everkey.ca/v1".into(), &"s-0001".into()));
    world
}

fn request(world: &World, name: &str, options: &str) {
    openssl(world, &format!("req -new -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr {options}"));
}

#[test]
fn a_ca_is_encrypted_private_and_limited() {
    let world = with_ca();
    let ca = world.path().join("ca");
    for (name, mode) in [("team-ca.key", 0o600), ("team-ca.key.password", 0o600), ("team-ca.pem", 0o644)] {
        assert_eq!(std::fs::metadata(ca.join(name)).unwrap().permissions().mode() & 0o777, mode, "{name}");
    }
    assert!(std::fs::read_to_string(ca.join("team-ca.key")).unwrap().contains("BEGIN ENCRYPTED PRIVATE KEY"));
    openssl(&world, "pkey -in ca/team-ca.key -passin file:ca/team-ca.key.password -noout");
    let text = openssl(&world, "x509 -in ca/team-ca.pem -noout -text");
    for words in ["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "Subject Key Identifier"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // The configuration that it prints is one that is read.
    world.run(&["validate"]).exits(0);
    for name in ["Team", "a.b", "../x"] {
        world.run(&["ca", "init", "--name", name, "--out", "x"]).fails(64, "K017", &[]);
    }
    let plain =
        ["ca", "init", "--name", "b", "--key", "ec-p256", "--out", "b", "--password-file", "ca/team-ca.key.password"];
    let ran = world.run(&plain).exits(0).says("[ca.b]").says("ca/team-ca.key.password");
    assert!(!world.path().join("b/b.key.password").exists() && ran.err.is_empty());
}

/// Every deed is in the history with who, serial and thumbprint; the chain stays intact.
#[test]
fn signing_is_recorded_and_verifies() {
    let world = with_ca();
    request(&world, "vendor", "-subj /CN=vendor-sync -addext extendedKeyUsage=serverAuth");
    let line = ["cert", "sign", "--ca", "team-ca", "--csr", "vendor.csr", "--profile", "entra-client", "--days", "180"];
    let by = ["--by", "d.okoro@contoso.example", "--yes"];
    let ran = world.run(&[&line[..], &["--out", "vendor.cer"], &by].concat()).exits(0);
    for words in [
        "CSR: CN=vendor-sync, RSA 2048, self-signature valid. Requested names: none.",
        "Profile entra-client changes: usage digitalSignature, clientAuth only; validity 180 d, to ",
        "(CA limit 398 d).",
        "Not taken over from the request: extKeyUsage.",
        "Recorded in history as s-0002.",
    ] {
        assert!(ran.out.contains(words), "{words}:\n{}", ran.out);
    }
    openssl(&world, "x509 -inform DER -in vendor.cer -out vendor.pem");
    openssl(&world, "verify -x509_strict -CAfile ca/team-ca.pem vendor.pem");
    let text = openssl(&world, "x509 -in vendor.pem -noout -text");
    assert!(text.contains("TLS Web Client Authentication") && !text.contains("Server"), "{text}");
    world.run(&["cert", "verify", "--key", "vendor.key", "--cer", "vendor.cer"]).exits(0);

    let document =
        world.run(&[&["-vvv"], &line[..], &["--out", "again.pem", "-o", "json"], &by].concat()).exits(0).json();
    assert_eq!((&document["recorded"], &document["ca"]), (&"s-0003".into(), &"team-ca".into()));
    openssl(&world, "verify -CAfile ca/team-ca.pem again.pem");
    world.run(&["cert", "issue", "--name", "own", "--key", "ec-p256"]).exits(0).says("Recorded in history as s-0004.");

    let database = openssl_free_history(&world);
    assert_eq!(database.len(), 4, "{database:#?}");
    let entry = &database[2];
    assert!(entry["actor"].as_str().unwrap().starts_with("d.okoro@contoso.example (user "), "{entry:#}");
    for fact in ["serial", "thumbprint_sha1", "thumbprint_sha256", "subject", "not_after"] {
        assert_eq!(entry["body"][fact], document[fact], "{fact}");
    }
    // Neither the CA's key nor its password is in the store, a log, or anything that was written.
    let mut canaries = Canaries::default();
    canaries.add("the CA's password", &std::fs::read(world.path().join("ca/team-ca.key.password")).unwrap());
    canaries.add_pem("the CA's key", &openssl(&world, "pkey -in ca/team-ca.key -passin file:ca/team-ca.key.password"));
    let (files, hits) = canaries.scan(world.path(), &|path| path.ends_with("ca/team-ca.key.password"));
    assert!(files > 10 && hits.is_empty(), "{files} files: {hits:?}");
    let text = entry["text"].as_str().unwrap();
    assert!(text.contains("s-0003 signed a request with team-ca: CN=vendor-sync"), "{text}");
}

/// The history through the program; it needs no tenant.
fn openssl_free_history(world: &World) -> Vec<serde_json::Value> {
    std::fs::write(world.emulator_dir().join("operator.secret"), "only-a-file-for-the-configuration").unwrap();
    world.run(&["history", "--verify"]).exits(0).says("Chain of 4 entries intact");
    world.run(&["history", "-o", "json"]).exits(0).json()["entries"].as_array().unwrap().clone()
}

#[test]
fn a_person_says_yes() {
    let world = with_ca();
    request(&world, "v", "-subj /CN=v");
    let line = ["cert", "sign", "--ca", "team-ca", "--csr", "v.csr", "--out", "v.pem"];
    world.run(&line).fails(64, "U003", &[]);
    on_terminal(&world, "n", &line).exits(5);
    on_terminal(&world, "", &line).exits(5);
    on_terminal(&world, "ctrl-c", &line).exits(130);
    assert!(!world.path().join("v.pem").exists());
    let ran = on_terminal(&world, "y", &line).exits(0);
    assert!(ran.out.contains("Sign? [y/N]") && ran.out.contains("s-0002"), "{}", ran.out);
    world.run(&[&line[..], &["--yes"]].concat()).fails(1, "K018", &["v.pem"]);
}

#[test]
fn what_a_ca_does_not_sign() {
    let world = with_ca();
    request(&world, "good", "-subj /CN=good");
    request(&world, "ca", "-subj /CN=ca -addext basicConstraints=CA:TRUE");
    request(&world, "sha1", "-subj /CN=x -sha1");
    request(&world, "ip", "-subj /CN=x -addext subjectAltName=IP:10.0.0.1");
    request(&world, "wild", "-subj /CN=x -addext subjectAltName=DNS:*.vendor.example");
    request(&world, "malformed", "-subj /CN=x -addext subjectAltName=DNS:not_a_name");
    request(&world, "same", "-subj /CN=team-ca");
    openssl(&world, "req -new -newkey rsa:1024 -nodes -keyout short.key -subj /CN=x -out short.csr");
    openssl(
        &world,
        "req -new -newkey rsa:2048 -pkeyopt rsa_keygen_pubexp:3 -nodes -keyout e3.key -subj /CN=x -out e3.csr",
    );
    let der = openssl_der(&world, "good");
    // A changed subject under the old signature.
    let at = der.windows(4).position(|window| window == b"good").unwrap();
    let mut forged = der.clone();
    forged[at..at + 4].copy_from_slice(b"evil");
    std::fs::write(world.path().join("forged.csr"), forged).unwrap();
    for (csr, profile, code, error, why) in [
        ("forged", "entra-client", 65, "K020", "does not fit"),
        ("ca", "entra-client", 65, "K020", "CA:TRUE"),
        ("sha1", "entra-client", 65, "K020", "SHA-1"),
        ("short", "entra-client", 65, "K020", "1024"),
        ("e3", "entra-client", 65, "K020", "exponent 3"),
        ("malformed", "entra-client", 65, "K020", "not_a_name"),
        ("ip", "entra-client", 77, "K021", "IP address"),
        ("wild", "entra-client", 77, "K021", "wildcards"),
        ("same", "entra-client", 77, "K021", "CA's own"),
        ("good", "web", 77, "K021", "at least one DNS name"),
        ("good", "nobodys", 64, "K023", ""),
        ("missing", "entra-client", 65, "F010", ""),
    ] {
        let file = format!("{csr}.csr");
        let line = ["cert", "sign", "--ca", "team-ca", "--csr", &file, "--profile", profile, "--out", "x.pem", "--yes"];
        world.run(&line).fails(code, error, &[why]).never_says("panicked");
        let document = world.run(&[&line[..], &["-o", "json"]].concat()).exits(code).json();
        assert_eq!((&document["error"]["code"], document["error"]["help"].is_string()), (&error.into(), true));
    }
    assert!(!world.path().join("x.pem").exists());
    let line = ["cert", "sign", "--csr", "good.csr", "--out", "x.pem", "--yes"];
    world.run(&[&line[..], &["--ca", "nobodys"]].concat()).fails(64, "K023", &[]);
    world.run(&line).exits(64);
    world.run(&["cert", "sign", "--ca", "team-ca", "--csr", "ca/team-ca.pem", "--out", "x.pem", "--yes"]).fails(
        65,
        "K015",
        &[],
    );
    // Only what was made is in the history: nothing was refused into it.
    world
        .run(&["cert", "sign", "--ca", "team-ca", "--csr", "wild.csr", "--profile", "web", "--out", "w.pem", "--yes"])
        .exits(0)
        .says("s-0002");
}

fn openssl_der(world: &World, name: &str) -> Vec<u8> {
    openssl(world, &format!("req -in {name}.csr -outform DER -out {name}.der"));
    std::fs::read(world.path().join(format!("{name}.der"))).unwrap()
}

#[test]
fn a_ca_from_files_and_one_that_cannot_sign() {
    let world = World::without_emulator();
    request(&world, "v", "-subj /CN=v");
    std::fs::write(world.path().join("pw.txt"), "theirs").unwrap();
    openssl(
        &world,
        "req -x509 -newkey rsa:2048 -passout pass:theirs -keyout ca.key -out ca.pem -subj /DC=example/DC=contoso/CN=AD -days 100",
    );
    openssl(
        &world,
        "req -x509 -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.pem -subj /CN=leaf -addext basicConstraints=critical,CA:FALSE",
    );
    openssl(
        &world,
        "req -x509 -newkey rsa:2048 -nodes -keyout nosign.key -out nosign.pem -subj /CN=n -addext keyUsage=digitalSignature",
    );
    let sign = |cert: &str, key: &str, days: &str| {
        let line = [
            "cert",
            "sign",
            "--ca-cert",
            cert,
            "--ca-key",
            key,
            "--csr",
            "v.csr",
            "--out",
            "v.pem",
            "--yes",
            "--days",
            days,
        ];
        world.run(&[&line[..], &["--ca-password-file", "pw.txt", "--force"]].concat())
    };
    let ran = sign("ca.pem", "ca.key", "365").exits(0).says("Not recorded in a history");
    assert!(ran.out.contains("shortened from 365 d because the CA's own certificate ends on"), "{}", ran.out);
    openssl(&world, "verify -CAfile ca.pem v.pem");
    sign("leaf.pem", "leaf.key", "30").fails(65, "K022", &["CA:TRUE"]);
    sign("nosign.pem", "nosign.key", "30").fails(65, "K022", &["keyCertSign"]);
    sign("leaf.pem", "ca.key", "30").fails(65, "K014", &[]);
    std::fs::write(world.path().join("pw.txt"), "wrong").unwrap();
    sign("ca.pem", "ca.key", "30").fails(65, "K010", &["ca.key"]);
    let line =
        ["cert", "sign", "--ca-cert", "ca.pem", "--ca-key", "ca.key", "--csr", "v.csr", "--out", "w.pem", "--yes"];
    world.run(&line).fails(64, "K024", &["ca.key"]);
    world.run(&["cert", "sign", "--ca-cert", "ca.pem", "--csr", "v.csr", "--out", "w.pem"]).exits(64);
}

/// Where there is a store that cannot be written, nothing is issued that nobody would know of.
#[test]
fn without_a_record_nothing_is_issued() {
    let world = with_ca();
    let issue = ["cert", "issue", "--name", "app", "--key", "ec-p256", "--out", "new"];
    std::fs::write(world.emulator_dir().join("seal.key"), "6b2c".repeat(16)).unwrap();
    world.run(&issue).fails(78, "T016", &["seal key"]);
    assert!(!world.path().join("new").exists());
    world.replace(&world.config(), "version = 1", "version = 2");
    world.run(&issue).fails(78, "C011", &[]);
    assert!(!world.path().join("new").exists());
    world.replace(&world.config(), "version = 2", "version = 1");
    world.replace(&world.config(), "[seal]\nkey_file = 'seal.key'\n", "");
    world.run(&issue).exits(0).says("has no [seal]");
}

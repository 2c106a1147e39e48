//! The sink `files` when all goes well: content, modes, one unit, nothing left over.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;

use everkey::model::CerEncoding;
use everkey::model::CerFile;
use everkey::model::KeyType;
use everkey::model::PfxFile;
use everkey::model::PfxPassword;
use everkey::model::PfxProfile;
use everkey::model::RotationId;
use everkey::model::ValueName;
use everkey::pki::Tool;
use everkey::ports::CertTool;
use everkey::ports::Payload;
use everkey::secret::Secret;

use crate::support::*;

/// A real certificate with everything that a policy may ask for.
fn real(generation: u64) -> Payload {
    let key = Tool.generate_key(KeyType::Rsa2048).unwrap();
    let (start, end) = ("2026-11-20T08:00:00Z".parse().unwrap(), "2027-11-20T08:00:00Z".parse().unwrap());
    let made = Tool.self_signed(&key, "CN=enate-graph-mail", start, end).unwrap();
    let password = Tool.generate_password().unwrap();
    let values = [
        (ValueName::Pfx, Tool.pfx(&key, &made.der, &password, PfxProfile::Modern, true).unwrap()),
        (ValueName::Certificate, Secret::from_text(Tool.certificate_pem(&made.der))),
        (ValueName::PrivateKey, Tool.key_pem(&key).unwrap()),
        (ValueName::PfxPassword, password),
    ];
    Payload { generation: RotationId(generation), values: values.into_iter().collect(), certificate: Some(made.der) }
}

fn openssl(directory: &Path, arguments: &str) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output();
    let output = output.unwrap_or_else(|error| panic!("this test needs `openssl`: {error}"));
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn every_file_opens_in_the_tools_that_will_read_it() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("credential");
    let mut spec = files_spec(&directory);
    let password = PfxPassword::WrittenTo("enate.pfx.password".into());
    spec.pfx = Some(PfxFile { name: "enate.pfx".into(), profile: PfxProfile::Modern, password });
    spec.bundle = Some("enate.pem".into());
    spec.cer = Some(CerFile { name: "enate.cer".into(), encoding: CerEncoding::Base64 });

    let sink = files(spec.clone());
    sink.preflight().await.unwrap();
    assert_eq!(sink.fingerprint().await.unwrap(), None);
    let written = sink.write(&real(1)).await.unwrap();
    assert_eq!(sink.fingerprint().await.unwrap(), Some(written));

    let expected = ["enate.cer", "enate.crt", "enate.key", "enate.pem", "enate.pfx", "enate.pfx.password"];
    assert_eq!(names(&directory), expected);
    for name in expected {
        let private = !matches!(name, "enate.cer" | "enate.crt");
        assert_eq!(mode(&directory.join(name)), if private { 0o600 } else { 0o644 }, "{name}");
    }
    let public = openssl(&directory, "pkey -in enate.key -pubout");
    for file in ["enate.crt", "enate.cer", "enate.pem"] {
        assert_eq!(openssl(&directory, &format!("x509 -in {file} -pubkey -noout")), public, "{file}");
    }
    assert_eq!(openssl(&directory, "pkey -in enate.pem -pubout"), public);
    openssl(&directory, "pkcs12 -in enate.pfx -passin file:enate.pfx.password -noout");
    let listed = Command::new("keytool")
        .args(["-list", "-storetype", "PKCS12", "-keystore", "enate.pfx", "-storepass:file", "enate.pfx.password"])
        .current_dir(&directory)
        .output()
        .unwrap_or_else(|error| panic!("this test needs `keytool`: {error}"));
    assert!(listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains("PrivateKeyEntry"));

    // The other encoding, in a later rotation.
    spec.cer = Some(CerFile { name: "enate.cer".into(), encoding: CerEncoding::Der });
    files(spec).write(&real(2)).await.unwrap();
    let public = openssl(&directory, "pkey -in enate.key -pubout");
    assert_eq!(openssl(&directory, "x509 -in enate.cer -inform DER -pubkey -noout"), public);
}

#[tokio::test]
async fn modes_do_not_depend_on_the_umask() {
    let stage = Path::new("everkey-test-umask");
    if stage.exists() {
        let directory = stage.join("credential");
        let mut spec = files_spec(&directory);
        spec.mode = 0o640;
        files(spec).write(&numbered(1)).await.unwrap();
        assert_eq!(mode(&directory.join("enate.key")), 0o640);
        assert_eq!(mode(&directory.join("enate.crt")), 0o644);
        assert_eq!(mode(&fs::canonicalize(&directory).unwrap()), 0o755);
        assert_eq!(mode(&stage.join(".credential.everkey")), 0o600);
        return;
    }
    for mask in ["000", "027", "077"] {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(stage)).unwrap();
        fs::set_permissions(root.path().join(stage), fs::Permissions::from_mode(0o700)).unwrap();
        run_again(root.path(), "files::modes_do_not_depend_on_the_umask", &["sh"], &format!("umask {mask}"));
    }
}

/// While 200 rotations pass, one reader reads pairs and another looks at every private file of any generation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_one_pair_and_never_a_looser_mode() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("credential");
    let sink = files(files_spec(&directory));
    sink.write(&numbered(1)).await.unwrap();

    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (done, directory) = (Arc::clone(&done), directory.clone());
        thread::spawn(move || {
            let mut pairs = 0_u64;
            while !done.load(Ordering::Relaxed) {
                // The symlink itself is always there; what it named a moment ago may be gone.
                assert!(fs::symlink_metadata(&directory).unwrap().is_symlink());
                let Ok(generation) = fs::canonicalize(&directory) else { continue };
                let read = |name: &str| fs::read_to_string(generation.join(name));
                let (Ok(certificate), Ok(key)) = (read("enate.crt"), read("enate.key")) else { continue };
                assert_eq!(certificate.strip_prefix("certificate "), key.strip_prefix("key "), "a mixture");
                assert!(key.ends_with('\n'), "a part of a file: {key:?}");
                pairs += 1;
            }
            pairs
        })
    };
    let watcher = {
        let (done, root) = (Arc::clone(&done), root.path().to_owned());
        thread::spawn(move || {
            use std::os::unix::fs::MetadataExt;
            let mut looks = 0_u64;
            while !done.load(Ordering::Relaxed) {
                for generation in fs::read_dir(&root).unwrap().flatten() {
                    if let Ok(metadata) = fs::symlink_metadata(generation.path().join("enate.key")) {
                        assert_eq!(metadata.mode() & 0o7777, 0o600);
                        looks += 1;
                    }
                }
            }
            looks
        })
    };
    for number in 2..=200 {
        sink.write(&numbered(number)).await.unwrap();
        sink.fingerprint().await.unwrap().unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(reader.join().unwrap() > 200, "the reader must have been at work");
    assert!(watcher.join().unwrap() > 200, "the watcher must have been at work");
    assert_eq!(names(root.path()), [".credential.everkey", ".credential.r-0200.1", "credential"]);
}

#[tokio::test]
async fn the_fingerprint_is_of_names_and_contents_not_of_the_generation() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("credential");
    let sink = files(files_spec(&directory));
    let first = sink.write(&numbered(7)).await.unwrap();
    assert_eq!(sink.write(&numbered(7)).await.unwrap(), first, "writing the same again is harmless");
    let mut later = numbered(7);
    later.generation = RotationId(8);
    assert_eq!(sink.write(&later).await.unwrap(), first);

    let key = directory.join("enate.key");
    let changes: [&dyn Fn(); 4] = [
        &|| fs::write(&key, "key 6\n").unwrap(),
        &|| fs::remove_file(&key).unwrap(),
        &|| fs::rename(&key, directory.join("other.key")).unwrap(),
        &|| fs::write(directory.join("extra"), "").unwrap(),
    ];
    for change in changes {
        change();
        assert_ne!(sink.fingerprint().await.unwrap(), Some(first.clone()), "drift must show");
        assert_eq!(sink.write(&later).await.unwrap(), first, "and a write repairs it");
    }
    fs::remove_file(&directory).unwrap();
    assert_eq!(sink.fingerprint().await.unwrap(), None);
}

#[tokio::test]
async fn a_new_attempt_of_the_same_rotation_replaces_the_value() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("credential");
    let sink = files(files_spec(&directory));
    sink.write(&numbered(5)).await.unwrap();
    let mut fresh = numbered(6);
    fresh.generation = RotationId(5);
    sink.write(&fresh).await.unwrap();
    assert_eq!(fs::read_to_string(directory.join("enate.key")).unwrap(), "key 6\n");
    assert_eq!(names(root.path()).len(), 3, "the replaced key is gone");
}

#[tokio::test]
async fn the_command_runs_after_and_its_failure_is_told() {
    let root = tempfile::tempdir().unwrap();
    let flag = root.path().join("told");
    let mut spec = files_spec(&root.path().join("credential"));
    spec.after = vec!["touch".into(), flag.display().to_string()];
    files(spec.clone()).after().await.unwrap();
    assert!(flag.exists());
    spec.after = vec!["sh".into(), "-c".into(), "echo no such unit >&2; exit 3".into()];
    let error = files(spec).after().await.unwrap_err().to_string();
    assert!(error.contains("exit status 3") && error.contains("no such unit"), "{error}");
}

#[tokio::test]
async fn an_emulated_tenant_writes_below_its_root() {
    use everkey::model::SinkTarget;
    use everkey::ports::Sinks;
    let root = tempfile::tempdir().unwrap();
    let mut spec = files_spec(Path::new("/var/lib/enate/credential"));
    spec.owner = Some("nobody-of-this-name:nor-this".into());
    spec.after = vec!["/nonexistent".into()];
    let factory = everkey::sinks::Factory::below(root.path().join("sinks"));
    let sink = factory.open(&target(SinkTarget::Files(spec.clone())), &owner("primary")).unwrap();
    let place = root.path().join("sinks/var/lib/enate/credential");
    assert_eq!(sink.place(), place.display().to_string());
    sink.preflight().await.unwrap();
    sink.write(&numbered(1)).await.unwrap();
    sink.after().await.unwrap();
    assert!(place.join("enate.key").exists());

    spec.directory = "/var/../../escape".into();
    assert!(factory.open(&target(SinkTarget::Files(spec)), &owner("primary")).is_err());
}

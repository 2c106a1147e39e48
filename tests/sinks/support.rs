//! Specifications, payloads, and looks at the file system.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use everkey::model::FilesSpec;
use everkey::model::JsonFileSpec;
use everkey::model::RotationId;
use everkey::model::SinkOwner;
use everkey::model::SinkSpec;
use everkey::model::SinkTarget;
use everkey::model::ValueName;
use everkey::ports::Payload;
use everkey::ports::PortError;
use everkey::ports::Sink;
use everkey::ports::Sinks;
use everkey::secret::Secret;
use everkey::sinks::Factory;

/// A `files` sink with certificate and key alone.
pub fn files_spec(directory: &Path) -> FilesSpec {
    FilesSpec {
        directory: directory.display().to_string(),
        pfx: None,
        pem: Some("enate.crt".into()),
        key: Some("enate.key".into()),
        bundle: None,
        cer: None,
        mode: 0o600,
        owner: None,
        after: Vec::new(),
    }
}

/// A `json-file` sink for the two values of the e-mail engine's policy.
pub fn json_spec(path: &Path) -> JsonFileSpec {
    JsonFileSpec {
        path: path.display().to_string(),
        values: vec![
            ("/MS-OfficeMail-365/clientId".into(), ValueName::ClientId),
            ("/MS-OfficeMail-365/clientSecret".into(), ValueName::Secret),
        ],
        mode: None,
        owner: None,
        after: Vec::new(),
        in_place: false,
    }
}

pub fn target(target: SinkTarget) -> SinkSpec {
    SinkSpec { id: "test".into(), target }
}

/// The credential `slot` of the application whose values [`payload`]s of the tests carry.
pub fn owner(slot: &str) -> SinkOwner {
    SinkOwner { app: Some("3f0c1d52-0000-4000-8000-00000000e0e0".into()), slot: slot.into() }
}

pub fn files(spec: FilesSpec) -> Arc<dyn Sink> {
    Factory::new().open(&target(SinkTarget::Files(spec)), &owner("primary")).unwrap()
}

pub fn json(spec: JsonFileSpec) -> Arc<dyn Sink> {
    Factory::new().open(&target(SinkTarget::JsonFile(spec)), &owner("primary")).unwrap()
}

/// Why a specification is refused before anything is touched.
pub fn refused(spec: SinkTarget) -> String {
    match Factory::new().open(&target(spec), &owner("primary")) {
        Ok(sink) => panic!("{} was accepted", sink.place()),
        Err(error) => error.to_string(),
    }
}

pub fn payload(generation: u64, values: &[(ValueName, &str)]) -> Payload {
    let values: BTreeMap<_, _> =
        values.iter().map(|(name, value)| (*name, Secret::from_text((*value).to_owned()))).collect();
    Payload { generation: RotationId(generation), values, certificate: None }
}

/// Certificate and key that name their number, so that a mixture shows.
pub fn numbered(number: u64) -> Payload {
    let (certificate, key) = (format!("certificate {number}\n"), format!("key {number}\n"));
    payload(number, &[(ValueName::Certificate, &certificate), (ValueName::PrivateKey, &key)])
}

/// Client id and secret.
pub fn credential(generation: u64, id: &str, secret: &str) -> Payload {
    payload(generation, &[(ValueName::ClientId, id), (ValueName::Secret, secret)])
}

pub fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).mode() & 0o7777
}

/// Names in a directory, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub fn is_conflict(error: &PortError) -> bool {
    matches!(error, PortError::Conflict(refusal) if refusal.code == "newer-generation")
}

/// Runs test `name` again in directory `root`, after `script`, through `shell` (a command that ends in `sh`).
///
/// For what belongs to a whole process (umask, mounts): the test knows the second run by what `root` holds.
pub fn run_again(root: &Path, name: &str, shell: &[&str], script: &str) {
    let program = std::env::current_exe().unwrap();
    let script = format!("set -e\n{script}\nexec {} --exact {name} --nocapture", program.display());
    let output = Command::new(shell[0]).args(&shell[1..]).args(["-c", &script]).current_dir(root).output();
    let output = output.unwrap_or_else(|error| panic!("this test needs `{}`: {error}", shell[0]));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

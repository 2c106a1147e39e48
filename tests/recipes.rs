//! What ships around the binary, read by the programs it is written for: systemd's units by systemd-analyze, YAML by a
//! YAML parser, and every command line in them by everkey itself.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// Exposure that the units may have at most (expectation 40).
const MOST_EXPOSED: f64 = 2.0;

fn how_to() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/how-to")
}

/// The command line is understood: without its configuration it ends with 78, and not with 64.
#[track_caller]
fn is_understood(args: &[String]) {
    let nowhere = "/nonexistent/everkey.toml".to_owned();
    let known = ["/etc/everkey/everkey.toml", "everkey.toml"];
    let args: Vec<&String> =
        args.iter().map(|arg| if known.contains(&arg.as_str()) { &nowhere } else { arg }).collect();
    assert!(args.contains(&&nowhere), "it names its configuration: {args:?}");
    // A bare `everkey` that is not on the path: no address is bound and nothing is read before the configuration.
    let ran = Command::new(env!("CARGO_BIN_EXE_everkey")).args(&args).env_clear().output().unwrap();
    let validates = args.iter().any(|arg| *arg == "validate");
    let expected = if validates { [0, 65].as_slice() } else { &[78] };
    assert!(expected.contains(&ran.status.code().unwrap()), "{args:?}: {ran:?}");
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn analyze(args: &[&str], dir: &Path) -> String {
    let ran = Command::new("systemd-analyze")
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap_or_else(|error| panic!("systemd-analyze does not start ({error}): install systemd"));
    let text = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "systemd-analyze {args:?}\n{text}");
    text
}

fn exposure(unit: &str, dir: &Path) -> f64 {
    let report = analyze(&["security", "--offline=true", &format!("./{unit}")], dir);
    let line =
        report.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_else(|| panic!("{report}"));
    line.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn systemd_understands_the_units_and_they_are_closed() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["everkey.service", "everkey.timer", "everkey-serve.service"] {
        let text = std::fs::read_to_string(how_to().join("systemd").join(name)).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("ExecStart=/usr/bin/everkey ")) {
            is_understood(&words(line));
        }
        // Verification asks whether the program is there.
        let text = text.replace("/usr/bin/everkey", env!("CARGO_BIN_EXE_everkey"));
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let all = ["verify", "--man=no", "./everkey.service", "./everkey.timer", "./everkey-serve.service"];
    assert_eq!(analyze(&all, dir.path()), "", "not even a warning");
    for unit in ["everkey.service", "everkey-serve.service"] {
        let open = exposure(unit, dir.path());
        assert!(open < MOST_EXPOSED, "{unit}: {open}");
        let drop_in = dir.path().join(format!("{unit}.d"));
        std::fs::create_dir(&drop_in).unwrap();
        std::fs::copy(how_to().join("systemd/everkey-files.conf"), drop_in.join("everkey-files.conf")).unwrap();
        let with_files = exposure(unit, dir.path());
        assert!(open < with_files && with_files <= MOST_EXPOSED, "{unit}: {open}, with the drop-in {with_files}");
    }
    assert_eq!(analyze(&all, dir.path()), "", "with the drop-in");
}

/// Every document of a YAML file, read by PyYAML.
fn yaml(file: &Path) -> Vec<Value> {
    #[expect(clippy::disallowed_methods, reason = "a test names its interpreter by environment")]
    let python = std::env::var("EVERKEY_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    // `on:` is a boolean to YAML 1.1; the text of a key is what counts here.
    let script =
        "import json, sys, yaml\nprint(json.dumps(list(yaml.load_all(open(sys.argv[1]), Loader=yaml.BaseLoader))))";
    let ran = Command::new(python).args(["-c", script]).arg(file).output().unwrap();
    assert!(ran.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn manifests_are_yaml_and_start_everkey() {
    let mut kinds = Vec::new();
    for name in ["everkey.yaml", "everkey-daemon.yaml"] {
        for document in yaml(&how_to().join("kubernetes").join(name)) {
            let kind = document["kind"].as_str().unwrap().to_owned();
            let pod = match kind.as_str() {
                "CronJob" => {
                    assert_eq!(document["spec"]["concurrencyPolicy"], "Forbid");
                    &document["spec"]["jobTemplate"]["spec"]["template"]["spec"]
                }
                "Deployment" => {
                    assert_eq!(document["spec"]["replicas"], "1");
                    &document["spec"]["template"]["spec"]
                }
                _ => &Value::Null,
            };
            if let Some(container) = pod["containers"].get(0) {
                let args = container["args"].as_array().unwrap().iter();
                is_understood(&args.map(|arg| arg.as_str().unwrap().to_owned()).collect::<Vec<_>>());
                assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], "true");
                assert_eq!(pod["securityContext"]["runAsNonRoot"], "true");
                let volumes: Vec<&Value> = pod["volumes"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
                for mount in container["volumeMounts"].as_array().unwrap() {
                    assert!(volumes.contains(&&mount["name"]), "{name}: {mount} has no volume");
                }
            }
            kinds.push(kind);
        }
    }
    assert_eq!(kinds, ["PersistentVolumeClaim", "CronJob", "Deployment"]);
}

/// Every `run:` and `script:` text below a value.
fn scripts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("run" | "script", Value::String(text)) => found.push(text.clone()),
                    ("script", Value::Array(lines)) => {
                        found.extend(lines.iter().map(|l| l.as_str().unwrap().to_owned()))
                    }
                    _ => scripts(value, found),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| scripts(value, found)),
        _ => {}
    }
}

#[test]
fn pipelines_are_yaml_and_start_everkey() {
    for name in ["github.yml", "gitlab.yml", "azure-pipelines.yml"] {
        let mut found = Vec::new();
        for document in yaml(&how_to().join("ci").join(name)) {
            scripts(&document, &mut found);
        }
        let lines: Vec<&str> =
            found.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("everkey ")).collect();
        assert_eq!(lines.len(), 2, "{name}: validate and a cycle, {found:?}");
        for line in lines {
            is_understood(&words(line.split(" || ").next().unwrap().trim_start_matches("everkey ")));
        }
        // What a shell makes of it, with everkey ending with 75, 0 and 77.
        for script in found.iter().filter(|text| text.contains("|| code=$?")) {
            for (ends, expected) in [(75, 0), (0, 0), (77, 77)] {
                let script = format!("set -e\neverkey() {{ return {ends}; }}\n{script}");
                let ran = Command::new("bash").args(["-c", &script]).output().unwrap();
                assert_eq!(ran.status.code(), Some(expected), "{name}, everkey ends with {ends}: {ran:?}");
            }
        }
    }
}

//! `everkey demo` does the main job for real, and its three figures notice when a promise is broken.

mod figures;
mod guides;
mod simulate;

use std::path::Path;
use std::process::Command;
use std::process::Output;

use serde_json::Value;

/// Runs the demo into `dir` and returns its report.
fn demo(dir: &Path, more: &[&str]) -> (Output, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_everkey"))
        .args(["demo", "-o", "json", "--keep"])
        .arg(dir)
        .args(more)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .expect("the demo starts");
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("one JSON document: {error}\n{}", String::from_utf8_lossy(&output.stderr)));
    (output, report)
}

fn count(report: &Value, name: &str) -> u64 {
    report[name].as_u64().unwrap_or_else(|| panic!("{name} in {report:#}"))
}

//! The README's transcript is real: the demo is run here and compared with it, line by line.
//!
//! `EVERKEY_UPDATE_DOCS=1 cargo nextest run --test readme` writes it anew.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

const COMMAND: &str = "$ cargo run --release -- demo\n";

/// Whose story the README tells between the beginning and the result: the one who is late.
const LATE: &str = "roger365";

#[expect(clippy::disallowed_methods, reason = "a switch of this test, not of the program")]
fn updating() -> bool {
    std::env::var_os("EVERKEY_UPDATE_DOCS").is_some()
}

fn readme() -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    (path, text)
}

/// What the README shows of the demo's output: how it begins, the late person's story until the first old
/// credential of theirs leaves, and the result. A line of dots stands where lines are left out.
fn excerpt(output: &str) -> String {
    let mut shown = Vec::new();
    let mut left_out = false;
    let (mut years, mut result, mut over) = (false, false, false);
    for line in output.lines() {
        let late = line.to_lowercase().contains(LATE);
        result |= line.starts_with("RESULT");
        if !years || result || (late && !over) {
            if std::mem::take(&mut left_out) {
                shown.push("  ...");
            }
            shown.push(line);
        } else {
            left_out = true;
        }
        over |= years && late && line.ends_with("retire");
        years |= line.starts_with("TWO YEARS");
    }
    shown.join("\n") + "\n"
}

/// What may differ between two good runs: the port, and the counts that depend on how many instants were
/// checked and how many files there are. The three figures are not among them.
fn normal(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut line = line.trim_end().to_owned();
        if let Some((before, after)) = line.split_once("https://127.0.0.1:") {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            line = format!("{before}https://127.0.0.1:PORT{rest}");
        }
        if let Some((before, counts)) = line.split_once("   (") {
            line = format!("{before}   ({}", without_numbers(counts));
        }
        if line.starts_with("RESULT") {
            line = without_numbers(&line);
        }
        lines.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    lines.join("\n")
}

fn without_numbers(text: &str) -> String {
    let mut found = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if found.ends_with('N') => {}
            '0'..='9' => found.push('N'),
            other => found.push(other),
        }
    }
    found
}

#[test]
fn the_transcript_is_what_the_demo_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_everkey")).arg("demo").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the demo ended with {}: {errors}\n{text}", output.status);
    let wanted = excerpt(&text);
    assert!(wanted.contains("\nTWO YEARS ") && wanted.contains("\nRESULT ") && wanted.contains("\n  ...\n"), "{text}");

    let (path, mut page) = readme();
    if updating() {
        let (before, rest) = page.split_once(COMMAND).unwrap();
        let (_, after) = rest.split_once("```").unwrap();
        page = format!("{before}{COMMAND}{wanted}```{after}");
        fs::write(path, &page).unwrap();
    }
    let (_, rest) = page.split_once(COMMAND).expect("README.md shows the demo");
    let (shown, _) = rest.split_once("```").unwrap();
    let (shown, wanted) = (normal(shown), normal(&wanted));
    let different: Vec<(&str, &str)> = shown.lines().zip(wanted.lines()).filter(|(a, b)| a != b).collect();
    assert!(
        shown == wanted,
        "README.md does not show what the demo prints ({} lines, {} shown). README, demo: {different:#?}\n\
         EVERKEY_UPDATE_DOCS=1 cargo nextest run --test readme",
        wanted.lines().count(),
        shown.lines().count()
    );
    for figure in ["Instants with an integration down 0", "outside its sinks 0", "Foreign credentials touched 0"] {
        assert!(shown.contains(figure), "the README must show {figure:?}");
    }
}

#[test]
fn the_two_commands_come_first_and_the_page_stays_short() {
    let (_, page) = readme();
    assert!(page.lines().count() < 250, "{} lines", page.lines().count());
    let first = page.split("```").nth(1).unwrap();
    assert!(first.contains("cargo run --release -- demo") && first.contains("tests/run"), "{first}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ci = fs::read_to_string(root.join(".ci/run")).unwrap();
    assert!(ci.contains("exec tests/run"), "the pipeline runs the same command as a person");
}

/// Every relative link of every page leads to a file that is there.
#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                pages.push(path);
            }
        }
    }
    assert!(pages.len() > 20, "{} pages", pages.len());
    let mut broken = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for rest in text.split("](").skip(1) {
            let Some((target, _)) = rest.split_once(')') else { continue };
            let file = target.split('#').next().unwrap();
            if file.is_empty() || target.contains("://") || target.contains(' ') {
                continue;
            }
            if !page.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
